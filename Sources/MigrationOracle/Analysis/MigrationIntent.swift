/// What a migration as a whole will have made, read before its first statement is judged: a table that is renamed and
/// comes back as a view, a constraint that is dropped and put back, is no loss.
struct MigrationIntent {
  private(set) var views: Set<String> = []
  private(set) var tables: Set<String> = []
  private(set) var types: Set<String> = []
  private(set) var functions: Set<String> = []
  private(set) var indexes: Set<String> = []
  private(set) var granted: Set<String> = []
  private(set) var constraints: Set<Part> = []
  private(set) var triggers: Set<Part> = []
  private(set) var policies: Set<Part> = []
  private(set) var defaults: Set<Part> = []
  /// Table and first column of each index, key and unique constraint.
  private(set) var indexed: Set<Part> = []

  /// Something that belongs to a table.
  struct Part: Hashable {
    var table: String
    var name: String
  }

  init(_ statements: [SQLNode]) {
    for statement in statements { take(statement) }
  }

  private mutating func take(_ statement: SQLNode) {
    guard let (kind, fields) = statement.node else { return }
    let table = QualifiedName(fields["relation"])?.name
    switch kind {
    case "ViewStmt": QualifiedName(fields["view"]).map { _ = views.insert($0.name) }
    case "CreateTableAsStmt":
      guard let name = QualifiedName(fields["into"]?["rel"])?.name else { return }
      if fields.string("objtype") == "OBJECT_MATVIEW" { views.insert(name) } else { tables.insert(name) }
    case "CreateStmt":
      guard let table else { return }
      tables.insert(table)
      takeKeys(of: fields.items("tableElts"), in: table)
    case "CreateEnumStmt": QualifiedName(parts: fields["typeName"]).map { _ = types.insert($0.name) }
    case "CompositeTypeStmt": QualifiedName(fields["typevar"]).map { _ = types.insert($0.name) }
    case "CreateDomainStmt": QualifiedName(parts: fields["domainname"]).map { _ = types.insert($0.name) }
    case "CreateFunctionStmt": QualifiedName(parts: fields["funcname"]).map { _ = functions.insert($0.name) }
    case "IndexStmt":
      if let name = fields.string("idxname") { indexes.insert(name) }
      if let table, let first = fields["indexParams"]?[0]?.fields(of: "IndexElem")?.string("name") {
        indexed.insert(Part(table: table, name: first))
      }
    case "CreateTrigStmt": insert(fields.string("trigname"), of: table, into: \.triggers)
    case "CreatePolicyStmt":
      insert(fields.string("policy_name"), of: QualifiedName(fields["table"])?.name, into: \.policies)
    case "GrantStmt" where fields.isTrue("is_grant"):
      for object in fields.items("objects") { QualifiedName(object).map { _ = granted.insert($0.name) } }
      if fields.string("targtype") == "ACL_TARGET_ALL_IN_SCHEMA" { granted.insert("*") }
    case "AlterTableStmt":
      guard let table else { return }
      for command in fields.items("cmds").compactMap({ $0.fields(of: "AlterTableCmd") }) { take(command, in: table) }
    default: break
    }
  }

  private mutating func take(_ command: SQLNode, in table: String) {
    switch command.string("subtype") {
    case "AT_AddConstraint":
      insert(command["def"]?.fields(of: "Constraint")?.string("conname"), of: table, into: \.constraints)
      takeKeys(of: command["def"].map { [$0] } ?? [], in: table)
    case "AT_AddColumn": takeKeys(of: command["def"].map { [$0] } ?? [], in: table)
    case "AT_ColumnDefault" where command["def"] != nil: insert(command.string("name"), of: table, into: \.defaults)
    default: break
    }
  }

  private mutating func takeKeys(of elements: [SQLNode], in table: String) {
    for element in elements {
      if let constraint = element.fields(of: "Constraint"), Self.makesIndex(constraint),
        let first = constraint["keys"]?.names.first
      {
        indexed.insert(Part(table: table, name: first))
      }
      if let column = element.fields(of: "ColumnDef"), let name = column.string("colname"),
        column.items("constraints").contains(where: { $0.fields(of: "Constraint").map(Self.makesIndex) ?? false })
      {
        indexed.insert(Part(table: table, name: name))
      }
    }
  }

  private static func makesIndex(_ constraint: SQLNode) -> Bool {
    ["CONSTR_PRIMARY", "CONSTR_UNIQUE"].contains(constraint.string("contype"))
  }

  private mutating func insert(
    _ name: String?, of table: String?, into parts: WritableKeyPath<MigrationIntent, Set<Part>>
  ) {
    if let name, let table { self[keyPath: parts].insert(Part(table: table, name: name)) }
  }

  func makesView(_ name: QualifiedName) -> Bool { views.contains(name.name) }
  func makesType(_ name: QualifiedName) -> Bool { types.contains(name.name) }
  func makesFunction(_ name: QualifiedName) -> Bool { functions.contains(name.name) }
  func grants(_ name: QualifiedName) -> Bool { granted.contains(name.name) || granted.contains("*") }
}
