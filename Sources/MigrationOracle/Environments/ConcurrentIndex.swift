import Kernel

/// The index of a `CREATE INDEX CONCURRENTLY`, which stays behind invalid when that fails: it slows writes, helps no
/// read, and has the name that the next try needs.
struct ConcurrentIndex {
  enum State: Equatable { case absent, invalid, valid }

  let name: String
  private let table: String

  /// nil for other statements, and where the server chooses the name.
  init?(_ statement: MigrationStatement) {
    guard let fields = statement.tree?.fields(of: "IndexStmt"), fields.isTrue("concurrent"),
      let name = fields.string("idxname"), let relation = fields["relation"], let table = relation.string("relname")
    else { return nil }
    self.name = name
    self.table = (relation.string("schemaname").map { quoted($0) + "." } ?? "") + quoted(table)
  }

  func state(_ connection: PostgresConnection) throws -> State {
    let isValid = try connection.query(
      """
      SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE c.relname = $1 AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass($2))
      """, [name, table]
    ).first
    return isValid.map { $0 == "t" ? .valid : .invalid } ?? .absent
  }

  func drop(_ connection: PostgresConnection) throws {
    let schema = try connection.query(
      "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)",
      [table]
    ).first
    try connection.query(
      "DROP INDEX CONCURRENTLY IF EXISTS \(schema.map { quoted($0) + "." } ?? "")\(quoted(name))")
  }

  var invalidWords: String {
    "the index \(name) is there and invalid, left by an attempt that failed; run DROP INDEX CONCURRENTLY \(name), then"
      + " promote again"
  }
}

enum ConcurrentChange {
  /// Whether it waits without holding up others.
  static func isPatient(_ statement: MigrationStatement) -> Bool {
    guard let node = statement.tree?.node, statement.tree?.refusesTransaction == true else { return false }
    switch node.kind {
    case "IndexStmt", "DropStmt", "AlterTableStmt": return true
    case "ReindexStmt":
      return node.fields.items("params").contains { $0.fields(of: "DefElem")?.string("defname") == "concurrently" }
    default: return false
    }
  }

  /// Whether a second run does no harm, so that it may be run again when nobody knows about the first.
  static func isRepeatable(_ statement: MigrationStatement) -> Bool {
    ["DropStmt", "VacuumStmt", "ReindexStmt"].contains(statement.tree?.kind)
  }
}
