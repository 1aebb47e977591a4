/// JSON text (RFC 8259) to slots, without Foundation and with places.
///
/// Refused, each with line and column: what is no JSON (NaN, comments, trailing commas), bytes that are no UTF-8,
/// halves of surrogate pairs, control characters in texts, and more than `depthLimit` containers in each other.
/// A name that an object has twice keeps its last value. Integers beyond 64 bits become doubles; doubles beyond the
/// largest become infinite, as in every peer.
package struct JSONReader {
  /// Containers in each other. Every walk over a document recurses at most so deep; flagd's own examples need 12.
  package static let depthLimit = 100

  private let bytes: UnsafeBufferPointer<UInt8>
  private let builder: JSONBuilder
  private(set) var at: Int
  private var depth = 0
  /// Words for the subject of a refusal: "the context".
  private let subject: String

  package init(_ bytes: UnsafeBufferPointer<UInt8>, into builder: JSONBuilder, from start: Int = 0, subject: String) {
    self.bytes = bytes
    self.builder = builder
    self.at = start
    self.subject = subject
  }

  /// The whole text as a tape.
  ///
  /// - Throws: `FlagRefusal` when it is longer than `limit` bytes or no JSON.
  package static func tape(
    of text: UnsafeBufferPointer<UInt8>, subject: String, limit: Int,
    builder: JSONBuilder = JSONBuilder()
  ) throws(FlagRefusal) -> JSONTape {
    guard text.count <= limit else {
      throw FlagRefusal(subject, "has \(text.count) bytes, more than \(limit)", next: "Send less")
    }
    builder.reset()
    var reader = JSONReader(text, into: builder, subject: subject)
    try reader.value()
    try reader.end()
    return builder.finish()
  }

  package static func tape(
    of text: String, subject: String, limit: Int, builder: JSONBuilder = JSONBuilder()
  ) throws(FlagRefusal) -> JSONTape {
    var copy = text
    let result: Result<JSONTape, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        return .success(try tape(of: bytes, subject: subject, limit: limit, builder: builder))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// Reads one value onto the builder.
  package mutating func value() throws(FlagRefusal) {
    skipBlanks()
    let start = at
    switch peek {
    case UInt8(ascii: "{"): try object()
    case UInt8(ascii: "["): try array()
    case UInt8(ascii: "\""): try text()
    case UInt8(ascii: "t"): try word("true", .boolean(true), at: start)
    case UInt8(ascii: "f"): try word("false", .boolean(false), at: start)
    case UInt8(ascii: "n"): try word("null", .null, at: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
    case 0 where at >= bytes.count: throw refusal("ends where a value is expected")
    default: throw refusal("has no JSON value here")
    }
  }

  /// Walks over the members of an object: `body` is called behind each colon and has to read the value.
  ///
  /// - Parameter body: takes the name, whose bytes are those between the quotes as written.
  mutating func members(
    _ body: (_ name: Range<Int>, _ reader: inout JSONReader) throws(FlagRefusal) -> Void
  ) throws(FlagRefusal) {
    skipBlanks()
    guard peek == UInt8(ascii: "{") else { throw refusal("has no object here") }
    try enter()
    skipBlanks()
    if !take(UInt8(ascii: "}")) {
      repeat {
        skipBlanks()
        guard peek == UInt8(ascii: "\"") else { throw refusal("has no name in quotes here") }
        let start = at
        try skip()
        let name = start + 1..<at - 1
        skipBlanks()
        guard take(UInt8(ascii: ":")) else { throw refusal("has no colon after a name") }
        skipBlanks()
        try body(name, &self)
        skipBlanks()
      } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "}")) else { throw refusal("has neither a comma nor the end of the object here") }
    }
    depth -= 1
  }

  /// Walks over the elements of a list: `body` has to read each.
  mutating func elements(_ body: (_ reader: inout JSONReader) throws(FlagRefusal) -> Void) throws(FlagRefusal) {
    skipBlanks()
    guard peek == UInt8(ascii: "[") else { throw refusal("has no list here") }
    try enter()
    skipBlanks()
    if !take(UInt8(ascii: "]")) {
      repeat {
        skipBlanks()
        try body(&self)
        skipBlanks()
      } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "]")) else { throw refusal("has neither a comma nor the end of the list here") }
    }
    depth -= 1
  }

  /// Steps over a value whose text is read (and judged) another time: only quotes and brackets are looked at.
  mutating func skip() throws(FlagRefusal) {
    var open = 0
    while true {
      guard at < bytes.count else { throw refusal("ends where a value is expected") }
      switch bytes[at] {
      case UInt8(ascii: "\""):
        at += 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        guard at < bytes.count else { throw refusal("ends inside of a text") }
        at += 1
        if open == 0 { return }
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        open += 1
        at += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if open == 0 { return }
        open -= 1
        at += 1
        if open == 0 { return }
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        if open == 0 { return }
        at += 1
      default: at += 1
      }
    }
  }

  /// Refuses anything but blanks up to the end.
  package mutating func end() throws(FlagRefusal) {
    skipBlanks()
    guard at >= bytes.count else { throw refusal("goes on after its value") }
  }

  // MARK: Containers

  private mutating func object() throws(FlagRefusal) {
    let start = at
    try enter()
    let mark = builder.mark
    skipBlanks()
    if !take(UInt8(ascii: "}")) {
      repeat {
        skipBlanks()
        guard peek == UInt8(ascii: "\"") else { throw refusal("has no name in quotes here") }
        try text()
        skipBlanks()
        guard take(UInt8(ascii: ":")) else { throw refusal("has no colon after a name") }
        try value()
        skipBlanks()
      } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "}")) else { throw refusal("has neither a comma nor the end of the object here") }
    }
    depth -= 1
    builder.endObject(from: mark, at: start)
  }

  private mutating func array() throws(FlagRefusal) {
    let start = at
    try enter()
    let mark = builder.mark
    skipBlanks()
    if !take(UInt8(ascii: "]")) {
      repeat {
        try value()
        skipBlanks()
      } while take(UInt8(ascii: ","))
      guard take(UInt8(ascii: "]")) else { throw refusal("has neither a comma nor the end of the list here") }
    }
    depth -= 1
    builder.endArray(from: mark, at: start)
  }

  private mutating func enter() throws(FlagRefusal) {
    depth += 1
    if depth > Self.depthLimit {
      throw refusal("has more than \(Self.depthLimit) containers in each other", next: "Make it flatter")
    }
    at += 1
  }

  // MARK: Scalars

  private mutating func word(_ word: StaticString, _ value: JSONView, at start: Int) throws(FlagRefusal) {
    let end = at + word.utf8CodeUnitCount
    guard end <= bytes.count,
      sameBytes(
        bytes.raw(at..<end),
        UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    else { throw refusal("has no JSON value here") }
    at = end
    builder.add(value, at: start)
  }

  private mutating func number() throws(FlagRefusal) {
    let start = at
    guard let number = JSONNumber(bytes, at: start) else { throw refusal("has a number that is none in JSON") }
    at = number.end
    builder.add(number.value, at: start)
  }

  /// Reads a text onto the builder; the next byte is its quote.
  mutating func text() throws(FlagRefusal) {
    let start = at
    at += 1
    let mark = builder.beginText()
    var pieceStart = at
    while true {
      guard at < bytes.count else { throw refusal("ends inside of a text") }
      let byte = bytes[at]
      switch byte {
      case UInt8(ascii: "\""):
        append(from: pieceStart)
        at += 1
        builder.endText(from: mark, at: start)
        return
      case UInt8(ascii: "\\"):
        append(from: pieceStart)
        try escape()
        pieceStart = at
      case 0..<0x20: throw refusal("has a control character in a text", next: "Write it as \\u00XX")
      case 0x80...:
        let length = UTF8Check.length(bytes, at: at)
        guard length > 0 else { throw refusal("has bytes that are not UTF-8", next: "Send UTF-8") }
        at += length
      default: at += 1
      }
    }
  }

  private func append(from start: Int) {
    if at > start { builder.append(bytes.raw(start..<at)) }
  }

  private mutating func escape() throws(FlagRefusal) {
    at += 1
    let plain: UInt8
    switch peek {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): plain = peek
    case UInt8(ascii: "b"): plain = 0x08
    case UInt8(ascii: "f"): plain = 0x0c
    case UInt8(ascii: "n"): plain = 0x0a
    case UInt8(ascii: "r"): plain = 0x0d
    case UInt8(ascii: "t"): plain = 0x09
    case UInt8(ascii: "u"):
      try unicodeEscape()
      return
    default: throw refusal("has an escape that JSON does not know")
    }
    builder.append(plain)
    at += 1
  }

  private mutating func unicodeEscape() throws(FlagRefusal) {
    var scalar = try fourDigits()
    if (0xd800..<0xdc00).contains(scalar), peek == UInt8(ascii: "\\"), at + 1 < bytes.count,
      bytes[at + 1] == UInt8(ascii: "u")
    {
      at += 1
      let low = try fourDigits()
      guard (0xdc00..<0xe000).contains(low) else { throw refusal("has half of a surrogate pair") }
      scalar = 0x10000 + ((scalar - 0xd800) << 10) + (low - 0xdc00)
    }
    guard let unicode = Unicode.Scalar(scalar) else { throw refusal("has half of a surrogate pair") }
    for byte in UTF8.encode(unicode) ?? UTF8.encodedReplacementCharacter { builder.append(byte) }
  }

  /// The code unit behind `\u`.
  private mutating func fourDigits() throws(FlagRefusal) -> UInt32 {
    at += 1
    guard at + 4 <= bytes.count else { throw refusal("ends inside of a text") }
    var unit: UInt32 = 0
    for place in at..<at + 4 {
      guard let digit = Unicode.Scalar(bytes[place]).hexadecimalDigit else {
        throw refusal("has an escape that JSON does not know")
      }
      unit = unit << 4 | digit
    }
    at += 4
    return unit
  }

  // MARK: Characters

  /// The next byte; 0 at the end.
  var peek: UInt8 { at < bytes.count ? bytes[at] : 0 }

  mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    at += 1
    return true
  }

  mutating func skipBlanks() {
    while at < bytes.count {
      switch bytes[at] {
      case 0x20, 0x09, 0x0a, 0x0d: at += 1
      default: return
      }
    }
  }

  func refusal(_ cause: String, next: String = "Send JSON") -> FlagRefusal {
    let place = TextPlace(of: at, in: bytes)
    return FlagRefusal(subject, cause, next: next, line: place.line, column: place.column)
  }
}

/// Line and column of a byte, counted only when somebody asks.
package struct TextPlace: Equatable {
  /// From 1.
  package let line: Int
  /// In Unicode scalars, from 1.
  package let column: Int

  package init(of offset: Int, in bytes: UnsafeBufferPointer<UInt8>) {
    var line = 1
    var start = 0
    let end = min(offset, bytes.count)
    for at in 0..<end where bytes[at] == 0x0a {
      line += 1
      start = at + 1
    }
    var column = 1
    for at in start..<end where bytes[at] & 0xc0 != 0x80 { column += 1 }
    self.line = line
    self.column = column
  }
}

/// Well-formed UTF-8 (Unicode 15, table 3-7).
enum UTF8Check {
  /// Length of the sequence at a byte; 0 when it is malformed.
  static func length(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Int {
    func continues(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xbf) -> Bool {
      start + offset < bytes.count && range.contains(bytes[start + offset])
    }
    switch bytes[start] {
    case 0..<0x80: return 1
    case 0xc2...0xdf: return continues(1) ? 2 : 0
    case 0xe0: return continues(1, 0xa0...0xbf) && continues(2) ? 3 : 0
    case 0xed: return continues(1, 0x80...0x9f) && continues(2) ? 3 : 0
    case 0xe1...0xef: return continues(1) && continues(2) ? 3 : 0
    case 0xf0: return continues(1, 0x90...0xbf) && continues(2) && continues(3) ? 4 : 0
    case 0xf1...0xf3: return continues(1) && continues(2) && continues(3) ? 4 : 0
    case 0xf4: return continues(1, 0x80...0x8f) && continues(2) && continues(3) ? 4 : 0
    default: return 0
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  func raw(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: self[range]))
  }
}

extension Unicode.Scalar {
  var hexadecimalDigit: UInt32? {
    switch self {
    case "0"..."9": value - 0x30
    case "a"..."f": value - 0x57
    case "A"..."F": value - 0x37
    default: nil
    }
  }
}
