/// The name of an object, with its schema where the script says one.
struct QualifiedName: Hashable {
  var schema: String?
  var name: String

  init(_ name: String, schema: String? = nil) {
    self.schema = schema
    self.name = name
  }

  /// Of a `RangeVar`, as a node or as its fields.
  init?(_ range: SQLNode?) {
    guard let fields = range?.fields(of: "RangeVar") ?? range, let name = fields.string("relname") else { return nil }
    self.init(name, schema: fields.string("schemaname"))
  }

  /// Of a list of `String` nodes, of `TypeName`, `List` or `ObjectWithArgs`.
  init?(parts node: SQLNode?) {
    guard let node else { return nil }
    let names =
      node.node.map { kind, fields in
        switch kind {
        case "List": (fields["items"] ?? .null).names
        case "TypeName": (fields["names"] ?? .null).names
        case "ObjectWithArgs": (fields["objname"] ?? .null).names
        default: node.names
        }
      } ?? node.names
    self.init(names)
  }

  init?(_ names: [String]) {
    guard let name = names.last else { return nil }
    self.init(name, schema: names.count > 1 ? names[names.count - 2] : nil)
  }

  /// For a sentence.
  var said: String { schema.map { "\($0).\(name)" } ?? name }

  /// For a statement.
  var sql: String { schema.map { "\(Self.quoted($0)).\(Self.quoted(name))" } ?? Self.quoted(name) }

  func renamed(_ name: String) -> QualifiedName { QualifiedName(name, schema: schema) }

  /// As an identifier, in quotes where PostgreSQL wants them.
  static func quoted(_ name: String) -> String {
    let plain =
      name.utf8.first.map { $0 == UInt8(ascii: "_") || (97...122).contains($0) } == true
      && name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (97...122).contains($0) || (48...57).contains($0) }
    if plain && !reserved.contains(name) { return name }
    return "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  /// Words that cannot name a column or table without quotes: PostgreSQL 15, appendix C, "reserved".
  private static let reserved: Set<String> = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary", "both",
    "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for",
    "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner", "intersect",
    "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp",
    "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer", "overlaps", "placing",
    "primary", "references", "returning", "right", "select", "session_user", "similar", "some", "symmetric", "table",
    "tablesample", "then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "verbose", "when",
    "where", "window", "with",
  ]
}
