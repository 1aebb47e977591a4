/// ALTER TABLE, one sub-command at a time.
extension Examination {
  mutating func examineAlterTable(_ fields: SQLNode) {
    guard let table = QualifiedName(fields["relation"]) else { return }
    let commands = fields.items("cmds").compactMap { $0.fields(of: "AlterTableCmd") }
    switch fields.string("objtype") {
    case "OBJECT_TYPE": return examineCompositeType(table, commands)
    case "OBJECT_VIEW", "OBJECT_MATVIEW": return examineView(table, commands)
    case "OBJECT_TABLE", "OBJECT_FOREIGN_TABLE": break
    default: return
    }
    if isFresh(table) {
      for column in commands.compactMap({ $0["def"]?.fields(of: "ColumnDef") }) { examineTaste(of: column, in: table) }
      return
    }
    if fields.isTrue("missing_ok"), isAbsent(table) { return }
    var working = false
    for command in commands {
      let work = examine(command, of: table)
      working = working || work != .instant
    }
    noteAlter(of: table, working: working)
  }

  /// What the sub-command does to the rows.
  private mutating func examine(_ command: SQLNode, of table: QualifiedName) -> TableLock.Work {
    let subtype = command.string("subtype") ?? ""
    let name = command.string("name") ?? ""
    if let mode = TableLock.instantCommands[subtype] { take(TableLock(mode, on: table), near: name) }
    switch subtype {
    case "AT_AddColumn": return examineAddColumn(command, to: table)
    case "AT_DropColumn": examineDropColumn(name, of: table, command)
    case "AT_ColumnDefault": examineDefault(of: name, in: table, command["def"])
    case "AT_DropNotNull": examineDropNotNull(name, of: table)
    case "AT_SetNotNull": return examineSetNotNull(name, of: table)
    case "AT_DropExpression": examineDropExpression(name, of: table)
    case "AT_AddIdentity", "AT_SetIdentity", "AT_DropIdentity": examineIdentity(subtype, name, of: table, command)
    case "AT_AlterColumnType": return examineColumnType(name, of: table, command)
    case "AT_AddConstraint":
      guard let constraint = command["def"]?.fields(of: "Constraint") else { return .instant }
      return examineNewConstraint(constraint, on: table)
    case "AT_ValidateConstraint":
      fresh.validated.insert(name)
      if let part = fresh.pendingNotNullChecks[name] { fresh.notNullChecks.insert(part) }
      take(TableLock(.shareUpdateExclusive, on: table, while: .scan), near: name)
    case "AT_DropConstraint": examineDropConstraint(name, of: table, command)
    case "AT_SetLogged", "AT_SetUnLogged", "AT_SetTableSpace", "AT_SetAccessMethod":
      reportRewrite(of: table, by: "ALTER TABLE")
      return .rewrite
    case "AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser", "AT_DisableRule":
      report(
        .disableTrigger,
        "\(name.isEmpty ? "The triggers" : "Trigger \(name)") of \(table.said) "
          + "\(name.isEmpty ? "are" : "is") disabled: what it filled in or refused when rows are written is "
          + "now left out.",
        near: name)
    case "AT_EnableRowSecurity", "AT_ForceRowSecurity", "AT_DisableRowSecurity", "AT_NoForceRowSecurity":
      examineRowSecurity(subtype, of: table)
    case "AT_ChangeOwner": examineOwner(of: table, to: command["newowner"]?.string("rolename"))
    case "AT_ReplicaIdentity":
      report(
        .replicaIdentity,
        "The replica identity of \(table.said) changes: subscribers of logical replication get other keys with updates "
          + "and deletes.")
    case "AT_DropInherit", "AT_DetachPartition", "AT_DetachPartitionFinalize":
      examineDetach(subtype, of: table, command)
    case "AT_AttachPartition":
      if let part = QualifiedName(command["def"]?.fields(of: "PartitionCmd")?["name"]) {
        take(TableLock(.accessExclusive, on: part, while: .scan), near: part.name)
      }
    default: break
    }
    return .instant
  }

  mutating func reportRewrite(of table: QualifiedName, by command: String, near name: String? = nil) {
    take(TableLock(.accessExclusive, on: table, while: .rewrite), near: name)
    let weight = weight(of: table)
    guard weight != .none else { return }
    report(
      .tableRewrite,
      "\(command) writes all of \(table.said)\(weight.said) anew under ACCESS EXCLUSIVE: it cannot be read meanwhile.",
      near: name ?? table.name, instead: "Rewrite it online, such as by pg_repack, or fill a new table and swap.")
  }

  // MARK: Parts of other kinds

  private mutating func examineCompositeType(_ type: QualifiedName, _ commands: [SQLNode]) {
    guard !fresh.types.contains(type.name) else { return }
    for command in commands {
      let attribute = command.string("name") ?? command["def"]?.fields(of: "ColumnDef")?.string("colname") ?? ""
      report(
        .alterCompositeType,
        "Attribute \(attribute) of type \(type.said) changes: rows of that type have another shape for code "
          + "that builds "
          + "or reads them.",
        near: attribute, instead: "Make a new type, and a column of it beside the old one.")
    }
  }

  private mutating func examineView(_ view: QualifiedName, _ commands: [SQLNode]) {
    guard !fresh.others.contains(view.name) else { return }
    for command in commands {
      switch command.string("subtype") {
      case "AT_SetRelOptions", "AT_ResetRelOptions":
        report(
          .alterViewOptions,
          "Options of view \(view.said) change: with security_invoker or check_option the same statement may "
            + "be refused."
        )
      case "AT_ChangeOwner": examineOwner(of: view, to: command["newowner"]?.string("rolename"))
      default: break
      }
    }
  }

  private mutating func examineDetach(_ subtype: String, of table: QualifiedName, _ command: SQLNode) {
    let definition = command["def"]
    let partition = definition?.fields(of: "PartitionCmd")
    guard let part = QualifiedName(partition?["name"]) ?? QualifiedName(definition) else { return }
    let (parent, child) = subtype == "AT_DropInherit" ? (part, table) : (table, part)
    guard !isFresh(child) else { return }
    report(
      .detachPartition,
      "\(child.said) no longer belongs to \(parent.said): its rows are gone for statements on \(parent.said), and rows "
        + "that belong there may find no partition (23514).",
      near: child.name)
    guard subtype == "AT_DetachPartition" else { return }
    let concurrent = partition?.isTrue("concurrent") == true
    take(TableLock(concurrent ? .shareUpdateExclusive : .accessExclusive, on: parent), near: child.name)
    if !concurrent {
      report(
        .detachNotConcurrent, "DETACH PARTITION \(child.said) takes ACCESS EXCLUSIVE on \(parent.said).",
        near: child.name, instead: "ALTER TABLE \(parent.sql) DETACH PARTITION \(child.sql) CONCURRENTLY;")
    }
  }
}
