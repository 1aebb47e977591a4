/// A detector's score as a picture: for each kind of deploy the share that was rolled back and how long that took, and
/// below it recall by the size of the worsening. Scalable vector graphics, complete in itself.
package enum ScorePicture {
  private static let labelWidth = 190
  private static let barWidth = 300
  private static let timeWidth = 300
  private static let rowHeight = 18
  private static let headHeight = 58
  /// Seconds at the right end of the logarithmic axis of time.
  private static let longestSeconds = 600.0
  private static let chartHeight = 150

  /// - Parameter title: plain text without `<` and `&`.
  package static func svg(title: String, _ score: DetectorScore) -> String {
    let kinds = score.kinds.filter { $0.deploys > 0 }
    let width = labelWidth + barWidth + timeWidth + 90
    let chartTop = headHeight + rowHeight * kinds.count + 40
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(width) \#(chartTop + chartHeight + 40)" font-family="sans-serif" font-size="11">"#,
      #"<rect width="100%" height="100%" fill="white"/>"#,
      text(6, 16, title, size: 13),
      text(labelWidth, 40, "rolled back (red: needlessly)"),
      text(labelWidth + barWidth + 60, 40, "seconds to detect: median to 9 in 10; 1 to 600, logarithmic"),
    ]
    for (index, row) in kinds.enumerated() { lines += bars(row, y: headHeight + index * rowHeight) }
    lines += frontier(score, top: chartTop, width: width)
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func bars(_ row: DetectorScore.Row, y: Int) -> [String] {
    let caught = barWidth * row.caught / max(row.deploys, 1)
    let needless = barWidth * row.needless / max(row.deploys, 1)
    var lines = [
      text(6, y + 12, row.name),
      rectangle(labelWidth, y, barWidth, rowHeight - 4, "#eeeeee"),
      rectangle(labelWidth, y, caught, rowHeight - 4, "#7aa874"),
      rectangle(labelWidth + caught, y, row.needless > 0 ? max(needless, 2) : 0, rowHeight - 4, "#c0504d"),
      text(labelWidth + barWidth + 4, y + 12, "\(row.caught + row.needless)/\(row.deploys)"),
    ]
    if let median = row.seconds(for: 0.5), let most = row.seconds(for: 0.9) {
      let from = place(median)
      lines.append(rectangle(from, y + 2, max(place(most) - from, 3), rowHeight - 8, "#5b7fa6"))
    }
    return lines
  }

  private static func place(_ seconds: Int) -> Int {
    var doublings = 0.0
    // The logarithm without a library: what is left of a doubling is read as linear.
    var rest = Double(max(seconds, 1))
    while rest >= 2 {
      rest /= 2
      doublings += 1
    }
    var all = 0.0
    var longest = longestSeconds
    while longest >= 2 {
      longest /= 2
      all += 1
    }
    let part = (doublings + rest - 1) / (all + longest - 1)
    return labelWidth + barWidth + 60 + Int(Double(timeWidth) * min(part, 1))
  }

  private static func frontier(_ score: DetectorScore, top: Int, width: Int) -> [String] {
    var lines = [text(6, top - 10, "Share caught by the worsening, in times of the minimum detectable effect")]
    let column = (width - labelWidth) / max(score.frontier.count, 1)
    for (index, step) in score.frontier.enumerated() {
      let x = labelWidth + index * column
      let share = step.caught.value ?? 0
      let height = Int(Double(chartHeight) * share)
      lines.append(rectangle(x, top, column - 6, chartHeight, "#eeeeee"))
      lines.append(
        rectangle(
          x, top + chartHeight - height, column - 6, height,
          step.from >= DetectorScore.wantedTimes ? "#7aa874" : "#c9b458"))
      lines.append(text(x, top + chartHeight + 14, "from \(tenths(step.from))x"))
      lines.append(text(x, top + chartHeight + 28, "\(step.caught.hits)/\(step.caught.of)"))
    }
    return lines
  }

  private static func tenths(_ value: Double) -> String {
    value == value.rounded() ? "\(Int(value))" : "\(value)"
  }
  private static func text(_ x: Int, _ y: Int, _ words: String, size: Int = 11) -> String {
    #"<text x="\#(x)" y="\#(y)" font-size="\#(size)">\#(words)</text>"#
  }
  private static func rectangle(_ x: Int, _ y: Int, _ width: Int, _ height: Int, _ fill: String) -> String {
    #"<rect x="\#(x)" y="\#(y)" width="\#(width)" height="\#(height)" fill="\#(fill)"/>"#
  }
}
