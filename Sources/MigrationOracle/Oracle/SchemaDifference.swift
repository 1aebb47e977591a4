/// What a migration changed, by the server's own numbers.
struct SchemaDifference: Sendable {
  let before: Schema
  let after: Schema
  /// Tables and views whose definition, constraints, triggers, policies, rights, or types changed, also by what refers
  /// to them; by OID of the schema before.
  let touched: Set<UInt32>
  /// Functions that are gone or changed, by name.
  let changedFunctions: Set<String>
  /// Functions of before that changed or are gone, by OID.
  let changedBodies: Set<UInt32>
  /// Tables, views and sequences of before that nothing answers to under their names any more, by OID.
  let lostNames: Set<UInt32>
  /// The application's functions before, by name.
  let ownFunctions: Set<String>

  /// Where relations stand in the two lists: they are asked for many times for each statement.
  private let places: (before: [UInt32: Int], after: [UInt32: Int], names: [StatementReading.Name: Int])

  init(before: Schema, after: Schema) {
    self.before = before
    self.after = after
    func numbered(_ schema: Schema) -> [UInt32: Int] {
      Dictionary(schema.relations.enumerated().map { ($1.oid, $0) }) { first, _ in first }
    }
    let named = before.relations.enumerated().filter { $1.kind != "S" }.map {
      (StatementReading.Name(schema: $1.schema, name: $1.name), $0)
    }
    places = (numbered(before), numbered(after), Dictionary(named) { first, _ in first })
    let later = Dictionary(after.relations.map { ($0.oid, $0) }) { first, _ in first }
    let laterFunctions = Dictionary(after.functions.map { ($0.oid, $0) }) { first, _ in first }
    let changed = before.functions.filter { $0 != laterFunctions[$0.oid] }
    let changedOids = Set(changed.map(\.oid))
    let added = Set(after.functions.map(\.oid)).subtracting(before.functions.map(\.oid))
    changedFunctions = Set(changed.map(\.name) + after.functions.filter { added.contains($0.oid) }.map(\.name))
    ownFunctions = Set(before.functions.map(\.name))
    changedBodies = changedOids
    let names = Set(after.relations.map(\.identifier))
    lostNames = Set(before.relations.filter { !names.contains($0.identifier) }.map(\.oid))
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

  /// A relation of before by its OID.
  func was(_ oid: UInt32) -> Schema.Relation? { places.before[oid].map { before.relations[$0] } }
  /// A relation of after by its OID.
  func now(_ oid: UInt32) -> Schema.Relation? { places.after[oid].map { after.relations[$0] } }

  var isEmpty: Bool { touched.isEmpty && changedFunctions.isEmpty }

  func relations(_ names: [StatementReading.Name], of candidate: Candidate) -> [Schema.Relation] {
    names.compactMap { name in
      for schema in name.schema.map({ [$0] }) ?? candidate.searchPath {
        if let place = places.names[StatementReading.Name(schema: schema, name: name.name)] {
          return before.relations[place]
        }
      }
      return nil
    }
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
      guard let now = now(relation.oid) else { return true }
      let known = Set(relation.columns.map(\.number))
      return !restricted(relation).isEmpty || !newConstraints(relation).isEmpty || !newCollisionRules(relation).isEmpty
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
        guard let now = now(relation.oid) else { return false }
        return now.rowSecurity && (!relation.rowSecurity || now.policies != relation.policies)
      }.map(\.oid))
  }

  /// Constraints that the table has now and had not, or not so.
  func newConstraints(_ relation: Schema.Relation) -> [Schema.Constraint] {
    let known = Set(relation.constraints.map(\.definition))
    return now(relation.oid)?.constraints.filter { !known.contains($0.definition) } ?? []
  }

  /// A rule under which two rows cannot be: a unique index or an exclusion constraint.
  struct CollisionRule: Equatable, Sendable {
    /// Plain columns.
    var columns: [String]
    /// Its expressions and its condition too.
    var text: String

    /// Whether it speaks of a column.
    func names(_ column: String) -> Bool {
      columns.contains(column) || text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.contains(Substring(column))
    }
  }

  /// Such rules that the table has now and had not.
  func newCollisionRules(_ relation: Schema.Relation) -> [CollisionRule] {
    guard let now = now(relation.oid) else { return [] }
    let known = Set(relation.indexes.filter(\.unique).map(\.rule))
    let unique = now.indexes.filter { $0.unique && !known.contains($0.rule) }.map {
      CollisionRule(columns: $0.columns, text: $0.rule)
    }
    let excluded = newConstraints(relation).filter { $0.kind == "x" }.map {
      CollisionRule(columns: $0.columns, text: $0.definition)
    }
    return unique + excluded
  }

  /// Tables of before, each with a foreign key to `parent` that is new.
  func newReferences(to parent: Schema.Relation) -> [(child: Schema.Relation, key: Schema.Constraint)] {
    before.relations.filter(\.isTable).flatMap { child in
      newConstraints(child).filter { key in
        key.kind == "f" && key.target == parent.oid && key.columns.allSatisfy { child.column($0) != nil }
          && key.targetColumns.allSatisfy { parent.column($0) != nil }
      }.map { (child, $0) }
    }
  }

  /// New triggers and policies of a table, with the bodies of the triggers' functions: their constants are values at
  /// which they may say no.
  func ruleTexts(_ relation: Schema.Relation, bodies: [UInt32: String]) -> [String] {
    guard let now = now(relation.oid) else { return [] }
    let triggers = changedTriggers(relation)
    return triggers.compactMap { bodies[$0.function] } + triggers.map(\.definition)
      + now.policies.filter { !relation.policies.contains($0) }
  }

  /// Triggers that a table has now and had not, or whose function does something else now.
  func changedTriggers(_ relation: Schema.Relation) -> [Schema.Trigger] {
    let known = relation.triggers
    return (now(relation.oid)?.triggers ?? []).filter {
      !known.contains($0) || changedBodies.contains($0.function)
    }
  }

  /// Columns of the table whose values may now be refused: their own definition changed, a new constraint speaks of
  /// them, or something changed that may look at all of them.
  func restricted(_ relation: Schema.Relation) -> [Schema.Column] {
    guard let now = now(relation.oid) else { return relation.columns }
    if now.triggers != relation.triggers || !changedTriggers(relation).isEmpty || now.policies != relation.policies
      || relation.kind == "v"
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
