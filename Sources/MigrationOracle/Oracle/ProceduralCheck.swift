import Migrations

/// Bodies of functions in PL/pgSQL are read when they run: their errors show neither at L1 nor at L2 of their callers.
/// `plpgsql_check`, where the server has it, reads them.
enum ProceduralCheck {
  struct Complaint: Hashable, Sendable {
    var function: String
    var oid: UInt32
    var line: String
    var sqlState: String
    var message: String
    /// SQL that is true where the function has this complaint.
    var probe: String
  }

  /// Whether there is anything to read.
  static func applies(_ schema: Schema) -> Bool { schema.functions.contains { $0.language == "plpgsql" } }

  /// - Returns: nil where the extension is not to be had.
  static func complaints(_ connection: PostgresConnection, _ schema: Schema) throws -> [Complaint]? {
    guard applies(schema) else { return [] }
    do {
      // In a schema of its own, so that nothing of the application's is hidden; the database is thrown away after.
      try connection.query(
        "CREATE SCHEMA IF NOT EXISTS plimsoll_check; CREATE EXTENSION IF NOT EXISTS plpgsql_check SCHEMA plimsoll_check"
      )
    } catch let error as PostgresError {
      guard !error.isOutage else { throw error }
      return nil
    }
    let home =
      try connection.query(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
          + " WHERE extname = 'plpgsql_check'"
      ).first ?? "plimsoll_check"
    let names = Dictionary(schema.functions.map { ($0.oid, "\($0.schema).\($0.signature)") }) { first, _ in first }
    let triggers = Dictionary(
      schema.relations.flatMap { relation in relation.triggers.map { ($0.function, relation.oid) } }
    ) { first, _ in first }
    var found: [Complaint] = []
    for function in schema.functions where function.language == "plpgsql" {
      var relation = "0"
      if function.isTrigger {
        guard let table = triggers[function.oid] else { continue }
        relation = "\(table)"
      }
      let call =
        "\(home).plpgsql_check_function_tb(\(function.oid)::regprocedure, \(relation)::regclass,"
        + " performance_warnings := false, other_warnings := false, extra_warnings := false, fatal_errors := false)"
        + " WHERE level = 'error'"
      func complain(_ line: String?, _ state: String, _ message: String) {
        found.append(
          Complaint(
            function: names[function.oid] ?? function.signature, oid: function.oid, line: line ?? "?", sqlState: state,
            message: message, probe: "SELECT count(*) > 0 FROM \(call) AND message = \(literal(message))"))
      }
      do {
        for row in try connection.query("SELECT lineno, sqlstate, message FROM \(call)").rows {
          complain(row[0], row[1] ?? "", row[2] ?? "")
        }
      } catch let error as PostgresError {
        guard !error.isOutage else { throw error }
        complain(nil, error.sqlState, error.message)
      }
    }
    return found
  }
}
