import Migrations

/// What runs with made-up values is tried with those at which a new rule may say no: NULL, the edges of what the column
/// took before, the constants that the rule speaks of, and what was recorded.
extension WriteTrials {
  struct Variant {
    var execution: Trial.Execution
    var how: String
    var beyondEvidence: Bool
  }

  func runVariants() throws {
    var variants: [Variant] = []
    for index in assignments.keys.sorted() {
      guard let assignment = assignments[index] else { continue }
      var found = namedObjects(index, assignment)
      if difference.touches(candidates[index]) {
        found += collisions(index, assignment) + references(index, assignment)
        found += recorded(candidates[index].statement.samples, index, assignment)
        found += edges(index, assignment) + sourceRows(index, assignment)
      }
      variants += found.prefix(Self.maximalVariants)
    }
    let now = try after.execute(candidates, variants.map(\.execution), roles: roles)
    let failed = zip(variants, now).filter { $0.1.error != nil && !$0.1.isUntried }
    let control = try before.execute(candidates, failed.map(\.0.execution), roles: roles)
    for ((variant, result), earlier) in zip(failed, control) where earlier.error == nil {
      guard let error = result.error else { continue }
      settle(
        variant.execution.index,
        .broke(error, variant.execution, how: variant.how, beyondEvidence: variant.beyondEvidence))
    }
    try settleUntried(zip(variants, now).filter { $0.1.isUntried }.map { ($0.0, $0.1) })
    let idle = zip(variants, now).filter { $0.1.error == nil && $0.1.affected == 0 }
    try compareEffects(idle.map { ($0.0.execution, $0.0.how) })
  }

  /// Of variants whose rows could not be arranged after the migration: where that and the statement went well before,
  /// nobody knows what the statement would do. Rows that a rule of the migration itself refuses (class 23) are none that
  /// it will meet: the state is one of before.
  private func settleUntried(_ untried: [(variant: Variant, result: Trial.Result)]) throws {
    let open = untried.filter { $0.result.error?.sqlState.hasPrefix("23") == false }
    let earlier = try before.execute(candidates, open.map(\.variant.execution), roles: roles)
    for ((variant, result), was) in zip(open, earlier) where was.error == nil {
      if let error = result.error { settle(variant.execution.index, .untried(error, how: variant.how)) }
    }
  }

  // MARK: Edges

  private func edges(_ index: Int, _ assignment: Assignment) -> [Variant] {
    let samples = candidates[index].statement.samples
    var found: [Variant] = []
    for (place, slot) in assignment.slots.enumerated() {
      guard !candidates[index].constants.contains(place + 1), let (relation, column) = target(of: slot),
        isRestricted(column, of: relation)
      else { continue }
      // What an expression is given is of the parameter's own type.
      let given = slot.reaches == nil ? column : Schema.Column(parameter: slot.type, for: column)
      let nullable = slot.reaches != nil || !column.notNull
      for value in edges(of: given, ruledBy: column, of: relation, nullable: nullable) {
        let shown = value.map { "with \(Self.shown($0))" } ?? "with NULL"
        let beyond = samples.count >= Self.telling && !samples.contains { Self.shows($0, place, value) }
        found.append(
          Variant(
            execution: execution(index, assignment.with(value, at: place)), how: "\(shown) for \(column.name)",
            beyondEvidence: beyond))
      }
    }
    return found
  }

  private func target(of slot: Assignment.Slot) -> (Schema.Relation, Schema.Column)? {
    if let reaches = slot.reaches { return reaches }
    guard slot.purpose == .written, let relation = slot.relation, let column = slot.column else { return nil }
    return (relation, column)
  }

  func isRestricted(_ column: Schema.Column, of relation: Schema.Relation) -> Bool {
    difference.restricted(relation).contains { $0.number == column.number }
  }

  /// Values of `column` at which the rules on `ruled` may change their answer.
  func edges(
    of column: Schema.Column, ruledBy ruled: Schema.Column, of relation: Schema.Relation, nullable: Bool
  ) -> [String?] {
    let checks = difference.newConstraints(relation).filter { $0.kind == "c" && $0.columns.contains(ruled.name) }
    var constants = checks.flatMap { PlausibleValue.constants(in: $0.definition) }
    for text in difference.ruleTexts(relation, bodies: triggerBodies) {
      constants += PlausibleValue.constants(in: text).prefix(Self.maximalConstants)
    }
    let isNumber = difference.before.types[difference.before.base(of: column.type)]?.category == "N"
    let fitting = constants.filter { !isNumber || Double($0) != nil }
    var seen: Set<String> = []
    let values = (PlausibleValue(schema: difference.before).boundaries(column) + fitting).filter {
      seen.insert($0).inserted
    }
    return (nullable ? [nil] : []) + values
  }

  static func shown(_ value: String) -> String {
    value.isEmpty ? "an empty text" : value.count > 40 ? "\(value.count) characters" : value
  }

  // MARK: Recordings

  /// Values as they were sent, but for those that find or refer to rows: the shadow has other rows.
  private func recorded(_ samples: [[SampleValue]], _ index: Int, _ assignment: Assignment) -> [Variant] {
    let sent = assignment.slots.count - candidates[index].constants.count
    return samples.filter { $0.count == sent }.map { sample in
      var values = assignment.values
      for (place, value) in sample.enumerated() {
        let slot = assignment.slots[place]
        let refers = slot.relation?.constraints.contains {
          $0.kind == "f" && $0.columns.contains(slot.column?.name ?? "")
        }
        guard slot.purpose == .written || slot.reaches != nil, refers != true else { continue }
        switch value {
        case .null: values[place] = nil
        case .text(let text): values[place] = text
        case .redacted(let bytes):
          if let column = slot.column,
            difference.before.types[difference.before.base(of: column.type)]?.category == "S",
            !slot.isArray, let text = values[place]
          {
            values[place] = String((text + String(repeating: "x", count: bytes)).prefix(bytes))
          }
        }
      }
      return Variant(execution: execution(index, values), how: "with recorded values", beyondEvidence: false)
    }
  }

  static func shows(_ sample: [SampleValue], _ place: Int, _ value: String?) -> Bool {
    guard sample.indices.contains(place) else { return false }
    switch (sample[place], value) {
    case (.null, nil): return true
    case (.text(let text), let value?): return text == value
    case (.redacted(let bytes), let value?): return bytes == value.utf8.count
    default: return false
    }
  }

  // MARK: Names as values

  /// Whether a parameter is the name of a table or a sequence, which is looked up when the statement runs.
  func namesObjects(_ index: Int) -> Bool {
    shapes[index]?.parameters.contains(PostgresType.regclass) == true && !difference.lostNames.isEmpty
  }

  private func namedObjects(_ index: Int, _ assignment: Assignment) -> [Variant] {
    guard namesObjects(index) else { return [] }
    let ofSequences = !candidates[index].reading.functions.isDisjoint(with: ["nextval", "currval", "setval", "lastval"])
    let fitting = difference.before.relations.filter { !ofSequences || $0.kind == "S" }
    let lost = fitting.filter { difference.lostNames.contains($0.oid) }
    var found: [Variant] = []
    for (place, slot) in assignment.slots.enumerated() where slot.type == PostgresType.regclass {
      for relation in lost.prefix(Self.maximalConstants) {
        let names = [relation.name, relation.label, relation.identifier, "\(relation.schema).\(relation.name)"]
        let isShown = candidates[index].statement.samples.contains { sample in
          names.contains { Self.shows(sample, place, $0) }
        }
        var values = assignment.values
        values[place] = relation.identifier
        found.append(
          Variant(
            execution: execution(index, values), how: "with \(relation.label) for $\(place + 1)",
            // Where none of the kind kept its name, whatever it names is lost.
            beyondEvidence: lost.count < fitting.count && !isShown))
      }
    }
    return found
  }

  /// Of a function's body or a kind of object, the first that are tried.
  static let maximalConstants = 24
}

extension Schema.Column {
  /// A parameter that reaches `column` through an expression.
  fileprivate init(parameter type: UInt32, for column: Schema.Column) {
    self.init(
      number: column.number, name: column.name, type: type, modifier: -1, typeName: "", notNull: false,
      defaultText: nil, identity: "", generated: false, rights: nil)
  }
}
