import Migrations

/// Runs migrations as their tool would: each file in the transaction it asks for, statement by statement, so that the
/// one that fails is known.
struct MigrationApplier {
  let connection: PostgresConnection
  /// Whether a statement that fails on rows that were made up is tried again without them.
  let relaxesSeededRows: Bool
  /// Whether a file's transaction is rolled back at its end.
  var rollsBack = false
  /// Called after each statement, still inside its transaction.
  var afterStatement: (MigrationStatement) throws -> Void = { _ in }

  /// What was done besides, for the reader: roles that were created, commands that were left out.
  private(set) var remarks: [Remark] = []
  /// What took made-up rows away. Whoever compares with the schema before takes them away there too: else a row that
  /// is missing on one side only looks like the migration's doing.
  private(set) var thinnings: [String] = []

  struct Remark: Equatable, Sendable {
    var rule: String
    var message: String
    var spot: SourceSpot
    var kind = Finding.Kind.note
    var sqlState: String?
  }

  struct Failure: Sendable {
    var statement: MigrationStatement
    var error: PostgresError
    var cause: Cause

    enum Cause: Equatable, Sendable {
      /// The migration is at fault.
      case migration
      /// The extension is not installed on this machine.
      case extensionMissing(String)
      /// It cannot be told on a shadow: a command of psql, SQL that this server does not read, a time limit.
      case untold
    }
  }

  init(_ connection: PostgresConnection, relaxesSeededRows: Bool) {
    self.connection = connection
    self.relaxesSeededRows = relaxesSeededRows
  }

  private static let savepoint = "plimsoll_statement"

  /// - Returns: nil when all ran; else the statement that did not, with its transaction rolled back.
  mutating func apply(_ files: [MigrationFile]) throws -> Failure? {
    for file in files {
      if let failure = try apply(file) {
        if connection.inTransaction { try connection.query("ROLLBACK") }
        return failure
      }
      // What a file set for its session must not reach the next: tools open a session for each run.
      try connection.query("RESET ALL; RESET ROLE")
    }
    return nil
  }

  private mutating func apply(_ file: MigrationFile) throws -> Failure? {
    if file.transaction == .one { try connection.query("BEGIN") }
    for statement in file.statements {
      if let failure = try run(statement) { return failure }
    }
    guard connection.inTransaction, let last = file.statements.last else {
      if connection.inTransaction { try connection.query("COMMIT") }
      return nil
    }
    guard file.transaction == .one else {
      try connection.query("ROLLBACK")
      remarks.append(
        Remark(
          rule: "transaction-left-open",
          message: "\(file.path) opens a transaction and does not commit it: its work is lost",
          spot: last.spot))
      return nil
    }
    do {
      try connection.query(rollsBack ? "ROLLBACK" : "COMMIT")
      return nil
    } catch let error as PostgresError {
      return Failure(statement: last, error: error, cause: .migration)
    }
  }

  private mutating func run(_ statement: MigrationStatement) throws -> Failure? {
    if statement.metaCommand == .harmless { return nil }
    if statement.metaCommand == .decisive {
      let error = PostgresError(sqlState: "42601", message: statement.syntaxError?.message ?? "a command of psql")
      return Failure(statement: statement, error: error, cause: .untold)
    }
    if let reason = Self.leftOut(statement.tree) {
      remarks.append(Remark(rule: "left-out", message: reason, spot: statement.spot))
      return nil
    }
    // Each mending changes something, so the loop ends: a role is made once, rows are taken away twice.
    var mendings = 0
    let alone =
      !connection.inTransaction && statement.data == nil && !statement.isBulk && statement.tree != nil
      && statement.tree?.refusesTransaction == false && statement.tree?.fields(of: "TransactionStmt") == nil
      && !["CallStmt", "DoStmt", "VariableSetStmt"].contains(statement.tree?.kind)
    while let error = try alone ? attemptAlone(statement) : attempt(statement) {
      mendings += 1
      if mendings > Self.maximalMendings { return failure(statement, error) }
      switch try mend(statement, error, turn: mendings) {
      case .again: continue
      case .skip: return nil
      case .no: return failure(statement, error)
      }
    }
    try afterStatement(statement)
    guard alone, connection.inTransaction else { return nil }
    do {
      try connection.query("COMMIT")
      return nil
    } catch let error as PostgresError {
      return failure(statement, error)
    }
  }

  private static let maximalMendings = 16

  /// Outside of a transaction a statement gets one of its own where it may have one, so that `afterStatement` can look.
  private func attemptAlone(_ statement: MigrationStatement) throws -> PostgresError? {
    try connection.query("BEGIN")
    let error = try attempt(statement)
    if error != nil { try connection.query("ROLLBACK") }
    return error
  }

  private func attempt(_ statement: MigrationStatement) throws -> PostgresError? {
    // Rows in bulk do not need one each: nothing about them is mended.
    let guarded = connection.inTransaction && statement.tree?.fields(of: "TransactionStmt") == nil && !statement.isBulk
    do {
      if guarded { try connection.query("SAVEPOINT \(Self.savepoint)") }
      if let data = statement.data {
        try connection.copy(statement.text, data: data)
      } else {
        try connection.query(statement.text)
      }
      // A statement may have ended the transaction, or SET what forbids the release: then there is none.
      if guarded, connection.inTransaction { try connection.query("RELEASE \(Self.savepoint)") }
      return nil
    } catch let error as PostgresError {
      if guarded, connection.inTransaction { try connection.query("ROLLBACK TO \(Self.savepoint)") }
      return error
    }
  }

  private enum Mending { case again, skip, no }

  private mutating func mend(_ statement: MigrationStatement, _ error: PostgresError, turn: Int) throws -> Mending {
    if error.sqlState == "42704", let role = error.message.firstMatch(of: /^role "(.+)" does not exist$/)?.1 {
      if statement.tree?.kind == "DropRoleStmt" { return .no }
      if connection.transactionFailed { return .no }
      do {
        try connection.query("CREATE ROLE \(quoted(String(role))) NOLOGIN")
      } catch let error as PostgresError where ["42710", "23505"].contains(error.sqlState) {
        // Another check on the same server made it between the two statements.
      }
      remarks.append(
        Remark(
          rule: "role-created",
          message: "the role \(role) does not exist in the shadow and was created there, without rights",
          spot: statement.spot))
      return .again
    }
    // Roles belong to the server, not to the database: another history on it may have them, or hold on to them.
    if statement.tree?.kind == "CreateRoleStmt", error.sqlState == "42710" { return .skip }
    if statement.tree?.kind == "DropRoleStmt", error.sqlState == "2BP01" { return .skip }
    // Two checks that grant to one role meet in the shared catalog.
    if error.message == "tuple concurrently updated" { return .again }
    guard relaxesSeededRows, ["22", "23"].contains(error.category) else { return .no }
    return try thinOut(statement, error, turn: turn)
  }

  /// A migration that fails on rows that were made up may hold on the real ones: it is tried with one row in the table,
  /// then with none, and what it failed on is told.
  private mutating func thinOut(_ statement: MigrationStatement, _ error: PostgresError, turn: Int) throws -> Mending {
    guard let table = Self.altered(statement.tree), !connection.transactionFailed, turn <= 2 else { return .no }
    let certain = error.sqlState == "23502" && Self.addsColumn(statement.tree)
    do {
      let condition = turn == 1 && !certain ? "WHERE ctid <> (SELECT min(ctid) FROM \(table))" : ""
      // A row that refers to none gets a parent, so that what refers to parents is tried as well.
      let adoption = error.sqlState == "23503" && turn == 1 ? try adoption(statement.tree, table) : nil
      let change = adoption ?? "DELETE FROM \(table) \(condition)"
      let thinning = "SET session_replication_role = replica; \(change); RESET session_replication_role"
      try connection.query(thinning)
      thinnings.append(thinning)
    } catch is PostgresError {
      return .no
    }
    if certain {
      remarks.append(
        Remark(
          rule: "fails-on-rows", message: "it fails on every table that has a row: \(error.message)",
          spot: statement.spot,
          kind: .breaks, sqlState: error.sqlState))
    } else if turn == 1 {
      remarks.append(
        Remark(
          rule: "depends-on-data",
          message: "it failed on rows that were made up (\(error)), so whether it runs depends on production's rows",
          spot: statement.spot))
    }
    return .again
  }

  /// SQL that lets all rows of the table refer to a row that is there, for the foreign keys that a statement adds.
  private func adoption(_ tree: SQLNode?, _ table: String) throws -> String? {
    let keys = (tree?.fields(of: "AlterTableStmt")?.items("cmds") ?? []).compactMap {
      $0.fields(of: "AlterTableCmd")?["def"]?.fields(of: "Constraint")
    }.filter { $0.string("contype") == "CONSTR_FOREIGN" }
    var sets: [String] = []
    for key in keys {
      guard let target = key["pktable"], let name = target.string("relname") else { continue }
      let parent = (target.string("schemaname").map { quoted($0) + "." } ?? "") + quoted(name)
      var targets = key.items("pk_attrs").flatMap(\.names)
      if targets.isEmpty {
        targets = try connection.query(
          "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
            + " WHERE i.indisprimary AND i.indrelid = \(literal(parent))::regclass"
            + " ORDER BY array_position(i.indkey::smallint[], a.attnum)"
        ).rows.compactMap { $0[0] }
      }
      let columns = key.items("fk_attrs").flatMap(\.names)
      guard !columns.isEmpty, columns.count == targets.count else { continue }
      sets.append(
        "(\(columns.map(quoted).joined(separator: ", "))) = (SELECT \(targets.map(quoted).joined(separator: ", "))"
          + " FROM \(parent) ORDER BY ctid LIMIT 1)")
    }
    return sets.isEmpty ? nil : "UPDATE \(table) SET \(sets.joined(separator: ", "))"
  }

  /// What is not for a shadow: whole databases, the server's settings, files.
  static func leftOut(_ tree: SQLNode?) -> String? {
    switch tree?.kind {
    case "CreatedbStmt", "DropdbStmt", "AlterDatabaseStmt", "AlterDatabaseSetStmt", "AlterDatabaseRefreshCollStmt":
      "a statement about whole databases was left out"
    case "AlterSystemStmt": "ALTER SYSTEM was left out: it would change the shadow server"
    case "CheckPointStmt": "CHECKPOINT was left out"
    default: nil
    }
  }

  /// Then any row at all makes it fail that wants a value: that is no matter of data.
  private static func addsColumn(_ tree: SQLNode?) -> Bool {
    tree?.fields(of: "AlterTableStmt")?.items("cmds").contains {
      $0.fields(of: "AlterTableCmd")?.string("subtype") == "AT_AddColumn"
    } ?? false
  }

  private static func altered(_ tree: SQLNode?) -> String? {
    guard let node = tree?.node else { return nil }
    guard let relation = node.fields["relation"], let name = relation.string("relname") else { return nil }
    return (relation.string("schemaname").map { quoted($0) + "." } ?? "") + quoted(name)
  }

  private func failure(_ statement: MigrationStatement, _ error: PostgresError) -> Failure {
    var cause = Failure.Cause.migration
    if let name = statement.tree?.fields(of: "CreateExtensionStmt")?.string("extname"),
      ["58P01", "0A000", "22023"].contains(error.sqlState)
    {
      cause = .extensionMissing(name)
    } else if ["42601", "57014"].contains(error.sqlState) {
      cause = .untold
    }
    return Failure(statement: statement, error: error, cause: cause)
  }
}
