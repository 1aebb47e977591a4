/// Rows put into the tables that a history left empty, so that a migration meets data: two in each table where its
/// constraints allow it, parents before children.
struct SeededRows {
  private(set) var tables: Set<UInt32> = []
  /// Tables that stayed empty, and why.
  private(set) var gaps: [(table: String, reason: String)] = []

  private let connection: PostgresConnection
  private let schema: Schema
  private let rows: ExistingRows

  static func sow(_ connection: PostgresConnection, schema: Schema) throws -> SeededRows {
    var seeded = SeededRows(connection: connection, schema: schema, rows: ExistingRows(connection))
    for table in seeded.inOrderOfKeys() { try seeded.fill(table) }
    return seeded
  }

  private init(connection: PostgresConnection, schema: Schema, rows: ExistingRows) {
    self.connection = connection
    self.schema = schema
    self.rows = rows
  }

  /// Parents first; tables that refer to each other come in the order of their names.
  private func inOrderOfKeys() -> [Schema.Relation] {
    let tables = schema.relations.filter(\.isTable)
    var done: Set<UInt32> = []
    var order: [Schema.Relation] = []
    func visit(_ table: Schema.Relation, _ path: Set<UInt32>) {
      guard !done.contains(table.oid), !path.contains(table.oid) else { return }
      let targets = Set(table.constraints.filter { $0.kind == "f" }.map(\.target))
      for parent in tables where targets.contains(parent.oid) { visit(parent, path.union([table.oid])) }
      done.insert(table.oid)
      order.append(table)
    }
    for table in tables { visit(table, []) }
    return order
  }

  private mutating func fill(_ table: Schema.Relation) throws {
    guard try rows.first(of: table) == nil else { return }
    for turn in 0..<ExistingRows.kept {
      let failure = try insert(into: table, turn: turn)
      if let failure, turn == 0 { gaps.append((table.label, failure.description)) }
      if failure == nil { tables.insert(table.oid) }
    }
    rows.forget(table)
  }

  private func insert(into table: Schema.Relation, turn: Int) throws -> PostgresError? {
    let columns = table.columns.filter { !$0.generatedAlways && $0.defaultText == nil && $0.identity.isEmpty }
    let number = PlausibleValue.firstNumber - 1000 + turn * 100
    var assignment = try Assignment(
      columns.map { Assignment.Slot(purpose: .written, type: $0.type, relation: table, column: $0) }, schema: schema,
      rows: rows, number: number)
    // A row that refers to its own table refers to itself, or to nothing.
    for (index, column) in columns.enumerated() {
      guard let key = table.constraints.first(where: { $0.target == table.oid && $0.columns == [column.name] }) else {
        continue
      }
      let target = columns.firstIndex { [$0.name] == key.targetColumns }
      assignment.slots[index].value = column.notNull ? target.flatMap { assignment.slots[$0].value } : nil
    }
    let names = columns.map { quoted($0.name) }.joined(separator: ", ")
    let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
    let sql =
      columns.isEmpty
      ? "INSERT INTO \(table.identifier) DEFAULT VALUES"
      : "INSERT INTO \(table.identifier) (\(names)) VALUES (\(places))"
    var last: PostgresError?
    for _ in 0..<Assignment.maximalTries {
      do {
        try connection.query(sql, assignment.values)
        return nil
      } catch let error as PostgresError {
        last = error
        if !assignment.mend(error, on: table) { break }
      }
    }
    // A trigger of the application's may ask for more than a row: without triggers, and without foreign keys' checks.
    do {
      try connection.query("SET session_replication_role = replica")
      defer { _ = try? connection.query("RESET session_replication_role") }
      try connection.query(sql, assignment.values)
      return nil
    } catch let error as PostgresError {
      return last ?? error
    }
  }
}
