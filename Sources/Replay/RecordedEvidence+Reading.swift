import Foundation
import Kernel

extension RecordedEvidence {
  /// Reads CSV with a heading, or JSON lines, told apart by the first character that is not white space.
  ///
  /// - Parameter file: its name, for messages.
  /// - Throws: `Refusal` with file and line for the first thing that cannot be read.
  package init(reading data: Data, file: String) throws(Refusal) {
    guard data.count <= Self.byteLimit else {
      throw Refusal(
        .malformed,
        "\(file) has \(data.count) bytes, more than \(Self.byteLimit); cut it to the deploy in question.")
    }
    guard let text = String(validatingUTF8Of: data) else {
      throw Refusal(.malformed, "\(file) is not UTF-8 text; export it as UTF-8.")
    }
    var lines = RecordedLines(file: file)
    let isJSON = text.first { !$0.isWhitespace } == "{"
    var heading: [String]?
    var number = 0
    // A carriage return and line feed are one character.
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      if line.allSatisfy(\.isWhitespace) || (!isJSON && line.hasPrefix("#")) { continue }
      if isJSON {
        try lines.take(try jsonFields(line, number, lines), line: number)
      } else if let heading {
        try lines.take(try csvFields(line, heading, number, lines), line: number)
      } else {
        heading = try csvHeading(line, number, lines)
      }
    }
    self = try lines.evidence()
  }
}

private let columns = ["second", "version", "requests", "errors", "slow", "event", "detail"]

/// - Throws: `Refusal` when a name is unknown: a misspelt `errors` would read as none.
private func checkName(_ name: String, _ number: Int, _ lines: RecordedLines) throws(Refusal) {
  guard !columns.contains(name) else { return }
  let hint = nearestMatch(to: name, among: columns).map { "; did you mean '\($0)'?" } ?? ""
  throw lines.fault(
    number, "no column is named '\(name.prefix(40))'\(hint); there are \(columns.joined(separator: ", "))")
}

// MARK: JSON lines

private func jsonFields(
  _ line: Substring, _ number: Int, _ lines: RecordedLines
) throws(Refusal) -> [String: String] {
  guard let value = try? JSONSerialization.jsonObject(with: Data(line.utf8)), let object = value as? [String: Any]
  else { throw lines.fault(number, "it is no JSON object; give one object a line") }
  var fields: [String: String] = [:]
  for (name, value) in object {
    try checkName(name, number, lines)
    switch value {
    case let text as String: fields[name] = text
    // Exact for whole numbers; "1.5" is refused where a count is read.
    case let number as NSNumber: fields[name] = number.stringValue
    case is NSNull: break
    default: throw lines.fault(number, "'\(name)' is neither text nor a number")
    }
  }
  return fields
}

// MARK: CSV (RFC 4180 without line breaks inside of quotes)

private func csvHeading(_ line: Substring, _ number: Int, _ lines: RecordedLines) throws(Refusal) -> [String] {
  let names = try csvCells(line, number, lines)
  for name in names { try checkName(name, number, lines) }
  guard names.contains("second"), names.contains("version"), names.contains("requests") else {
    throw lines.fault(
      number, "the heading must name at least second, version and requests, as in \(columns.joined(separator: ","))")
  }
  guard Set(names).count == names.count else { throw lines.fault(number, "the heading names a column twice") }
  return names
}

private func csvFields(
  _ line: Substring, _ heading: [String], _ number: Int, _ lines: RecordedLines
) throws(Refusal) -> [String: String] {
  let cells = try csvCells(line, number, lines)
  guard cells.count <= heading.count else {
    throw lines.fault(number, "it has \(cells.count) cells under \(heading.count) headings")
  }
  return Dictionary(zip(heading, cells), uniquingKeysWith: { first, _ in first })
}

private func csvCells(_ line: Substring, _ number: Int, _ lines: RecordedLines) throws(Refusal) -> [String] {
  do {
    return try CommaSeparated.cells(ofLine: line).map(\.trimmed)
  } catch {
    throw lines.fault(number, error.kind == .neverClosed ? "a quote is never closed" : error.what)
  }
}

extension String {
  fileprivate init?(validatingUTF8Of data: Data) {
    guard let text = String(data: data, encoding: .utf8) else { return nil }
    self = text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
  }
}
