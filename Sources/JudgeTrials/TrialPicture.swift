/// Tallies as a picture: a row a cell, a column a contender, the darker the more deploys were rolled back. Scalable
/// vector graphics, complete in itself.
package enum TrialPicture {
  private static let labelWidth = 250
  private static let columnWidth = 112
  private static let rowHeight = 18
  private static let headHeight = 44

  /// - Parameters:
  ///   - title: plain text without `<` and `&`.
  ///   - rows: in order; each has the same contenders.
  package static func svg(title: String, rows: [(cell: Cell, tallies: [Tally])]) -> String {
    let contenders = rows.first?.tallies.map(\.contender) ?? []
    let width = labelWidth + columnWidth * contenders.count + 10
    let height = headHeight + rowHeight * rows.count + 10
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(width) \#(height)" font-family="sans-serif" font-size="11">"#,
      #"<rect width="100%" height="100%" fill="white"/>"#,
      #"<text x="6" y="16" font-size="13">\#(title)</text>"#,
    ]
    for (column, contender) in contenders.enumerated() {
      lines.append(#"<text x="\#(labelWidth + column * columnWidth + 4)" y="36">\#(contender.rawValue)</text>"#)
    }
    for (row, entry) in rows.enumerated() {
      let y = headHeight + row * rowHeight
      lines.append(#"<text x="6" y="\#(y + 13)">\#(entry.cell.name)</text>"#)
      for (column, tally) in entry.tallies.enumerated() {
        let x = labelWidth + column * columnWidth
        lines.append(
          #"<rect x="\#(x)" y="\#(y)" width="\#(columnWidth - 2)" height="\#(rowHeight - 2)" "#
            + #"fill="\#(fill(tally, isHealthy: entry.cell.worsening <= 1))"/>"#)
        lines.append(#"<text x="\#(x + 4)" y="\#(y + 13)">\#(words(tally))</text>"#)
      }
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func fill(_ tally: Tally, isHealthy: Bool) -> String {
    let depth = 240 - Int(140 * min(tally.share, 1).squareRoot())
    return isHealthy ? "rgb(250,\(depth),\(depth))" : "rgb(\(depth),235,\(depth))"
  }

  /// "0.24 %", and the median where there is one.
  private static func words(_ tally: Tally) -> String {
    let hundredths = Int((tally.share * 10_000).rounded())
    let fraction = hundredths % 100
    let share = "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) %"
    return tally.seconds(for: 0.5).map { "\(share), \(Int($0.rounded(.up))) s" } ?? share
  }
}
