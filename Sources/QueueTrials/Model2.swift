import RealModule
import Statistics

/// Model 2 of the research (merge-queue.md §2.8): one branch, a number of CI slots, more changes than can be tested.
///
/// Runs of 20 minutes, lognormal with deviation .15; each change is bad with `failure`, each run goes red for nothing
/// with `flake`; no two changes conflict; Poisson arrivals, 60 an hour.
package enum Model2 {
  package struct Cell: Hashable, Sendable {
    /// Share of changes that are bad, 0 to 1.
    package let failure: Double
    /// Share of runs that go red for nothing, 0 to 1.
    package let flake: Double
    package let slots: Int
    /// Changes an hour.
    package let arrivals: Int
    package init(failure: Double, flake: Double, slots: Int, arrivals: Int = Model2.arrivals) {
      self.failure = failure
      self.flake = flake
      self.slots = slots
      self.arrivals = arrivals
    }
    /// As printed: "5 slots, p .05, f .02".
    package var name: String { "\(slots) slots, p \(failure), f \(flake)" }
  }

  /// Saturates all policies of the research on 5 and 10 slots.
  package static let arrivals = 60
  package static let medianSeconds = 20.0 * 60
  package static let logDeviation = 0.15

  /// Issue "A merge queue that beats the best".
  package static let cells = [5, 10, 50].flatMap { slots in
    [0.02, 0.05, 0.1, 0.15, 0.2].flatMap { failure in
      [0, 0.01, 0.02, 0.05].map { Cell(failure: failure, flake: $0, slots: slots) }
    }
  }

  package static func trace(_ cell: Cell, changes: Int, seed: UInt64) -> Trace {
    var chance = Chance(seed: seed &* 0x2545_f491_4f6c_dd1d)
    var now = 0.0
    let made = (0..<changes).map { _ in
      now += chance.exponential() * 3600 / Double(cell.arrivals)
      return Trace.Change(
        arrivalSeconds: now, durationSeconds: medianSeconds * Double.exp(logDeviation * chance.normal()),
        isBad: chance.uniform() < cell.failure)
    }
    return Trace(
      changes: made, overlap: .everything, conflictRate: 0, flakeRate: cell.flake, seed: chance.next())
  }

  /// One policy on one cell, summed over its seeds.
  package struct Score: Equatable, Sendable {
    package private(set) var resolved = 0
    package private(set) var landed = 0
    package private(set) var falseEjections = 0
    package private(set) var brokenLandings = 0
    package private(set) var builds = 0
    package private(set) var seconds = 0.0
    package private(set) var waits: [Double] = []
    /// Changes that never left: a policy that gets stuck.
    package private(set) var stuck = 0

    package init() {}

    package mutating func add(_ outcome: TrialOutcome) {
      resolved += outcome.landed + outcome.ejected
      landed += outcome.landed
      falseEjections += outcome.falseEjections
      brokenLandings += outcome.brokenLandings
      builds += outcome.builds
      seconds += outcome.lastLeftSeconds
      waits += outcome.waits
      stuck += outcome.changes - outcome.landed - outcome.ejected
    }

    /// Landed and ejected an hour, from the first arrival until the last has left.
    package var resolvedPerHour: Double { seconds > 0 ? Double(resolved) * 3600 / seconds : 0 }
    package var buildsPerLanded: Double { Double(builds) / Double(max(landed, 1)) }
    /// Of all changes, 0 to 1.
    package var falseEjectionShare: Double { Double(falseEjections) / Double(max(resolved, 1)) }
  }

  package static func run(_ rival: Model2Policy, _ cell: Cell, changes: Int, seeds: Range<UInt64>) -> Score {
    var score = Score()
    for seed in seeds {
      let farm = CIFarm(
        trace: trace(cell, changes: changes, seed: seed), slots: cell.slots, proof: .tree, measured: 0...1)
      score.add(rival.run(on: farm))
    }
    return score
  }
}
