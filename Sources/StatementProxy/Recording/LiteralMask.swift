import Migrations

/// Takes the literals and comments out of SQL that no parser has to be able to read. What stays has the same words,
/// names and shape. Comments go because tools put users and requests into them.
enum LiteralMask {
  static let string = "'***'"
  static let number = "0"

  enum Extent {
    /// Quoted strings, also dollar-quoted ones.
    case strings
    case stringsAndNumbers
  }

  /// Whether `text` may set a password: such a text's constants are never kept, whatever the policy.
  static func maySetPassword(_ text: String) -> Bool {
    let lowered = text.utf8.map { $0 | 0x20 }
    return contains(lowered, Array("password".utf8))
      && (text.utf8.contains(UInt8(ascii: "'")) || text.utf8.contains(UInt8(ascii: "$")))
  }

  /// O(length).
  static func masked(_ text: String, _ extent: Extent) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    for token in SQLTokens(bytes) {
      switch token.kind {
      case .string: out += string.utf8
      case .comment: out.append(UInt8(ascii: " "))
      case .number where extent == .stringsAndNumbers: out += number.utf8
      case .number, .word, .name, .parameter, .blank, .symbol: out += bytes[token.range]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func contains(_ text: [UInt8], _ word: [UInt8]) -> Bool {
    guard text.count >= word.count else { return false }
    return (0...text.count - word.count).contains {
      text[$0] == word[0] && text[$0..<$0 + word.count].elementsEqual(word)
    }
  }
}
