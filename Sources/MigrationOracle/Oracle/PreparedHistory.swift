import Crypto
import Foundation
import Migrations

/// A history that was built once: its database, its schema, the rows put into it and the role that statements run as.
struct PreparedHistory: Sendable {
  var database: String
  var schema: Schema
  var hash: String
  var role: ApplicationRole?
  var remarks: [MigrationApplier.Remark]
  /// Why it could not be built to its end.
  var failure: MigrationApplier.Failure?
  /// The first rows of each table.
  var rows: ExistingRows.Known = [:]
  /// Tables that stayed without rows, with the reason.
  var gaps: [String]

  static func build(
    _ history: [MigrationFile], role: String?, on connection: PostgresConnection, database: String
  ) throws -> PreparedHistory {
    var applier = MigrationApplier(connection, relaxesSeededRows: false)
    if let failure = try applier.apply(history) {
      return PreparedHistory(
        database: database, schema: Schema(), hash: "", role: nil, remarks: applier.remarks, failure: failure, gaps: [])
    }
    let schema = try SchemaReader.read(connection)
    let hash = schema.hash
    let chosen = try ApplicationRole.prepare(
      named: role, in: connection, schema: schema, mark: database.replacing("plimsoll_template_", with: ""))
    let seeded = try SeededRows.sow(connection, schema: schema)
    // Read again: the role's rights are part of what is compared.
    let prepared = try SchemaReader.read(connection)
    return PreparedHistory(
      database: database, schema: prepared, hash: hash, role: chosen, remarks: applier.remarks, failure: nil,
      rows: try ExistingRows.read(connection, prepared.relations.filter(\.isTable)),
      gaps: seeded.gaps.map { "\($0.table): \($0.reason)" })
  }

  /// Equal for equal histories.
  static func key(_ history: [MigrationFile], role: String?) -> String {
    var hash = SHA256()
    hash.update(data: Data((role ?? "").utf8))
    for file in history {
      hash.update(data: Data("\u{0}\(file.path)\u{0}\(file.transaction.rawValue)".utf8))
      for statement in file.statements {
        hash.update(data: Data("\u{0}\(statement.text)\u{0}\(statement.data ?? "")".utf8))
      }
    }
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

/// Histories built so far on one server.
actor PreparedHistories {
  private let server: ShadowServer
  private var known: [String: Task<PreparedHistory, any Error>] = [:]

  init(_ server: ShadowServer) { self.server = server }

  func prepare(_ history: [MigrationFile], role: String?) async throws -> PreparedHistory {
    let key = PreparedHistory.key(history, role: role)
    if let task = known[key] { return try await task.value }
    let server = server
    let task = Task {
      try await server.template { connection, database in
        try PreparedHistory.build(history, role: role, on: connection, database: database)
      }
    }
    known[key] = task
    do {
      return try await task.value
    } catch {
      known[key] = nil
      throw error
    }
  }

  func forget() async {
    let all = known.values
    known = [:]
    for task in all {
      if let history = try? await task.value { await server.forget(history.database) }
    }
  }
}
