import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Incidents of locks: what the driver does on a database that others use.
extension IncidentTests {
  @Test("GoCardless: a foreign key that is dropped and made again lets the others through behind a long SELECT")
  func goCardless() async throws {
    let fixture = try await EnvironmentFixture()
    let tables = """
      CREATE TABLE payments (id int PRIMARY KEY); INSERT INTO payments VALUES (1);
      CREATE TABLE invoices (payment int CONSTRAINT old_name REFERENCES payments);
      """
    try await fixture.apply(try await fixture.migrations(["0001.sql": tables]))
    let migrations = try await fixture.migrations([
      "0001.sql": tables,
      "0002.sql": """
      ALTER TABLE invoices DROP CONSTRAINT old_name;
      ALTER TABLE invoices ADD CONSTRAINT new_name FOREIGN KEY (payment) REFERENCES payments;
      """,
    ])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let report = HeldConnection(fixture.address)
    try await report.query("BEGIN; SELECT * FROM payments")
    let migration = Task { try await fixture.schemas.apply(order, fence: Fence(40)) }
    try await eventually("the migration waits for its lock") {
      try await fixture.value("SELECT count(*) FROM pg_locks WHERE relation = 'payments'::regclass AND NOT granted")
        != "0"
    }
    // In the incident each of these stood until the long SELECT was over; here that is not over before they are.
    for _ in 0..<10 {
      try await fixture.run("SET statement_timeout = '20s'; INSERT INTO invoices VALUES (1); SELECT * FROM payments")
    }
    #expect(try await fixture.schemas.survey(fixture.place).applied == 1)
    try await report.query("COMMIT")
    guard case .applied = try await migration.value else {
      Issue.record("it was not applied")
      return
    }
  }

  @Test("Flagsmith: a constraint on a table that is never free is given up, and no client is lost behind it")
  func flagsmith() async throws {
    var patience = LockPatience()
    (patience.timeout, patience.total) = (Span(milliseconds: 100), .seconds(2))
    let fixture = try await EnvironmentFixture(patience: patience)
    let table = "CREATE TABLE feature_states (id bigserial PRIMARY KEY, feature int, environment int);"
    try await fixture.apply(try await fixture.migrations(["0001.sql": table]))
    let migrations = try await fixture.migrations([
      "0001.sql": table,
      "0002.sql": "ALTER TABLE feature_states ADD CONSTRAINT sane CHECK (feature > 0) NOT VALID;",
    ])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    let writer = HeldConnection(fixture.address)
    try await writer.query("BEGIN; INSERT INTO feature_states (feature) VALUES (1)")
    async let outcome = fixture.schemas.apply(order, fence: Fence(40))
    try await withThrowingTaskGroup(of: Void.self) { clients in
      for _ in 0..<8 {
        clients.addTask {
          let client = HeldConnection(fixture.address)
          // A client that waited in earnest would fail here.
          try await client.query("SET statement_timeout = '20s'")
          for _ in 0..<20 { try await client.query("INSERT INTO feature_states (feature) VALUES (2)") }
          await client.close()
        }
      }
      try await clients.waitForAll()
    }
    guard case .failed("0002.sql", let why, let survey) = try await outcome else {
      Issue.record("it got a lock that was never free")
      return
    }
    check(why, says: ["0002.sql:1", "did not get its lock", "the oldest open transaction"])
    #expect(survey.applied == 1 && survey.unfinished == nil)
    #expect(try await fixture.value("SELECT count(*) FROM feature_states") == "160")
    await writer.close()
    await fixture.schemas.stop()
  }

  private static let projects = """
    CREATE TABLE projects (id int PRIMARY KEY);
    CREATE TABLE events (project int CONSTRAINT owner REFERENCES projects);
    CREATE TABLE audit (note text);
    """

  @Test("GitLab 19723: a migration that a deadlock ends half way leaves nothing behind, and is tried again")
  func gitLabDeadlock() async throws {
    var patience = LockPatience()
    // So long that the server's own search for deadlocks is first.
    patience.timeout = .seconds(60)
    let fixture = try await EnvironmentFixture(patience: patience)
    try await fixture.apply(try await fixture.migrations(["0001.sql": Self.projects]))
    let migrations = try await fixture.migrations([
      "0001.sql": Self.projects,
      "0002.sql": """
      ALTER TABLE events DROP CONSTRAINT owner;
      SELECT pg_advisory_xact_lock(19723);
      ALTER TABLE audit ADD COLUMN reason text;
      ALTER TABLE events ADD CONSTRAINT owner FOREIGN KEY (project) REFERENCES projects ON DELETE CASCADE;
      """,
    ])
    let order = try await fixture.order(migrations, on: fixture.examine(migrations))
    try await fixture.run("ALTER DATABASE \(fixture.name) SET deadlock_timeout = '50ms'")
    func waits(_ condition: String) async throws -> Bool {
      try await fixture.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND \(condition)") != "0"
    }
    let (holder, client) = (HeldConnection(fixture.address), HeldConnection(fixture.address))
    try await holder.query("SELECT pg_advisory_lock(19723)")
    try await client.query("SET deadlock_timeout = '10min'; BEGIN; INSERT INTO audit VALUES ('begun')")
    let migration = Task { try await fixture.schemas.apply(order, fence: Fence(40)) }
    try await eventually("the key is dropped, and nothing is committed") { try await waits("objid = 19723") }
    // Of no project: the key must refuse it, whatever became of the migration.
    let orphan = Task { try await client.query("INSERT INTO events VALUES (7)") }
    try await eventually("the client waits for the migration") {
      try await waits("relation = 'events'::regclass")
    }
    try await holder.query("SELECT pg_advisory_unlock(19723)")
    let refused = await #expect(throws: PostgresError.self) { _ = try await orphan.value }
    #expect(refused?.sqlState == "23503", "the key was never gone: \(String(describing: refused))")
    try await client.query("ROLLBACK")
    guard case .applied(let survey) = try await migration.value else {
      Issue.record("it was not tried again")
      return
    }
    #expect(survey.applied == 2 && survey.unfinished == nil && survey.schema != order.on)
    #expect(try await fixture.value("SELECT confdeltype FROM pg_constraint WHERE conname = 'owner'") == "c")
    try await eventually("the server counts the deadlock") {
      try await fixture.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") != "0"
    }
    await fixture.schemas.stop()
  }

  @Test("GitLab 19723: without a transaction, what was left half done is named, and nobody builds on it")
  func gitLabHalfDone() async throws {
    var patience = LockPatience()
    (patience.timeout, patience.total) = (Span(milliseconds: 100), .seconds(1))
    let fixture = try await EnvironmentFixture(patience: patience)
    let harbor = try await GatedHarbor(fixture)
    try await harbor.commit("a", adding: ["0001.sql": Self.projects], sends: ["SELECT note FROM audit"])
    try await harbor.promote("a")
    let report = HeldConnection(fixture.address)
    try await report.query("BEGIN; SELECT * FROM projects")
    try await harbor.commit(
      "b",
      adding: [
        "0002.sql": """
        CREATE INDEX CONCURRENTLY events_project ON events (project);
        ALTER TABLE events DROP CONSTRAINT owner;
        ALTER TABLE events ADD CONSTRAINT owner FOREIGN KEY (project) REFERENCES projects ON DELETE CASCADE NOT VALID;
        """
      ], sends: ["SELECT note FROM audit"])
    try await harbor.promote("b")
    check(
      harbor.halt("b"), says: ["1 of its 3 statements are done", "migrate adopt", "0002.sql:2", "did not get its lock"])
    #expect(harbor.serving == "a")
    #expect(harbor.state.survey?.unfinished == "0002.sql")
    try await harbor.commit("c", sends: ["SELECT note FROM audit"])
    try await harbor.promote("c")
    check(harbor.halt("c"), says: ["0002.sql was begun", "not ended", "finish or undo it by hand"])
    #expect(try await harbor.runs("SELECT note FROM audit"), "who serves goes on")
    await report.close()
    await fixture.schemas.stop()
  }
}
