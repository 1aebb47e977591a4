import Foundation
import Kernel
import Migrations

/// A migration judged by everything that is at hand: the analysis of its text, and the oracle.
package struct MigrationCheck: Sendable {
  package var question: OracleQuestion
  /// What reading the statements had to say, a sentence each; each becomes a note.
  package var notes: [String]

  package init(_ question: OracleQuestion, notes: [String] = []) {
    self.question = question
    self.notes = notes
  }

  /// - Parameters:
  ///   - server: where the oracle works; nil judges by the analysis alone.
  ///   - progress: told what begins, for a terminal.
  /// - Throws: `Refusal` for what the caller can mend, `Outage` when the server fails.
  package func run(
    on server: ShadowServer?, progress: @escaping @Sendable (String) -> Void = { _ in }
  ) async throws -> MigrationReport {
    guard let server else { return withoutServer() }
    return try await run(with: Oracle(server: server, readyClones: 0), progress: progress)
  }

  /// With an oracle that keeps what it has built.
  package func run(
    with oracle: Oracle, progress: @escaping @Sendable (String) -> Void = { _ in }
  ) async throws -> MigrationReport {
    var report = try await oracle.check(question, progress: progress)
    let catalog = try await oracle.catalog(of: question.history, role: question.role).map(sized)
    let analysed = MigrationAnalysis.findings(in: question.migration, on: catalog)
      .filter { !isAnswered($0, in: report) }
    let hasStatements = question.old.contains { !$0.statements.isEmpty }
    let writes = hasStatements ? CapturedWrites(question, on: catalog) : nil
    report.add(writes.map { writes in analysed.map { $0.settled(by: writes) } } ?? analysed)
    report.add(said)
    return report
  }

  /// The schema with production's sizes: a shadow's own rows say nothing about how long a lock is held.
  private func sized(_ catalog: Migrations.Catalog) -> Migrations.Catalog {
    var sized = catalog
    for index in sized.tables.indices {
      let table = sized.tables[index]
      let size = question.sizes.first { $0.schema == table.schema && $0.table == table.name }
      sized.tables[index].rows = size?.rows
      sized.tables[index].bytes = size?.bytes
    }
    return sized
  }

  /// Whether the oracle has said it better: a statement met what the analysis fears of the same line, or the server
  /// has run what it could not read.
  private func isAnswered(_ finding: Finding, in report: MigrationReport) -> Bool {
    if MigrationAnalysis.isSettledByServer(finding.rule) {
      return !report.findings.contains { $0.level == .apply && ($0.kind == .breaks || $0.kind == .inconclusive) }
    }
    guard finding.kind == .hazard, let spot = finding.migration else { return false }
    return report.findings.contains {
      ($0.kind == .breaks || $0.kind == .hazard) && $0.migration?.file == spot.file && $0.migration?.text == spot.text
    }
  }

  private func withoutServer() -> MigrationReport {
    let files = question.migration
    var findings = MigrationAnalysis.findings(in: files, on: nil)
    findings.append(
      Finding(
        .inconclusive, .apply, rule: "no-server",
        "No server took part, so nothing was run: neither the migration nor a statement. Install postgresql-15 or name"
          + " a server."))
    var report = MigrationReport(findings: findings, checked: [], migrations: files.map(\.path))
    report.add(said)
    return report
  }

  private var said: [Finding] { notes.map { Finding(.note, .parse, rule: "statements", $0) } }
}

/// Where the captured statements write, as far as their texts say.
private struct CapturedWrites {
  /// Names of tables; nil where a statement may write anywhere: it calls a function, or a trigger goes on from there.
  let tables: Set<String>?
  private let migration: [MigrationFile]

  init(_ question: OracleQuestion, on catalog: Migrations.Catalog?) {
    migration = question.migration
    let functions = Set((catalog?.functions ?? []).map { String($0.signature.prefix { $0 != "(" }) })
    let known = Dictionary((catalog?.tables ?? []).map { ($0.name, $0) }) { first, _ in first }
    var tables: Set<String> = []
    for statement in question.old.flatMap(\.statements) {
      let reading = StatementReading.of(statement.text)
      let written = (reading.written + [reading.copied].compactMap { $0 }).map(\.name)
      let isPlain = written.allSatisfy { known[$0].map { $0.kind == .table && $0.triggers.isEmpty } ?? false }
      let isKnown = reading.kind != .unreadable && (reading.kind != .other || !written.isEmpty)
      guard isPlain, isKnown, reading.functions.isDisjoint(with: functions) else {
        self.tables = nil
        return
      }
      tables.formUnion(written)
    }
    self.tables = tables
  }

  /// Whether a captured statement may write where the finding's line of the migration makes a rule.
  func mayMeet(_ finding: Finding) -> Bool {
    guard let tables, let spot = finding.migration,
      let tree = migration.flatMap(\.statements).first(where: { $0.spot.file == spot.file && $0.spot.text == spot.text }
      )?
      .tree
    else { return true }
    let named = tree.relationNames
    return named.isEmpty || !named.isDisjoint(with: tables)
  }
}

extension SQLNode {
  /// Names of all tables in it, wherever they stand.
  var relationNames: Set<String> {
    switch self {
    case .object(let fields):
      fields.reduce(into: fields["relname"]?.string.map { [$0] } ?? []) { $0.formUnion($1.value.relationNames) }
    case .array(let items): items.reduce(into: []) { $0.formUnion($1.relationNames) }
    default: []
    }
  }
}

extension Finding {
  /// The same finding when every version's statements have been run: a danger that they would have met is a note.
  fileprivate func settled(by writes: CapturedWrites) -> Finding {
    guard kind == .hazard, let rule = MigrationRule.named(rule) else { return self }
    var settled = self
    settled.kind = .note
    if rule.settledByStatements {
      settled.message += " No captured statement met it."
    } else if rule.endangersWritesOnly, !writes.mayMeet(self) {
      settled.message += " No captured statement writes there."
    } else {
      return self
    }
    return settled
  }
}
