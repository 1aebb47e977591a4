import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// What judging whole histories of services taught the oracle, and the judging itself.
@Suite(.serialized, .shadow)
struct HistoryReplayTests {
  // MARK: Statements as statistics and masked recordings print them

  @Test("a constant that became a parameter behind its type's name is read")
  func typedParameters() async throws {
    let report = try await check(
      "SELECT 1;", sends: "DELETE FROM parcels WHERE sent < now() - interval $1 AND weight > $2")
    #expect(report.verdict == .compatible, "\(said(report))")
    #expect(report.checked.first?.held == 1)
  }

  // MARK: Functions that take only some values, and rows in some state

  @Test("a function that refuses most calls is called as its body wants it")
  func acceptedCall() async throws {
    let report = try await check(
      Self.handOver.replacing("weight = weight", with: "weight = 1"), sends: "SELECT hand_over($1, $2)")
    #expect(report.verdict == .compatible, "\(said(report))")
    #expect(report.checked.first?.held == 1)
  }

  @Test("and then what the function refuses after the migration is a break")
  func refusedCall() async throws {
    let report = try await check(
      Self.handOver.replacing("weight = weight", with: "weight = NULL"), sends: "SELECT hand_over($1, $2)")
    #expect(report.findings.contains { $0.kind == .breaks && $0.sqlState == "23502" }, "\(said(report))")
  }

  @Test("a branch that the migration breaks is not hidden by one that it leaves alone")
  func brokenBranch() async throws {
    let report = try await check("ALTER TABLE parcels DROP COLUMN sent;", sends: "SELECT settle($1)")
    #expect(report.findings.contains { $0.kind == .breaks && $0.sqlState == "42703" }, "\(said(report))")
  }

  @Test("a function that no value satisfies cannot be told")
  func hopelessCall() async throws {
    let report = try await check(
      "CREATE OR REPLACE FUNCTION never(a integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'not yet'; END $$;",
      sends: "SELECT never($1)")
    #expect(report.verdict == .inconclusive, "\(said(report))")
  }

  // MARK: Keys made of references

  @Test("a row that joins two others is written although the shadow has that pair already")
  func joiningRow() async throws {
    let migration = "ALTER TABLE stops ADD CONSTRAINT stops_note CHECK (note <> '') NOT VALID;"
    let sends = "INSERT INTO stops (parcel_id, place_id, note) VALUES ($1, $2, $3)"
    let report = try await check(migration, sends: sends)
    #expect(report.findings.contains { $0.kind == .breaks && $0.sqlState == "23514" }, "\(said(report))")
    let harmless = try await check("ALTER TABLE stops ALTER COLUMN note DROP NOT NULL;", sends: sends)
    #expect(harmless.checked.first?.undecided == 0, "\(said(harmless))")
  }

  @Test("a row goes although what refers to it has got another name")
  func renamedChild() async throws {
    let report = try await check(
      "ALTER TABLE stops RENAME TO halts;", sends: "DELETE FROM places WHERE id = $1")
    #expect(report.verdict == .compatible, "\(said(report))")
    #expect(report.checked.first?.held == 1)
  }

  // MARK: A whole history

  @Test("each migration is judged on those before it, with the version that ran then")
  func replay() async throws {
    let server = try #require(ShadowTrait.server)
    let files = [
      file(1, Self.depot), file(2, "ALTER TABLE parcels ADD COLUMN note text;"),
      file(3, "ALTER TABLE parcels DROP COLUMN note;"), file(4, "-- nothing to do"),
      file(5, "ALTER TABLE parcels DROP COLUMN sent;"),
    ]
    let heavy = set("v1", "INSERT INTO parcels (weight, sent) VALUES ($1, $2)")
    let light = set("v2", "SELECT id FROM parcels")
    var told: [Int] = []
    let steps = try await HistoryReplay(history: files, sets: [(from: 4, set: light), (from: 0, set: heavy)])
      .run(on: server) { told.append($0.number) }
    #expect(told == [2, 3, 5])
    #expect(steps.map(\.report.verdict) == [.compatible, .compatible, .compatible])
    #expect(steps.map { $0.report.checked.map(\.version) } == [["v1"], ["v1"], ["v2"]])
    let broken = try await HistoryReplay(history: files, sets: [(from: 0, set: heavy)]).run(on: server) { _ in }
    #expect(broken.map(\.report.verdict) == [.compatible, .compatible, .breaks])
    #expect(broken.last?.migration == "0005.sql")
  }

  private static let settle = """
    CREATE FUNCTION settle(how progress) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      IF how = 'delivered' THEN UPDATE parcels SET weight = weight + 1;
      ELSIF how = 'returned' THEN UPDATE parcels SET sent = now();
      ELSE RAISE 'neither delivered nor returned'; END IF;
    END $$;
    """

  private static let handOver = """
    CREATE OR REPLACE FUNCTION hand_over(parcel bigint, to_state progress) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      IF to_state NOT IN ('delivered', 'returned') THEN RAISE 'a parcel ends delivered or returned'; END IF;
      UPDATE parcels SET state = to_state, weight = weight WHERE id = parcel AND state = 'carried';
      IF NOT FOUND THEN RAISE 'parcel % is not carried', parcel; END IF;
    END $$;
    """

  private static let depot = """
    CREATE TYPE progress AS ENUM ('waiting', 'carried', 'delivered', 'returned');
    CREATE TABLE parcels (
      id bigserial PRIMARY KEY,
      state progress NOT NULL DEFAULT 'waiting',
      weight integer NOT NULL,
      sent timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE places (id bigserial PRIMARY KEY);
    CREATE TABLE stops (
      parcel_id bigint NOT NULL REFERENCES parcels (id),
      place_id bigint NOT NULL REFERENCES places (id),
      note text NOT NULL,
      PRIMARY KEY (parcel_id, place_id)
    );
    CREATE FUNCTION never(a integer) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
    """ + handOver

  private func check(_ migration: String, sends statement: String) async throws -> MigrationReport {
    try await #require(ShadowTrait.oracle).check(
      OracleQuestion(
        history: [file(1, Self.depot + Self.settle)], migration: [file(2, migration)], old: [set("v1", statement)]))
  }

  private func file(_ number: Int, _ text: String) -> MigrationFile {
    MigrationFile(path: "000\(number).sql", text: text)
  }

  private func set(_ version: String, _ text: String) -> StatementSet {
    StatementSet(
      version: version,
      statements: [CapturedStatement(fingerprint: SQLParser.fingerprint(text), text: text, source: .sql)])
  }

  private func said(_ report: MigrationReport) -> String {
    report.findings.map { "\($0.kind) \($0.rule): \($0.message)" }.joined(separator: "\n")
  }
}
