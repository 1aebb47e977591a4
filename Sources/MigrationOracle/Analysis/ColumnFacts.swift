/// What a column's definition says, read once.
struct ColumnFacts {
  var type: String
  var notNull = false
  /// A value comes without the application: a default, an identity, a computation.
  var hasDefault = false
  var hasConstantDefault = false
  /// Why adding it writes every row, such as `is GENERATED … STORED`; nil when it does not.
  var rewrite: String?
  /// CHECK, UNIQUE, PRIMARY KEY, REFERENCES.
  var constraints: [SQLNode] = []
  /// Without the constraints, and `bigserial` as `bigint`.
  var plainType: String

  init(_ column: SQLNode) {
    let name = column["typeName"]?["names"]?.names.last ?? ""
    type = ColumnType(column["typeName"])?.sql ?? name
    plainType = Self.serials[name] ?? type
    if Self.serials[name] != nil {
      notNull = true
      hasDefault = true
      rewrite = "is \(name), whose default is a sequence"
    }
    for constraint in column.items("constraints").compactMap({ $0.fields(of: "Constraint") }) {
      switch constraint.string("contype") {
      case "CONSTR_NOTNULL": notNull = true
      case "CONSTR_DEFAULT": take(defaultValue: constraint["raw_expr"])
      case "CONSTR_IDENTITY":
        hasDefault = true
        notNull = true
        rewrite = "is an identity, whose values come from a sequence"
      case "CONSTR_GENERATED":
        hasDefault = true
        rewrite = "is GENERATED … STORED"
      case "CONSTR_PRIMARY":
        notNull = true
        constraints.append(constraint)
      case "CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_FOREIGN": constraints.append(constraint)
      default: break
      }
    }
  }

  private static let serials = [
    "serial": "integer", "serial4": "integer", "bigserial": "bigint", "serial8": "bigint", "smallserial": "smallint",
    "serial2": "smallint",
  ]

  private mutating func take(defaultValue: SQLNode?) {
    if case .some(let constant) = defaultValue?.fields(of: "A_Const"), constant.isTrue("isnull") { return }
    hasDefault = true
    hasConstantDefault = true
    defaultValue?.walk { kind, fields in
      guard kind == "FuncCall", let name = fields["funcname"]?.names.last else { return }
      if Self.volatileFunctions.contains(name) {
        rewrite = "has the volatile default \(name)()"
        hasConstantDefault = false
      }
    }
  }

  /// Of the functions that stand in defaults: those whose value differs from row to row, so that PostgreSQL cannot
  /// keep one value for all old rows. `now()` is stable and costs nothing.
  private static let volatileFunctions: Set<String> = [
    "random", "clock_timestamp", "timeofday", "nextval", "gen_random_uuid", "uuid_generate_v1", "uuid_generate_v1mc",
    "uuid_generate_v4", "gen_random_bytes", "uuidv7", "uuidv4", "uuid_generate_v7",
  ]
}
