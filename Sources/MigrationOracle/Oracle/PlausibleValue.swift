import Foundation

/// Values, in PostgreSQL's text format, that a column or a parameter of a type takes. Fresh ones differ with `number`
/// where the type has room, and stay away from small keys that rows already have.
struct PlausibleValue {
  /// Above keys that a sequence gives in a shadow's few rows, within `smallint` and within varchar(4).
  static let firstNumber = 7001

  let schema: Schema

  /// - Returns: nil where nothing is known of the type: then NULL must do.
  func fresh(_ type: UInt32, modifier: Int = -1, number: Int) -> String? {
    guard let entry = schema.types[schema.base(of: type)] else { return generic("text", modifier: -1, number: number) }
    switch entry.kind {
    case "e": return entry.labels.isEmpty ? nil : entry.labels[0]
    case "r": return range(entry.name, number: number)
    case "m": return "{}"
    case "c": return nil
    default: break
    }
    if entry.element != 0 {
      return fresh(entry.element, modifier: modifier, number: number).map { "{\(Self.arrayElement($0))}" }
    }
    return generic(entry.name, category: entry.category, modifier: modifier, number: number)
  }

  /// One that overlaps with itself: what an exclusion constraint refuses shows only then.
  private func range(_ name: String, number: Int) -> String {
    switch name {
    case "int4range", "int8range", "numrange": "[\(number),\(number + 1))"
    case "daterange":
      "[2024-\(Self.padded(1 + number / 28 % 12, to: 2))-\(Self.padded(1 + number % 28, to: 2)),"
        + "2024-\(Self.padded(1 + number / 28 % 12, to: 2))-\(Self.padded(1 + number % 28, to: 2))]"
    case "tsrange", "tstzrange":
      "[2024-01-\(Self.padded(1 + number % 28, to: 2)) 12:\(Self.padded(number / 28 % 60, to: 2)):00,"
        + "2024-01-\(Self.padded(1 + number % 28, to: 2)) 12:\(Self.padded(number / 28 % 60, to: 2)):30)"
    default: "empty"
    }
  }

  static func arrayElement(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  private func generic(_ name: String, category: String = "S", modifier: Int, number: Int) -> String? {
    switch name {
    case "bool": return "true"
    case "int2", "int4", "int8", "oid", "float4", "float8", "money": return "\(number)"
    case "numeric": return numeric(modifier: modifier, number: number)
    case "uuid": return "00000000-0000-4000-8000-" + Self.padded(number, to: 12)
    case "date": return "2024-01-\(Self.padded(1 + number % 28, to: 2))"
    case "timestamp", "timestamptz":
      return "2024-01-\(Self.padded(1 + number % 28, to: 2)) 12:00:\(Self.padded(number / 28 % 60, to: 2))"
    case "time", "timetz": return "12:00:\(Self.padded(number % 60, to: 2))"
    case "interval": return "1 day"
    case "bytea": return "\\x" + Self.padded(number, to: 8)
    case "json", "jsonb": return "{}"
    case "inet": return "10.0.\(number / 250 % 250).\(number % 250)"
    case "cidr": return "10.0.\(number % 250).0/24"
    case "macaddr": return "08:00:2b:01:02:\(Self.padded(number % 90 + 10, to: 2))"
    case "xml": return "<a/>"
    case "point": return "(0,0)"
    case "bit", "varbit": return String(repeating: "0", count: max(1, modifier))
    case "tsvector", "tsquery", "ltree": return "a"
    case "hstore": return ""
    case "vector", "halfvec": return "[" + Array(repeating: "0", count: max(1, modifier)).joined(separator: ",") + "]"
    case "geometry", "geography": return "POINT(0 0)"
    case "char": return "a"
    case "pg_lsn": return "0/1"
    default: return category == "S" ? text(modifier: modifier, number: number) : nil
    }
  }

  private func text(modifier: Int, number: Int) -> String {
    let room = modifier >= 4 ? modifier - 4 : Int.max
    let digits = String(number, radix: 36)
    return digits.count >= room ? String(digits.suffix(max(room, 0))) : digits
  }

  /// `numeric(p, s)` keeps (p << 16 | s) + 4 in its modifier.
  private func numeric(modifier: Int, number: Int) -> String {
    guard modifier >= 4 else { return "\(number)" }
    let whole = max(0, ((modifier - 4) >> 16) - ((modifier - 4) & 0x7FF))
    guard whole < 6 else { return "\(number)" }
    return whole == 0 ? "0" : "\(number % Self.power(10, whole))"
  }

  private static func power(_ base: Int, _ exponent: Int) -> Int {
    (0..<exponent).reduce(1) { product, _ in product * base }
  }

  static func padded(_ number: Int, to width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  /// Longest text tried for a column without a length, in characters.
  static let longText = 10_000

  /// Values at the edges of what the column took before: nothing, the longest, zero, the least, the greatest.
  func boundaries(_ column: Schema.Column) -> [String] {
    let type = schema.base(of: column.type)
    switch type {
    case PostgresType.text: return ["", String(repeating: "x", count: Self.longText)]
    case PostgresType.varchar, PostgresType.bpchar:
      return ["", String(repeating: "x", count: min(column.length ?? Self.longText, Self.longText))]
    case PostgresType.int2: return ["0", "-1", "32767"]
    case PostgresType.int4: return ["0", "-1", "2147483647"]
    case PostgresType.int8: return ["0", "-1", "9223372036854775807"]
    case PostgresType.float4, PostgresType.float8: return ["0", "-1", "1000000000"]
    case PostgresType.numeric: return ["0", "-1"] + [largest(column)].compactMap { $0 }
    case PostgresType.bool: return ["false"]
    default:
      guard let entry = schema.types[type] else { return [] }
      return entry.kind == "e" ? Array(entry.labels.dropFirst()) : entry.category == "S" ? [""] : []
    }
  }

  private func largest(_ column: Schema.Column) -> String? {
    guard column.modifier >= 4 else { return "1000000000000" }
    let whole = ((column.modifier - 4) >> 16) - ((column.modifier - 4) & 0x7FF)
    return whole > 0 ? String(repeating: "9", count: whole) : nil
  }

  /// Constants that a constraint speaks of, and their neighbours: the values at which it may say no, or yes.
  static func constants(in definition: String) -> [String] {
    var found: [String] = []
    for match in definition.matches(of: /'((?:[^']|'')*)'/) { found.append(String(match.1).replacing("''", with: "'")) }
    for match in definition.replacing(/'(?:[^']|'')*'/, with: "").matches(of: /-?\b\d+(\.\d+)?\b/) {
      let text = String(match.0)
      if let number = Int(text) {
        found += ["\(number)", "\(number &+ 1)", "\(number &- 1)"]
      } else {
        found.append(text)
      }
    }
    var seen: Set<String> = []
    return found.filter { seen.insert($0).inserted }
  }
}
