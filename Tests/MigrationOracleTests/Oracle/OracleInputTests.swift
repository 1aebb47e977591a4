import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// What is wrong with the input: never a silent pass, never a crash.
@Suite(.serialized, .shadow)
struct OracleInputTests {
  @Test("a migration with a syntax error is inconclusive, with its line")
  func syntaxError() async throws {
    let report = try await check("ALTER TABLE customers ADD COLUMN phone text;\nALTR TABLE customers DROP legacy;")
    #expect(report.verdict == .inconclusive)
    let finding = report.findings.first { $0.kind == .inconclusive }
    #expect(finding?.sqlState == "42601")
    #expect(finding?.migration?.line == 2)
    #expect(report.checked.first?.undecided == 1)
  }

  @Test("a migration that fails on the schema breaks, with its line")
  func failingMigration() async throws {
    let report = try await check("CREATE TABLE a (id int);\n\nALTER TABLE nobody ADD COLUMN phone text;")
    #expect(report.verdict == .breaks)
    let finding = report.findings.first { $0.kind == .breaks }
    #expect(finding?.level == .apply)
    #expect(finding?.sqlState == "42P01")
    #expect(finding?.migration?.line == 3)
  }

  @Test("a required column fails on every table that has rows, and breaks the INSERT too")
  func requiredColumn() async throws {
    let report = try await check(
      "ALTER TABLE customers ADD COLUMN phone text NOT NULL;", "INSERT INTO customers (email) VALUES ($1)")
    #expect(report.findings.contains { $0.rule == "fails-on-rows" && $0.kind == .breaks })
    #expect(report.findings.contains { $0.sqlState == "23502" && $0.level == .execute })
  }

  @Test("a change that depends on the rows is told, not judged")
  func dependsOnRows() async throws {
    let report = try await check("ALTER TABLE customers ALTER COLUMN handle TYPE uuid USING handle::uuid;")
    #expect(report.verdict == .compatible)
    #expect(report.findings.contains { $0.rule == "depends-on-data" && $0.kind == .note })
  }

  @Test("an extension that is not installed is named")
  func missingExtension() async throws {
    let report = try await check("CREATE EXTENSION no_such_extension;")
    #expect(report.verdict == .inconclusive)
    #expect(report.findings.contains { $0.rule == "extension-missing" && $0.message.contains("no_such_extension") })
  }

  @Test("a role that the caller names and nobody knows is refused")
  func unknownRole() async throws {
    let oracle = try #require(ShadowTrait.oracle)
    let question = Scenario("", migration: "SELECT 1;", sends: "SELECT 1", .safe, role: "nobody_knows").question
    await #expect(throws: Refusal.self) { try await oracle.check(question) }
  }

  @Test("of two statements with one fingerprint the one that breaks is found, whichever comes first")
  func alikeStatements() async throws {
    let oracle = try #require(ShadowTrait.oracle)
    let texts = ["SELECT id FROM orders WHERE state = 'paid'", "SELECT id FROM orders WHERE state = 'sent'"]
    #expect(Set(texts.map(SQLParser.fingerprint)).count == 1)
    for texts in [texts, texts.reversed()] {
      var question = Scenario(
        "",
        migration: """
          ALTER TYPE state RENAME TO former_state;
          CREATE TYPE state AS ENUM ('new', 'paid');
          ALTER TABLE orders ALTER COLUMN state DROP DEFAULT, ALTER COLUMN state TYPE state USING state::text::state;
          """, sends: "", .breaks("22P02")
      ).question
      question.old = [
        StatementSet(
          version: "v1",
          statements: texts.map {
            CapturedStatement(fingerprint: SQLParser.fingerprint($0), text: $0, source: .sql)
          })
      ]
      let report = try await oracle.check(question)
      let said = report.findings.map { "\($0.kind) \($0.rule): \($0.message)" }.joined(separator: "\n")
      #expect(report.checked.first?.statements == 2 && report.checked.first?.broken == 1, "\(said)")
      #expect(report.findings.contains { $0.kind == .breaks && $0.statement?.text.contains("sent") == true }, "\(said)")
    }
  }

  @Test("a statement runs as the role that it was recorded with, where the server knows it")
  func recordedRole() async throws {
    let oracle = try #require(ShadowTrait.oracle)
    let text = "UPDATE orders SET note = $1 WHERE id = $2"
    func report(_ roles: [String?]) async throws -> MigrationReport {
      var question = Scenario(
        "", migration: "REVOKE UPDATE ON orders FROM app;", sends: "", .safe, role: nil,
        history: Scenario.shop + "\nGRANT UPDATE ON orders TO plimsoll_test_clerk;"
      ).question
      question.old = [
        StatementSet(
          version: "v1",
          statements: roles.map {
            CapturedStatement(fingerprint: SQLParser.fingerprint(text), text: text, source: .proxy, role: $0)
          })
      ]
      return try await oracle.check(question)
    }
    #expect(try await report([nil]).verdict == .compatible, "somebody may still")
    #expect(try await report(["plimsoll_test_clerk"]).verdict == .compatible)
    #expect(try await report(["nobody_knows", "nor_this"]).checked.first?.statements == 1)
    let lost = try await report(["plimsoll_test_clerk", "app"])
    #expect(lost.verdict == .breaks)
    #expect(lost.checked.first?.held == 1 && lost.checked.first?.broken == 1)
    #expect(lost.findings.first?.sqlState == "42501")
  }

  @Test("a recorded role that owns its tables may do what the migration makes, and one that may not look is no proof")
  func recordedOwner() async throws {
    let oracle = try #require(ShadowTrait.oracle)
    func verdict(_ history: String, _ migration: String, _ text: String, path: String? = nil) async throws
      -> MigrationReport
    {
      var question = Scenario("", migration: migration, sends: "", .safe, role: nil, history: history).question
      question.old = [
        StatementSet(
          version: "v1",
          statements: [
            CapturedStatement(
              fingerprint: SQLParser.fingerprint(text), text: text, source: .proxy, role: "plimsoll_test_owner",
              searchPath: path)
          ])
      ]
      return try await oracle.check(question)
    }
    let owned = "CREATE TABLE notes (id int, text text); ALTER TABLE notes OWNER TO plimsoll_test_owner;"
    let copied = """
      CREATE TABLE newer (id int, text text);
      DROP TABLE notes;
      ALTER TABLE newer RENAME TO notes;
      """
    let held = try await verdict(owned, copied, "SELECT text FROM notes WHERE id = $1")
    #expect(held.checked.first?.held == 1, "\(held.findings.map(\.message))")
    let hidden = owned + "CREATE SCHEMA shop; CREATE TABLE shop.orders (id int, note text);"
    let broken = try await verdict(
      hidden, "ALTER TABLE shop.orders DROP COLUMN note;", "SELECT note FROM orders", path: "shop")
    #expect(broken.verdict == .breaks && broken.checked.first?.broken == 1, "\(broken.findings.map(\.message))")
  }

  @Test("a role that the migration names is created in the shadow, and told")
  func createdRole() async throws {
    let report = try await check("GRANT SELECT ON customers TO plimsoll_test_reporting;")
    #expect(report.verdict == .compatible)
    #expect(report.findings.contains { $0.rule == "role-created" && $0.message.contains("plimsoll_test_reporting") })
  }

  @Test("a migration with a transaction of its own runs as it is written")
  func ownTransaction() async throws {
    let report = try await check(
      "BEGIN; ALTER TABLE customers DROP COLUMN legacy; COMMIT;", "SELECT legacy FROM customers")
    #expect(report.verdict == .breaks)
    #expect(report.findings.first?.migration?.text.contains("DROP COLUMN legacy") == true)
  }

  @Test("a transaction that is never committed loses its work, and is told")
  func openTransaction() async throws {
    let report = try await check("BEGIN; ALTER TABLE customers DROP COLUMN legacy;", "SELECT legacy FROM customers")
    #expect(report.verdict == .compatible)
    #expect(report.findings.contains { $0.rule == "transaction-left-open" })
  }

  @Test("CONCURRENTLY in a file that its tool wraps in a transaction fails, as it would")
  func concurrentlyWrapped() async throws {
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT 1", .safe).question
    question.migration = [
      MigrationFile(
        path: "0002_change.sql", text: "CREATE INDEX CONCURRENTLY i ON customers (name);", transaction: .one)
    ]
    let report = try await #require(ShadowTrait.oracle).check(question)
    #expect(report.verdict == .breaks)
    #expect(report.findings.first?.sqlState == "25001")
  }

  @Test("a statement that the server does not read is inconclusive")
  func unreadStatement() async throws {
    let report = try await check("SELECT 1;", "SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a int PATH '$'))")
    #expect(report.verdict == .inconclusive)
    #expect(report.checked.first?.undecided == 1)
  }

  @Test("a statement that was broken before is set aside, and when most were, nothing is proven")
  func brokenBefore() async throws {
    let oracle = try #require(ShadowTrait.oracle)
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT 1", .safe).question
    question.old = [
      set("v1", ["SELECT gone FROM customers", "SELECT id FROM customers", "SELECT email FROM customers"])
    ]
    var report = try await oracle.check(question)
    #expect(report.verdict == .compatible)
    #expect(report.findings.contains { $0.rule == "broken-before" && $0.kind == .note })
    #expect(report.checked == [.init(version: "v1", statements: 3, held: 2, broken: 0, brokenBefore: 1, undecided: 0)])
    question.old = [set("v1", ["SELECT gone FROM customers", "SELECT 1 FROM lost", "SELECT email FROM customers"])]
    report = try await oracle.check(question)
    #expect(report.verdict == .inconclusive)
    #expect(report.findings.contains { $0.rule == "mostly-broken-before" })
  }

  @Test("low coverage is inconclusive")
  func lowCoverage() async throws {
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT id FROM customers", .safe).question
    question.production = set("production", ["SELECT id FROM customers", "SELECT id FROM orders"])
    let report = try await #require(ShadowTrait.oracle).check(question)
    #expect(report.verdict == .inconclusive)
    #expect(report.findings.contains { $0.rule == "low-coverage" })
  }

  @Test("a recording that lacks statements is never complete") func leftOut() async throws {
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT id FROM customers", .safe).question
    #expect(try await #require(ShadowTrait.oracle).check(question).verdict == .compatible)
    question.old[0].leftOut = 3
    let report = try await #require(ShadowTrait.oracle).check(question)
    #expect(report.verdict == .inconclusive)
    let finding = try #require(report.findings.first { $0.rule == "statements-left-out" })
    #expect(finding.message.contains("v1: 3 statements were left out of its recording"), "\(finding.message)")
  }

  @Test("what cannot be tried after the migration, and ran before, cannot be told") func untried() async throws {
    let history = "CREATE TABLE seats (id int PRIMARY KEY, flight int NOT NULL, seat text);"
    let fixed = """
      CREATE FUNCTION fixed() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.flight <> OLD.flight THEN RAISE 'a flight is what it is'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER fixed BEFORE UPDATE ON seats FOR EACH ROW EXECUTE FUNCTION fixed();
      CREATE UNIQUE INDEX seat ON seats (flight, seat);
      """
    // To meet the new index both rows need one flight, which the new trigger does not let them have.
    let report = try await #require(ShadowTrait.oracle).check(
      Scenario(
        "", migration: fixed, sends: "UPDATE seats SET seat = $1 WHERE id = $2", .safe, role: nil, history: history
      ).question)
    #expect(report.verdict == .inconclusive, "\(report.findings)")
    let finding = try #require(report.findings.first { $0.rule == "not-tried" }, "\(report.findings)")
    #expect(finding.message.contains("a flight is what it is"), "\(finding.message)")
    #expect(report.checked.map(\.undecided) == [1] && report.checked.map(\.broken) == [0])
    let without = fixed.components(separatedBy: "CREATE UNIQUE")[1]
    let found = try await #require(ShadowTrait.oracle).check(
      Scenario(
        "", migration: "CREATE UNIQUE" + without, sends: "UPDATE seats SET seat = $1 WHERE id = $2", .safe, role: nil,
        history: history
      ).question)
    #expect(found.verdict == .breaks, "without the trigger it is tried, and it collides: \(found.findings)")
  }

  @Test("a break shows no row that was made up") func madeUp() async throws {
    for (migration, statement, words) in [
      ("ALTER TABLE customers ALTER legacy SET NOT NULL;", "INSERT INTO customers (email) VALUES ($1)", "null value"),
      ("CREATE UNIQUE INDEX one ON customers (country);", "INSERT INTO customers (email) VALUES ($1)", "duplicate key"),
    ] {
      let report = try await #require(ShadowTrait.oracle).check(
        Scenario("", migration: migration, sends: statement, .safe).question)
      let finding = try #require(report.findings.first { $0.kind == .breaks }, "\(report.findings)")
      #expect(finding.message.contains(words) && !finding.message.contains("Failing row"), "\(finding.message)")
      #expect(!finding.message.contains(")=("), "\(finding.message)")
    }
  }

  @Test("a history that cannot be built is inconclusive")
  func brokenHistory() async throws {
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT 1", .safe).question
    question.history.append(MigrationFile(path: "0001b.sql", text: "ALTER TABLE nobody DROP COLUMN a;"))
    let report = try await #require(ShadowTrait.oracle).check(question)
    #expect(report.verdict == .inconclusive)
    #expect(report.findings.first?.migration?.file == "0001b.sql")
  }

  @Test("every version that breaks is named, with the one line of many that did it")
  func attribution() async throws {
    var question = Scenario(
      "", migration: "SELECT 1;", sends: "SELECT 1", .safe
    ).question
    question.migration = [
      MigrationFile(
        path: "0002_change.sql",
        text: """
          ALTER TABLE customers ADD COLUMN phone text;
          CREATE INDEX customers_phone ON customers (phone);
          ALTER TABLE customers DROP COLUMN legacy;
          ALTER TABLE orders RENAME COLUMN note TO remark;
          """)
    ]
    question.old = [
      set("v1", ["SELECT legacy FROM customers", "SELECT note FROM orders"]), set("v2", ["SELECT note FROM orders"]),
    ]
    let report = try await #require(ShadowTrait.oracle).check(question)
    let breaks = report.findings.filter { $0.kind == .breaks }
    #expect(breaks.map { "\($0.statement?.version ?? "") \($0.migration?.line ?? 0)" } == ["v1 3", "v1 4", "v2 4"])
    #expect(report.checked.map(\.broken) == [2, 1])
  }

  @Test("the order of code and migration is told")
  func order() async throws {
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT id FROM customers", .safe).question
    question.migration = [
      MigrationFile(path: "0002_change.sql", text: "ALTER TABLE customers ADD COLUMN phone text;")
    ]
    question.new = set("v2", ["SELECT phone FROM customers"])
    var report = try await #require(ShadowTrait.oracle).check(question)
    #expect(report.verdict == .compatible)
    #expect(report.findings.contains { $0.rule == "migration-first" && $0.direction == .newCodeOldSchema })
    question.new = set("v2", ["SELECT email FROM customers"])
    report = try await #require(ShadowTrait.oracle).check(question)
    #expect(report.findings.contains { $0.rule == "any-order" })
  }

  @Test("locks on old tables are listed, and a long one on a large table is a hazard")
  func locks() async throws {
    var question = Scenario("", migration: "SELECT 1;", sends: "SELECT id FROM customers", .safe).question
    question.migration = [
      MigrationFile(
        path: "0002_change.sql",
        text: "ALTER TABLE customers ADD COLUMN phone text;\nALTER TABLE orders ALTER COLUMN total TYPE bigint;")
    ]
    question.sizes = [TableSize(table: "orders", rows: 10_000_000, bytes: 2_000_000_000, executionsPerSecond: 100)]
    let report = try await #require(ShadowTrait.oracle).check(question)
    let orders = report.locks.filter { $0.table == "orders" }
    #expect(orders.map(\.mode) == ["AccessExclusiveLock"])
    #expect(orders.first?.rewritten == true)
    #expect(orders.first?.rows == 10_000_000)
    #expect(report.locks.contains { $0.table == "customers" && $0.mode == "AccessExclusiveLock" && !$0.rewritten })
    #expect(report.findings.contains { $0.rule == "lock-stall" && $0.migration?.line == 2 })
    #expect(report.verdict == .hazard)
  }

  @Test("the catalog's hash tells two schemas apart, and not two databases of one schema")
  func schemaHash() async throws {
    let same = try await check("SELECT 1;")
    let other = try await check("CREATE INDEX i ON customers (name);")
    #expect(same.schemaBefore == other.schemaBefore)
    #expect(same.schemaAfter == same.schemaBefore)
    #expect(other.schemaAfter != other.schemaBefore)
  }

  private func check(_ migration: String, _ statement: String = "SELECT id FROM customers")
    async throws -> MigrationReport
  {
    let oracle = try #require(ShadowTrait.oracle)
    return try await oracle.check(Scenario("", migration: migration, sends: statement, .safe).question)
  }

  private func set(_ version: String, _ statements: [String]) -> StatementSet {
    StatementSet(
      version: version,
      statements: statements.map {
        CapturedStatement(fingerprint: SQLParser.fingerprint($0), text: $0, source: .sql)
      })
  }
}
