import MergeQueues

/// The rules that Model 1 compares (research/merge-queue.md §2.8).
package enum Model1Policy: String, CaseIterable, Sendable {
  case oracle
  case singleQueue = "single-queue"
  /// Zuul's pipeline without its window: as many builds as there are changes.
  case optimistic
  /// With the window: 20 at first, one more with each landing, half with each failure.
  case zuul
  case speculateAll = "speculate-all"
  case bestFirst = "best-first"
  /// Best-first that makes, beside each change's likeliest build, only those needed with one in ten or more.
  case bestFirstThreshold = "best-first-threshold"
  case ours = "plimsoll"
  /// Ours by the planner of production: passes others by only between two builds, with all ahead and with none.
  case planner = "plimsoll-between"

  package static let rivals = allCases.filter { $0 != .ours && $0 != .planner }

  package func run(on farm: CIFarm) -> TrialOutcome {
    let count = farm.trace.changes.count
    let prior = 1 - Model1.ownFailure
    switch self {
    case .oracle: return PolicyRun.run(OraclePolicy(changes: count), on: farm)
    case .singleQueue: return PolicyRun.run(SingleQueuePolicy(changes: count), on: farm)
    case .optimistic: return PolicyRun.run(OptimisticPolicy(changes: count, window: nil), on: farm)
    case .zuul: return PolicyRun.run(OptimisticPolicy(changes: count, window: .additive), on: farm)
    case .speculateAll:
      return PolicyRun.run(BestFirstPolicy(changes: count, prior: 0.5, threshold: 0), on: farm)
    case .bestFirst: return PolicyRun.run(BestFirstPolicy(changes: count, prior: prior, threshold: 0), on: farm)
    case .bestFirstThreshold:
      return PolicyRun.run(BestFirstPolicy(changes: count, prior: prior, threshold: 0.1), on: farm)
    case .ours: return PolicyRun.run(CoveringPolicy(changes: count, expected: .model1()), on: farm)
    case .planner: return PolicyRun.run(PlimsollPolicy.tuned(for: farm), on: farm)
    }
  }
}

extension Model1Policy {
  /// How ours is run in Model 1 and in replays with lanes: one change a build, which tests what its tip affects.
  package static let rules = SchedulingRules(
    mode: .speculate, batchLimit: 1, threshold: 0.2, bypassDepth: 3, isOptimistic: false, ejectionConfidence: 0.98,
    proof: .tip, agreement: .extremes, bypassSeconds: 200, bypassReserve: 0)

  /// One policy on one cell, summed over its seeds.
  package struct Score: Equatable, Sendable {
    package let policy: Model1Policy
    package private(set) var changes = 0
    package private(set) var builds = 0
    package private(set) var stopped = 0
    package private(set) var falseEjections = 0
    package private(set) var brokenLandings = 0
    /// Changes that never left.
    package private(set) var stuck = 0
    /// Of each seed, seconds.
    package private(set) var medians: [Double] = []
    package private(set) var highs: [Double] = []

    package init(_ policy: Model1Policy) { self.policy = policy }

    package mutating func add(_ outcome: TrialOutcome) {
      changes += outcome.changes
      builds += outcome.builds
      stopped += outcome.stopped
      falseEjections += outcome.falseEjections
      brokenLandings += outcome.brokenLandings
      stuck += outcome.changes - outcome.landed - outcome.ejected
      let waits = Waits(outcome.waits)
      medians.append(waits.at(0.5))
      highs.append(waits.at(0.95))
    }

    package mutating func add(_ other: Score) {
      changes += other.changes
      builds += other.builds
      stopped += other.stopped
      falseEjections += other.falseEjections
      brokenLandings += other.brokenLandings
      stuck += other.stuck
      medians += other.medians
      highs += other.highs
    }

    package var buildsPerChange: Double { Double(builds) / Double(max(changes, 1)) }
    package var stoppedShare: Double { Double(stopped) / Double(max(builds, 1)) }
    /// Means over the seeds, seconds.
    package var p50: Double { medians.reduce(0, +) / Double(max(medians.count, 1)) }
    package var p95: Double { highs.reduce(0, +) / Double(max(highs.count, 1)) }
  }

  /// The same seeds give the same score on every machine; parts of them can be run apart and added.
  package func score(_ cell: Model1.Cell, changes: Int, seeds: Range<UInt64>) -> Score {
    score(cell, changes: changes, seeds: seeds) { run(on: $0) }
  }

  /// Ours at another price of a build than the one it was frozen at (`CoveringPolicy.Expected.threshold`).
  package static func score(
    price: Double, _ cell: Model1.Cell, changes: Int, seeds: Range<UInt64>
  ) -> Score {
    ours.score(cell, changes: changes, seeds: seeds) { farm in
      PolicyRun.run(CoveringPolicy(changes: changes, expected: .model1(threshold: price)), on: farm)
    }
  }

  private func score(
    _ cell: Model1.Cell, changes: Int, seeds: Range<UInt64>, _ run: (CIFarm) -> TrialOutcome
  ) -> Score {
    var score = Score(self)
    for seed in seeds {
      score.add(run(CIFarm(trace: Model1.trace(cell, changes: changes, seed: seed), slots: cell.workers)))
    }
    return score
  }

  /// Over which the frontier of waits against builds is drawn.
  package static let prices = [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8]
}

extension CoveringPolicy.Expected {
  /// Chosen among .2, .3 and .4 on one seed of the densest cells: the least that keeps the mean of builds under
  /// the 1.6 over 2,000 changes a cell.
  package static let frozenThreshold = 0.4

  package static func model1(threshold: Double = frozenThreshold) -> CoveringPolicy.Expected {
    CoveringPolicy.Expected(failure: Model1.ownFailure, conflict: Model1.conflictRate, threshold: threshold)
  }
}

extension PlimsollPolicy {
  /// Ours, with the failure rate of Model 1 and CI times predicted as well as published ones are.
  static func tuned(for farm: CIFarm) -> PlimsollPolicy {
    PlimsollPolicy(
      changes: farm.trace.changes.count, slots: farm.slots, rules: Model1Policy.rules,
      rates: FailureRates(
        change: Model1.ownFailure, flake: farm.trace.flakeRate, conflict: farm.trace.conflictRate),
      passProbability: 1 - Model1.ownFailure, durations: .predicted)
  }
}
