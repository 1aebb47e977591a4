import RealModule
import Ramps

/// Who looks at a ramp's error rate every second.
package enum RampContender: String, CaseIterable, Codable, Sendable {
  case plimsoll
  /// Two shares compared by a z-test at 1 %, at every look anew: what a dashboard invites to.
  case zTest
  /// The asymptotic confidence sequence of GrowthBook's guardrails, at its 5 %.
  case asymptotic
}

/// Two shares, compared at every look as if it were the only one.
struct ZTest {
  private var trials = Cohorts.zero
  private var events = Cohorts.zero
  /// One-sided, 1 %.
  private static let limit = 2.326
  /// The usual rule for when a normal distribution may be taken.
  private static let leastEvents = 5

  mutating func stops(after second: CohortSecond) -> Bool {
    trials = trials + second.trials
    events = events + second.events
    guard events.all >= ZTest.leastEvents, trials.treatment > 0, trials.control > 0 else { return false }
    let rate = Double(events.all) / Double(trials.all)
    let error = (rate * (1 - rate) * (1 / Double(trials.treatment) + 1 / Double(trials.control))).squareRoot()
    let difference =
      Double(events.treatment) / Double(trials.treatment) - Double(events.control) / Double(trials.control)
    return error > 0 && difference / error > ZTest.limit
  }
}

/// The one-sided asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (Annals of
/// Statistics 52, 2024, theorem on one-sided sequences) with GrowthBook's settings: tuned for 5,000 units, 5 %.
struct AsymptoticSequence {
  private var trials = Cohorts.zero
  private var events = Cohorts.zero
  private static let alpha = 0.05
  private static let tuned = 5000.0
  private static let rhoSquare: Double = {
    let log = -2 * Double.log(2 * alpha)
    return (log + Double.log(log + 1)) / tuned
  }()

  mutating func stops(after second: CohortSecond) -> Bool {
    trials = trials + second.trials
    events = events + second.events
    guard trials.treatment > 0, trials.control > 0, events.treatment > 0, events.control > 0 else { return false }
    let (first, other) = (Double(trials.treatment), Double(trials.control))
    let p = Double(events.treatment) / first
    let q = Double(events.control) / other
    let n = first + other
    let variance = n * (p * (1 - p) / first + q * (1 - q) / other)
    let rho = n * Self.rhoSquare + 1
    let half = (variance * 2 * rho / (n * n * Self.rhoSquare) * Double.log(1 + rho.squareRoot() / (2 * Self.alpha)))
      .squareRoot()
    return p - q > half
  }
}
