/// What a migration changed, by the server's own numbers.
struct SchemaDifference: Sendable {
  let before: Schema
  let after: Schema
  /// Tables and views whose definition, constraints, triggers, policies, rights, or types changed, also by what refers
  /// to them; by OID of the schema before.
  let touched: Set<UInt32>
  /// Functions that are gone or changed, by name.
  let changedFunctions: Set<String>
  /// The application's functions before, by name.
  let ownFunctions: Set<String>

  init(before: Schema, after: Schema) {
    self.before = before
    self.after = after
    let later = Dictionary(after.relations.map { ($0.oid, $0) }) { first, _ in first }
    let laterFunctions = Dictionary(after.functions.map { ($0.oid, $0) }) { first, _ in first }
    let changed = before.functions.filter { $0 != laterFunctions[$0.oid] }
    let changedOids = Set(changed.map(\.oid))
    let added = Set(after.functions.map(\.oid)).subtracting(before.functions.map(\.oid))
    changedFunctions = Set(changed.map(\.name) + after.functions.filter { added.contains($0.oid) }.map(\.name))
    ownFunctions = Set(before.functions.map(\.name))
    let changedTypes = Set(before.types.filter { after.types[$0.key] != $0.value }.keys)
    var touched: Set<UInt32> = []
    for relation in before.relations {
      let now = later[relation.oid]
      if now.map({ Self.definition($0) != Self.definition(relation) }) ?? true
        || relation.triggers.contains(where: { changedOids.contains($0.function) })
        || relation.columns.contains(where: { changedTypes.contains($0.type) })
      {
        touched.insert(relation.oid)
      }
      // A foreign key that changed binds both of its tables.
      let keys = relation.constraints.filter { $0.kind == "f" }
      let nowKeys = (now?.constraints ?? []).filter { $0.kind == "f" }
      for key in keys where !nowKeys.contains(key) { touched.insert(key.target) }
      for key in nowKeys where !keys.contains(key) { touched.insert(key.target) }
    }
    let known = Set(before.relations.map(\.oid))
    for relation in after.relations where !known.contains(relation.oid) {
      for key in relation.constraints where key.kind == "f" { touched.insert(key.target) }
    }
    self.touched = touched
  }

  /// Without what rows change.
  private static func definition(_ relation: Schema.Relation) -> Schema.Relation {
    var copy = relation
    copy.rows = nil
    copy.bytes = nil
    copy.file = 0
    return copy
  }

  var isEmpty: Bool { touched.isEmpty && changedFunctions.isEmpty }

  func relations(_ names: [StatementReading.Name], of candidate: Candidate) -> [Schema.Relation] {
    names.compactMap { before.relation($0.name, schema: $0.schema, searchPath: candidate.searchPath) }
  }

  /// Whether the statement's writes may meet something new.
  func touches(_ candidate: Candidate) -> Bool {
    if !candidate.reading.functions.isDisjoint(with: changedFunctions) { return true }
    let relations = relations(candidate.reading.written, of: candidate)
    if relations.count < candidate.reading.written.count { return !isEmpty }
    return candidate.reading.kind == .other && !isEmpty
      || relations.contains { touched.contains($0.oid) || ($0.kind == "v" && !isEmpty) }
  }

  /// Whether a trial executes it: it writes, or calls a function of the application's, which may.
  func executes(_ candidate: Candidate) -> Bool {
    candidate.reading.isWrite
      || candidate.reading.kind == .read && !candidate.reading.functions.isDisjoint(with: ownFunctions)
  }

  /// Whether a write of the statement may be refused for what changed: a column that only came along cannot do it.
  func mayRefuse(_ candidate: Candidate) -> Bool {
    guard touches(candidate) else { return false }
    let relations = relations(candidate.reading.written, of: candidate)
    guard relations.count == candidate.reading.written.count, candidate.reading.kind != .other,
      candidate.reading.functions.isDisjoint(with: changedFunctions)
    else { return true }
    return relations.contains { relation in
      guard let now = after.relation(relation.oid) else { return true }
      let known = Set(relation.columns.map(\.number))
      return !restricted(relation).isEmpty || !newConstraints(relation).isEmpty || !newUniqueIndexes(relation).isEmpty
        || now.columns.contains { !known.contains($0.number) && $0.required } || now.rights != relation.rights
        || after.relations.contains { other in
          other.constraints.contains { $0.kind == "f" && $0.target == relation.oid }
        }
    }
  }

  /// Tables on which rows became visible or invisible by policy.
  var guarded: Set<UInt32> {
    Set(
      before.relations.filter { relation in
        guard let now = after.relation(relation.oid) else { return false }
        return now.rowSecurity && (!relation.rowSecurity || now.policies != relation.policies)
      }.map(\.oid))
  }

  /// Constraints that the table has now and had not, or not so.
  func newConstraints(_ relation: Schema.Relation) -> [Schema.Constraint] {
    let known = Set(relation.constraints.map(\.definition))
    return after.relation(relation.oid)?.constraints.filter { !known.contains($0.definition) } ?? []
  }

  func newUniqueIndexes(_ relation: Schema.Relation) -> [Schema.Index] {
    let known = relation.indexes.filter(\.unique).map(\.columns)
    return after.relation(relation.oid)?.indexes.filter { $0.unique && !known.contains($0.columns) } ?? []
  }

  /// Columns of the table whose values may now be refused: their own definition changed, a new constraint speaks of
  /// them, or something changed that may look at all of them.
  func restricted(_ relation: Schema.Relation) -> [Schema.Column] {
    guard let now = after.relation(relation.oid) else { return relation.columns }
    if now.triggers != relation.triggers || now.policies != relation.policies || relation.kind == "v"
      || now.rowSecurity != relation.rowSecurity
    {
      return relation.columns
    }
    let named = Set(newConstraints(relation).flatMap(\.columns))
    return relation.columns.filter { column in
      let later = now.column(number: column.number)
      return named.contains(column.name) || later != column || before.types[column.type] != after.types[column.type]
    }
  }
}
