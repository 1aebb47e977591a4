import Foundation
import Kernel
import Rollouts

/// Numbers and times as people read them.
enum Words {
  /// A sentence that quotes a sentence ends with one full stop, not two.
  static func ended(_ text: String) -> String {
    text.hasSuffix("..") && !text.hasSuffix("...") ? String(text.dropLast()) : text
  }

  /// A person's words as a sentence: ended, unless they ended it.
  static func closed(_ text: String) -> String {
    guard let last = text.last else { return text }
    return ".!?…".contains(last) ? text : text + "."
  }

  /// Part of a sentence as a whole one.
  static func sentence(_ text: String) -> String { closed(text.prefix(1).uppercased() + text.dropFirst()) }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

  /// `812 bytes`, `4.1 kB`, `12 MB`: decimal units.
  static func bytes(_ count: Int64) -> String {
    var value = Double(count)
    for unit in ["bytes", "kB", "MB"] {
      if value < 1000 { return unit == "bytes" ? "\(count) bytes" : "\(decimal(value)) \(unit)" }
      value /= 1000
    }
    return "\(decimal(value)) GB"
  }

  /// Two significant digits below ten, whole numbers above.
  static func decimal(_ value: Double) -> String {
    let places = value < 10 ? 1 : 0
    return String(format: "%.\(places)f", value)
  }

  /// A share from 0 to 1 as a percentage with as many digits as it deserves: `5 %`, `0.04 %`.
  static func percent(_ share: Double) -> String {
    let value = share * 100
    let places = value == 0 || value >= 10 ? 0 : value >= 1 ? 1 : 2
    return String(format: "%.\(places)f %%", value)
  }

  /// `14:03:27`, UTC.
  static func clock(_ instant: Instant) -> String {
    let second = Int((instant.milliseconds / 1000) % 86_400)
    return String(format: "%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60)
  }

  /// `2026-03-01T14:03:27.250Z`
  static func timestamp(_ instant: Instant) -> String {
    date(instant).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  /// `2026-03-01 14:03:27 UTC`
  static func absolute(_ instant: Instant) -> String {
    let text = date(instant).formatted(Date.ISO8601FormatStyle(dateTimeSeparator: .space))
    return text.replacing("Z", with: " UTC")
  }

  /// `just now`, `3 min ago`, `in 40 s`.
  static func relative(_ instant: Instant, to now: Instant) -> String {
    let span = now - instant
    if span < .seconds(-1) { return "in \(coarse(instant - now))" }
    return span < .seconds(2) ? "just now" : "\(coarse(span)) ago"
  }

  /// The largest unit alone: `40 s`, `3 min`, `2 h`, `5 days`.
  private static func coarse(_ span: Span) -> String {
    let seconds = span.milliseconds / 1000
    switch seconds {
    case ..<60: return "\(seconds) s"
    case ..<3600: return "\(seconds / 60) min"
    case ..<(2 * 86_400): return "\(seconds / 3600) h"
    default: return "\(seconds / 86_400) days"
    }
  }

  private static func date(_ instant: Instant) -> Date {
    Date(timeIntervalSince1970: Double(instant.milliseconds) / 1000)
  }
}
