/// Results of queue trials as pictures. Scalable vector graphics, complete in themselves; colours that people who see no
/// red or green tell apart (Okabe and Ito, "Color Universal Design", 2008).
package enum QueuePicture {
  /// A policy with two lengths, the shorter inside of the longer.
  package struct Bar: Equatable, Sendable {
    package let label: String
    package let low: Double
    package let high: Double
    package init(label: String, low: Double, high: Double) {
      self.label = label
      self.low = low
      self.high = high
    }
  }

  /// One policy's dots, or one dot.
  package struct Series: Equatable, Sendable {
    package let label: String
    package let points: [Point]
    package init(label: String, points: [Point]) {
      self.label = label
      self.points = points
    }
  }

  package struct Point: Equatable, Sendable {
    package let x: Double
    package let y: Double
    /// What is shown when a pointer rests on it.
    package let title: String
    package init(x: Double, y: Double, title: String) {
      self.x = x
      self.y = y
      self.title = title
    }
  }

  private static let colours = [
    "#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#7f3c8d", "#5d4037",
    "#827717",
  ]
  private static let labelWidth = 150.0
  private static let plotWidth = 560.0
  private static let plotHeight = 380.0
  private static let margin = 60.0

  // MARK: Bars

  /// - Parameter title: any text; it is escaped.
  package static func bars(title: String, _ bars: [Bar]) -> String {
    let most = max(bars.map(\.high).max() ?? 0, 1e-9)
    let rowHeight = 22.0
    let height = 50 + rowHeight * Double(bars.count)
    var lines = opening(width: labelWidth + plotWidth + 120, height: height, title: title)
    for (row, bar) in bars.enumerated() {
      let y = 36 + Double(row) * rowHeight
      lines.append(text(6, y + 13, bar.label))
      for (value, fill) in [(bar.high, "#b3d4ea"), (bar.low, "#0072b2")] {
        let width = plotWidth * max(value, 0) / most
        lines.append(
          #"<rect x="\#(plain(labelWidth))" y="\#(plain(y))" width="\#(plain(width))" height="16" fill="\#(fill)"/>"#)
      }
      lines.append(
        text(labelWidth + plotWidth * max(bar.high, 0) / most + 6, y + 13, "\(plain(bar.low)) / \(plain(bar.high))"))
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  // MARK: Dots

  /// Dots on two axes, each from 0; `marks` are lines that must be stayed below or left of.
  package static func dots(
    title: String, x: String, y: String, _ series: [Series], marks: (x: Double?, y: Double?) = (nil, nil)
  ) -> String {
    let all = series.flatMap(\.points)
    let width = margin + plotWidth + 190
    var lines = opening(width: width, height: plotHeight + 110, title: title)
    let mostX = niceTop([all.map(\.x).max(), marks.x].compactMap(\.self).max() ?? 1)
    let mostY = niceTop([all.map(\.y).max(), marks.y].compactMap(\.self).max() ?? 1)
    func atX(_ value: Double) -> Double { margin + plotWidth * value / mostX }
    func atY(_ value: Double) -> Double { 40 + plotHeight * (1 - value / mostY) }
    for step in 0...5 {
      let (valueX, valueY) = (mostX * Double(step) / 5, mostY * Double(step) / 5)
      lines.append(line(atX(valueX), 40, atX(valueX), 40 + plotHeight, "#e0e0e0"))
      lines.append(line(margin, atY(valueY), margin + plotWidth, atY(valueY), "#e0e0e0"))
      lines.append(text(atX(valueX) - 8, 56 + plotHeight, plain(valueX)))
      lines.append(text(18, atY(valueY) + 4, plain(valueY)))
    }
    if let mark = marks.x { lines.append(line(atX(mark), 40, atX(mark), 40 + plotHeight, "#d55e00")) }
    if let mark = marks.y { lines.append(line(margin, atY(mark), margin + plotWidth, atY(mark), "#d55e00")) }
    lines.append(text(margin + plotWidth / 2 - 60, 78 + plotHeight, x))
    lines.append(text(margin, 34, y))
    for (index, one) in series.enumerated() {
      let colour = colours[index % colours.count]
      for point in one.points {
        lines.append(
          #"<circle cx="\#(plain(atX(point.x)))" cy="\#(plain(atY(point.y)))" r="4" fill="\#(colour)">"#
            + "<title>\(escaped(point.title))</title></circle>")
      }
      let legend = 48 + Double(index) * 18
      lines.append(#"<circle cx="\#(plain(margin + plotWidth + 16))" cy="\#(plain(legend))" r="4" fill="\#(colour)"/>"#)
      lines.append(text(margin + plotWidth + 26, legend + 4, one.label))
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  // MARK: Shades

  /// A table whose cells are the darker the larger they are; 1 is darkest.
  package static func shades(
    title: String, columns: [String], rows: [(label: String, cells: [(words: String, depth: Double)])]
  ) -> String {
    let columnWidth = 112.0
    let width = 190 + columnWidth * Double(columns.count)
    var lines = opening(width: width, height: 60 + 18 * Double(rows.count), title: title)
    for (index, column) in columns.enumerated() {
      lines.append(text(180 + columnWidth * Double(index) + 4, 42, column))
    }
    for (row, entry) in rows.enumerated() {
      let y = 50 + 18 * Double(row)
      lines.append(text(6, y + 13, entry.label))
      for (index, cell) in entry.cells.enumerated() {
        let left = 180 + columnWidth * Double(index)
        let light = 245 - Int(140 * min(max(cell.depth, 0), 1))
        lines.append(
          #"<rect x="\#(plain(left))" y="\#(plain(y))" width="\#(plain(columnWidth - 2))" height="16" "#
            + #"fill="rgb(250,\#(light),\#(light))"/>"#)
        lines.append(text(left + 4, y + 12, cell.words))
      }
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  // MARK: Parts

  private static func opening(width: Double, height: Double, title: String) -> [String] {
    [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(plain(width)) \#(plain(height))" "#
        + #"font-family="sans-serif" font-size="11">"#,
      #"<rect width="100%" height="100%" fill="white"/>"#,
      #"<text x="6" y="16" font-size="13">\#(escaped(title))</text>"#,
    ]
  }

  private static func text(_ x: Double, _ y: Double, _ words: String) -> String {
    #"<text x="\#(plain(x))" y="\#(plain(y))">\#(escaped(words))</text>"#
  }

  private static func line(_ x: Double, _ y: Double, _ toX: Double, _ toY: Double, _ colour: String) -> String {
    #"<line x1="\#(plain(x))" y1="\#(plain(y))" x2="\#(plain(toX))" y2="\#(plain(toY))" stroke="\#(colour)"/>"#
  }

  /// The first of a few round numbers that is not below `value`.
  private static func niceTop(_ value: Double) -> Double {
    var power = 1.0
    while power * 10 <= value { power *= 10 }
    while power > value, power > 1e-6 { power /= 10 }
    return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map { $0 * power }.first { $0 >= value } ?? value
  }

  /// At most two digits after the point.
  static func plain(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }

  static func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
