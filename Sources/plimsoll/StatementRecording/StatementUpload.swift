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

  /// Of one part; the server takes 8 MiB, and a statement has up to 1 MiB.
  static let partBytes = 4 << 20
  static let type = "application/jsonl"

  /// - Returns: what the server decided: a sentence for each database that learnt something.
  /// - Throws: `Failure` when the server refuses it; `Unreached` or `Outage` when it is away.
  func send(_ recording: Recording) async throws -> Receipt {
    guard recording.heading.policy == .types else { throw Self.holdsValues }
    let path = "/v1/statements/\(component(service))/\(component(digest))"
    var all = Receipt(decided: [], positions: [])
    for part in try Self.parts(of: recording, at: Self.partBytes) {
      let receipt: Receipt = try await client.send(path, part, type: Self.type)
      all.decided += receipt.decided
      all.positions += receipt.positions
    }
    return all
  }

  static let holdsValues = Refusal(
    .malformed,
    "The recording keeps values (--policy keep), which may be secrets, and the server shows what it holds to whoever "
      + "can read it: record with --policy types.")

  /// Recordings of their own, each of at most about `limit` bytes. How statements follow each other stays here.
  static func parts(of recording: Recording, at limit: Int) throws -> [Data] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func line(_ line: RecordingLine) throws -> Data { try encoder.encode(line) + [UInt8(ascii: "\n")] }
    let heading = try line(.heading(recording.heading))
    var parts: [Data] = []
    var (part, count) = (heading, 0)
    func ended() throws -> Data {
      try part + line(.end(RecordingLine.End(statements: count, transactions: 0)))
    }
    for statement in recording.statements {
      let next = try line(.statement(statement))
      if count > 0, part.count + next.count > limit {
        parts.append(try ended())
        (part, count) = (heading, 0)
      }
      part += next
      count += 1
    }
    return parts + [try ended()]
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
    self.init(
      heading: Heading(version: path, policy: .types),
      statements: imported.statements.compactMap { captured in
        // Constants are values; a text whose constants cannot be told from the rest stays here.
        guard let text = SQLParser.normalise(captured.text) else { return nil }
        return RecordedStatement(
          fingerprint: captured.fingerprint, text: text, transport: .extended,
          parameterTypes: captured.parameterTypes, count: captured.count, role: captured.role,
          searchPath: captured.searchPath)
      })
  }
}
