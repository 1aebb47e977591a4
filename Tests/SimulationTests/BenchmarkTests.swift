import Simulator
import Testing

@Suite("The benchmark of a turn") struct BenchmarkTests {
  @Test("a round does the recorded runs' work again, event for event, and each round the same")
  func sameWork() {
    let benchmark = TurnBenchmark(seeds: 1...2)
    let work = benchmark.replay()
    #expect(work.events == benchmark.recordedEvents)
    #expect(work.events > 300 && work.turns > work.events / 2, "hardly anything happened: \(work)")
    #expect(benchmark.replay() == work)
  }
}
