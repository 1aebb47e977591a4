import Kernel

/// A number of each cohort: who is given the new variant, and who is not and is looked at beside them.
package struct Cohorts: Codable, Equatable, Sendable {
  package var treatment: Int
  package var control: Int
  package init(treatment: Int, control: Int) {
    self.treatment = treatment
    self.control = control
  }
  package static let zero = Cohorts(treatment: 0, control: 0)
  package var all: Int { treatment + control }
  package static func + (left: Cohorts, right: Cohorts) -> Cohorts {
    Cohorts(treatment: left.treatment + right.treatment, control: left.control + right.control)
  }
}

/// One second of one guardrail, of both cohorts: all of it, once, in any order.
///
/// Where an event is counted, its trial is: a request with its answer, a unit with what became of it. Errors of one
/// unit come once where units are known (`UnitMemory`). A conversion's second is that in which its unit was exposed,
/// told when the guardrail's window is over for all who were exposed in it.
package struct CohortSecond: Codable, Equatable, Sendable {
  /// Its begin; milliseconds are dropped.
  package let second: Instant
  /// The allocation that gave out the variants: `RampJudge.begin`.
  package let epoch: Int
  /// Requests or units.
  package let trials: Cohorts
  /// Of `trials`.
  package let events: Cohorts
  package init(second: Instant, epoch: Int, trials: Cohorts, events: Cohorts) {
    self.second = second
    self.epoch = epoch
    self.trials = trials
    self.events = events
  }

  /// No count below zero, no more events than trials.
  var isSound: Bool {
    events.treatment >= 0 && events.control >= 0 && events.treatment <= trials.treatment
      && events.control <= trials.control
  }
}

/// Which seconds have been counted already: the newest, and a bit for each of the `reach` before it.
struct SeenSeconds: Codable, Equatable, Sendable {
  /// Seconds since 1970.
  private(set) var newest: Int64?
  private var bits: UInt64 = 0

  /// How many seconds behind the newest a second may come. Older ones are lost, and counted as such.
  static let reach: Int64 = 64
  /// A second that is further ahead of the caller's clock than this is not believed.
  static let ahead: Int64 = 5

  enum Answer: Equatable {
    case new, repeated, late, fromTheFuture
  }

  /// - Parameter now: of the clock that stamps seconds, in seconds since 1970.
  mutating func admit(_ second: Int64, now: Int64) -> Answer {
    guard second <= now + SeenSeconds.ahead else { return .fromTheFuture }
    // The clock was set back: what was counted under times that are yet to come stays counted, and counting goes on.
    // Seconds up to now may have been counted before the clock was set forward, so none of them is counted again.
    if let newest, newest > now + SeenSeconds.ahead {
      self.newest = now
      bits = .max
    }
    guard let newest else {
      newest = second
      bits = 1
      return .new
    }
    if second > newest {
      let shift = second - newest
      bits = shift >= SeenSeconds.reach ? 1 : (bits << UInt64(shift)) | 1
      self.newest = second
      return .new
    }
    let age = newest - second
    guard age < SeenSeconds.reach else { return .late }
    let bit: UInt64 = 1 << UInt64(age)
    guard bits & bit == 0 else { return .repeated }
    bits |= bit
    return .new
  }
}

extension Instant {
  /// Whole seconds since 1970, rounded down.
  var wholeSeconds: Int64 {
    let quotient = milliseconds / 1000
    return milliseconds % 1000 < 0 ? quotient - 1 : quotient
  }
}
