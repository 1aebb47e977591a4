import Kernel

/// Numbers as people read them in verdicts.
enum RampWords {
  /// "5x", "2.3x".
  static func times(_ ratio: Double) -> String { "\(number(ratio))x" }

  /// "25 %", "0.05 %", "under 0.01 %".
  static func percent(_ share: Double) -> String {
    let percent = share * 100
    if percent > 0, percent < 0.01 { return "under 0.01 %" }
    return percent < 1 ? "\(hundredths(percent)) %" : "\(number(percent)) %"
  }

  /// "17 s", "11 min", "5 h", "9 days".
  static func about(_ span: Span) -> String {
    let seconds = span.seconds
    if seconds < 120 { return "\(Int(max(seconds, 1).rounded(.up))) s" }
    if seconds < 120 * 60 { return "\(Int((seconds / 60).rounded(.up))) min" }
    if seconds < 48 * 3600 { return "\(Int((seconds / 3600).rounded(.up))) h" }
    return "\(Int((min(seconds, 1e9) / 86_400).rounded(.up))) days"
  }

  /// One digit behind the point below ten, none above.
  static func number(_ value: Double) -> String {
    let tenths = (min(value, 1e9) * 10).rounded() / 10
    return tenths >= 10 || tenths == tenths.rounded() ? "\(Int(tenths.rounded()))" : "\(tenths)"
  }

  /// Two digits behind the point, without zeros at the end.
  private static func hundredths(_ value: Double) -> String {
    let text = decimal(value, places: 2)
    if text.hasSuffix(".00") { return String(text.dropLast(3)) }
    return text.hasSuffix("0") ? String(text.dropLast()) : text
  }

  /// "41 of 812".
  static func of(_ events: Int, _ trials: Int) -> String { "\(events) of \(trials)" }
}
