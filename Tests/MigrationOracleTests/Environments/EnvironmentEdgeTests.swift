import Foundation
import Kernel
import Migrations
import Testing

@testable import MigrationOracle

#if canImport(Glibc)
  import Glibc
#endif

/// Databases that cannot be used as they should be: said with what to do next, and nothing half-recorded.
@Suite(.serialized, .environment)
struct EnvironmentEdgeTests {
  private static let table = "CREATE TABLE a (b int);"

  // MARK: Not let in

  @Test("a wrong password, a role and a database that do not exist: who refuses, why, and what to correct")
  func notLetIn() async throws {
    let fixture = try await EnvironmentFixture()
    let root = try #require(EnvironmentTrait.live).address(of: nil)
    try await EnvironmentFixture.run(
      """
      SET password_encryption = 'scram-sha-256';
      CREATE ROLE guarded LOGIN PASSWORD 'open sesame';
      DO $$ DECLARE rules text := 'local all guarded scram-sha-256' || E'\\n' || pg_read_file(current_setting('hba_file'));
      BEGIN EXECUTE format('COPY (SELECT unnest(string_to_array(%L, E''\\n''))) TO %L', rules, current_setting('hba_file'));
      END $$;
      SELECT pg_reload_conf()
      """, at: root)
    let url = try #require(EnvironmentTrait.places?[fixture.place]?.url)
    // The server reads its rules when it comes to it.
    try await eventually("the password is asked for") {
      let wrong = ServerAddress(url.replacing("user=postgres", with: "user=guarded password=wrong"))
      return (try? await EnvironmentFixture.run("SELECT 1", at: wrong)) == nil
    }
    let right = url.replacing("user=postgres", with: "user=guarded password='open sesame'")
    try await check(fixture, right, says: nil)
    try await check(
      fixture, url.replacing("user=postgres", with: "user=guarded password='close sesame'"),
      says: ["turned us away", "password authentication failed for user \"guarded\"", "correct"], never: "sesame")
    try await check(
      fixture, url.replacing("user=postgres", with: "user=nobody_here"),
      says: ["turned us away", "role \"nobody_here\" does not exist", "correct"])
    try await check(
      fixture, url.replacing(#/dbname=\w+/#, with: "dbname=nowhere"),
      says: ["turned us away", "database \"nowhere\" does not exist", "correct"])
    try await check(
      fixture, "postgresql://guarded:sesame@127.0.0.1:1/a?connect_timeout=2", says: ["cannot be reached", "check"],
      never: "sesame")
  }

  /// - Parameter words: nil where it must work.
  private func check(
    _ fixture: EnvironmentFixture, _ url: String, says words: [String]?, never secret: String? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let places = try #require(EnvironmentTrait.places)
    let before = places[fixture.place]
    defer { places[fixture.place] = before }
    places[fixture.place] = EnvironmentDatabase(url: url)
    do {
      _ = try await fixture.schemas.survey(fixture.place)
      #expect(words == nil, sourceLocation: sourceLocation)
    } catch {
      let said = error.description
      #expect(said.contains(fixture.place.description), "\(said)", sourceLocation: sourceLocation)
      for word in words ?? ["nothing: it must work"] {
        #expect(said.contains(word), "\(said)", sourceLocation: sourceLocation)
      }
      if let secret { #expect(!said.contains(secret), "\(said)", sourceLocation: sourceLocation) }
    }
  }

  @Test("an application's role that does not exist is named, with where it is written")
  func unknownRole() async throws {
    let fixture = try await EnvironmentFixture()
    try #require(EnvironmentTrait.places)[fixture.place]?.role = "nobody_here"
    let migrations = try await fixture.migrations(["0001.sql": Self.table])
    let refusal = await #expect(throws: Refusal.self) { try await fixture.examine(migrations) }
    #expect(refusal?.sentence.contains("nobody_here") == true && refusal?.sentence.contains("plimsoll.yaml") == true)
    #expect(refusal?.kind == .unknown)
  }

  // MARK: Gone in the middle

  @Test(
    "the server is killed while a migration runs: after its start the book tells the truth, and the same order ends it",
    arguments: [false, true])
  func killedServer(isTransactional: Bool) async throws {
    let fixture = try await EnvironmentFixture()
    try await fixture.apply(try await fixture.migrations(["0001.sql": Self.table]))
    // Waits for a lock that the test holds, so that the kill meets it amidst.
    let wait = "SELECT pg_advisory_xact_lock(4711);"
    let second =
      isTransactional
      ? "CREATE TABLE c (d int);\n\(wait)\nINSERT INTO a VALUES (1);"
      : "CREATE TABLE c (d int);\nCREATE INDEX CONCURRENTLY i ON a (b);\n\(wait)\nINSERT INTO a VALUES (1);"
    let migrations = try await fixture.migrations(["0001.sql": Self.table, "0002.sql": second])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    // The tests' server confirms before it writes; a real one does not.
    try await fixture.run("ALTER DATABASE \(fixture.name) SET synchronous_commit = on")
    let holder = HeldConnection(fixture.address)
    try await holder.query("SELECT pg_advisory_lock(4711)")
    let running = Task { try await fixture.schemas.apply(order, fence: Fence(40)) }
    try await eventually("the migration is under way") {
      try await fixture.value("SELECT count(*) FROM pg_locks WHERE objid = 4711 AND NOT granted") == "1"
    }
    try await killAndStart(fixture.address)
    let outage = await #expect(throws: Outage.self) { _ = try await running.value }
    #expect(outage?.description.contains(fixture.place.description) == true, "\(outage?.description ?? "")")
    await holder.close()
    let survey = try await fixture.schemas.survey(fixture.place)
    #expect(survey.applied == 1 && survey.last?.name == "0001.sql")
    #expect(survey.unfinished == (isTransactional ? nil : "0002.sql"))
    #expect(try await fixture.value("SELECT to_regclass('c') IS NULL") == (isTransactional ? "t" : "f"))
    #expect(try await fixture.value("SELECT count(*) FROM a") == "0")
    guard case .applied(let ended) = try await fixture.schemas.apply(order, fence: Fence(40)) else {
      Issue.record("the order was not ended")
      return
    }
    #expect(ended.applied == 2 && ended.unfinished == nil)
    #expect(try await fixture.value("SELECT count(*) FROM a") == "1")
    #expect(
      try await fixture.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0")
  }

  /// `kill -9` of the postmaster, and the same server again.
  private func killAndStart(_ address: ServerAddress) async throws {
    let (data, process) = try await BlockingThread.run { () -> (String, pid_t) in
      let connection = try PostgresConnection(address)
      let data = try #require(try connection.query("SHOW data_directory").first)
      let process = try connection.query("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").first
      return (data, try #require(process.flatMap { pid_t($0) }))
    }
    #expect(kill(process, SIGKILL) == 0)
    let tool = try ServerTool(binaries: .find())
    // The processes that it leaves end when they see that it is gone; until then the folder is taken.
    try await eventually("the server starts again") {
      (try? await tool.run("pg_ctl", ["-D", data, "-w", "-t", "60", "-l", data + "/../log", "restart"])) != nil
    }
  }

  // MARK: No room

  @Test(
    "no room for a migration's rows: said, nothing recorded, and it is applied when there is room",
    .enabled(if: TinyDisk.isAvailable, "needs the right to mount"))
  func fullDatabase() async throws {
    let disk = try #require(try await TinyDisk(megabytes: 4))
    defer { disk.unmount() }
    let root = try #require(EnvironmentTrait.live).address(of: nil)
    try await EnvironmentFixture.run("CREATE TABLESPACE narrow LOCATION '\(disk.path)'", at: root)
    let fixture = try await EnvironmentFixture()
    try await fixture.apply(try await fixture.migrations(["0001.sql": Self.table]))
    try await EnvironmentFixture.run("ALTER DATABASE \(fixture.name) SET default_tablespace = narrow", at: root)
    let rows = "CREATE TABLE c (d text);\nINSERT INTO c SELECT repeat('x', 900) FROM generate_series(1, 30000);"
    let migrations = try await fixture.migrations(["0001.sql": Self.table, "0002.sql": rows])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let outage = await #expect(throws: Outage.self) {
      _ = try await fixture.schemas.apply(order, fence: Fence(40))
    }
    let said = outage?.description ?? ""
    #expect(said.contains(fixture.place.description) && said.contains("No space left"), "\(said)")
    #expect(said.contains("make room"), "\(said)")
    let survey = try await fixture.schemas.survey(fixture.place)
    #expect(survey.applied == 1 && survey.unfinished == nil && survey.schema == order.on)
    try disk.grow()
    guard case .applied(let ended) = try await fixture.schemas.apply(order, fence: Fence(40)) else {
      Issue.record("it was not applied")
      return
    }
    #expect(ended.applied == 2)
    try await EnvironmentFixture.run("DROP DATABASE \(fixture.name) WITH (FORCE)", at: root)
    try await EnvironmentFixture.run("DROP TABLESPACE narrow", at: root)
  }

  @Test(
    "no room for the shadow: an outage and no verdict, and with room there is one",
    .enabled(if: TinyDisk.isAvailable, "needs the right to mount"))
  func fullShadow() async throws {
    let first = try await EnvironmentFixture()
    let migrations = try await first.migrations(["0001.sql": Self.table])
    _ = try await first.examine(migrations)
    let shadow = try #require(await first.schemas.shadows.server).address(of: nil)
    // The server's own template takes 8 MB, and nothing else has room.
    let disk = try #require(try await TinyDisk(megabytes: 10))
    defer { disk.unmount() }
    // Databases are made where the template lies.
    try await EnvironmentFixture.run("CREATE TABLESPACE narrow LOCATION '\(disk.path)'", at: shadow)
    try await EnvironmentFixture.run("ALTER DATABASE template1 SET TABLESPACE narrow", at: shadow)
    let second = try await EnvironmentFixture("CREATE TABLE other (a int)")
    _ = try await second.schemas.adopt([], in: second.place, fence: Fence(1))
    let error = await #expect(throws: (any Error).self) { try await second.examine(migrations) }
    let outage = try #require(error as? Outage, "\(String(describing: error))")
    #expect(outage.subject == "shadow", "\(outage)")
    #expect(outage.description.contains("No space left"), "\(outage)")
    try disk.grow()
    #expect(try await second.examine(migrations).pending.map(\.name) == ["0001.sql"])
    await second.schemas.stop()
  }

  // MARK: Not what it should be

  @Test("a database of a newer PostgreSQL than is installed here is refused, with what to install")
  func newerServer() async throws {
    let fixture = try await EnvironmentFixture()
    let (address, place) = (fixture.address, fixture.place)
    let found = try await BlockingThread.run {
      try LiveDatabase.read(place, role: nil, at: Instant(milliseconds: 1), PostgresConnection(address))
    }
    let live = found.asOf(version: 990_001)
    let reached = try ReachedDatabase(place, EnvironmentDatabase(url: address.place))
    let refusal = await #expect(throws: Refusal.self) {
      _ = try await SchemaDump(binaries: .find()).take(of: live, reached)
    }
    #expect(refusal?.kind == .notNow)
    for words in [place.description, "PostgreSQL 99", "install postgresql-99"] {
      #expect(refusal?.sentence.contains(words) == true, "\(refusal?.sentence ?? "")")
    }
  }

  @Test("a streaming replica is examined like its primary, and takes no migration: the primary's URL is wanted")
  func replica() async throws {
    let pair = try await ReplicatedServer.start()
    let places = TestPlaces()
    let schemas = EnvironmentFixture.server(places)
    let place = try SchemaPlace(
      #require(EnvironmentName(rawValue: "production")), #require(DatabaseName(rawValue: "copied")))
    do {
      let migrations = try EnvironmentTrait.blobs.put(
        StableJSON.bytes([MigrationText(name: "0001.sql", text: Self.table, isTransactional: true)]))
      places[place] = EnvironmentDatabase(url: pair.replica)
      let examination = try await schemas.examine(
        SchemaQuestion(place: place, migrations: migrations, versions: [], coming: nil))
      #expect(examination.pending.count == 1 && examination.migration == .compatible, "\(examination.why)")
      let order = MigrationOrder(
        place: place, migrations: migrations, pending: examination.pending, on: examination.survey.schema)
      let outage = await #expect(throws: Outage.self) { _ = try await schemas.apply(order, fence: Fence(5)) }
      let said = outage?.description ?? ""
      #expect(said.contains("production/copied") && said.contains("replica") && said.contains("primary"), "\(said)")
      places[place] = EnvironmentDatabase(url: pair.primary)
      guard case .applied = try await schemas.apply(order, fence: Fence(5)) else {
        Issue.record("the primary did not take it")
        return
      }
    } catch {
      Issue.record(error)
    }
    await schemas.stop()
    await pair.stop()
  }

  @Test("a database that is not in UTF-8 is examined and migrated like others")
  func otherEncoding() async throws {
    let fixture = try await EnvironmentFixture()
    let root = try #require(EnvironmentTrait.live).address(of: nil)
    try await EnvironmentFixture.run("DROP DATABASE \(fixture.name)", at: root)
    try await EnvironmentFixture.run(
      "CREATE DATABASE \(fixture.name) ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", at: root)
    let text = "CREATE TABLE häfen (name text DEFAULT 'Kürzel');"
    let first = try await fixture.migrations(["0001.sql": text])
    try await fixture.apply(first)
    let migrations = try await fixture.migrations([
      "0001.sql": text, "0002.sql": "ALTER TABLE häfen ADD COLUMN größe int DEFAULT 7;",
    ])
    let examination = try await fixture.examine(
      migrations, versions: [fixture.client("a", sends: ["INSERT INTO häfen (name) VALUES ('Ä')"])])
    #expect(examination.verdicts.map(\.fit) == [.compatible], "\(examination.verdicts.map(\.why)) \(examination.why)")
    let outcome = try await fixture.schemas.apply(fixture.order(migrations, on: examination), fence: Fence(20))
    guard case .applied(let survey) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(survey.applied == 2 && survey.schema == examination.after)
    #expect(try await fixture.value("INSERT INTO häfen DEFAULT VALUES RETURNING name || größe") == "Kürzel7")
    // What the database's encoding lacks fails as a whole, with the migration's line.
    let euro = try await fixture.migrations([
      "0001.sql": text, "0002.sql": "ALTER TABLE häfen ADD COLUMN größe int DEFAULT 7;",
      "0003.sql": "CREATE TABLE c (d int);\nINSERT INTO häfen VALUES ('€');",
    ])
    guard case .failed("0003.sql", let why, let after) = try await fixture.apply(euro, fence: 30) else {
      Issue.record("a letter that LATIN1 lacks went in")
      return
    }
    #expect(why.contains("0003.sql:2") && why.contains("22P05"), "\(why)")
    #expect(after.applied == 2 && after.unfinished == nil)
  }

  @Test("a name that is no text, in a database of bytes without an encoding, is said and nothing is judged")
  func noEncoding() async throws {
    let fixture = try await EnvironmentFixture()
    let root = try #require(EnvironmentTrait.live).address(of: nil)
    try await EnvironmentFixture.run("DROP DATABASE \(fixture.name)", at: root)
    try await EnvironmentFixture.run(
      "CREATE DATABASE \(fixture.name) ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0", at: root)
    try await fixture.run("DO $$ BEGIN EXECUTE 'CREATE TABLE \"h' || chr(228) || 'fen\" (a int)'; END $$")
    let migrations = try await fixture.migrations(["0001.sql": Self.table])
    let error = await #expect(throws: (any Error).self) { try await fixture.examine(migrations) }
    let outage = try #require(error as? Outage, "\(String(describing: error))")
    for words in [fixture.place.description, "UTF-8", "22021", "rename"] {
      #expect(outage.description.contains(words), "\(outage)")
    }
    #expect(try await fixture.value("SELECT to_regclass('a')") == nil)
  }

  @Test("files that are not UTF-8 are refused, migrations and statements alike, with the file")
  func bytes() async throws {
    let schemas = EnvironmentFixture.server(TestPlaces())
    let folder = FileManager.default.temporaryDirectory.appending(path: "bytes-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    // "SELECT 'ä';" in LATIN1.
    let latin = Data([0x53, 0x45, 0x4C, 0x45, 0x43, 0x54, 0x20, 0x27, 0xE4, 0x27, 0x3B])
    try latin.write(to: URL(filePath: "\(folder)/0001.sql"))
    for read in [
      { _ = try await schemas.migrations(in: folder, layout: nil) },
      { _ = try await schemas.statements(at: "\(folder)/0001.sql", version: Digest.of([1])) },
    ] {
      let refusal = await #expect(throws: Refusal.self) { try await read() }
      #expect(refusal?.sentence.contains("0001.sql") == true, "\(refusal?.sentence ?? "")")
      #expect(refusal?.sentence.contains("UTF-8") == true, "\(refusal?.sentence ?? "")")
    }
  }
}

extension EnvironmentFixture {
  /// Of the database.
  var name: String { place.database.rawValue.replacing("-", with: "_") }
}

extension LiveDatabase {
  /// The same database as if a server of another version had it.
  fileprivate func asOf(version: Int) -> LiveDatabase {
    LiveDatabase(
      place: place, version: version, schema: schema, hash: hash, book: book, migrator: migrator,
      ownsDatabase: ownsDatabase, mayCreate: mayCreate, searchPath: searchPath, applicationPath: applicationPath,
      roles: roles, memberships: memberships, at: at)
  }
}
