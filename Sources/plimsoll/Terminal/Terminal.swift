import Foundation

/// What standard output can do. Colour and redrawing only on a terminal that wants them (`NO_COLOR`, `TERM=dumb`).
struct Terminal: Sendable {
  let isInteractive: Bool
  let hasColour: Bool

  static let standard = Terminal()

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    isInteractive = isatty(1) == 1 && environment["TERM"] != "dumb"
    hasColour = isInteractive && (environment["NO_COLOR"] ?? "").isEmpty
  }

  enum Tone: String {
    case good = "32"
    case bad = "31"
    case warning = "33"
    case quiet = "2"
    case strong = "1"
  }

  func paint(_ text: String, _ tone: Tone) -> String {
    hasColour ? "\u{1B}[\(tone.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// Replaces the line written last; on something that is no terminal it does nothing.
  func progress(_ text: String) {
    guard isInteractive else { return }
    write("\r\u{1B}[2K" + String(text.prefix(Self.width - 1)))
  }

  func clearProgress() {
    if isInteractive { write("\r\u{1B}[2K") }
  }

  func clearScreen() {
    if isInteractive { write("\u{1B}[H\u{1B}[2J") }
  }

  func line(_ text: String = "") { write(text + "\n") }

  /// A reader that went away (`plimsoll observe | head`) is told nothing more; a server that told it goes on.
  private func write(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }

  static var width: Int {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 100 }
    return Int(size.ws_col)
  }
}

/// Prints rows under headings, each column as wide as its widest cell.
func printTable(_ headings: [String], _ rows: [[String]], to terminal: Terminal = .standard) {
  let widths = headings.indices.map { column in
    ([headings] + rows).map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  func render(_ row: [String]) -> String {
    row.enumerated().map { index, cell in
      index == row.count - 1 ? cell : cell.padding(toLength: widths[index], withPad: " ", startingAt: 0)
    }.joined(separator: "  ")
  }
  terminal.line(terminal.paint(render(headings), .quiet))
  for row in rows { terminal.line(render(row)) }
}

func printJSON(_ value: some Encodable) throws {
  try FileHandle.standardOutput.write(contentsOf: try JSONEncoder.report.encode(value) + Data("\n".utf8))
}

extension JSONEncoder {
  /// For people and for comparison: one key a line, in order.
  static var report: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}

/// `3 min ago`, `in 20 s`; the largest unit that matters.
func ago(_ atMs: Int64, now: Date = Date()) -> String {
  let seconds = (now.timeIntervalSince1970 * 1000 - Double(atMs)) / 1000
  let size = abs(seconds)
  let words =
    size < 60
    ? "\(Int(size)) s"
    : size < 3600 ? "\(Int(size / 60)) min" : size < 86_400 ? "\(Int(size / 3600)) h" : "\(Int(size / 86_400)) d"
  return seconds >= 0 ? "\(words) ago" : "in \(words)"
}
