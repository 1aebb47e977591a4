import Migrations

/// Judges a migration by its text and, where one is given, by the schema it will meet. No statement of any version is
/// seen, so nothing here is called a break: compatibility is a hazard until the oracle has run the statements.
package enum MigrationAnalysis {
  /// Findings of level `analysis`, in the order of the statements that cause them.
  ///
  /// Without a catalog every object that the migration does not make itself is taken to exist, and every table to be
  /// large. `catalog` is the schema before the first file.
  package static func findings(
    in files: [MigrationFile], on catalog: Catalog?, rules: Set<MigrationRule> = MigrationRule.standard
  ) -> [Finding] {
    let trees = files.flatMap { $0.statements.compactMap(\.tree) }
    var examination = Examination(catalog: catalog, rules: rules, intent: MigrationIntent(trees))
    for file in files { examination.examine(file) }
    return examination.findings
  }

  /// Whether a finding's rule is overruled by statements that were run, or by a server that applied the migration; no
  /// for rules that are not the analysis's.
  package static func isSettledByStatements(_ rule: String) -> Bool {
    MigrationRule.named(rule)?.settledByStatements ?? false
  }

  package static func isSettledByServer(_ rule: String) -> Bool {
    MigrationRule.named(rule)?.settledByServer ?? false
  }
}

/// One walk through a migration. It remembers what the migration has made so far: what is new cannot be missed by
/// anybody, and an empty table holds nobody up.
struct Examination {
  let catalog: Catalog?
  let rules: Set<MigrationRule>
  let intent: MigrationIntent
  var findings: [Finding] = []
  var fresh = FreshObjects()
  var locks = LockState()
  /// The one being examined.
  var statement = MigrationStatement(text: "", spot: SourceSpot(file: "", line: 1, text: ""))

  init(catalog: Catalog?, rules: Set<MigrationRule>, intent: MigrationIntent) {
    self.catalog = catalog
    self.rules = rules
    self.intent = intent
  }

  mutating func examine(_ file: MigrationFile) {
    locks = LockState(transaction: file.transaction)
    for next in file.statements {
      statement = next
      if let tree = next.tree {
        examineTransaction(tree)
        examine(tree)
        locks.endStatement()
      } else if let error = next.syntaxError {
        examineUnreadable(error)
      }
    }
    examineEnd(of: file)
  }

  /// A statement inside a block, which takes its locks within the block's transaction.
  mutating func examineInner(_ tree: SQLNode) { examine(tree) }

  private mutating func examine(_ tree: SQLNode) {
    guard let (kind, fields) = tree.node else { return }
    switch kind {
    case "AlterTableStmt": examineAlterTable(fields)
    case "CreateStmt": examineCreateTable(fields)
    case "CreateTableAsStmt", "SelectStmt", "ViewStmt": examineQueryResult(kind, fields)
    case "DropStmt": examineDrop(fields)
    case "DropdbStmt", "DropOwnedStmt", "TruncateStmt": examineLoss(kind, fields)
    case "RenameStmt": examineRename(fields)
    case "AlterObjectSchemaStmt": examineSetSchema(fields)
    case "IndexStmt": examineIndex(fields)
    case "ReindexStmt", "ClusterStmt", "VacuumStmt", "RefreshMatViewStmt", "LockStmt":
      examineMaintenance(kind, fields)
    case "CreateEnumStmt", "AlterEnumStmt", "CompositeTypeStmt", "CreateDomainStmt", "AlterDomainStmt":
      examineType(kind, fields)
    case "CreateFunctionStmt", "AlterFunctionStmt": examineFunction(kind, fields)
    case "CreateTrigStmt", "RuleStmt": examineTrigger(kind, fields)
    case "GrantStmt", "CreatePolicyStmt", "AlterPolicyStmt": examineAccess(kind, fields)
    case "AlterRoleStmt", "AlterRoleSetStmt", "AlterDatabaseSetStmt", "AlterDatabaseStmt", "AlterSystemStmt",
      "AlterExtensionStmt", "AlterExtensionContentsStmt", "AlterSeqStmt", "AlterOwnerStmt":
      examineSettings(kind, fields)
    case "CreateSeqStmt": QualifiedName(fields["sequence"]).map { _ = fresh.others.insert($0.name) }
    case "UpdateStmt", "DeleteStmt": examineRows(kind, fields)
    case "InsertStmt": examineCopiedRows(fields)
    case "VariableSetStmt": if fields.string("name") == "lock_timeout" { locks.hasTimeout = true }
    case "DoStmt": examineBlock(fields)
    default: break
    }
  }

  private mutating func examineUnreadable(_ error: SQLSyntaxError) {
    let spot = statement.spot(at: error.offset)
    switch statement.metaCommand {
    case .harmless: report(.psqlSetting, "\(sentence(error.message)).", spot: spot)
    case .decisive: report(.psqlCommand, "\(sentence(error.message)).", spot: spot)
    case nil:
      report(
        .unreadableStatement,
        "This statement was not read: \(error.message). The grammar is that of PostgreSQL \(SQLParser.grammar); "
          + "what a newer server understands can be told only by running it.",
        spot: spot)
    }
  }

  private func sentence(_ words: String) -> String { words.prefix(1).uppercased() + words.dropFirst() }

  // MARK: Reporting

  mutating func report(
    _ rule: MigrationRule, as kind: Finding.Kind? = nil, _ message: String, near name: String? = nil,
    at location: Int? = nil, spot: SourceSpot? = nil, instead: String? = nil
  ) {
    guard rules.contains(rule) else { return }
    findings.append(
      Finding(
        kind ?? rule.kind, .analysis, rule: rule.rawValue, message,
        migration: spot ?? self.spot(near: name, at: location), direction: rule.direction, instead: instead))
  }

  /// Of a byte of the statement, else of the first word that is `name`, else of the statement.
  private func spot(near name: String?, at location: Int?) -> SourceSpot {
    if let location { return statement.spot(at: location) }
    guard let name, let found = Self.offset(of: name, in: statement.text) else { return statement.spot }
    return statement.spot(at: found)
  }

  private static func offset(of name: String, in text: String) -> Int? {
    let bytes = Array(text.utf8.prefix(maximalSearch))
    let wanted = Array(name.utf8)
    guard !wanted.isEmpty, bytes.count >= wanted.count else { return nil }
    func isWord(_ index: Int) -> Bool {
      guard bytes.indices.contains(index) else { return false }
      let byte = bytes[index]
      return byte >= 128 || byte == UInt8(ascii: "_") || (48...57).contains(byte) || (97...122).contains(byte | 0x20)
    }
    for start in 0...(bytes.count - wanted.count) where !isWord(start - 1) && !isWord(start + wanted.count) {
      if zip(bytes[start...], wanted).allSatisfy({ Self.folded($0) == Self.folded($1) }) { return start }
    }
    return nil
  }

  private static func folded(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }

  /// Bytes of a statement in which a name is looked for.
  private static let maximalSearch = 65_536
}

extension MigrationRule {
  /// Whom it endangers, where it is about code and schema at all.
  fileprivate var direction: Finding.Direction? {
    switch nature {
    case .compatibility, .oldReaders, .oldWriters: .oldCodeNewSchema
    case .loss, .behaviour, .locks, .execution, .unread, .taste: nil
    }
  }
}
