import Foundation
import Kernel
import Migrations

/// Statements in the server's log as CSV (PostgreSQL 15 documentation, 20.8.4), written with `log_statement = all` or
/// `log_min_duration_statement = 0`.
enum ServerLog {
  /// Columns of the log, from 0.
  private enum Column {
    static let user = 1
    static let severity = 11
    static let message = 13
    static let detail = 14
    /// The fewest columns that a server since 9.0 writes.
    static let least = 23
  }

  static func read(_ text: String, of file: FoundFile, into reading: inout ImportedStatements) throws(Refusal) {
    var passedOver = 0
    for record in try CSVFile.records(of: text, in: file) {
      guard record.fields.count >= Column.least else {
        throw Refusal(
          .malformed,
          "\(file.path):\(record.line): \(record.fields.count) columns; the server's log as CSV has 23 or more"
            + " (log_destination = csvlog).")
      }
      guard record.fields[Column.severity] == "LOG", let statement = statement(in: record.fields[Column.message]) else {
        passedOver += 1
        continue
      }
      let samples = values(in: record.fields[Column.detail])
      reading.take(
        statement, samples: samples.isEmpty ? [] : [samples], source: .log, role: record.fields[Column.user])
    }
    if passedOver > 0 { reading.notes.append("\(file.path): \(passedOver) lines hold no statement.") }
  }

  private static func statement(in message: String) -> String? {
    // `duration: 0.1 ms  statement: …`, `execute name: …`, `execute fetch from name: …`; `parse` and `bind` lines say
    // the same statement a second time.
    let told = /(?:duration: [0-9.]+ ms\s+)?(?:statement|execute (?:fetch from )?[^:]*):\s/
    guard let match = message.prefixMatch(of: told) else { return nil }
    return String(message[match.range.upperBound...])
  }

  /// `parameters: $1 = '5', $2 = NULL`, quotes doubled inside of values.
  private static func values(in detail: String) -> [SampleValue] {
    guard let begin = detail.prefixMatch(of: /[Pp]arameters:\s/) else { return [] }
    var values: [SampleValue] = []
    for match in detail[begin.range.upperBound...].matches(of: /\$[0-9]+ = (?:(NULL)|'((?:[^']|'')*)')/) {
      if match.1 != nil {
        values.append(.null)
      } else if let quoted = match.2 {
        values.append(.text(String(quoted).replacing("''", with: "'")))
      }
    }
    return values
  }
}
