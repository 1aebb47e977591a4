import Foundation
import Kernel

/// A PostgreSQL server for checks alone: either one of our own, started in a temporary folder and gone with `stop`, or
/// one that was given by its URL. Nothing in it is of worth: own servers write without fsync.
///
/// `template` builds a schema once; `clone` copies it by `CREATE DATABASE … TEMPLATE`, with one copy made ahead.
package actor ShadowServer {
  /// How long a start may take before it is given up, in seconds: two on a quiet machine.
  static let startSeconds = 60

  private nonisolated let place: String
  private nonisolated let own: OwnServer?
  private var ready: [String: [Task<String, any Error>]] = [:]
  private var used: [String: [String]] = [:]
  private var made: Set<String> = []
  private var count = 0
  /// Apart from those of other sessions on a shared server.
  nonisolated let mark = String(UInt64.random(in: .min ... .max), radix: 36)

  private init(place: String, own: OwnServer?) {
    self.place = place
    self.own = own
  }

  /// Starts the installed server, on a unix socket only.
  /// - Throws: `Refusal` where none is installed, `Outage` with the log's last lines where it does not start.
  package static func start(binaries: String? = nil) async throws -> ShadowServer {
    let own = try await OwnServer.start(binaries: try ServerBinaries.find(given: binaries))
    return ShadowServer(place: own.place, own: own)
  }

  /// Uses a server that runs, as a role that may create databases. What the checks create there is dropped by `stop`.
  /// - Parameter url: `postgresql://…` or libpq's `key=value` words; its database is only used to create others.
  /// - Throws: `Refusal` when it cannot be reached or the role may not create databases.
  package static func attach(url: String) async throws -> ShadowServer {
    let shadow = ShadowServer(place: url, own: nil)
    let address = shadow.address(of: nil)
    let allowed: String?
    do {
      allowed = try await BlockingThread.run {
        try PostgresConnection(address).query(
          "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        ).first
      }
    } catch let outage as Outage {
      throw Refusal(.unknown, "the shadow server cannot be used: \(outage.sentence)")
    }
    guard allowed == "t" else {
      throw Refusal(.forbidden, "the shadow server's role may not create databases; give it CREATEDB or another URL")
    }
    return shadow
  }

  /// nil is the database that is there from the start.
  package nonisolated func address(of database: String?) -> ServerAddress { ServerAddress(place, database: database) }

  /// Makes a database, fills it by `build`, which gets its name too, and keeps it as a template for clones.
  package func template<Made: Sendable>(
    build: @escaping @Sendable (PostgresConnection, String) throws -> Made
  ) async throws -> Made {
    let name = freshName("template")
    let database = address(of: name)
    do {
      try await administer("CREATE DATABASE \(name)")
      return try await BlockingThread.run { try build(PostgresConnection(database), name) }
    } catch {
      // A template that was half built is of no use.
      await discard(name)
      guard let outage = error as? Outage else { throw error }
      throw Outage("shadow", outage.sentence, sources: outage.sources + lastWords)
    }
  }

  /// A copy of a template for one use: `discard` it after, or give it back.
  /// - Parameter mayBeUsed: whether one will do that was given back: its sequences have gone on, and it may have a schema
  ///   of the oracle's own.
  package func clone(of template: String, mayBeUsed: Bool = false) async throws -> String {
    if mayBeUsed, let known = used[template]?.popLast() { return known }
    let waiting = ready[template] ?? []
    let taken = waiting.first ?? makeClone(of: template)
    ready[template] = Array(waiting.dropFirst())
    return try await taken.value
  }

  /// Makes copies ahead, so that the next check does not wait for them.
  package func prepareClones(of template: String, count: Int) {
    while ready[template, default: []].count < count {
      ready[template, default: []].append(makeClone(of: template))
    }
  }

  /// Takes a copy back whose schema and rows are as they were, for `clone(of:mayBeUsed:)`.
  package func giveBack(_ clone: String, of template: String) { used[template, default: []].append(clone) }

  /// Waits for the copies that are under way.
  package func awaitClones(of template: String) async {
    for task in ready[template] ?? [] { _ = try? await task.value }
  }

  /// Drops a template and its copies; nobody may use one.
  package func forget(_ template: String) async {
    let copies = ready.removeValue(forKey: template) ?? []
    for name in used.removeValue(forKey: template) ?? [] { await discard(name) }
    for copy in copies { if let name = try? await copy.value { await discard(name) } }
    await discard(template)
  }

  private func makeClone(of template: String) -> Task<String, any Error> {
    let name = freshName("clone")
    return Task {
      try await administer { "CREATE DATABASE \(name) TEMPLATE \(template)\(self.copying($0))" }
      return name
    }
  }

  package func discard(_ database: String) async {
    // A copy that stays costs disk only, and goes with the server or with `stop`.
    try? await administer("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
    made.remove(database)
  }

  /// Stops an own server and removes its folder; drops what was made on a given one.
  package func stop() async {
    for task in ready.values.joined() { _ = try? await task.value }
    if let own {
      await own.stop()
    } else {
      for name in made.sorted() { await discard(name) }
      await dropRoles()
    }
    ready = [:]
  }

  /// Roles belong to the server and outlive the databases that they were made for.
  private func dropRoles() async {
    let address = address(of: nil)
    let pattern = "^plimsoll_.*\(mark)"
    _ = try? await BlockingThread.run {
      let connection = try PostgresConnection(address)
      let names = try connection.query("SELECT rolname FROM pg_roles WHERE rolname ~ \(literal(pattern)) ORDER BY 1")
        .rows
      for row in names { if let name = row[0] { try connection.query("DROP ROLE \(quoted(name))") } }
    }
  }

  /// What the server's log said last; empty for a server that was given.
  package nonisolated var lastWords: [String] { own?.lastWords ?? [] }

  private func freshName(_ what: String) -> String {
    count += 1
    let name = "plimsoll_\(what)_\(mark)_\(count)"
    made.insert(name)
    return name
  }

  /// How a copy is made: by files takes a third of the time of by blocks through the log (200 tables: 0.3 against 1 s on
  /// two busy cores), but asks for a checkpoint of the whole server, so only on our own, which has nothing to write.
  private nonisolated func copying(_ connection: PostgresConnection) -> String {
    own != nil && connection.version >= Self.firstWithStrategies ? " STRATEGY file_copy" : ""
  }

  private static let firstWithStrategies = 150_000

  private func administer(_ sql: String) async throws { try await administer { _ in sql } }

  private func administer(_ statement: @escaping @Sendable (PostgresConnection) -> String) async throws {
    let address = address(of: nil)
    do {
      try await BlockingThread.run {
        let connection = try PostgresConnection(address)
        let sql = statement(connection)
        do { try connection.query(sql) } catch let error as PostgresError { throw Refused(sql: sql, error: error) }
      }
    } catch let outage as Outage {
      throw Outage("shadow", outage.sentence, sources: outage.sources + lastWords)
    } catch let refused as Refused {
      throw Outage(
        "shadow", "the server did not do its part (\(refused.sql)): \(refused.error)", sources: lastWords)
    }
  }

  /// What the server would not do, with what it was told.
  private struct Refused: Error {
    var sql: String
    var error: PostgresError
  }
}
