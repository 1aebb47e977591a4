/// ALTER COLUMN … TYPE.
extension Examination {
  mutating func examineColumnType(_ name: String, of table: QualifiedName, _ command: SQLNode) -> TableLock.Work {
    guard let definition = command["def"]?.fields(of: "ColumnDef"), let new = ColumnType(definition["typeName"]) else {
      return .instant
    }
    let old = known(name, of: table).map { ColumnType(printed: $0.type) }
    let change = old.map { $0.change(to: new) } ?? .incompatible
    let wasNew = freshColumn(name, of: table) != nil
    switch change {
    case .none, .harmless:
      take(TableLock(.accessExclusive, on: table), near: name)
      return .instant
    case .widens where !wasNew:
      report(
        .widenType,
        "\(said(name, of: table)) grows from \(old?.sql ?? "its type") to \(new.sql): once a new version "
          + "writes a value "
          + "that does not fit, an older one that reads the row fails, also after a rollback.",
        near: name, instead: twoColumns(name, of: table, new, definition))
    case .incompatible where !wasNew:
      report(
        .changeColumnType,
        "\(said(name, of: table)) changes \(old.map { "from \($0.sql) " } ?? "")to \(new.sql): statements "
          + "that compare, "
          + "compute or write it as the old type may fail (42883, 42804, 22P02, 22001), and clients read another type.",
        near: name, instead: twoColumns(name, of: table, new, definition))
    case .widens, .incompatible: break
    }
    take(TableLock(.accessExclusive, on: table, while: .rewrite), near: name)
    guard weight(of: table) != .none else { return .instant }
    report(
      .typeChangeRewrite,
      "The new type of \(said(name, of: table)) writes all of \(table.said)\(weight(of: table).said) anew under ACCESS "
        + "EXCLUSIVE.",
      near: name, instead: twoColumns(name, of: table, new, definition))
    return .rewrite
  }

  private func twoColumns(
    _ name: String, of table: QualifiedName, _ type: ColumnType, _ definition: SQLNode
  ) -> String {
    let new = quoted("\(name)_new")
    return """
      ALTER TABLE \(table.sql) ADD COLUMN \(new) \(type.sql);
      -- release a version that writes both; fill old rows in batches:
      UPDATE \(table.sql) SET \(new) = \(quoted(name))::\(type.sql) WHERE \(new) IS NULL AND …;
      -- release a version that reads \(new); when no older version is live or kept for rollback:
      ALTER TABLE \(table.sql) DROP COLUMN \(quoted(name));
      """
  }
}
