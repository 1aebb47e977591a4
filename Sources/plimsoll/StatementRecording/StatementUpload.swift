import API
import Foundation
import Kernel
import MigrationOracle
import Migrations
import StatementProxy

/// Hands what was recorded of one version to a server. Sending the same twice changes nothing.
struct StatementUpload: Sendable {
  let client: Client
  let service: String
  /// Of the artifact, or its first digits.
  let digest: String

  static let type = "application/jsonl"

  /// - Returns: what the server decided: a sentence for each database that learnt something.
  /// - Throws: `Failure` when the server refuses it; `Unreached` or `Outage` when it is away.
  func send(_ recording: Recording) async throws -> Receipt {
    try recording.mayLeave()
    return try await client.send(
      "/v1/statements/\(component(service))/\(component(digest))", try Self.body(of: recording), type: Self.type)
  }

  /// In one piece: of half of what a version sends nobody could tell that it is half. How statements follow each other
  /// stays here.
  static func body(of recording: Recording) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let end = RecordingLine.End(statements: recording.statements.count, transactions: 0)
    let lines =
      [RecordingLine.heading(recording.heading)] + recording.statements.map(RecordingLine.statement) + [.end(end)]
    return try lines.reduce(into: Data()) { $0 += try encoder.encode($1) + [UInt8(ascii: "\n")] }
  }
}

extension Recording {
  /// Any file or folder that `migrate check --statements` reads, as a recording.
  ///
  /// - Throws: `Refusal` for what cannot be read, and for a server's log, which holds values.
  init(importing path: String) throws(Refusal) {
    let imported = try StatementImport(reading: path)
    switch imported.form {
    case .recording:
      self = try RecordingFile(at: path).read()
      return
    case .log:
      throw Refusal(
        .malformed,
        "\(path) is a server's log, which holds values: send pg_stat_statements as CSV, or record with "
          + "'plimsoll db record'.")
    case .sqlx, .sqlc, .statistics, .sql: break
    }
    // Constants are values; a text whose constants cannot be told from the rest stays here, and is counted.
    let statements = imported.statements.compactMap { captured -> RecordedStatement? in
      guard let text = SQLParser.normalise(captured.text) else { return nil }
      return RecordedStatement(
        fingerprint: captured.fingerprint, text: text, transport: .extended,
        parameterTypes: captured.parameterTypes, count: captured.count, role: captured.role,
        searchPath: captured.searchPath)
    }
    var leftOut = LeftOut()
    leftOut.unreadableTexts = imported.leftOut + imported.statements.count - statements.count
    self.init(heading: Heading(version: path, policy: .types, leftOut: leftOut), statements: statements)
  }
}
