import Kernel

/// Numbers as people read them in verdicts.
enum JudgeWords {
  /// A share of requests: "5.0 %", "0.05 %", "under 0.01 %", "0 %".
  static func percent(_ share: Double) -> String {
    let percent = share * 100
    if percent <= 0 { return "0 %" }
    if percent < 0.01 { return "under 0.01 %" }
    return "\(decimal(percent, places: percent < 1 ? 2 : 1)) %"
  }

  /// A ratio: "2x", "3.5x", "20x".
  static func times(_ ratio: Double) -> String {
    let tenths = (ratio * 10).rounded(.up) / 10
    let isWhole = tenths == tenths.rounded() || tenths >= 10
    return "\(decimal(isWhole ? tenths.rounded(.up) : tenths, places: isWhole ? 0 : 1))x"
  }

  /// A length of time for planning: "17 s", "48 min", "5 h".
  static func about(_ span: Span) -> String {
    let seconds = span.seconds
    if seconds < 120 { return "\(Int(seconds.rounded(.up))) s" }
    if seconds < 120 * 60 { return "\(Int((seconds / 60).rounded())) min" }
    return "\(Int((seconds / 3600).rounded())) h"
  }

  /// A length of time that was measured: "900 ms", "4.2 s".
  static func exact(_ span: Span) -> String {
    span.milliseconds < 1000 ? "\(span.milliseconds) ms" : "\(decimal(span.seconds, places: 1)) s"
  }

  static func requests(_ count: Int) -> String { count == 1 ? "1 request" : "\(count) requests" }
}
