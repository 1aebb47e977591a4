import Foundation
import Kernel

/// The shadow server of all places: started when it is first needed, started anew when it is gone, and on it for each
/// schema that was met a template without rows and the oracle's with rows.
///
/// One examination at a time uses it; `EnvironmentSchemas` sees to that.
actor ShadowSchemas {
  /// Schemas kept, those that were met last. Each costs some 50 MB of disk.
  private static let schemaLimit = 12

  private let binaries: String?
  private(set) var server: ShadowServer?
  private var known: [String: ShadowSchema] = [:]
  /// Keys of `known`, the one that was met last at the end.
  private var met: [String] = []

  /// - Parameter binaries: the folder of `postgres` and `pg_dump`; nil finds the newest that is installed.
  init(binaries: String?) { self.binaries = binaries }

  /// The schema of a live database, built here once.
  /// - Throws: `Refusal` where it cannot be built here at all, `Outage` when a server fails.
  func schema(of live: LiveDatabase, _ reached: ReachedDatabase) async throws -> ShadowSchema {
    let server = try await running()
    try await makeRoles(of: live, on: server)
    let roles = live.roles.map { "\($0.name) \($0.attributes)" }.joined(separator: ",")
    let key = "\(live.place) \(reached.database.role ?? "") \(live.hash) \(live.migrator) \(live.searchPath) \(roles)"
    met.removeAll { $0 == key }
    met.append(key)
    if let schema = known[key] { return schema }
    while known.count >= Self.schemaLimit, met.count > 1 {
      await known.removeValue(forKey: met.removeFirst())?.forget()
    }
    let dump = try await SchemaDump(binaries: try ServerBinaries.find(given: binaries)).take(of: live, reached)
    let schema = try await ShadowSchema.build(live, role: reached.database.role, dump: dump, on: server)
    known[key] = schema
    return schema
  }

  func stop() async {
    let stopped = server
    (server, known, met) = (nil, [:], [])
    await stopped?.stop()
  }

  private func running() async throws -> ShadowServer {
    if let server {
      let address = server.address(of: nil)
      if (try? await BlockingThread.run({ try PostgresConnection(address).query("SELECT 1").first })) == "1" {
        return server
      }
      // It was killed, or its disk is full: an empty one may do better.
      await stop()
    }
    let started = try await ShadowServer.start(binaries: binaries)
    server = started
    return started
  }

  /// The roles that the schema knows, without passwords and without login, members of what they are members of.
  private func makeRoles(of live: LiveDatabase, on server: ShadowServer) async throws {
    let address = server.address(of: nil)
    try await BlockingThread.run {
      let connection = try PostgresConnection(address)
      let there = Set(try connection.query("SELECT rolname FROM pg_roles").rows.compactMap { $0[0] })
      for role in live.roles where role.name != OwnServer.superuser {
        let verb = there.contains(role.name) ? "ALTER" : "CREATE"
        try connection.query("\(verb) ROLE \(quoted(role.name)) \(role.attributes) NOLOGIN")
      }
      let known = there.union(live.roles.map(\.name))
      for membership in live.memberships where known.contains(membership.role) && known.contains(membership.member) {
        // It belongs to itself already where the live server's superuser has our superuser's name.
        guard membership.role != membership.member else { continue }
        try connection.query("GRANT \(quoted(membership.role)) TO \(quoted(membership.member))")
      }
    }
  }
}

/// A live database's schema on the shadow server.
struct ShadowSchema: Sendable {
  let server: ShadowServer
  /// The template without rows.
  let bare: String
  /// What builds it, for the oracle's own template.
  let history: [MigrationFile]
  let oracle: Oracle
  /// Why it could not be built.
  let failure: MigrationApplier.Failure?
  /// Of the template; another than the live database's where something could not be had here.
  let hash: Digest
  /// Objects that are not alike here and there.
  let differences: [String]

  private struct Made: Sendable {
    var name: String
    var failure: MigrationApplier.Failure?
    var hash: Digest
    var lines: [String]
  }

  /// Drops its databases.
  func forget() async {
    await oracle.forget()
    await server.forget(bare)
  }

  /// Copies made ahead of the oracle's template, which takes two for a check.
  private static let readyClones = 2

  static func build(
    _ live: LiveDatabase, role: String?, dump: String, on server: ShadowServer
  ) async throws -> ShadowSchema {
    let history = try await BlockingThread.run { Self.history(live, dump: dump) }
    let all = history + [rights(live, dump: dump)]
    let oracle = Oracle(server: server, readyClones: readyClones)
    // Both templates at once: the machine has more than one core, and who asked waits for both.
    async let warmed: Void = oracle.warmUp(history: all, role: role)
    async let bare = template(of: history, live, on: server)
    let made = try await bare
    // What is missing here is missing in both, and told by the first.
    if made.failure == nil { try await warmed } else { _ = try? await warmed }
    let isSame = made.failure != nil || made.hash == live.hash
    return ShadowSchema(
      server: server, bare: made.name, history: all, oracle: oracle, failure: made.failure, hash: made.hash,
      differences: isSame ? [] : Set(made.lines).symmetricDifference(live.schema.lines).sorted())
  }

  private static func template(
    of history: [MigrationFile], _ live: LiveDatabase, on server: ShadowServer
  ) async throws -> Made {
    let made = try await server.template { connection, name -> Made in
      var applier = MigrationApplier(connection, relaxesSeededRows: false)
      if let failure = try applier.apply(history) {
        return Made(name: name, failure: failure, hash: live.hash, lines: [])
      }
      let schema = try CanonicalSchema.reading(connection) { try SchemaReader.read(connection) }
      return Made(name: name, failure: nil, hash: .hashed(schema.hash), lines: schema.lines)
    }
    await server.prepareClones(of: made.name, count: 1)
    return made
  }

  /// The dump, and the invalid indexes that it leaves out.
  private static func history(_ live: LiveDatabase, dump: String) -> [MigrationFile] {
    let invalid = live.schema.relations.flatMap { relation in
      relation.indexes.filter { !$0.valid }.map { index in
        let name = literal("\(quoted(relation.schema)).\(quoted(index.name))")
        return "\(index.definition);\nUPDATE pg_index SET indisvalid = false WHERE indexrelid = \(name)::regclass;\n"
      }
    }
    let schema = MigrationFile(path: "the schema of \(live.place)", text: dump, transaction: .one)
    guard !invalid.isEmpty else { return [schema] }
    return [schema, MigrationFile(path: "its invalid indexes", text: invalid.joined(), transaction: .one)]
  }

  /// In the oracle the superuser applies migrations. What it makes must be as reachable as if the migrator had made it:
  /// by default privileges, and for the migrator, who would own it.
  private static func rights(_ live: LiveDatabase, dump: String) -> MigrationFile {
    guard live.migrator != OwnServer.superuser else {
      return MigrationFile(path: "its rights", text: "", transaction: .one)
    }
    let names = [live.migrator, quoted(live.migrator)].map { "ALTER DEFAULT PRIVILEGES FOR ROLE \($0) " }
    var lines = dump.split(separator: "\n").compactMap { line in
      names.first { line.hasPrefix($0) }.map { name in
        "ALTER DEFAULT PRIVILEGES FOR ROLE \(OwnServer.superuser) \(line.dropFirst(name.count))"
      }
    }
    for what in ["TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "SCHEMAS"] {
      lines.append("ALTER DEFAULT PRIVILEGES GRANT ALL ON \(what) TO \(quoted(live.migrator));")
    }
    return MigrationFile(path: "its rights", text: lines.joined(separator: "\n"), transaction: .one)
  }
}
