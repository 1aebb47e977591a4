import Kernel
import Simulator
import Testing

/// All thousand: `plimsoll simulate --schemas --seed 1 --seeds 1000`, or `PLIMSOLL_SEEDS=1000` as for `SeedTests`.
private enum SchemaSeeds {
  /// What a debug build tells in well under half a minute.
  static let usual = 60
  static func shard(_ shard: Int) -> StrideTo<Int> {
    let count = Seeds.asked ?? usual
    return stride(from: Seeds.first + shard, to: Seeds.first + count, by: Seeds.shards)
  }
}

@Suite("Simulation: two services on one schema") struct SchemaSeedTests {
  @Test("no statement fails for schema reasons, and no contract is refused wrongly", arguments: 0..<Seeds.shards)
  func seeds(shard: Int) {
    var sum = SchemaTally()
    var stories = 0
    for seed in SchemaSeeds.shard(shard) {
      let result = SchemaRun(seed: UInt64(seed)).run()
      #expect(result.ok, "\(result.report)")
      sum = sum + result.tally
      stories += 1
    }
    print("schemas, shard \(shard): \(stories) stories, \(sum)")
    // So that the seeds are not idle.
    #expect(sum.granted > 8 * stories && sum.rollouts > 8 * stories, "hardly anything was deployed: \(sum)")
    #expect(sum.applied > stories && 4 * sum.contracts > stories, "hardly anything was migrated: \(sum)")
    #expect(2 * sum.refused > stories && 2 * sum.rollbacks > stories, "hardly anything was refused: \(sum)")
    #expect(sum.uploads > 8 * stories && sum.reconsidered > 0, "hardly anything was told: \(sum)")
    #expect(sum.postponed > 0 || stories < 15, "nothing new came too often: \(sum)")
    // About one story in five has an override: a shard of fifteen may have none.
    #expect(2 * sum.drifts > stories && (sum.overrides > 0 || stories < 30), "hardly anybody interfered: \(sum)")
  }

  @Test("the same seed tells the same story", arguments: [3, 14] as [UInt64])
  func deterministic(seed: UInt64) {
    let first = SchemaRun(seed: seed).run()
    let second = SchemaRun(seed: seed).run()
    #expect(first.transcriptHash == second.transcriptHash)
    #expect(first.tally == second.tally)
    #expect(first.transcriptHash != SchemaRun(seed: seed + 1).run().transcriptHash)
  }
}
