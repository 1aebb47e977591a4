import Kernel

/// Verdicts in words: what was seen, what it is compared with, and what follows.
enum JudgeSentences {
  static func conviction(
    _ rule: Rule, _ observed: RequestCounts, baseline: Baseline, policy: JudgePolicy
  ) -> String {
    let events = rule.events(in: observed)
    let share = JudgeWords.percent(Double(events) / Double(max(observed.requests, 1)))
    let ofAll = "\(events) of \(JudgeWords.requests(observed.requests))"
    switch rule {
    case .errorRate:
      return """
        \(ofAll) failed (\(share)) against \(JudgeWords.percent(baseline.errorRate)) before; \
        more than \(JudgeWords.times(policy.errorRatio)) is not allowed.
        """
    case .latency:
      let hanging = observed.hanging > 0 ? ", \(observed.hanging) of them without any answer" : ""
      return """
        \(ofAll) took longer than \(JudgeWords.exact(policy.slowerThan)) (\(share))\(hanging): \
        P99 is over \(JudgeWords.times(policy.latencyFactor)) the target of \(JudgeWords.exact(policy.sloP99)).
        """
    case .ceiling:
      return "\(ofAll) failed (\(share)), above the ceiling of \(JudgeWords.percent(policy.ceiling))."
    case .throughput, .memory, .processor, .check: return "\(ofAll) broke the rule \(rule.rawValue)."
    }
  }

  /// - Parameter incident: the rule by which an incident of both arms was seen, when the requests came after it.
  static func power(requests: Int, ratio: Double?, since incident: Rule?) -> String {
    let shown =
      ratio.map { "a worsening of \(JudgeWords.times($0)) or more would have been seen" }
      ?? "the traffic is enough, and nothing speaks against it"
    let since = incident == nil ? "" : " since both versions had bad requests"
    return "\(JudgeWords.requests(requests)) judged\(since): \(shown)."
  }

  static func incident(_ rule: Rule, _ totals: WindowTotals) -> String {
    let what = rule == .latency ? "slow" : "failing"
    let canary = "\(rule.events(in: totals.canary)) of \(totals.canary.requests)"
    let control = "\(rule.events(in: totals.control)) of \(totals.control.requests)"
    return """
      Requests are \(what) on the new version (\(canary)) and on the old (\(control)) alike: \
      an incident, not this deployment.
      """
  }

  static func waiting(_ rule: Rule, _ totals: WindowTotals) -> String {
    let what = rule == .latency ? "slow" : "failing"
    let canary = "\(rule.events(in: totals.canary)) of \(totals.canary.requests)"
    return """
      Requests are \(what) on the new version (\(canary)); the old one has had too few (\(totals.control.requests)) to \
      say whether it is an incident of both. It is decided within \(JudgeVeto.patience.words).
      """
  }

  static func scarcity(requests: Int, needed: Int, policy: JudgePolicy, since incident: Rule?) -> String {
    let came = incident == nil ? "" : "Both versions had bad requests. Since then: "
    if requests == 0 { return incident == nil ? "No requests yet; \(needed) are needed." : "\(came)no requests yet." }
    if requests < needed {
      let ratio = JudgeWords.times(policy.mustDetectRatio)
      return "\(came)\(JudgeWords.requests(requests)) of the \(needed) that would show a worsening of \(ratio)."
    }
    return """
      \(came)\(JudgeWords.requests(requests)) judged; some were bad, too few to say that the new version is worse.
      """
  }
}
