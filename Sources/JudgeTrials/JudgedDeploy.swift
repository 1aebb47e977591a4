import Kernel
import Rollouts

/// A deploy through the real judge, bin by bin.
package enum JudgedDeploy {
  /// As a service's owner would have it who says nothing.
  package static let policy = JudgePolicy(sloP99: .seconds(0.3))
  /// Stretches without a bad request of the new version come as one bin of up to so many slots, which saves most of the
  /// time. Evidence rises only with a bad request, so hardly a verdict changes; but windows of recent time begin up to
  /// 5 s later.
  static let longestStretch = 20

  /// Milliseconds from the deploy's begin to the conviction; nil when it is never convicted.
  package static func convictedMs(
    _ deploy: Deploy, policy: JudgePolicy = policy, longestStretch: Int = longestStretch
  ) -> Int? {
    guard let canary = DeploymentID(rawValue: "trial.production.bbbbbbbbbbbb.bbbbbbbb"),
      let control = DeploymentID(rawValue: "trial.production.aaaaaaaaaaaa.aaaaaaaa")
    else { return nil }
    var judge = Judge(policy: policy, baseline: baseline(deploy), canary: canary, control: control)
    var new = Deploy.Counts()
    var old = Deploy.Counts()
    var from = 0
    let slotMs = 1000 / Deploy.slotsASecond
    for slot in deploy.canary.indices {
      new.add(deploy.canary[slot])
      old.add(deploy.control[slot])
      let isQuiet = deploy.canary[slot].errors == 0 && deploy.canary[slot].slow == 0
      if isQuiet, slot + 1 - from < longestStretch { continue }
      let bin = EvidenceBin(
        from: Instant(milliseconds: Int64(from * slotMs)), to: Instant(milliseconds: Int64((slot + 1) * slotMs)),
        arms: [
          ArmEvidence(deployment: control, counts: counts(old)), ArmEvidence(deployment: canary, counts: counts(new)),
        ], source: .sound)
      if judge.conviction(after: bin) != nil { return (slot + 1) * slotMs }
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
