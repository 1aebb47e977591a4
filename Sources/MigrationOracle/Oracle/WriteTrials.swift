import Migrations

/// L3: writes are executed on the schema after the migration, with values that they were recorded with or that are
/// made up, and what fails there is executed on the schema before. Only what ran before and fails now is a break.
final class WriteTrials {
  enum Verdict: Equatable, Sendable {
    case held
    /// `beyondEvidence`: it fails only with a value that the recordings do not show.
    case broke(PostgresError, parameters: [String?], how: String, beyondEvidence: Bool)
    /// It ran and found rows before, and finds none now.
    case lostRows(before: Int)
    /// No values were found with which it runs before.
    case undecided(PostgresError)
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
  private let difference: SchemaDifference
  private let after: Trial
  private let before: Trial
  private let rows: ExistingRows
  private var shapes: [Int: StatementShape] = [:]
  private var assignments: [Int: Assignment] = [:]
  /// Which statement another one stands for.
  private var owners: [Int: Int] = [:]

  /// Values with which a statement ran before.
  var values: [Int: [String?]] { assignments.mapValues(\.values) }

  /// - Parameter rows: of the schema before, as its owner sees them.
  init(
    _ candidates: [Candidate], roles: [String], difference: SchemaDifference, before: Trial, after: Trial,
    rows: ExistingRows
  ) {
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
    let writes = indices.map(\.index).filter { difference.executes(candidates[$0]) }
    try runPlain(writes)
    try runStandIns(writes)
    try runVariants()
    try comparePolicies(indices.map(\.index))
  }

  private func settle(_ index: Int, _ verdict: Verdict) {
    let owner = owners[index] ?? index
    if owner != index {
      if case .undecided = verdict { return }
      if case .broke = verdict, verdicts[owner] == .held { failing[owner] = candidates[index] }
    }
    switch verdicts[owner] {
    case nil, .held: verdicts[owner] = verdict
    case .broke(_, _, _, beyondEvidence: true):
      if case .broke(_, _, _, beyondEvidence: false) = verdict { verdicts[owner] = verdict }
    case .broke, .lostRows, .undecided: break
    }
  }

  // MARK: Plain values

  private var affected: [Int: Int] = [:]

  private func runPlain(_ indices: [Int]) throws {
    for index in indices { assignments[index] = try assignment(index) }
    let executions = indices.map { Trial.Execution(index: $0, parameters: assignments[$0]?.values ?? []) }
    let now = try after.execute(candidates, executions, roles: roles)
    let failed = zip(executions, now).filter { $0.1.error != nil }
    let control = try before.execute(candidates, failed.map(\.0), roles: roles)
    for (execution, result) in zip(executions, now) where result.error == nil {
      affected[execution.index] = result.affected
      settle(execution.index, .held)
    }
    for ((execution, result), earlier) in zip(failed, control) {
      guard let error = result.error else { continue }
      if let reason = earlier.error {
        try mendAndCompare(execution.index, reason)
      } else {
        settle(
          execution.index,
          .broke(error, parameters: execution.parameters, how: "with values made up", beyondEvidence: false))
      }
    }
  }

  /// Looks for values with which the statement runs before, then runs them after.
  private func mendAndCompare(_ index: Int, _ reason: PostgresError) throws {
    guard var assignment = assignments[index] else { return }
    let relation = difference.relations(candidates[index].reading.written, of: candidates[index]).first
    var last = reason
    for _ in 0..<Assignment.maximalTries {
      guard assignment.mend(last, on: relation) else { break }
      let execution = Trial.Execution(index: index, parameters: assignment.values)
      if let error = try before.execute(candidates, [execution], roles: roles)[0].error {
        last = error
        continue
      }
      assignments[index] = assignment
      let now = try after.execute(candidates, [execution], roles: roles)[0]
      if let error = now.error {
        settle(
          index, .broke(error, parameters: assignment.values, how: "with values made up", beyondEvidence: false))
      } else {
        affected[index] = now.affected
        settle(index, .held)
      }
      return
    }
    assignments[index] = nil
    settle(index, .undecided(last))
  }

  private func assignment(_ index: Int) throws -> Assignment {
    let candidate = candidates[index]
    let slots = (shapes[index]?.parameters ?? []).enumerated().map { place, type -> Assignment.Slot in
      let use = candidate.reading.uses[place + 1]
      var slot = Assignment.Slot(purpose: use?.purpose ?? .free, type: type)
      guard let use, use.column != nil || use.place != nil else { return slot }
      let tables = difference.relations(use.table.map { [$0] } ?? candidate.reading.tables, of: candidate)
      for relation in tables {
        guard
          let column = use.column.map({ relation.column($0) })
            ?? use.place.flatMap({
              relation.columns.indices.contains($0) ? relation.columns[$0] : nil
            })
        else { continue }
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
    let columns = assignment.slots.filter { $0.purpose == .written && $0.relation?.oid == relation.oid && !$0.isArray }
      .compactMap { $0.column?.name }
    let unique = columns.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    guard !unique.isEmpty else { return nil }
    let sets = unique.enumerated().map { "\(quoted($1)) = $\($0 + 1)" }.joined(separator: ", ")
    copy.text = "UPDATE \(relation.identifier) SET \(sets) WHERE ctid = (SELECT min(ctid) FROM \(relation.identifier))"
    for (place, column) in unique.enumerated() {
      copy.reading.uses[place + 1] = StatementReading.Use(purpose: .written, table: name, column: column)
    }
    return copy
  }

  // MARK: Variants

  private struct Variant {
    var execution: Trial.Execution
    var how: String
    var beyondEvidence: Bool
  }

  private func runVariants() throws {
    var variants: [Variant] = []
    for index in assignments.keys.sorted() where difference.touches(candidates[index]) {
      guard let assignment = assignments[index] else { continue }
      variants += try self.variants(of: index, assignment).prefix(Self.maximalVariants)
    }
    let now = try after.execute(candidates, variants.map(\.execution), roles: roles)
    let failed = zip(variants, now).filter { $0.1.error != nil }
    let control = try before.execute(candidates, failed.map(\.0.execution), roles: roles)
    for ((variant, result), earlier) in zip(failed, control) where earlier.error == nil {
      guard let error = result.error else { continue }
      settle(
        variant.execution.index,
        .broke(
          error, parameters: variant.execution.parameters, how: variant.how, beyondEvidence: variant.beyondEvidence))
    }
  }

  private func variants(of index: Int, _ assignment: Assignment) throws -> [Variant] {
    let samples = candidates[index].statement.samples
    var found = recorded(samples, index, assignment)
    for (place, slot) in assignment.slots.enumerated() where slot.purpose == .written {
      guard let relation = slot.relation, let column = slot.column else { continue }
      guard difference.restricted(relation).contains(where: { $0.number == column.number }) else { continue }
      let constraints = difference.newConstraints(relation).filter {
        $0.kind == "c" && $0.columns.contains(column.name)
      }
      let special = PlausibleValue(schema: difference.before).boundaries(column)
      let constants = constraints.flatMap { PlausibleValue.constants(in: $0.definition) }
      var values: [(String?, String)] = (special + constants).map { ($0, "with \(Self.shown($0)) for \(column.name)") }
      if !column.notNull { values.insert((nil, "with NULL for \(column.name)"), at: 0) }
      for (value, how) in values {
        let beyond = samples.count >= Self.telling && !samples.contains { Self.shows($0, place, value) }
        found.append(
          Variant(
            execution: .init(index: index, parameters: assignment.with(value, at: place)), how: how,
            beyondEvidence: beyond))
      }
    }
    return found + (try collisions(index, assignment))
  }

  static func shown(_ value: String) -> String {
    value.isEmpty ? "an empty text" : value.count > 40 ? "\(value.count) characters" : value
  }

  /// Values as they were sent, but for those that find or refer to rows: the shadow has other rows.
  private func recorded(_ samples: [[SampleValue]], _ index: Int, _ assignment: Assignment) -> [Variant] {
    samples.filter { $0.count == assignment.slots.count }.map { sample in
      var values = assignment.values
      for (place, value) in sample.enumerated() {
        let slot = assignment.slots[place]
        let refers = slot.relation?.constraints.contains {
          $0.kind == "f" && $0.columns.contains(slot.column?.name ?? "")
        }
        guard slot.purpose == .written, refers != true else { continue }
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
      return Variant(
        execution: .init(index: index, parameters: values), how: "with recorded values", beyondEvidence: false)
    }
  }

  private static func shows(_ sample: [SampleValue], _ place: Int, _ value: String?) -> Bool {
    guard sample.indices.contains(place) else { return false }
    switch (sample[place], value) {
    case (.null, nil): return true
    case (.text(let text), let value?): return text == value
    case (.redacted(let bytes), let value?): return bytes == value.utf8.count
    default: return false
    }
  }

  /// Values of a row that is there, for indexes that became unique: of the first row for a new one, of the second for
  /// an update of the first.
  private func collisions(_ index: Int, _ assignment: Assignment) throws -> [Variant] {
    var found: [Variant] = []
    for relation in difference.relations(candidates[index].reading.written, of: candidates[index]) {
      for unique in difference.newUniqueIndexes(relation) {
        let isUpdate = candidates[index].reading.kind == .update
        guard let row = isUpdate ? try rows.second(of: relation) : try rows.first(of: relation) else { continue }
        var values = assignment.values
        var bound = 0
        for (place, slot) in assignment.slots.enumerated() where slot.purpose == .written {
          guard slot.relation?.oid == relation.oid, let column = slot.column, !slot.isArray else { continue }
          // An index over an expression names no columns: all that is written may be in it.
          guard unique.columns.contains(column.name) || unique.columns.isEmpty else { continue }
          values[place] = row[column.name] ?? nil
          bound += 1
        }
        if bound > 0 {
          found.append(
            Variant(
              execution: .init(index: index, parameters: values),
              how: "with the values of a row that is there", beyondEvidence: false))
        }
      }
    }
    return found
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
