import Simulator
import Testing

@Suite("Simulation: a crash at every boundary") struct CrashTests {
  static let shards = 4

  @Test("the story ends right wherever the process was killed", arguments: 0..<shards)
  func everyBoundary(shard: Int) {
    let outcome = ExhaustiveCrashes().run(offset: shard, stride: Self.shards)
    #expect(outcome.ok, "\(outcome.failures.joined(separator: "\n"))")
    #expect(outcome.counts.allSatisfy { $0.count > 20 }, "boundaries met: \(outcome.counts)")
  }

  @Test("a ledger that forgets what was unrouted is found out at some boundary")
  func planted() {
    let outcome = ExhaustiveCrashes().run(offset: 6, stride: 45, plant: .routingCursorLost)
    #expect(outcome.failures.contains { $0.contains(Promise.landedIsBuilt.rawValue) }, "\(outcome.failures.count)")
  }
}
