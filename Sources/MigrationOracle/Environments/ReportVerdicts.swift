import Kernel
import Migrations

/// A report as verdicts on each version and on the migration itself.
struct ReportVerdicts {
  let report: MigrationReport
  let statements: [String: StatementSet]
  let place: SchemaPlace
  /// Nothing is pending: the schema as it is.
  let isStanding: Bool
  /// The tables that each version's statements name, where a hazard stands for several statements.
  private let tables: [String: Set<String>]

  init(report: MigrationReport, statements: [String: StatementSet], place: SchemaPlace, isStanding: Bool) {
    self.report = report
    self.statements = statements
    self.place = place
    self.isStanding = isStanding
    guard report.findings.contains(where: Self.standsForSeveral) else {
      tables = [:]
      return
    }
    var known: [String: Set<String>] = [:]
    tables = statements.mapValues { set in
      set.statements.reduce(into: []) { names, statement in
        let named = known[statement.text] ?? Set(StatementReading.of(statement.text).tables.map(\.name))
        known[statement.text] = named
        names.formUnion(named)
      }
    }
  }

  /// `ReaderHazards` tells one hazard for all statements that read the same column, with their number at the end.
  private static func standsForSeveral(_ finding: Finding) -> Bool {
    finding.kind == .hazard && finding.statement != nil && finding.message.hasSuffix(" statements)")
  }

  /// Share of a version's statements that may be dead before what is left proves nothing.
  private static let mostBrokenBefore = OracleFindings.mostBrokenBefore

  static func unrecorded(_ client: SchemaClient) -> SchemaVerdict {
    SchemaVerdict(
      client, .unknown,
      why: "nothing was recorded of what it sends; run 'plimsoll db record -- TESTS' in its build, or send a recording "
        + "with 'plimsoll db upload', or write 'unknown: allow'")
  }

  func verdict(of client: SchemaClient, _ label: String, isComing: Bool) -> SchemaVerdict {
    guard let set = statements[label] else { return Self.unrecorded(client) }
    let own = findings(on: set, label, isComing: isComing)
    let checked = report.checked.first { $0.version == label }
    if let finding = own.first(where: { $0.kind == .breaks }) {
      return SchemaVerdict(client, .breaks, why: Self.sentence(finding))
    }
    if let finding = own.first(where: { $0.kind == .inconclusive }) {
      return SchemaVerdict(client, .unknown, why: Self.sentence(finding))
    }
    guard let checked else {
      return SchemaVerdict(client, .unknown, why: "nothing of what it sends could be tried")
    }
    if checked.broken > 0 { return SchemaVerdict(client, .breaks, why: "\(checked.broken) of its statements fail") }
    if checked.undecided > 0 {
      let why = report.findings.first { $0.level == .apply && ($0.kind == .breaks || $0.kind == .inconclusive) }
      return SchemaVerdict(
        client, .unknown,
        why: "\(checked.undecided) of its \(checked.statements) statements could not be tried"
          + (why.map { ": \(Self.sentence($0))" } ?? ""))
    }
    if !isComing, !isStanding,
      Double(checked.brokenBefore) > Double(checked.statements) * Self.mostBrokenBefore
    {
      return SchemaVerdict(
        client, .unknown,
        why:
          "\(checked.brokenBefore) of its \(checked.statements) statements do not run on \(place) as it is; check that"
          + " they belong to this database")
    }
    if set.leftOut > 0 { return SchemaVerdict(client, .unknown, why: OracleFindings.leftOut(set)) }
    if let finding = own.first(where: { $0.kind == .hazard }) {
      return SchemaVerdict(client, .hazard, why: Self.sentence(finding))
    }
    return SchemaVerdict(client, .compatible)
  }

  /// Breaks name each version; what is less is told once for all that send the statement, so it is theirs too.
  private func findings(on set: StatementSet, _ label: String, isComing: Bool) -> [Finding] {
    let fingerprints = Set(set.statements.map(\.fingerprint))
    return report.findings.compactMap { finding in
      guard let statement = finding.statement else { return nil }
      if finding.level == .reverse { return isComing ? afterwards(finding) : nil }
      if finding.kind == .breaks, !isStanding { return statement.version == label ? finding : nil }
      if statement.version == label || fingerprints.contains(statement.fingerprint) { return finding }
      return Self.standsForSeveral(finding) && sharesTable(statement, with: label) ? finding : nil
    }
  }

  /// What a finding about the version to come says of the schema after the migration.
  private func afterwards(_ finding: Finding) -> Finding? {
    guard finding.rule != "migration-first", finding.direction != .newCodeOldSchema else { return nil }
    var copy = finding
    // Grammar that this server does not read proves nothing against the version.
    copy.kind = finding.sqlState == "42601" ? .inconclusive : .breaks
    return copy
  }

  /// Whether the version may be among those that a hazard stands for.
  private func sharesTable(_ reference: StatementReference, with label: String) -> Bool {
    let names = StatementReading.of(reference.text).tables.map(\.name)
    return !(tables[label] ?? []).isDisjoint(with: names)
  }

  /// Whether the version to come runs on the schema before the migration.
  var comingBefore: SchemaFit {
    let reverse = report.findings.filter { $0.level == .reverse }
    if reverse.contains(where: { $0.rule == "migration-first" || $0.rule == "new-code-new-schema" }) { return .breaks }
    return reverse.contains { $0.rule == "any-order" } ? .compatible : .unknown
  }

  /// Of the migration itself, apart from what versions send.
  var migration: (fit: SchemaFit, why: String) {
    let own = report.findings.filter {
      $0.statement == nil && $0.level != .reverse && $0.rule != "mostly-broken-before" && $0.rule != "low-coverage"
        && $0.rule != OracleFindings.leftOutRule
    }
    for (kind, fit) in [(Finding.Kind.breaks, SchemaFit.breaks), (.inconclusive, .unknown), (.hazard, .hazard)] {
      if let finding = own.first(where: { $0.kind == kind }) { return (fit, Self.sentence(finding)) }
    }
    return (.compatible, "")
  }

  /// The line of the migration that did it, the server's code and the message: who clips it cuts the message.
  static func sentence(_ finding: Finding) -> String {
    var facts: [String] = []
    var message = finding.message
    if let spot = finding.migration { facts.append("\(spot.file):\(spot.line)") }
    if let code = finding.sqlState {
      facts.append("SQLSTATE \(code)")
      message = message.replacing(" (SQLSTATE \(code))", with: "").replacing("; SQLSTATE \(code))", with: ")")
    }
    let words = facts.isEmpty ? message : "\(facts.joined(separator: ", ")): \(message)"
    return words.onOneLine(upTo: SchemaVerdict.reasonLimit)
  }
}
