/// Reads libpg_query's JSON into nodes. Written for that one producer: it accepts what the library writes, and takes a
/// tenth of the time of Foundation's reader, which matters for scripts of ten thousand statements.
struct SQLNodeReader {
  /// What lies deeper than this becomes `.null`: a sum of a thousand terms is a tree of three thousand levels, and
  /// walking or freeing such a tree can overflow a thread's stack.
  static let maximalDepth = 384

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var depth = 0

  /// nil when the text is not the library's JSON.
  static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> SQLNode? {
    var reader = SQLNodeReader(bytes: bytes)
    return reader.value()
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  private mutating func value() -> SQLNode? {
    skipSpace()
    guard position < bytes.count else { return nil }
    switch bytes[position] {
    case UInt8(ascii: "{"): return nested(object)
    case UInt8(ascii: "["): return nested(array)
    case UInt8(ascii: "\""): return string().map(SQLNode.string)
    case UInt8(ascii: "t"): return word("true", .boolean(true))
    case UInt8(ascii: "f"): return word("false", .boolean(false))
    case UInt8(ascii: "n"): return word("null", .null)
    default: return number()
    }
  }

  private mutating func nested(_ read: (inout SQLNodeReader) -> SQLNode?) -> SQLNode? {
    guard depth < Self.maximalDepth else { return skipNested() }
    depth += 1
    defer { depth -= 1 }
    return read(&self)
  }

  /// Passes over an object or array without recursion.
  private mutating func skipNested() -> SQLNode? {
    var open = 0
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        open += 1
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        open -= 1
        position += 1
        if open == 0 { return .null }
      case UInt8(ascii: "\""):
        guard skipString() else { return nil }
      default: position += 1
      }
    }
    return nil
  }

  private func object(_ reader: inout SQLNodeReader) -> SQLNode? {
    var fields: [String: SQLNode] = [:]
    reader.position += 1
    reader.skipSpace()
    if reader.take(UInt8(ascii: "}")) { return .object(fields) }
    while true {
      reader.skipSpace()
      guard let name = reader.string() else { return nil }
      reader.skipSpace()
      guard reader.take(UInt8(ascii: ":")), let value = reader.value() else { return nil }
      fields[name] = value
      reader.skipSpace()
      if reader.take(UInt8(ascii: ",")) { continue }
      return reader.take(UInt8(ascii: "}")) ? .object(fields) : nil
    }
  }

  private func array(_ reader: inout SQLNodeReader) -> SQLNode? {
    var items: [SQLNode] = []
    reader.position += 1
    reader.skipSpace()
    if reader.take(UInt8(ascii: "]")) { return .array(items) }
    while true {
      guard let value = reader.value() else { return nil }
      items.append(value)
      reader.skipSpace()
      if reader.take(UInt8(ascii: ",")) { continue }
      return reader.take(UInt8(ascii: "]")) ? .array(items) : nil
    }
  }

  private mutating func string() -> String? {
    let start = position
    guard skipString() else { return nil }
    let body = bytes[(start + 1)..<(position - 1)]
    guard body.contains(UInt8(ascii: "\\")) else { return String(decoding: body, as: UTF8.self) }
    return Self.unescaped(body)
  }

  private mutating func skipString() -> Bool {
    guard take(UInt8(ascii: "\"")) else { return false }
    while position < bytes.count {
      let byte = bytes[position]
      position += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { return true }
    }
    return false
  }

  private static func unescaped(_ body: Slice<UnsafeBufferPointer<UInt8>>) -> String {
    var units: [UInt16] = []
    var pending: [UInt8] = []
    var text = ""
    func flush() {
      text += String(decoding: pending, as: UTF8.self)
      pending = []
      text += String(decoding: units, as: UTF16.self)
      units = []
    }
    var index = body.startIndex
    while index < body.endIndex {
      let byte = body[index]
      guard byte == UInt8(ascii: "\\"), index + 1 < body.endIndex else {
        if !units.isEmpty { flush() }
        pending.append(byte)
        index += 1
        continue
      }
      let code = body[index + 1]
      index += 2
      if code == UInt8(ascii: "u") {
        if !pending.isEmpty { flush() }
        let digits = body[index..<min(index + 4, body.endIndex)]
        units.append(UInt16(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0xFFFD)
        index += digits.count
      } else {
        if !units.isEmpty { flush() }
        pending.append(control[code] ?? code)
      }
    }
    flush()
    return text
  }

  private static let control: [UInt8: UInt8] = [
    UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12,
  ]

  private mutating func number() -> SQLNode? {
    let start = position
    while position < bytes.count, "+-0123456789.eE".utf8.contains(bytes[position]) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let whole = Int(text) { return .integer(whole) }
    return Double(text).map(SQLNode.double)
  }

  private mutating func word(_ text: StaticString, _ node: SQLNode) -> SQLNode? {
    guard position + text.utf8CodeUnitCount <= bytes.count else { return nil }
    position += text.utf8CodeUnitCount
    return node
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position] <= 32 { position += 1 }
  }
}
