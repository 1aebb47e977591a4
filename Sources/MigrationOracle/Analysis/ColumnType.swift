/// A column's type, comparable whether it comes from a script or from a catalog.
struct ColumnType: Equatable {
  /// As `format_type` prints it without modifiers, such as `character varying`.
  var base: String
  var modifiers: [Int]
  var isArray: Bool

  /// Of a `TypeName`'s fields.
  init?(_ type: SQLNode?) {
    guard let type = type?.fields(of: "TypeName") ?? type, let name = type["names"]?.names.last else { return nil }
    base = Self.printed[name] ?? name
    modifiers = type.items("typmods").compactMap {
      $0.fields(of: "A_Const")?["ival"].map { $0.integer("ival") ?? 0 }
    }
    isArray = !type.items("arrayBounds").isEmpty
    if base == "character", modifiers.isEmpty { modifiers = [1] }
  }

  /// As `format_type` prints it, such as `timestamp(3) without time zone` or `character varying(20)[]`.
  init(printed: String) {
    var text = printed
    isArray = text.hasSuffix("[]")
    while text.hasSuffix("[]") { text.removeLast(2) }
    modifiers = []
    if let open = text.firstIndex(of: "("), let close = text[open...].firstIndex(of: ")") {
      modifiers = text[text.index(after: open)..<close].split(separator: ",")
        .compactMap { Int($0.drop { $0 == " " }) }
      text.removeSubrange(open...close)
    }
    base = text.split(separator: ".").last.map { $0.filter { $0 != "\"" } } ?? text
  }

  private static let printed = [
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
    "bool": "boolean", "varchar": "character varying", "bpchar": "character",
    "timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone",
    "timetz": "time with time zone", "time": "time without time zone", "varbit": "bit varying",
  ]

  var sql: String {
    let inner = modifiers.isEmpty ? "" : "(\(modifiers.map(String.init).joined(separator: ", ")))"
    let whole =
      base.firstIndex(of: " ").flatMap { base.hasPrefix("time") ? $0 : nil }
      .map { base[..<$0] + inner + base[$0...] } ?? base + inner
    return whole + (isArray ? "[]" : "")
  }

  enum Change: Equatable {
    case none
    /// Old code reads and writes as before: a longer text, a finer timestamp. No row is rewritten.
    case harmless
    /// Old code writes as before, but may read values too large for it. Every row is rewritten.
    case widens
    case incompatible
  }

  /// What the change to `other` does to code that knows this type.
  ///
  /// Sources: PostgreSQL's documentation of ALTER TABLE, "Notes", for what is rewritten; `pg_proc.prosupport` of
  /// `varchar`, `numeric`, `varbit` and `timestamp` for which modifiers may grow without a rewrite.
  func change(to other: ColumnType) -> Change {
    if self == other { return .none }
    guard isArray == other.isArray else { return .incompatible }
    let texts: Set = ["character varying", "text"]
    if texts.contains(base), texts.contains(other.base) {
      let (limit, newLimit) = (
        base == "text" ? nil : modifiers.first, other.base == "text" ? nil : other.modifiers.first
      )
      guard let newLimit else { return .harmless }
      return (limit ?? .max) <= newLimit ? .harmless : .incompatible
    }
    if base == other.base { return changeOfModifiers(to: other.modifiers) }
    for family in [["smallint", "integer", "bigint"], ["real", "double precision"]] {
      if let from = family.firstIndex(of: base), let to = family.firstIndex(of: other.base) {
        return from < to ? .widens : .incompatible
      }
    }
    return .incompatible
  }

  private func changeOfModifiers(to new: [Int]) -> Change {
    switch base {
    case "bit varying", "timestamp without time zone", "timestamp with time zone", "time without time zone",
      "time with time zone", "interval":
      guard let limit = new.first else { return .harmless }
      return (modifiers.first ?? .max) <= limit ? .harmless : .incompatible
    case "numeric":
      guard let precision = new.first else { return .harmless }
      guard let old = modifiers.first else { return .incompatible }
      let (scale, newScale) = (modifiers.dropFirst().first ?? 0, new.dropFirst().first ?? 0)
      return scale == newScale && old <= precision ? .harmless : .incompatible
    default: return .incompatible
    }
  }
}
