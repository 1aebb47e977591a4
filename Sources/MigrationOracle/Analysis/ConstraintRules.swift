import Migrations

/// Constraints that come and go.
///
/// A constraint over nothing but columns that the migration itself adds refuses no old writer: they leave these columns
/// out, and NULL passes every CHECK, UNIQUE and FOREIGN KEY.
extension Examination {
  /// A constraint added to a table that was there before; `column` where it stands in a new column's definition.
  mutating func examineNewConstraint(
    _ constraint: SQLNode, on table: QualifiedName, column: String? = nil
  ) -> TableLock.Work {
    let name = constraint.string("conname") ?? ""
    let place = constraint.integer("location")
    switch constraint.string("contype") {
    case "CONSTR_CHECK": return examineCheck(constraint, name, on: table, column, place)
    case "CONSTR_FOREIGN": return examineForeignKey(constraint, name, on: table, column, place)
    case "CONSTR_UNIQUE", "CONSTR_PRIMARY": return examineUnique(constraint, name, on: table, column, place)
    case "CONSTR_EXCLUSION":
      report(
        .newExclusion,
        "An exclusion constraint on \(table.said) refuses rows (23P01) that versions could write before.", at: place,
        instead: "Release a version that never writes such rows first.")
      take(TableLock(.accessExclusive, on: table, while: .scan), near: name)
      guard weight(of: table) != .none else { return .instant }
      report(
        .exclusionConstraintIndex,
        "An exclusion constraint reads \(table.said)\(weight(of: table).said) and builds an index under "
          + "ACCESS EXCLUSIVE; "
          + "there is no way to add one concurrently.",
        at: place)
      return .scan
    default: return .instant
    }
  }

  private mutating func examineCheck(
    _ constraint: SQLNode, _ name: String, on table: QualifiedName, _ column: String?, _ place: Int?
  ) -> TableLock.Work {
    let columns = column.map { [$0] } ?? Self.columns(in: constraint["raw_expr"])
    let validates = !constraint.isTrue("skip_validation")
    noteNotNull(constraint, name, of: table, validates: validates)
    if !allFresh(columns, of: table) {
      report(
        .newCheck,
        "A check on \(table.said) (\(columns.joined(separator: ", "))) refuses rows (23514) that versions could write "
          + "before\(validates ? "" : "; NOT VALID spares only the rows that exist").",
        at: place,
        instead: """
          -- release a version that obeys the rule; when no older version is left:
          ALTER TABLE \(table.sql) ADD \(constraintClause(name))CHECK (…) NOT VALID;
          ALTER TABLE \(table.sql) VALIDATE CONSTRAINT \(name.isEmpty ? "…" : quoted(name));
          """)
    }
    take(TableLock(.accessExclusive, on: table, while: validates ? .scan : .instant), near: name)
    return noteValidation(validates, "A check", name, "CHECK (…)", on: table, .accessExclusive, place)
  }

  private mutating func examineForeignKey(
    _ constraint: SQLNode, _ name: String, on table: QualifiedName, _ column: String?, _ place: Int?
  ) -> TableLock.Work {
    let columns = column.map { [$0] } ?? constraint["fk_attrs"]?.names ?? []
    guard let other = QualifiedName(constraint["pktable"]) else { return .instant }
    let validates = !constraint.isTrue("skip_validation")
    let clause = "FOREIGN KEY (\(columns.map(quoted).joined(separator: ", "))) REFERENCES \(other.sql)"
    if !allFresh(columns, of: table) {
      report(
        .newForeignKey,
        "A foreign key from \(table.said) (\(columns.joined(separator: ", "))) to \(other.said) refuses rows "
          + "(23503) that "
          + "versions could write or delete before\(validates ? "" : "; NOT VALID spares only the rows that exist").",
        at: place,
        instead: """
          -- release a version that writes \(other.said) first and deletes it last; when no older version is left:
          ALTER TABLE \(table.sql) ADD \(constraintClause(name))\(clause) NOT VALID;
          ALTER TABLE \(table.sql) VALIDATE CONSTRAINT \(name.isEmpty ? "…" : quoted(name));
          """)
    }
    noteForeignKeyIndex(columns, of: table, place)
    take(TableLock(.shareRowExclusive, on: other), near: other.name)
    take(TableLock(.shareRowExclusive, on: table, while: validates ? .scan : .instant), near: name)
    if column != nil, allFresh(columns, of: table), freshColumn(columns[0], of: table)?.hasDefault == false {
      return .instant
    }
    return noteValidation(
      validates, "A foreign key", name, clause, on: table, .shareRowExclusive, place, and: other)
  }

  private mutating func examineUnique(
    _ constraint: SQLNode, _ name: String, on table: QualifiedName, _ column: String?, _ place: Int?
  ) -> TableLock.Work {
    let primary = constraint.string("contype") == "CONSTR_PRIMARY"
    let word = primary ? "PRIMARY KEY" : "UNIQUE"
    if let index = constraint.string("indexname") {
      take(TableLock(.accessExclusive, on: table), near: index)
      return primary ? notePrimaryKey(using: index, on: table, place) : .instant
    }
    let columns = column.map { [$0] } ?? constraint["keys"]?.names ?? []
    if !collidesWithNobody(columns, of: table) {
      reportUnique(columns, of: table, by: word, place, constraint: name)
    }
    take(TableLock(.accessExclusive, on: table, while: .scan), near: name)
    guard weight(of: table) != .none else { return .instant }
    let index = name.isEmpty ? "\(table.name)_\(columns.joined(separator: "_"))_\(primary ? "pkey" : "key")" : name
    report(
      .uniqueConstraintIndex,
      "\(word) builds its index on \(table.said)\(weight(of: table).said) under ACCESS EXCLUSIVE.", at: place,
      instead: """
        CREATE UNIQUE INDEX CONCURRENTLY \(quoted(index)) ON \(table.sql) (\(list(columns)));
        ALTER TABLE \(table.sql) ADD CONSTRAINT \(quoted(index)) \(word) USING INDEX \(quoted(index));
        """)
    return .scan
  }

  mutating func reportUnique(
    _ columns: [String], of table: QualifiedName, by word: String, _ place: Int?, constraint name: String
  ) {
    if let known = known(table), isUnique(columns, in: known) { return }
    report(
      .newUnique,
      "\(word) on \(table.said) (\(columns.joined(separator: ", "))) refuses rows (23505) that versions could "
        + "write before.",
      near: name, at: place,
      instead:
        "Release a version that never writes the same \(columns.joined(separator: ", ")) twice first, and mend the "
        + "rows that exist.")
  }

  private func isUnique(_ columns: [String], in table: Catalog.Table) -> Bool {
    let wanted = Set(columns)
    return table.constraints.contains {
      ($0.kind == .unique || $0.kind == .primaryKey) && !$0.columns.isEmpty && Set($0.columns).isSubset(of: wanted)
    }
      || table.indexes.contains {
        $0.unique && $0.valid && !$0.columns.isEmpty && Set($0.columns).isSubset(of: wanted)
          && !$0.definition.uppercased().contains(" WHERE ")
      }
  }

  private mutating func notePrimaryKey(
    using index: String, on table: QualifiedName, _ place: Int?
  ) -> TableLock.Work {
    let columns = known(table)?.indexes.first { $0.name == index }?.columns
    let facts = columns?.map { known($0, of: table)?.notNull ?? false }
    if facts?.allSatisfy({ $0 }) == true || weight(of: table) == .none { return .instant }
    report(
      .primaryKeyUsingIndex,
      "PRIMARY KEY USING INDEX \(index) also sets its columns NOT NULL, which reads all of "
        + "\(table.said)\(weight(of: table).said) under ACCESS EXCLUSIVE unless they are so already.",
      at: place, instead: "Set the columns NOT NULL first, by way of a validated CHECK.")
    return .scan
  }

  // MARK: Constraints that go

  mutating func examineDropConstraint(_ name: String, of table: QualifiedName, _ command: SQLNode) {
    guard !fresh.others.contains(name),
      !intent.constraints.contains(MigrationIntent.Part(table: table.name, name: name))
    else { return }
    let constraint = known(table)?.constraints.first { $0.name == name }
    if command.isTrue("missing_ok"), known(table) != nil, constraint == nil { return }
    let wait =
      "-- when no live version needs it, nor any that is kept for rollback:\n"
      + "ALTER TABLE \(table.sql) DROP CONSTRAINT \(quoted(name));"
    switch constraint?.kind {
    case .primaryKey, .unique, .exclusion:
      report(
        .dropUnique,
        "\(name) of \(table.said) goes: INSERT … ON CONFLICT on its columns fails with 42P10, and doubled "
          + "rows may come.",
        near: name, instead: wait)
    case .check, .foreignKey, nil:
      if let constraint, isCopyOfNotNull(constraint, in: table) { return }
      report(
        .dropConstraint,
        "\(name) of \(table.said) goes: rows may come that older versions have never met, also after a rollback"
          + (constraint == nil ? "; if it is unique, ON CONFLICT on its columns fails with 42P10." : "."),
        near: name, instead: wait)
    }
  }

  /// A CHECK (… IS NOT NULL) on a column that is NOT NULL by now says nothing more: the last step of `notNullByCheck`.
  private func isCopyOfNotNull(_ constraint: Catalog.Constraint, in table: QualifiedName) -> Bool {
    guard constraint.kind == .check, let only = constraint.columns.first, constraint.columns.count == 1,
      constraint.definition.uppercased().contains("IS NOT NULL")
    else { return false }
    return known(only, of: table)?.notNull == true || fresh.setNotNull.contains(.init(table: table.name, name: only))
  }

  // MARK: Parts

  func allFresh(_ columns: [String], of table: QualifiedName) -> Bool {
    !columns.isEmpty && columns.allSatisfy { freshColumn($0, of: table) != nil }
  }

  /// Whether old writers, who leave out the columns of this migration, cannot collide: one such column is NULL or
  /// differs from row to row in all that they write.
  func collidesWithNobody(_ columns: [String], of table: QualifiedName) -> Bool {
    columns.contains { name in freshColumn(name, of: table).map { !$0.hasConstantDefault } ?? false }
  }

  private func list(_ columns: [String]) -> String { columns.map(quoted).joined(separator: ", ") }

  private func constraintClause(_ name: String) -> String { name.isEmpty ? "" : "CONSTRAINT \(quoted(name)) " }

  private mutating func noteValidation(
    _ validates: Bool, _ what: String, _ name: String, _ clause: String, on table: QualifiedName,
    _ mode: TableLock.Mode, _ place: Int?, and other: QualifiedName? = nil
  ) -> TableLock.Work {
    guard validates, weight(of: table) != .none else { return .instant }
    report(
      .validatingConstraint,
      "\(what) reads all of \(table.said)\(weight(of: table).said) under \(mode.rawValue), which stops \(mode.stops)"
        + (other.map { " there and on \($0.said)." } ?? "."),
      at: place,
      instead: """
        ALTER TABLE \(table.sql) ADD \(constraintClause(name))\(clause) NOT VALID;
        ALTER TABLE \(table.sql) VALIDATE CONSTRAINT \(name.isEmpty ? "…" : quoted(name));  -- another transaction
        """)
    return .scan
  }

  private mutating func noteNotNull(_ constraint: SQLNode, _ name: String, of table: QualifiedName, validates: Bool) {
    guard let test = constraint["raw_expr"]?.fields(of: "NullTest"), test.string("nulltesttype") == "IS_NOT_NULL",
      let column = Self.columns(in: test["arg"]).first
    else { return }
    let part = MigrationIntent.Part(table: table.name, name: column)
    if validates { fresh.notNullChecks.insert(part) } else { fresh.pendingNotNullChecks[name] = part }
    fresh.others.insert(name)
  }

  private mutating func noteForeignKeyIndex(_ columns: [String], of table: QualifiedName, _ place: Int?) {
    guard let first = columns.first,
      !intent.indexed.contains(MigrationIntent.Part(table: table.name, name: first)),
      known(table)?.indexes.contains(where: { $0.columns.first == first }) != true
    else { return }
    report(
      .foreignKeyWithoutIndex,
      "\(table.said) (\(columns.joined(separator: ", "))) has a foreign key and no index: deleting the row it "
        + "points to "
        + "reads the whole table.",
      at: place,
      instead: "CREATE INDEX CONCURRENTLY ON \(table.sql) (\(columns.map(quoted).joined(separator: ", ")));")
  }

  mutating func noteForeignKeys(of elements: [SQLNode], in table: QualifiedName) {
    for element in elements {
      if let constraint = element.fields(of: "Constraint"), constraint.string("contype") == "CONSTR_FOREIGN" {
        noteForeignKeyIndex(constraint["fk_attrs"]?.names ?? [], of: table, constraint.integer("location"))
      }
      guard let column = element.fields(of: "ColumnDef"), let name = column.string("colname") else { continue }
      for constraint in ColumnFacts(column).constraints where constraint.string("contype") == "CONSTR_FOREIGN" {
        noteForeignKeyIndex([name], of: table, constraint.integer("location"))
      }
    }
  }

  static func columns(in expression: SQLNode?) -> [String] {
    var columns: [String] = []
    expression?.walk { kind, fields in
      if kind == "ColumnRef", let name = fields["fields"]?.names.last, !columns.contains(name) { columns.append(name) }
    }
    return columns
  }
}
