import Foundation
import Kernel

/// Migrations applied to a copy of the schema exactly as they will be to the live database: by the same code, as the
/// role that will do it. It tells the schema's hash after them, and what that role may not do.
struct Rehearsal: Sendable {
  /// nil when one failed.
  let schema: Schema?
  let failure: Failure?
  var after: Digest? { schema.map { .hashed($0.hash) } }

  struct Failure: Equatable, Sendable {
    let migration: String
    let why: String
    let sqlState: String
  }

  static func run(_ texts: [MigrationText], of live: LiveDatabase, on schema: ShadowSchema) async throws -> Rehearsal {
    let server = schema.server
    let clone = try await server.clone(of: schema.bare)
    let (address, root) = (server.address(of: clone), server.address(of: nil))
    do {
      let rehearsal = try await BlockingThread.run {
        if live.ownsDatabase {
          try PostgresConnection(root).query("ALTER DATABASE \(clone) OWNER TO \(quoted(live.migrator))")
        } else if live.mayCreate {
          try PostgresConnection(root).query("GRANT CREATE ON DATABASE \(clone) TO \(quoted(live.migrator))")
        }
        return try rehearse(texts, of: live, PostgresConnection(address))
      }
      // Not waited for: the next one finds its copy made.
      Task {
        await server.discard(clone)
        await server.prepareClones(of: schema.bare, count: 1)
      }
      return rehearsal
    } catch {
      await server.discard(clone)
      throw error
    }
  }

  private static func rehearse(
    _ texts: [MigrationText], of live: LiveDatabase, _ connection: PostgresConnection
  ) throws -> Rehearsal {
    let migrator = quoted(live.migrator)
    try MigrationBook(connection: connection).create()
    try connection.query(
      "GRANT ALL ON SCHEMA plimsoll TO \(migrator); GRANT ALL ON ALL TABLES IN SCHEMA plimsoll TO \(migrator)")
    try connection.query("SET SESSION AUTHORIZATION \(migrator)")
    let path = live.searchPath.map(quoted).joined(separator: ", ")
    let run = MigrationRun(
      connection, fence: Fence(0), patience: LockPatience(),
      prelude: ["SET search_path = \(path.isEmpty ? "''" : path)"], isRehearsal: true)
    for text in texts {
      if let failure = try run.apply(MigrationScript(text)) {
        return Rehearsal(
          schema: nil,
          failure: Failure(migration: text.name, why: failure.why, sqlState: failure.error.sqlState))
      }
    }
    try connection.query("RESET SESSION AUTHORIZATION; RESET ALL")
    return Rehearsal(
      schema: try CanonicalSchema.reading(connection) { try SchemaReader.read(connection) }, failure: nil)
  }
}
