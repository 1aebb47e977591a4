import Migrations

/// Columns: added, dropped, of another type, with or without NULL and default.
extension Examination {
  mutating func examineAddColumn(_ command: SQLNode, to table: QualifiedName) -> TableLock.Work {
    guard let column = command["def"]?.fields(of: "ColumnDef"), let name = column.string("colname") else {
      return .instant
    }
    if command.isTrue("missing_ok"), known(name, of: table) != nil { return .instant }
    let facts = ColumnFacts(column)
    let part = MigrationIntent.Part(table: table.name, name: name)
    fresh.columns[part] = FreshObjects.Column(
      hasDefault: facts.hasDefault, hasConstantDefault: facts.hasConstantDefault, notNull: facts.notNull)
    examineTaste(of: column, in: table)
    if facts.notNull, !facts.hasDefault {
      reportRequired(name, of: table, type: facts.type, at: column.integer("location"))
    }
    let work: TableLock.Work = facts.rewrite == nil ? .instant : .rewrite
    take(TableLock(.accessExclusive, on: table, while: work), near: name)
    if let reason = facts.rewrite, weight(of: table) != .none {
      report(
        .columnRewrite,
        "Adding \(said(name, of: table)) writes all of \(table.said)\(weight(of: table).said) anew under "
          + "ACCESS EXCLUSIVE, "
          + "because it \(reason).",
        at: column.integer("location"),
        instead: """
          ALTER TABLE \(table.sql) ADD COLUMN \(quoted(name)) \(facts.plainType);
          -- fill it in batches, then give it its default and constraints
          """)
    }
    var whole = work
    for constraint in facts.constraints {
      let done = examineNewConstraint(constraint, on: table, column: name)
      if whole == .instant { whole = done }
    }
    return whole
  }

  private mutating func reportRequired(_ name: String, of table: QualifiedName, type: String, at location: Int?) {
    report(
      .requiredColumn,
      "\(said(name, of: table)) is NOT NULL without a default: an INSERT of a version that does not know it fails with "
        + "23502.",
      near: name, at: location,
      instead: """
        ALTER TABLE \(table.sql) ADD COLUMN \(quoted(name)) \(type);
        -- release a version that always writes it, fill old rows in batches, and when no older version is left:
        \(Self.notNullByCheck(name, of: table))
        """)
  }

  /// The way to NOT NULL that never reads the table under ACCESS EXCLUSIVE.
  private static func notNullByCheck(_ name: String, of table: QualifiedName) -> String {
    let check = QualifiedName.quoted("\(table.name)_\(name)_not_null")
    let column = QualifiedName.quoted(name)
    return """
      ALTER TABLE \(table.sql) ADD CONSTRAINT \(check) CHECK (\(column) IS NOT NULL) NOT VALID;
      ALTER TABLE \(table.sql) VALIDATE CONSTRAINT \(check);
      ALTER TABLE \(table.sql) ALTER COLUMN \(column) SET NOT NULL;
      ALTER TABLE \(table.sql) DROP CONSTRAINT \(check);
      """
  }

  mutating func examineDropColumn(_ name: String, of table: QualifiedName, _ command: SQLNode) {
    guard freshColumn(name, of: table) == nil else { return }
    let column = known(name, of: table)
    if command.isTrue("missing_ok"), known(table) != nil, column == nil { return }
    let cascade = command.string("behavior") == "DROP_CASCADE"
    let required = column.map { $0.notNull && !$0.hasDefault } ?? false
    report(
      .dropColumn,
      "\(said(name, of: table)) is dropped: statements that name it fail with 42703, and its data is gone"
        + (cascade ? "; CASCADE takes the views, constraints and generated columns that use it along." : "."),
      near: name,
      instead: (required
        ? "ALTER TABLE \(table.sql) ALTER COLUMN \(quoted(name)) DROP NOT NULL;  -- so that it may be left out\n" : "")
          + """
          -- release a version without \(said(name, of: table)); when no older version is live or kept for rollback:
          ALTER TABLE \(table.sql) DROP COLUMN \(quoted(name));
          """)
  }

  mutating func examineDefault(of name: String, in table: QualifiedName, _ value: SQLNode?) {
    let part = MigrationIntent.Part(table: table.name, name: name)
    if value != nil {
      if fresh.columns[part] != nil {
        fresh.columns[part]?.hasDefault = true
      } else {
        report(
          .setDefault,
          "Rows that old versions insert without \(said(name, of: table)) get another value from now on.", near: name)
      }
      return
    }
    guard !intent.defaults.contains(part) else { return }
    if let column = fresh.columns[part] {
      fresh.columns[part]?.hasDefault = false
      // Some frameworks add a column with a default for the rows that exist and drop the default at once.
      if column.notNull, column.hasDefault { reportRequired(name, of: table, type: "…", at: nil) }
      return
    }
    let column = known(name, of: table)
    if let column, !column.hasDefault { return }
    let nullable = column.map { !$0.notNull } ?? false
    report(
      .dropDefault,
      "\(said(name, of: table)) loses its default: an INSERT that leaves it out "
        + (nullable ? "writes NULL from now on." : "fails with 23502 if the column is NOT NULL."),
      near: name,
      instead: """
        -- release a version that always writes \(said(name, of: table)); when no older version is left:
        ALTER TABLE \(table.sql) ALTER COLUMN \(quoted(name)) DROP DEFAULT;
        """)
  }

  mutating func examineDropNotNull(_ name: String, of table: QualifiedName) {
    fresh.columns[MigrationIntent.Part(table: table.name, name: name)]?.notNull = false
    guard freshColumn(name, of: table) == nil else { return }
    if let column = known(name, of: table), !column.notNull { return }
    report(
      .dropNotNull,
      "\(said(name, of: table)) may be NULL from now on: once a new version writes a NULL, an older one that reads the "
        + "row may fail, also after a rollback.",
      near: name,
      instead:
        "Release a version that can read NULL in \(said(name, of: table)) first; write NULL only when no "
        + "older one is left."
    )
  }

  mutating func examineSetNotNull(_ name: String, of table: QualifiedName) -> TableLock.Work {
    let part = MigrationIntent.Part(table: table.name, name: name)
    if known(name, of: table)?.notNull == true { return .instant }
    let (checked, validated) = notNullCheck(on: name, of: table)
    fresh.columns[part]?.notNull = true
    fresh.setNotNull.insert(part)
    if let column = fresh.columns[part] {
      if !column.hasDefault { reportRequired(name, of: table, type: "…", at: nil) }
    } else if !checked {
      let column = known(name, of: table)
      report(
        .setNotNull,
        "\(said(name, of: table)) may no longer be NULL: a version that writes NULL, or "
          + (column?.hasDefault == true ? "sets it to NULL" : "leaves it out") + ", fails with 23502.",
        near: name,
        instead: """
          -- release a version that always writes it, fill old rows in batches, and when no older version is left:
          \(Self.notNullByCheck(name, of: table))
          """)
    }
    take(TableLock(.accessExclusive, on: table, while: validated ? .instant : .scan), near: name)
    guard !validated, weight(of: table) != .none else { return .instant }
    report(
      .setNotNullScan,
      "SET NOT NULL reads all of \(table.said)\(weight(of: table).said) under ACCESS EXCLUSIVE.", near: name,
      instead: Self.notNullByCheck(name, of: table))
    return .scan
  }

  /// Whether a CHECK already says so, and whether it is validated, so that PostgreSQL 12 and newer skip the scan.
  private func notNullCheck(on name: String, of table: QualifiedName) -> (exists: Bool, validated: Bool) {
    if fresh.notNullChecks.contains(MigrationIntent.Part(table: table.name, name: name)) { return (true, true) }
    let checks = known(table)?.constraints.filter {
      $0.kind == .check && $0.columns == [name] && $0.definition.uppercased().contains("IS NOT NULL")
    }
    guard let checks, !checks.isEmpty else { return (false, false) }
    return (true, checks.contains(where: \.validated) || checks.contains { fresh.validated.contains($0.name) })
  }

  mutating func examineDropExpression(_ name: String, of table: QualifiedName) {
    guard freshColumn(name, of: table) == nil else { return }
    report(
      .dropGeneratedExpression,
      "\(said(name, of: table)) is no longer computed: a version that does not write it leaves it NULL in new rows.",
      near: name, instead: "Keep it computed until every live version writes \(said(name, of: table)).")
  }

  mutating func examineIdentity(_ subtype: String, _ name: String, of table: QualifiedName, _ command: SQLNode) {
    guard freshColumn(name, of: table) == nil else { return }
    let always: Bool
    switch subtype {
    case "AT_AddIdentity": always = command["def"]?.fields(of: "Constraint")?.string("generated_when") == "a"
    case "AT_SetIdentity":
      always = (command["def"]?.fields(of: "List")?.items("items") ?? command.items("def")).contains {
        let option = $0.fields(of: "DefElem")
        return option?.string("defname") == "generated"
          && option?["arg"]?.fields(of: "Integer")?.integer("ival") == Int(UInt8(ascii: "a"))
      }
    default:
      if command.isTrue("missing_ok"), known(name, of: table)?.hasDefault == false { return }
      report(
        .alterIdentity,
        "\(said(name, of: table)) is no longer an identity: an INSERT that leaves it out fails with 23502.", near: name,
        instead: "Release a version that writes \(said(name, of: table)) itself first.")
      return
    }
    guard always else { return }
    report(
      .alterIdentity,
      "\(said(name, of: table)) becomes GENERATED ALWAYS: an INSERT or UPDATE that writes it fails with 428C9.",
      near: name,
      instead: "ALTER TABLE \(table.sql) ALTER COLUMN \(quoted(name)) \(subtype == "AT_AddIdentity" ? "ADD" : "SET") "
        + "GENERATED BY DEFAULT\(subtype == "AT_AddIdentity" ? " AS IDENTITY" : "");")
  }
}
