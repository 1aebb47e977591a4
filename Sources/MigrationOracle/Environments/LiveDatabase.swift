import Foundation
import Kernel

/// What a database says of itself in one look: its schema, its book, and who may do what there.
struct LiveDatabase: Sendable {
  let place: SchemaPlace
  /// 150018 for 15.18.
  let version: Int
  let schema: Schema
  let hash: Digest
  let book: MigrationBook.Contents
  /// Whom the URL connects as: who migrates.
  let migrator: String
  let ownsDatabase: Bool
  let mayCreate: Bool
  /// Schemas in which the migrator finds names that have none.
  let searchPath: [String]
  /// The application's, where its role or the database sets one.
  let applicationPath: String?
  /// All that the schema refers to, the migrator, the application's, and whose members they are; by name.
  let roles: [Role]
  let memberships: [Membership]
  /// As SQL names them.
  var invalidIndexes: [String] = []
  let at: Instant

  struct Role: Hashable, Sendable {
    var name: String
    /// As `CREATE ROLE` takes them.
    var attributes: String
  }

  struct Membership: Hashable, Sendable {
    var role: String
    var member: String
  }

  var survey: SchemaSurvey {
    let last = book.entries.last { $0.isApplied }
    return SchemaSurvey(
      schema: hash, applied: book.applied.count, last: last?.mark, unfinished: book.begun?.mark.name,
      invalidIndexes: invalidIndexes.isEmpty ? nil : invalidIndexes, at: at)
  }

  var major: Int { version / 10_000 }
  var hasTables: Bool { schema.relations.contains(where: \.isTable) }

  /// In one snapshot, so that schema and book belong together. Not inside a transaction.
  /// - Parameter role: the application's.
  static func read(
    _ place: SchemaPlace, role: String?, at: Instant, _ connection: PostgresConnection
  ) throws -> LiveDatabase {
    // Read before the session is made canonical.
    let path = try connection.query("SELECT unnest(current_schemas(false))::text").rows.compactMap { $0[0] }
    return try CanonicalSchema.reading(connection) {
      let schema = try SchemaReader.read(connection)
      let rights = try connection.query(
        """
        SELECT session_user, pg_has_role(session_user, datdba, 'MEMBER'),
          has_database_privilege(session_user, oid, 'CREATE') FROM pg_database WHERE datname = current_database()
        """
      ).rows.first
      let known = Self.wanted(role)
      let roles = try connection.query(
        known + """
          SELECT rolname, CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END
            || CASE WHEN rolinherit THEN ' INHERIT' ELSE ' NOINHERIT' END
            || CASE WHEN rolcreaterole THEN ' CREATEROLE' ELSE ' NOCREATEROLE' END
            || CASE WHEN rolcreatedb THEN ' CREATEDB' ELSE ' NOCREATEDB' END
            || CASE WHEN rolbypassrls THEN ' BYPASSRLS' ELSE ' NOBYPASSRLS' END
          FROM pg_roles WHERE oid IN (SELECT oid FROM wanted) AND rolname !~ '^pg_' ORDER BY rolname COLLATE "C"
          """
      ).rows.map { Role(name: $0[0] ?? "", attributes: $0[1] ?? "") }
      let memberships = try connection.query(
        known + """
          SELECT pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members
          WHERE member IN (SELECT oid FROM wanted) ORDER BY 1, 2
          """
      ).rows.map { Membership(role: $0[0] ?? "", member: $0[1] ?? "") }
      let setting = try connection.query(
        """
        SELECT substr(c, length('search_path=') + 1) FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
        WHERE c LIKE 'search\\_path=%'
          AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND (s.setrole = 0 OR s.setrole = (SELECT oid FROM pg_roles WHERE rolname = \(literal(role ?? ""))))
        ORDER BY s.setrole <> 0 DESC, s.setdatabase <> 0 DESC LIMIT 1
        """)
      return LiveDatabase(
        place: place, version: connection.version, schema: schema, hash: .hashed(schema.hash),
        book: try MigrationBook(connection: connection).read(), migrator: rights?[0] ?? "",
        ownsDatabase: rights?[1] == "t", mayCreate: rights?[2] == "t", searchPath: path, applicationPath: setting.first,
        roles: roles, memberships: memberships, invalidIndexes: try invalidIndexes(connection), at: at)
    }
  }

  /// What is being built is invalid until it is there; whoever may not see what others build sees that somebody does.
  private static func invalidIndexes(_ connection: PostgresConnection) throws -> [String] {
    guard connection.version >= firstWithProgress else { return [] }
    return try connection.query(
      """
      SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname !~ '^pg_' AND NOT EXISTS (
        SELECT 1 FROM pg_stat_progress_create_index p
        WHERE p.datname = current_database() AND coalesce(p.index_relid, 0) IN (0, i.indexrelid))
      ORDER BY 1 LIMIT \(SchemaSurvey.invalidLimit)
      """
    ).rows.compactMap { $0[0] }
  }
  /// `pg_stat_progress_create_index` came with PostgreSQL 12.
  private static let firstWithProgress = 120_000

  /// Roles that the database's objects depend on (`pg_shdepend` leaves out the first superuser, number 10), its
  /// owner, who migrates, the application's, and upwards all that these are members of.
  private static func wanted(_ role: String?) -> String {
    """
    WITH RECURSIVE wanted(oid) AS (
      (SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      UNION SELECT datdba FROM pg_database WHERE datname = current_database()
      UNION SELECT oid FROM pg_roles WHERE oid = 10 OR rolname IN (session_user, \(literal(role ?? ""))))
      UNION SELECT m.roleid FROM pg_auth_members m JOIN wanted w ON m.member = w.oid
    )

    """
  }
}

/// A session in which equal schemas print alike: expressions are printed with the session's settings.
enum CanonicalSchema {
  private static let settings = [
    "search_path": "pg_catalog", "timezone": "UTC", "datestyle": "ISO, MDY", "intervalstyle": "postgres",
    "extra_float_digits": "1", "bytea_output": "hex", "quote_all_identifiers": "off", "lc_monetary": "C",
  ]

  /// In one read-only snapshot, which leaves the session as it was.
  static func reading<Answer>(_ connection: PostgresConnection, _ work: () throws -> Answer) throws -> Answer {
    let said = settings.sorted { $0.key < $1.key }.map { "; SET LOCAL \($0.key) = \(literal($0.value))" }.joined()
    do {
      try connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY\(said)")
      let answer = try work()
      try connection.query("COMMIT")
      return answer
    } catch {
      // The connection may be gone, and the first error is the one to tell.
      _ = try? connection.query("ROLLBACK")
      throw error
    }
  }

  static func hash(_ connection: PostgresConnection) throws -> Digest {
    try reading(connection) { .hashed(try SchemaReader.read(connection).hash) }
  }
}
