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

@Suite("The long line of the queue's benchmark") struct LongLineBenchmarkTests {
  @Test("it lands on, keeps every promise and its length, whatever its lanes", arguments: LongLine.Lanes.allCases)
  func landing(lanes: LongLine.Lanes) throws {
    try land(LongLine.Setting(entries: 300, slots: 2, lanes: lanes), seeing: [])
  }

  @Test("so does one of which most lack something")
  func lacking() throws {
    try land(
      LongLine.Setting(entries: 300, slots: 2, lanes: .known, needs: .all), seeing: [.report, .review, .tick, .note])
  }

  private func land(_ setting: LongLine.Setting, seeing others: Set<LongLine.Kind>) throws {
    var line = LongLine(setting)
    var kinds: Set<LongLine.Kind> = []
    for turn in 0..<400 {
      guard let (kind, input) = line.next() else {
        Issue.record("nothing is wanted at turn \(turn)")
        return
      }
      kinds.insert(kind)
      #expect(try line.take(input) == [])
    }
    #expect(line.landedChanges > 10, "\(line.landedChanges) landed")
    #expect(kinds.isSuperset(of: others.union([.submission, .plan, .merge, .runEnd, .landing])))
    #expect((290...300).contains(line.state.entries.count), "\(line.state.entries.count) in line")
  }
}
