/// A statement whose strings a recording has masked (`'***'`): a column of another type than text would refuse them, so
/// each becomes a parameter of its own, which takes a plausible value of the type that the server infers. And one whose
/// constants became parameters where the grammar wants constants, as `pg_stat_statements` prints `interval $1`.
struct MaskedText {
  private(set) var text: String
  /// Numbers of the parameters that were put in.
  private(set) var parameters: Set<Int> = []

  static let mask = "'***'"

  init(_ text: String) {
    self.text = text
    if text.contains(Self.mask) { unmask() }
    self.text = Self.cast(self.text)
  }

  private mutating func unmask() {
    var next = text.matches(of: /\$(\d+)/).compactMap { Int($0.1) }.max() ?? 0
    var out = ""
    var rest = text[...]
    while let place = rest.firstRange(of: Self.mask) {
      out += rest[..<place.lowerBound]
      rest = rest[place.upperBound...]
      if Self.isUntypedArgument(after: out) {
        out += Self.mask
        continue
      }
      next += 1
      parameters.insert(next)
      // `E'…'` becomes a plain value: its prefix does not go before a parameter.
      if let match = out.firstMatch(of: /(?i)\b(e|u&)$/) { out.removeSubrange(match.range) }
      if out.last?.isLetter == true { out += " " }
      out += "$\(next)"
    }
    text = out + rest
  }

  /// `interval $1` as `CAST($1 AS interval)`: no grammar has a type's name before a parameter, so nothing else is meant.
  private static func cast(_ text: String) -> String {
    guard hasWordBeforeParameter(text) else { return text }
    let typed =
      /(?i)\b(interval|date|timestamptz|timetz|time(?:stamp)?(?:\s*\(\d\))?(?:\s+with(?:out)?\s+time\s+zone)?|jsonb?|uuid|inet|cidr|bytea|numeric|bool(?:ean)?|point)\s+\$(\d+)(?:\s+(year|month|day|hour|minute|second)\b)?/
    return text.replacing(typed) { match in
      "CAST($\(match.2) AS \(match.1)\(match.3.map { " \($0)" } ?? ""))"
    }
  }

  /// Whether a letter and space stand before a `$`: the texts of which that is true are few, and a regex is slow.
  private static func hasWordBeforeParameter(_ text: String) -> Bool {
    var isWord = false
    var isSpaced = false
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\t"), UInt8(ascii: "\r"): isSpaced = true
      case UInt8(ascii: "$"):
        if isWord, isSpaced { return true }
        (isWord, isSpaced) = (false, false)
      default:
        isWord = byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte == UInt8(ascii: ")")
        isSpaced = false
      }
    }
    return false
  }

  /// Functions that take anything: there a parameter has no type (42P18) and a string is text.
  private static let takingAnything: Set<String> = [
    "concat", "concat_ws", "format", "json_build_array", "json_build_object", "jsonb_build_array", "jsonb_build_object",
    "num_nulls", "num_nonnulls",
  ]

  /// Whether what follows stands directly in the arguments of such a function.
  private static func isUntypedArgument(after text: String) -> Bool {
    var depth = 0
    var end = text.endIndex
    while end > text.startIndex {
      end = text.index(before: end)
      if text[end] == ")" { depth += 1 }
      guard text[end] == "(" else { continue }
      if depth == 0 { break }
      depth -= 1
    }
    guard end < text.endIndex, text[end] == "(" else { return false }
    let name = text[..<end].reversed().prefix { $0.isLetter || $0 == "_" || $0.isNumber }.reversed()
    return takingAnything.contains(String(name).lowercased())
  }
}
