/// The values of one execution: of a seeded row's columns, or of a statement's parameters. Made plausible from the
/// schema, and mended from what the server says against them.
struct Assignment {
  /// What a value is for.
  enum Purpose: Equatable {
    /// It is stored in a column.
    case written
    /// A row is found by it.
    case matched
    /// Only its type is known.
    case free
  }

  struct Slot {
    var purpose: Purpose
    /// The type that the server infers; 0 where it does not matter.
    var type: UInt32
    var relation: Schema.Relation?
    var column: Schema.Column?
    /// The parameter is an array whose elements go to the column.
    var isArray = false
    /// Where the value goes through an expression; its own type is then another matter.
    var reaches: (relation: Schema.Relation, column: Schema.Column)?
    var value: String?
  }

  var slots: [Slot]
  private let schema: Schema
  private let rows: ExistingRows
  private var number: Int
  private var rotations: [String: Int] = [:]

  /// Tries to satisfy constraints before a row or a statement is given up: most checks name fewer constants.
  static let maximalTries = 24
  /// Texts that common checks ask for: an address, a link, a name, a number, a digest's length.
  private static let commonTexts = [
    "1", "0", "a", "abc", "a@example.org", "https://example.org/a", "/a", "en", "{}", "2024-01-01",
    String(repeating: "a", count: 32), String(repeating: "a", count: 40), String(repeating: "a", count: 64),
  ]

  /// - Parameter number: tells this assignment's fresh values from others'.
  init(_ slots: [Slot], schema: Schema, rows: ExistingRows, number: Int) throws {
    self.slots = slots
    self.schema = schema
    self.rows = rows
    self.number = number
    for index in slots.indices { self.slots[index].value = try plain(index) }
  }

  var values: [String?] { slots.map(\.value) }

  /// A copy in which one slot has another value.
  func with(_ value: String?, at index: Int, in values: [String?]? = nil) -> [String?] {
    var copy = values ?? self.values
    copy[index] = slots[index].isArray ? value.map { "{\(PlausibleValue.arrayElement($0))}" } ?? "{NULL}" : value
    return copy
  }

  private func plain(_ index: Int) throws -> String? {
    let slot = slots[index]
    guard let relation = slot.relation, let column = slot.column else {
      return PlausibleValue(schema: schema).fresh(slot.type, number: slot.purpose == .free ? 1 : number)
    }
    var value: String?
    if slot.purpose == .matched {
      value = try rows.first(of: relation)?[column.name] ?? nil
    } else if let key = relation.constraints.first(where: { $0.kind == "f" && $0.columns.contains(column.name) }),
      let place = key.columns.firstIndex(of: column.name), let target = schema.relation(key.target),
      target.oid != relation.oid
    {
      value = try rows.first(of: target)?[key.targetColumns[place]] ?? nil
    }
    value = value ?? PlausibleValue(schema: schema).fresh(column.type, modifier: column.modifier, number: number)
    guard slot.isArray else { return value }
    return value.map { "{\(PlausibleValue.arrayElement($0))}" } ?? "{}"
  }

  /// Changes values after an error, where it says enough.
  /// - Returns: false when there is nothing left to try.
  mutating func mend(_ error: PostgresError, on relation: Schema.Relation?) -> Bool {
    let relation =
      error.table.flatMap { name in
        schema.relations.first { $0.name == name && (error.schema == nil || $0.schema == error.schema) }
      } ?? relation
    let constraint = relation?.constraints.first { $0.name == error.constraint }
    switch error.sqlState {
    case "23514": return rotate(constraint?.columns ?? [], by: constraint?.definition ?? domainChecks(error))
    case "23505", "23P01":
      let columns = constraint?.columns ?? relation?.indexes.first { $0.name == error.constraint }?.columns ?? []
      return freshen(columns)
    case "23503": return empty(constraint?.columns ?? [])
    case "22001", "22003": return freshen(slots.compactMap { $0.purpose == .written ? $0.column?.name : nil })
    case "22P02", "22007", "22008", "2201X", "22023", "22012": return rotate([], by: "")
    default: return false
    }
  }

  private func domainChecks(_ error: PostgresError) -> String {
    schema.types.values.filter { $0.kind == "d" && error.message.contains($0.name) }.map(\.checks).sorted().joined()
  }

  /// Gives the columns' slots, or all free ones, the next of the constants that a check names.
  private mutating func rotate(_ columns: [String], by definition: String) -> Bool {
    let candidates = PlausibleValue.constants(in: definition) + Self.commonTexts
    let turn = rotations[definition, default: 0]
    let affected = slots.indices.filter { index in
      columns.isEmpty
        ? slots[index].column == nil || !definition.isEmpty
        : slots[index].purpose == .written && columns.contains(slots[index].column?.name ?? "")
    }
    guard turn < candidates.count, !affected.isEmpty else { return false }
    rotations[definition] = turn + 1
    for index in affected {
      // An enum, a boolean or a date does not take a check's texts: they keep their plausible value.
      guard takes(candidates[turn], index) else { continue }
      slots[index].value =
        slots[index].isArray ? "{\(PlausibleValue.arrayElement(candidates[turn]))}" : candidates[turn]
    }
    return true
  }

  private func takes(_ text: String, _ index: Int) -> Bool {
    let type = schema.base(of: slots[index].column?.type ?? slots[index].type)
    guard let entry = schema.types[type] else { return true }
    switch entry.category {
    case "N": return Double(text) != nil
    case "S", "U": return true
    default: return entry.kind == "e" ? entry.labels.contains(text) : false
    }
  }

  /// A row that refers to none, where it need not.
  private mutating func empty(_ columns: [String]) -> Bool {
    let affected = slots.indices.filter { index in
      guard let column = slots[index].column, slots[index].purpose == .written else { return false }
      return columns.contains(column.name) && !column.notNull && slots[index].value != nil
    }
    for index in affected { slots[index].value = nil }
    return !affected.isEmpty
  }

  /// A value that refers to another table's row stays: a fresh one would refer to none.
  private mutating func freshen(_ columns: [String]) -> Bool {
    number += 1
    let affected = slots.indices.filter { index in
      let slot = slots[index]
      guard slot.purpose == .written, let name = slot.column?.name, columns.contains(name) else { return false }
      return slot.relation?.refersElsewhere(name) != true
    }
    for index in affected {
      guard let column = slots[index].column else { continue }
      let value = PlausibleValue(schema: schema).fresh(column.type, modifier: column.modifier, number: number)
      slots[index].value = slots[index].isArray ? value.map { "{\(PlausibleValue.arrayElement($0))}" } : value
    }
    return !affected.isEmpty
  }
}

extension Schema.Relation {
  /// Whether a column's values are keys of another table.
  func refersElsewhere(_ column: String) -> Bool {
    constraints.contains { $0.kind == "f" && $0.target != oid && $0.columns.contains(column) }
  }
}

/// Rows that a shadow has, at most two of each table, in text; read when they are first asked for.
final class ExistingRows {
  static let kept = 2

  /// By the table's OID.
  typealias Known = [UInt32: [[String: String?]]]

  private let connect: () throws -> PostgresConnection
  private var opened: PostgresConnection?
  private var known: Known

  init(_ connection: PostgresConnection) {
    connect = { connection }
    known = [:]
  }

  /// - Parameters:
  ///   - known: rows that were read before; tables that are not among them are read when they are asked for.
  ///   - connect: called at most once.
  init(_ known: Known, connect: @escaping () throws -> PostgresConnection) {
    self.known = known
    self.connect = connect
  }

  /// All tables' rows, in one round trip.
  static func read(_ connection: PostgresConnection, _ tables: [Schema.Relation]) throws -> Known {
    let replies = try connection.pipeline(tables.map { [.run(query($0))] })
    var known: Known = [:]
    for (table, reply) in zip(tables, replies) where reply.error == nil {
      known[table.oid] = reply.answers.first.map(rows) ?? []
    }
    return known
  }

  func first(of relation: Schema.Relation) throws -> [String: String?]? { try all(of: relation).first }
  func second(of relation: Schema.Relation) throws -> [String: String?]? { try all(of: relation).dropFirst().first }

  func forget(_ relation: Schema.Relation) { known[relation.oid] = nil }

  private func all(of relation: Schema.Relation) throws -> [[String: String?]] {
    if let rows = known[relation.oid] { return rows }
    var rows: [[String: String?]] = []
    // Read as the shadow's owner, who sees every row; a view that fails to run simply has none.
    do {
      let connection = try opened ?? connect()
      opened = connection
      rows = Self.rows(try connection.query(Self.query(relation)))
    } catch let error as PostgresError {
      guard !error.isOutage else { throw error }
    }
    known[relation.oid] = rows
    return rows
  }

  private static func query(_ relation: Schema.Relation) -> String {
    "SELECT * FROM \(relation.identifier) LIMIT \(kept)"
  }

  private static func rows(_ answer: PostgresAnswer) -> [[String: String?]] {
    let names = answer.shape.columns.map(\.name)
    return answer.rows.map { Dictionary(zip(names, $0)) { first, _ in first } }
  }
}
