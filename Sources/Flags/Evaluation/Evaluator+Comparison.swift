/// Equality and order, as the peer has them.
extension Evaluator {
  /// `==`: numbers, texts and booleans compare as numbers where types differ; a list or object is equal only to itself.
  mutating func looselyEqual(_ left: JSONView, _ right: JSONView) throws(EvaluationFault) -> Bool {
    if left.kind == right.kind {
      switch left.kind {
      case .null: return true
      case .boolean, .integer: return left.bits == right.bits
      case .double: return left.asDouble == right.asDouble
      case .text: return left.textEquals(right.utf8)
      case .array, .object, .operation: return left.bits == right.bits
      }
    }
    if left.isNumeric || right.isNumeric {
      return compareNumbers(try number(left), try number(right)) == 0
    }
    switch (left.kind, right.kind) {
    case (.text, .array), (.text, .object): return left.textEquals(try text(of: right).utf8)
    case (.array, .text), (.object, .text): return right.textEquals(try text(of: left).utf8)
    // Null is equal to null and to numbers that are zero; a list is no object.
    default: return false
    }
  }

  /// `===`, and membership in lists: numbers and booleans by value, lists and objects by content. What is not a number
  /// is equal to nothing, not to itself either; within containers it is found by identity (`isSameOrEqual`).
  func equal(_ left: JSONView, _ right: JSONView) -> Bool {
    if left.isNumeric && right.isNumeric { return compareNumbers(left, right) == 0 }
    guard left.kind == right.kind else { return false }
    switch left.kind {
    case .null: return true
    case .text: return left.textEquals(right.utf8)
    case .array:
      guard left.count == right.count else { return false }
      for position in 0..<Int(left.count)
      where !isSameOrEqual(left.children[position], right.children[position]) {
        return false
      }
      return true
    case .object:
      guard left.count == right.count else { return false }
      for (name, value) in left.members {
        guard let other = right.member(name.utf8), isSameOrEqual(value, other) else { return false }
      }
      return true
    case .boolean, .integer, .double, .operation: return left.bits == right.bits
    }
  }

  private func isSameOrEqual(_ left: JSONView, _ right: JSONView) -> Bool {
    if left.kind == right.kind, left.bits == right.bits, left.count == right.count { return true }
    return equal(left, right)
  }

  /// `in`: an element of a list, or a part of a text.
  mutating func isContained(_ needle: JSONView, in haystack: JSONView) throws(EvaluationFault) -> Bool {
    switch haystack.kind {
    case .array:
      if needle.kind == .text {
        if haystack.indexBits != 0 { return JSONIndex.find(needle.utf8, in: haystack) != nil }
        for element in haystack.elements where element.kind == .text && element.textEquals(needle.utf8) { return true }
        return false
      }
      for element in haystack.elements where isSameOrEqual(needle, element) { return true }
      return false
    case .text: return contains(haystack.utf8, try text(of: needle).utf8)
    default: return false
    }
  }

  private func contains(_ text: UnsafeRawBufferPointer, _ part: UnsafeRawBufferPointer) -> Bool {
    guard part.count > 0 else { return true }
    guard part.count <= text.count else { return false }
    for start in 0...(text.count - part.count) where text[start] == part[0] {
      if sameBytes(UnsafeRawBufferPointer(rebasing: text[start..<start + part.count]), part) { return true }
    }
    return false
  }

  /// One of the four comparisons: as numbers if one side is a number, as texts if one is a text, else as numbers.
  mutating func compare(_ left: JSONView, _ right: JSONView, _ operation: Operation) throws(EvaluationFault) -> Bool {
    let order: Int?
    if left.isNumeric || right.isNumeric || (left.kind != .text && right.kind != .text) {
      order = compareNumbers(try number(left), try number(right))
    } else {
      order = compareTexts(try text(of: left).utf8, try text(of: right).utf8)
    }
    guard let order else { return false }
    switch operation {
    case .less: return order < 0
    case .lessOrEqual: return order <= 0
    case .greater: return order > 0
    default: return order >= 0
    }
  }

  /// By Unicode scalars, whose order in UTF-8 is that of the bytes.
  private func compareTexts(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    for at in 0..<min(left.count, right.count) where left[at] != right[at] { return left[at] < right[at] ? -1 : 1 }
    return left.count < right.count ? -1 : left.count > right.count ? 1 : 0
  }

  /// Negative, zero or positive; nil when one is not a number. Integers and doubles are compared exactly, without
  /// rounding the integer.
  @inline(__always)
  func compareNumbers(_ left: JSONView, _ right: JSONView) -> Int? {
    switch (left.kind == .double, right.kind == .double) {
    case (false, false):
      let (a, b) = (left.asInteger, right.asInteger)
      return a < b ? -1 : a > b ? 1 : 0
    case (true, true):
      let (a, b) = (left.asDouble, right.asDouble)
      return a < b ? -1 : a > b ? 1 : a == b ? 0 : nil
    case (false, true): return compare(left.asInteger, right.asDouble)
    case (true, false): return compare(right.asInteger, left.asDouble).map { -$0 }
    }
  }

  private func compare(_ integer: Int64, _ double: Double) -> Int? {
    if double.isNaN { return nil }
    // 2^63: from there on every double is beyond every integer.
    if double >= 0x1p63 { return -1 }
    if double < -0x1p63 { return 1 }
    let whole = double.rounded(.towardZero)
    let other = Int64(whole)
    if integer != other { return integer < other ? -1 : 1 }
    return double > whole ? -1 : double < whole ? 1 : 0
  }
}

extension JSONView {
  /// Booleans are numbers in the peer's language.
  @inline(__always)
  var isNumeric: Bool { kind == .integer || kind == .double || kind == .boolean }
}
