import Foundation
import Migrations
import Testing

@testable import MigrationOracle

/// `docs/migration-rules.md` is the table of the rules, of squawk's and of eugene's.
struct RuleTableTests {
  /// The cells of each row whose first is one name in backticks, with the heading it stands under.
  private static func rows() throws -> [(heading: String, cells: [String])] {
    let root = (0..<4).reduce(URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()) { url, _ in
      url.deletingLastPathComponent()
    }
    let text = try String(contentsOf: root.appending(path: "docs/migration-rules.md"), encoding: .utf8)
    var heading = ""
    return text.split(separator: "\n").compactMap { line in
      if line.hasPrefix("## ") { heading = String(line.dropFirst(3)) }
      guard line.hasPrefix("| `") else { return nil }
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
      return (heading, cells.map { $0.trimmingCharacters(in: .whitespaces) })
    }
  }

  @Test func everyRuleIsInTheTableWithItsKind() throws {
    let table = try Self.rows().filter { $0.cells.count >= 4 }
    let told = Dictionary(grouping: table, by: { $0.cells[0].filter { $0 != "`" } })
    #expect(Set(told.keys) == Set(MigrationRule.allCases.map(\.rawValue)))
    for rule in MigrationRule.allCases {
      #expect(told[rule.rawValue]?.count == 1, "\(rule.rawValue)")
      #expect(told[rule.rawValue]?.first?.cells[1] == rule.kind.rawValue, "\(rule.rawValue)")
      let heading = told[rule.rawValue]?.first?.heading
      switch rule.nature {
      case .locks: #expect(heading == "Locks")
      case .taste: #expect(heading == "Taste")
      case .behaviour: #expect(heading == "Behaviour")
      case .compatibility, .oldReaders, .oldWriters, .loss: #expect(heading == "Compatibility and loss")
      case .execution, .unread: #expect(heading == "Scripts")
      }
    }
  }

  /// squawk 2.70.0, all rules.
  private static let squawk = """
    require-concurrent-index-creation require-concurrent-index-deletion constraint-missing-not-valid
    adding-field-with-default adding-foreign-key-constraint changing-column-type adding-not-nullable-field
    adding-serial-primary-key-field renaming-column renaming-table disallowed-unique-constraint ban-drop-database
    prefer-bigint-over-int prefer-bigint-over-smallint prefer-identity prefer-repack prefer-robust-stmts
    prefer-text-field prefer-timestamp-tz ban-char-field ban-drop-column ban-drop-table ban-drop-not-null
    transaction-nesting adding-required-field ban-concurrent-index-creation-in-transaction unused-ignore
    ban-create-domain-with-constraint ban-alter-domain-with-add-constraint ban-truncate-cascade
    require-timeout-settings ban-uncommitted-transaction require-enum-value-ordering require-table-schema
    identifier-too-long require-concurrent-partition-detach require-concurrent-reindex
    ban-duplicate-column-assignments ban-drop-view ban-drop-function ban-drop-type ban-drop-default ban-drop-trigger
    ban-drop-schema ban-drop-sequence ban-drop-domain ban-drop-constraint ban-drop-generated-expression
    ban-drop-extension ban-alter-identity renaming-object ban-set-schema ban-alter-generated-expression ban-drop-index
    ban-set-default ban-disable-trigger ban-replica-identity ban-drop-policy ban-revoke ban-replace-view-function
    ban-create-policy ban-alter-policy-condition ban-alter-policy-roles ban-alter-row-level-security
    ban-alter-function-options ban-alter-view-options ban-alter-role-options ban-alter-database-options
    ban-alter-system-options ban-alter-extension ban-new-write-restriction ban-add-column ban-add-enum-value
    ban-add-composite-attribute ban-detach-inheritance ban-alter-sequence-values
    """

  @Test func everyRuleOfSquawkAndEugeneHasItsPlace() throws {
    let cells = try Self.rows().flatMap {
      $0.heading.hasPrefix("What has no rule") ? $0.cells : Array($0.cells.dropFirst())
    }
    let named = Set(cells.flatMap { $0.split(whereSeparator: { " ,`".contains($0) }).map(String.init) })
    for id in Self.squawk.split(whereSeparator: \.isWhitespace) { #expect(named.contains(String(id)), "\(id)") }
    for hint in ["W12", "W13", "W14", "E15"] + (1...11).map({ "E\($0)" }) { #expect(named.contains(hint), "\(hint)") }
  }

  @Test func statementsSettleWhatStatementsCanTell() {
    for rule in MigrationRule.allCases {
      #expect(rule.kind != .breaks)
      let answers: Set = [MigrationRule.Nature.compatibility, .oldReaders]
      if rule.settledByStatements { #expect(answers.contains(rule.nature)) }
      #expect(MigrationAnalysis.isSettledByStatements(rule.rawValue) == rule.settledByStatements)
      #expect(MigrationRule.named(rule.rawValue) == rule)
      if rule.settledByServer { #expect(rule.nature == .execution || rule.nature == .unread) }
    }
    // Names are told by parsing; what values decide is not told by a made-up one that was accepted.
    for rule in [MigrationRule.dropColumn, .renameTable, .dropUnique, .addEnumValue, .dropNotNull] {
      #expect(rule.settledByStatements)
    }
    for rule in [MigrationRule.newCheck, .newForeignKey, .newExclusion, .newTrigger, .setNotNull, .requiredColumn] {
      #expect(!rule.settledByStatements)
    }
    #expect(MigrationRule.named("sqlstate-42703") == nil)
    #expect(!MigrationRule.psqlCommand.settledByServer)
  }
}
