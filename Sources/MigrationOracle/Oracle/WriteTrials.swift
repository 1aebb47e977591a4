import Migrations

/// L3: writes are executed on the schema after the migration, with values that they were recorded with or that are
/// made up, and what fails there is executed on the schema before. Only what ran before and fails now is a break.
final class WriteTrials {
  enum Verdict: Equatable, Sendable {
    case held
    /// `beyondEvidence`: it fails only with a value that the recordings do not show.
    case broke(PostgresError, Trial.Execution, how: String, beyondEvidence: Bool)
    /// It ran and found rows before, and finds none now.
    case lostRows(before: Int)
    /// It ran and changed rows before; now it runs and changes none, and nobody is told.
    case didNothing(Trial.Execution, before: Int, how: String)
    /// No values were found with which it runs before.
    case undecided(PostgresError)
    /// Rows could not be put into a state after the migration in which they may be before it, so that nobody knows what
    /// the statement would do there.
    case untried(PostgresError, how: String)
  }

  /// Recordings of a statement that are enough to say which values it is sent with.
  static let telling = 3
  /// Variants tried of one statement: a wide table has more edges than are worth trying.
  static let maximalVariants = 96

  private(set) var candidates: [Candidate]
  private(set) var roles: [String]
  private(set) var verdicts: [Int: Verdict] = [:]
  /// The text that failed, where it is another than the captured one.
  private(set) var failing: [Int: Candidate] = [:]
  let difference: SchemaDifference
  let after: Trial
  let before: Trial
  let rows: ExistingRows
  /// Bodies of the functions that new or changed triggers run, after the migration, by OID.
  let triggerBodies: [UInt32: String]
  /// Bodies of functions before the migration, by their OIDs; asked for only when a function refuses what it is given.
  let bodiesBefore: ([UInt32]) throws -> [String]
  var shapes: [Int: StatementShape] = [:]
  var assignments: [Int: Assignment] = [:]
  /// What makes a statement run before that other rows of the shadow would stop.
  var arrangements: [Int: [String]] = [:]
  /// Which statement another one stands for.
  private var owners: [Int: Int] = [:]

  /// Values with which a statement ran before.
  var values: [Int: [String?]] { assignments.mapValues(\.values) }

  /// - Parameter rows: of the schema before, as its owner sees them.
  init(
    _ candidates: [Candidate], roles: [String], difference: SchemaDifference, before: Trial, after: Trial,
    rows: ExistingRows, triggerBodies: [UInt32: String], bodiesBefore: @escaping ([UInt32]) throws -> [String]
  ) {
    self.triggerBodies = triggerBodies
    self.bodiesBefore = bodiesBefore
    self.candidates = candidates
    self.roles = roles
    self.difference = difference
    self.before = before
    self.after = after
    self.rows = rows
  }

  /// - Parameter indices: statements that hold at L1 and L2, with their shapes before.
  func run(_ indices: [(index: Int, shape: StatementShape)]) throws {
    for (index, shape) in indices { shapes[index] = shape }
    let writes = indices.map(\.index).filter { difference.executes(candidates[$0]) || namesObjects($0) }
    try runPlain(writes)
    try runStandIns(writes)
    try runVariants()
    try comparePolicies(indices.map(\.index))
  }

  func settle(_ index: Int, _ verdict: Verdict) {
    let owner = owners[index] ?? index
    if owner != index {
      if case .undecided = verdict { return }
      if verdicts[owner] == .held, verdict != .held { failing[owner] = candidates[index] }
    }
    switch verdicts[owner] {
    case nil, .held: verdicts[owner] = verdict
    // What was seen to break tells more than what was not seen.
    case .untried:
      if case .held = verdict { return }
      verdicts[owner] = verdict
    case .broke(_, _, _, beyondEvidence: true):
      if case .broke(_, _, _, beyondEvidence: false) = verdict { verdicts[owner] = verdict }
    case .broke, .lostRows, .didNothing, .undecided: break
    }
  }

  /// An execution with the values, and in the state of rows, with which the statement runs before.
  func execution(_ index: Int, _ values: [String?]) -> Trial.Execution {
    Trial.Execution(index: index, parameters: values, arrangement: arrangements[index] ?? [])
  }

  // MARK: Plain values

  private var affected: [Int: Int] = [:]

  private func runPlain(_ indices: [Int]) throws {
    for index in indices { assignments[index] = try assignment(index) }
    let executions = indices.map { execution($0, assignments[$0]?.values ?? []) }
    let now = try after.execute(candidates, executions, roles: roles)
    let failed = zip(executions, now).filter { $0.1.error != nil }
    let control = try before.execute(candidates, failed.map(\.0), roles: roles)
    var idle: [Trial.Execution] = []
    for (execution, result) in zip(executions, now) where result.error == nil {
      affected[execution.index] = result.affected
      settle(execution.index, .held)
      if result.affected == 0, candidates[execution.index].reading.isWrite { idle.append(execution) }
    }
    try compareEffects(idle.map { ($0, "with values made up") })
    for ((execution, result), earlier) in zip(failed, control) {
      guard let error = result.error else { continue }
      if let reason = earlier.error {
        try mendAndCompare(execution.index, reason)
      } else {
        settle(execution.index, .broke(error, execution, how: "with values made up", beyondEvidence: false))
      }
    }
  }

  /// Of executions that change nothing after the migration: whether they did before. A trigger that returns NULL and a
  /// rule that does nothing raise no error. Where neither is new, the rows themselves are others.
  func compareEffects(_ idle: [(execution: Trial.Execution, how: String)]) throws {
    let swallowed = idle.filter { execution, _ in
      difference.relations(candidates[execution.index].reading.written, of: candidates[execution.index]).contains {
        !difference.changedTriggers($0).isEmpty || $0.kind == "v" && difference.touched.contains($0.oid)
      }
    }
    let earlier = try before.execute(candidates, swallowed.map(\.execution), roles: roles)
    for ((execution, how), was) in zip(swallowed, earlier) where was.error == nil {
      if let count = was.affected, count > 0 {
        settle(execution.index, .didNothing(execution, before: count, how: how))
      }
    }
  }

  /// Looks for values with which the statement runs before, then runs them after.
  private func mendAndCompare(_ index: Int, _ reason: PostgresError) throws {
    guard var assignment = assignments[index] else { return }
    let relation = difference.relations(candidates[index].reading.written, of: candidates[index]).first
    var last = reason
    for _ in 0..<Assignment.maximalTries {
      if last.sqlState == "23503", arrangements[index] == nil, let freeing = freeing(index) {
        arrangements[index] = freeing
      } else if arrangements[index] == nil, let emptying = emptying(index, last) {
        arrangements[index] = emptying
      } else if !assignment.mend(last, on: relation) {
        break
      }
      let execution = execution(index, assignment.values)
      if let error = try before.execute(candidates, [execution], roles: roles)[0].error {
        last = error
        continue
      }
      return try compare(index, assignment)
    }
    if let accepted = try acceptedState(index, assignment) {
      arrangements[index] = accepted.arrangement
      return try compare(index, accepted.assignment)
    }
    assignments[index] = nil
    settle(index, .undecided(last))
  }

  /// What ran before is run after.
  private func compare(_ index: Int, _ assignment: Assignment) throws {
    assignments[index] = assignment
    let execution = execution(index, assignment.values)
    let now = try after.execute(candidates, [execution], roles: roles)[0]
    if now.isUntried, let error = now.error {
      // The rows could not be put into the state that it ran in before: that says nothing about the statement.
      assignments[index] = nil
      settle(index, .undecided(error))
    } else if let error = now.error {
      settle(index, .broke(error, execution, how: "with values made up", beyondEvidence: false))
    } else {
      affected[index] = now.affected
      settle(index, .held)
      if now.affected == 0 { try compareEffects([(execution, "with values made up")]) }
    }
  }

  func assignment(_ index: Int) throws -> Assignment {
    let candidate = candidates[index]
    let slots = (shapes[index]?.parameters ?? []).enumerated().map { place, type -> Assignment.Slot in
      let use = candidate.reading.uses[place + 1]
      var slot = Assignment.Slot(purpose: use?.isThrough == true ? .free : use?.purpose ?? .free, type: type)
      guard let use, use.column != nil || use.place != nil else { return slot }
      let tables = difference.relations(use.table.map { [$0] } ?? candidate.reading.readTables, of: candidate)
      for relation in tables {
        guard
          let column = use.column.map({ relation.column($0) })
            ?? use.place.flatMap({
              relation.columns.indices.contains($0) ? relation.columns[$0] : nil
            })
        else { continue }
        if use.isThrough {
          slot.reaches = (relation, column)
          break
        }
        slot.relation = relation
        slot.column = column
        slot.isArray = isArray(type) && !isArray(column.type)
        break
      }
      return slot
    }
    return try Assignment(slots, schema: difference.before, rows: rows, number: PlausibleValue.firstNumber + index)
  }

  private func isArray(_ type: UInt32) -> Bool { (difference.before.types[type]?.element ?? 0) != 0 }

  // MARK: Stand-ins

  /// An UPDATE or DELETE whose condition no row of the shadow meets proves nothing: the same change is tried on all
  /// rows of its table.
  private func runStandIns(_ indices: [Int]) throws {
    var added: [Int] = []
    for index in indices where affected[index] == 0 && difference.touches(candidates[index]) {
      guard let standIn = standIn(for: index) else { continue }
      owners[candidates.count] = index
      added.append(candidates.count)
      candidates.append(standIn)
      roles.append(roles[index])
    }
    guard !added.isEmpty else { return }
    let earlier = try before.prepare(candidates, added, roles: roles)
    let later = try after.prepare(candidates, added, roles: roles)
    let sound = zip(added, zip(earlier, later)).filter { $0.1.0.error == nil && $0.1.1.error == nil }
    for (index, (outcome, _)) in sound { shapes[index] = outcome.shape }
    try runPlain(sound.map(\.0))
  }

  private func standIn(for index: Int) -> Candidate? {
    let candidate = candidates[index]
    guard let relation = difference.relations(candidate.reading.written, of: candidate).first else { return nil }
    let name = StatementReading.Name(schema: relation.schema, name: relation.name)
    var copy = candidate
    copy.statement.samples = []
    copy.statement.parameterTypes = []
    copy.reading.uses = [:]
    if candidate.reading.kind == .delete {
      copy.text = "DELETE FROM \(relation.identifier)"
      return copy
    }
    guard candidate.reading.kind == .update, let assignment = assignments[index] else { return nil }
    copy.constants = []
    let columns = assignment.slots.enumerated().filter { place, slot in
      slot.purpose == .written && slot.relation?.oid == relation.oid && !slot.isArray
        && !candidate.constants.contains(place + 1)
    }.compactMap { $0.element.column?.name }
    let unique = columns.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    guard !unique.isEmpty else { return nil }
    let sets = unique.enumerated().map { "\(quoted($1)) = $\($0 + 1)" }.joined(separator: ", ")
    copy.text = "UPDATE \(relation.identifier) SET \(sets) WHERE ctid = (SELECT min(ctid) FROM \(relation.identifier))"
    for (place, column) in unique.enumerated() {
      copy.reading.uses[place + 1] = StatementReading.Use(purpose: .written, table: name, column: column)
    }
    return copy
  }

  // MARK: Policies

  /// Rows that a policy hides raise no error: their number is compared.
  private func comparePolicies(_ indices: [Int]) throws {
    let guarded = difference.guarded
    guard !guarded.isEmpty else { return }
    var executions: [Trial.Execution] = []
    for index in indices where [.read, .update, .delete].contains(candidates[index].reading.kind) {
      let tables = difference.relations(candidates[index].reading.tables, of: candidates[index])
      guard tables.contains(where: { guarded.contains($0.oid) }) else { continue }
      let values = try assignments[index] ?? assignment(index)
      executions.append(Trial.Execution(index: index, parameters: values.values))
    }
    let earlier = try before.execute(candidates, executions, roles: roles)
    let now = try after.execute(candidates, executions, roles: roles)
    for (execution, (was, isNow)) in zip(executions, zip(earlier, now)) {
      guard was.error == nil, isNow.error == nil, let count = was.affected, count > 0, isNow.affected == 0 else {
        continue
      }
      settle(execution.index, .lostRows(before: count))
    }
  }
}
