import Foundation
import Kernel
import Simulator
import Testing

/// `PLIMSOLL_SEEDS=COUNT` simulates more seeds than the usual 1,000, and `PLIMSOLL_FIRST_SEED=N` other ones:
/// `PLIMSOLL_SEEDS=20000 swift test -c release --filter SeedTests`.
enum Seeds {
  static let usual = 1_000
  static let shards = 4
  static var count: Int { asked ?? usual }
  static var asked: Int? { number("PLIMSOLL_SEEDS") }
  static var first: Int { number("PLIMSOLL_FIRST_SEED") ?? 1 }
  private static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

  static func shard(_ shard: Int) -> StrideTo<Int> { stride(from: first + shard, to: first + count, by: shards) }
}

/// Healthy versions convicted, and rollouts met, over all shards.
private actor Tally {
  static let shared = Tally()
  private var shards = 0
  private var rollouts = 0
  private var rollbacks = 0
  private var wrong = 0
  func add(_ results: (rollouts: Int, rollbacks: Int, wrong: Int)) -> (rollouts: Int, rollbacks: Int, wrong: Int)? {
    shards += 1
    rollouts += results.rollouts
    rollbacks += results.rollbacks
    wrong += results.wrong
    return shards == Seeds.shards ? (rollouts, rollbacks, wrong) : nil
  }
}

@Suite("Simulation: seeds") struct SeedTests {
  /// The policies' budget for one rollout (`JudgePolicy.defaultFalseRollbackBudget`).
  static let falseRollbackBudget = 0.005

  @Test("whatever a seed's world does, every promise is kept", arguments: 0..<Seeds.shards)
  func seeds(shard: Int) async {
    var sum = (rollouts: 0, rollbacks: 0, wrong: 0)
    var byHand = 0
    var changes = (retirements: 0, renewals: 0)
    for seed in Seeds.shard(shard) {
      let result = SimulationRun(seed: UInt64(seed)).run()
      #expect(result.ok, "\(result.report)")
      byHand += result.decidedByHand
      changes = (changes.0 + result.retirements, changes.1 + result.renewals)
      sum = (sum.0 + result.rollouts, sum.1 + result.rollbacks, sum.2 + result.falseConvictions)
    }
    // An incident of both arms can leave a watch without a verdict: one or two seeds in a thousand.
    #expect(byHand <= 2 + Seeds.count / 200, "\(byHand) watches never ended by themselves")
    // One in three seeds loses a place or the service for a while, and one in three has its trunk forced back.
    let fewest = Seeds.count / Seeds.shards / 10
    #expect(changes.retirements > fewest && changes.renewals > fewest, "hardly anything left or came back: \(changes)")
    guard let all = await Tally.shared.add(sum) else { return }
    #expect(Double(all.wrong) <= 3 + Self.falseRollbackBudget * Double(all.rollouts), "healthy ones convicted: \(all)")
    #expect(all.rollouts > Seeds.count * 5 && all.rollbacks > Seeds.count, "hardly anything happened: \(all)")
  }

  /// 2169: a place closes, and is configured again while the stop of what ran there is on its way.
  @Test("seeds that once broke a promise", arguments: [2169] as [UInt64])
  func mended(seed: UInt64) {
    let result = SimulationRun(seed: seed).run()
    #expect(result.ok, "\(result.report)")
  }

  @Test("the same seed tells the same story, to the last turn", arguments: [3, 14, 159] as [UInt64])
  func deterministic(seed: UInt64) {
    let first = SimulationRun(seed: seed).run()
    let second = SimulationRun(seed: seed).run()
    #expect(first.transcriptHash == second.transcriptHash)
    #expect(first.events == second.events)
    #expect(first.transcriptHash != SimulationRun(seed: seed + 1).run().transcriptHash)
  }
}
