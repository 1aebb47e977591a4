import Foundation
import MigrationOracle
import Migrations

/// How long a check takes on a schema and statements that are made up, in two cases: a large service whose copies are
/// made within the check, and a small one whose copies wait in the pool.
struct MigrationBench: Sendable {
  /// A case and the promise for it: issue "Migrations proven against the versions that are live", "It must reach".
  struct Case: Sendable {
    var name: String
    var tables: Int
    var statements: Int
    /// Copies made ahead.
    var readyClones: Int
    /// The 95th percentile may be at most this.
    var mostMs: Double

    static let all = [
      Case(name: "large, copies included", tables: 200, statements: 600, readyClones: 0, mostMs: 2000),
      Case(name: "small, copies ready", tables: 50, statements: 40, readyClones: 2, mostMs: 300),
    ]
  }

  struct Row: Encodable, Sendable {
    var name: String
    var tables: Int
    /// Of the old version, and as many of the new one.
    var statements: Int
    var rounds: Int
    var medianMs: Double
    var p95Ms: Double
    var worstMs: Double
    var mostMs: Double
    /// Medians of a check's parts.
    var partsMs: [String: Int]
    /// Of one minute, when the case began and when it ended.
    var loadBefore: Double
    var loadAfter: Double

    var isHeld: Bool { p95Ms <= mostMs }
  }

  let rounds: Int

  /// - Throws: `Outage` when the server fails.
  func run(_ item: Case, on server: ShadowServer, progress: (String) -> Void) async throws -> Row {
    let oracle = Oracle(server: server, readyClones: item.readyClones)
    let history = [MigrationFile(path: "0001_schema.sql", text: Self.schema(item.tables))]
    let question = OracleQuestion(
      history: history, migration: [MigrationFile(path: "0002_change.sql", text: Self.migration)],
      old: [Self.statements("v1", item)], new: Self.statements("v2", item))
    let loadBefore = LoadAverage.now
    var times: [Double] = []
    var parts: [String: [Int]] = [:]
    // The first check also builds the schema, which is kept, and is not counted.
    for round in 0...rounds {
      try await oracle.warmUp(history: history)
      progress("\(item.name): \(round) of \(rounds)")
      let start = ContinuousClock.now
      let report = try await oracle.check(question)
      let elapsed = ContinuousClock.now - start
      guard report.verdict == .breaks, round > 0 else { continue }
      times.append(
        Double(elapsed.components.seconds) * 1000 + Double(elapsed.components.attoseconds) / 1e15)
      for (part, milliseconds) in report.milliseconds { parts[part, default: []].append(milliseconds) }
    }
    times.sort()
    return Row(
      name: item.name, tables: item.tables, statements: item.statements, rounds: times.count,
      medianMs: Self.quantile(times, 0.5), p95Ms: Self.quantile(times, 0.95), worstMs: times.last ?? .infinity,
      mostMs: item.mostMs, partsMs: parts.mapValues { $0.sorted()[$0.count / 2] }, loadBefore: loadBefore,
      loadAfter: LoadAverage.now)
  }

  /// Nearest rank; infinite where nothing was measured.
  private static func quantile(_ sorted: [Double], _ share: Double) -> Double {
    guard !sorted.isEmpty else { return .infinity }
    return sorted[min(sorted.count - 1, max(0, Int((Double(sorted.count) * share).rounded(.up)) - 1))]
  }

  // MARK: What is checked

  /// Each table refers to the one before it and has two more indexes.
  private static func schema(_ tables: Int) -> String {
    (0..<tables).map { number in
      """
      CREATE TABLE t\(number) (
        id bigserial PRIMARY KEY,
        \(number > 0 ? "parent bigint REFERENCES t\(number - 1) (id)," : "")
        email text NOT NULL UNIQUE, name varchar(50), count integer NOT NULL DEFAULT 0,
        at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX ON t\(number) (at);
      """
    }.joined(separator: "\n")
  }

  /// A column comes, a rule comes, and a column goes that is used: so the line that did it is looked for too.
  private static let migration = """
    ALTER TABLE t7 ADD COLUMN phone text;
    ALTER TABLE t9 ADD CONSTRAINT counted CHECK (count >= 0) NOT VALID;
    ALTER TABLE t3 DROP COLUMN name;
    """

  /// Of two versions, nine statements of ten are the same.
  private static func statements(_ version: String, _ item: Case) -> StatementSet {
    let statements = (0..<item.statements).map { number in
      let table = "t\(number % item.tables)"
      let next = "t\((number + 1) % item.tables)"
      let text =
        switch number % 4 {
        case 0: "SELECT id, email, name, count FROM \(table) WHERE id = $1 AND count > \(number)"
        case 1:
          "INSERT INTO \(table) (email, count) VALUES ($1, $2) RETURNING id\(number % 10 == 1 ? " AS \(version)" : "")"
            + ", \(number)"
        case 2: "UPDATE \(table) SET email = $1, count = count + \(number) WHERE id = $2"
        default:
          "SELECT a.id, b.name\(number % 10 == 3 ? " AS \(version)" : "") FROM \(table) a JOIN \(next) b ON b.id = a.id WHERE a.at > $1 ORDER BY a.at DESC"
            + " LIMIT \(number + 1)"
        }
      return CapturedStatement(fingerprint: "\(number)", text: text, source: .proxy)
    }
    return StatementSet(version: version, statements: statements)
  }
}
