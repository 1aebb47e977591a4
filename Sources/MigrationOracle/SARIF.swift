import Foundation
import Migrations

/// A report in the form that code-scanning pages read: SARIF 2.1.0 (OASIS standard), one run, one result for each
/// finding that is no note.
package struct SARIF: Encodable {
  private let version = "2.1.0"
  private let schema = "https://json.schemastore.org/sarif-2.1.0.json"
  private let runs: [Run]

  private enum CodingKeys: String, CodingKey {
    case version
    case schema = "$schema"
    case runs
  }

  /// - Parameter toolVersion: of plimsoll, such as `0.1.0`.
  package init(_ report: MigrationReport, toolVersion: String) {
    let findings = report.findings.filter { $0.kind != .note }
    let rules = Array(Set(findings.map(\.rule))).sorted()
    runs = [
      Run(
        tool: Tool(driver: Driver(name: "plimsoll", version: toolVersion, rules: rules.map { Rule(id: $0) })),
        results: findings.map { Result($0, fallback: report.migrations.first ?? "migration.sql") })
    ]
  }

  private struct Run: Encodable {
    let tool: Tool
    let results: [Result]
  }

  private struct Tool: Encodable {
    let driver: Driver
  }

  private struct Driver: Encodable {
    let name: String
    let version: String
    let rules: [Rule]
  }

  private struct Rule: Encodable {
    let id: String
  }

  private struct Result: Encodable {
    let ruleId: String
    let level: String
    let message: Message
    let locations: [Location]
    let partialFingerprints: [String: String]

    init(_ finding: Finding, fallback: String) {
      ruleId = finding.rule
      level =
        switch finding.kind {
        case .breaks: "error"
        case .hazard, .inconclusive: "warning"
        case .note: "note"
        }
      let told = [
        finding.message,
        finding.statement.map { "Statement of \($0.version): \($0.text)" },
        finding.instead.map { "Instead: \($0)" },
      ]
      message = Message(text: told.compactMap(\.self).joined(separator: "\n"))
      let spot = finding.migration
      locations = [
        Location(
          physicalLocation: Physical(
            artifactLocation: Artifact(uri: spot?.file ?? fallback),
            region: Region(startLine: max(spot?.line ?? 1, 1), startColumn: max(spot?.column ?? 1, 1))))
      ]
      // One finding stays one over runs: by rule, place in words and the statement, never by the line's number.
      partialFingerprints = [
        "plimsoll/v1": [finding.rule, spot?.text ?? "", finding.statement?.fingerprint ?? ""].joined(separator: "|")
      ]
    }
  }

  private struct Message: Encodable {
    let text: String
  }

  private struct Location: Encodable {
    let physicalLocation: Physical
  }

  private struct Physical: Encodable {
    let artifactLocation: Artifact
    let region: Region
  }

  private struct Artifact: Encodable {
    let uri: String
  }

  private struct Region: Encodable {
    let startLine: Int
    let startColumn: Int
  }
}
