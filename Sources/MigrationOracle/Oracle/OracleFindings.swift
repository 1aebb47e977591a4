import Migrations

/// The words of the oracle's findings.
enum OracleFindings {
  static func failure(_ failure: MigrationApplier.Failure, ofHistory: Bool) -> Finding {
    let what = ofHistory ? "the history cannot be built" : "the migration does not run"
    var finding: Finding
    switch failure.cause {
    case .extensionMissing(let name):
      finding = Finding(
        .inconclusive, .apply, rule: "extension-missing",
        "\(what) here: the extension \(name) is not installed in the shadow; install \(package(of: name)), or give the"
          + " URL of a server that has it")
    case .untold:
      finding = Finding(
        .inconclusive, .apply, rule: "sqlstate-\(failure.error.sqlState)",
        "\(what) on the shadow: \(failure.error); mend it, or give the URL of a server of production's version")
    case .migration:
      finding = Finding(
        ofHistory ? .inconclusive : .breaks, .apply, rule: "sqlstate-\(failure.error.sqlState)",
        "\(what): \(failure.error)",
        instead: ofHistory ? nil : "Mend the statement; it fails on the schema that the history builds.")
    }
    finding.migration = spot(failure)
    finding.sqlState = failure.error.sqlState
    return finding
  }

  /// The line that the server points at, else the statement's first.
  private static func spot(_ failure: MigrationApplier.Failure) -> SourceSpot {
    guard let position = failure.error.position else { return failure.statement.spot }
    let bytes = String(failure.statement.text.unicodeScalars.prefix(max(0, position - 1))).utf8.count
    return failure.statement.spot(at: bytes)
  }

  /// Debian's package of an extension; contrib's come with the server there.
  private static func package(of name: String) -> String {
    let known = [
      "postgis": "postgresql-15-postgis-3", "vector": "postgresql-15-pgvector", "pg_cron": "postgresql-15-cron",
      "plpgsql_check": "postgresql-15-plpgsql-check", "hll": "postgresql-15-hll", "pg_partman": "postgresql-15-partman",
      "pgaudit": "postgresql-15-pgaudit", "rum": "postgresql-15-rum", "pgtap": "postgresql-15-pgtap",
      "semver": "postgresql-15-semver", "orafce": "postgresql-15-orafce", "ip4r": "postgresql-15-ip4r",
    ]
    let exact = known[name].map { "Debian's \($0)" }
    return exact
      ?? (name.hasPrefix("postgis")
        ? "Debian's postgresql-15-postgis-3"
        : "its package (contrib's are in"
          + " postgresql-contrib)")
  }

  static func remarks(_ remarks: [MigrationApplier.Remark], level: Finding.Level) -> [Finding] {
    remarks.map { remark in
      Finding(
        remark.kind, level, rule: remark.rule, remark.message, migration: remark.spot, sqlState: remark.sqlState,
        instead: remark.kind == .breaks ? Advice.byState(remark.sqlState ?? "") : nil)
    }
  }

  /// A statement's name, or the beginning of its text.
  static func title(_ candidate: Candidate) -> String {
    if let name = candidate.statement.name { return name }
    let line = candidate.statement.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return line.count > shownText ? String(line.prefix(shownText)) + "…" : line
  }

  private static let shownText = 80

  /// What hides behind the statements of a version that cannot be judged.
  static func standing(_ checked: [MigrationReport.CheckedVersion]) -> [Finding] {
    checked.compactMap { version in
      guard version.statements > 0 else { return nil }
      guard Double(version.brokenBefore) > Double(version.statements) * mostBrokenBefore else { return nil }
      return Finding(
        .inconclusive, .parse, rule: "mostly-broken-before",
        "\(version.brokenBefore) of the \(version.statements) statements of \(version.version) do not run on the schema"
          + " before the migration: check that the history is whole and that the statements belong to this database")
    }
  }

  /// Share of a version's statements that may be dead before what is left proves nothing: research §2.2 found up to a
  /// quarter (44,000 of some 190,000 checks) in a healthy service.
  static let mostBrokenBefore = 0.5

  static func coverage(_ question: OracleQuestion) -> [Finding] {
    guard let production = question.production else { return [] }
    return question.old.compactMap { set in
      guard let coverage = set.coverage(of: production), coverage < question.leastCoverage else { return nil }
      return Finding(
        .inconclusive, .parse, rule: "low-coverage",
        "the statements of \(set.version) cover \(percent(coverage)) of what production was seen to send, and"
          + " \(percent(question.leastCoverage)) are asked for; record more of them")
    }
  }

  /// What a recorder dropped may be what breaks.
  static func leftOut(_ question: OracleQuestion) -> [Finding] {
    question.old.filter { $0.leftOut > 0 }.map { set in
      Finding(.inconclusive, .parse, rule: leftOutRule, "\(set.version): \(leftOut(set))")
    }
  }

  static func leftOut(_ set: StatementSet) -> String {
    let count = set.leftOut == 1 ? "1 statement was" : "\(set.leftOut) statements were"
    return "\(count) left out of its recording ('leftOut' in its first line says why): record it again"
  }
  static let leftOutRule = "statements-left-out"

  static func percent(_ share: Double) -> String { "\((share * 1000).rounded(.down) / 10) %" }
}
