import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Public incidents that one migration made by itself: what the check says of it. docs/incidents.md tells them.
@Suite(.serialized, .shadow)
struct MigrationIncidentTests {
  private static let busy = 100.0

  @Test("hatchet: a type dropped with CASCADE takes the column of a table that was forgotten")
  func hatchet() async throws {
    let history = """
      CREATE TYPE "LimitResource" AS ENUM ('WORKFLOW_RUN', 'TASK_RUN', 'EVENT');
      CREATE TABLE "TenantResourceLimit" (id bigserial PRIMARY KEY, resource "LimitResource" NOT NULL);
      CREATE TABLE "TenantResourceLimitAlert" (
        id bigserial PRIMARY KEY, "limitId" bigint NOT NULL, resource "LimitResource" NOT NULL);
      """
    let migration = """
      DELETE FROM "TenantResourceLimit" WHERE resource = 'WORKFLOW_RUN';
      CREATE TYPE "LimitResource_new" AS ENUM ('TASK_RUN', 'EVENT');
      ALTER TABLE "TenantResourceLimit"
        ALTER COLUMN resource TYPE "LimitResource_new" USING resource::text::"LimitResource_new";
      DROP TYPE "LimitResource" CASCADE;
      ALTER TYPE "LimitResource_new" RENAME TO "LimitResource";
      """
    let report = try await check(
      history, [migration], sends: [#"INSERT INTO "TenantResourceLimitAlert" ("limitId", resource) VALUES ($1, $2)"#])
    #expect(report.verdict == .breaks)
    let finding = try #require(report.findings.first { $0.kind == .breaks })
    #expect(finding.rule == "sqlstate-42703" && finding.level == .parse, "\(finding)")
    #expect(finding.migration?.file == "0002.sql" && finding.migration?.line == 5, "\(finding)")
    #expect(finding.statement?.version == "v1")
    // Without any statement a linter's worth: the column that goes along is named.
    let analysed = try await check(history, [migration], sends: [])
    let drop = try #require(analysed.findings.first { $0.rule == "drop-type" })
    #expect(drop.kind == .hazard && drop.message.contains("resource"), "\(drop)")
  }

  private static let licenses = "CREATE TABLE licenses (id bigserial PRIMARY KEY, product_id bigint, note text);"
  private static let large = [TableSize(table: "licenses", rows: 40_000_000, bytes: 8_000_000_000)]
  private static let reads = "SELECT note FROM licenses WHERE id = $1"

  @Test("keygen: SET NOT NULL on a large table is called a stall, and the way in steps is not")
  func keygen() async throws {
    let report = try await check(
      Self.licenses, ["ALTER TABLE licenses\n  ALTER COLUMN product_id SET NOT NULL;"], sends: [Self.reads],
      sizes: Self.large)
    let stall = try #require(report.findings.first { $0.rule == "lock-stall" })
    #expect(stall.kind == .hazard && stall.level == .locks && stall.migration?.line == 1, "\(stall)")
    #expect(stall.message.contains("AccessExclusiveLock on licenses") && stall.message.contains("reads and writes"))
    #expect(report.findings.contains { $0.rule == "set-not-null-scan" })
    let steps = try await check(
      Self.licenses,
      [
        "ALTER TABLE licenses ADD CONSTRAINT product CHECK (product_id IS NOT NULL) NOT VALID;",
        "ALTER TABLE licenses VALIDATE CONSTRAINT product;",
        "ALTER TABLE licenses ALTER COLUMN product_id SET NOT NULL;", "ALTER TABLE licenses DROP CONSTRAINT product;",
      ], sends: [Self.reads], sizes: Self.large)
    #expect(!steps.findings.contains { $0.level == .locks && $0.kind != .note }, "\(steps.findings)")
  }

  @Test("strong_migrations 119, GoCardless: a foreign key that goes or comes locks the table that it points to")
  func foreignKey() async throws {
    let history = """
      CREATE TABLE payments (id bigserial PRIMARY KEY, amount int);
      CREATE TABLE invoices (id bigserial PRIMARY KEY, payment_id bigint CONSTRAINT old_name REFERENCES payments);
      """
    let migration = """
      ALTER TABLE invoices DROP CONSTRAINT old_name;
      ALTER TABLE invoices ADD CONSTRAINT new_name FOREIGN KEY (payment_id) REFERENCES payments;
      """
    let report = try await check(history, [migration], sends: ["SELECT amount FROM payments WHERE id = $1"])
    let lock = report.locks.first { $0.table == "payments" }
    #expect(lock?.mode == "AccessExclusiveLock" && lock?.migration?.line == 1, "\(report.locks)")
    let finding = try #require(report.findings.first { $0.rule == "locks-several-tables" })
    #expect(finding.kind == .note && finding.level == .locks, "\(finding)")
    #expect(finding.message.contains("invoices") && finding.message.contains("payments"), "\(finding)")
  }

  @Test("Flagsmith: a constraint on a hot table is called a stall, with the statements that would wait")
  func flagsmith() async throws {
    let history = "CREATE TABLE feature_states (id bigserial PRIMARY KEY, feature int, environment int);"
    let report = try await check(
      history, ["ALTER TABLE feature_states\n  ADD CONSTRAINT one_state UNIQUE (feature, environment);"],
      sends: ["SELECT feature FROM feature_states WHERE environment = $1"],
      sizes: [
        TableSize(table: "feature_states", rows: 3_000_000, bytes: 300_000_000, executionsPerSecond: Self.busy)
      ])
    let stall = try #require(report.findings.first { $0.rule == "lock-stall" })
    #expect(stall.kind == .hazard && stall.level == .locks && stall.migration?.line == 1, "\(stall)")
    #expect(stall.message.contains("about 300 statements") && stall.instead?.isEmpty == false, "\(stall)")
  }

  @Test("supabase/storage 769: a new trigger on a hot table is a hazard, whatever the shadow's few rows say")
  func supabaseStorage() async throws {
    let history = """
      CREATE TABLE objects (id bigserial PRIMARY KEY, bucket text NOT NULL, name text NOT NULL);
      CREATE TABLE prefixes (bucket text, name text, PRIMARY KEY (bucket, name));
      """
    let migration = """
      CREATE FUNCTION objects_update_cleanup() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        DELETE FROM prefixes p WHERE NOT EXISTS
          (SELECT FROM objects o WHERE o.bucket = p.bucket AND o.name LIKE p.name || '/%');
        RETURN NULL;
      END $$;
      CREATE TRIGGER objects_update_cleanup AFTER UPDATE ON objects
        FOR EACH STATEMENT EXECUTE FUNCTION objects_update_cleanup();
      """
    let report = try await check(history, [migration], sends: ["UPDATE objects SET name = $1 WHERE id = $2"])
    #expect(report.verdict == .hazard)
    let finding = try #require(report.findings.first { $0.kind == .hazard })
    #expect(finding.rule == "new-trigger" && finding.migration?.line == 7, "\(finding)")
  }

  @Test("open-webui 23273: a backfill in the transaction that adds a key is weighed by the rows that it reads")
  func openWebUI() async throws {
    let history = "CREATE TABLE chat (id text PRIMARY KEY, chat jsonb);"
    let migration = """
      CREATE TABLE chat_message (
        id text PRIMARY KEY, chat_id text REFERENCES chat (id) ON DELETE CASCADE, content jsonb);
      CREATE INDEX chat_message_chat ON chat_message (chat_id);
      INSERT INTO chat_message
        SELECT c.id || '-' || m.key, c.id, m.value FROM chat c, jsonb_each(c.chat) m;
      """
    let sizes = [TableSize(table: "chat", rows: 6_000_000, bytes: 75_000_000_000, executionsPerSecond: Self.busy)]
    let report = try await check(
      history, [migration], sends: ["INSERT INTO chat (id, chat) VALUES ($1, $2)"], sizes: sizes)
    let stall = try #require(report.findings.first { $0.rule == "lock-stall" }, "\(report.findings)")
    #expect(stall.kind == .hazard && stall.level == .locks, "\(stall)")
    #expect(stall.message.contains("ShareRowExclusiveLock on chat") && stall.message.contains("writes"), "\(stall)")
    #expect(stall.instead?.contains("batches") == true, "\(stall)")
    #expect(report.findings.contains { $0.rule == "unbatched-backfill" }, "\(report.findings)")
    // In whatever branch the rows are read.
    let union = migration.replacing(
      "SELECT c.id", with: "SELECT 'first', c.id, c.chat FROM chat c WHERE false UNION ALL SELECT c.id")
    let both = try await check(
      history, [union], sends: ["INSERT INTO chat (id, chat) VALUES ($1, $2)"], sizes: sizes)
    #expect(both.findings.contains { $0.rule == "lock-stall" && $0.kind == .hazard }, "\(both.findings)")
    // Without the key nothing is held, and the one transaction is a note.
    let apart = try await check(
      history,
      [
        "CREATE TABLE chat_message (id text PRIMARY KEY, chat_id text, content jsonb);",
        "INSERT INTO chat_message SELECT c.id, c.id, c.chat FROM chat c;",
      ], sends: ["INSERT INTO chat (id, chat) VALUES ($1, $2)"], sizes: sizes)
    #expect(apart.verdict == .compatible, "\(apart.findings)")
    #expect(apart.findings.contains { $0.rule == "unbatched-backfill" }, "\(apart.findings)")
  }

  private func check(
    _ history: String, _ migrations: [String], sends statements: [String], sizes: [TableSize] = []
  ) async throws -> MigrationReport {
    let captured = statements.map {
      CapturedStatement(fingerprint: SQLParser.fingerprint($0), text: $0, source: .proxy)
    }
    let files = migrations.enumerated().map { MigrationFile(path: "000\($0.offset + 2).sql", text: $0.element) }
    let question = OracleQuestion(
      history: [MigrationFile(path: "0001.sql", text: history)], migration: files,
      old: captured.isEmpty ? [] : [StatementSet(version: "v1", statements: captured)], sizes: sizes)
    return try await MigrationCheck(question).run(with: try #require(ShadowTrait.oracle))
  }
}
