import Kernel

/// One running rollout: what started it, the policy that it keeps, and what is known so far.
package struct Course: Codable, Equatable, Sendable {
  package let start: Rollout.RolloutStart
  /// As it was at the start: a change applies to the next rollout.
  package let policy: Rollout.Policy
  /// The limit of the start, or of the instances that a later step asks for.
  package var readyBy: Instant
  /// How often that limit was given anew.
  package var extensions: Int
  /// Nil until measured.
  package var baseline: Baseline?
  /// Nil until placed.
  package var endpoints: Int?
  /// The latest step whose instances were all ready.
  package var readyStep: Int
  /// When the first share was wanted for the canary; nil while no request but a preview's can have reached it.
  package var exposedSince: Instant?
  package var note: EvidenceNote?
  /// Instances that ended at this step; before the first, since the start.
  package var crashes: CrashCount
  /// Of the old version, when it was new; nil where that is not known.
  package let oldEndpoints: Int?
  /// Whether requests are moved there and back before the first step.
  package var isDrillWanted: Bool

  package init(start: Rollout.RolloutStart, policy: Rollout.Policy, oldEndpoints: Int? = nil) {
    self.start = start
    self.policy = policy
    self.oldEndpoints = oldEndpoints
    readyBy = start.at + policy.startLimit
    extensions = 0
    baseline = nil
    endpoints = nil
    readyStep = 0
    exposedSince = nil
    note = nil
    crashes = CrashCount()
    switch start.kind {
    case .forward: isDrillWanted = policy.drill && start.knownGood != nil
    case .rollback: isDrillWanted = false
    case .drill: isDrillWanted = true
    }
  }

  package var id: RolloutID { start.id }
  package var canary: Deployment { start.deployment }
  /// A rollback goes to a version that was judged when it was new; a drill only visits it.
  package var isJudged: Bool { policy.judged && start.kind == .forward }
  /// So many ends at one step condemn the canary even when its instances ran stably between them: once for each
  /// instance, and `crashLimit` of one. Nil until all are ready: starting, only ends in a row count.
  package var endsLimit: Int? { endpoints.map { max($0, 1) + policy.crashLimit - 1 } }
  package var instances: CrashCount.Instances { CrashCount.Instances(new: endpoints, old: oldEndpoints) }
  package var needsBaseline: Bool { isJudged && start.knownGood != nil && baseline == nil }

  // MARK: The plan

  package func step(at index: Int) -> Rollout.Step? {
    start.steps.indices.contains(index) ? start.steps[index] : nil
  }
  package var lastIndex: Int { start.steps.count - 1 }
  /// The canary's share at a step, 0 to 100; 0 outside of the steps. The holdback is kept at every step.
  package func percent(at index: Int) -> Int { min(step(at: index)?.percent ?? 0, 100 - holdback) }
  /// Instances of the canary at a step; nil for all.
  package func limit(at index: Int) -> Int? { step(at: index)?.instances }
  /// The least time at a step, from the router's confirmation.
  package func minimum(at index: Int) -> Span {
    index == lastIndex ? policy.finalWatch : step(at: index)?.minimum ?? policy.stepMinimum
  }
  /// Without requests of its own at this step there is nothing to judge: it passes by time.
  package func isJudged(at index: Int) -> Bool { isJudged && percent(at: index) > 0 }
  /// What the old version keeps through the bake, in percent: where it is compared with, and only there.
  package var holdback: Int {
    isJudged && start.knownGood != nil && policy.strategy == .canary ? policy.holdback : 0
  }
  /// 1 to 99.
  package var drillPercent: Int { Rollout.drillShare(of: start.steps) }
  /// Requests that reach the canary whatever its share; nil where there is nothing else that they could reach.
  package var preview: PreviewRoute? {
    guard start.kind == .forward, start.knownGood != nil else { return nil }
    return policy.preview.map { PreviewRoute($0, to: canary.id) }
  }

  // MARK: What it is compared with

  package func comparison(at index: Int) -> Rollout.Comparison {
    guard start.knownGood != nil else { return .none }
    return (1..<100).contains(percent(at: index)) ? .beside : .before
  }
  /// The best that any step of the plan has.
  package var comparison: Rollout.Comparison {
    let all = start.steps.indices.map { comparison(at: $0) }
    return all.contains(.beside) ? .beside : all.last ?? .none
  }
}

/// The last verdict noted, and the integers that resume its test.
package struct EvidenceNote: Codable, Equatable, Sendable {
  package let verdict: Verdict
  package let checkpoint: JudgeCheckpoint
  package let at: Instant
  package init(verdict: Verdict, checkpoint: JudgeCheckpoint, at: Instant) {
    self.verdict = verdict
    self.checkpoint = checkpoint
    self.at = at
  }
}

/// Shares that the router confirmed.
package struct RoutedShares: Codable, Equatable, Sendable {
  /// Sorted by deployment.
  package let shares: [TrafficShare]
  package let at: Instant
  package init(shares: [TrafficShare], at: Instant) {
    self.shares = shares
    self.at = at
  }
}
