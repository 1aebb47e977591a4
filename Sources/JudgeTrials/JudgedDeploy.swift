import Kernel
import Rollouts

/// A deploy through the real judge, bin by bin.
package enum JudgedDeploy {
  /// As a service's owner would have it who says nothing, with what recordings tell: requests and instances.
  package static let policy = JudgePolicy(sloP99: .seconds(0.3))
  /// The same with all guards, for a deploy whose instances are looked at too.
  package static let guardedPolicy: JudgePolicy = {
    var guarded = policy
    guarded.guards = GuardPolicy()
    return guarded
  }()
  /// Stretches without a bad request of the new version come as one bin of up to so many slots, which saves most of the
  /// time. Evidence rises only with a bad request, so hardly a verdict changes; but windows of recent time begin up to
  /// 5 s later.
  static let longestStretch = 20

  /// When, and by what.
  package struct Conviction: Equatable, Sendable {
    /// Since the deploy's begin.
    package let atMs: Int
    package let rule: Rule
  }

  /// Milliseconds from the deploy's begin to the conviction; nil when it is never convicted.
  package static func convictedMs(
    _ deploy: Deploy, policy: JudgePolicy = policy, longestStretch: Int = longestStretch
  ) -> Int? {
    conviction(deploy, usage: nil, policy: policy, longestStretch: longestStretch)?.atMs
  }

  /// The whole of a rollout's judge. The router confirms each step's shares at once.
  ///
  /// - Parameter usage: what its instances use, once a second; nil where nobody looks.
  package static func conviction(
    _ deploy: Deploy, usage: DeployUsage?, policy: JudgePolicy = guardedPolicy, longestStretch: Int = longestStretch
  ) -> Conviction? {
    guard let canary = DeploymentID(rawValue: "trial.production.bbbbbbbbbbbb.bbbbbbbb"),
      let control = DeploymentID(rawValue: "trial.production.aaaaaaaaaaaa.aaaaaaaa")
    else { return nil }
    var judge = WatchJudge(policy: policy, baseline: baseline(deploy), canary: canary, control: control)
    var usage = usage
    var meter = DeployUsage.Meter()
    var second = Deploy.Counts()
    var oldSecond = Deploy.Counts()
    var new = Deploy.Counts()
    var old = Deploy.Counts()
    var from = 0
    let slotMs = 1000 / Deploy.slotsASecond
    for slot in deploy.canary.indices {
      if usage != nil, slot % Deploy.slotsASecond == 0 {
        let number = slot / Deploy.slotsASecond
        let at = Instant(milliseconds: Int64(slot * slotMs))
        if number == 0 || Deploy.stepSeconds.contains(number) {
          let percent = Deploy.percents[Deploy.stepSeconds.count { $0 <= number }]
          judge.routed(GuardShares(canary: percent, control: 100 - percent, since: at))
        }
        let looks = usage?.looks(
          at: number, requests: (second.requests, oldSecond.requests), canary: canary, control: control, &meter)
        judge.measured(looks ?? [], limit: DeployUsage.limit, at: at)
        (second, oldSecond) = (Deploy.Counts(), Deploy.Counts())
      }
      new.add(deploy.canary[slot])
      second.add(deploy.canary[slot])
      old.add(deploy.control[slot])
      oldSecond.add(deploy.control[slot])
      let isQuiet = deploy.canary[slot].errors == 0 && deploy.canary[slot].slow == 0
      if isQuiet, slot + 1 - from < longestStretch { continue }
      let bin = EvidenceBin(
        from: Instant(milliseconds: Int64(from * slotMs)), to: Instant(milliseconds: Int64((slot + 1) * slotMs)),
        arms: [
          ArmEvidence(deployment: control, counts: counts(old)), ArmEvidence(deployment: canary, counts: counts(new)),
        ], source: .sound)
      if let conviction = judge.conviction(after: bin) {
        return Conviction(atMs: (slot + 1) * slotMs, rule: conviction.rule)
      }
      new = Deploy.Counts()
      old = Deploy.Counts()
      from = slot + 1
    }
    return nil
  }

  static func counts(_ counts: Deploy.Counts) -> RequestCounts {
    RequestCounts(requests: counts.requests, errors: counts.errors, slow: counts.slow, repeats: counts.repeats)
  }

  static func baseline(_ deploy: Deploy) -> Baseline { Baseline(windows: deploy.history.map(counts)) }
}
