import Migrations

/// L4: what the old version reads differently, and what new code may now write that the old one does not know
/// (research §2.1, relation R3).
struct ReaderHazards {
  struct Judgement: Sendable {
    var kind: Finding.Kind
    var rule: String
    var message: String
    var instead: String
    var probe: Attribution.Probe
  }

  let difference: SchemaDifference

  private static let readFirst = "Deploy a version that reads it first; let new code write it after that."

  /// - Parameters: the statement's shapes on the two schemas.
  func judge(
    _ candidate: Candidate, role: String, before: StatementShape, after: StatementShape
  ) -> [Judgement] {
    var found: [Judgement] = []
    let shapeProbe = Attribution.Probe.shape(candidate, role: role, columns: before.columns)
    let names = after.columns.map(\.name)
    for column in before.columns where column.name != "?column?" && !names.contains(column.name) {
      found.append(
        Judgement(
          kind: .breaks, rule: "result-column-lost", message: "the result has no column \(column.name) any more",
          instead: Advice.byState("42703"), probe: shapeProbe))
    }
    let places = after.columns.prefix(before.columns.count).map(\.name)
    if candidate.reading.hasStar, found.isEmpty, places != before.columns.map(\.name) {
      found.append(
        Judgement(
          kind: .hazard, rule: "result-order-changed",
          message: "its columns came as \(before.columns.map(\.name).joined(separator: ", ")) and come as"
            + " \(names.joined(separator: ", ")): code that reads them by place reads others",
          instead: "Name the columns in the SELECT first; drop a column when no live version relies on their order.",
          probe: shapeProbe))
    }
    for (place, type) in before.parameters.enumerated() where after.parameters.indices.contains(place) {
      if let change = parameterChange(type, after.parameters[place]) {
        found.append(
          Judgement(
            kind: change.kind, rule: "parameter-type-changed",
            message: "the parameter $\(place + 1) was of type \(change.from) and is of type \(change.to)",
            instead: Advice.byState("42804"), probe: .condition("SELECT false")))
      }
    }
    var taken: Set<Int> = []
    for column in before.columns {
      guard
        let place = after.columns.indices.first(where: { !taken.contains($0) && after.columns[$0].name == column.name })
      else { continue }
      taken.insert(place)
      found += judge(column, after.columns[place], shapeProbe)
    }
    return found
  }

  private func judge(
    _ column: StatementShape.Column, _ now: StatementShape.Column, _ probe: Attribution.Probe
  ) -> [Judgement] {
    var found: [Judgement] = []
    let name = label(column)
    let from = typeName(difference.before, column.type)
    let to = typeName(difference.after, now.type)
    if column.type != now.type, !(PostgresType.strings.contains(column.type) && PostgresType.strings.contains(now.type))
    {
      found.append(
        Judgement(
          kind: .hazard, rule: widens(column.type, now.type) ? "type-widened" : "result-type-changed",
          message: "\(name) was of type \(from) and is of type \(to): an old reader may not decode it",
          instead: Advice.byState("42804"), probe: probe))
    } else if column.type == now.type, column.modifier >= 0, now.modifier < 0 || now.modifier > column.modifier {
      found.append(
        Judgement(
          kind: .hazard, rule: "type-widened", message: "\(name) may now hold values that did not fit before",
          instead: Self.readFirst, probe: probe))
    }
    found += labels(column.type, name)
    return found + source(column, name)
  }

  private func labels(_ type: UInt32, _ name: String) -> [Judgement] {
    let element = difference.before.types[type]?.element ?? 0
    let base = difference.before.base(of: element == 0 ? type : element)
    guard let entry = difference.before.types[base], entry.kind == "e", let now = difference.after.types[base] else {
      return []
    }
    let added = now.labels.filter { !entry.labels.contains($0) }
    guard let first = added.first else { return [] }
    return [
      Judgement(
        kind: .hazard, rule: "enum-label-added",
        message: "\(name) may now be \(added.joined(separator: ", ")), which an old reader does not know",
        instead: Self.readFirst,
        probe: .condition(
          "SELECT bool_or(enumlabel = \(literal(first))) FROM pg_enum WHERE enumtypid = \(base)"))
    ]
  }

  /// What the column's own table says of it.
  private func source(_ column: StatementShape.Column, _ name: String) -> [Judgement] {
    guard column.relation != 0, let relation = difference.was(column.relation),
      let was = relation.column(number: column.number), let table = difference.now(column.relation)
    else { return [] }
    var found: [Judgement] = []
    if was.notNull, let now = table.column(number: column.number), !now.notNull {
      found.append(
        Judgement(
          kind: .hazard, rule: "not-null-dropped", message: "\(name) may now be NULL, which an old reader never met",
          instead: Self.readFirst,
          probe: .condition(
            "SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = \(relation.oid) AND attnum = \(was.number)")))
    }
    let definitions = Set(table.constraints.map(\.definition))
    for constraint in relation.constraints where constraint.columns.contains(was.name) {
      guard !definitions.contains(constraint.definition), ["c", "f"].contains(constraint.kind) else { continue }
      // A column that got another name keeps its rule under it.
      guard table.column(number: was.number)?.name == was.name else { continue }
      let isKey = constraint.kind == "f"
      found.append(
        Judgement(
          kind: .hazard, rule: isKey ? "foreign-key-dropped" : "check-dropped",
          message: isKey
            ? "\(name) may now name a row that does not exist: an old reader that joins along it loses rows"
            : "\(name) may now hold what the check \(constraint.name) refused",
          instead: Self.readFirst,
          probe: .condition("SELECT count(*) = 0 FROM pg_constraint WHERE oid = \(constraint.oid)")))
    }
    return found
  }

  private func label(_ column: StatementShape.Column) -> String {
    guard let relation = difference.was(column.relation),
      let source = relation.column(number: column.number)
    else { return column.name }
    return "\(relation.label).\(source.name)"
  }

  private func typeName(_ schema: Schema, _ type: UInt32) -> String { schema.types[type]?.label ?? "oid \(type)" }

  private func widens(_ type: UInt32, _ now: UInt32) -> Bool {
    guard let from = PostgresType.integers.firstIndex(of: type) else { return false }
    return now == PostgresType.numeric || (PostgresType.integers.firstIndex(of: now) ?? -1) > from
  }

  /// A driver that encodes by the type it is told of sends another encoding; one that names its types is met at L1.
  private func parameterChange(_ type: UInt32, _ now: UInt32) -> (kind: Finding.Kind, from: String, to: String)? {
    guard type != now, !(PostgresType.strings.contains(type) && PostgresType.strings.contains(now)) else { return nil }
    let (from, to) = (typeName(difference.before, type), typeName(difference.after, now))
    // A number is still a number to nearly all drivers; a type that was made anew under its name is the same to all.
    let near = difference.before.types[type]?.category == "N" && difference.after.types[now]?.category == "N"
    return from == to ? nil : (near ? .note : .hazard, from, to)
  }
}
