// What `/v1` says of a rollout's plan, and of what holds it.

/// One step of a rollout's plan.
public struct StepView: Codable, Equatable, Sendable {
  /// The new version's share, 0 to 100; 0 where only preview requests reach it.
  public var percent: Int
  /// Instances of the new version; nil for all that the service has.
  public var instances: Int?
  /// The least time at this step.
  public var minimumMs: Int64
  /// The worsening that must have been seen before the step passes; nil for the policy's `must-detect`.
  public var detect: Double?
  /// A person must approve before the rollout goes on from this step.
  public var approval: Bool
  /// `10 % on 1 instance for at least 5 min, then a person is asked`
  public var words: String
  public init(percent: Int, instances: Int?, minimumMs: Int64, detect: Double?, approval: Bool, words: String) {
    self.percent = percent
    self.instances = instances
    self.minimumMs = minimumMs
    self.detect = detect
    self.approval = approval
    self.words = words
  }
}

/// A person is asked whether the rollout may go on.
public struct GateView: Codable, Equatable, Sendable {
  public var rollout: Int
  /// Index into `RolloutView.plan`, for `ApproveRequest.step`.
  public var step: Int
  /// `approval`: the step says so; `evidence`: there was too little for too long.
  public var kind: String
  /// What is asked, and why.
  public var sentence: String
  public var sinceMs: Int64
  public init(rollout: Int, step: Int, kind: String, sentence: String, sinceMs: Int64) {
    self.rollout = rollout
    self.step = step
    self.kind = kind
    self.sentence = sentence
    self.sinceMs = sinceMs
  }
}

/// Nothing new begins or goes on; rollbacks do.
public struct FreezeView: Codable, Equatable, Sendable {
  public var reason: String
  public var actor: String
  /// Nil until somebody thaws it.
  public var untilMs: Int64?
  public var sinceMs: Int64
  public init(reason: String, actor: String, untilMs: Int64?, sinceMs: Int64) {
    self.reason = reason
    self.actor = actor
    self.untilMs = untilMs
    self.sinceMs = sinceMs
  }
}

/// No rollback goes to a version older than this one.
public struct FloorView: Codable, Equatable, Sendable {
  public var digest: String
  public var reason: String
  public var actor: String
  public init(digest: String, reason: String, actor: String) {
    self.digest = digest
    self.reason = reason
    self.actor = actor
  }
}

/// How long real requests took to get there and back.
public struct DrillView: Codable, Equatable, Sendable {
  public var rollout: Int
  /// The share that was moved, 1 to 100.
  public var percent: Int
  /// From wanted to confirmed by the router.
  public var thereMs: Int64
  public var heldMs: Int64
  public var backMs: Int64
  /// What was answered there; nil when it could not be counted.
  public var counts: CountsView?
  public var atMs: Int64
  public var sentence: String
  public init(
    rollout: Int, percent: Int, thereMs: Int64, heldMs: Int64, backMs: Int64, counts: CountsView?, atMs: Int64,
    sentence: String
  ) {
    self.rollout = rollout
    self.percent = percent
    self.thereMs = thereMs
    self.heldMs = heldMs
    self.backMs = backMs
    self.counts = counts
    self.atMs = atMs
    self.sentence = sentence
  }
}

/// An objective's error budget in one place.
public struct BudgetView: Codable, Equatable, Sendable {
  public var objective: String
  public var title: String
  /// Above 0 and below 1.
  public var target: Double
  public var windowMs: Int64
  /// `open`; `spent` and `burning` freeze the place until it has recovered.
  public var gate: String
  /// Since it is so; nil before anything was known.
  public var sinceMs: Int64?
  /// The share of the budget that was left when it was last known: 1 untouched, 0 spent, below 0 overspent.
  public var left: Double?
  /// What the last evidence said; nil before there was any.
  public var sentence: String?
  /// Nil unless nothing can be said of it now.
  public var inconclusive: InconclusiveView?
  /// Who let new versions through although it is closed.
  public var passedBy: String?
  public init(
    objective: String, title: String, target: Double, windowMs: Int64, gate: String, sinceMs: Int64?, left: Double?,
    sentence: String?, inconclusive: InconclusiveView?, passedBy: String?
  ) {
    self.objective = objective
    self.title = title
    self.target = target
    self.windowMs = windowMs
    self.gate = gate
    self.sinceMs = sinceMs
    self.left = left
    self.sentence = sentence
    self.inconclusive = inconclusive
    self.passedBy = passedBy
  }
}

/// The judge cannot say: what is missing, from where, since when.
public struct InconclusiveView: Codable, Equatable, Sendable {
  /// `notEnoughEvidence` or `sourceBroken`.
  public var verdict: String
  public var missing: String
  /// Where it should come from; nil when `missing` says it.
  public var source: String?
  /// Since this kind of verdict.
  public var sinceMs: Int64
  public init(verdict: String, missing: String, source: String?, sinceMs: Int64) {
    self.verdict = verdict
    self.missing = missing
    self.source = source
    self.sinceMs = sinceMs
  }
}
