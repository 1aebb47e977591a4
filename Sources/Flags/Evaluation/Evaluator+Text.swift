/// Texts: `cat`, `substr`, `starts_with`, `ends_with`, and what other values look like as texts.
extension Evaluator {
  /// A value as a text, as the peer writes it: booleans as `True` and `False`, doubles with 15 digits, lists with
  /// commas, objects as `[object Object]`.
  mutating func text(of view: JSONView) throws(EvaluationFault) -> JSONView {
    switch view.kind {
    case .text: return view
    case .null: return Self.text("null")
    case .boolean: return view.isTrue ? Self.text("True") : Self.text("False")
    case .object, .operation: return Self.text("[object Object]")
    case .integer, .double, .array:
      var writer = TextWriter()
      try write(view, to: &writer)
      return writer.finish(&scratch)
    }
  }

  mutating func concatenate(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let values = try all(step, data)
    if values.count == 1 { return try text(of: values[0]) }
    var writer = TextWriter()
    for value in values { try write(value, to: &writer) }
    return writer.finish(&scratch)
  }

  private mutating func write(_ view: JSONView, to writer: inout TextWriter) throws(EvaluationFault) {
    switch view.kind {
    case .text: try writer.append(view.utf8, &scratch)
    case .null: try writer.append(Self.text("null").utf8, &scratch)
    case .boolean: try writer.append(Self.text(view.isTrue ? "True" : "False").utf8, &scratch)
    case .object, .operation: try writer.append(Self.text("[object Object]").utf8, &scratch)
    case .integer: try writer.append(view.asInteger, &scratch)
    case .double:
      let room = try writer.room(DecimalDigits.capacity, &scratch)
      writer.wrote(DecimalDigits.write(view.asDouble, to: room))
    case .array:
      var isFirst = true
      for element in view.elements {
        if !isFirst { try writer.append(Self.text(",").utf8, &scratch) }
        isFirst = false
        try write(element, to: &writer)
      }
    }
  }

  /// Positions count Unicode scalars; negative ones count from the end.
  mutating func substring(_ value: JSONView, _ start: JSONView, _ length: JSONView) throws(EvaluationFault)
    -> JSONView
  {
    let bytes = try text(of: value).utf8
    let count = Int64(scalarCount(bytes))
    let first = try number(start)
    var from: Int64
    if first.kind == .double ? first.asDouble.isNaN : false {
      from = 0
    } else if let order = compareNumbers(first, .integer(0)), order < 0 {
      let back = try whole(first).magnitude
      // The peer compares before it cuts the fraction off: -4.5 of a text of 4 is beyond its beginning.
      let isBeyond = first.kind == .double ? -first.asDouble >= Double(count) : back >= UInt64(count)
      from = isBeyond ? 0 : count - Int64(back)
    } else {
      from = min(try whole(first), count)
    }
    from = max(0, from)
    var to = count
    if !length.isNull {
      let size = try number(length)
      if size.kind == .double, size.asDouble.isNaN {
        to = from
      } else {
        if size.kind == .double, size.asDouble.isInfinite { throw .infiniteNumber }
        let whole = try whole(size)
        to = whole < 0 ? max(from, count.addingSaturating(whole)) : from.addingSaturating(whole)
      }
    }
    let startByte = scalarOffset(Int(from), in: bytes)
    let endByte = to >= count ? bytes.count : scalarOffset(Int(to), in: bytes)
    return .text(UnsafeRawBufferPointer(rebasing: bytes[startByte..<max(startByte, endByte)]))
  }

  /// Cut to a whole number; huge ones stay at the border of 64 bits, which is beyond every text.
  private func whole(_ number: JSONView) throws(EvaluationFault) -> Int64 {
    guard number.kind == .double else { return number.asInteger }
    let value = number.asDouble
    // A negative infinite start is cut off at the text's beginning before the peer asks for a whole number.
    if value.isInfinite, value > 0 { throw .infiniteNumber }
    return Int64(max(-0x1p62, min(0x1p62, value.rounded(.towardZero))))
  }

  mutating func textEnds(_ step: JSONView, _ data: JSONView, atStart: Bool) throws(EvaluationFault) -> JSONView {
    let values = try all(step, data)
    guard values.count == 2, values[0].kind == .text, values[1].kind == .text else { return .null }
    let (text, part) = (values[0].utf8, values[1].utf8)
    guard part.count <= text.count else { return .boolean(false) }
    let range = atStart ? 0..<part.count : text.count - part.count..<text.count
    return .boolean(sameBytes(UnsafeRawBufferPointer(rebasing: text[range]), part))
  }
}

extension Int64 {
  fileprivate func addingSaturating(_ other: Int64) -> Int64 {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? (other < 0 ? .min : .max) : sum
  }
}

/// A text that grows in scratch memory.
struct TextWriter {
  private var start: UnsafeMutableRawPointer?
  private var capacity = 0
  private(set) var count = 0

  /// Room for so many bytes behind what is written; `wrote` says how many were used.
  mutating func room(_ bytes: Int, _ scratch: inout Scratch) throws(EvaluationFault) -> UnsafeMutableRawPointer {
    if let start, count + bytes <= capacity { return start + count }
    let larger = max(64, 2 * (count + bytes))
    let room = try scratch.room(larger)
    if let start { room.copyMemory(from: start, byteCount: count) }
    start = room
    capacity = larger
    return room + count
  }

  mutating func wrote(_ bytes: Int) { count += bytes }

  mutating func append(_ bytes: UnsafeRawBufferPointer, _ scratch: inout Scratch) throws(EvaluationFault) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    try room(bytes.count, &scratch).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  mutating func append(_ integer: Int64, _ scratch: inout Scratch) throws(EvaluationFault) {
    let room = try room(DecimalInteger.capacity, &scratch)
    count += DecimalInteger.write(integer, to: room)
  }

  func finish(_ scratch: inout Scratch) -> JSONView {
    .text(UnsafeRawBufferPointer(start: start, count: count))
  }
}

/// An integer in decimal, without heap.
enum DecimalInteger {
  /// Sign and 19 digits.
  static let capacity = 20

  /// - Returns: the number of bytes.
  static func write(_ value: Int64, to room: UnsafeMutableRawPointer) -> Int {
    var rest = value.magnitude
    var digits = 1
    var power: UInt64 = 10
    while digits < 19, rest >= power {
      digits += 1
      power *= 10
    }
    let sign = value < 0 ? 1 : 0
    if value < 0 { room.storeBytes(of: UInt8(ascii: "-"), as: UInt8.self) }
    var place = sign + digits - 1
    repeat {
      room.storeBytes(of: 0x30 + UInt8(rest % 10), toByteOffset: place, as: UInt8.self)
      rest /= 10
      place -= 1
    } while rest > 0
    return sign + digits
  }
}
