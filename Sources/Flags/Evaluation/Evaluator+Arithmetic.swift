/// Numbers. Integers are exact within 64 bits and become doubles beyond; booleans count as 0 and 1.
extension Evaluator {
  /// A value as a number (`.boolean`, `.integer` or `.double`): null and empty lists are 0, a list of one is its
  /// element, texts are read as Python reads them.
  mutating func number(_ view: JSONView) throws(EvaluationFault) -> JSONView {
    switch view.kind {
    case .boolean, .integer, .double: return view
    case .null: return .integer(0)
    case .array:
      if view.count == 0 { return .integer(0) }
      return view.count == 1 ? try number(view.children[0]) : Self.notANumber
    case .object, .operation: return Self.notANumber
    case .text: return try number(inText: view.utf8)
    }
  }

  /// The one that the peer gives for what cannot be read; results of arithmetic are new each time.
  static var notANumber: JSONView { JSONView(.double, bits: 0x7ff8_0000_0000_0001) }

  private mutating func double(_ value: Double) -> JSONView {
    guard value.isNaN else { return .double(value) }
    lastNaN += 1
    return JSONView(.double, bits: 0x7ff8_0000_0000_0000 | lastNaN)
  }

  private func asDouble(_ number: JSONView) -> Double {
    number.kind == .double ? number.asDouble : Double(number.asInteger)
  }

  mutating func fold(_ operation: Operation, _ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let values = try all(step, data)
    switch operation {
    case .add, .multiply:
      var total = JSONView.integer(operation == .add ? 0 : 1)
      for value in values { total = combine(operation, total, try number(value)) }
      return total
    default:
      guard let first = values.first else { return Self.notANumber }
      var best = try number(first)
      for value in values.dropFirst() {
        let candidate = try number(value)
        guard let order = compareNumbers(candidate, best) else { continue }
        if operation == .minimum ? order < 0 : order > 0 { best = candidate }
      }
      return best
    }
  }

  mutating func arithmetic(_ operation: Operation, _ left: JSONView, _ right: JSONView) throws(EvaluationFault)
    -> JSONView
  {
    let first = try number(left)
    if operation == .subtract {
      return right.isNull ? negated(first) : combine(.subtract, first, try number(right))
    }
    let second = try number(right)
    if second.kind == .double ? second.asDouble == 0 : second.asInteger == 0 { throw .divisionByZero }
    return operation == .divide ? double(asDouble(first) / asDouble(second)) : remainder(first, second)
  }

  private mutating func negated(_ number: JSONView) -> JSONView {
    if number.kind == .double { return double(-number.asDouble) }
    return combine(.subtract, .integer(0), number)
  }

  private mutating func combine(_ operation: Operation, _ left: JSONView, _ right: JSONView) -> JSONView {
    if left.kind != .double && right.kind != .double {
      let (a, b) = (left.asInteger, right.asInteger)
      let (result, overflows) =
        switch operation {
        case .add: a.addingReportingOverflow(b)
        case .subtract: a.subtractingReportingOverflow(b)
        default: a.multipliedReportingOverflow(by: b)
        }
      if !overflows { return .integer(result) }
    }
    let (a, b) = (asDouble(left), asDouble(right))
    switch operation {
    case .add: return double(a + b)
    case .subtract: return double(a - b)
    default: return double(a * b)
    }
  }

  /// With the sign of the divisor, as in Python.
  private mutating func remainder(_ left: JSONView, _ right: JSONView) -> JSONView {
    if left.kind != .double && right.kind != .double {
      let (a, b) = (left.asInteger, right.asInteger)
      let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
      return .integer(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest)
    }
    let (a, b) = (asDouble(left), asDouble(right))
    let rest = a.truncatingRemainder(dividingBy: b)
    if rest == 0 { return .double(b < 0 ? -0.0 : 0.0) }
    return double((rest < 0) != (b < 0) ? rest + b : rest)
  }

  // MARK: Texts as numbers

  /// Python's `float`, without `inf` in its short forms: blanks around, underscores between digits, digits of every
  /// script.
  private mutating func number(inText text: UnsafeRawBufferPointer) throws(EvaluationFault) -> JSONView {
    var text = text
    if text.contains(where: { $0 >= 0x80 }) { text = try inASCII(text) }
    var start = 0
    var end = text.count
    while start < end, Self.isBlank(text[start]) { start += 1 }
    while end > start, Self.isBlank(text[end - 1]) { end -= 1 }
    text = UnsafeRawBufferPointer(rebasing: text[start..<end])
    guard text.count > 0 else { return Self.notANumber }
    if let special = specialNumber(text) { return special }
    if text.contains(UInt8(ascii: "_")) {
      guard let plain = try withoutUnderscores(text) else { return Self.notANumber }
      text = plain
    }
    return JSONNumber.double(text).map { .double($0) } ?? Self.notANumber
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  private mutating func specialNumber(_ text: UnsafeRawBufferPointer) -> JSONView? {
    var start = 0
    let isNegative = text[0] == UInt8(ascii: "-")
    if isNegative || text[0] == UInt8(ascii: "+") { start = 1 }
    let word = UnsafeRawBufferPointer(rebasing: text[start...])
    func isWord(_ other: StaticString) -> Bool {
      guard word.count == other.utf8CodeUnitCount else { return false }
      for at in 0..<word.count where word[at] | 0x20 != other.utf8Start[at] { return false }
      return true
    }
    if isWord("infinity") { return .double(isNegative ? -.infinity : .infinity) }
    if isWord("inf") { return Self.notANumber }
    return isWord("nan") ? double(.nan) : nil
  }

  private mutating func withoutUnderscores(_ text: UnsafeRawBufferPointer) throws(EvaluationFault)
    -> UnsafeRawBufferPointer?
  {
    func isDigit(_ at: Int) -> Bool { at >= 0 && at < text.count && text[at] >= 0x30 && text[at] <= 0x39 }
    let room = try scratch.room(text.count)
    var count = 0
    for at in 0..<text.count {
      if text[at] == UInt8(ascii: "_") {
        guard isDigit(at - 1), isDigit(at + 1) else { return nil }
        continue
      }
      room.storeBytes(of: text[at], toByteOffset: count, as: UInt8.self)
      count += 1
    }
    return UnsafeRawBufferPointer(start: room, count: count)
  }

  /// Digits of every script as ASCII digits, spaces as spaces; other letters stay and make it unreadable.
  private mutating func inASCII(_ text: UnsafeRawBufferPointer) throws(EvaluationFault) -> UnsafeRawBufferPointer {
    let room = try scratch.room(text.count)
    var count = 0
    var decoder = UTF8()
    var bytes = text.makeIterator()
    while case .scalarValue(let scalar) = decoder.decode(&bytes) {
      var byte = UInt8(ascii: "?")
      if scalar.isASCII {
        byte = UInt8(truncatingIfNeeded: scalar.value)
      } else if scalar.properties.isWhitespace {
        byte = 0x20
      } else if scalar.properties.numericType == .decimal, let digit = scalar.properties.numericValue {
        byte = 0x30 + UInt8(digit)
      }
      room.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
      count += 1
    }
    return UnsafeRawBufferPointer(start: room, count: count)
  }
}
