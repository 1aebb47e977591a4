import RampTrials
import Ramps
import Testing

/// A small, fixed part of `plimsoll bench ramps`.
struct RampTrialTests {
  private func trial(_ cell: RampCell, _ seeds: Range<UInt64>) -> RampTrial {
    var trial = RampTrial(cell, contenders: RampContender.allCases)
    trial.run(seeds)
    return trial
  }

  @Test func harmIsFoundInAboutTheTimeOfTheIssue() throws {
    let seen = trial(
      RampCell(requestsPerSecond: 1000, shape: .steady, stages: [25], ratio: 2, guardrails: 1), 0..<40)
    #expect(try #require(seen.tallies[0].seconds(for: 0.5)) < 26)
    let three = trial(
      RampCell(requestsPerSecond: 1000, shape: .steady, stages: [25], ratio: 5, guardrails: 3), 0..<20)
    #expect(try #require(three.tallies[0].seconds(for: 0.95)) < 10)
  }

  @Test(arguments: [RampShape.bursts, .incidents, .steps])
  func harmlessRampsGoThrough(shape: RampShape) {
    let ramps = trial(
      RampCell(requestsPerSecond: 100, shape: shape, stages: RampCell.exposures, guardrails: 3), 0..<4)
    #expect(ramps.tallies[0].needless == 0 && ramps.sampleAlarms == 0)
  }

  /// The field's figures, simulated anew from its documents: 53 s in the middle at 1 % and 5x, 14 s at 25 % and 2x.
  @Test(arguments: [(1.0, 5.0, 53.0), (25, 2, 14)])
  func theAsymptoticSequenceIsAsFastAsItIsKnownToBe(percent: Double, ratio: Double, median: Double) throws {
    var trial = RampTrial(
      RampCell(requestsPerSecond: 1000, shape: .steady, stages: [percent], ratio: ratio, guardrails: 1),
      contenders: [.asymptotic])
    trial.run(0..<60)
    let found = Double(try #require(trial.tallies[0].seconds(for: 0.5)))
    #expect(abs(found / median - 1) < 0.3, "\(found) s")
  }

  @Test func theSameSeedGivesTheSameRamps() {
    let cell = RampCell(requestsPerSecond: 100, shape: .bursts, stages: [25], ratio: 5, guardrails: 3)
    var parts = trial(cell, 0..<2)
    parts.add(trial(cell, 2..<4))
    #expect(parts.tallies == trial(cell, 0..<4).tallies)
  }
}
