import Kernel

/// Rounds as a picture: a lane a fault, a bar a round, shortest first, each split into its parts. Scalable vector
/// graphics, complete in itself.
enum RollbackPicture {
  private static let labelWidth = 190
  private static let plotWidth = 640
  private static let headHeight = 62
  private static let laneGap = 14
  /// A bar of few rounds is thick enough to see, and a lane of many is not higher than a page.
  private static let barHeights = 1.0...8.0
  private static let laneHeight = 90.0

  private static let parts: [(name: String, colour: String, ms: @Sendable (RollbackBenchReport.Round) -> Int64)] = [
    ("detection", "rgb(110,150,200)", { $0.detectionMs }),
    ("decision", "rgb(235,170,60)", { $0.decisionMs }),
    ("actuation", "rgb(190,70,70)", { $0.actuationMs }),
  ]

  static func svg(_ report: RollbackBenchReport) -> String {
    let longest = report.rounds.map(\.restoredMs).max() ?? 0
    let span = max(longest, RollbackBenchReport.p99Limit.milliseconds) * 21 / 20
    func x(_ ms: Int64) -> Int { labelWidth + Int(Int64(plotWidth) * ms / max(span, 1)) }
    var lines: [String] = []
    var y = Double(headHeight)
    for row in report.rows {
      let rounds = report.rounds.filter { $0.fault == row.fault }.sorted { $0.restoredMs < $1.restoredMs }
      let bar = min(max(laneHeight / Double(rounds.count), barHeights.lowerBound), barHeights.upperBound)
      let height = bar * Double(rounds.count)
      let median = row.restored?.p50 ?? .zero
      lines.append(#"<text x="6" y="\#(Int(y + height / 2 + 4))">\#(row.fault), median \#(median.tenths)</text>"#)
      for (index, round) in rounds.enumerated() {
        let top = y + bar * Double(index)
        var from: Int64 = 0
        for part in parts where part.ms(round) > 0 {
          let to = from + part.ms(round)
          lines.append(
            #"<rect x="\#(x(from))" y="\#(top)" width="\#(max(x(to) - x(from), 1))" height="\#(bar * 0.85)" "#
              + #"fill="\#(part.colour)"/>"#)
          from = to
        }
      }
      lines.append(line(x(median.milliseconds), from: y - 2, to: y + height + 2, "black"))
      y += max(height, Double(laneGap)) + Double(laneGap)
    }
    let limits = [RollbackBenchReport.medianLimit, RollbackBenchReport.p99Limit]
    let ruled = limits.flatMap { limit in
      [
        line(x(limit.milliseconds), from: Double(headHeight - 8), to: y, "rgb(190,70,70)", dashed: true),
        #"<text x="\#(x(limit.milliseconds) + 3)" y="\#(headHeight - 10)">\#(Int(limit.seconds)) s</text>"#,
      ]
    }
    return ([head(height: Int(y) + 6)] + titles(report) + lines + ruled + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func head(height: Int) -> String {
    #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(labelWidth + plotWidth + 10) \#(height)" "#
      + #"font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>"#
  }

  private static func titles(_ report: RollbackBenchReport) -> [String] {
    let load = report.load
    let title =
      "First bad response to fully restored: \(Int(load.canaryPerSecond)) requests/s on the new version, "
      + "\(load.baselineErrorPercent) % usual errors"
    let legend = parts.enumerated().map { index, part in
      #"<rect x="\#(labelWidth + index * 90)" y="26" width="10" height="10" fill="\#(part.colour)"/>"#
        + #"<text x="\#(labelWidth + index * 90 + 14)" y="35">\#(part.name)</text>"#
    }
    return [#"<text x="6" y="16" font-size="13">\#(title)</text>"#] + legend
  }

  private static func line(_ x: Int, from: Double, to: Double, _ colour: String, dashed: Bool = false) -> String {
    #"<line x1="\#(x)" x2="\#(x)" y1="\#(from)" y2="\#(to)" stroke="\#(colour)"\#(dashed ? #" stroke-dasharray="4 3""# : "")/>"#
  }
}
