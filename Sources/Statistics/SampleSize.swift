import RealModule

/// How much a mixture test must see before it is expected to decide.
package enum SampleSize {
  /// Requests after which a stream at `ratio` times `nullRate` is expected to reach ln evidence `threshold` in a
  /// mixture of `alternatives`: (threshold + ln alternatives) / divergence, rounded up. About half of all runs decide
  /// earlier. Nil when `ratio` leaves no room above the null rate.
  package static func requests(
    toSee ratio: Double, nullRate: Double, threshold: Double, alternatives: Int
  ) -> Int? {
    let rate = min(ratio * nullRate, MixtureTest.highestRate)
    guard ratio > 1, nullRate > 0, rate > nullRate else { return nil }
    let nats = threshold + Double.log(Double(max(alternatives, 1)))
    let requests = (nats / Binomial.divergence(of: rate, from: nullRate)).rounded(.up)
    return requests < Double(Int32.max) ? Int(requests) : nil
  }

  /// The smallest ratio, at least `smallest`, expected to be seen within `requests`; nil when none is. Never rises
  /// with more requests.
  package static func detectableRatio(
    within requests: Int, nullRate: Double, threshold: Double, alternatives: Int, smallest: Double
  ) -> Double? {
    guard nullRate > 0, nullRate < MixtureTest.highestRate else { return nil }
    func isSeen(_ ratio: Double) -> Bool {
      guard
        let needed = SampleSize.requests(
          toSee: ratio, nullRate: nullRate, threshold: threshold, alternatives: alternatives)
      else { return false }
      return needed <= requests
    }
    let largest = MixtureTest.highestRate / nullRate
    guard largest > smallest, isSeen(largest) else { return nil }
    if isSeen(smallest) { return smallest }
    return bisect(from: smallest, to: largest) { !isSeen($0) }
  }
}
