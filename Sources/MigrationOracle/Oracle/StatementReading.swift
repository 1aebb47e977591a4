/// What a captured statement is about, from its tree: which tables it reads and writes, and what each of its parameters
/// is for. Names are as written; which table they mean, the schema and the search path say.
struct StatementReading: Equatable, Sendable {
  enum Kind: Equatable, Sendable {
    case read
    case insert
    case update
    case delete
    /// MERGE, CALL, TRUNCATE, REFRESH and others that are executed as they are.
    case other
    /// BEGIN, SET, LISTEN, …: no names of the schema, or none that can be run on trial.
    case session
    /// The grammar that we have does not read it; the server may.
    case unreadable
  }

  struct Name: Hashable, Sendable {
    var schema: String?
    var name: String
  }

  struct Use: Equatable, Sendable {
    var purpose: Assignment.Purpose
    /// nil: the table that the column name fits.
    var table: Name?
    /// nil with `place`: the column at that place of the table, from 0.
    var column: String?
    var place: Int?
    var isArray = false
    /// The value reaches the column through an expression: `NULLIF($1, '')`, `total + $1`.
    var isThrough = false
  }

  /// A column of a row that is there, whose value a write passes on: `INSERT INTO a (b) SELECT c FROM d`.
  struct Source: Hashable, Sendable {
    var target: Name
    /// nil: the column at `place` of the table.
    var column: String?
    var place: Int?
    /// nil: the table that the column's name fits.
    var table: Name?
    /// `star`: every column goes to the one at its place.
    var name: String

    static let star = "*"
  }

  var kind: Kind
  var written: [Name] = []
  var tables: [Name] = []
  var functions: Set<String> = []
  /// By parameter number, from 1.
  var uses: [Int: Use] = [:]
  /// What is tried in its place, where the statement itself cannot be prepared: COPY.
  var surrogate: String?
  /// `SELECT *` or `RETURNING *`: its columns are whatever the table has.
  var hasStar = false
  /// Values in the order of the table's columns, for an INSERT that names no columns: how many; nil where it does.
  var unnamedValues: Int?
  /// Whether it brings new rows, as far as its text says.
  var inserts = false
  /// Columns that an UPDATE or an INSERT names as its targets.
  var assigned: Set<String> = []
  var sources: [Source] = []
  var updatesOnConflict = false
  /// The table that `COPY … FROM` without a list of columns fills: each line must have exactly its columns.
  var copied: Name?

  /// Of the statement that is tried: COPY is read as its surrogate.
  static func of(_ text: String) -> StatementReading {
    let reading = StatementReading(text)
    guard let surrogate = reading.surrogate else { return reading }
    var other = StatementReading(surrogate)
    other.surrogate = surrogate
    return other
  }

  private init(_ text: String) {
    guard let tree = (try? SQLParser.parse(text))?.first, let node = tree.node else {
      kind = .unreadable
      return
    }
    switch node.kind {
    case "SelectStmt": kind = .read
    case "InsertStmt": kind = .insert
    case "UpdateStmt": kind = .update
    case "DeleteStmt": kind = .delete
    case "MergeStmt", "CallStmt", "TruncateStmt", "RefreshMatViewStmt", "LockStmt", "DoStmt": kind = .other
    case "CopyStmt":
      kind = .session
      surrogate = Self.surrogate(node.fields)
      if surrogate == nil, let relation = node.fields["relation"], let name = relation.string("relname") {
        copied = Name(schema: relation.string("schemaname"), name: name)
      }
    default: kind = .session
    }
    var collector = Collector()
    collector.visit(tree)
    if kind == .read, !collector.written.isEmpty { kind = .other }
    if kind != .session { written = collector.written }
    tables = collector.tables
    functions = collector.functions
    uses = collector.uses
    hasStar = collector.hasStar
    unnamedValues = collector.unnamedValues
    inserts = collector.inserts
    assigned = collector.assigned
    sources = collector.sources
    updatesOnConflict = collector.updatesOnConflict
  }

  /// A COPY that names no columns, as if it named those of the table before the migration.
  mutating func copies(_ columns: [String]) {
    guard let name = copied else { return }
    let table = (name.schema.map { quoted($0) + "." } ?? "") + quoted(name.name)
    let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
    let insert = "INSERT INTO \(table) (\(columns.map(quoted).joined(separator: ", "))) VALUES (\(places))"
    var reading = StatementReading(insert)
    reading.surrogate = insert
    reading.copied = name
    self = reading
  }

  /// Its tables, those that it only reads first: a name without a table is most likely of one of them.
  var readTables: [Name] { tables.filter { !written.contains($0) } + tables.filter { written.contains($0) } }

  /// Whether it changes rows, or may: it is executed on trial.
  var isWrite: Bool { kind != .read && kind != .session }

  /// COPY cannot be prepared. An INSERT or a SELECT of the same columns has the same needs; which columns a COPY from a
  /// client has that names none, `copies(_:)` is told.
  private static func surrogate(_ copy: SQLNode) -> String? {
    guard let relation = copy["relation"], let name = relation.string("relname") else { return nil }
    let identifier = (relation.string("schemaname").map { quoted($0) + "." } ?? "") + quoted(name)
    let columns = copy.items("attlist").flatMap(\.names)
    let list = columns.map(quoted).joined(separator: ", ")
    guard copy.isTrue("is_from") else { return "SELECT \(columns.isEmpty ? "*" : list) FROM \(identifier)" }
    let places = columns.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
    return columns.isEmpty ? nil : "INSERT INTO \(identifier) (\(list)) VALUES (\(places))"
  }
}

/// Walks a statement's tree once.
private struct Collector {
  var written: [StatementReading.Name] = []
  var tables: [StatementReading.Name] = []
  var functions: Set<String> = []
  var uses: [Int: StatementReading.Use] = [:]
  var hasStar = false
  var unnamedValues: Int?
  var inserts = false
  var assigned: Set<String> = []
  var sources: [StatementReading.Source] = []
  var updatesOnConflict = false
  private var aliases: [String: StatementReading.Name] = [:]

  mutating func visit(_ tree: SQLNode) {
    var found: [(String, SQLNode)] = []
    tree.walk { kind, fields in found.append((kind, fields)) }
    let ctes = Set(found.filter { $0.0 == "CommonTableExpr" }.compactMap { $0.1.string("ctename") })
    for (kind, fields) in found {
      switch kind {
      case "RangeVar": note(fields, ctes: ctes)
      case "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt":
        if let relation = fields["relation"], let name = Self.name(relation) {
          note(relation, ctes: [])
          written.append(name)
        }
      case "TruncateStmt":
        written += fields.items("relations").compactMap { $0.fields(of: "RangeVar") }.compactMap(Self.name)
      case "FuncCall":
        if let name = fields["funcname"]?.names.last { functions.insert(name) }
      case "A_Star": hasStar = true
      default: break
      }
    }
    for (kind, fields) in found {
      switch kind {
      case "InsertStmt": insert(fields)
      case "UpdateStmt": assign(fields.items("targetList"), in: fields["relation"].flatMap(Self.name))
      case "A_Expr": compare(fields)
      case "SelectStmt": limit(fields)
      default: break
      }
    }
  }

  private static func name(_ relation: SQLNode) -> StatementReading.Name? {
    relation.string("relname").map { StatementReading.Name(schema: relation.string("schemaname"), name: $0) }
  }

  private mutating func note(_ relation: SQLNode, ctes: Set<String>) {
    guard let name = Self.name(relation), name.schema != nil || !ctes.contains(name.name) else { return }
    if !tables.contains(name) { tables.append(name) }
    aliases[relation["alias"]?.string("aliasname") ?? name.name] = name
  }

  private mutating func use(_ node: SQLNode, _ use: StatementReading.Use) {
    for number in Self.parameters(node) where isOpen(number) { uses[number] = use }
  }

  private func isOpen(_ number: Int) -> Bool {
    uses[number].map { $0.purpose == .free || $0.isThrough } ?? true
  }

  /// What is stored in a column: its parameters, those that reach it through an expression, and columns of other rows.
  private mutating func store(_ node: SQLNode, _ use: StatementReading.Use) {
    self.use(node, use)
    guard let table = use.table, node.kind != "ParamRef" else { return }
    var through = use
    through.isThrough = true
    node.walk { kind, fields in
      if kind == "ParamRef", let number = fields.integer("number"), uses[number] == nil { uses[number] = through }
      guard kind == "ColumnRef", let name = fields["fields"]?.names.last else { return }
      let parts = fields["fields"]?.names ?? []
      let qualifier = parts.count > 1 ? parts[parts.count - 2] : nil
      // `excluded` is the row that the statement itself brings.
      guard qualifier != "excluded" else { return }
      sources.append(
        StatementReading.Source(
          target: table, column: use.column, place: use.place, table: qualifier.flatMap { aliases[$0] }, name: name))
    }
  }

  /// Parameters that a value passes on unchanged or nearly so: casts, COALESCE, NULLIF, lower().
  private static func parameters(_ node: SQLNode) -> [Int] {
    guard let (kind, fields) = node.node else { return [] }
    switch kind {
    case "ParamRef": return [fields.integer("number") ?? 0]
    case "TypeCast": return fields["arg"].map(parameters) ?? []
    case "CollateClause": return fields["arg"].map(parameters) ?? []
    case "CoalesceExpr": return fields.items("args").flatMap(parameters)
    case "FuncCall":
      let passing: Set<String> = ["lower", "upper", "trim", "btrim", "coalesce", "nullif", "unnest"]
      return passing.contains(fields["funcname"]?.names.last ?? "")
        ? fields.items("args").prefix(1).flatMap(parameters) : []
    default: return []
    }
  }

  private mutating func insert(_ fields: SQLNode) {
    guard let table = fields["relation"].flatMap(Self.name) else { return }
    let columns = fields.items("cols").compactMap { $0.fields(of: "ResTarget")?.string("name") }
    assigned.formUnion(columns)
    inserts = true
    func target(_ place: Int, array: Bool = false) -> StatementReading.Use {
      let column = columns.indices.contains(place) ? columns[place] : nil
      return StatementReading.Use(
        purpose: .written, table: table, column: column, place: column == nil ? place : nil, isArray: array)
    }
    if let select = fields["selectStmt"]?.fields(of: "SelectStmt") {
      if columns.isEmpty {
        let row = select.items("valuesLists").first?.fields(of: "List")?.items("items")
        let hasStar = select.items("targetList").contains {
          $0.fields(of: "ResTarget")?["val"]?.fields(of: "ColumnRef")?.items("fields").last?.kind == "A_Star"
        }
        unnamedValues = row?.count ?? (hasStar ? Int.max : select.items("targetList").count)
      }
      for row in select.items("valuesLists") {
        for (place, value) in (row.fields(of: "List")?.items("items") ?? []).enumerated() {
          store(value, target(place))
        }
      }
      let arrays = Self.unnested(select)
      for (place, value) in select.items("targetList").enumerated() {
        guard let value = value.fields(of: "ResTarget")?["val"] else { continue }
        if let call = value.fields(of: "FuncCall"), call["funcname"]?.names.last == "unnest" {
          use(value, target(place, array: true))
        } else if let reference = value.fields(of: "ColumnRef") {
          let parts = reference.items("fields")
          if parts.last?.kind == "A_Star" {
            for array in arrays { use(array.node, target(array.place, array: true)) }
            if arrays.isEmpty, columns.isEmpty, let from = select.items("fromClause").first?.fields(of: "RangeVar") {
              sources.append(
                StatementReading.Source(target: table, table: Self.name(from), name: StatementReading.Source.star))
            }
          } else if let name = parts.last?.names.first, let array = arrays.first(where: { $0.name == name }) {
            use(array.node, target(place, array: true))
          } else {
            store(value, target(place))
          }
        } else {
          store(value, target(place))
        }
      }
    }
    let updates = fields["onConflictClause"]?.items("targetList") ?? []
    updatesOnConflict = updatesOnConflict || !updates.isEmpty
    assign(updates, in: table)
  }

  /// The arguments of `FROM unnest($1, $2) AS u(a, b)`, with the names they get.
  private static func unnested(_ select: SQLNode) -> [(place: Int, name: String?, node: SQLNode)] {
    select.items("fromClause").compactMap { $0.fields(of: "RangeFunction") }.flatMap { range in
      let names = range["alias"]?["colnames"]?.names ?? []
      let alias = range["alias"]?.string("aliasname")
      let calls = range.items("functions").flatMap { $0.fields(of: "List")?.items("items") ?? [] }
      let arguments = calls.compactMap { $0.fields(of: "FuncCall") }.filter { $0["funcname"]?.names.last == "unnest" }
        .flatMap { $0.items("args") }
      return arguments.enumerated().map { place, node in
        (place, names.indices.contains(place) ? names[place] : arguments.count == 1 ? alias : nil, node)
      }
    }
  }

  private mutating func assign(_ targets: [SQLNode], in table: StatementReading.Name?) {
    for target in targets.compactMap({ $0.fields(of: "ResTarget") }) {
      guard let column = target.string("name"), let value = target["val"] else { continue }
      var source = value
      if let part = value.fields(of: "MultiAssignRef"), let place = part.integer("colno"),
        let row = part["source"]?.fields(of: "RowExpr")?.items("args"), row.indices.contains(place - 1)
      {
        source = row[place - 1]
      }
      assigned.insert(column)
      store(source, StatementReading.Use(purpose: .written, table: table, column: column))
    }
  }

  private mutating func compare(_ fields: SQLNode) {
    let name = fields["name"]?.names.first ?? ""
    guard ["=", "<=", ">=", "~~", "~~*"].contains(name), fields.string("kind") != "AEXPR_NULLIF",
      let left = fields["lexpr"], let right = fields["rexpr"]
    else {
      return
    }
    let any = fields.string("kind") == "AEXPR_OP_ANY"
    for (one, other) in [(left, right), (right, left)] {
      guard let parts = Self.column(one) else { continue }
      let table = parts.count > 1 ? aliases[parts[parts.count - 2]] : nil
      let use = StatementReading.Use(purpose: .matched, table: table, column: parts.last, isArray: any)
      self.use(other, use)
      for item in other.items + (other.fields(of: "List")?.items("items") ?? []) { self.use(item, use) }
    }
  }

  private static func column(_ node: SQLNode) -> [String]? {
    switch node.node?.kind {
    case "ColumnRef":
      let parts = node.fields(of: "ColumnRef")?["fields"]?.names ?? []
      return parts.isEmpty ? nil : parts
    case "TypeCast": return node.fields(of: "TypeCast")?["arg"].flatMap(column)
    case "FuncCall":
      let call = node.fields(of: "FuncCall")
      return call?.items("args").count == 1 ? call?.items("args").first.flatMap(column) : nil
    default: return nil
    }
  }

  private mutating func limit(_ fields: SQLNode) {
    for place in ["limitCount", "limitOffset"] {
      if let node = fields[place] { use(node, StatementReading.Use(purpose: .free)) }
    }
  }
}
