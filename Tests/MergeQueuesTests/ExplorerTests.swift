import MergeQueues
import Testing

@Suite struct ExplorerTests {
  private static let seeds: UInt64 = 2000
  private static let shares: UInt64 = 4

  @Test("no world breaks a promise or leaves an entry behind", arguments: 0..<shares)
  func explore(share: UInt64) {
    var seen: Set<String> = []
    for seed in stride(from: share, to: Self.seeds, by: Int(Self.shares)) {
      var explorer = Explorer(seed: seed)
      let failure = explorer.run(steps: 150)
      seen.formUnion(explorer.eventNames)
      if let failure {
        Issue.record("seed \(seed), \(failure)")
        return
      }
    }
    // Of before there were builds, of a calendar, or too rare: those have rules of their own.
    let others = [
      "candidateDropped", "testFailed", "testPassed", "frozen", "thawed", "runStopped", "recognised", "flakeFound",
      "buildCarried",
    ]
    let expected = EventGoldens.samples.map(\.name).filter { !others.contains($0) }
    #expect(expected.filter { !seen.contains($0) } == [], "every kind of event must occur")
  }

  @Test func aRunnerThatLiesIsFound() {
    let failures = (UInt64(0)..<20).filter { seed in
      var explorer = Explorer(seed: seed, runnerLies: true)
      return explorer.run(steps: 150) != nil
    }
    // Worlds in which no bad change comes to the head show nothing.
    #expect(failures.count >= 12, "only \(failures)")
  }
}
