import Foundation
import Kernel
import Rollouts

/// Bad responses a second as bars of text, the new version over the old on one scale, for messages that may not show a
/// picture.
struct Sparkline: Equatable, Sendable {
  /// One row for each version, all equally long: `new ▁▁▂▇█▁`.
  let rows: [String]
  /// What the bars mean, in one sentence.
  let scale: String

  /// Of a row: what a chat's column holds beside the name, at its narrow desktop width.
  static let longest = 60
  /// From none to the most, in eighths: Unicode's block elements U+2581 to U+2588.
  private static let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

  /// - Returns: nil for a series without a point.
  init?(_ series: EvidenceSeries) {
    let seconds = Self.seconds(series.points)
    guard let begin = series.points.begin, let last = series.points.last, !seconds.isEmpty else { return nil }
    let new = Self.columns(seconds.map(\.canary))
    let old = series.control == nil ? nil : Self.columns(seconds.map(\.control))
    let most = (new + (old ?? [])).max() ?? 0
    rows = ["new \(Self.row(new, most))"] + (old.map { ["old \(Self.row($0, most))"] } ?? [])
    let whole = last.at - begin
    guard most > 0 else {
      scale = "No bad response (failed or slow) in \(whole.words)."
      return
    }
    let each = whole.milliseconds / Int64(new.count)
    let bar =
      new.count < seconds.count
      ? "each bar the worst of \(Span(milliseconds: each).words)"
      : each < 1500 ? "a bar for each" : "a bar for \(Span(milliseconds: each).words)"
    scale = "Bad responses (failed or slow) a second over \(whole.words), \(bar); █ is \(Self.words(most)) a second."
  }

  private struct Second {
    let canary: Double
    let control: Double
  }

  /// Rates of at least a second each: a decision ends a point early, and one failure in a tenth of a second is not ten
  /// a second.
  private static func seconds(_ points: [EvidencePoint]) -> [Second] {
    guard var from = points.begin else { return [] }
    var seconds: [Second] = []
    var canary = 0
    var control = 0
    for (index, point) in points.enumerated() {
      canary += point.canary.errors + point.canary.slow
      control += point.control.errors + point.control.slow
      let lasted = point.at - from
      guard lasted >= .seconds(1) || index == points.count - 1 else { continue }
      let length = max(lasted.seconds, 1)
      seconds.append(Second(canary: Double(canary) / length, control: Double(control) / length))
      (from, canary, control) = (point.at, 0, 0)
    }
    return seconds
  }

  /// At most `longest`, each the most of those that it stands for: a mean would hide the second that hurt.
  private static func columns(_ values: [Double]) -> [Double] {
    let count = min(longest, values.count)
    return (0..<count).map { column in
      values[column * values.count / count..<(column + 1) * values.count / count].max() ?? 0
    }
  }

  /// Anything above none is at least the second bar, so that it can be seen.
  private static func row(_ values: [Double], _ most: Double) -> String {
    String(
      values.map { value in
        guard value > 0, most > 0 else { return bars[0] }
        return bars[min(max(Int((value / most * Double(bars.count - 1)).rounded(.up)), 1), bars.count - 1)]
      })
  }

  private static func words(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(format: "%.1f", value)
  }
}

extension [EvidencePoint] {
  /// When the first point began, which the path does not hold: as long before its end as the next one lasted, within
  /// reason. Nil without points.
  var begin: Instant? {
    guard let first else { return nil }
    return first.at - (count > 1 ? Swift.min(self[1].at - first.at, .seconds(15)) : .seconds(1))
  }
}
