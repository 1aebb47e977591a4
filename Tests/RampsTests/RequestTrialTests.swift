import RampTrials
import Ramps
import Testing

/// Requests, one by one, through the book into the judge: the seconds and stops are those of counted seconds.
struct RequestTrialTests {
  private func trial(_ cell: RampCell, _ seeds: Range<UInt64>) -> RequestTrial {
    var trial = RequestTrial(cell)
    trial.run(seeds)
    return trial
  }

  @Test func harmIsFoundAsSoonAsInCountedSeconds() throws {
    let seen = trial(RampCell(requestsPerSecond: 100, shape: .steady, stages: [25], ratio: 5, guardrails: 3), 0..<12)
    #expect(try #require(seen.tally.seconds(for: 0.5)) < 46, "docs/ramps.md: 23 s")
    #expect(seen.told.unknownUnits == 0 && seen.told.inBoth == 0)
  }

  @Test func harmlessRampsGoThroughTheirStages() {
    let ramps = trial(
      RampCell(requestsPerSecond: 20, shape: .bursts, stages: RampCell.exposures, guardrails: 3), 0..<3)
    #expect(ramps.tally.needless == 0 && ramps.sampleAlarms == 0)
  }
}
