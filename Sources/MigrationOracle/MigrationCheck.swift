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
    let oracle = Oracle(server: server, readyClones: 0)
    var report = try await oracle.check(question, progress: progress)
    let catalog = try await oracle.catalog(of: question.history, role: question.role).map(sized)
    let analysed = MigrationAnalysis.findings(in: question.migration, on: catalog)
      .filter { !isAnswered($0, in: report) }
    let hasStatements = question.old.contains { !$0.statements.isEmpty }
    report.add(hasStatements ? analysed.map(\.settled) : analysed)
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

extension Finding {
  /// The same finding when every version's statements have been run: a danger that they would have met is a note.
  fileprivate var settled: Finding {
    guard kind == .hazard, MigrationAnalysis.isSettledByStatements(rule) else { return self }
    var settled = self
    settled.kind = .note
    settled.message += " No captured statement met it."
    return settled
  }
}
