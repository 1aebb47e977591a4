import Kernel
import Statistics

/// What a `RampJudge` keeps.
package struct RampRecord: Codable, Equatable, Sendable {
  /// Units given out under one share.
  struct Epoch: Codable, Equatable, Sendable {
    let number: Int
    /// Of the units that get the variant, 0 to 1.
    let share: Double
    /// That of the epoch before, which clients go on with until they have learnt of this one.
    let before: Double
    let began: Instant
    var settled: Instant?
    /// Its sample was not what it should be; what still comes of it is not used.
    var isVoid = false

    /// What the share may have been at a second.
    func planned(at second: Instant) -> ClosedRange<Double> {
      guard let settled, second >= settled else { return min(before, share)...max(before, share) }
      return share...share
    }
  }

  /// Units of the running epoch.
  struct Sample: Codable, Equatable, Sendable {
    var seen = SeenSeconds()
    var units = Cohorts.zero
    /// Stays until the next epoch.
    var isAlarmed = false
  }

  /// Oldest first, at most `RampJudge.keptEpochs`.
  var epochs: [Epoch] = []
  var sample = Sample()
  /// As many as the policy's, in its order.
  var guardrails: [GuardrailRecord] = []
  package internal(set) var conviction: RampConviction?

  package init() {}

  var epoch: Epoch? { epochs.last }
  /// Units of the running stage, where they are known.
  package var units: Cohorts { sample.units }
  /// Seconds that told nothing, one a guardrail.
  package var lost: [LostSeconds] { guardrails.map(\.lost) }
}
