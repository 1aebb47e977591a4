import Foundation
import Kernel

/// A ramp's share over time: one step a stage, each stage as high as the next one, because 1 % and 100 % would not be
/// seen beside each other.
struct RampPicture: Sendable {
  /// SVG made here, its texts escaped.
  let fragment: String
  let hasSteps: Bool

  // In viewBox units, which are pixels on a phone.
  private static let width = 360.0
  private static let left = 42.0
  private static let right = 12.0
  private static let top = 16.0
  private static let rowHeight = 26.0
  private static let foot = 26.0

  /// - Parameters:
  ///   - levels: shares of the plan, rising.
  ///   - end: where the line ends: now, or when the ramp did.
  ///   - tone: of the line: a class of style.css.
  init(_ past: RampPast, levels: [Double], variant: String, end: Instant, tone: String) {
    guard let first = past.steps.first, past.steps.count > 1 else {
      (fragment, hasSteps) = ("", false)
      return
    }
    hasSteps = true
    let height = Self.top + Double(levels.count) * Self.rowHeight + Self.foot
    let floor = height - Self.foot
    let span = max(Double((end - first.at).milliseconds), 1)
    func x(_ at: Instant) -> Double {
      Self.left + (Self.width - Self.left - Self.right) * min(1, max(0, Double((at - first.at).milliseconds) / span))
    }
    func y(_ percent: Double) -> Double {
      guard percent > 0 else { return floor }
      let level = levels.firstIndex { $0 >= percent } ?? levels.count - 1
      return floor - Double(level + 1) * Self.rowHeight
    }
    var svg = ""
    for percent in [0] + levels {
      svg += """
        <path class="grid" d="M\(Self.point(Self.left)) \(Self.point(y(percent)))H\(Self.point(Self.width - Self.right))"/>\
        <text class="tick" x="\(Self.point(Self.left - 6))" y="\(Self.point(y(percent) + 3.5))" text-anchor="end">\
        \(Views.number(percent)) %</text>
        """
    }
    var line = "M\(Self.point(x(first.at))) \(Self.point(y(first.percent)))"
    for step in past.steps.dropFirst() {
      line += "H\(Self.point(x(step.at)))V\(Self.point(y(step.percent)))"
    }
    line += "H\(Self.point(x(end)))"
    let area = "\(line)V\(Self.point(floor))H\(Self.point(x(first.at)))Z"
    svg += """
      <path class="ramp-area \(tone)" d="\(area)"/><path class="ramp-line \(tone)" d="\(line)"/>\
      <text class="tick" x="\(Self.point(Self.left))" y="\(Self.point(height - 8))">\(Words.clock(first.at))</text>\
      <text class="tick" x="\(Self.point(Self.width - Self.right))" y="\(Self.point(height - 8))" text-anchor="end">\
      \(Words.clock(end)) UTC</text>
      """
    let steps = past.steps.dropFirst().map { "\(Views.number($0.percent)) % at \(Words.clock($0.at))" }
    fragment = """
      <svg class="ramp-picture" viewBox="0 0 \(Int(Self.width)) \(Int(height))" role="img" \
      aria-label="Share of \(Self.escaped(variant)) over time: \(steps.joined(separator: ", "))">\(svg)</svg>
      """
  }

  private static func point(_ value: Double) -> String { String(format: "%.1f", value) }
  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
