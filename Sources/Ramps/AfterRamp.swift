import Kernel
import RealModule
import Statistics

/// The watch at 100 %, where nobody is left to compare with: against the control's rate of the last minutes before.
///
/// The weaker comparison, as that of a rollout without an old version: a daily wave, or an incident that begins now, is
/// blamed on the variant, so up to `tolerance` times the usual is no evidence, fluctuation of the control is counted
/// with, and it ends with the stage's least time. Its share of the evidence is the weight of the stage's begin.
/// Conversions are not judged here: what comes of units changes with the hour more than variants change it.
struct AfterRamp: Codable, Equatable, Sendable {
  /// As `JudgePolicy.defaultTolerance` of rollouts: the drift of rates within minutes that is to be survived.
  static let tolerance = 1.3
  /// Windows of a fluctuating rate, as wide as those that the fluctuation was learnt from.
  private static let windowSeconds = Crowding.windowSeconds

  private let earlierEvents: Double
  private let earlierTrials: Double
  private let spread: Double
  private let limit: Double
  private let weight: Double
  private var course = RegressionTest.Course()
  private(set) var events = 0
  private(set) var trials = 0
  private var window: Int64?

  /// Nil when nothing is known of before.
  init?(_ control: ControlRate, spread: Double, limit: Double, weight: Double) {
    guard control.trials >= 1 else { return nil }
    earlierEvents = control.events
    earlierTrials = control.trials
    self.spread = spread
    self.limit = limit
    self.weight = weight
  }

  private var test: RegressionTest {
    RegressionTest(
      earlierEvents: earlierEvents, earlierTrials: earlierTrials, tolerance: max(limit, AfterRamp.tolerance),
      spread: spread, alternatives: Alternatives(from: max(limit, AfterRamp.tolerance) * Alternatives.smallestRatio))
  }

  /// Its part of the guardrail's e-value.
  var value: Double {
    guard events > 0 else { return 0 }
    return weight * Double.exp(test.logEvidence(after: course, events: events, trials: trials))
  }

  /// In times of the usual; nil before anything came.
  var ratio: Double? {
    guard trials > 0, earlierEvents > 0 else { return nil }
    return Double(events) / Double(trials) / (earlierEvents / earlierTrials)
  }

  mutating func absorb(events: Int, trials: Int, second: Int64) {
    let now = second / AfterRamp.windowSeconds
    if let window, now > window, spread > 0 {
      test.close(&course, events: self.events, trials: self.trials)
    }
    window = max(window ?? now, now)
    self.events += events
    self.trials += trials
  }
}
