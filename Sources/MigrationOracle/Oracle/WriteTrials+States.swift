import Migrations

/// A function of the application's, called or run by a trigger, may refuse by RAISE what it is given, or rows that are
/// in another state. Which it takes, only its body says: labels of enums and booleans are tried, as values and as the
/// state of the rows that the body speaks of.
extension WriteTrials {
  /// Tries of one statement, values times states: all go in one pipeline, a millisecond each at most.
  static let maximalStates = 120

  /// Values and rows with which the statement runs before, where a function stands between. Which of its branches the
  /// application takes nobody knows: the first that runs, and before it every other that the migration breaks.
  func acceptedState(
    _ index: Int, _ assignment: Assignment
  ) throws -> (assignment: Assignment, arrangement: [String])? {
    let functions = functionsMet(by: index)
    guard !functions.isEmpty else { return nil }
    let words = Set(
      try bodiesBefore(functions).flatMap { $0.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init) })
    let freeing = arrangements[index] ?? []
    let states = [[]] + rowStates(words)
    let tries = states.flatMap { state in labelled(assignment).map { (assignment: $0, arrangement: freeing + state) } }
      .prefix(Self.maximalStates)
    let executions = tries.map {
      Trial.Execution(index: index, parameters: $0.assignment.values, arrangement: $0.arrangement)
    }
    let results = try before.execute(candidates, executions, roles: roles)
    let taken = zip(tries, executions).enumerated().filter { results[$0.offset].error == nil }.map(\.element)
    let afterwards = try after.execute(candidates, taken.map(\.1), roles: roles)
    let broken = zip(taken, afterwards).first { $0.1.error != nil && !$0.1.isUntried }?.0
    return (broken ?? taken.first)?.0
  }

  private func functionsMet(by index: Int) -> [UInt32] {
    let reading = candidates[index].reading
    let called = difference.before.functions.filter { reading.functions.contains($0.name) }.map(\.oid)
    let triggered = difference.relations(reading.written, of: candidates[index]).flatMap(\.triggers).map(\.function)
    // A rule has no function.
    return Set(called + triggered).filter { $0 != 0 }.sorted()
  }

  /// The assignment itself, and copies in which one value is another label.
  private func labelled(_ assignment: Assignment) -> [Assignment] {
    [assignment]
      + assignment.slots.indices.flatMap { place -> [Assignment] in
        let slot = assignment.slots[place]
        return labels(of: slot.type).filter { $0 != slot.value }.map { label in
          var copy = assignment
          copy.slots[place].value = label
          return copy
        }
      }
  }

  /// SQL that brings the first row of a table that the bodies name into a state that they name.
  private func rowStates(_ words: Set<String>) -> [[String]] {
    difference.before.relations.filter { $0.isTable && words.contains($0.name) }.flatMap { relation in
      relation.columns.filter { words.contains($0.name) && !$0.generatedAlways }.flatMap { column in
        labels(of: column.type).map { label in
          [
            "SET LOCAL session_replication_role = replica",
            "UPDATE \(relation.identifier) SET \(quoted(column.name)) = \(literal(label))"
              + " WHERE ctid = (SELECT min(ctid) FROM \(relation.identifier))",
            "SET LOCAL session_replication_role = origin",
          ]
        }
      }
    }
  }

  private func labels(of type: UInt32) -> [String] {
    let base = difference.before.base(of: type)
    return base == PostgresType.bool ? ["true", "false"] : difference.before.types[base]?.labels ?? []
  }
}
