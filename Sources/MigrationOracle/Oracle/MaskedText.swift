/// A statement whose strings a recording has masked (`'***'`): a column of another type than text would refuse them, so
/// each becomes a parameter of its own, which takes a plausible value of the type that the server infers.
struct MaskedText {
  private(set) var text: String
  /// Numbers of the parameters that were put in.
  private(set) var parameters: Set<Int> = []

  static let mask = "'***'"

  init(_ text: String) {
    self.text = text
    guard text.contains(Self.mask) else { return }
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
      // `E'…'` becomes a plain value, `interval '…'` a cast: neither prefix goes before a parameter.
      if let match = out.firstMatch(of: /(?i)\b(interval|date|timestamp|timestamptz|time|timetz|json|jsonb|uuid)\s*$/) {
        let type = String(match.1)
        out.removeSubrange(match.range)
        out += "CAST($\(next) AS \(type))"
      } else {
        if let match = out.firstMatch(of: /(?i)\b(e|u&)$/) { out.removeSubrange(match.range) }
        out += "$\(next)"
      }
    }
    self.text = out + rest
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
