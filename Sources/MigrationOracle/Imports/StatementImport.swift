import Foundation
import Kernel
import Migrations

/// Statements of one version, read from what a team has already: its own recording, checked-in queries, a log.
package struct StatementImport: Equatable, Sendable {
  package let form: Form
  package let statements: [CapturedStatement]
  /// Statements that a recorder saw and did not keep, and entries that hold one and cannot be read, at least.
  package let leftOut: Int
  /// What was passed over and why, a sentence each.
  package let notes: [String]

  /// How the source is laid out.
  package enum Form: String, Codable, CaseIterable, Sendable {
    /// JSON lines of `plimsoll db record`.
    case recording
    /// A folder `.sqlx` with `query-*.json`, or one `sqlx-data.json`.
    case sqlx
    /// Code that sqlc made, or its queries with `-- name: X :one`.
    case sqlc
    /// CSV with a heading that has `query` and `calls`.
    case statistics = "pg_stat_statements"
    /// The server's log as CSV (`log_destination = csvlog`).
    case log = "csvlog"
    /// Statements with semicolons between.
    case sql
  }

  /// - Parameters:
  ///   - path: a file or a folder.
  ///   - form: found by looking when left out.
  /// - Throws: `Refusal` when nothing can be read; a part that cannot is a note.
  package init(reading path: String, form: Form? = nil) throws(Refusal) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Refusal(
        .unknown, "There is no \(path); name a recording, a .sqlx folder, sqlc's code, a CSV or a .sql file.")
    }
    var reading = ImportedStatements(path: path)
    let files = isFolder.boolValue ? try Self.files(below: path) : [FoundFile(in: path)]
    let form = if let form { form } else { try Self.form(of: files, in: path) }
    self.form = form
    for file in files where form.reads(file) { try form.read(try file.text(), of: file, into: &reading) }
    guard !reading.statements.isEmpty else {
      throw Refusal(
        .malformed, "\(path) holds no statement in the form \(form.rawValue); name another form or another place.")
    }
    statements = reading.statements
    leftOut = reading.leftOut
    notes = reading.notes
  }

  private static func files(below path: String) throws(Refusal) -> [FoundFile] {
    guard let all = FileManager.default.enumerator(atPath: path) else {
      throw Refusal(.unknown, "\(path) cannot be read; check who may.")
    }
    return all.compactMap { $0 as? String }.filter { $0.contains(".") && !$0.hasSuffix("/") }.sorted()
      .map { FoundFile(in: path, relative: $0) }
  }

  private static func form(of files: [FoundFile], in path: String) throws(Refusal) -> Form {
    for file in files {
      if let form = try Form(of: file) { return form }
    }
    throw Refusal(
      .malformed,
      "\(path) is in no form that is known: \(Form.allCases.map(\.rawValue).joined(separator: ", ")); name one.")
  }
}

/// What has been read so far.
struct ImportedStatements {
  let path: String
  var statements: [CapturedStatement] = []
  var leftOut = 0
  var notes: [String] = []

  mutating func take(
    _ text: String, name: String? = nil, types: [UInt32] = [], samples: [[SampleValue]] = [], count: Int = 1,
    source: StatementSource, role: String? = nil
  ) {
    let trimmed = SQLParser.readable(text.trimmingCharacters(in: .whitespacesAndNewlines))
    guard !trimmed.isEmpty else { return }
    statements.append(
      CapturedStatement(
        fingerprint: SQLParser.fingerprint(trimmed), text: trimmed, name: name, parameterTypes: types,
        samples: samples, count: max(count, 1), source: source, role: role))
  }
}

extension StatementImport.Form {
  /// What a file's name and beginning say; nil where they say nothing.
  init?(of file: FoundFile) throws(Refusal) {
    let name = file.relative.split(separator: "/").last.map(String.init) ?? file.relative
    switch name.split(separator: ".").last?.lowercased() {
    case "jsonl": self = .recording
    case "json": if name.hasPrefix("query-") || name == "sqlx-data.json" { self = .sqlx } else { return nil }
    case "csv":
      let heading = try file.text().prefix { !$0.isNewline }.lowercased()
      self = heading.contains("query") && heading.contains("calls") ? .statistics : .log
    case "sql": self = try NamedQuery.isIn(file.text()) ? .sqlc : .sql
    case "go", "kt", "py", "ts", "java", "cs": if try NamedQuery.isIn(file.text()) { self = .sqlc } else { return nil }
    default: return nil
    }
  }

  /// Whether a file of a folder can hold statements in this form.
  func reads(_ file: FoundFile) -> Bool {
    let name = file.relative.lowercased()
    return switch self {
    case .recording: name.hasSuffix(".jsonl")
    case .sqlx: name.hasSuffix(".json")
    case .statistics, .log: name.hasSuffix(".csv")
    case .sql: name.hasSuffix(".sql")
    case .sqlc: [".sql", ".go", ".kt", ".py", ".ts", ".java", ".cs"].contains { name.hasSuffix($0) }
    }
  }

  func read(_ text: String, of file: FoundFile, into reading: inout ImportedStatements) throws(Refusal) {
    switch self {
    case .recording: try RecordedStatements.read(text, of: file, into: &reading)
    case .sqlx: try SQLxQueries.read(text, of: file, into: &reading)
    case .sqlc: NamedQuery.read(text, of: file, into: &reading)
    case .statistics: try StatementStatistics.read(text, of: file, into: &reading)
    case .log: try ServerLog.read(text, of: file, into: &reading)
    case .sql:
      for statement in SQLParser.split(text, file: file.path) {
        reading.take(statement.text, source: .sql)
      }
    }
  }
}
