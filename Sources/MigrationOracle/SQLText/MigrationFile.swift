/// One file of migrations, or the part of one that goes forward.
package struct MigrationFile: Equatable, Sendable {
  package var path: String
  /// What goes forward, as it is written.
  package let text: String
  package var statements: [MigrationStatement]
  package var transaction: Transaction

  package enum Transaction: String, Equatable, Sendable {
    /// The tool wraps the file in one transaction: what nearly all tools do.
    case one
    /// Each statement is its own: the layout's marker says so, or a statement cannot run in a transaction.
    case none
    /// The file says BEGIN and COMMIT itself.
    case own
  }

  /// Without `transaction` the statements decide: BEGIN or COMMIT of its own, then what cannot run in a transaction.
  package init(path: String, text: String, transaction: Transaction? = nil) {
    self.path = path
    self.text = text
    statements = SQLParser.split(text, file: path)
    let trees = statements.compactMap(\.tree)
    self.transaction =
      transaction
      ?? (trees.contains { $0.opensTransaction || $0.closesTransaction }
        ? .own : trees.contains(where: \.refusesTransaction) ? .none : .one)
  }
}

extension SQLNode {
  package var opensTransaction: Bool {
    ["TRANS_STMT_BEGIN", "TRANS_STMT_START"].contains(fields(of: "TransactionStmt")?.string("kind"))
  }

  package var closesTransaction: Bool {
    ["TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK", "TRANS_STMT_PREPARE"]
      .contains(fields(of: "TransactionStmt")?.string("kind"))
  }

  /// Whether PostgreSQL refuses it inside a transaction block.
  package var refusesTransaction: Bool {
    guard let node else { return false }
    switch node.kind {
    case "IndexStmt", "DropStmt": return node.fields.isTrue("concurrent")
    case "ReindexStmt":
      return ["REINDEX_OBJECT_DATABASE", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_SCHEMA"]
        .contains(node.fields.string("kind"))
        || node.fields.items("params").contains {
          $0.fields(of: "DefElem")?.string("defname") == "concurrently"
        }
    case "AlterTableStmt":
      return node.fields.items("cmds").contains {
        let command = $0.fields(of: "AlterTableCmd")
        return command?.string("subtype") == "AT_DetachPartition"
          && command?["def"]?.fields(of: "PartitionCmd")?.isTrue("concurrent") == true
      }
    case "VacuumStmt": return node.fields.isTrue("is_vacuumcmd")
    case "CreatedbStmt", "DropdbStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt": return true
    default: return false
    }
  }
}
