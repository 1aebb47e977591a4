import RealModule
import Statistics

/// What arrives at a queue, and the truth about it: the same for every policy.
package struct Trace: Sendable {
  package struct Change: Equatable, Sendable {
    /// Since the trace began.
    package let arrivalSeconds: Double
    /// Of a build with it at the tip.
    package let durationSeconds: Double
    /// Fails by itself.
    package let isBad: Bool
    /// Runs with it at the tip that go red without cause, the first ones; beside those of `flakeRate`.
    package let flakes: Int
    /// What it touches, rising; only `Overlap.lanes` reads it.
    package let lanes: [Int]

    package init(
      arrivalSeconds: Double, durationSeconds: Double, isBad: Bool, flakes: Int = 0, lanes: [Int] = []
    ) {
      self.arrivalSeconds = arrivalSeconds
      self.durationSeconds = durationSeconds
      self.isBad = isBad
      self.flakes = flakes
      self.lanes = lanes
    }
  }

  /// Which changes can affect each other.
  package enum Overlap: Equatable, Sendable {
    case everything
    /// Each pair with this probability.
    case byChance(Double)
    /// Those that share a lane.
    case lanes
  }

  /// In order of arrival.
  package let changes: [Change]
  package let overlap: Overlap
  /// Share of overlapping pairs that fail together though each passes alone, 0 to 1.
  package let conflictRate: Double
  /// Share of runs that go red without cause, 0 to 1.
  package let flakeRate: Double
  package let seed: UInt64

  package init(changes: [Change], overlap: Overlap, conflictRate: Double, flakeRate: Double, seed: UInt64) {
    self.changes = changes
    self.overlap = overlap
    self.conflictRate = conflictRate
    self.flakeRate = flakeRate
    self.seed = seed
  }

  package func mayConflict(_ one: Int, _ other: Int) -> Bool {
    switch overlap {
    case .everything: true
    case .byChance(let share): chance(of: min(one, other), max(one, other), Salt.overlap) < share
    case .lanes: share(changes[one].lanes, changes[other].lanes)
    }
  }

  /// Only of pairs that may.
  package func doConflict(_ one: Int, _ other: Int) -> Bool {
    conflictRate > 0 && chance(of: min(one, other), max(one, other), Salt.conflict) < conflictRate
      && mayConflict(one, other)
  }

  /// Of the run number `run` (from 0) with this change at the tip.
  package func isFlake(tip: Int, run: Int) -> Bool {
    run < changes[tip].flakes || (flakeRate > 0 && chance(of: tip, run, Salt.flake) < flakeRate)
  }

  private enum Salt {
    static let overlap: UInt64 = 0x6a09_e667
    static let conflict: UInt64 = 0xbb67_ae85
    static let flake: UInt64 = 0x3c6e_f372
  }

  /// 0 to 1, a function of the seed and the numbers alone, so that no policy's questions shift another's chance.
  private func chance(of one: Int, _ other: Int, _ salt: UInt64) -> Double {
    var chance = Chance(seed: seed &+ salt &+ (UInt64(one) &* 0x1_0000_0001) ^ (UInt64(other) << 20))
    return chance.uniform()
  }

  private func share(_ one: [Int], _ other: [Int]) -> Bool {
    var left = 0
    var right = 0
    while left < one.count, right < other.count {
      if one[left] == other[right] { return true }
      if one[left] < other[right] { left += 1 } else { right += 1 }
    }
    return false
  }
}
