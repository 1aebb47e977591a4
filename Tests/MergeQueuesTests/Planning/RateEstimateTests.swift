import MergeQueues
import Testing

struct RateEstimateTests {
  @Test func nothingKnownIsThePrior() {
    let rates = RateEstimate().rates
    #expect(abs(rates.change - 0.08) < 1e-9)
    #expect(abs(rates.flake - 0.015) < 1e-9)
    #expect(!rates.isClustered)
  }

  @Test func ratesFollowTheOutcomes() {
    var estimate = RateEstimate()
    for place in 0..<600 { estimate.note(place % 5 == 0 ? .ejected : .landed, place: place) }
    for run in 0..<3_000 { estimate.noteRun(isFlake: run % 20 == 0) }
    #expect(abs(estimate.rates.change - 0.2) < 0.03, "\(estimate.rates)")
    #expect(abs(estimate.rates.flake - 0.05) < 0.01, "\(estimate.rates)")
    for place in 600..<1_200 { estimate.note(.landed, place: place) }
    #expect(estimate.rates.change < 0.02, "old failures fade: \(estimate.rates)")
  }

  @Test func flakesAreNeverTakenForImpossible() {
    var estimate = RateEstimate()
    for _ in 0..<5_000 { estimate.noteRun(isFlake: false) }
    #expect(estimate.rates.flake == 0.01)
  }

  /// Failures that come in threes: right behind one, the next is likely bad too.
  @Test func batchesShrinkRightAfterAFailureWhereFailuresCluster() {
    var estimate = RateEstimate()
    for place in 0..<600 { estimate.note(place % 30 < 3 ? .ejected : .landed, place: place) }
    let calm = estimate.rates
    estimate.note(.ejected, place: 600)
    let after = estimate.rates
    #expect(after.isClustered && !calm.isClustered)
    #expect(after.change > 2 * calm.change, "\(after) after \(calm)")
    #expect(
      Batches.size(failure: after.change, flake: 0.02, limit: 32)
        < Batches.size(failure: calm.change, flake: 0.02, limit: 32))
  }

  @Test func verdictsThatComeInBatchesAreNoClusters() {
    // Every tenth is bad; all bad ones of a hundred leave first, as they do when batches land together.
    var estimate = RateEstimate()
    for hundred in 0..<8 {
      let places = (0..<100).map { hundred * 100 + $0 }
      for place in places where place % 10 == 0 { estimate.note(.ejected, place: place) }
      for place in places where place % 10 != 0 { estimate.note(.landed, place: place) }
    }
    estimate.note(.ejected, place: 800)
    #expect(!estimate.rates.isClustered, "\(estimate.rates)")
    #expect(estimate.rates.change < 0.2, "\(estimate.rates)")
  }

  @Test func durationsAreTheirLogarithmsMeanAndDeviation() {
    var estimate = DurationEstimate()
    #expect(estimate.median == nil)
    for turn in 0..<400 { estimate.note(seconds: turn % 2 == 0 ? 600 : 2400) }
    #expect(abs((estimate.median ?? 0) / 1200 - 1) < 0.02)
    #expect(abs(estimate.logDeviation - 0.6931) < 0.05)
    for _ in 0..<400 { estimate.note(seconds: 300) }
    #expect(abs((estimate.median ?? 0) / 300 - 1) < 0.01, "what got faster is believed")
    estimate.note(seconds: 0)
    #expect(estimate.seconds(deviations: 2.33) != nil)
  }
}
