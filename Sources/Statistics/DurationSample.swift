import Kernel
import RealModule

/// The newest durations of one kind of work: what is usual, and what is unusual.
package struct DurationSample: Codable, Equatable, Sendable {
  /// Oldest first, at most `capacity`.
  package private(set) var newest: [Span] = []

  /// Enough for an exact P99, little enough to follow a test that gets slower within days.
  package static let capacity = 200
  /// Before so many, no spread is claimed.
  package static let least = 8
  /// From so many on, the P99 is one of the durations and not a guess.
  static let exactTailCount = 100
  /// 99 % of a normal distribution lie below it.
  static let z99 = 2.326
  /// 16 and 84 % lie one standard deviation below and above the median.
  static let oneDeviation = 0.3413

  package init(_ newest: [Span] = []) { self.newest = newest.suffix(Self.capacity) }

  package var count: Int { newest.count }

  /// Durations of zero or less are not ones and are passed over.
  package mutating func add(_ span: Span) {
    guard span > .zero else { return }
    if newest.count >= Self.capacity { newest.removeFirst(newest.count - Self.capacity + 1) }
    newest.append(span)
  }

  /// The value at rank ⌈part · n⌉ (nearest rank); nil without durations. - Parameter part: 0 to 1.
  package func quantile(_ part: Double) -> Span? {
    let sorted = newest.sorted()
    guard !sorted.isEmpty else { return nil }
    return sorted[min(max(Int((part * Double(sorted.count)).rounded(.up)) - 1, 0), sorted.count - 1)]
  }

  package var median: Span? { quantile(0.5) }

  /// Standard deviation of the logarithm, from the 16th and 84th percentiles, so that one hung run does not widen it;
  /// nil before `least` durations.
  package var logDeviation: Double? {
    guard count >= Self.least, let low = quantile(0.5 - Self.oneDeviation), let high = quantile(0.5 + Self.oneDeviation)
    else { return nil }
    return Double.log(high.seconds / low.seconds) / 2
  }

  /// What 99 of 100 runs stay below; nil before `least` durations.
  ///
  /// Of a hundred durations or more the P99 itself. Of fewer the longest, or, when that is more, the upper end of a
  /// log-normal's 99 % prediction interval, whose factor √(1 + 1/n) is for the mean that is itself uncertain.
  package var tail: Span? {
    guard count >= Self.least, let longest = newest.max(), let median, let deviation = logDeviation else { return nil }
    if count >= Self.exactTailCount { return quantile(0.99) }
    let factor = Double.exp(Self.z99 * deviation * (1 + 1 / Double(count)).squareRoot())
    return max(longest, .seconds(median.seconds * factor))
  }
}

/// Durations by name: of each check, or of each service's test.
package struct DurationBook: Codable, Equatable, Sendable {
  /// Most recently used last, each name once, at most `nameLimit`.
  package private(set) var samples: [Named] = []
  /// Checks of one queue; the one unused for longest is forgotten.
  package static let nameLimit = 64

  package struct Named: Codable, Equatable, Sendable {
    package let name: String
    package fileprivate(set) var sample: DurationSample
  }

  package init() {}

  package mutating func add(_ span: Span, to name: String) {
    var named = Named(name: name, sample: DurationSample())
    if let index = samples.firstIndex(where: { $0.name == name }) { named = samples.remove(at: index) }
    named.sample.add(span)
    if samples.count >= Self.nameLimit { samples.removeFirst() }
    samples.append(named)
  }

  package func sample(of name: String) -> DurationSample? { samples.first { $0.name == name }?.sample }
}
