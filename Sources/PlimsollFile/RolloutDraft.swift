import Kernel
import Rollouts
import Yams

/// What of a rollout's policy the file says; nil means the default, which depends on the place in the order.
struct RolloutDraft {
  var plan: PlanDraft?
  var stepMinimum: Span?
  var finalWatch: Span?
  var holdback: Placed<Int>?
  var preview: Placed<PreviewMatch>?
  var drill: Bool?
  var judged: Bool?
  var scarcity: Rollout.WhenScarce?
  var startLimit: Span?
  var crashLimit: Int?
  var keep: Int?
  var errorRatio: Double?
  var latencyFactor: Double?
  var ceiling: Double?
  var budget: PlimsollFile.Budget.Origin?
  var mustDetect: Double?
  var expectation = ExpectationDraft()
  /// Where what was usual is looked up, instead of the source that judges.
  var history: Placed<PlimsollFile.BaselineHistory>?
  var guards: [Rule]?
  var watch: Placed<[WatchCheck]>?

  static let keys = [
    "strategy", "steps", "step-minimum", "final-watch", "holdback", "preview", "drill", "judged", "when-scarce",
    "start-limit", "crash-limit", "keep", "rollback", "traffic", "baseline",
    "guards", "watch",
  ]
  static let thresholdKeys = ["error-ratio", "latency-factor", "ceiling", "needless", "costs", "must-detect"]
  static let costKeys = ["needless", "bad", "bad-deploys"]

  /// What `self` leaves open is taken from `other`.
  func over(_ other: RolloutDraft) -> RolloutDraft {
    var result = self
    result.plan = plan ?? other.plan
    result.stepMinimum = stepMinimum ?? other.stepMinimum
    result.finalWatch = finalWatch ?? other.finalWatch
    result.holdback = holdback ?? other.holdback
    result.preview = preview ?? other.preview
    result.drill = drill ?? other.drill
    result.judged = judged ?? other.judged
    result.scarcity = scarcity ?? other.scarcity
    result.startLimit = startLimit ?? other.startLimit
    result.crashLimit = crashLimit ?? other.crashLimit
    result.keep = keep ?? other.keep
    result.errorRatio = errorRatio ?? other.errorRatio
    result.latencyFactor = latencyFactor ?? other.latencyFactor
    result.ceiling = ceiling ?? other.ceiling
    result.budget = budget ?? other.budget
    result.mustDetect = mustDetect ?? other.mustDetect
    result.expectation.traffic = expectation.traffic ?? other.expectation.traffic
    result.expectation.baseline = expectation.baseline ?? other.expectation.baseline
    result.history = history ?? other.history
    result.guards = guards ?? other.guards
    result.watch = watch ?? other.watch
    // The nearer place's check of a name replaces the other's.
    if let own = watch, let others = other.watch {
      let names = own.value.map(\.name)
      result.watch = Placed(value: own.value + others.value.filter { !names.contains($0.name) }, node: own.node)
    }
    return result
  }
}

/// A value and where it stands, for contradictions that show only when the whole file is read.
struct Placed<Value> {
  let value: Value
  let node: Node
}

/// How traffic moves. Strategy and steps are one thing: the nearer place that says either says both.
struct PlanDraft {
  let strategy: Rollout.Strategy
  /// Nil: the strategy's own.
  let steps: [Placed<Rollout.Step>]?
  /// Of the steps, or of the strategy.
  let node: Node
}

/// What is expected of the traffic; used for planning only.
struct ExpectationDraft {
  /// Requests/s, above 0.
  var traffic: Double?
  /// The usual share of errors, 0 to 1.
  var baseline: Double?
}
