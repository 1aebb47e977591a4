import Foundation
import Kernel
import Rollouts

/// A rollout's evidence drawn as SVG: bad responses per second old against new, each rule's test against its threshold,
/// and the traffic behind them, over one axis of time with marks for what was decided.
///
/// Colours never stand alone: old is dashed and new is solid, thresholds are dotted, and every line has its name.
struct Picture: Sendable {
  let fragment: String
  let hasPoints: Bool

  /// In viewBox units, which are pixels on a wide screen.
  private static let width = 760.0
  private static let left = 46.0
  private static let right = 14.0
  /// More columns than that cannot be told apart at this width.
  private static let columnLimit = 360

  private struct Panel {
    let top: Double
    let height: Double
    let title: String
    var bottom: Double { top + height }
  }

  init(_ series: EvidenceSeries?, _ record: Chronicle.RolloutRecord) {
    self.init(
      series?.points ?? [], hasControl: series?.control != nil, marks: Self.marks(record),
      end: record.condemnation?.sentence)
  }

  /// - Parameters:
  ///   - marks: sorted by time.
  ///   - end: how it ended, in one sentence; nil when nothing was decided.
  init(_ points: [EvidencePoint], hasControl: Bool, marks: [Mark], end: String?) {
    guard let first = points.first, let last = points.last, points.count > 1 else {
      fragment = ""
      hasPoints = false
      return
    }
    hasPoints = true
    let columns = Self.columns(points)
    let begin = min(first.at - .seconds(1), marks.first?.at ?? first.at)
    let axis = Axis(
      from: begin, to: max(last.at, marks.last?.at ?? last.at), left: Self.left, right: Self.width - Self.right)
    let labels = Labels(marks, axis)
    let top = 14 + Double(labels.rows) * 15
    let bad = Panel(top: top + 16, height: 130, title: "Bad responses a second (failed or slow)")
    let tests = Panel(top: bad.bottom + 40, height: 130, title: "Evidence against the new version (log e-value)")
    let load = Panel(top: tests.bottom + 40, height: 46, title: "Requests a second")
    var svg = labels.svg(bottom: load.bottom)
    svg += Self.rates(columns, bad, axis, hasControl: hasControl) { Double($0.errors + $0.slow) }
    svg += Self.tests(columns, tests, axis)
    svg += Self.rates(columns, load, axis, hasControl: hasControl, isPlain: true) { Double($0.requests) }
    svg += axis.svg(at: load.bottom)
    let height = load.bottom + 30
    let summary = Self.summary(points, end)
    fragment = """
      <svg class="picture" viewBox="0 0 \(Int(Self.width)) \(Int(height))" role="img" \
      xmlns="http://www.w3.org/2000/svg"><title>\(summary)</title>\(svg)</svg>
      """
  }

  /// For use as an image, with its style inside.
  var document: String {
    document("<style>\(String(decoding: PackageResources.picture_css, as: UTF8.self))</style>")
  }

  /// - Parameter first: what the document begins with, before anything is drawn.
  func document(_ first: String) -> String {
    let empty = """
      <svg viewBox="0 0 760 60" role="img" xmlns="http://www.w3.org/2000/svg">\
      <text x="10" y="34">No request has reached this version yet.</text></svg>
      """
    let svg = hasPoints ? fragment : empty
    guard let end = svg.firstIndex(of: ">") else { return svg }
    let after = svg.index(after: end)
    return svg[..<after] + first + svg[after...]
  }

  // MARK: What is drawn

  /// One column of the picture; `seconds` is how long it lasted.
  private struct Column {
    let at: Instant
    let seconds: Double
    let canary: RequestCounts
    let control: RequestCounts
    let evidence: [RuleEvidence]
  }

  private static func columns(_ points: [EvidencePoint]) -> [Column] {
    let share = max(1, (points.count + columnLimit - 1) / columnLimit)
    var columns: [Column] = []
    guard var before = points.begin else { return [] }
    for start in stride(from: 0, to: points.count, by: share) {
      let group = points[start..<min(start + share, points.count)]
      guard let last = group.last else { continue }
      let zero = RequestCounts.zero
      columns.append(
        Column(
          at: last.at, seconds: max((last.at - before).seconds, 0.05),
          canary: group.reduce(zero) { $0 + $1.canary }, control: group.reduce(zero) { $0 + $1.control },
          evidence: last.evidence))
      before = last.at
    }
    return columns
  }

  struct Mark {
    let at: Instant
    let words: String
    let isStep: Bool
  }

  private static func marks(_ record: Chronicle.RolloutRecord) -> [Mark] {
    var marks = record.steps.map { Mark(at: $0.at, words: "\($0.percent) %", isStep: true) }
    if let report = record.report {
      if let firstBad = report.firstBadAt { marks.append(Mark(at: firstBad, words: "first bad", isStep: false)) }
      marks.append(Mark(at: report.detectedAt, words: "detected", isStep: false))
      marks.append(Mark(at: report.decidedAt, words: "decided", isStep: false))
      let words = report.restoredAt == nil ? "closed" : "restored"
      marks.append(Mark(at: report.endedAt, words: words, isStep: false))
    } else if let condemnation = record.condemnation {
      marks.append(Mark(at: condemnation.decidedAt, words: "decided", isStep: false))
      if let restored = record.restoredAt { marks.append(Mark(at: restored, words: "restored", isStep: false)) }
    }
    if let completed = record.completedAt { marks.append(Mark(at: completed, words: "known-good", isStep: false)) }
    return marks.sorted { $0.at < $1.at }
  }

  private static func summary(_ points: [EvidencePoint], _ end: String?) -> String {
    let canary = points.reduce(RequestCounts.zero) { $0 + $1.canary }
    let control = points.reduce(RequestCounts.zero) { $0 + $1.control }
    let end = end.map { " \($0)" } ?? ""
    return escaped(
      "New: \(canary.errors + canary.slow) bad of \(canary.requests) requests; old: \(control.errors + control.slow) "
        + "of \(control.requests).\(end)")
  }

  private static func rates(
    _ columns: [Column], _ panel: Panel, _ axis: Axis, hasControl: Bool, isPlain: Bool = false,
    _ value: (RequestCounts) -> Double
  ) -> String {
    let new = columns.map { (at: $0.at, value: value($0.canary) / $0.seconds) }
    let old = columns.map { (at: $0.at, value: value($0.control) / $0.seconds) }
    let most = max((new + old).map(\.value).max() ?? 0, 1)
    let scale = Scale(from: 0, to: most * 1.08, panel.top, panel.bottom)
    var svg = frame(panel, scale, ticks: isPlain ? [0, nice(most)] : [0, nice(most / 2), nice(most)])
    if hasControl { svg += line(old, axis, scale, kind: "old", isStepped: true) }
    svg += area(new, axis, scale)
    svg += line(new, axis, scale, kind: "new", isStepped: true)
    guard !isPlain else { return svg }
    var names = [("new", "new version")]
    if hasControl { names.append(("old", "old version")) }
    return svg + legend(names, panel)
  }

  private static func tests(_ columns: [Column], _ panel: Panel, _ axis: Axis) -> String {
    let rules = Rule.allCases.filter { rule in columns.contains { $0.evidence.contains { $0.rule == rule } } }
    let thresholds = Array(Set(columns.flatMap(\.evidence).map(\.threshold))).sorted()
    let highest = thresholds.last ?? 1
    // Evidence for health may sink without end; only the way up is of interest.
    let most = max(highest * 1.25, min(columns.flatMap(\.evidence).map(\.logEvidence).max() ?? 0, highest * 2) * 1.05)
    let scale = Scale(from: -highest * 0.35, to: most, panel.top, panel.bottom)
    var svg = frame(panel, scale, ticks: [0])
    for threshold in thresholds.suffix(1) {
      let y = scale.y(threshold)
      svg += """
        <line class="threshold" x1="\(point(left))" x2="\(point(width - right))" y1="\(point(y))" y2="\(point(y))"/>\
        <text class="tick strong" x="\(point(left - 6))" y="\(point(y + 4))" text-anchor="end">\
        \(String(format: "%.1f", threshold))</text>\
        <text class="note" x="\(point(left + 6))" y="\(point(y - 5))">threshold: above it, it is bad</text>
        """
    }
    for rule in rules {
      let path = columns.compactMap { column in
        column.evidence.first { $0.rule == rule }.map { evidence in
          // Rules may have thresholds of their own; each is drawn in proportion to the one that is shown.
          (at: column.at, value: evidence.logEvidence * highest / max(evidence.threshold, 0.001))
        }
      }
      svg += line(path, axis, scale, kind: "rule-\(rule.rawValue)", isStepped: false)
    }
    return svg + legend(rules.map { ("rule-\($0.rawValue)", name($0)) }, panel)
  }

  private static func name(_ rule: Rule) -> String {
    switch rule {
    case .errorRate: "error rate"
    case .latency: "latency"
    case .ceiling: "ceiling"
    case .throughput: "throughput"
    case .memory: "memory"
    case .processor: "processor time"
    case .check: "check"
    }
  }

  // MARK: Strokes

  private static func frame(_ panel: Panel, _ scale: Scale, ticks: [Double]) -> String {
    var svg = """
      <text class="title" x="\(point(left))" y="\(point(panel.top - 9))">\(escaped(panel.title))</text>\
      <rect class="frame" x="\(point(left))" y="\(point(panel.top))" width="\(point(width - left - right))" \
      height="\(point(panel.height))"/>
      """
    for tick in Set(ticks).sorted() {
      let y = scale.y(tick)
      svg += """
        <line class="grid" x1="\(point(left))" x2="\(point(width - right))" y1="\(point(y))" y2="\(point(y))"/>\
        <text class="tick" x="\(point(left - 6))" y="\(point(y + 4))" text-anchor="end">\(tickWords(tick))</text>
        """
    }
    return svg
  }

  private static func line(
    _ values: [(at: Instant, value: Double)], _ axis: Axis, _ scale: Scale, kind: String, isStepped: Bool
  ) -> String {
    "<path class=\"line \(kind)\" d=\"\(path(values, axis, scale, isStepped: isStepped))\"/>"
  }

  private static func area(_ values: [(at: Instant, value: Double)], _ axis: Axis, _ scale: Scale) -> String {
    guard let first = values.first, let last = values.last else { return "" }
    let base = point(scale.y(0))
    return "<path class=\"area\" d=\"\(path(values, axis, scale, isStepped: true))L\(point(axis.x(last.at))) \(base)"
      + "L\(point(axis.x(first.at))) \(base)Z\"/>"
  }

  private static func path(
    _ values: [(at: Instant, value: Double)], _ axis: Axis, _ scale: Scale, isStepped: Bool
  ) -> String {
    var path = ""
    for (index, item) in values.enumerated() {
      let (x, y) = (axis.x(item.at), scale.y(item.value))
      if index == 0 {
        path += "M\(point(x)) \(point(y))"
      } else if isStepped {
        path += "V\(point(y))H\(point(x))"
      } else {
        path += "L\(point(x)) \(point(y))"
      }
    }
    return path
  }

  /// At the right above the panel.
  private static func legend(_ names: [(kind: String, words: String)], _ panel: Panel) -> String {
    var svg = ""
    var x = width - right
    for (kind, words) in names.reversed() {
      x -= Double(words.count) * 6.4
      svg += "<text class=\"legend\" x=\"\(point(x))\" y=\"\(point(panel.top - 9))\">\(escaped(words))</text>"
      x -= 32
      let y = point(panel.top - 13)
      svg += "<path class=\"line \(kind)\" d=\"M\(point(x)) \(y)L\(point(x + 26)) \(y)\"/>"
      x -= 14
    }
    return svg
  }

  /// Labels over the marks, each in the first row where it fits, so that none covers another.
  private struct Labels {
    private var placed: [(mark: Mark, words: String, x: Double, row: Int)] = []
    private(set) var rows = 1

    init(_ marks: [Mark], _ axis: Axis) {
      var merged: [(mark: Mark, words: String, x: Double)] = []
      for mark in marks {
        let x = axis.x(mark.at)
        // Decided is usually a few milliseconds after detected: one line then, with both names.
        if let last = merged.last, x - last.x < 3, last.mark.isStep == mark.isStep {
          merged[merged.count - 1].words += ", \(mark.words)"
        } else {
          merged.append((mark, mark.words, x))
        }
      }
      var ends: [Double] = []
      for item in merged {
        let length = Double(item.words.count) * 6.6
        let start = Self.start(item.x, length)
        let row = ends.firstIndex { $0 < start } ?? ends.count
        if row == ends.count { ends.append(0) }
        ends[row] = start + length + 8
        placed.append((item.mark, item.words, item.x, row))
      }
      rows = max(ends.count, 1)
    }

    /// Left of the mark where there is no room to its right.
    private static func start(_ x: Double, _ length: Double) -> Double {
      x + length + 4 > width - right ? x - length - 4 : x + 4
    }

    func svg(bottom: Double) -> String {
      placed.map { item in
        let y = 14 + Double(item.row) * 15
        // Left of its mark a label ends there, however wide the reader's font is.
        let isLeft = Self.start(item.x, Double(item.words.count) * 6.6) < item.x
        let place =
          isLeft ? "x=\"\(point(item.x - 4))\" text-anchor=\"end\"" : "x=\"\(point(item.x + 4))\""
        let kind = item.mark.isStep ? "step" : "mark"
        return """
          <line class="\(kind)" x1="\(point(item.x))" x2="\(point(item.x))" y1="\(point(y - 9))" y2="\(point(bottom))"/>\
          <text class="\(kind)-name" \(place) y="\(point(y))">\(escaped(item.words))</text>
          """
      }.joined()
    }
  }

  private struct Axis {
    let from: Instant
    let to: Instant
    let left: Double
    let right: Double

    func x(_ instant: Instant) -> Double {
      let whole = max((to - from).seconds, 0.001)
      return left + (right - left) * (instant - from).seconds / whole
    }

    /// Seconds or minutes since the left edge, at most seven of them.
    func svg(at y: Double) -> String {
      let seconds = (to - from).seconds
      let steps: [Double] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200]
      let step = steps.first { seconds / $0 <= 7 } ?? (seconds / 7)
      return stride(from: 0, through: seconds, by: step).map { offset in
        let x = x(from + .seconds(offset))
        let words = offset == 0 ? "0" : offset < 120 ? "\(Int(offset)) s" : "\(Int(offset / 60)) min"
        return """
          <line class="grid" x1="\(point(x))" x2="\(point(x))" y1="\(point(y))" y2="\(point(y + 4))"/>\
          <text class="tick" x="\(point(x))" y="\(point(y + 18))" text-anchor="middle">\(words)</text>
          """
      }.joined()
    }
  }

  private struct Scale {
    let from: Double
    let to: Double
    let top: Double
    let bottom: Double
    init(from: Double, to: Double, _ top: Double, _ bottom: Double) {
      self.from = from
      self.to = to
      self.top = top
      self.bottom = bottom
    }
    /// Values beyond the scale are drawn at its edge.
    func y(_ value: Double) -> Double {
      bottom - (bottom - top) * (min(max(value, from), to) - from) / max(to - from, 1e-9)
    }
  }

  // MARK: Numbers

  private static func point(_ value: Double) -> String { String(format: "%.1f", value) }
  /// The largest of 1, 2 or 5 times a power of ten that is not above `value`.
  private static func nice(_ value: Double) -> Double {
    guard value > 0 else { return 0 }
    let power = pow(10, (log10(value)).rounded(.down))
    return ([5.0, 2, 1].first { $0 * power <= value } ?? 1) * power
  }
  private static func tickWords(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(format: "%.1f", value)
  }
  /// XML has no place for control characters, which a person's reason may hold.
  private static func escaped(_ text: String) -> String {
    String(text.map { character in (character.asciiValue ?? 0x20) < 0x20 ? " " : character })
      .replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
