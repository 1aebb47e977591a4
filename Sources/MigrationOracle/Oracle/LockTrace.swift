import Kernel
import Migrations

/// L6: which locks the migration takes on tables that were there before, and how long it keeps them.
final class LockTrace {
  private(set) var locks: [MigrationReport.TakenLock] = []
  private(set) var findings: [Finding] = []

  private let connection: PostgresConnection
  private let existing: [UInt32: Schema.Relation]
  private let sizes: [String: TableSize]
  private let lockTimeout: Span
  private var files: [UInt32: UInt32]
  /// What the transaction under way holds; empty between transactions.
  private var held: [UInt32: Held] = [:]
  private var toldSeveral = false
  private var transaction = ""

  private struct Held {
    var mode: String
    var spot: SourceSpot
    /// Work done since the lock was taken, the statement that took it included.
    var seconds = 0.0
    var told = false
  }

  /// Strongest first, as far as they stop traffic (PostgreSQL manual, 13.3.1).
  private static let strong = [
    "AccessExclusiveLock", "ExclusiveLock", "ShareRowExclusiveLock", "ShareLock", "ShareUpdateExclusiveLock",
  ]

  /// What a table's work costs, for tables whose size is known; on the careful side of what PostgreSQL 15 did on two
  /// cores beside other work (2 million rows, 252 MB, two indexes): 85,000 rows updated, 1.7 million indexed and 8 to
  /// 14 million scanned each second; storage rewritten at 51 MB/s.
  private enum Rate {
    /// Also for rows that an INSERT takes out of another table.
    static let updatedRows = 85_000.0
    static let indexedRows = 1_000_000.0
    static let scannedRows = 5_000_000.0
    static let rewrittenBytes = 50_000_000.0
  }

  init(_ connection: PostgresConnection, before: Schema, sizes: [TableSize], lockTimeout: Span) {
    self.connection = connection
    existing = Dictionary(before.relations.filter { $0.isTable || $0.kind == "m" }.map { ($0.oid, $0) }) { first, _ in
      first
    }
    self.sizes = Dictionary(sizes.map { (TableSize.key(schema: $0.schema, table: $0.table), $0) }) { first, _ in first }
    self.lockTimeout = lockTimeout
    files = existing.mapValues(\.file)
  }

  /// Statements whose locks are those of any application.
  private static let quiet: Set<String> = [
    "InsertStmt", "SelectStmt", "CommentStmt", "VariableSetStmt", "TransactionStmt",
  ]

  /// Looks at what the backend holds after a statement, inside its transaction.
  func note(_ statement: MigrationStatement) throws {
    guard !statement.isBulk, !isQuiet(statement.tree) else { return }
    guard connection.inTransaction else {
      held = [:]
      return noteConcurrent(statement)
    }
    let rows = try connection.query(
      """
      SELECT pg_current_xact_id(), l.relation, l.mode, coalesce(c.relfilenode, 0) FROM pg_locks l
      LEFT JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      """
    ).rows
    if let now = rows.first?.first ?? nil, now != transaction {
      transaction = now
      held = [:]
      toldSeveral = false
    }
    var rewritten: Set<UInt32> = []
    var taken: [UInt32: String] = [:]
    for row in rows {
      guard let oid = row[1].flatMap(UInt32.init), existing[oid] != nil, let mode = row[2],
        let rank = Self.strong.firstIndex(of: mode)
      else { continue }
      if let file = row[3].flatMap(UInt32.init), file != 0, file != files[oid] {
        rewritten.insert(oid)
        files[oid] = file
      }
      if let other = taken[oid], let otherRank = Self.strong.firstIndex(of: other), otherRank <= rank { continue }
      taken[oid] = mode
    }
    for oid in taken.keys.sorted() {
      guard let mode = taken[oid], let relation = existing[oid] else { continue }
      if held[oid]?.mode != mode || rewritten.contains(oid) {
        locks.append(
          MigrationReport.TakenLock(
            table: relation.label, mode: mode, rows: size(relation)?.rows, rewritten: rewritten.contains(oid),
            migration: statement.spot))
      }
      if held[oid]?.mode != mode {
        held[oid] = Held(mode: mode, spot: statement.spot, seconds: held[oid]?.seconds ?? 0)
      }
    }
    noteSeveral(statement)
    try weigh(statement, rewritten: rewritten)
  }

  /// An INSERT out of another table may take as long as that is large.
  private func isQuiet(_ tree: SQLNode?) -> Bool {
    guard let tree, Self.quiet.contains(tree.kind ?? "") else { return false }
    if tree.kind == "InsertStmt", Self.readsRows(tree) { return false }
    var isQuiet = true
    // A WITH may change rows.
    tree.walk { kind, _ in
      if ["UpdateStmt", "DeleteStmt", "MergeStmt"].contains(kind) { isQuiet = false }
    }
    return isQuiet
  }

  /// In whatever branch of a UNION, subquery or WITH. The branches of a UNION are fields, not nodes of the grammar.
  private static func readsRows(_ tree: SQLNode) -> Bool {
    switch tree {
    case .object(let fields): !tree.items("fromClause").isEmpty || fields.values.contains(where: readsRows)
    case .array(let items): items.contains(where: readsRows)
    case .string, .integer, .double, .boolean, .null: false
    }
  }

  /// Whoever takes two tables in one transaction meets whoever takes them in the other order.
  private func noteSeveral(_ statement: MigrationStatement) {
    let strong = held.filter { $0.value.mode != "ShareUpdateExclusiveLock" }
    guard !toldSeveral, strong.count > 1, strong.values.contains(where: { $0.mode == "AccessExclusiveLock" }) else {
      return
    }
    toldSeveral = true
    let tables = strong.keys.compactMap { existing[$0]?.label }.sorted()
    findings.append(
      Finding(
        .note, .locks, rule: "locks-several-tables",
        "one transaction locks \(tables.joined(separator: " and ")): a client that uses them in another order may"
          + " deadlock with it",
        migration: statement.spot,
        instead: "One table to a transaction where that is possible, and a lock_timeout below deadlock_timeout (1 s):"
          + " then the migration gives way and not the client."))
  }

  /// Statements that run outside of a transaction leave nothing to look at; their lock is known from the manual.
  private func noteConcurrent(_ statement: MigrationStatement) {
    guard statement.tree?.refusesTransaction == true, let fields = statement.tree?.node?.fields,
      let name = fields["relation"]?.string("relname"),
      let relation = existing.values.first(where: { $0.name == name })
    else { return }
    locks.append(
      MigrationReport.TakenLock(
        table: relation.label, mode: "ShareUpdateExclusiveLock", rows: size(relation)?.rows, rewritten: false,
        migration: statement.spot))
  }

  private func size(_ relation: Schema.Relation) -> TableSize? {
    sizes[TableSize.key(schema: relation.schema, table: relation.name)]
  }

  // MARK: Predicted stall

  /// Adds the statement's work to every lock that is held while it runs.
  private func weigh(_ statement: MigrationStatement, rewritten: Set<UInt32>) throws {
    let (seconds, unknown) = try work(statement, rewritten: rewritten)
    for oid in held.keys.sorted() {
      guard var lock = held[oid], lock.mode != "ShareUpdateExclusiveLock", let relation = existing[oid] else {
        continue
      }
      lock.seconds += seconds
      let stops = lock.mode == "AccessExclusiveLock" ? "reads and writes" : "writes"
      if lock.seconds > lockTimeout.seconds, !lock.told {
        lock.told = true
        let rate = size(relation)?.executionsPerSecond.map { ", about \(Int($0 * lock.seconds)) statements" } ?? ""
        findings.append(
          Finding(
            .hazard, .locks, rule: "lock-stall",
            "\(lock.mode) on \(relation.label) is held for about \(Self.shown(lock.seconds)) s: \(stops) on it wait\(rate)",
            migration: lock.spot, instead: Advice.shorterLock(statement.tree)))
      } else if unknown, rewritten.contains(oid), !lock.told, size(relation) == nil {
        lock.told = true
        findings.append(
          Finding(
            .note, .locks, rule: "rewrite-of-unknown-size",
            "\(relation.label) is written anew under \(lock.mode); give its size to learn for how long \(stops) wait",
            migration: statement.spot, instead: Advice.shorterLock(statement.tree)))
      }
      held[oid] = lock
    }
  }

  private static func shown(_ seconds: Double) -> String {
    seconds < 10 ? "\((seconds * 10).rounded() / 10)" : "\(Int(seconds.rounded()))"
  }

  /// Seconds that a statement works on tables of known size, and whether it works on one of unknown size.
  private func work(
    _ statement: MigrationStatement, rewritten: Set<UInt32>
  ) throws -> (seconds: Double, unknown: Bool) {
    var seconds = 0.0
    var unknown = false
    for oid in rewritten.sorted() {
      guard let relation = existing[oid], statement.tree?.kind != "TruncateStmt" else { continue }
      if let size = size(relation) { seconds += Double(size.bytes) / Rate.rewrittenBytes } else { unknown = true }
    }
    if statement.tree?.kind == "InsertStmt" {
      let names = StatementReading.of(statement.text).tables.map(\.name)
      let rows = existing.values.filter { names.contains($0.name) }.compactMap { size($0)?.rows }.max()
      return (seconds + Double(rows ?? 0) / Rate.updatedRows, unknown)
    }
    guard let node = statement.tree?.node, let name = node.fields["relation"]?.string("relname"),
      let relation = existing.values.filter({ $0.name == name }).min(by: { $0.oid < $1.oid })
    else { return (seconds, unknown) }
    guard let rows = size(relation)?.rows else { return (seconds, true) }
    switch node.kind {
    case "IndexStmt": seconds += Double(rows) / Rate.indexedRows
    case "UpdateStmt", "DeleteStmt": seconds += Double(rows) / Rate.updatedRows
    case "AlterTableStmt":
      for command in node.fields.items("cmds").compactMap({ $0.fields(of: "AlterTableCmd") }) {
        let constraint = command["def"]?.fields(of: "Constraint")
        switch command.string("subtype") {
        case "AT_AddConstraint"
        where constraint?["indexname"] == nil && !(constraint?.isTrue("skip_validation") ?? false):
          let unique = ["CONSTR_UNIQUE", "CONSTR_PRIMARY"].contains(constraint?.string("contype"))
          seconds += Double(rows) / (unique ? Rate.indexedRows : Rate.scannedRows)
        case "AT_SetNotNull":
          if try isChecked(command.string("name") ?? "", of: relation) { break }
          seconds += Double(rows) / Rate.scannedRows
        case "AT_ValidateConstraint": seconds += Double(rows) / Rate.scannedRows
        default: break
        }
      }
    default: break
    }
    return (seconds, unknown)
  }

  /// Whether a validated check says already that the column is never NULL, so that no row is read (ALTER TABLE, SET NOT
  /// NULL).
  private func isChecked(_ column: String, of relation: Schema.Relation) throws -> Bool {
    try connection.query(
      """
      SELECT 1 FROM pg_constraint WHERE conrelid = $1::oid AND contype = 'c' AND convalidated
        AND pg_get_expr(conbin, conrelid) = '(' || quote_ident($2) || ' IS NOT NULL)'
      """, ["\(relation.oid)", column]
    ).first != nil
  }
}
