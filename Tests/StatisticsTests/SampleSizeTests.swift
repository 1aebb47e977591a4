import RealModule
import Statistics
import Testing

struct SampleSizeTests {
  /// Expected baseline errors needed, from the closed form (ln(1/α) + ln 9) / (r ln r - r + 1) at α 0.01.
  @Test(arguments: [(2.0, 17.6), (3, 5.2), (5, 1.7), (10, 0.49), (20, 0.17)])
  func neededBaselineErrorsAreThoseOfTheClosedForm(ratio: Double, errors: Double) throws {
    let null = 0.0001
    let requests = try #require(
      SampleSize.requests(toSee: ratio, nullRate: null, threshold: -Double.log(0.01), alternatives: 9))
    #expect(abs(Double(requests) * null - errors) < 0.05 * errors + 0.01)
  }

  @Test func nothingIsSeenWhereThereIsNoRoom() {
    for (ratio, null) in [(1.0, 0.01), (0.5, 0.01), (2, 0), (2, 0.97)] {
      #expect(SampleSize.requests(toSee: ratio, nullRate: null, threshold: 5, alternatives: 9) == nil)
    }
    #expect(
      SampleSize.detectableRatio(within: 0, nullRate: 0.001, threshold: 5, alternatives: 9, smallest: 2) == nil)
  }

  @Test func moreRequestsNeverRaiseTheDetectableRatio() throws {
    for null in [0.0005, 0.001, 0.01, 0.05] {
      var last = Double.infinity
      for requests in [3, 10, 30, 100, 300, 1000, 10_000, 1_000_000] {
        guard
          let ratio = SampleSize.detectableRatio(
            within: requests, nullRate: null, threshold: 5.8, alternatives: 9, smallest: 2)
        else {
          #expect(last == .infinity, "a ratio was lost at \(requests) requests")
          continue
        }
        #expect(ratio <= last && ratio >= 2)
        let needed = try #require(
          SampleSize.requests(toSee: ratio, nullRate: null, threshold: 5.8, alternatives: 9))
        #expect(needed <= requests)
        last = ratio
      }
      #expect(last == 2, "a million requests show 2x of \(null)")
    }
  }
}
