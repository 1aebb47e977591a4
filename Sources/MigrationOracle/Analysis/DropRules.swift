import Migrations

/// DROP of whole objects, and other ways to lose data.
extension Examination {
  mutating func examineDrop(_ fields: SQLNode) {
    let type = fields.string("removeType") ?? ""
    let cascade = fields.string("behavior") == "DROP_CASCADE"
    let optional = fields.isTrue("missing_ok")
    for object in fields.items("objects") {
      switch type {
      case "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE": dropPart(type, object)
      case "OBJECT_INDEX":
        QualifiedName(parts: object).map { dropIndex($0, concurrently: fields.isTrue("concurrent"), optional) }
      default: QualifiedName(parts: object).map { drop(type, $0, cascade: cascade, optional: optional) }
      }
    }
  }

  private mutating func drop(_ type: String, _ name: QualifiedName, cascade: Bool, optional: Bool) {
    let more = cascade ? " CASCADE takes along what depends on it." : ""
    switch type {
    case "OBJECT_TABLE", "OBJECT_FOREIGN_TABLE":
      // One that was renamed here: the rename has been reported, its old name has no user left to lose.
      if isFresh(name) || (optional && isAbsent(name)) || fresh.formerNames[name.name] != nil { return }
      take(TableLock(.accessExclusive, on: name), near: name.name)
      report(
        .dropTable,
        "Table \(name.said) is dropped: statements that name it fail with 42P01, and its data is gone.\(more)",
        near: name.name, instead: lastUse("names \(name.said)", "DROP TABLE \(name.sql);"))
    case "OBJECT_VIEW", "OBJECT_MATVIEW":
      if fresh.others.contains(name.name) || (optional && isAbsent(name)) { return }
      if intent.makesView(name) {
        report(
          .replaceView,
          "View \(name.said) is dropped and made anew: its columns and the rights on it may differ.\(more)",
          near: name.name,
          instead: "CREATE OR REPLACE VIEW \(name.sql) AS …;  -- keeps the rights, and refuses to lose a column")
      } else {
        report(
          .dropView, "View \(name.said) is dropped: statements that name it fail with 42P01.\(more)", near: name.name,
          instead: lastUse("names \(name.said)", "DROP VIEW \(name.sql);"))
      }
    case "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE":
      dropFunction(name, optional: optional, more)
    case "OBJECT_TYPE", "OBJECT_DOMAIN": dropType(name, cascade: cascade, optional: optional)
    case "OBJECT_SCHEMA":
      report(
        .dropSchema,
        "Schema \(name.name) is dropped: statements that name what was in it fail with 3F000 or 42P01.\(more)",
        near: name.name, instead: lastUse("names anything in \(name.name)", "DROP SCHEMA \(quoted(name.name));"))
    case "OBJECT_SEQUENCE":
      if fresh.others.contains(name.name) { return }
      report(
        .dropSequence,
        "Sequence \(name.said) is dropped: nextval of it fails with 42P01.\(more)", near: name.name,
        instead: lastUse("draws from \(name.said)", "DROP SEQUENCE \(name.sql);"))
    case "OBJECT_EXTENSION":
      report(
        .dropExtension,
        "Extension \(name.name) is dropped with its functions, types and operators: statements that use them fail with "
          + "42883 or 42704.\(more)",
        near: name.name, instead: lastUse("uses it", "DROP EXTENSION \(quoted(name.name));"))
    default:
      let what = type.split(separator: "_").dropFirst().joined(separator: " ").lowercased()
      report(
        .dropObject, "The \(what) \(name.said) is dropped: statements that use it fail, or find another one.\(more)",
        near: name.name)
    }
  }

  private func lastUse(_ use: String, _ statement: String) -> String {
    "-- release a version that no longer \(use); when no older version is live or kept for rollback:\n\(statement)"
  }

  private mutating func dropFunction(_ name: QualifiedName, optional: Bool, _ more: String) {
    if fresh.functions.contains(name.name) || (optional && isAbsentFunction(name)) { return }
    let again = intent.makesFunction(name)
    report(
      .dropFunction,
      "Function \(name.said) is dropped\(again ? " and made anew" : ""): calls of its old form fail with 42883"
        + "\(again ? " if its arguments or result differ" : "").\(more)",
      near: name.name,
      instead: again
        ? "CREATE OR REPLACE FUNCTION \(name.sql)(…) …;  -- with new arguments: make it beside the old one"
        : lastUse("calls \(name.said)", "DROP FUNCTION \(name.sql);"))
  }

  private func isAbsentFunction(_ name: QualifiedName) -> Bool {
    guard let catalog else { return false }
    return !catalog.functions.contains { $0.signature.hasPrefix("\(name.name)(") }
  }

  private mutating func dropType(_ name: QualifiedName, cascade: Bool, optional: Bool) {
    if fresh.types.contains(name.name) || fresh.formerNames[name.name] != nil { return }
    let users = (catalog?.tables ?? []).flatMap { table in
      table.columns.filter { ColumnType(printed: $0.type).base == name.name }.map { "\(table.name).\($0.name)" }
    }
    // A type that no column has, in a catalog that would know, may still be cast to or be a function's argument.
    let lost =
      cascade && !users.isEmpty
      ? " CASCADE also drops \(users.joined(separator: ", ")), with the data."
      : cascade ? " CASCADE also drops the columns and functions of that type." : ""
    report(
      .dropType, "Type \(name.said) is dropped: statements that cast to it fail with 42704.\(lost)", near: name.name,
      instead: lastUse("names \(name.said)", "DROP TYPE \(name.sql);  -- without CASCADE: it then refuses while used"))
  }

  /// Triggers, policies and rules: named by the table's name, then their own.
  private mutating func dropPart(_ type: String, _ object: SQLNode) {
    let names = object.fields(of: "List")?["items"]?.names ?? []
    guard let name = names.last, let table = QualifiedName(Array(names.dropLast())) else { return }
    let part = MigrationIntent.Part(table: table.name, name: name)
    guard !isFresh(table), !fresh.others.contains(name) else { return }
    switch type {
    case "OBJECT_TRIGGER":
      if intent.triggers.contains(part) || (known(table).map { !$0.triggers.contains(name) } ?? false) { return }
      report(
        .dropTrigger,
        "Trigger \(name) of \(table.said) is dropped: what it filled in or refused when an older version "
          + "writes is left "
          + "out from now on.",
        near: name, instead: lastUse("relies on \(name)", "DROP TRIGGER \(quoted(name)) ON \(table.sql);"))
    case "OBJECT_POLICY":
      if intent.policies.contains(part) { return }
      report(
        .policy,
        "Policy \(name) of \(table.said) is dropped: rows it showed or let be written are refused (42501).", near: name)
    default:
      report(
        .dropObject, "Rule \(name) of \(table.said) is dropped: statements it rewrote mean something else.", near: name)
    }
  }

  private mutating func dropIndex(_ name: QualifiedName, concurrently: Bool, _ optional: Bool) {
    if fresh.others.contains(name.name) { return }
    let owner = catalog?.tables.first { table in
      table.indexes.contains { $0.name == name.name } && (name.schema == nil || table.schema == name.schema)
    }
    if catalog != nil, owner == nil, optional { return }
    let index = owner?.indexes.first { $0.name == name.name }
    if index?.valid == false { return }
    let table = owner.map { QualifiedName($0.name, schema: name.schema) }
    if let index, index.unique, !coveredElsewhere(index, in: owner) {
      report(
        .dropUnique,
        "Unique index \(name.said) on \(table?.said ?? "") goes: INSERT … ON CONFLICT on "
          + "(\(index.columns.joined(separator: ", "))) fails with 42P10, and doubled rows may come.",
        near: name.name, instead: lastUse("needs \(name.said)", "DROP INDEX CONCURRENTLY \(name.sql);"))
    } else {
      report(
        .dropIndex,
        "Index \(name.said) goes: statements that it served read the whole table"
          + (index == nil ? ", and if it is unique, ON CONFLICT on its columns fails with 42P10." : "."),
        near: name.name)
    }
    if let table {
      take(TableLock(concurrently ? .shareUpdateExclusive : .accessExclusive, on: table), near: name.name)
    }
    if !concurrently, table.map({ weight(of: $0) != .none }) ?? true {
      report(
        .dropIndexNotConcurrent,
        "DROP INDEX \(name.said) takes ACCESS EXCLUSIVE on its table and waits for all readers.",
        near: name.name, instead: "DROP INDEX CONCURRENTLY \(name.sql);")
    }
  }

  /// Whether another unique index over the same columns stays, so that ON CONFLICT still finds one.
  private func coveredElsewhere(_ index: Catalog.Index, in table: Catalog.Table?) -> Bool {
    table?.indexes.contains {
      $0.name != index.name && $0.unique && $0.valid && Set($0.columns) == Set(index.columns)
        && !$0.definition.uppercased().contains(" WHERE ")
    } ?? false
  }

  // MARK: Data

  mutating func examineLoss(_ kind: String, _ fields: SQLNode) {
    switch kind {
    case "DropdbStmt":
      report(.dropDatabase, "Database \(fields.string("dbname") ?? "") is dropped with all that is in it.")
    case "DropOwnedStmt":
      report(.dropObject, "DROP OWNED drops every object of a role and revokes its rights; it does not say which.")
    default:
      let tables = fields.items("relations").compactMap { QualifiedName($0) }.filter { !isFresh($0) }
      for table in tables {
        take(TableLock(.accessExclusive, on: table), near: table.name)
        if weight(of: table) == .none, known(table)?.rows == 0 { continue }
        report(
          .truncate,
          "All rows of \(table.said) are removed"
            + (fields.string("behavior") == "DROP_CASCADE" ? ", and of every table that refers to it." : "."),
          near: table.name)
      }
    }
  }
}
