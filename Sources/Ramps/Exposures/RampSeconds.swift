import Kernel

/// What a ramp's judge is told at once: some seconds of some guardrails, each second of each guardrail once.
package struct RampSeconds: Equatable, Sendable {
  package struct Told: Equatable, Sendable {
    /// Of the guardrail in the policy.
    package let guardrail: Int
    package let counts: CohortSecond
    package init(guardrail: Int, counts: CohortSecond) {
      self.guardrail = guardrail
      self.counts = counts
    }
  }
  /// Units that got a variant for the first time in an epoch.
  package struct Units: Equatable, Sendable {
    package let second: Instant
    package let epoch: Int
    package let units: Cohorts
    package init(second: Instant, epoch: Int, units: Cohorts) {
      self.second = second
      self.epoch = epoch
      self.units = units
    }
  }
  /// Oldest first.
  package var units: [Units] = []
  /// Oldest first within a guardrail.
  package var told: [Told] = []
  package init() {}
  package var isEmpty: Bool { units.isEmpty && told.isEmpty }
}

extension RampJudge {
  /// - Parameter now: of the clock that stamps seconds.
  package mutating func absorb(_ seconds: RampSeconds, now: Instant) {
    // The sample first: what is shown of a wrong one is no evidence.
    for units in seconds.units { absorb(units: units.units, epoch: units.epoch, second: units.second, now: now) }
    for told in seconds.told { absorb(told.counts, for: told.guardrail, now: now) }
  }
}
