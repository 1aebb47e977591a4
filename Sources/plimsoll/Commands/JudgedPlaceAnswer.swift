import Kernel
import PlimsollFile
import Rollouts

/// A judged place as JSON: `plimsoll check --json`.
struct JudgedPlaceAnswer: Encodable {
  let service: String
  let environment: String
  let strategy: String
  /// Healthy deploys that may be rolled back, 0 to 1.
  let needless: Double
  let ceiling: Double
  /// Requests/s; nil when the file does not say.
  let traffic: Double?
  let baseline: Double
  /// Whole sentences: how it is rolled out, what is promised, what is planned with.
  let sentences: [String]
  let steps: [StepAnswer]

  init(_ place: PlimsollFile.JudgedPlace) {
    service = place.service.rawValue
    environment = place.environment.rawValue
    strategy = place.policy.strategy.rawValue
    needless = place.budget.share
    ceiling = place.ceiling.share
    traffic = place.expectation.traffic
    baseline = place.expectation.baseline
    sentences = place.sentences
    steps = place.sight.steps.map(StepAnswer.init)
  }
}

/// What one configured step shows, as JSON.
struct StepAnswer: Encodable {
  let percent: Int
  /// The configured least time, and the one after which a step that has shown nothing is called blind.
  let leastMs: Int64
  let longestMs: Int64
  /// The worsening that it must show; nil at 0 %.
  let detect: Double?
  /// At the expected traffic, on the new version; nil without one.
  let requestsPerSecond: Double?
  let waitMs: Int64?
  let smallestRatio: Double?
  let blind: Bool?
  /// Of old and new version together, when no traffic is expected.
  let blindBelow: Double?
  let promptFrom: Double?
  let sentence: String

  init(_ step: RampSight.Step) {
    percent = step.percent
    leastMs = step.least.milliseconds
    longestMs = step.longest.milliseconds
    sentence = step.sentence
    let (outlook, limits): (RampSight.Outlook?, RampSight.Limits?) =
      switch step.view {
      case .unjudged: (nil, nil)
      case .expected(let outlook): (outlook, nil)
      case .unknown(let limits): (nil, limits)
      }
    detect = outlook?.wantedRatio ?? limits?.wantedRatio
    requestsPerSecond = outlook?.requestsPerSecond
    waitMs = outlook?.wait?.milliseconds
    smallestRatio = outlook?.smallest
    blind = outlook.map { _ in step.isBlind }
    blindBelow = limits?.blindBelow
    promptFrom = limits?.promptFrom
  }
}
