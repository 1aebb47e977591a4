/// How to write a migration instead, so that the versions that are live keep running: expand, move, contract.
enum Advice {
  /// - Parameters:
  ///   - error: what the old statement met; nil where it met no error.
  ///   - tree: the migration's statement that did it.
  static func instead(_ error: PostgresError?, _ tree: SQLNode?) -> String {
    if let tree, let words = byStatement(tree) { return words }
    return byState(error?.sqlState ?? "")
  }

  static func byState(_ state: String) -> String {
    switch state {
    case "42703", "42P01", "42704", "3F000":
      "Expand first: keep the old name until no live version and no rollback target uses it, then drop it on its own."
    case "42883", "42725":
      "Create the new function under a new name, move callers to it, and drop the old one when no live version calls it."
    case "42702": "Name the new column so that no query that joins this table finds two of that name."
    case "42601": "Add the column to each table that the old query combines, or under a name that it does not select."
    case "42P10": "Keep the unique index until no live version says ON CONFLICT on its columns."
    case "42501": "Grant the application's role what it had, in the same migration."
    case "23502":
      "Give the column a default, or leave it nullable, until every live version writes it; require it in a later step."
    case "23514", "23503", "P0001":
      "Deploy a version that keeps to the new rule first; add the rule when no live version can break it."
    case "23505", "23P01": "Deploy a version that cannot write duplicates first; make the index unique after that."
    case "22001", "22003": "Keep the wider type until no live version writes what does not fit."
    case "42804", "42P08", "22P02":
      "Add a column of the new type beside the old one, write both, move readers, then drop the old one."
    case "428C9": "Add the generated column under a new name; old versions still write the old one."
    default: "Split the step: expand, deploy, and contract when no live version needs the old form."
    }
  }

  private static func byStatement(_ tree: SQLNode) -> String? {
    guard let node = tree.node else { return nil }
    let table = node.fields["relation"]?.string("relname") ?? "the table"
    switch node.kind {
    case "RenameStmt":
      let old = node.fields.string("subname") ?? table
      let new = node.fields.string("newname") ?? "the new name"
      switch node.fields.string("renameType") {
      case "OBJECT_COLUMN":
        return "Add \(new) beside \(old), write both (a trigger can), move readers to \(new), and drop \(old) when no"
          + " live version uses it."
      case "OBJECT_TABLE":
        return
          "Rename \(table) to \(new) and create a view \(table) over it in the same migration, with the grants that"
          + " the table had; drop the view when no live version uses it."
      default: return "Create it under the new name as well, and drop the old one when no live version uses it."
      }
    case "AlterEnumStmt" where node.fields["oldVal"] != nil:
      return "Add the new label, let every live version learn it, move the rows, and stop using the old label."
    case "DropStmt":
      let names = node.fields.items("objects").compactMap {
        $0.names.last ?? $0.fields(of: "List")?["items"]?.names.last
      }
      return
        "Drop \(names.isEmpty ? "it" : names.joined(separator: ", ")) in a later migration, when no live version and no"
        + " rollback target uses it."
    case "AlterTableStmt":
      return node.fields.items("cmds").lazy.compactMap { $0.fields(of: "AlterTableCmd") }
        .compactMap { command($0, table) }.first
    default: return nil
    }
  }

  private static func command(_ command: SQLNode, _ table: String) -> String? {
    let column = command.string("name") ?? command["def"]?.fields(of: "ColumnDef")?.string("colname") ?? "the column"
    switch command.string("subtype") {
    case "AT_DropColumn":
      return
        "Stop using \(table).\(column) in the code first; drop it when no live version and no rollback target uses it."
    case "AT_AddColumn":
      let required = command["def"]?.fields(of: "ColumnDef")?.items("constraints").contains {
        $0.fields(of: "Constraint")?.string("contype") == "CONSTR_NOTNULL"
      }
      guard required == true else { return nil }
      return "Add \(table).\(column) nullable or with a default; require it when every live version writes it."
    case "AT_SetNotNull":
      return "Let every live version write \(table).\(column) first; then ADD CHECK (\(column) IS NOT NULL) NOT VALID,"
        + " VALIDATE, and SET NOT NULL."
    case "AT_AlterColumnType":
      return "Add a column of the new type beside \(table).\(column), write both, move readers, then drop the old one."
    case "AT_ColumnDefault": return "Keep the default of \(table).\(column) until every live version writes the column."
    case "AT_AddConstraint", "AT_DropConstraint": return nil
    case "AT_EnableRowSecurity":
      return "Create the policies that let the application's role work in the same migration, before row security."
    default: return nil
    }
  }

  static func shorterLock(_ tree: SQLNode?) -> String {
    switch tree?.kind {
    case "IndexStmt": "CREATE INDEX CONCURRENTLY, outside of a transaction."
    case "UpdateStmt", "DeleteStmt", "InsertStmt":
      "Move rows in batches of a few thousand, each in its own transaction, apart from the change of the schema."
    default:
      "Add constraints NOT VALID and VALIDATE them in a later transaction; add a column of the new type and move rows in"
        + " batches instead of changing a type in place; set lock_timeout and try again."
    }
  }
}
