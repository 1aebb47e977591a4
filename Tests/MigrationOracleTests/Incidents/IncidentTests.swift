import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Public incidents of code and schema that did not fit each other, at the gate of a real database. docs/incidents.md
/// tells them.
@Suite(.serialized, .environment)
struct IncidentTests {
  /// A way back is to be found and taken within this (issue 5).
  private static let recoveryLimit = Duration.seconds(90)

  private static let runs = "CREATE TABLE runs (id bigserial PRIMARY KEY, val text NOT NULL, code text);"
  private static let writesCode = "INSERT INTO runs (val, code) VALUES ('a', 'b')"
  private static let writesVal = "INSERT INTO runs (val) VALUES ('a')"
  private static let dropsCode = "ALTER TABLE runs\n  DROP COLUMN code;"

  @Test("val.town: what breaks the version that serves neither lands nor is applied")
  func valTownPrevented() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.runs], sends: [Self.writesCode])
    try await harbor.promote("a")
    #expect(harbor.serving == "a")
    try await harbor.commit("b", adding: ["0002.sql": Self.dropsCode], sends: [Self.writesVal])
    let ejected = try await harbor.submit("b")
    check(ejected, says: ["42703", "0002.sql:1", "\"code\" of relation \"runs\" does not exist", "aaaaaaaaaa"])
    // It is pushed past the queue.
    try await harbor.promote("b", hangs: true)
    check(harbor.halt("b"), says: ["breaks harbor aaaaaaaaaa, which serves", "0002.sql:1", "42703"])
    #expect(harbor.events("schema.migrating") == 1, "only the first version's")
    #expect(try await harbor.runs(Self.writesCode))
    #expect(harbor.serving == "a")
  }

  @Test("val.town: a deploy that hangs after its migration harms nobody, and may be taken back at any time")
  func valTownHangs() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.runs], sends: [Self.writesCode])
    try await harbor.promote("a")
    try await harbor.commit("b", adding: ["0002.sql": "ALTER TABLE runs ADD COLUMN took int;"], sends: [Self.writesVal])
    try await harbor.promote("b", hangs: true, until: .now)
    #expect(harbor.state.survey?.applied == 2, "the migration is there")
    #expect(harbor.serving == "a", "its code is not")
    #expect(try await harbor.runs(Self.writesCode))
    let schema = harbor.state.survey?.schema
    #expect(try await harbor.rollBack() == "a", "that the migration succeeded is no reason to refuse")
    #expect(try await harbor.fixture.schemas.survey(harbor.fixture.place).schema == schema, "the schema stays")
  }

  @Test("val.town: forced all the same, and hung, the way back leads past the version that the schema fails")
  func valTownForced() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.runs], sends: [Self.writesVal])
    try await harbor.promote("a")
    try await harbor.commit("b", sends: [Self.writesCode])
    try await harbor.promote("b")
    try await harbor.commit("c", adding: ["0002.sql": Self.dropsCode], sends: [Self.writesVal])
    try await harbor.promote("c")
    check(harbor.halt("c"), says: ["breaks harbor bbbbbbbbbb, which serves"])
    #expect(try await harbor.override("c") == nil)
    #expect(harbor.state.override?.atRisk.map(\.commit.short) == ["bbbbbbbbbb"])
    try await harbor.promoteAgain("c", hangs: true, until: .now)
    // The incident: b serves, and fails.
    #expect(harbor.serving == "b")
    #expect(try await !harbor.runs(Self.writesCode))
    #expect(harbor.barred == ["b"])
    let schema = harbor.state.survey?.schema
    let began = (machine: harbor.now, wall: ContinuousClock.now)
    _ = try await harbor.rollBack()
    #expect(try await harbor.rollBack() == "a", "past what the schema would fail")
    #expect(harbor.now - began.machine <= .seconds(90) && ContinuousClock.now - began.wall < Self.recoveryLimit)
    #expect(try await harbor.runs(Self.writesVal))
    #expect(harbor.state.survey?.schema == schema, "the schema was not touched")
  }

  @Test("Doppler: code whose migration did not run is not deployed; with it, the migration goes first")
  func dopplerOrder() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.runs], sends: [Self.writesVal])
    try await harbor.promote("a")
    let needs = "INSERT INTO runs (val, region) VALUES ('a', 'b')"
    try await harbor.commit("b", sends: [needs])
    try await harbor.promote("b")
    check(harbor.halt("b"), says: ["production/", "lacks what it needs", "42703", "region"])
    #expect(harbor.serving == "a")
    try await harbor.commit("c", adding: ["0002.sql": "ALTER TABLE runs ADD COLUMN region text;"], sends: [needs])
    try await harbor.promote("c", until: .now)
    #expect(harbor.state.survey?.applied == 2)
    #expect(try await harbor.runs(needs))
    try await harbor.pass()
    #expect(harbor.serving == "c")
  }

  @Test("Doppler: a migration that fails on production's rows keeps its code out")
  func dopplerFailure() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.runs], sends: [Self.writesVal])
    try await harbor.promote("a")
    try await harbor.fixture.run("INSERT INTO runs (val) SELECT 'a' FROM generate_series(1, 1000)")
    let migration = """
      ALTER TABLE runs ADD COLUMN region text;
      DO $$ BEGIN IF (SELECT count(*) FROM runs) > 500 THEN RAISE EXCEPTION 'too many'; END IF; END $$;
      """
    try await harbor.commit("b", adding: ["0002.sql": migration], sends: ["SELECT region FROM runs"])
    try await harbor.promote("b")
    check(harbor.halt("b"), says: ["0002.sql:2", "P0001", "too many"])
    #expect(harbor.serving == "a")
    #expect(harbor.state.survey?.applied == 1)
    #expect(try await !harbor.runs("SELECT region FROM runs"), "nothing of it stayed")
    #expect(try await harbor.runs(Self.writesVal))
  }

  private static let plans = """
    CREATE TABLE plan_limits (id bigserial PRIMARY KEY, web_hook_calls int NOT NULL DEFAULT 0);
    INSERT INTO plan_limits DEFAULT VALUES;
    """
  private static let readsOld = "SELECT web_hook_calls FROM plan_limits"
  private static let readsNew = "SELECT web_hook_calls_high FROM plan_limits"
  private static let addsNew = """
    ALTER TABLE plan_limits ADD COLUMN web_hook_calls_high int NOT NULL DEFAULT 0;
    CREATE FUNCTION copy_calls() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN new.web_hook_calls_high := new.web_hook_calls; RETURN new; END $$;
    CREATE TRIGGER copy_calls BEFORE INSERT OR UPDATE OF web_hook_calls ON plan_limits
      FOR EACH ROW EXECUTE FUNCTION copy_calls();
    UPDATE plan_limits SET web_hook_calls_high = web_hook_calls;
    """
  private static let dropsOld = """
    DROP TRIGGER copy_calls ON plan_limits;
    DROP FUNCTION copy_calls;
    ALTER TABLE plan_limits DROP COLUMN web_hook_calls;
    """

  @Test("GitLab 8264: the cleanup of a rename waits until nobody reads the old name, also nobody to return to")
  func gitLabRename() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.plans], sends: [Self.readsOld])
    try await harbor.promote("a")
    // Both steps at once, as the staging environment got them.
    try await harbor.commit(
      "b", adding: ["0002_rename.sql": Self.addsNew, "0003_cleanup.sql": Self.dropsOld], sends: [Self.readsNew])
    check(try await harbor.submit("b"), says: ["0003_cleanup.sql:3", "42703", "web_hook_calls"])
    try await harbor.promote("b")
    check(harbor.halt("b"), says: ["breaks harbor aaaaaaaaaa, which serves", "0003_cleanup.sql:3"])
    #expect(harbor.state.survey?.applied == 1)
    // In two: the first passes.
    harbor.dropMigration()
    try await harbor.commit("c", sends: [Self.readsNew])
    try await harbor.promote("c")
    #expect(harbor.halt("c") == nil, "\(harbor.halt("c") ?? "")")
    #expect(harbor.serving == "c")
    #expect(try await harbor.runs(Self.readsOld), "and the old version could still come back")
    // The second as long as somebody may return to the old name.
    try await harbor.commit("d", adding: ["0003_cleanup.sql": Self.dropsOld], sends: [Self.readsNew])
    try await harbor.promote("d")
    check(harbor.halt("d"), says: ["breaks harbor aaaaaaaaaa, a rollback target", "raise the floor"])
    try await harbor.raiseFloor(to: "c")
    try await harbor.promoteAgain("d")
    #expect(harbor.serving == "d")
    #expect(try await !harbor.runs(Self.readsOld))
  }

  private static let users = "CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL, skype text);"
  /// An ORM names every column that it saw at its start.
  private static let ormRead = "SELECT users.id, users.email, users.skype FROM users WHERE users.id = 1"
  private static let newRead = "SELECT users.id, users.email FROM users WHERE users.id = 1"

  @Test("GitLab 19079: a column that no code uses and every read names is not dropped under the versions that read it")
  func gitLabIgnoreRule() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    try await harbor.commit("a", adding: ["0001.sql": Self.users], sends: [Self.ormRead])
    try await harbor.promote("a")
    let drop = "ALTER TABLE users DROP COLUMN skype;"
    try await harbor.commit("b", adding: ["0002.sql": drop], sends: [Self.newRead])
    check(try await harbor.submit("b"), says: ["0002.sql:1", "42703", "skype"])
    harbor.dropMigration()
    // The ignore rule first, as its own release; then the column goes.
    try await harbor.commit("c", sends: [Self.newRead])
    try await harbor.promote("c")
    try await harbor.raiseFloor(to: "c")
    try await harbor.commit("d", adding: ["0002.sql": drop], sends: [Self.newRead])
    #expect(try await harbor.submit("d") == nil)
    try await harbor.promote("d")
    #expect(harbor.serving == "d")
  }

  @Test("GitLab: an upgrade that skips a release is refused while the release before it serves")
  func gitLabSkippedRelease() async throws {
    let harbor = try await GatedHarbor(EnvironmentFixture())
    // 1 reads the column, 2 no more, 3 drops it. Here 2 was skipped.
    try await harbor.commit("1", adding: ["0001.sql": Self.users], sends: [Self.ormRead])
    try await harbor.promote("1")
    let between = "ALTER TABLE users ADD COLUMN phone text;"
    let drop = "ALTER TABLE users DROP COLUMN skype;"
    try await harbor.commit(
      "3", adding: ["0002.sql": between, "0003.sql": drop], sends: ["\(Self.newRead) AND users.phone IS NULL"])
    try await harbor.promote("3")
    check(harbor.halt("3"), says: ["breaks harbor 1111111111, which serves", "0003.sql:1", "42703"])
    #expect(harbor.state.survey?.applied == 1, "none of the two was applied")
    harbor.dropMigration()
    try await harbor.commit("2", sends: [Self.newRead])
    try await harbor.promote("2")
    #expect(harbor.serving == "2")
    // With 1 as a rollback target it is refused still; forced, the way back from 3 is 2 and never 1.
    try await harbor.commit("4", adding: ["0003.sql": drop], sends: [Self.newRead])
    try await harbor.promote("4")
    check(harbor.halt("4"), says: ["1111111111, a rollback target"])
    #expect(try await harbor.override("4") == nil)
    try await harbor.promoteAgain("4")
    #expect(harbor.serving == "4")
    #expect(harbor.barred == ["1"] && harbor.floor == "2")
    check(try await harbor.rollBack(to: "1"), says: ["would fail it", "sha256:2222"])
    #expect(try await harbor.rollBack() == "2")
    #expect(try await harbor.runs(Self.newRead))
  }

  func check(
    _ said: String?, says words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for word in words {
      #expect(said?.contains(word) == true, "\(word): \(said ?? "nothing was said")", sourceLocation: sourceLocation)
    }
  }
}
