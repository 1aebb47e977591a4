import Kernel

/// What a service's owner allows a new deployment to do, and how sure the judge must be. Ratios, rates and budgets are
/// plain numbers: 2 is twice, 0.05 is 5 %.
package struct JudgePolicy: Codable, Equatable, Sendable {
  /// The least worsening of the error rate that counts against a canary: the article's "2x the pre-deploy baseline".
  package var errorRatio: Double
  /// The article's "P99 exceeding 3x the SLO target".
  package var latencyFactor: Double
  /// The article's "absolute ceiling" of the 5xx rate.
  package var ceiling: Double
  package var sloP99: Span
  /// The chance that a healthy deployment is rolled back, over its whole watch, all rules together.
  package var falseRollbackBudget: Double
  /// *Good* needs so many requests that a worsening by this factor would have been seen.
  package var mustDetectRatio: Double
  /// *Good* needs at least these requests on the canary, whatever the power.
  package var minimumRequests: Int
  /// The usual rate may have drifted by this factor since it was measured: up to it no traffic is evidence. 1 or more.
  package var tolerance: Double {
    get { statedTolerance ?? JudgePolicy.defaultTolerance }
    set { statedTolerance = newValue == JudgePolicy.defaultTolerance ? nil : newValue }
  }
  /// Nil is the default, and is not written: events of before there was one have none.
  private var statedTolerance: Double?
  /// What is watched beside requests; nil for nothing, as in events of before there was any.
  package var guards: GuardPolicy?

  /// The article's "2x the pre-deploy baseline".
  package static let defaultErrorRatio = 2.0
  /// The article's "3x the SLO target".
  package static let defaultLatencyFactor = 3.0
  /// The article names a ceiling without a number. One request in twenty is where a page is seen to be broken.
  package static let defaultCeiling = 0.05
  /// One healthy deployment in two hundred. Strictness is cheap: a tenfold stricter budget costs 2 to 6 s (simulated,
  /// mixture test at 0.01 and 0.001, ten times worse than 0.1 errors/s).
  package static let defaultFalseRollbackBudget = 0.005
  /// 20x is what 10 requests/s over a usual baseline can show within half a minute (`DetectableEffect`).
  package static let defaultMustDetectRatio = 20.0
  /// Below a hundred requests one slow request is already the 99th percentile.
  package static let defaultMinimumRequests = 100

  /// A test against exactly the earlier rate takes back 36 % of healthy deploys when the rate has drifted by 1.2x
  /// (issue "Rollouts that judge well"). 1.3x covers the drift that is to be survived there.
  package static let defaultTolerance = 1.3
  package static let tolerances = 1.0...10

  /// Budgets and ceilings beyond these are read as the nearest of them: no certainty is asked for that no traffic can
  /// give, and no canary is convicted by nothing.
  package static let budgets = 1e-12...0.1
  package static let ceilings = 0.001...0.9

  package init(
    sloP99: Span, errorRatio: Double = defaultErrorRatio, latencyFactor: Double = defaultLatencyFactor,
    ceiling: Double = defaultCeiling, falseRollbackBudget: Double = defaultFalseRollbackBudget,
    mustDetectRatio: Double = defaultMustDetectRatio, minimumRequests: Int = defaultMinimumRequests
  ) {
    self.errorRatio = errorRatio
    self.latencyFactor = latencyFactor
    self.ceiling = ceiling
    self.sloP99 = sloP99
    self.falseRollbackBudget = falseRollbackBudget
    self.mustDetectRatio = mustDetectRatio
    self.minimumRequests = minimumRequests
    statedTolerance = nil
    guards = nil
  }

  private enum CodingKeys: String, CodingKey {
    case errorRatio, latencyFactor, ceiling, sloP99, falseRollbackBudget, mustDetectRatio, minimumRequests
    case statedTolerance = "tolerance"
    case guards
  }

  /// `falseRollbackBudget` as it is read.
  var budget: Double {
    min(max(falseRollbackBudget, JudgePolicy.budgets.lowerBound), JudgePolicy.budgets.upperBound)
  }

  /// Above this a request counts as slow: `sloP99` times `latencyFactor`.
  package var slowerThan: Span { .seconds(sloP99.seconds * latencyFactor) }
}
