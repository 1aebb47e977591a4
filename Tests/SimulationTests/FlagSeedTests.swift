import Kernel
import Simulator
import Testing

/// More: `plimsoll simulate --flags --seed 1 --seeds 400`, or `PLIMSOLL_SEEDS=1000` as for `SeedTests`.
private enum FlagSeeds {
  /// What a debug build tells in some seconds.
  static let usual = 24
  static func shard(_ shard: Int) -> StrideTo<Int> {
    let count = Seeds.asked ?? usual
    return stride(from: Seeds.first + shard, to: Seeds.first + count, by: Seeds.shards)
  }
}

@Suite("Simulation: flags beside rollouts") struct FlagSeedTests {
  @Test("what is withdrawn is gone everywhere, and nothing grows or comes back of itself", arguments: 0..<Seeds.shards)
  func seeds(shard: Int) {
    var sum = FlagTally()
    var stories = 0
    for seed in FlagSeeds.shard(shard) {
      let result = FlagRun(seed: UInt64(seed)).run()
      #expect(result.ok, "\(result.report)")
      sum = sum + result.tally
      stories += 1
    }
    print("flags, shard \(shard): \(stories) stories, \(sum)")
    // So that the seeds are not idle.
    #expect(sum.ramps > 2 * stories && sum.stages > 3 * stories, "hardly anything was ramped: \(sum)")
    #expect(sum.rolledOut > 0 && sum.stopped > 0 && sum.proved > stories, "hardly any ramp ended: \(sum)")
    #expect(2 * sum.kills > stories && sum.due > stories, "hardly anybody did anything: \(sum)")
    #expect(sum.declared > stories, "the repository says hardly anything: \(sum)")
    #expect(sum.servedAgain > 0 && sum.rollouts > 2 * stories, "hardly anything went on beside: \(sum)")
    // An incident at 100 % is blamed on the variant: nobody is left to compare it with.
    #expect(sum.needless <= 1 + sum.ramps / 20, "harmless variants were stopped: \(sum)")
  }

  /// 549: a client is cut off, hears last of a kill, and is believed to be off before it is.
  @Test("seeds that once broke a promise", arguments: [549] as [UInt64])
  func mended(seed: UInt64) {
    let result = FlagRun(seed: seed).run()
    #expect(result.ok, "\(result.report)")
  }

  @Test("the same seed tells the same story", arguments: [3, 14] as [UInt64])
  func deterministic(seed: UInt64) {
    let first = FlagRun(seed: seed).run()
    let second = FlagRun(seed: seed).run()
    #expect(first.transcriptHash == second.transcriptHash)
    #expect(first.tally == second.tally)
    #expect(first.transcriptHash != FlagRun(seed: seed + 1).run().transcriptHash)
  }
}
