import Foundation

/// Cuts a script into statements as psql does: at semicolons that stand outside strings, comments, dollar quotes,
/// parentheses and `BEGIN ATOMIC` bodies; with lines of data after `COPY … FROM stdin`, and meta-commands.
///
/// libpg_query's own splitters are not used: both stop at the first thing that is not SQL, and data lines and
/// meta-commands are none.
struct StatementScanner {
  struct Piece: Equatable {
    /// From the first byte that is no blank or comment up to, not including, the semicolon.
    var range: Range<Int>
    /// Lines after `COPY … FROM stdin`, without the `\.` that ends them.
    var data: Range<Int>?
    var metaCommand: Bool
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position: Int
  private var pieces: [Piece] = []

  /// Of the statement that is being read.
  private var start: Int?
  private var parentheses = 0
  private var words: [String] = []
  /// Open `BEGIN ATOMIC`, and `CASE` within; counted only in a statement that creates a function or procedure.
  private var blocks = 0

  static func pieces(of bytes: UnsafeBufferPointer<UInt8>) -> [Piece] {
    var scanner = StatementScanner(bytes: bytes)
    scanner.scan()
    return scanner.pieces
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  private mutating func scan() {
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case _ where Self.isBlank(byte): position += 1
      case UInt8(ascii: "-") where next == UInt8(ascii: "-"): skipLine()
      case UInt8(ascii: "/") where next == UInt8(ascii: "*"): skipComment()
      case UInt8(ascii: ";"):
        if parentheses == 0 && blocks == 0 {
          end(at: position)
          position += 1
          takeData()
        } else {
          position += 1
        }
      case UInt8(ascii: "\\"): metaCommand()
      default:
        if start == nil { start = position }
        token(byte)
      }
    }
    end(at: bytes.count)
  }

  private mutating func token(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "'"): skipQuoted(byte, escapes: false)
    case UInt8(ascii: "\""): skipQuoted(byte, escapes: false)
    case UInt8(ascii: "("):
      parentheses += 1
      position += 1
    case UInt8(ascii: ")"):
      parentheses = max(0, parentheses - 1)
      position += 1
    case UInt8(ascii: "$"): skipDollarQuoted()
    case _ where Self.startsWord(byte): word()
    default: position += 1
    }
  }

  private var next: UInt8? { position + 1 < bytes.count ? bytes[position + 1] : nil }

  /// Trailing blanks and a comment at the end stay out of the statement's text only where nothing follows them.
  private mutating func end(at limit: Int, metaCommand: Bool = false) {
    defer {
      start = nil
      parentheses = 0
      blocks = 0
      words = []
      pendingCopy = nil
    }
    guard let start else { return }
    var limit = limit
    while limit > start, Self.isBlank(bytes[limit - 1]) { limit -= 1 }
    pieces.append(Piece(range: start..<limit, data: nil, metaCommand: metaCommand))
    readsData = pendingCopy == true
  }

  /// What PostgreSQL's scanner calls space, and the vertical tab of newer ones.
  private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

  private mutating func skipLine() {
    position = next(10, from: position) ?? bytes.count
  }

  /// Where `byte` comes next. Most of a large script is rows in quotes and lines of data, which this passes over at
  /// the speed of memory.
  private func next(_ byte: UInt8, from start: Int) -> Int? {
    guard start < bytes.count, let base = bytes.baseAddress,
      let found = memchr(base + start, Int32(byte), bytes.count - start)
    else { return nil }
    return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(found))
  }

  /// Comments nest in PostgreSQL.
  private mutating func skipComment() {
    var depth = 0
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "/"), next == UInt8(ascii: "*") {
        depth += 1
        position += 2
      } else if bytes[position] == UInt8(ascii: "*"), next == UInt8(ascii: "/") {
        depth -= 1
        position += 2
        if depth == 0 { return }
      } else {
        position += 1
      }
    }
  }

  /// A doubled quote closes and opens again, which comes to the same.
  private mutating func skipQuoted(_ quote: UInt8, escapes: Bool) {
    position += 1
    guard escapes else {
      position = next(quote, from: position).map { $0 + 1 } ?? bytes.count
      return
    }
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\\") {
        position += 2
        continue
      }
      position += 1
      if byte == quote { return }
    }
    position = min(position, bytes.count)
  }

  private mutating func skipDollarQuoted() {
    var end = position + 1
    while end < bytes.count, Self.continuesTag(bytes[end], first: end == position + 1) { end += 1 }
    guard end < bytes.count, bytes[end] == UInt8(ascii: "$") else {
      position += 1
      return
    }
    let tag = bytes[position...end]
    var at = end + 1
    while let mark = next(UInt8(ascii: "$"), from: at), mark + tag.count <= bytes.count {
      if bytes[mark..<(mark + tag.count)].elementsEqual(tag) {
        position = mark + tag.count
        return
      }
      at = mark + 1
    }
    position = bytes.count
  }

  // MARK: Words

  /// The longest of the words that are looked for is `PROCEDURE`.
  private static let longestWord = 9
  /// Words further on are not looked at: `CREATE OR REPLACE FUNCTION` is four, `COPY` with options is found by its own
  /// rule.
  private static let keptWords = 4

  private mutating func word() {
    let from = position
    while position < bytes.count, Self.continuesWord(bytes[position]) { position += 1 }
    let length = position - from
    if length == 1, position < bytes.count, bytes[position] == UInt8(ascii: "'"),
      bytes[from] | 0x20 == UInt8(ascii: "e")
    {
      skipQuoted(UInt8(ascii: "'"), escapes: true)
      return
    }
    let text = length <= Self.longestWord ? String(decoding: bytes[from..<position], as: UTF8.self).lowercased() : ""
    if words.count < Self.keptWords { words.append(text) }
    guard parentheses == 0 else { return }
    switch text {
    case "copy" where words.count == 1: pendingCopy = false
    case "stdin" where pendingCopy == false: pendingCopy = true
    case "atomic" where blocks == 0 && definesFunction && previous == "begin": blocks = 1
    case "case" where blocks > 0: blocks += 1
    case "end" where blocks > 0: blocks -= 1
    default: break
    }
    previous = text
  }

  private var previous = ""

  private var definesFunction: Bool {
    guard words.first == "create" else { return false }
    return words.contains("function") || words.contains("procedure")
  }

  private static func startsWord(_ byte: UInt8) -> Bool {
    byte >= 128 || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func continuesWord(_ byte: UInt8) -> Bool {
    startsWord(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "$")
  }

  private static func continuesTag(_ byte: UInt8, first: Bool) -> Bool {
    startsWord(byte) || (!first && (48...57).contains(byte))
  }

  // MARK: What only psql knows

  /// nil: no COPY; false: a COPY whose source is still open; true: from stdin.
  private var pendingCopy: Bool?
  private var readsData = false

  /// To the end of the line, with what of a statement stands before it, as in `SELECT … \gexec`.
  private mutating func metaCommand() {
    if start == nil { start = position }
    skipLine()
    end(at: position, metaCommand: true)
  }

  /// The lines up to `\.`, which the client sends as data.
  private mutating func takeData() {
    guard readsData else { return }
    readsData = false
    skipLine()
    position = min(position + 1, bytes.count)
    let from = position
    while position < bytes.count {
      let line = position
      skipLine()
      var end = position
      position = min(position + 1, bytes.count)
      if end > line, bytes[end - 1] == 13 { end -= 1 }
      if end - line == 2, bytes[line] == UInt8(ascii: "\\"), bytes[line + 1] == UInt8(ascii: ".") {
        pieces[pieces.count - 1].data = from..<line
        return
      }
    }
    pieces[pieces.count - 1].data = from..<bytes.count
  }
}
