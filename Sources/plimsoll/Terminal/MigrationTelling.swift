import Foundation
import Kernel
import Migrations

/// A report of a check in words.
struct MigrationTelling {
  private let report: MigrationReport
  private let terminal = Terminal.standard
  /// Characters of a statement or of a line of a migration that are shown.
  private let width = 160

  init(_ report: MigrationReport) { self.report = report }

  func show() {
    for finding in report.findings where finding.kind != .note { show(finding) }
    let notes = report.findings.filter { $0.kind == .note }
    if !notes.isEmpty {
      for finding in notes { terminal.line(terminal.paint("note: \(place(of: finding))\(finding.message)", .quiet)) }
      terminal.line()
    }
    if !report.checked.isEmpty { showVersions() }
    if !report.locks.isEmpty { showLocks() }
    terminal.line(terminal.paint(answer, tone(of: report.verdict)))
  }

  private func show(_ finding: Finding) {
    let word: (String, Terminal.Tone) =
      switch finding.kind {
      case .breaks: ("breaks", .bad)
      case .hazard: ("hazard", .warning)
      case .inconclusive: ("cannot be told", .warning)
      case .note: ("note", .quiet)
      }
    let code = finding.sqlState.map { " \($0)" } ?? ""
    terminal.line(
      "\(terminal.paint(word.0, word.1)) \(place(of: finding))\(finding.message) "
        + terminal.paint("[\(finding.level.rawValue) \(finding.rule)\(code)]", .quiet))
    if let spot = finding.migration { terminal.line("  migration  \(spot.text.onOneLine(upTo: width))") }
    if let statement = finding.statement {
      let name = statement.name.map { "\($0): " } ?? ""
      terminal.line("  statement  \(statement.version): \(name)\(statement.text.onOneLine(upTo: width))")
    }
    if let instead = finding.instead {
      let lines = instead.split(whereSeparator: \.isNewline)
      for (index, line) in lines.enumerated() { terminal.line((index == 0 ? "  instead    " : "             ") + line) }
    }
    terminal.line()
  }

  private func showVersions() {
    printTable(
      ["VERSION", "STATEMENTS", "HOLD", "BROKEN", "BROKEN BEFORE", "CANNOT BE TOLD"],
      report.checked.map {
        [$0.version, "\($0.statements)", "\($0.held)", "\($0.broken)", "\($0.brokenBefore)", "\($0.undecided)"]
      })
    terminal.line()
  }

  private func showLocks() {
    printTable(
      ["TABLE", "LOCK", "ROWS", "REWRITTEN", "LINE"],
      report.locks.map {
        [
          $0.table, $0.mode, $0.rows.map(String.init) ?? "not known", $0.rewritten ? "yes" : "no",
          $0.migration.map { "\($0.file):\($0.line)" } ?? "",
        ]
      })
    terminal.line()
  }

  private var answer: String {
    let versions = report.checked.count
    let counted = report.checked.reduce(0) { $0 + $1.statements }
    let scope =
      versions == 0 ? "" : " \(counted) statements of \(versions == 1 ? "1 version" : "\(versions) versions")."
    return switch report.verdict {
    case .compatible: "Compatible.\(scope)"
    case .hazard: "Runs, with hazards.\(scope)"
    case .breaks: "Breaks what runs.\(scope)"
    case .inconclusive: "Cannot be told.\(scope)"
    }
  }

  private func tone(of verdict: MigrationReport.Verdict) -> Terminal.Tone {
    switch verdict {
    case .compatible: .good
    case .hazard, .inconclusive: .warning
    case .breaks: .bad
    }
  }

  private func place(of finding: Finding) -> String {
    finding.migration.map { "\($0.file):\($0.line):\($0.column): " } ?? ""
  }
}
