import Migrations

/// Which statement of the migration did it: on a database before the migration each statement is applied in turn, and
/// what is broken at the end is tried after each, inside the migration's own transaction.
struct Attribution {
  enum Probe: Sendable {
    /// Executed where an execution is given, else only planned.
    case statement(Candidate, role: String, Trial.Execution?)
    /// Executed; it failed where it touches no row.
    case effect(Candidate, role: String, Trial.Execution)
    /// SQL whose one value is true once it has happened.
    case condition(String)
    /// A statement's result columns, as they were before.
    case shape(Candidate, role: String, columns: [StatementShape.Column])
  }

  private let connection: PostgresConnection

  init(_ connection: PostgresConnection) { self.connection = connection }

  /// Whether the migration is tried in one transaction that is rolled back.
  static func leavesNothing(_ files: [MigrationFile]) -> Bool {
    files.count == 1 && files.allSatisfy { $0.transaction == .one }
  }

  /// - Returns: for each probe the statement after which it first failed; nil where none did.
  func find(_ probes: [Probe], in files: [MigrationFile]) throws -> [MigrationStatement?] {
    var found = [MigrationStatement?](repeating: nil, count: probes.count)
    var open = Array(probes.indices)
    var applier = MigrationApplier(connection, relaxesSeededRows: true)
    let connection = connection
    applier.afterStatement = { statement in
      guard !statement.isBulk, !Self.harmless.contains(statement.tree?.kind ?? "") else { return }
      open = try open.filter { index in
        guard try Self.hasFailed(probes[index], connection, index) else { return true }
        found[index] = statement
        return false
      }
    }
    applier.rollsBack = Self.leavesNothing(files)
    _ = try applier.apply(files)
    return found
  }

  private static let harmless: Set<String> = ["SelectStmt", "CommentStmt", "VariableSetStmt", "TransactionStmt"]
  private static let savepoint = "plimsoll_probe"

  private static func hasFailed(_ probe: Probe, _ connection: PostgresConnection, _ index: Int) throws -> Bool {
    let inside = connection.inTransaction
    try connection.query(inside ? "SAVEPOINT \(savepoint)" : "BEGIN; SAVEPOINT \(savepoint)")
    defer {
      _ = try? connection.query(inside ? "ROLLBACK TO \(savepoint); RELEASE \(savepoint)" : "ROLLBACK")
    }
    switch probe {
    case .condition(let sql):
      do {
        return try connection.query(sql).first == "t"
      } catch is PostgresError {
        return false
      }
    case .statement(let candidate, let role, let execution):
      let reply = try prepare(candidate, role, execution, connection, index)
      // An arrangement that fails tries nothing.
      let arranged = lead..<lead + (execution?.lead ?? 0)
      return reply.error != nil && !arranged.contains(reply.answers.count)
    case .effect(let candidate, let role, let execution):
      let reply = try prepare(candidate, role, execution, connection, index)
      let place = lead + execution.lead
      return reply.error != nil || reply.answers.indices.contains(place) && reply.answers[place].affected == 0
    case .shape(let candidate, let role, let columns):
      let reply = try prepare(candidate, role, nil, connection, index)
      return reply.error != nil || !reply.answers.contains { $0.shape.columns == columns }
    }
  }

  /// Messages before what a probe executes.
  private static let lead = 4

  private static func prepare(
    _ candidate: Candidate, _ role: String, _ execution: Trial.Execution?, _ connection: PostgresConnection,
    _ index: Int
  ) throws -> PostgresConnection.Reply {
    let name = "probe\(index)"
    let path = candidate.statement.searchPath ?? "\"$user\", public"
    var segment: [PostgresConnection.Message] = [
      .run("SET LOCAL ROLE \(quoted(role))"), .run("SET LOCAL search_path = \(path)"),
      .prepare(name: name, text: candidate.text, types: candidate.types), .describe(name: name),
    ]
    if let execution {
      segment += execution.messages(name: name, enter: .run("SET LOCAL ROLE \(quoted(role))"))
      segment.append(.run("SET CONSTRAINTS ALL IMMEDIATE"))
    }
    let first = try connection.pipeline([segment])
    guard var reply = first.first else { return .init() }
    if reply.error == nil, execution == nil, candidate.reading.isPlanned {
      let count = reply.answers.last?.shape.parameters.count ?? 0
      let nulls = count == 0 ? "" : "(" + Array(repeating: "NULL", count: count).joined(separator: ", ") + ")"
      reply.error = try connection.pipeline([[.run("EXPLAIN (COSTS OFF) EXECUTE \(name)\(nulls)")]]).first?.error
    }
    // Prepared statements outlive the transaction, so each probe's name is given back.
    if reply.answers.count > 2 {
      if connection.transactionFailed { try connection.query("ROLLBACK TO \(savepoint)") }
      try connection.query("DEALLOCATE \(name)")
    }
    return reply
  }
}
