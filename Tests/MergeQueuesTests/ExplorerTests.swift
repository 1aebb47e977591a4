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
    var found = 0
    for seed in UInt64(0)..<20 {
      var explorer = Explorer(seed: seed, runnerLies: true)
      if let failure = explorer.run(steps: Self.lyingSteps) {
        found += 1
        let isForTheLie = failure.contains("the trunk is red") || failure.contains("without a test that passed")
        #expect(isForTheLie, "seed \(seed), \(failure)")
      } else {
        #expect(!explorer.hasLandedRed, "seed \(seed) has what is red on its trunk, and nobody saw it")
      }
    }
    #expect(found >= 15, "only \(found)")
  }

  /// Worlds in which nothing bad lands show nothing. In 150 steps, which was enough before steps went to approvals, notes
  /// and reviews, too, a world lands about four changes, and in two of five worlds all of them are good.
  private static let lyingSteps = 500
}
