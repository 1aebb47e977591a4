import Foundation
import Kernel
import Migrations

/// One question about a place, answered on its shadow.
struct PlaceExamination: Sendable {
  let question: SchemaQuestion
  let live: LiveDatabase
  let reached: ReachedDatabase
  /// All migrations of the commit; nil for the schema as it is.
  let chain: [MigrationText]?
  /// Those that count as applied.
  let base: [MigrationText]?
  /// What each version sends, by label; versions without a recording are absent.
  let statements: [String: StatementSet]
  /// Statements a second on the live database's tables, by `TableSize.key`; those of which nothing was counted are absent.
  var rates: [String: Double] = [:]

  struct Answer: Sendable {
    var pending: [MigrationMark]
    var after: Digest
    var migration: (fit: SchemaFit, why: String)
    var verdicts: [SchemaVerdict]
    var coming: SchemaVerdict?
    var comingBefore: SchemaFit?
    var report: MigrationReport
  }

  /// Apart where two services share one artifact.
  static func label(of client: SchemaClient, among clients: [SchemaClient]) -> String {
    let isShared = clients.contains { $0.digest == client.digest && $0.service != client.service }
    return isShared ? "\(client.digest) of \(client.service)" : client.digest.rawValue
  }

  /// Every version of the question, the one to come last, each once.
  static func clients(of question: SchemaQuestion) -> [SchemaClient] {
    let coming = question.coming.map { [$0] } ?? []
    return question.versions
      + coming.filter { coming in
        !question.versions.contains { ($0.service, $0.digest) == (coming.service, coming.digest) }
      }
  }

  private var clients: [SchemaClient] { Self.clients(of: question) }
  private func label(_ client: SchemaClient) -> String { Self.label(of: client, among: clients) }

  /// - Throws: `Refusal` when the migrations and the database's book do not go together.
  func run(_ shadows: ShadowSchemas) async throws -> Answer {
    let (landed, pending) = try split()
    if pending.isEmpty, statements.isEmpty { return untried }
    let schema = try await shadows.schema(of: live, reached)
    if let failure = schema.failure {
      let report = MigrationReport(
        findings: [OracleFindings.failure(failure, ofHistory: true)], checked: [], migrations: pending.map(\.name))
      return untold(pending, report, "the shadow cannot be made like \(live.place)")
    }
    let history = schema.history + landed.map(\.file)
    if pending.isEmpty { return try await standing(schema, history) }
    async let rehearsed = Rehearsal.run(landed + pending, of: live, on: schema)
    let check = MigrationCheck(
      OracleQuestion(
        history: history, migration: pending.map { inPath($0.file) }, old: clients.compactMap { statements[label($0)] },
        new: question.coming.flatMap { statements[label($0)] }, sizes: sizes, role: reached.database.role))
    var report = try await check.run(with: schema.oracle)
    let rehearsal = try await rehearsed
    // It is applied with one, whatever the migration says.
    report.findings.removeAll { $0.rule == MigrationRule.noLockTimeout.rawValue }
    report.add(try await between(pending, history, schema, report))
    report.add(lacking(on: rehearsal.schema))
    report.add(rehearsalFindings(rehearsal, report) + differenceFindings(schema))
    return judged(report, pending: pending, after: rehearsal.after ?? live.hash)
  }

  /// Each migration is a transaction of its own, and a later one may fail: what lives here must bear the schema after
  /// each of them, and not only after the last.
  private func between(
    _ pending: [MigrationText], _ history: [MigrationFile], _ schema: ShadowSchema, _ whole: MigrationReport
  ) async throws -> [Finding] {
    let living = question.versions.compactMap { statements[label($0)] }
    guard !living.isEmpty else { return [] }
    func isKnown(_ finding: Finding) -> Bool {
      whole.findings.contains { $0.kind == .breaks && $0.statement == finding.statement }
    }
    var findings: [Finding] = []
    for index in pending.indices.dropLast() {
      let check = MigrationCheck(
        OracleQuestion(
          history: history, migration: pending[...index].map { inPath($0.file) }, old: living, sizes: sizes,
          role: reached.database.role))
      let report = try await check.run(with: schema.oracle)
      for var finding in report.findings where finding.kind == .breaks && finding.statement != nil && !isKnown(finding)
      {
        finding.message = "until \(pending[index + 1].name) is applied, \(finding.message)"
        findings.append(finding)
      }
    }
    return findings
  }

  /// What the version to come leaves out of its rows. Most of its statements do not run before the migrations, so they
  /// are not executed after them.
  private func lacking(on schema: Schema?) -> [Finding] {
    guard let schema, let coming = question.coming, let set = statements[label(coming)] else { return [] }
    return RequiredColumns(schema: schema).findings(in: [set]).map { finding in
      var copy = finding
      copy.level = .reverse
      return copy
    }
  }

  // MARK: What is pending

  /// - Throws: as `run`.
  func isPending() throws(Refusal) -> Bool { try !split().pending.isEmpty }

  private func split() throws(Refusal) -> (landed: [MigrationText], pending: [MigrationText]) {
    guard let chain else { return ([], []) }
    if let begun = live.book.begun {
      throw Refusal(
        .notNow,
        "\(begun.mark.name) was begun on \(live.place) and not ended, so nobody can say what is there; finish or undo it"
          + " by hand, then run plimsoll migrate adopt")
    }
    guard live.book.exists || !live.hasTables else {
      throw Refusal(
        .notNow,
        "\(live.place) has tables and no book of its migrations; tell which it has with plimsoll migrate adopt")
    }
    let marks = MigrationChain(marks: chain.map(\.mark))
    let applied = live.book.applied
    let pending = try marks.pending(after: applied, in: live.place)
    let landed = base.map { marks.landed(in: $0.map(\.mark), butNotIn: applied) } ?? []
    let texts = Dictionary(chain.map { ($0.mark, $0) }) { first, _ in first }
    let own = Set(landed)
    return (landed.compactMap { texts[$0] }, pending.filter { !own.contains($0) }.compactMap { texts[$0] })
  }

  /// With the migrator's own search path, where it is not the usual one.
  private func inPath(_ file: MigrationFile) -> MigrationFile {
    guard live.searchPath != ["public"], let first = file.statements.first else { return file }
    let path = live.searchPath.map(quoted).joined(separator: ", ")
    let text = "SET search_path = \(path.isEmpty ? "''" : path)"
    var copy = file
    let tree = (try? SQLParser.parse(text))?.first
    copy.statements.insert(
      MigrationStatement(
        text: text, spot: SourceSpot(file: file.path, line: first.spot.line, text: text), tree: tree), at: 0)
    return copy
  }

  /// The live database's own, unless another's were named.
  private var sizes: [TableSize] {
    let known =
      reached.database.sizes
      ?? live.schema.relations.compactMap { relation in
        guard relation.isTable, let rows = relation.rows else { return nil }
        return TableSize(schema: relation.schema, table: relation.name, rows: rows, bytes: relation.bytes ?? 0)
      }
    return known.map { size in
      var weighed = size
      weighed.executionsPerSecond =
        size.executionsPerSecond ?? rates[TableSize.key(schema: size.schema, table: size.table)]
      return weighed
    }
  }

  // MARK: What else is to be said

  private func rehearsalFindings(_ rehearsal: Rehearsal, _ report: MigrationReport) -> [Finding] {
    guard let failure = rehearsal.failure else { return [] }
    let isSaid = report.findings.contains { $0.level == .apply && ($0.kind == .breaks || $0.kind == .inconclusive) }
    guard !isSaid else { return [] }
    // What rights a provider's own role has by other ways than grants, no shadow knows.
    let mayNot = failure.sqlState == "42501"
    return [
      Finding(
        mayNot ? .inconclusive : .breaks, .apply, rule: "sqlstate-\(failure.sqlState)",
        "applied as \(live.migrator), who migrates \(live.place), \(failure.why)"
          + (mayNot ? "; give it the right, or another role's URL" : ""),
        sqlState: failure.sqlState)
    ]
  }

  /// Differing objects that are shown.
  private static let shownDifferences = 3

  private func differenceFindings(_ schema: ShadowSchema) -> [Finding] {
    guard !schema.differences.isEmpty else { return [] }
    let shown = schema.differences.prefix(Self.shownDifferences).joined(separator: "; ")
    return [
      Finding(
        .inconclusive, .apply, rule: "shadow-differs",
        "the shadow is not quite like \(live.place), so what held there may fail here: \(shown); use PostgreSQL"
          + " \(live.major) with the same extensions on this machine")
    ]
  }

  // MARK: The schema as it is

  /// Here a statement that does not run is no matter of the past: the version that sends it fails now.
  private func standing(_ schema: ShadowSchema, _ history: [MigrationFile]) async throws -> Answer {
    let check = MigrationCheck(
      OracleQuestion(
        history: history, migration: [], old: clients.compactMap { statements[label($0)] }, role: reached.database.role)
    )
    var report = try await check.run(with: schema.oracle)
    report.findings.removeAll { $0.rule == "mostly-broken-before" }
    for place in report.findings.indices where report.findings[place].rule == "broken-before" {
      report.findings[place].kind = .breaks
      report.findings[place].rule = "sqlstate-\(report.findings[place].sqlState ?? "")"
      report.findings[place].message = report.findings[place].message.replacing(
        " does not run before the migration either", with: " does not run on the schema as it is")
    }
    report.add(RequiredColumns(schema: live.schema).findings(in: clients.compactMap { statements[label($0)] }))
    report.add(differenceFindings(schema))
    return judged(report, pending: [], after: live.hash)
  }

  // MARK: The answer

  private func judged(_ report: MigrationReport, pending: [MigrationText], after: Digest) -> Answer {
    let verdicts = ReportVerdicts(
      report: report, statements: statements, place: live.place, isStanding: pending.isEmpty)
    let coming = question.coming.map { client in verdicts.verdict(of: client, label(client), isComing: true) }
    let before: SchemaFit? = question.coming.map { client in
      if pending.isEmpty { return coming?.fit ?? .unknown }
      return statements[label(client)] == nil ? .unknown : verdicts.comingBefore
    }
    return Answer(
      pending: pending.map(\.mark), after: after, migration: verdicts.migration,
      verdicts: question.versions.map { verdicts.verdict(of: $0, label($0), isComing: false) }, coming: coming,
      comingBefore: before, report: cleared(report))
  }

  /// The version to come is tried like those that run, to see what its writes meet; that it needs the migration is not
  /// to be held against it.
  private func cleared(_ report: MigrationReport) -> MigrationReport {
    guard let coming = question.coming, !question.versions.contains(coming) else { return report }
    let label = label(coming)
    let others = Set(question.versions.compactMap { statements[self.label($0)] }.flatMap(\.statements).map(\.text))
    var cleared = report
    cleared.checked.removeAll { $0.version == label }
    cleared.findings.removeAll { finding in
      finding.rule == "mostly-broken-before" && finding.message.contains(label)
        || finding.rule == "broken-before" && !others.contains(finding.statement?.text ?? "")
    }
    cleared.add([])
    return cleared
  }

  /// Nothing to be tried: no migration, no statement.
  private var untried: Answer {
    Answer(
      pending: [], after: live.hash, migration: (.compatible, ""),
      verdicts: question.versions.map(ReportVerdicts.unrecorded),
      coming: question.coming.map(ReportVerdicts.unrecorded), comingBefore: question.coming.map { _ in .unknown },
      report: MigrationReport(findings: [], checked: [], migrations: []))
  }

  private func untold(_ pending: [MigrationText], _ report: MigrationReport, _ why: String) -> Answer {
    let first = report.findings.first?.message ?? ""
    return Answer(
      pending: pending.map(\.mark), after: live.hash, migration: (.unknown, first.isEmpty ? why : first),
      verdicts: question.versions.map { SchemaVerdict($0, .unknown, why: why) },
      coming: question.coming.map { SchemaVerdict($0, .unknown, why: why) },
      comingBefore: question.coming.map { _ in .unknown }, report: report)
  }
}
