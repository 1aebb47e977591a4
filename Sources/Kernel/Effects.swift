/// Names one wanted effect within its stream; equal keys are the same work.
package struct EffectKey: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String
  package init(_ text: String) { self.text = text }
  package init(from decoder: any Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
  package var description: String { text }
  package static func < (left: EffectKey, right: EffectKey) -> Bool { left.text < right.text }
}

/// The mailbox lane of an effect and of what it observes: *protect* goes before *progress*, so that a rollback never
/// waits behind CI results.
package enum Lane: Int, Codable, Sendable, Comparable {
  case protect = 0
  case progress = 1
  package static func < (left: Lane, right: Lane) -> Bool { left.rawValue < right.rawValue }
}

/// Work that a state wants done now. An effect that ends and is still wanted is started again after a back-off.
package protocol WantedEffect: Equatable, Sendable {
  var key: EffectKey { get }
  var lane: Lane { get }
  var retry: RetryBudget { get }
}

/// How often an effect that failed is started again: the k-th pause is `first * 2^(k-1)`, at most `ceiling`.
package struct RetryBudget: Codable, Equatable, Sendable {
  /// Failures in a row after which `exhausted` is observed; nil never gives up.
  package let attempts: Int?
  package let first: Span
  package let ceiling: Span
  package init(attempts: Int?, first: Span, ceiling: Span) {
    self.attempts = attempts
    self.first = first
    self.ceiling = ceiling
  }
  /// For what must be kept true for ever: routes, running instances, watches.
  package static let persistent = RetryBudget(attempts: nil, first: .seconds(0.2), ceiling: .seconds(5))
  /// For work whose failure someone must hear about: builds, merges, pushes.
  package static let bounded = RetryBudget(attempts: 5, first: .seconds(0.5), ceiling: .seconds(30))
  /// For announcements: about a day of trying.
  package static let patient = RetryBudget(attempts: 40, first: .seconds(1), ceiling: .minutes(60))

  /// The pause before the attempt that follows `failures` failures in a row (1 or more).
  package func pause(afterFailures failures: Int) -> Span {
    let doublings = min(max(failures - 1, 0), 30)
    return min(first * (Int64(1) << Int64(doublings)), ceiling)
  }
}

/// An effect that the world keeps failing.
package struct Trouble: Codable, Equatable, Sendable {
  package let key: EffectKey
  package let why: String
  package init(key: EffectKey, why: String) {
    self.key = key
    self.why = why
  }
}
