import Migrations

/// Rows are values too: those that a write copies from, and those that refer to the row that it changes. Each is put
/// into a state that the schema before allows, in the transaction of the trial.
extension WriteTrials {
  // MARK: Rows that are copied

  /// `INSERT INTO a (b) SELECT c FROM d`: what c may hold, b is given.
  func sourceRows(_ index: Int, _ assignment: Assignment) -> [Variant] {
    var found: [Variant] = []
    for (target, column, source, origin) in passages(index) where isRestricted(column, of: target) {
      for value in edges(of: origin, ruledBy: column, of: target, nullable: !origin.notNull) {
        var execution = execution(index, assignment.values)
        let given = value.map(literal) ?? "NULL"
        execution.arrangement.append(
          "UPDATE \(source.identifier) SET \(quoted(origin.name)) = \(given)"
            + " WHERE ctid = (SELECT min(ctid) FROM \(source.identifier))")
        found.append(
          Variant(
            execution: execution,
            how: "where \(source.label).\(origin.name) is \(value.map(Self.shown) ?? "NULL")", beyondEvidence: false))
      }
    }
    return found
  }

  private typealias Passage = (
    target: Schema.Relation, column: Schema.Column, source: Schema.Relation, origin: Schema.Column
  )

  private func passages(_ index: Int) -> [Passage] {
    let candidate = candidates[index]
    return candidate.reading.sources.flatMap { passage -> [Passage] in
      guard let target = difference.relations([passage.target], of: candidate).first else { return [] }
      let tables = difference.relations(passage.table.map { [$0] } ?? candidate.reading.readTables, of: candidate)
        .filter(\.isTable)
      if passage.name == StatementReading.Source.star {
        guard let source = tables.first else { return [] }
        return zip(target.columns, source.columns).map { (target, $0, source, $1) }
      }
      let column =
        passage.column.map { target.column($0) }
        ?? passage.place.flatMap { target.columns.indices.contains($0) ? target.columns[$0] : nil }
      guard let column, let source = tables.first(where: { $0.column(passage.name) != nil }),
        let origin = source.column(passage.name), !origin.generatedAlways
      else { return [] }
      return [(target, column, source, origin)]
    }
  }

  // MARK: Rows that refer

  /// A row of a table with a new foreign key refers to the row that is deleted or gets another key.
  func references(_ index: Int, _ assignment: Assignment) -> [Variant] {
    let reading = candidates[index].reading
    guard reading.kind == .update || reading.kind == .delete || reading.kind == .other else { return [] }
    return difference.relations(reading.written, of: candidates[index]).flatMap { parent in
      difference.newReferences(to: parent).map { child, key in
        let columns = key.columns.map(quoted).joined(separator: ", ")
        let targets = key.targetColumns.map(quoted).joined(separator: ", ")
        var execution = execution(index, assignment.values)
        execution.arrangement.append(
          "UPDATE \(child.identifier) SET (\(columns)) = (SELECT \(targets) FROM \(parent.identifier) ORDER BY ctid"
            + " LIMIT 1) WHERE ctid = (SELECT min(ctid) FROM \(child.identifier))")
        return Variant(
          execution: execution, how: "where a row of \(child.label) refers to it", beyondEvidence: false)
      }
    }
  }

  /// SQL that takes away the rows that refer to the tables that a statement changes, by foreign keys that were there
  /// before: the shadow's own rows must not be what stops it.
  func freeing(_ index: Int) -> [String]? {
    guard candidates[index].reading.kind != .insert else { return nil }
    let written = difference.relations(candidates[index].reading.written, of: candidates[index])
    let children = difference.before.relations.filter { child in
      child.constraints.contains { key in
        key.kind == "f" && key.target != child.oid && written.contains { $0.oid == key.target }
      }
    }
    return children.isEmpty ? nil : Self.emptied(children)
  }

  /// By number, which a table keeps when the migration gives it another name; one that is gone needs nothing.
  private static func emptied(_ tables: [Schema.Relation]) -> [String] {
    let list = tables.map { String($0.oid) }.joined(separator: ", ")
    return [
      "SET LOCAL session_replication_role = replica",
      "DO $plimsoll$ DECLARE known regclass; BEGIN FOR known IN SELECT oid FROM pg_class WHERE oid IN (\(list))"
        + " LOOP EXECUTE 'DELETE FROM ' || known; END LOOP; END $plimsoll$",
      "SET LOCAL session_replication_role = origin",
    ]
  }

  /// SQL that empties the table that an INSERT fills, where a unique key consists of references alone, such as a table
  /// that joins two others: it has no fresh values, and the shadow's own rows must not be what stops it.
  func emptying(_ index: Int, _ error: PostgresError) -> [String]? {
    guard error.sqlState == "23505", candidates[index].reading.kind == .insert,
      let relation = difference.relations(candidates[index].reading.written, of: candidates[index]).first,
      let key = relation.indexes.first(where: { $0.name == error.constraint }), !key.columns.isEmpty,
      key.columns.allSatisfy({ relation.refersElsewhere($0) })
    else { return nil }
    return Self.emptied([relation])
  }
}
