import Kernel
import MergeQueues

/// A line of changes 1 to `count` without lanes, and what is known of it, for tests of planners.
func batchSituation(
  _ count: Int, _ builds: [Situation.KnownBuild] = [], slots: Int = 4, failure: Double = 0.05, flake: Double = 0.02,
  hotfixes: Set<Int> = [], isOptimistic: Bool = true
) -> Situation {
  Situation(
    items: (1...count).map { id in
      Situation.Item(
        id: id, after: Array(1..<id), isHotfix: hotfixes.contains(id), passProbability: 1 - failure,
        medianDuration: 1200, logDeviation: 0.15, submittedAt: Instant(milliseconds: Int64(id)))
    },
    builds: builds, slots: slots, rates: FailureRates(change: failure, flake: flake),
    rules: SchedulingRules(
      mode: .batch, batchLimit: 32, threshold: 0.1, bypassDepth: 0, isOptimistic: isOptimistic,
      ejectionConfidence: 0.99),
    now: Instant(milliseconds: 0))
}

func passed(_ members: Int..., isOnTrunk: Bool = true) -> Situation.KnownBuild {
  Situation.KnownBuild(members: members, state: .passed, isOnTrunk: isOnTrunk)
}

func failed(_ members: Int..., times: Int = 1, isOnTrunk: Bool = true) -> Situation.KnownBuild {
  Situation.KnownBuild(members: members, state: .failed, redRuns: times, isOnTrunk: isOnTrunk)
}

func running(_ members: Int..., isOnTrunk: Bool = true) -> Situation.KnownBuild {
  Situation.KnownBuild(members: members, state: .running(since: Instant(milliseconds: 0)), isOnTrunk: isOnTrunk)
}
