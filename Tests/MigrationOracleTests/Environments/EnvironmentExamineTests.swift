import Foundation
import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Examinations of live databases on a shadow built from their own schema.
@Suite(.serialized, .environment)
struct EnvironmentExamineTests {
  private static let shop = """
    CREATE TYPE state AS ENUM ('new', 'paid');
    CREATE TABLE customers (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, legacy text);
    CREATE TABLE orders (id bigserial PRIMARY KEY, customer bigint REFERENCES customers (id), state state NOT NULL);
    CREATE VIEW cards AS SELECT id, email FROM customers;
    """

  @Test("versions are judged one by one on the schema that is there, and what was foretold comes true")
  func verdicts() async throws {
    let fixture = try await adopted()
    let migrations = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002_drop.sql": "ALTER TABLE customers DROP COLUMN legacy;",
    ])
    let examination = try await fixture.examine(
      migrations,
      versions: [
        fixture.client("a", sends: ["SELECT legacy FROM customers"]),
        fixture.client("b", sends: ["SELECT email FROM customers WHERE id = $1"]), fixture.client("c", sends: nil),
      ], coming: fixture.client("d", sends: ["SELECT email FROM customers", "SELECT count(*) FROM orders"]))
    #expect(examination.pending.map(\.name) == ["0002_drop.sql"])
    #expect(examination.verdicts.map(\.fit) == [.breaks, .compatible, .unknown])
    #expect(examination.verdicts[0].why.contains("0002_drop.sql:1"), "\(examination.verdicts[0].why)")
    #expect(examination.verdicts[2].why.contains("nothing was recorded"))
    #expect(examination.coming?.fit == .compatible, "\(examination.coming?.why ?? "")")
    #expect(examination.comingBefore == .compatible)
    #expect(examination.migration == .compatible, "\(examination.why)")
    #expect(try fixture.report(examination).checked.map(\.broken) == [1, 0])
    let outcome = try await fixture.schemas.apply(fixture.order(migrations, on: examination), fence: Fence(5))
    guard case .applied(let survey) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(survey.schema == examination.after)
    #expect(survey.applied == 2)
    #expect(try await fixture.schemas.survey(fixture.place) == survey)
  }

  @Test("who would fail between two migrations is told so, although the second mends it")
  func between() async throws {
    let fixture = try await adopted()
    let migrations = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002_require.sql": "ALTER TABLE orders ADD COLUMN place int NOT NULL;",
      "0003_relax.sql": "ALTER TABLE orders ALTER COLUMN place DROP NOT NULL;",
    ])
    let examination = try await fixture.examine(
      migrations,
      versions: [
        fixture.client("a", sends: ["INSERT INTO orders (customer, state) VALUES (NULL, 'new')"]),
        fixture.client("b", sends: ["SELECT email FROM customers"]),
      ])
    #expect(examination.verdicts.map(\.fit) == [.breaks, .compatible])
    #expect(
      examination.verdicts[0].why.contains("until 0003_relax.sql is applied"), "\(examination.verdicts[0].why)")
  }

  @Test("a version of which the recorder dropped statements cannot be told, whatever the rest does") func leftOut()
    async throws
  {
    let fixture = try await adopted()
    let migrations = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002_drop.sql": "ALTER TABLE customers DROP COLUMN legacy;",
    ])
    func client(_ letter: String, _ text: String, leftOut: Int) async throws -> SchemaClient {
      let captured = CapturedStatement(fingerprint: SQLParser.fingerprint(text), text: text, source: .proxy)
      let known = try await fixture.client(letter, sends: nil)
      let set = StatementSet(version: known.digest.rawValue, statements: [captured], leftOut: leftOut)
      return SchemaClient(
        service: known.service, digest: known.digest, commit: known.commit,
        statements: try fixture.blobs.put(StableJSON.bytes(set)))
    }
    let examination = try await fixture.examine(
      migrations,
      versions: [
        client("a", "SELECT email FROM customers", leftOut: 2), client("b", "SELECT email FROM customers", leftOut: 0),
        client("c", "SELECT legacy FROM customers", leftOut: 2),
      ], coming: nil)
    #expect(examination.verdicts.map(\.fit) == [.unknown, .compatible, .breaks], "\(examination.verdicts)")
    #expect(examination.verdicts[0].why.contains("2 statements were left out"), "\(examination.verdicts[0].why)")
    #expect(examination.migration == .compatible, "it says nothing against the migration: \(examination.why)")
  }

  @Test("a version that needs the migration may not go before it")
  func order() async throws {
    let fixture = try await adopted()
    let migrations = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002_add.sql": "ALTER TABLE customers ADD COLUMN phone text;",
    ])
    let coming = try await fixture.client("d", sends: ["SELECT phone FROM customers"])
    let examination = try await fixture.examine(migrations, coming: coming)
    #expect(examination.coming?.fit == .compatible, "\(examination.coming?.why ?? "")")
    #expect(examination.comingBefore == .breaks)
    #expect(try fixture.report(examination).verdict == .compatible)
    let lost = try await fixture.client("e", sends: ["SELECT fax FROM customers"])
    #expect(try await fixture.examine(migrations, coming: lost).coming?.fit == .breaks)
  }

  @Test("a version to come that leaves out what it must give is told so, although its statement is new")
  func leavesOut() async throws {
    let fixture = try await adopted()
    let migrations = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002_place.sql": "ALTER TABLE orders ADD COLUMN place int NOT NULL;",
      "0003_note.sql": "ALTER TABLE orders ADD COLUMN note text;",
    ])
    func coming(_ letter: String, _ columns: String, _ values: String) async throws -> SchemaVerdict? {
      let client = try await fixture.client(letter, sends: ["INSERT INTO orders (\(columns)) VALUES (\(values))"])
      return try await fixture.examine(migrations, coming: client).coming
    }
    let without = try await coming("d", "state, note", "'new', $1")
    #expect(without?.fit == .breaks)
    #expect(without?.why.contains("leaves out place") ?? false, "\(without?.why ?? "")")
    let with = try await coming("e", "state, note, place", "'new', $1, 3")
    #expect(with?.fit == .compatible, "\(with?.why ?? "")")
  }

  @Test("a migration that fails breaks, a dangerous one is a hazard, one that cannot be tried is unknown")
  func migration() async throws {
    let fixture = try await adopted()
    func judge(_ text: String) async throws -> SchemaExamination {
      try await fixture.examine(
        try await fixture.migrations(["0001_shop.sql": Self.shop, "0002.sql": text]),
        versions: [
          try await fixture.client(
            "b", sends: ["SELECT email FROM customers", "INSERT INTO customers (email) VALUES ($1)"])
        ])
    }
    let failing = try await judge("ALTER TABLE nobody ADD COLUMN a int;")
    #expect(failing.migration == .breaks && failing.why.contains("nobody"), "\(failing.why)")
    #expect(failing.verdicts.map(\.fit) == [.unknown])
    #expect(failing.after == failing.survey.schema)
    let emptying = try await judge("TRUNCATE orders;")
    #expect(emptying.migration == .hazard && emptying.why.contains("0002.sql:1"), "\(emptying.why)")
    let unread = try await judge("\\i other.sql\nSELECT 1;")
    #expect(unread.migration == .unknown, "\(unread.why)")
    let missing = try await judge("CREATE EXTENSION no_such_extension;")
    #expect(missing.migration == .unknown && missing.why.contains("no_such_extension"), "\(missing.why)")
  }

  @Test("a lock that would stall the traffic of a large table is a hazard")
  func stall() async throws {
    let fixture = try await adopted()
    let places = try #require(EnvironmentTrait.places)
    places[fixture.place]?.sizes = [
      TableSize(table: "customers", rows: 10_000_000, bytes: 2_000_000_000, executionsPerSecond: 100)
    ]
    let migrations = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002.sql": "ALTER TABLE customers ALTER COLUMN legacy TYPE varchar(20);",
    ])
    let examination = try await fixture.examine(migrations)
    #expect(examination.migration == .hazard, "\(examination.why)")
    #expect(try fixture.report(examination).findings.contains { $0.rule == "lock-stall" })
  }

  @Test("on the schema as it is, what does not run breaks")
  func audit() async throws {
    let fixture = try await adopted()
    let reads = try await fixture.client("a", sends: ["SELECT email FROM customers"])
    let writes = try await fixture.client("b", sends: ["INSERT INTO customers (email) VALUES ($1)"])
    let lost = try await fixture.client("c", sends: ["SELECT gone FROM customers", "SELECT email FROM customers"])
    let versions = [reads, writes, lost]
    let sound = try await fixture.examine(nil, versions: versions)
    #expect(sound.verdicts.map(\.fit) == [.compatible, .compatible, .breaks])
    try await fixture.run("ALTER TABLE customers ADD COLUMN phone text NOT NULL")
    let drifted = try await fixture.examine(nil, versions: versions)
    #expect(drifted.verdicts.map(\.fit) == [.compatible, .breaks, .breaks])
    #expect(drifted.verdicts[1].why.contains("phone"), "\(drifted.verdicts[1].why)")
    #expect(drifted.verdicts[2].why.contains("gone"), "\(drifted.verdicts[2].why)")
    #expect(drifted.pending.isEmpty && drifted.after == drifted.survey.schema)
  }

  @Test("owners, default rights and roles of the live database hold in the shadow")
  func rights() async throws {
    let fixture = try await EnvironmentFixture(
      """
      CREATE TABLE notes (id int PRIMARY KEY);
      ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
      """, migrator: "keeper", role: "reader")
    let shop = "CREATE TABLE notes (id int PRIMARY KEY);"
    let first = try await fixture.migrations(["0001.sql": shop])
    _ = try await fixture.schemas.adopt(fixture.schemas.marks(of: first), in: fixture.place, fence: Fence(1))
    let migrations = try await fixture.migrations(["0001.sql": shop, "0002.sql": "CREATE TABLE drafts (id int);"])
    let reader = try await fixture.client("d", sends: ["SELECT id FROM drafts"])
    let examination = try await fixture.examine(migrations, coming: reader)
    #expect(examination.coming?.fit == .compatible, "\(examination.coming?.why ?? "")")
    let writer = try await fixture.client("e", sends: ["INSERT INTO drafts VALUES (1)"])
    #expect(try await fixture.examine(migrations, coming: writer).coming?.fit == .breaks)
    let outcome = try await fixture.schemas.apply(fixture.order(migrations, on: examination), fence: Fence(5))
    #expect(outcome == .applied(try await fixture.schemas.survey(fixture.place)))
    #expect(try await fixture.schemas.survey(fixture.place).schema == examination.after)
    let forbidden = try await fixture.migrations([
      "0001.sql": shop, "0002.sql": "CREATE TABLE drafts (id int);", "0003.sql": "CREATE ROLE another;",
    ])
    let refused = try await fixture.examine(forbidden)
    #expect(refused.migration == .unknown && refused.why.contains("keeper"), "\(refused.why)")
  }

  @Test("what the book says decides, and what contradicts it is refused with the next step")
  func refusals() async throws {
    let unknown = try await EnvironmentFixture(Self.shop)
    let migrations = try await unknown.migrations(["0001_shop.sql": Self.shop])
    try await check(unknown, migrations, says: "migrate adopt")
    let fixture = try await adopted()
    let changed = try await fixture.migrations(["0001_shop.sql": Self.shop + "-- changed"])
    try await check(fixture, changed, says: "another text")
    try await fixture.run(
      "INSERT INTO plimsoll.migrations (position, name, content, state, fence)"
        + " VALUES (2, 'half.sql', '\(Digest.of([1]))', 'begun', 1)")
    try await check(fixture, migrations, says: "half.sql")
    #expect(try await fixture.schemas.survey(fixture.place).unfinished == "half.sql")
  }

  @Test("a change that is not landed is judged on top of its trunk, whose migrations are not its own")
  func review() async throws {
    let fixture = try await adopted()
    let landed = "ALTER TABLE customers ADD COLUMN phone text;"
    let base = try await fixture.migrations(["0001_shop.sql": Self.shop, "0002.sql": landed])
    let head = try await fixture.migrations([
      "0001_shop.sql": Self.shop, "0002.sql": landed, "0003.sql": "ALTER TABLE customers DROP COLUMN phone;",
    ])
    let newer = try await fixture.client("a", sends: ["SELECT phone FROM customers"])
    let examination = try await fixture.examine(head, base: base, versions: [newer])
    #expect(examination.pending.map(\.name) == ["0003.sql"])
    #expect(examination.verdicts.map(\.fit) == [.breaks], "\(examination.verdicts[0].why)")
    #expect(try await fixture.examine(base, base: base).pending.isEmpty)
  }

  @Test("the hash is that of the schema, whatever was there before it, without the book")
  func hash() async throws {
    let one = try await EnvironmentFixture(Self.shop)
    let other = try await EnvironmentFixture("CREATE TABLE x (a int); DROP TABLE x;" + Self.shop)
    let survey = try await one.schemas.survey(one.place)
    #expect(try await other.schemas.survey(other.place).schema == survey.schema)
    #expect(survey.applied == 0 && survey.last == nil)
    let migrations = try await other.migrations(["0001_shop.sql": Self.shop])
    let adopted = try await other.schemas.adopt(
      other.schemas.marks(of: migrations), in: other.place, fence: Fence(1))
    #expect(adopted.schema == survey.schema && adopted.applied == 1 && adopted.last?.name == "0001_shop.sql")
    try await one.run("SET search_path = pg_catalog; ALTER TABLE public.orders ADD COLUMN note text")
    #expect(try await one.schemas.survey(one.place).schema != survey.schema)
  }

  @Test("servers that cannot be used are outages that never tell a password")
  func outages() async throws {
    let places = try #require(EnvironmentTrait.places)
    let schemas = try #require(EnvironmentTrait.schemas)
    let place = try SchemaPlace(
      #require(EnvironmentName(rawValue: "staging")), #require(DatabaseName(rawValue: "lost")))
    for url in [
      "postgresql://keeper:sesame@127.0.0.1:1/orders?connect_timeout=2", "postgresql//keeper:sesame@nowhere", "",
      "postgresql://keeper:sesame@127.0.0.1:port/orders",
    ] {
      places[place] = EnvironmentDatabase(url: url)
      let outage = await #expect(throws: Outage.self) { try await schemas.survey(place) }
      #expect(outage?.description.contains("sesame") == false, "\(outage?.description ?? "")")
      #expect(outage?.description.contains("staging/lost") == true, "\(outage?.description ?? "")")
    }
    let fixture = try await EnvironmentFixture(Self.shop)
    let name = fixture.place.database.rawValue.replacing("-", with: "_")
    try await fixture.run("ALTER DATABASE \(name) SET default_transaction_read_only = on")
    let outage = await #expect(throws: Outage.self) {
      try await fixture.schemas.adopt([], in: fixture.place, fence: Fence(1))
    }
    #expect(outage?.sentence.contains("primary") == true, "\(outage?.description ?? "")")
    #expect(try await fixture.schemas.survey(fixture.place).applied == 0)
  }

  @Test("a shadow that was killed is started anew")
  func killedShadow() async throws {
    let fixture = try await adopted()
    let migrations = try await fixture.migrations(["0001_shop.sql": Self.shop, "0002.sql": "SELECT 1;"])
    let before = try await fixture.examine(migrations)
    let address = try #require(await fixture.schemas.shadows.server?.address(of: nil))
    let process = try await BlockingThread.run {
      try PostgresConnection(address).query("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").first
    }
    #expect(kill(try #require(process.flatMap { pid_t($0) }), SIGKILL) == 0)
    let again = try await fixture.examine(migrations)
    #expect((again.after, again.pending, again.migration) == (before.after, before.pending, before.migration))
  }

  private func adopted() async throws -> EnvironmentFixture {
    let fixture = try await EnvironmentFixture(Self.shop)
    let migrations = try await fixture.migrations(["0001_shop.sql": Self.shop])
    _ = try await fixture.schemas.adopt(fixture.schemas.marks(of: migrations), in: fixture.place, fence: Fence(1))
    return fixture
  }

  private func check(_ fixture: EnvironmentFixture, _ migrations: Digest, says words: String) async throws {
    let refusal = await #expect(throws: Refusal.self) { try await fixture.examine(migrations) }
    #expect(refusal?.sentence.contains(words) == true, "\(refusal?.sentence ?? "")")
  }
}
