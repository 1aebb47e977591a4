import API
import Foundation
import Kernel

/// The queue as a tree of branches off the trunk: one column an entry in order of the line, one row a CI run, a dot
/// where the run holds the entry, a ring where it leaves it out.
///
/// States never stand on colour alone: each has its symbol and its word.
struct QueuePicture: Sendable {
  let fragment: String
  let hasRows: Bool

  /// In viewBox units, which are pixels on a wide screen.
  private static let width = 760.0
  private static let left = 92.0
  private static let stateWidth = 158.0
  private static let rowHeight = 34.0
  private static let widestColumn = 84.0
  /// More columns than that cannot be told apart, more rows cannot be read.
  static let columnLimit = 12
  static let rowLimit = 16

  init(_ queue: QueueView, now: Instant) {
    let grid = Grid(queue.entries.prefix(Self.columnLimit).map(\.entry))
    let shown = Set(grid.columns)
    let rows = queue.builds.filter { build in
      // A run that ended in a way that is told elsewhere and holds nobody of these columns says nothing here.
      build.members.contains(where: shown.contains)
    }.prefix(Self.rowLimit)
    hasRows = !rows.isEmpty
    guard hasRows else {
      fragment = ""
      return
    }
    let bands = Self.bands(queue.entries.prefix(Self.columnLimit))
    let top = bands.isEmpty ? 40.0 : 62.0
    let height = top + Double(rows.count) * Self.rowHeight + 14
    var svg = ""
    for band in bands {
      let (x, end) = (grid.x(band.first) - grid.step / 2 + 4, grid.x(band.last) + grid.step / 2 - 4)
      svg += """
        <rect class="band" x="\(point(x))" y="4" width="\(point(end - x))" height="19" rx="4"/>\
        <text class="note" x="\(point((x + end) / 2))" y="18" text-anchor="middle">\(escaped(band.name))</text>
        """
    }
    for (index, entry) in queue.entries.prefix(Self.columnLimit).enumerated() {
      let x = grid.x(index)
      svg += """
        <a href="/changes/\(Short.part(queue.repository))/\(entry.entry)">\
        <text class="strong" x="\(point(x))" y="\(point(top - 14))" text-anchor="middle">#\(entry.entry)</text></a>\
        <path class="grid" d="M\(point(x)) \(point(top - 6))V\(point(height - 8))"/>
        """
    }
    let trunk = 22.0
    svg += """
      <text class="strong" x="8" y="\(point(top - 14))">\(escaped(String(queue.trunk.prefix(11))))</text>\
      <path class="trunk" d="M\(point(trunk)) \(point(top - 6))V\(point(height - 8))"/>
      """
    for (index, build) in rows.enumerated() {
      svg += grid.row(build, y: top + (Double(index) + 0.5) * Self.rowHeight, trunk: trunk, now: now)
    }
    fragment = """
      <svg class="picture queue-picture" viewBox="0 0 \(Int(Self.width)) \(Int(height))" role="img" \
      aria-label="\(escaped(Self.summary(queue, rows.count)))">\(svg)</svg>
      """
  }

  /// Where the columns stand.
  private struct Grid {
    /// Entries in order of the line.
    let columns: [Int]
    let step: Double

    init(_ columns: [Int]) {
      self.columns = columns
      step = min(
        QueuePicture.widestColumn,
        (QueuePicture.width - QueuePicture.left - QueuePicture.stateWidth) / Double(max(columns.count, 1)))
    }

    func x(_ index: Int) -> Double { QueuePicture.left + (Double(index) + 0.5) * step }

    func row(_ build: QueueBuildView, y: Double, trunk: Double, now: Instant) -> String {
      let (symbol, words) = QueuePicture.state(build, now: now)
      let members = build.members.compactMap(columns.firstIndex(of:))
      let last = members.last.map(x) ?? QueuePicture.left
      let corner = 12.0
      var svg = """
        <path class="branch state-\(build.state)" d="M\(point(trunk)) \(point(y - corner))\
        Q\(point(trunk)) \(point(y)) \(point(trunk + corner)) \(point(y))H\(point(last))"/>
        """
      for left in build.without.compactMap(columns.firstIndex(of:)) where x(left) < last {
        svg += circle("ring", at: left, y)
      }
      for member in members {
        svg += circle("dot state-\(build.state)", at: member, y)
      }
      let edge = QueuePicture.width - QueuePicture.stateWidth + 8
      let text =
        "<text class=\"label\" x=\"\(point(edge))\" y=\"\(point(y + 4))\">\(symbol) \(escaped(words))</text>"
      svg += build.log.map { "<a href=\"/logs/\(escaped($0))\">\(text)</a>" } ?? text
      return "<g><title>\(escaped(build.sentence))</title>\(svg)</g>"
    }

    private func circle(_ kind: String, at index: Int, _ y: Double) -> String {
      "<circle class=\"\(kind)\" cx=\"\(point(x(index)))\" cy=\"\(point(y))\" r=\"6\"/>"
    }
  }

  private static func state(_ build: QueueBuildView, now: Instant) -> (symbol: String, words: String) {
    let age = (now - Instant(milliseconds: build.sinceMs)).words
    let why = ["retry": "again, ", "search": "culprit search, ", "hotfix": "hotfix, "][build.purpose] ?? ""
    return switch build.state {
    case "running": ("●", "\(why)testing \(age)")
    case "waiting": ("○", "\(why)waits for a slot")
    case "merging": ("◌", "\(why)merging")
    case "passed": ("✓", "\(why)passed")
    case "failed": ("✕", "\(why)failed")
    case "conflicted": ("✕", "does not merge")
    default: ("·", build.state)
    }
  }

  /// Neighbours that share their first lane, where lanes are known.
  private static func bands(_ entries: ArraySlice<EntryView>) -> [(name: String, first: Int, last: Int)] {
    var bands: [(name: String, first: Int, last: Int)] = []
    for (index, entry) in entries.enumerated() {
      guard let lane = entry.lanes.first else { continue }
      let name = entry.lanes.count > 1 ? "\(lane) +\(entry.lanes.count - 1)" : lane
      if let last = bands.last, last.name == name, last.last == index - 1 {
        bands[bands.count - 1].last = index
      } else {
        bands.append((name, index, index))
      }
    }
    return bands
  }

  private static func summary(_ queue: QueueView, _ rows: Int) -> String {
    "\(queue.entries.count) changes wait for \(queue.trunk); \(rows) CI runs hold them: "
      + queue.builds.prefix(rowLimit).map(\.sentence).joined(separator: " ")
  }
}

private func point(_ value: Double) -> String { String(format: "%.1f", value) }
private func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}
