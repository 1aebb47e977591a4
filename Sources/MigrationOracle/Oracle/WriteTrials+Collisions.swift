import Migrations

/// Rows that a new unique index or exclusion constraint may refuse. Instead of guessing which values collide through
/// expressions, defaults, partial indexes and other tables' rows, the statement is sent twice in one transaction: what
/// ran twice before and not after has met the new rule.
extension WriteTrials {
  func collisions(_ index: Int, _ assignment: Assignment) -> [Variant] {
    let reading = candidates[index].reading
    var found: [Variant] = []
    if reading.updatesOnConflict {
      // The second one meets the row of the first and updates it.
      found.append(twice(index, assignment, assignment.values))
    }
    for relation in difference.relations(reading.written, of: candidates[index]) {
      for rule in difference.newCollisionRules(relation) where isTold(rule, of: relation, by: assignment, reading) {
        var second = apart(assignment, on: relation, except: Set(rule.columns))
        guard reading.kind == .update else {
          found.append(twice(index, assignment, second))
          continue
        }
        // Of an UPDATE the second one finds the second row.
        for (place, slot) in assignment.slots.enumerated() where slot.purpose == .matched && !slot.isArray {
          guard let target = slot.relation, let column = slot.column,
            let row = (try? rows.second(of: target)) ?? nil
          else { continue }
          second[place] = row[column.name] ?? nil
        }
        found += alike(relation, rule, reading).map { state in
          var variant = twice(index, assignment, second)
          variant.execution.arrangement += state
          return variant
        }
      }
    }
    return found
  }

  /// Whether two executions of one transaction say something about two transactions: their clocks stand still, so a
  /// time that the statement does not give proves nothing. An UPDATE that writes none of the rule's columns meets it not.
  private func isTold(
    _ rule: SchemaDifference.CollisionRule, of relation: Schema.Relation, by assignment: Assignment,
    _ reading: StatementReading
  ) -> Bool {
    let named = relation.columns.filter { rule.names($0.name) }
    guard reading.kind != .update || named.contains(where: { reading.assigned.contains($0.name) }) else { return false }
    let given = assignment.slots.compactMap { $0.purpose == .written ? $0.column?.name : nil }
    return named.allSatisfy {
      !PostgresType.times.contains(difference.before.base(of: $0.type)) || given.contains($0.name)
        || reading.kind == .update && !reading.assigned.contains($0.name)
    }
  }

  private func twice(_ index: Int, _ assignment: Assignment, _ second: [String?]) -> Variant {
    var execution = execution(index, assignment.values)
    execution.again = second
    return Variant(execution: execution, how: "sent twice with the same values", beyondEvidence: false)
  }

  /// The values of a second row that differs where rules of before want it to, and nowhere else if it can be helped.
  private func apart(_ assignment: Assignment, on relation: Schema.Relation, except fixed: Set<String>) -> [String?] {
    var values = assignment.values
    var varied: Set<String> = []
    for key in relation.indexes where key.unique && !key.columns.isEmpty && varied.isDisjoint(with: key.columns) {
      let free = key.columns.filter { !fixed.contains($0) }
      let place = assignment.slots.indices.first { place in
        let slot = assignment.slots[place]
        return slot.purpose == .written && slot.relation?.oid == relation.oid && free.contains(slot.column?.name ?? "")
      }
      guard let place, let column = assignment.slots[place].column else { continue }
      varied.insert(column.name)
      let value = other(column, of: relation, than: values[place])
      values = assignment.with(value, at: place, in: values)
    }
    return values
  }

  private func other(_ column: Schema.Column, of relation: Schema.Relation, than value: String?) -> String? {
    if let key = relation.constraints.first(where: { $0.kind == "f" && $0.columns.contains(column.name) }),
      let place = key.columns.firstIndex(of: column.name), let target = difference.was(key.target)
    {
      return ((try? rows.second(of: target)) ?? nil)?[key.targetColumns[place]] ?? nil
    }
    return PlausibleValue(schema: difference.before).fresh(
      column.type, modifier: column.modifier, number: PlausibleValue.firstNumber - 500)
  }

  /// SQL that gives all rows the same values in the columns of a rule that an UPDATE does not write, and in those that
  /// it writes some value that may lie outside of the rule: NULL, or another edge. One list for each such value.
  private func alike(
    _ relation: Schema.Relation, _ rule: SchemaDifference.CollisionRule, _ reading: StatementReading
  ) -> [[String]] {
    let named = relation.columns.filter { $0.generated == false && rule.names($0.name) }
    let fixed = named.filter { !reading.assigned.contains($0.name) }
    guard !fixed.isEmpty else { return [[]] }
    let same = fixed.map {
      "\(quoted($0.name)) = (SELECT \(quoted($0.name)) FROM \(relation.identifier) ORDER BY ctid LIMIT 1)"
    }
    let written = named.filter { reading.assigned.contains($0.name) }
    guard let first = written.first else {
      return [["UPDATE \(relation.identifier) SET \(same.joined(separator: ", "))"]]
    }
    let edges = PlausibleValue(schema: difference.before).boundaries(first)
    let outside = (first.notNull ? [] : ["NULL"]) + edges.prefix(Self.maximalOutside).map(literal)
    return outside.map { value in
      ["UPDATE \(relation.identifier) SET \((same + ["\(quoted(first.name)) = \(value)"]).joined(separator: ", "))"]
    }
  }

  private static let maximalOutside = 4
}
