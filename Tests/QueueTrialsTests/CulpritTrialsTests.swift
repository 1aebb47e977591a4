import QueueTrials
import Statistics
import Testing

/// The bars of "A merge queue that beats the best", on fewer trials than the bench runs.
struct CulpritTrialsTests {
  private func check(
    _ what: String, noCulprit: Double, falseGreen: Double = 0, parallel: Int = 1, trials: UInt64 = 1_000,
    mean: Double, high: Int? = nil, rounds: Double? = nil
  ) {
    let score = CulpritTrials.run(
      CulpritTrials.Setting(
        changes: 64, noCulprit: noCulprit, rates: .init(falseRed: 0.1, falseGreen: falseGreen), parallel: parallel,
        confidence: CulpritTrials.confidence), seeds: 0..<trials)
    // One in a thousand may be wrong; of so few trials, three by chance.
    #expect(score.trials - score.right <= 3, "\(what): \(score.right) right of \(score.trials)")
    #expect(score.meanRuns <= mean, "\(what): \(score.meanRuns) runs on average")
    if let high { #expect(score.highRuns <= high, "\(what): \(score.highRuns) runs at P95") }
    if let rounds { #expect(score.meanRounds <= rounds, "\(what): \(score.meanRounds) rounds on average") }
  }

  @Test func findsTheCulpritAmongFalseReds() { check("two in five without", noCulprit: 0.4, mean: 9, high: 15) }

  @Test func findsTheCulpritThatIsAlwaysThere() { check("always one", noCulprit: 0, mean: 11) }

  @Test func findsTheCulpritAmongFalseGreensToo() {
    check("symmetric", noCulprit: 0.4, falseGreen: 0.1, mean: 17)
  }

  @Test func fourRunsAtOnceTakeFourRounds() {
    check("four at once", noCulprit: 0.4, parallel: 4, trials: 24, mean: 16, rounds: 4)
  }
}
