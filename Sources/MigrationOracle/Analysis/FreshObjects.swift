import Migrations

/// What the migration has made, or renamed, up to the statement that is examined. By bare name: a migration that makes
/// two objects of one name in two schemas is rarer than one that names the schema in half of its statements.
struct FreshObjects {
  var tables: Set<String> = []
  var types: Set<String> = []
  var functions: Set<String> = []
  /// Views, indexes, sequences, constraints, triggers.
  var others: Set<String> = []
  /// Of tables that were there before.
  var columns: [MigrationIntent.Part: Column] = [:]
  /// The name before the migration, by the name since.
  var formerNames: [String: String] = [:]
  var rowSecurity: Set<String> = []
  /// Columns that a CHECK of this migration, which is in force for all rows, keeps from NULL.
  var notNullChecks: Set<MigrationIntent.Part> = []
  /// The same by constraint, not validated yet.
  var pendingNotNullChecks: [String: MigrationIntent.Part] = [:]
  /// Columns that were there before and are NOT NULL since.
  var setNotNull: Set<MigrationIntent.Part> = []
  /// Constraints that VALIDATE CONSTRAINT was said for.
  var validated: Set<String> = []

  struct Column {
    var hasDefault: Bool
    /// A default that may be the same in two rows.
    var hasConstantDefault: Bool
    var notNull: Bool
  }
}

extension Examination {
  /// A table of so few rows is read or rewritten in milliseconds; a lock for that long holds up nobody.
  static let smallTable = 10_000
  /// From here on even an instant ACCESS EXCLUSIVE is worth a `lock_timeout`: such a table has long readers to wait
  /// for, and everybody else then waits behind the waiting lock (GoCardless: the API stood still for 15 seconds).
  static let busyTable = 100_000

  enum Weight: Equatable {
    /// New, or known to be small.
    case none
    case unknown
    case rows(Int)

    /// For the end of a sentence, such as ` of 2000000 rows`.
    var said: String {
      if case .rows(let rows) = self { " of about \(rows) rows" } else { "" }
    }
  }

  func isFresh(_ table: QualifiedName) -> Bool { fresh.tables.contains(table.name) }

  func known(_ table: QualifiedName) -> Catalog.Table? {
    guard let catalog, !isFresh(table) else { return nil }
    let name = fresh.formerNames[table.name] ?? table.name
    return catalog.table(name, schema: table.schema)
      ?? catalog.tables.filter { $0.name == name && (table.schema == nil || $0.schema == table.schema) }.only
  }

  func known(_ column: String, of table: QualifiedName) -> Catalog.Column? {
    known(table)?.columns.first { $0.name == column }
  }

  func freshColumn(_ column: String, of table: QualifiedName) -> FreshObjects.Column? {
    fresh.columns[MigrationIntent.Part(table: table.name, name: column)]
  }

  /// Whether a catalog was given and has no such table.
  func isAbsent(_ table: QualifiedName) -> Bool {
    catalog != nil && !isFresh(table) && known(table) == nil
  }

  func weight(of table: QualifiedName) -> Weight {
    if isFresh(table) { return .none }
    guard let rows = known(table)?.rows else { return .unknown }
    return rows < Self.smallTable ? .none : .rows(rows)
  }

  /// `users.email`, for a sentence.
  func said(_ column: String, of table: QualifiedName) -> String { "\(table.said).\(column)" }

  func quoted(_ name: String) -> String { QualifiedName.quoted(name) }
}

extension Array {
  /// The element of a list of one.
  fileprivate var only: Element? { count == 1 ? first : nil }
}
