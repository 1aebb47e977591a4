import RealModule
import Statistics
import Testing

struct SampleSizeTests {
  private static let alternatives = Alternatives(from: 2)

  /// What is promised is the median of what happens.
  @Test(arguments: [(0.001, 2.0), (0.001, 5), (0.001, 20), (0.01, 3), (0.01, 10), (0.0005, 100)])
  func halfOfAllStreamsAreDecidedByTheSizePromised(rate: Double, ratio: Double) throws {
    let test = RegressionTest(
      earlierEvents: (rate * 600_000).rounded(), earlierTrials: 600_000, tolerance: 1.3, alternatives: Self.alternatives
    )
    let threshold = 5.5
    let promised = Double(
      try #require(SampleSize.requests(at: ratio * rate, test: test, threshold: threshold)))
    var chance = Seeded(UInt64(ratio * 10))
    let found = (0..<300).map { _ in
      firstCrossing(
        rate: ratio * rate, requests: Int(promised * 20), threshold: threshold, &chance,
        evidence: test.logEvidence(events:trials:)
      ).map(Double.init) ?? .infinity
    }.sorted()
    #expect(abs(found[150] - promised) <= promised / 4, "median \(found[150]), promised \(promised)")
  }

  @Test func nothingIsSeenWhereThereIsNoRoom() {
    let test = RegressionTest(
      earlierEvents: 10, earlierTrials: 1000, tolerance: 1.3, alternatives: Self.alternatives)
    for rate in [0, 0.005, 0.01, 0.0139] {
      #expect(SampleSize.requests(at: rate, test: test, threshold: 5) == nil)
    }
    #expect(
      SampleSize.detectableRatio(within: 0, of: 0.01, tests: [test], threshold: 5, smallest: 2) == nil)
    #expect(
      SampleSize.detectableRatio(within: 1, of: 0.01, tests: [test], threshold: 5, smallest: 2) == nil)
  }

  @Test func moreRequestsNeverRaiseTheDetectableRatio() throws {
    for rate in [0.0005, 0.001, 0.01, 0.05] {
      let test = RegressionTest(
        earlierEvents: rate * 1e6, earlierTrials: 1e6, tolerance: 1.3, alternatives: Self.alternatives)
      var last = Double.infinity
      for requests in [3, 10, 30, 100, 300, 1000, 10_000, 1_000_000] {
        guard
          let ratio = SampleSize.detectableRatio(
            within: requests, of: rate, tests: [test], threshold: 5.8, smallest: 2)
        else {
          #expect(last == .infinity, "a ratio was lost at \(requests) requests")
          continue
        }
        #expect(ratio <= last && ratio >= 2)
        let needed = try #require(SampleSize.requests(at: ratio * rate, test: test, threshold: 5.8))
        #expect(needed <= requests)
        last = ratio
      }
      #expect(last == 2, "a million requests show 2x of \(rate)")
    }
  }
}
