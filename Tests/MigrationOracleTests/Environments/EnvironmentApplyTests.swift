import Foundation
import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Migrations applied to live databases, and what happens in between.
@Suite(.serialized, .environment)
struct EnvironmentApplyTests {
  @Test("each migration is applied once, with its row, and the same order again finds it done")
  func repeated() async throws {
    let fixture = try await EnvironmentFixture()
    let migrations = try await fixture.migrations([
      "0001.sql": "BEGIN; CREATE TABLE a (b int); COMMIT;",
      "0002.sql": "COPY a FROM stdin;\n1\n2\n\\.\n\\echo done\nINSERT INTO a VALUES (3);",
      "0003.sql": "CREATE INDEX CONCURRENTLY i ON a (b);",
    ])
    let examination = try await fixture.examine(migrations)
    let order = fixture.order(migrations, on: examination)
    let survey = try applied(try await fixture.schemas.apply(order, fence: Fence(7)))
    #expect(survey.applied == 3 && survey.unfinished == nil && survey.schema == examination.after)
    #expect(try await fixture.value("SELECT sum(b) FROM a") == "6")
    #expect(try await fixture.schemas.apply(order, fence: Fence(7)) == .applied(survey))
    #expect(try await fixture.schemas.apply(order, fence: Fence(9)) == .applied(survey))
    #expect(try await fixture.value("SELECT sum(b) FROM a") == "6")
    #expect(try await fixture.examine(migrations).pending.isEmpty)
  }

  @Test("an order that comes after a newer one is not carried out")
  func staleFence() async throws {
    let fixture = try await EnvironmentFixture()
    let migrations = try await fixture.migrations(["0001.sql": "CREATE TABLE a (b int);"])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    _ = try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(20))
    let outage = await #expect(throws: Outage.self) { try await fixture.schemas.apply(order, fence: Fence(19)) }
    #expect(outage?.sentence.contains("too late") == true, "\(outage?.description ?? "")")
    #expect(try await fixture.value("SELECT to_regclass('a')") == nil)
  }

  @Test("a schema that moved since it was judged is left alone")
  func drift() async throws {
    let fixture = try await EnvironmentFixture()
    try await fixture.apply(try await fixture.migrations(["0001.sql": "CREATE TABLE a (b int);"]))
    let migrations = try await fixture.migrations([
      "0001.sql": "CREATE TABLE a (b int);", "0002.sql": "ALTER TABLE a DROP COLUMN b;",
    ])
    let examination = try await fixture.examine(migrations)
    try await fixture.run("ALTER TABLE a ADD COLUMN c int")
    let outcome = try await fixture.schemas.apply(fixture.order(migrations, on: examination), fence: Fence(30))
    guard case .drifted(let survey) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(survey.schema != examination.survey.schema && survey.applied == 1)
    #expect(try await fixture.value("SELECT count(*) FROM information_schema.columns WHERE table_name = 'a'") == "2")
  }

  @Test("a migration that fails is rolled back as a whole; those before it stay")
  func failing() async throws {
    let fixture = try await EnvironmentFixture("CREATE TABLE filled (b int); INSERT INTO filled VALUES (1)")
    _ = try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(1))
    let migrations = try await fixture.migrations([
      "0001.sql": "CREATE TABLE a (b int);",
      "0002.sql": "CREATE TABLE c (d int);\nALTER TABLE filled ADD COLUMN e int NOT NULL;", "0003.sql": "SELECT 1;",
    ])
    let outcome = try await fixture.apply(migrations)
    guard case .failed("0002.sql", let why, let survey) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(why.contains("0002.sql:2") && why.contains("23502"), "\(why)")
    #expect(survey.applied == 1 && survey.unfinished == nil)
    #expect(try await fixture.value("SELECT to_regclass('c')") == nil)
    #expect(try await fixture.examine(migrations).pending.map(\.name) == ["0002.sql", "0003.sql"])
  }

  @Test("killed between two migrations, the same order goes on")
  func killedBetween() async throws {
    let fixture = try await EnvironmentFixture()
    let texts: KeyValuePairs = ["0001.sql": "CREATE TABLE a (b int);", "0002.sql": "CREATE TABLE c (d int);"]
    let migrations = try await fixture.migrations(texts)
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let first = MigrationOrder(
      place: order.place, migrations: migrations, pending: Array(order.pending.prefix(1)), on: order.on)
    _ = try applied(try await fixture.schemas.apply(first, fence: Fence(5)))
    #expect(try applied(try await fixture.schemas.apply(order, fence: Fence(5))).applied == 2)
    // Killed before it was noted what the first one left: then nobody can say that nothing else happened.
    let other = try await EnvironmentFixture()
    let again = try await other.migrations(texts)
    let whole = try await other.order(again, on: other.examine(again))
    _ = try applied(
      try await other.schemas.apply(
        MigrationOrder(place: other.place, migrations: again, pending: Array(whole.pending.prefix(1)), on: whole.on),
        fence: Fence(5)))
    try await other.run("UPDATE plimsoll.migrations SET schema_after = NULL")
    guard case .drifted = try await other.schemas.apply(whole, fence: Fence(5)) else {
      Issue.record("it went on without knowing on what")
      return
    }
    _ = try applied(try await other.apply(again))
  }

  @Test("killed at any statement of a migration without a transaction, the same order ends it", arguments: 0...4)
  func killedAmidst(_ done: Int) async throws {
    let text = """
      CREATE TABLE a (b int);
      INSERT INTO a VALUES (1);
      CREATE INDEX CONCURRENTLY i ON a (b);
      INSERT INTO a VALUES (2);
      """
    let fixture = try await EnvironmentFixture()
    let migrations = try await fixture.migrations(["0001.sql": text])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let mark = try #require(order.pending.first)
    // What a process that is killed leaves: its row, the statements that are done, and perhaps half of the next.
    let statements = MigrationScript(MigrationText(name: "0001.sql", text: text, isTransactional: false)).statements
    try await fixture.schemas.prepareBook(fixture.address)
    for statement in statements.prefix(done) { try await fixture.run(statement.text) }
    if done == 2 {
      try await fixture.run(
        "CREATE INDEX i ON a (b); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass")
    }
    try await fixture.run(
      "INSERT INTO plimsoll.migrations (position, name, content, state, statements_done, fence)"
        + " VALUES (1, '0001.sql', '\(mark.content)', 'begun', \(done), 5)")
    let survey = try applied(try await fixture.schemas.apply(order, fence: Fence(5)))
    #expect(survey.applied == 1 && survey.unfinished == nil)
    #expect(try await fixture.value("SELECT sum(b) FROM a") == "3")
    #expect(try await fixture.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == "t")
  }

  @Test("a connection that is cut in the middle of a statement is an outage, and the next call ends it")
  func cut() async throws {
    let fixture = try await EnvironmentFixture()
    try await fixture.apply(try await fixture.migrations(["0001.sql": "CREATE TABLE a (b int);"]))
    let migrations = try await fixture.migrations([
      "0001.sql": "CREATE TABLE a (b int);",
      "0002.sql": "CREATE TABLE c (d int);\nCREATE INDEX CONCURRENTLY i ON a (b);",
    ])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let holder = HeldConnection(fixture.address)
    try await holder.query("BEGIN; INSERT INTO a VALUES (1)")
    let first = Task { try await fixture.schemas.apply(order, fence: Fence(40)) }
    try await eventually("the index is being built") {
      try await fixture.value("SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('i')") == "1"
    }
    #expect(try await fixture.schemas.survey(fixture.place).unfinished == "0002.sql")
    try await fixture.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND state = 'active'")
    await #expect(throws: Outage.self) { _ = try await first.value }
    #expect(try await fixture.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == "f")
    try await holder.query("COMMIT")
    let survey = try applied(try await fixture.schemas.apply(order, fence: Fence(40)))
    #expect(survey.applied == 2 && survey.unfinished == nil)
    #expect(try await fixture.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == "t")
  }

  @Test("an index that cannot be built concurrently leaves nothing behind, and may be tried again")
  func failedIndex() async throws {
    let fixture = try await EnvironmentFixture("CREATE TABLE a (b int); INSERT INTO a VALUES (1), (1)")
    _ = try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(1))
    let migrations = try await fixture.migrations(["0001.sql": "CREATE UNIQUE INDEX CONCURRENTLY i ON a (b);"])
    let outcome = try await fixture.apply(migrations)
    guard case .failed("0001.sql", let why, let survey) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(why.contains("23505"), "\(why)")
    #expect(survey.unfinished == nil)
    #expect(try await fixture.value("SELECT to_regclass('i')") == nil)
    try await fixture.run("DELETE FROM a; INSERT INTO a VALUES (1)")
    #expect(try applied(try await fixture.apply(migrations)).applied == 1)
  }

  @Test("an invalid index of the same name from elsewhere is named, also where IF NOT EXISTS would pass over it")
  func invalidIndex() async throws {
    let fixture = try await EnvironmentFixture(
      "CREATE TABLE a (b int); CREATE INDEX i ON a (b);"
        + "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass")
    _ = try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(1))
    for text in ["CREATE INDEX CONCURRENTLY i ON a (b);", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (b);"] {
      let migrations = try await fixture.migrations(["0001.sql": text])
      let examination = try await fixture.examine(migrations)
      #expect(examination.migration == .breaks, "\(examination.why)")
      let outcome = try await fixture.schemas.apply(fixture.order(migrations, on: examination), fence: Fence(5))
      guard case .failed(_, let why, let survey) = outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(why.contains("DROP INDEX CONCURRENTLY i"), "\(why)")
      #expect(survey.unfinished == nil)
    }
  }

  @Test("an index that another tool left invalid is found by a look, with what mends it")
  func foundInvalid() async throws {
    let fixture = try await EnvironmentFixture(
      "CREATE SCHEMA \"Shop\"; CREATE TABLE \"Shop\".a (b int); INSERT INTO \"Shop\".a VALUES (1), (1)")
    #expect(try await fixture.schemas.survey(fixture.place).invalidIndexes == nil)
    await #expect(throws: (any Error).self) {
      try await fixture.run("CREATE UNIQUE INDEX CONCURRENTLY b_key ON \"Shop\".a (b)")
    }
    let survey = try await fixture.schemas.survey(fixture.place)
    #expect(survey.invalidIndexes == ["\"Shop\".b_key"])
    #expect(
      survey.invalidWords?.contains("The index \"Shop\".b_key is invalid") == true
        && survey.invalidWords?.contains("run DROP INDEX CONCURRENTLY \"Shop\".b_key,") == true,
      "\(survey.invalidWords ?? "")")
    try await fixture.run("DROP INDEX CONCURRENTLY \"Shop\".b_key")
    #expect(try await fixture.schemas.survey(fixture.place).invalidIndexes == nil)
  }

  @Test("without a transaction, what failed half-way is unfinished until a person has seen to it")
  func unfinished() async throws {
    let fixture = try await EnvironmentFixture("CREATE TABLE a (b int); INSERT INTO a VALUES (1), (1)")
    _ = try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(1))
    let migrations = try await fixture.migrations([
      "0001.sql": "CREATE TABLE c (d int);\nCREATE UNIQUE INDEX CONCURRENTLY i ON a (b);"
    ])
    guard case .failed(_, let why, let survey) = try await fixture.apply(migrations) else {
      Issue.record("it was applied")
      return
    }
    #expect(why.contains("1 of its 2 statements") && why.contains("migrate adopt"), "\(why)")
    #expect(survey.unfinished == "0001.sql" && survey.applied == 0)
    await #expect(throws: Refusal.self) { try await fixture.examine(migrations) }
    try await fixture.run("DROP TABLE c")
    #expect(try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(30)).unfinished == nil)
    #expect(try await fixture.examine(migrations).pending.count == 1)
  }

  /// GoCardless's API stood for 15 s: a foreign key waited for a long SELECT, and everyone behind it.
  @Test("behind a long SELECT a migration gives way again and again, and is applied when that ends")
  func longSelect() async throws {
    let fixture = try await EnvironmentFixture()
    let tables = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE c (id int); INSERT INTO a VALUES (1);"
    try await fixture.apply(try await fixture.migrations(["0001.sql": tables]))
    let migrations = try await fixture.migrations([
      "0001.sql": tables,
      "0002.sql": "ALTER TABLE a ADD COLUMN note text;\nALTER TABLE c ADD FOREIGN KEY (id) REFERENCES a (id);",
    ])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let reader = HeldConnection(fixture.address)
    try await reader.query("BEGIN; SELECT * FROM a")
    let migration = Task { try await fixture.schemas.apply(order, fence: Fence(40)) }
    try await eventually("the migration waits for its lock") {
      try await fixture.value("SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted") != "0"
    }
    // Each would stand until the long SELECT ends if the migration waited in earnest: then this never came to its end.
    for _ in 0..<20 {
      _ = try await fixture.value("SELECT count(*) FROM a")
      try await fixture.run("INSERT INTO c VALUES (1)")
    }
    #expect(try await fixture.schemas.survey(fixture.place).applied == 1)
    try await reader.query("COMMIT")
    #expect(try applied(try await migration.value).applied == 2)
  }

  @Test("a lock that is never free is given up, with the statement and who holds it up")
  func neverFree() async throws {
    var patience = LockPatience()
    (patience.timeout, patience.total) = (Span(milliseconds: 50), .seconds(0.5))
    let fixture = try await EnvironmentFixture(patience: patience)
    try await fixture.apply(try await fixture.migrations(["0001.sql": "CREATE TABLE a (b int);"]))
    let migrations = try await fixture.migrations([
      "0001.sql": "CREATE TABLE a (b int);", "0002.sql": "CREATE TABLE c (d int);\nALTER TABLE a ADD COLUMN d int;",
    ])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let reader = HeldConnection(fixture.address)
    let process = try #require(try await reader.query("BEGIN; SELECT * FROM a; SELECT pg_backend_pid()"))
    let outcome = try await fixture.schemas.apply(order, fence: Fence(40))
    guard case .failed("0002.sql", let why, let survey) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(why.contains("0002.sql:2") && why.contains("process \(process)"), "\(why)")
    #expect(survey.applied == 1 && survey.unfinished == nil)
    await reader.close()
    await fixture.schemas.stop()
  }

  @Test("ten megabytes of rows are applied in one transaction")
  func manyRows() async throws {
    let line = "INSERT INTO a VALUES (1, '\(String(repeating: "x", count: 500))');\n"
    let count = (10 << 20) / line.utf8.count
    let fixture = try await EnvironmentFixture()
    let migrations = try await fixture.migrations([
      "0001.sql": "CREATE TABLE a (b int, c text);\n" + String(repeating: line, count: count)
    ])
    #expect(try applied(try await fixture.apply(migrations)).applied == 1)
    #expect(try await fixture.value("SELECT count(*) FROM a") == "\(count)")
  }

  private func applied(_ outcome: MigrationOutcome) throws -> SchemaSurvey {
    guard case .applied(let survey) = outcome else {
      Issue.record("\(outcome)")
      throw Outage("test", "it was not applied")
    }
    return survey
  }
}

extension EnvironmentSchemas {
  /// The book as an earlier call left it.
  fileprivate func prepareBook(_ address: ServerAddress) async throws {
    try await BlockingThread.run { try MigrationBook(connection: PostgresConnection(address)).create() }
  }
}
