/// The tokens of SQL that no parser has to be able to read: a newer grammar, half a statement. Together they are the
/// whole text. O(length).
package struct SQLTokens: Sequence, IteratorProtocol, Sendable {
  package enum Kind: Equatable, Sendable {
    /// A keyword or a name without quotes.
    case word
    /// A name in double quotes.
    case name
    /// In single quotes or between dollars, without the letter before the quote; one that does not end takes the rest of
    /// the text with it.
    case string
    case number
    /// `$1`
    case parameter
    /// Of a line, without its end, or between `/*` and `*/`, which nest.
    case comment
    case blank
    /// One byte of anything else.
    case symbol
  }

  package struct Token: Equatable, Sendable {
    package var kind: Kind
    /// Of the text's bytes.
    package var range: Range<Int>
  }

  private let bytes: [UInt8]
  private var index = 0

  /// - Parameter bytes: UTF-8.
  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  package mutating func next() -> Token? {
    guard index < bytes.count else { return nil }
    let start = index
    let kind = take(bytes[start])
    return Token(kind: kind, range: start..<index)
  }

  private mutating func take(_ byte: UInt8) -> Kind {
    switch byte {
    case Self.quote:
      // E'…' allows what '…' does not: a quote behind a backslash.
      let escapes = index > 0 && (bytes[index - 1] | 0x20) == UInt8(ascii: "e") && !isWord(index - 2)
      index = endOfString(from: index + 1, escapes: escapes)
      return .string
    case UInt8(ascii: "\""):
      index = (bytes[(index + 1)...].firstIndex(of: byte) ?? bytes.count - 1) + 1
      return .name
    case UInt8(ascii: "-") where at(index + 1) == byte:
      index = bytes[index...].firstIndex { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } ?? bytes.count
      return .comment
    case UInt8(ascii: "/") where at(index + 1) == UInt8(ascii: "*"):
      index = endOfComment(from: index + 2)
      return .comment
    case Self.dollar where at(index + 1).isDigit:
      index = endOfWord(from: index + 1)
      return .parameter
    case Self.dollar:
      let end = endOfDollarQuoted(from: index)
      index = end ?? index + 1
      return end == nil ? .symbol : .string
    case _ where byte.isDigit || (byte == UInt8(ascii: ".") && at(index + 1).isDigit):
      while index < bytes.count, isWord(index) || bytes[index] == UInt8(ascii: ".") { index += 1 }
      return .number
    case _ where isWord(index):
      index = endOfWord(from: index)
      return .word
    case _ where byte.isBlank:
      while at(index).isBlank { index += 1 }
      return .blank
    default:
      index += 1
      return .symbol
    }
  }

  private static let quote = UInt8(ascii: "'")
  private static let dollar = UInt8(ascii: "$")

  private func at(_ position: Int) -> UInt8 { position < bytes.count ? bytes[position] : 0 }

  private func isWord(_ position: Int) -> Bool {
    guard bytes.indices.contains(position) else { return false }
    let byte = bytes[position]
    return byte.isLetter || byte.isDigit || byte == UInt8(ascii: "_") || byte >= 0x80
  }

  private func endOfWord(from start: Int) -> Int {
    var index = start
    while index < bytes.count, isWord(index) || bytes[index] == Self.dollar { index += 1 }
    return index
  }

  private func endOfString(from start: Int, escapes: Bool) -> Int {
    var index = start
    while index < bytes.count {
      if escapes, bytes[index] == UInt8(ascii: "\\") {
        index += 2
      } else if bytes[index] == Self.quote {
        guard at(index + 1) == Self.quote else { return index + 1 }
        index += 2
      } else {
        index += 1
      }
    }
    return bytes.count
  }

  private func endOfComment(from start: Int) -> Int {
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

  private func endOfDollarQuoted(from start: Int) -> Int? {
    var index = start + 1
    while isWord(index) { index += 1 }
    guard at(index) == Self.dollar else { return nil }
    let tag = bytes[start...index]
    index += 1
    while index + tag.count <= bytes.count {
      if bytes[index] == Self.dollar, bytes[index..<index + tag.count].elementsEqual(tag) { return index + tag.count }
      index += 1
    }
    return bytes.count
  }
}

extension UInt8 {
  /// Of ASCII.
  package var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  /// Of ASCII.
  package var isLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
  /// What SQL takes for white space: tab, line feed, vertical tab, form feed, carriage return, space.
  fileprivate var isBlank: Bool { (9...13).contains(self) || self == 32 }
}
