extension RampJudge {
  /// What was seen of each guardrail in the running stage, a sentence each, in the policy's order; empty before a stage
  /// has begun.
  package var seen: [String] {
    guard let epoch = record.epoch else { return [] }
    return zip(policy.guardrails, record.guardrails).map { guardrail, kept in
      guard kept.stage.trials.all > 0 else { return "Nothing has come yet." }
      let words = RampSentences.words(guardrail, kept.stage)
      guard epoch.share < 1 else { return "\(words)." }
      let (lower, upper) = kept.stage.bounds.bounds(confidence: RampJudge.confidence)
      let worst = guardrail.direction == .more ? upper : lower.map { 1 / $0 }
      return "\(words); \(worst.map { "more than \(RampWords.times($0)) is excluded" } ?? "nothing is excluded yet")."
    }
  }
}
