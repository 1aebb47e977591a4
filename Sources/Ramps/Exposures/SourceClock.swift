import Kernel

/// How far each source's clock is from ours, as far as its batches tell.
///
/// A batch ends with what has just happened. One that ends in our future comes from a clock that is ahead. One that ends
/// long ago may only be late; when none of a source's last batches ended less than `believed` ago, its clock is behind.
/// Seconds are shifted by so much, all of a batch alike. Bounded by `mostSources` and `longestName`; those beyond are
/// taken as they are.
package struct SourceClocks: Sendable {
  private struct Source: Sendable {
    /// Newest last, at most `remembered`: milliseconds by which each batch's end was before its arrival.
    var lags: [Int64] = []
  }
  private var sources: [String: Source] = [:]

  /// Exporters send every five seconds unless told otherwise (OTEL_BSP_SCHEDULE_DELAY).
  package static let believed = Span.seconds(5)
  static let remembered = 8
  static let mostSources = 1024
  /// Bytes of a source's name.
  static let longestName = 512

  package init() {}

  /// What to add to a batch's times.
  ///
  /// - Parameter newest: of the batch, by the source's clock.
  package mutating func shift(of source: String, newest: Instant, now: Instant) -> Span {
    let lag = (now - newest).milliseconds
    if lag < -Int64(SeenSeconds.ahead) * 1000 { return Span(milliseconds: lag) }
    guard source.utf8.count <= SourceClocks.longestName,
      sources[source] != nil || sources.count < SourceClocks.mostSources
    else { return .zero }
    sources[source, default: Source()].lags.append(lag)
    guard let lags = sources[source]?.lags else { return .zero }
    if lags.count > SourceClocks.remembered { sources[source]?.lags.removeFirst() }
    guard lags.count >= SourceClocks.remembered, let least = lags.min(), least > SourceClocks.believed.milliseconds
    else { return .zero }
    return Span(milliseconds: least)
  }
}
