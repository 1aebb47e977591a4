/// Takes the literals and comments out of SQL that no parser has to be able to read: a newer grammar, half a statement.
/// What stays has the same words, names and shape. Comments go because tools put users and requests into them.
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
    return contains(lowered, Array("password".utf8)) && (text.utf8.contains(quote) || text.utf8.contains(dollar))
  }

  /// O(length).
  static func masked(_ text: String, _ extent: Extent) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var index = 0
    func at(_ position: Int) -> UInt8 { position < bytes.count ? bytes[position] : 0 }
    while index < bytes.count {
      let byte = bytes[index]
      let end: Int
      switch byte {
      case quote:
        // E'…' and U&'…' allow what '…' does not: a quote behind a backslash.
        let escapes = index > 0 && (bytes[index - 1] | 0x20) == UInt8(ascii: "e") && !isWord(at(index - 2), index - 2)
        end = endOfString(bytes, from: index + 1, escapes: escapes)
        out += string.utf8
      case UInt8(ascii: "\""):
        end = endOfQuoted(bytes, from: index + 1)
        out += bytes[index..<end]
      case UInt8(ascii: "-") where at(index + 1) == byte:
        end = bytes[index...].firstIndex(of: newline) ?? bytes.count
        out.append(UInt8(ascii: " "))
      case UInt8(ascii: "/") where at(index + 1) == UInt8(ascii: "*"):
        end = endOfComment(bytes, from: index + 2)
        out.append(UInt8(ascii: " "))
      case dollar where at(index + 1).isDigit:
        end = endOfWord(bytes, from: index + 1)
        out += bytes[index..<end]
      case dollar:
        if let closed = endOfDollarQuoted(bytes, from: index) {
          end = closed
          out += string.utf8
        } else {
          end = index + 1
          out.append(byte)
        }
      case _ where byte.isDigit || (byte == UInt8(ascii: ".") && at(index + 1).isDigit):
        end = endOfNumber(bytes, from: index)
        out += extent == .strings ? Array(bytes[index..<end]) : Array(number.utf8)
      case _ where isWord(byte, index):
        end = endOfWord(bytes, from: index)
        out += bytes[index..<end]
      default:
        end = index + 1
        out.append(byte)
      }
      index = end
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static let quote = UInt8(ascii: "'")
  private static let dollar = UInt8(ascii: "$")
  private static let newline = UInt8(ascii: "\n")

  private static func isWord(_ byte: UInt8, _ index: Int) -> Bool {
    index >= 0 && (byte.isLetter || byte.isDigit || byte == UInt8(ascii: "_") || byte >= 0x80)
  }

  private static func endOfWord(_ bytes: [UInt8], from start: Int) -> Int {
    var index = start
    while index < bytes.count, isWord(bytes[index], index) || bytes[index] == dollar { index += 1 }
    return max(index, start)
  }

  private static func endOfNumber(_ bytes: [UInt8], from start: Int) -> Int {
    var index = start
    while index < bytes.count, isWord(bytes[index], index) || bytes[index] == UInt8(ascii: ".") { index += 1 }
    return index
  }

  /// A string that does not end takes the rest of the text with it.
  private static func endOfString(_ bytes: [UInt8], from start: Int, escapes: Bool) -> Int {
    var index = start
    while index < bytes.count {
      if escapes, bytes[index] == UInt8(ascii: "\\") {
        index += 2
      } else if bytes[index] == quote {
        if index + 1 < bytes.count, bytes[index + 1] == quote {
          index += 2
        } else {
          return index + 1
        }
      } else {
        index += 1
      }
    }
    return bytes.count
  }

  private static func endOfQuoted(_ bytes: [UInt8], from start: Int) -> Int {
    (bytes[start...].firstIndex(of: UInt8(ascii: "\"")) ?? bytes.count - 1) + 1
  }

  /// Comments nest.
  private static func endOfComment(_ bytes: [UInt8], from start: Int) -> Int {
    var depth = 1
    var index = start
    while index + 1 < bytes.count, depth > 0 {
      let pair = (bytes[index], bytes[index + 1])
      if pair == (UInt8(ascii: "*"), UInt8(ascii: "/")) {
        depth -= 1
        index += 2
      } else if pair == (UInt8(ascii: "/"), UInt8(ascii: "*")) {
        depth += 1
        index += 2
      } else {
        index += 1
      }
    }
    return depth == 0 ? index : bytes.count
  }

  private static func endOfDollarQuoted(_ bytes: [UInt8], from start: Int) -> Int? {
    var index = start + 1
    while index < bytes.count, isWord(bytes[index], index) { index += 1 }
    guard index < bytes.count, bytes[index] == dollar else { return nil }
    let tag = Array(bytes[start...index])
    index += 1
    while index + tag.count <= bytes.count {
      if bytes[index] == dollar, bytes[index..<index + tag.count].elementsEqual(tag) { return index + tag.count }
      index += 1
    }
    return bytes.count
  }

  private static func contains(_ text: [UInt8], _ word: [UInt8]) -> Bool {
    guard text.count >= word.count else { return false }
    return (0...text.count - word.count).contains {
      text[$0] == word[0] && text[$0..<$0 + word.count].elementsEqual(word)
    }
  }
}

extension UInt8 {
  var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
}
