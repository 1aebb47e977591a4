import Foundation
import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// A server that counts what it is sent.
private struct CountingServer {
  private let servers: TemporaryServers
  var url: String { servers.url(1) }

  static func start() async throws -> CountingServer {
    let server = CountingServer(servers: try TemporaryServers())
    do {
      try await server.servers.make(1)
      try await server.servers.start(1, "shared_preload_libraries=pg_stat_statements")
      return server
    } catch {
      await server.stop()
      throw error
    }
  }

  func stop() async { await servers.stop(1) }
}

/// How much of what a database is really sent was recorded of who lives on it.
@Suite(.serialized)
struct CoverageTests {
  private static let shop =
    "CREATE TABLE orders (id bigint PRIMARY KEY, note text, total int); GRANT ALL ON orders TO app"
  private static let read = "SELECT note FROM orders WHERE id = $1"

  private func onServer(_ work: (EnvironmentFixture) async throws -> Void) async throws {
    let counting = try await CountingServer.start()
    let places = TestPlaces()
    let schemas = EnvironmentFixture.server(places)
    do {
      let live = try await ShadowServer.attach(url: counting.url)
      try await EnvironmentTrait.$live.withValue(live) {
        try await EnvironmentTrait.$places.withValue(places) {
          try await EnvironmentTrait.$schemas.withValue(schemas) {
            try await work(try await EnvironmentFixture(Self.shop, role: "app"))
          }
        }
      }
    } catch {
      await schemas.stop()
      await counting.stop()
      throw error
    }
    await schemas.stop()
    await counting.stop()
  }

  /// Eight reads, two writes that nobody recorded, and what depends on no schema of ours.
  private func traffic(_ fixture: EnvironmentFixture) async throws {
    try await fixture.run("ALTER ROLE app LOGIN")
    let app = ServerAddress(fixture.address.place.replacing("user=postgres", with: "user=app"))
    try await BlockingThread.run {
      let connection = try PostgresConnection(app)
      for _ in 0..<8 { try connection.query("SELECT note FROM orders WHERE id = 7") }
      for _ in 0..<2 { try connection.query("UPDATE orders SET note = 'paid' WHERE total > 3") }
      for _ in 0..<50 { try connection.query("SELECT 1") }
      try connection.query("SELECT count(*) FROM pg_class; SET search_path = public")
    }
  }

  private func examine(
    _ fixture: EnvironmentFixture, least: Double?, _ versions: SchemaClient...
  ) async throws -> SchemaExamination {
    try await fixture.schemas.examine(
      SchemaQuestion(
        place: fixture.place, migrations: nil, versions: versions, coming: versions.first, leastCoverage: least))
  }

  @Test("what production sends is held against what was recorded of all that lives there")
  func measured() async throws {
    try await onServer { fixture in
      let known = try await fixture.client("a", sends: [Self.read])
      let broken = try await fixture.client("b", sends: ["SELECT gone FROM orders"])
      let uncounted = try await examine(fixture, least: 0.5, known)
      #expect(uncounted.verdicts.map(\.fit) == [.unknown] && uncounted.coverage == nil)
      #expect(uncounted.verdicts[0].why.contains("CREATE EXTENSION pg_stat_statements"), "\(uncounted.verdicts[0].why)")
      #expect(uncounted.coming?.fit == .compatible, "who comes is judged by what it sends itself")

      try await fixture.run("CREATE EXTENSION pg_stat_statements")
      let idle = try await examine(fixture, least: 0.9, known)
      #expect(idle.verdicts.map(\.fit) == [.unknown], "nothing counted is nothing known")
      #expect(idle.verdicts[0].why.contains("counted nothing of app"), "\(idle.verdicts[0].why)")

      try await traffic(fixture)
      let enough = try await examine(fixture, least: 0.8, known)
      #expect(enough.verdicts.map(\.fit) == [.compatible], "\(enough.verdicts)")
      #expect(enough.coverage?.share == 0.8 && enough.coverage?.counted == 2 && enough.coverage?.unrecorded == 1)
      #expect(enough.coverage?.examples == ["UPDATE orders SET note = $1 WHERE total > $2"])

      let little = try await examine(fixture, least: 0.9, known, broken)
      #expect(little.verdicts.map(\.fit) == [.unknown, .breaks], "a break stays a break")
      let why = little.verdicts[0].why
      #expect(why.contains("cover 80.0 %") && why.contains("90.0 % are asked for"), "\(why)")
      #expect(why.contains("1 of 2 statements were never recorded, such as UPDATE orders SET note"), "\(why)")
      #expect(try fixture.report(little).findings.contains { $0.rule == "low-coverage" && $0.kind == .inconclusive })
      #expect(try await examine(fixture, least: nil, known).coverage == nil)

      // Together they send all of it: what one does another need not.
      let writes = try await fixture.client("c", sends: ["UPDATE orders SET note = $1 WHERE total > $2"])
      #expect(try await examine(fixture, least: 1, known, writes).coverage?.share == 1)
    }
  }

  @Test("where no share is asked for, a migration is judged on little and says so")
  func told() async throws {
    try await onServer { fixture in
      let known = try await fixture.client("a", sends: [Self.read])
      let migrations = try await fixture.migrations(["0001.sql": "CREATE TABLE notes (id int);"])
      _ = try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(1))
      func examine() async throws -> SchemaExamination {
        try await fixture.schemas.examine(
          SchemaQuestion(place: fixture.place, migrations: migrations, versions: [known], coming: nil))
      }
      func low(_ examination: SchemaExamination) throws -> Finding? {
        try fixture.report(examination).findings.first { $0.rule == "low-coverage" }
      }
      let unseen = try #require(try await low(examine()))
      #expect(unseen.kind == .note && unseen.message.contains("CREATE EXTENSION pg_stat_statements"))
      try await fixture.run("CREATE EXTENSION pg_stat_statements")
      try await traffic(fixture)
      let examination = try await examine()
      let little = try #require(try low(examination))
      #expect(little.kind == .hazard)
      #expect(little.message.contains("80.0 %") && little.message.contains("95.0 % are usual"), "\(little.message)")
      #expect(examination.verdicts.map(\.fit) == [.compatible] && examination.coverage == nil)
    }
  }

  @Test("a lock is weighed by what the place is really sent")
  func weighed() async throws {
    try await onServer { fixture in
      try await fixture.run("CREATE EXTENSION pg_stat_statements")
      try await traffic(fixture)
      let database = try #require(EnvironmentTrait.places?[fixture.place])
      let role = try #require(database.role)
      let reached = try ReachedDatabase(fixture.place, database)
      let counted = try await reached.run(seconds: 10) { try CountedStatements.read(of: role, $0) }
      guard case .counted(let sent, let seconds?) = counted else {
        Issue.record("\(counted)")
        return
      }
      #expect(sent.statements.map(\.count).reduce(0, +) == 10 && seconds > 0)
      let live = try await reached.run(seconds: 10) { connection in
        try LiveDatabase.read(fixture.place, role: role, at: Instant(milliseconds: 0), connection)
      }
      func rates(_ seconds: Double?) -> [String: Double] {
        CountedStatements.counted(sent, seconds: seconds).rates(on: live.schema, searchPath: ["public"])
      }
      #expect(rates(100) == ["public.orders": 0.1])
      #expect(rates(59).isEmpty && rates(nil).isEmpty, "after less than a minute a rate is chance")
    }
  }

  @Test("who may not see what others send is told so")
  func hidden() async throws {
    try await onServer { fixture in
      try await fixture.run("CREATE EXTENSION pg_stat_statements")
      try await traffic(fixture)
      try await fixture.run("CREATE ROLE spectator LOGIN; GRANT ALL ON orders TO spectator")
      let places = try #require(EnvironmentTrait.places)
      var database = try #require(places[fixture.place])
      database.url = database.url.replacing("user=postgres", with: "user=spectator")
      places[fixture.place] = database
      let examination = try await examine(fixture, least: 0.5, fixture.client("a", sends: [Self.read]))
      #expect(examination.verdicts.map(\.fit) == [.unknown])
      #expect(examination.verdicts[0].why.contains("GRANT pg_read_all_stats"), "\(examination.verdicts[0].why)")
    }
  }
}
