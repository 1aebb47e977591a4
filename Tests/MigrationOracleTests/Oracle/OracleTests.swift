import Kernel
import Migrations
import Testing

@testable import MigrationOracle

/// Judged on a real PostgreSQL.
@Suite(.serialized, .shadow)
struct OracleTests {
  @Test(
    "a migration that a live version does not survive is caught", arguments: Scenario.breaks + Scenario.subtleBreaks)
  func breaks(_ scenario: Scenario) async throws { try await check(scenario) }

  @Test("a migration that every live version survives is not refused", arguments: Scenario.safe + Scenario.subtleSafe)
  func safe(_ scenario: Scenario) async throws { try await check(scenario) }

  @Test("what old readers may stumble over is called a hazard", arguments: Scenario.hazards + Scenario.subtleHazards)
  func hazards(_ scenario: Scenario) async throws { try await check(scenario) }

  @Test("a row that had to go for the migration is missed by no other table's writes")
  func thinned() async throws {
    let oracle = try #require(ShadowTrait.oracle)
    let scenario = Scenario(
      "a required column", migration: "ALTER TABLE customers ADD COLUMN phone text NOT NULL;",
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .safe)
    let report = try await oracle.check(scenario.question)
    #expect(report.findings.contains { $0.rule == "fails-on-rows" && $0.kind == .breaks })
    #expect(report.checked.first?.broken == 0)
  }

  private func check(_ scenario: Scenario) async throws {
    let oracle = try #require(ShadowTrait.oracle)
    let report = try await oracle.check(scenario.question)
    let said = report.findings.map { "\($0.kind) \($0.rule): \($0.message)" }.joined(separator: "\n")
    switch scenario.expected {
    case .safe:
      #expect(report.verdict == .compatible, "\(said)")
      #expect(report.checked.first?.held == 1, "\(said)")
    case .hazard(let rule):
      #expect(report.verdict == .hazard, "\(said)")
      #expect(report.findings.contains { $0.kind == .hazard && $0.rule == rule && $0.migration != nil }, "\(said)")
    case .breaks(let code):
      #expect(report.verdict == .breaks, "\(said)")
      let finding = report.findings.first { $0.kind == .breaks && $0.statement?.version == "v1" }
      #expect(finding?.sqlState == code || finding?.rule == code, "\(said)")
      #expect(finding?.migration?.file == "0002_change.sql", "\(said)")
      #expect(finding?.instead?.isEmpty == false, "\(said)")
      #expect(finding?.direction == .oldCodeNewSchema, "\(said)")
      #expect(report.checked.first?.broken == 1, "\(said)")
    }
    #expect(report.schemaBefore?.count == 64)
  }
}
