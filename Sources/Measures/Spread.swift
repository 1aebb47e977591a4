import Kernel

/// How a set of spans is spread; every percentile is a span that was measured (nearest rank, not interpolated).
package struct Spread: Codable, Equatable, Sendable {
  package let count: Int
  /// Rounded down to a millisecond.
  package let mean: Span
  package let p50: Span
  package let p75: Span
  package let p90: Span
  package let p95: Span
  package let p99: Span
  package let longest: Span

  /// Nil for no spans: empty is not zero. O(n log n).
  package init?(_ spans: [Span]) {
    let sorted = spans.sorted()
    guard let last = sorted.last else { return nil }
    count = sorted.count
    mean = Span(milliseconds: sorted.reduce(0) { $0 + $1.milliseconds } / Int64(sorted.count))
    p50 = Spread.nearestRank(50, in: sorted)
    p75 = Spread.nearestRank(75, in: sorted)
    p90 = Spread.nearestRank(90, in: sorted)
    p95 = Spread.nearestRank(95, in: sorted)
    p99 = Spread.nearestRank(99, in: sorted)
    longest = last
  }

  /// The value at rank ⌈p/100 · n⌉ (NIST/SEMATECH e-Handbook 7.2.6.2, nearest rank); in whole numbers, so exact.
  private static func nearestRank(_ percent: Int, in sorted: [Span]) -> Span {
    sorted[max((percent * sorted.count + 99) / 100, 1) - 1]
  }
}
