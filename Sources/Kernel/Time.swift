/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z.
///
/// The engine never lets it go back within a stream; domains compare instants but never read a clock.
package struct Instant: Codable, Hashable, Comparable, Sendable {
  package let milliseconds: Int64
  package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  package init(from decoder: any Decoder) throws {
    milliseconds = try decoder.singleValueContainer().decode(Int64.self)
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(milliseconds)
  }
  package static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }
  package static func + (instant: Instant, span: Span) -> Instant {
    Instant(milliseconds: instant.milliseconds + span.milliseconds)
  }
  package static func - (instant: Instant, span: Span) -> Instant {
    Instant(milliseconds: instant.milliseconds - span.milliseconds)
  }
  package static func - (later: Instant, earlier: Instant) -> Span {
    Span(milliseconds: later.milliseconds - earlier.milliseconds)
  }
}

/// A length of time in whole milliseconds; negative only as a difference of instants.
package struct Span: Codable, Hashable, Comparable, Sendable {
  package let milliseconds: Int64
  package init(milliseconds: Int64) { self.milliseconds = milliseconds }
  package init(from decoder: any Decoder) throws {
    milliseconds = try decoder.singleValueContainer().decode(Int64.self)
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(milliseconds)
  }
  package static let zero = Span(milliseconds: 0)
  package static func seconds(_ count: Double) -> Span { Span(milliseconds: Int64((count * 1000).rounded())) }
  package static func minutes(_ count: Double) -> Span { .seconds(count * 60) }
  package var seconds: Double { Double(milliseconds) / 1000 }
  package static func < (left: Span, right: Span) -> Bool { left.milliseconds < right.milliseconds }
  package static func + (left: Span, right: Span) -> Span {
    Span(milliseconds: left.milliseconds + right.milliseconds)
  }
  package static func * (span: Span, factor: Int64) -> Span { Span(milliseconds: span.milliseconds * factor) }
}
