/// Names that change, and schemas.
extension Examination {
  mutating func examineRename(_ fields: SQLNode) {
    guard let new = fields.string("newname") else { return }
    let relation = QualifiedName(fields["relation"])
    switch fields.string("renameType") {
    case "OBJECT_TABLE", "OBJECT_FOREIGN_TABLE":
      if let relation { renameTable(relation, to: new) }
    case "OBJECT_COLUMN":
      if let relation, let old = fields.string("subname") {
        renameColumn(old, of: relation, to: new, view: fields.string("relationType") != "OBJECT_TABLE")
      }
    case "OBJECT_VIEW", "OBJECT_MATVIEW":
      guard let relation, !fresh.others.contains(relation.name) else { return }
      fresh.others.insert(new)
      if intent.makesView(relation) { return }
      reportRename("View \(relation.said)", relation.name, to: new, code: "42P01")
    case "OBJECT_INDEX", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE", "OBJECT_DATABASE", "OBJECT_ROLE",
      "OBJECT_TABLESPACE":
      break  // No statement of an application names these.
    case "OBJECT_TABCONSTRAINT":
      guard let relation, !isFresh(relation), let old = fields.string("subname") else { return }
      let kind = known(relation)?.constraints.first { $0.name == old }?.kind
      if let kind, kind != .unique, kind != .primaryKey, kind != .exclusion { return }
      reportRename(
        "Constraint \(old) of \(relation.said)", old, to: new,
        code: "42704 in ON CONFLICT ON CONSTRAINT")
    case "OBJECT_SCHEMA":
      let old = fields.string("subname") ?? ""
      reportRename("Schema \(old)", old, to: new, code: "3F000 or 42P01")
    case "OBJECT_TYPE", "OBJECT_DOMAIN", "OBJECT_ATTRIBUTE":
      guard let name = QualifiedName(parts: fields["object"]) ?? relation, !fresh.types.contains(name.name) else {
        return
      }
      fresh.formerNames[new] = name.name
      if intent.makesType(name) { return }
      reportRename("Type \(name.said)", name.name, to: new, code: "42704")
    case "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE":
      guard let name = QualifiedName(parts: fields["object"]), !fresh.functions.contains(name.name) else { return }
      if intent.makesFunction(name) { return }
      reportRename("Function \(name.said)", name.name, to: new, code: "42883")
    case "OBJECT_SEQUENCE":
      guard let relation, !fresh.others.contains(relation.name) else { return }
      reportRename("Sequence \(relation.said)", relation.name, to: new, code: "42P01")
    default:
      reportRename("An object", "", to: new, code: "42704")
    }
  }

  private mutating func reportRename(_ what: String, _ old: String, to new: String, code: String) {
    report(
      .renameObject, "\(what) is renamed to \(new): statements that use the old name fail with \(code).", near: old,
      instead:
        "Make \(quoted(new)) beside \(old.isEmpty ? "the old one" : quoted(old)); drop the old one when no "
        + "live version names it."
    )
  }

  private mutating func renameTable(_ table: QualifiedName, to new: String) {
    if isFresh(table) {
      fresh.tables.insert(new)
      return
    }
    if isAbsent(table) { return }
    take(TableLock(.accessExclusive, on: table), near: table.name)
    fresh.formerNames[new] = fresh.formerNames[table.name] ?? table.name
    let renamed = table.renamed(new)
    let rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON \(table.sql) TO …;  -- to the role of the application"
    if intent.makesView(table) {
      if !intent.grants(table) {
        report(
          .compatibilityViewRights,
          "\(table.said) becomes a view, and the migration grants nothing on it: a role that does not own it loses its "
            + "rights (42501).",
          near: table.name, instead: rights)
      }
      return
    }
    if intent.tables.contains(table.name) {
      report(
        .renameTable,
        "\(table.said) is renamed to \(new) and another table takes its name: statements meet other columns and rows.",
        near: table.name)
      return
    }
    report(
      .renameTable,
      "\(table.said) is renamed to \(new): statements that name \(table.said) fail with 42P01.", near: table.name,
      instead: """
        ALTER TABLE \(table.sql) RENAME TO \(quoted(new));
        CREATE VIEW \(table.sql) AS SELECT * FROM \(renamed.sql);  -- a plain view takes writes as well
        \(rights)
        -- when no live version names \(table.said):
        DROP VIEW \(table.sql);
        """)
  }

  private mutating func renameColumn(_ old: String, of table: QualifiedName, to new: String, view: Bool) {
    if isFresh(table) || fresh.others.contains(table.name) { return }
    let part = MigrationIntent.Part(table: table.name, name: old)
    if let column = fresh.columns.removeValue(forKey: part) {
      fresh.columns[MigrationIntent.Part(table: table.name, name: new)] = column
      return
    }
    if !view { take(TableLock(.accessExclusive, on: table), near: old) }
    let type = known(old, of: table)?.type ?? "…"
    report(
      .renameColumn,
      "\(said(old, of: table)) is renamed to \(new): statements that name \(old) fail with 42703.", near: old,
      instead: view
        ? "CREATE OR REPLACE VIEW \(table.sql) AS …;  -- with \(quoted(new)) added at the end, \(quoted(old)) kept"
        : """
        ALTER TABLE \(table.sql) ADD COLUMN \(quoted(new)) \(type);
        -- release a version that writes both; fill old rows in batches:
        UPDATE \(table.sql) SET \(quoted(new)) = \(quoted(old)) WHERE \(quoted(new)) IS NULL AND …;
        -- release a version that reads \(quoted(new)); when no older version is live or kept for rollback:
        ALTER TABLE \(table.sql) DROP COLUMN \(quoted(old));
        """)
  }

  mutating func examineSetSchema(_ fields: SQLNode) {
    guard let schema = fields.string("newschema"),
      let name = QualifiedName(fields["relation"]) ?? QualifiedName(parts: fields["object"])
    else { return }
    guard !isFresh(name), !fresh.types.contains(name.name), !fresh.functions.contains(name.name),
      !fresh.others.contains(name.name)
    else { return }
    if ["OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"].contains(fields.string("objectType")) {
      take(TableLock(.accessExclusive, on: name), near: name.name)
    }
    if intent.makesView(name) { return }
    report(
      .setSchema,
      "\(name.said) moves to schema \(schema): statements that do not find it there by their search_path fail with "
        + "42P01, 42883 or 42704.",
      near: name.name,
      instead:
        "CREATE VIEW \(name.sql) AS SELECT * FROM \(QualifiedName(name.name, schema: schema).sql);  -- for a "
        + "table, after the move"
    )
  }
}
