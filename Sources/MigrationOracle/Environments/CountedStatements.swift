import Foundation
import Kernel
import Migrations

/// What a database itself counts of the statements that its applications send: `pg_stat_statements`.
enum CountedStatements: Sendable {
  /// Without values: the server leaves those of some commands in place (until version 16), and they go here.
  /// - Parameter seconds: since when; nil where the extension does not tell (before 1.9).
  case counted(StatementSet, seconds: Double?)
  /// Nobody counts there, or we may not see it, and what would help.
  case unseen(why: String)

  /// The most frequent that are read; the server's own limit, `pg_stat_statements.max`, is usually this.
  static let limit = 5_000

  /// - Parameter role: whose statements: the applications'.
  static func read(of role: String, _ connection: PostgresConnection) throws -> CountedStatements {
    let schema = try connection.query(
      """
      SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
      WHERE e.extname = 'pg_stat_statements'
      """
    ).first
    guard let schema else {
      return .unseen(why: "it has no pg_stat_statements: CREATE EXTENSION pg_stat_statements there")
    }
    do {
      // What a function sends in its turn is the function's; an extension from before 1.9 does not know.
      let knowsTop = try connection.query(
        """
        SELECT 1 FROM pg_attribute WHERE attname = 'toplevel'
          AND attrelid = \(literal("\(quoted(schema)).pg_stat_statements"))::regclass
        """
      ).first
      let isTop = knowsTop != nil ? "AND s.toplevel" : ""
      let rows = try connection.query(
        """
        SELECT s.query, s.calls FROM \(quoted(schema)).pg_stat_statements s
        WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND s.userid = (SELECT oid FROM pg_roles WHERE rolname = \(literal(role))) \(isTop)
        ORDER BY s.calls DESC, s.query COLLATE "C" LIMIT \(limit)
        """
      ).rows
      if rows.contains(where: { $0[0] == nil || $0[0] == hidden }) {
        return .unseen(why: "it hides what \(role) sends: GRANT pg_read_all_stats to who migrates")
      }
      guard !rows.isEmpty else {
        return .unseen(
          why: "it counted nothing of \(role): see databases.NAME.role and pg_stat_statements.track, "
            + "or wait for traffic")
      }
      return .counted(
        StatementSet(
          version: role,
          statements: rows.compactMap { row in row[0].flatMap { captured($0, calls: row[1], role: role) } }),
        seconds: knowsTop == nil ? nil : try seconds(in: schema, connection))
    } catch let error as PostgresError where error.sqlState == "55000" {
      return .unseen(why: "pg_stat_statements is not in its shared_preload_libraries")
    } catch let error as PostgresError where error.sqlState.hasPrefix("42") {
      return .unseen(why: "its pg_stat_statements cannot be read: \(error.message)")
    }
  }

  private static func seconds(in schema: String, _ connection: PostgresConnection) throws -> Double? {
    try connection.query(
      "SELECT extract(epoch FROM clock_timestamp() - stats_reset) FROM \(quoted(schema)).pg_stat_statements_info"
    ).first.flatMap(Double.init)
  }

  /// Statements a second on each table that they name, by schema and name: on average since they are counted.
  func rates(on schema: Schema, searchPath: [String]) -> [String: Double] {
    guard case .counted(let set, let seconds?) = self, seconds >= Self.leastSeconds else { return [:] }
    var rates: [String: Double] = [:]
    for statement in set.statements {
      let reading = StatementReading.of(statement.text)
      let names = Set(reading.tables + reading.written + (reading.copied.map { [$0] } ?? []))
      let tables = Set(
        names.compactMap { schema.relation($0.name, schema: $0.schema, searchPath: searchPath) }
          .map { TableSize.key(schema: $0.schema, table: $0.name) })
      for table in tables { rates[table, default: 0] += Double(statement.count) / seconds }
    }
    return rates
  }

  /// Counted for less than a minute, a rate is chance.
  private static let leastSeconds = 60.0

  private static let hidden = "<insufficient privilege>"

  /// Nil for what depends on no schema of ours: sessions' settings, the server's own catalogs, Plimsoll's book.
  private static func captured(_ shown: String, calls: String?, role: String) -> CapturedStatement? {
    guard let text = SQLParser.normalise(shown) else { return nil }
    let reading = StatementReading.of(text)
    guard reading.kind != .session || reading.surrogate != nil || reading.copied != nil else { return nil }
    let tables = reading.tables + reading.written + (reading.copied.map { [$0] } ?? [])
    if reading.kind != .unreadable, tables.allSatisfy({ isForeign($0) }) { return nil }
    return CapturedStatement(
      fingerprint: SQLParser.fingerprint(text), text: text, count: max(calls.flatMap { Int($0) } ?? 1, 1),
      source: .statistics, role: role)
  }

  private static func isForeign(_ table: StatementReading.Name) -> Bool {
    guard let schema = table.schema else { return table.name.hasPrefix("pg_") }
    return ["pg_catalog", "information_schema", "plimsoll"].contains(schema)
  }
}

/// Whether enough was recorded of what a database is really sent, and what a verdict is worth where it was not.
struct RecordedShare {
  /// Nil where nothing was counted, or nobody could see it.
  let coverage: SchemaCoverage?
  /// Nil where enough was recorded: inconclusive where a share is asked for; else a hazard, or a note where nobody can
  /// tell, for a verdict on half of what is sent must not look like one on all.
  let objection: Finding?

  /// - Parameters:
  ///   - least: the share that is asked for, 0 to 1; nil where none is, and the usual one is only told of.
  ///   - recorded: the sets of all that lives there: what one sends another need not.
  init(_ counted: CountedStatements, least: Double?, recorded: [StatementSet], at place: SchemaPlace) {
    switch counted {
    case .unseen(let why):
      coverage = nil
      objection = Finding(
        least == nil ? .note : .inconclusive, .parse, rule: Self.rule,
        "nobody can tell how much of what \(place) is sent was recorded: \(why)")
    case .counted(let production, seconds: _):
      let all = StatementSet(version: place.description, statements: recorded.flatMap(\.statements))
      // Nothing that depends on a schema of ours.
      guard let share = all.coverage(of: production) else {
        (coverage, objection) = (nil, nil)
        return
      }
      let known = Set(all.statements.map(\.fingerprint))
      let missing = production.statements.filter { !known.contains($0.fingerprint) }
        .sorted { ($1.count, $0.fingerprint) < ($0.count, $1.fingerprint) }
      let coverage = SchemaCoverage(
        share: share, least: least ?? OracleQuestion.usualCoverage, counted: production.statements.count,
        unrecorded: missing.count, examples: missing.map(\.text))
      self.coverage = coverage
      objection =
        coverage.isEnough
        ? nil
        : Finding(
          least == nil ? .hazard : .inconclusive, .parse, rule: Self.rule,
          Self.words(coverage, isAsked: least != nil, at: place))
    }
  }

  private static let rule = "low-coverage"

  private static func words(_ coverage: SchemaCoverage, isAsked: Bool, at place: SchemaPlace) -> String {
    let least = OracleFindings.percent(coverage.least) + (isAsked ? " are asked for" : " are usual")
    let first = coverage.examples.first.map { ", such as \($0)" } ?? ""
    return "the recordings cover \(OracleFindings.percent(coverage.share)) of what \(place) is sent, and "
      + "\(least); \(coverage.unrecorded) of \(coverage.counted) "
      + "statements were never recorded\(first)"
  }

  /// What is not known to break cannot be told on so little.
  func limited(_ verdicts: [SchemaVerdict]) -> [SchemaVerdict] {
    guard let objection, objection.kind == .inconclusive else { return verdicts }
    return verdicts.map { verdict in
      switch verdict.fit {
      case .breaks, .unknown: verdict
      case .compatible, .hazard: SchemaVerdict(verdict.client, .unknown, why: objection.message)
      }
    }
  }
}
