import Migrations

/// L4 of writes: statements that run as before and leave other rows behind, or fail once new code has written.
struct PlacedValues {
  let difference: SchemaDifference

  func judge(_ candidate: Candidate) -> [ReaderHazards.Judgement] {
    difference.relations(candidate.reading.written, of: candidate).filter(\.isTable).flatMap { relation in
      guard let now = difference.now(relation.oid) else { return [ReaderHazards.Judgement]() }
      return copied(candidate, relation, now) + moved(candidate, relation, now) + emptied(candidate, relation, now)
        + referred(candidate, relation)
    }
  }

  // MARK: Values by place

  /// A line of COPY has exactly as many values as the table has columns.
  private func copied(
    _ candidate: Candidate, _ relation: Schema.Relation, _ now: Schema.Relation
  ) -> [ReaderHazards.Judgement] {
    let (was, isNow) = (relation.copiedColumns.count, now.copiedColumns.count)
    guard candidate.reading.copied != nil, was != isNow else { return [] }
    return [
      ReaderHazards.Judgement(
        kind: .breaks, rule: "sqlstate-22P04",
        message: "COPY names no columns, so each of its lines must have \(isNow) values, and this version sends \(was)",
        instead: "Name the columns in COPY first; change the table when no live version relies on its order.",
        probe: .condition(
          "SELECT count(*) <> \(was) FROM pg_attribute WHERE attrelid = \(relation.oid) AND attnum > 0"
            + " AND NOT attisdropped AND attgenerated = ''"))
    ]
  }

  /// An INSERT that names no columns fills them by place, and a column that is dropped moves those behind it.
  private func moved(
    _ candidate: Candidate, _ relation: Schema.Relation, _ now: Schema.Relation
  ) -> [ReaderHazards.Judgement] {
    let isCopy = candidate.reading.copied != nil
    guard candidate.reading.written.count == 1,
      let count = isCopy ? Int.max : candidate.reading.unnamedValues
    else { return [] }
    let was = isCopy ? relation.copiedColumns : relation.columns
    let isNow = isCopy ? now.copiedColumns : now.columns
    let pairs = Array(zip(was, isNow).prefix(count))
    // A column that was made anew under its name at its place is the same to the writer.
    guard let place = pairs.firstIndex(where: { $0.number != $1.number && $0.name != $1.name }) else { return [] }
    let (before, after) = pairs[place]
    return [
      ReaderHazards.Judgement(
        kind: .breaks, rule: "values-move",
        message: "it names no columns: its value number \(place + 1) went to \(before.name) and goes to"
          + " \(after.name) now",
        instead: "Name the columns in the INSERT first; drop a column when no live version relies on their order.",
        probe: .condition(
          "SELECT (array_agg(attnum ORDER BY attnum))[\(place + 1)] IS DISTINCT FROM \(before.number) FROM pg_attribute"
            + " WHERE attrelid = \(relation.oid) AND attnum > 0 AND NOT attisdropped"))
    ]
  }

  // MARK: Values that are left out

  private func emptied(
    _ candidate: Candidate, _ relation: Schema.Relation, _ now: Schema.Relation
  ) -> [ReaderHazards.Judgement] {
    guard candidate.reading.inserts, candidate.reading.written.count == 1 else { return [] }
    return relation.columns.enumerated().compactMap { place, column in
      guard let old = column.defaultText, !column.generated, column.identity.isEmpty,
        let later = now.column(number: column.number), later.defaultText == nil, later.identity.isEmpty,
        !later.generated, !later.notNull
      else { return nil }
      let given =
        candidate.reading.unnamedValues.map { place < $0 } ?? candidate.reading.assigned.contains(column.name)
      guard !given else { return nil }
      return ReaderHazards.Judgement(
        kind: .hazard, rule: "default-dropped",
        message: "it leaves out \(relation.label).\(column.name), which was \(old) and is NULL from now on",
        instead: "Keep the default of \(relation.label).\(column.name) until every live version writes the column.",
        probe: .condition(
          "SELECT NOT atthasdef FROM pg_attribute WHERE attrelid = \(relation.oid) AND attnum = \(column.number)"))
    }
  }

  // MARK: Rows to come

  /// A new table, or a new column, whose foreign key will hold on to rows that this version deletes or gives new keys.
  private func referred(_ candidate: Candidate, _ relation: Schema.Relation) -> [ReaderHazards.Judgement] {
    let reading = candidate.reading
    guard reading.kind == .delete || reading.kind == .update else { return [] }
    for child in difference.after.relations where child.isTable {
      for key in child.constraints where key.kind == "f" && key.target == relation.oid {
        let old = difference.was(child.oid)
        guard key.columns.contains(where: { old?.column($0) == nil }) else { continue }
        let holds =
          reading.kind == .delete
          ? !key.definition.contains("ON DELETE CASCADE") && !key.definition.contains("ON DELETE SET")
          : !reading.assigned.isDisjoint(with: key.targetColumns) && !key.definition.contains("ON UPDATE CASCADE")
            && !key.definition.contains("ON UPDATE SET")
        guard holds else { continue }
        let known = difference.before.relations.flatMap(\.constraints).count {
          $0.kind == "f" && $0.target == relation.oid
        }
        return [
          ReaderHazards.Judgement(
            kind: .hazard, rule: "new-reference",
            message: "once new code writes rows of \(child.label) that refer to \(relation.label), it fails with 23503",
            instead: "Let the foreign key do ON DELETE CASCADE or SET NULL, or deploy a version first that removes the"
              + " rows of \(child.label) as well.",
            probe: .condition(
              "SELECT count(*) > \(known) FROM pg_constraint WHERE contype = 'f' AND confrelid = \(relation.oid)"))
        ]
      }
    }
    return []
  }
}

extension Schema.Relation {
  /// Those that COPY without a list of columns expects.
  var copiedColumns: [Schema.Column] { columns.filter { !$0.generated } }
}
