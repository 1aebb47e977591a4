/// Indexes and other maintenance of whole tables.
extension Examination {
  mutating func examineIndex(_ fields: SQLNode) {
    guard let table = QualifiedName(fields["relation"]) else { return }
    if let name = fields.string("idxname") { fresh.others.insert(name) }
    let elements = fields.items("indexParams").compactMap { $0.fields(of: "IndexElem") }
    let columns = elements.map { $0.string("name") ?? "…" }
    let concurrent = fields.isTrue("concurrent")
    guard !isFresh(table) else { return }
    if fields.isTrue("if_not_exists"), let name = fields.string("idxname"),
      known(table)?.indexes.contains(where: { $0.name == name }) == true
    {
      return
    }
    if fields.isTrue("unique"), !collidesWithNobody(columns, of: table) {
      reportUnique(columns, of: table, by: "A unique index", nil, constraint: fields.string("idxname") ?? "")
    }
    take(
      TableLock(concurrent ? .shareUpdateExclusive : .share, on: table, while: .scan), near: fields.string("idxname"))
    let weight = weight(of: table)
    // The view of a materialised query has readers only.
    guard !concurrent, weight != .none, known(table)?.kind != .materialisedView else { return }
    let text = statement.text.prefix(Self.shownIndex)
    report(
      .indexNotConcurrent,
      "CREATE INDEX reads all of \(table.said)\(weight.said) under SHARE: nobody can write to it meanwhile.",
      near: fields.string("idxname"),
      instead: (text.firstRange(of: /(?i)\bindex\b/).map {
        String(text[..<$0.upperBound]) + " CONCURRENTLY" + String(text[$0.upperBound...])
      } ?? "CREATE INDEX CONCURRENTLY … ON \(table.sql) (\(columns.joined(separator: ", ")))")
        + ";  -- in a file of its own that runs without a transaction")
  }

  /// Characters of an index's definition that the advice repeats.
  private static let shownIndex = 400

  mutating func examineMaintenance(_ kind: String, _ fields: SQLNode) {
    let table = QualifiedName(fields["relation"])
    switch kind {
    case "ReindexStmt": examineReindex(fields)
    case "ClusterStmt":
      if let table, !isFresh(table) { reportRewrite(of: table, by: "CLUSTER") }
    case "VacuumStmt":
      let full = fields.items("options").contains { $0.fields(of: "DefElem")?.string("defname") == "full" }
      guard full else { return }
      for relation in fields.items("rels") {
        guard let table = QualifiedName(relation.fields(of: "VacuumRelation")?["relation"]) else { continue }
        reportRewrite(of: table, by: "VACUUM FULL")
      }
    case "RefreshMatViewStmt":
      guard let table, !fields.isTrue("concurrent"), !fresh.others.contains(table.name) else { return }
      reportRewrite(of: table, by: "REFRESH MATERIALIZED VIEW")
    default:
      // The numbers are those of lockdefs.h; from SHARE (5) on writers wait.
      let modes: [Int: TableLock.Mode] = [5: .share, 6: .shareRowExclusive, 7: .shareRowExclusive, 8: .accessExclusive]
      guard let mode = modes[fields.integer("mode") ?? 0] else { return }
      for table in fields.items("relations").compactMap({ QualifiedName($0) }) { take(TableLock(mode, on: table)) }
    }
  }

  private mutating func examineReindex(_ fields: SQLNode) {
    let concurrent = fields.items("params").contains {
      $0.fields(of: "DefElem")?.string("defname") == "concurrently"
    }
    let name = QualifiedName(fields["relation"])
    guard !concurrent, name.map({ !isFresh($0) && !fresh.others.contains($0.name) }) ?? true else { return }
    let what = fields.string("kind") == "REINDEX_OBJECT_INDEX" ? "INDEX" : "TABLE"
    if what == "TABLE", let name, weight(of: name) == .none { return }
    report(
      .reindexNotConcurrent,
      "REINDEX stops writes to the table, and reads that need the index, until it is done.", near: name?.name,
      instead: "REINDEX \(what) CONCURRENTLY \(name?.sql ?? "…");")
  }

  // MARK: Rows

  mutating func examineRows(_ kind: String, _ fields: SQLNode) {
    guard let table = QualifiedName(fields["relation"]), !isFresh(table) else { return }
    take(TableLock(.rowExclusive, on: table, while: .scan), near: table.name)
    guard case .rows(let rows) = weight(of: table), rows >= Self.busyTable else { return }
    let verb = kind == "UpdateStmt" ? "UPDATE" : "DELETE"
    report(
      .unbatchedBackfill,
      "One \(verb) of \(table.said) of about \(rows) rows holds the row locks of all of them until it is done, and "
        + "leaves as many dead rows.",
      near: table.name,
      instead: "\(verb) in batches by key, such as 5,000 rows at a time, each in a transaction of its own.")
  }

  /// `INSERT … SELECT` out of tables that were there before.
  mutating func examineCopiedRows(_ fields: SQLNode) {
    let sources = (fields["selectStmt"]?.relationNames ?? []).sorted()
    for table in sources.map({ QualifiedName($0) }) {
      guard case .rows(let rows) = weight(of: table), rows >= Self.busyTable else { continue }
      report(
        .unbatchedBackfill,
        "One INSERT takes about \(rows) rows out of \(table.said): until it is done nothing of it is there, its "
          + "transaction keeps old rows from being cleaned up, and an end before that loses all of it.",
        near: table.name,
        instead: "INSERT in batches by key, such as 5,000 rows at a time, each in a transaction of its own.")
    }
  }
}
