import Kernel
import Simulator
import Testing

@Suite("The benchmark of many watches")
struct WatchBenchmarkTests {
  @Test(
    "every rollout is watched, and few verdicts are recorded", arguments: [Span.seconds(1), Span(milliseconds: 250)])
  func watches(width: Span) throws {
    let benchmark = try WatchBenchmark(store: MemoryLedger().open(), rollouts: 3, width: width)
    #expect(benchmark.rollouts == 3)
    var marks = 0
    var events = 0
    let bins = Int(60_000 / width.milliseconds)
    for _ in 0..<bins { events += benchmark.bin { marks += 1 } }
    #expect(marks == 2 * bins)
    #expect(benchmark.outage == nil)
    // A note each 15 s, and one for each change of the verdict's kind.
    #expect((9...60).contains(events), "\(events)")
    #expect(benchmark.series().allSatisfy { $0.points.count >= 55 })
  }
}
