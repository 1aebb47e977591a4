import Foundation
import Kernel
import Migrations

/// What `pg_stat_statements` counted, exported by `psql --csv`: at least `query` and `calls`, perhaps `rolname`.
enum StatementStatistics {
  static func read(_ text: String, of file: FoundFile, into reading: inout ImportedStatements) throws(Refusal) {
    let records = try CSVFile.records(of: text, in: file)
    guard let heading = records.first?.fields.map({ $0.lowercased() }), let query = heading.firstIndex(of: "query"),
      let calls = heading.firstIndex(of: "calls")
    else {
      throw Refusal(
        .malformed,
        "\(file.path):1: the heading must have query and calls; export with"
          + " psql --csv -c 'SELECT query, calls FROM pg_stat_statements'.")
    }
    let role = heading.firstIndex(of: "rolname")
    for record in records.dropFirst() {
      guard record.fields.count == heading.count else {
        throw Refusal(
          .malformed,
          "\(file.path):\(record.line): \(record.fields.count) fields, the heading has \(heading.count).")
      }
      let counted = record.fields[calls]
      guard let count = Int(counted), count >= 0 else {
        throw Refusal(
          .malformed, "\(file.path):\(record.line): the calls are '\(counted)'; a whole number belongs here.")
      }
      if record.fields[query] == "<insufficient privilege>" {
        throw Refusal(
          .malformed,
          "\(file.path):\(record.line): the server hid the statements; export as a member of pg_read_all_stats.")
      }
      guard count > 0 else { continue }
      reading.take(
        record.fields[query], count: count, source: .statistics, role: role.map { record.fields[$0] })
    }
  }
}

enum CSVFile {
  static func records(of text: String, in file: FoundFile) throws(Refusal) -> [CommaSeparated.Record] {
    do {
      return try CommaSeparated.records(of: text)
    } catch {
      throw Refusal(.malformed, "\(file.path):\(error.line):\(error.column): \(error.what).")
    }
  }
}
