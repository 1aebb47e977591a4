import Kernel

/// Whose rights the statements run with: never a superuser's, who may do all and is bound by no policy.
///
/// - A statement that was recorded with a role runs as that one, where the server knows it by then; what it may not do
///   before the migration is asked of the others, in this order.
/// - A role that was named is used as it is. It must be known by then: a history that grants to it, or a server that was
///   given, knows it.
/// - Else, where tables carry grants, a role of our own inherits from every role that was granted to, so that a REVOKE
///   shows; statements that it may not run at all before the migration run as the second role.
/// - Else a role of our own may read and write everything, *also what the migration creates*: where a history grants
///   nothing, the application most likely owns its tables, or gets rights by default privileges that no migration
///   shows. To deny it what is new would call each new table a break for every team that grants nowhere. What this
///   cannot see: rights that are lost because a table was replaced. `Oracle` notes such tables.
struct ApplicationRole: Sendable {
  /// The role that statements run as first.
  let primary: String
  /// For what `primary` may not do before the migration either; nil when a role was named.
  let fallback: String?
  /// Whether rights were assumed and not granted.
  let assumed: Bool
  /// Roles that a recording may name: those of the server's that are no superusers.
  let recordable: Set<String>

  /// Those that are tried one after the other as long as a role may not do what is asked.
  var tried: [String] { [primary] + (fallback.map { [$0] } ?? []) }

  /// Prepares rights in a database that is to be a template.
  static func prepare(
    named: String?, in connection: PostgresConnection, schema: Schema, mark: String
  ) throws -> ApplicationRole {
    let roles = try connection.query("SELECT rolname FROM pg_roles WHERE NOT rolsuper AND pg_has_role(oid, 'MEMBER')")
    let recordable = Set(roles.rows.compactMap { $0[0] })
    if let named {
      let known = try connection.query("SELECT 1 FROM pg_roles WHERE rolname = \(literal(named))").first
      guard known != nil else {
        throw Refusal(
          .unknown,
          "the role \(named) does not exist: no migration of the history names it; leave it out, or name the role that"
            + " the migrations grant to")
      }
      return ApplicationRole(primary: named, fallback: nil, assumed: false, recordable: recordable)
    }
    let all = "plimsoll_all_\(mark)"
    try make(all, connection)
    let owners = try connection.query(
      """
      SELECT DISTINCT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT r.rolsuper ORDER BY 1
      """
    ).rows.compactMap { $0[0] }
    for name in Set(schema.relations.map(\.schema) + schema.functions.map(\.schema) + ["public"]).sorted() {
      let schemaName = quoted(name)
      for what in ["USAGE ON SCHEMA", "ALL ON ALL TABLES IN SCHEMA", "ALL ON ALL SEQUENCES IN SCHEMA"] {
        try connection.query("GRANT \(what) \(schemaName) TO \(all)")
      }
    }
    // Who owns what is there would own what the migration creates.
    for role in [all] + owners.filter(recordable.contains) {
      for what in ["TABLES", "SEQUENCES", "FUNCTIONS"] {
        try connection.query("ALTER DEFAULT PRIVILEGES GRANT ALL ON \(what) TO \(quoted(role))")
      }
      try connection.query("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO \(quoted(role))")
    }
    let granted = try connection.query(
      """
      SELECT DISTINCT g.rolname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles g ON g.oid = a.grantee
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND a.grantee <> c.relowner
        AND NOT g.rolsuper AND g.rolname <> \(literal(all)) ORDER BY 1
      """
    ).rows.compactMap { $0.first ?? nil }
    guard !granted.isEmpty else {
      return ApplicationRole(primary: all, fallback: nil, assumed: true, recordable: recordable)
    }
    let heir = "plimsoll_heir_\(mark)"
    try make(heir, connection)
    for role in granted { try connection.query("GRANT \(quoted(role)) TO \(heir)") }
    return ApplicationRole(primary: heir, fallback: all, assumed: false, recordable: recordable)
  }

  private static func make(_ role: String, _ connection: PostgresConnection) throws {
    try connection.query("CREATE ROLE \(role) NOLOGIN")
  }
}
