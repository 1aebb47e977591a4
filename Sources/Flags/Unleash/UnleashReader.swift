/// A definition whose shape is wrong: nothing of the document is taken over.
struct UnleashFault: Error, @unchecked Sendable {
  // Safe to share: it never leaves the call that holds the tape.
  /// What is wrong, as a clause about the definition.
  let cause: String
  /// The value that is wrong.
  let place: UnsafePointer<JSONView>
}

/// Typed access to the members of Unleash's JSON. A member that is null counts as missing where it may be missing.
struct UnleashReader {
  typealias Place = UnsafePointer<JSONView>

  static func member(_ object: Place, _ name: StaticString) -> Place? {
    let bytes = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    guard let pair = object.pointee.pair(named: bytes), !pair[1].isNull else { return nil }
    return pair + 1
  }

  static func object(_ value: Place, _ what: StaticString) throws(UnleashFault) {
    if value.pointee.kind != .object { throw UnleashFault(cause: "has \(what) that is no object", place: value) }
  }

  static func text(_ object: Place, _ name: StaticString) throws(UnleashFault) -> UnsafeRawBufferPointer? {
    guard let value = member(object, name) else { return nil }
    guard value.pointee.kind == .text else { throw UnleashFault(cause: "has `\(name)` that is no text", place: value) }
    return value.pointee.utf8
  }

  static func requiredText(_ object: Place, _ name: StaticString) throws(UnleashFault) -> UnsafeRawBufferPointer {
    guard let text = try text(object, name) else { throw UnleashFault(cause: "lacks `\(name)`", place: object) }
    return text
  }

  /// Nil when the member is missing. Null is no truth value: only some members may be null.
  static func truth(
    _ object: Place, _ name: StaticString, allowsNull: Bool = true
  ) throws(UnleashFault) -> Bool? {
    let bytes = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    guard let pair = object.pointee.pair(named: bytes) else { return nil }
    if pair[1].isNull, allowsNull { return nil }
    guard let value = pair[1].boolean else {
      throw UnleashFault(cause: "has `\(name)` that is neither true nor false", place: pair + 1)
    }
    return value
  }

  /// A whole number in 32 bits.
  static func integer(_ object: Place, _ name: StaticString) throws(UnleashFault) -> Int32 {
    guard let value = member(object, name) else { throw UnleashFault(cause: "lacks `\(name)`", place: object) }
    return try number(value, name)
  }

  static func number(_ value: Place, _ name: StaticString) throws(UnleashFault) -> Int32 {
    guard let number = value.pointee.integer.flatMap(Int32.init(exactly:)) else {
      throw UnleashFault(cause: "has `\(name)` that is no whole number of 32 bits", place: value)
    }
    return number
  }

  /// Empty when the member is missing.
  static func list(_ object: Place, _ name: StaticString) throws(UnleashFault) -> UnsafeBufferPointer<JSONView> {
    guard let value = member(object, name) else { return UnsafeBufferPointer(start: nil, count: 0) }
    guard value.pointee.kind == .array else { throw UnleashFault(cause: "has `\(name)` that is no list", place: value) }
    return value.pointee.elements
  }

  /// The texts of a list; nil when the member is missing.
  static func texts(_ object: Place, _ name: StaticString) throws(UnleashFault) -> [UnsafeRawBufferPointer]? {
    guard member(object, name) != nil else { return nil }
    var result: [UnsafeRawBufferPointer] = []
    let elements = try list(object, name)
    result.reserveCapacity(elements.count)
    for index in elements.indices {
      guard elements[index].kind == .text, let base = elements.baseAddress else {
        throw UnleashFault(cause: "has `\(name)` with an element that is no text", place: object)
      }
      result.append(base[index].utf8)
    }
    return result
  }

  /// Calls with the place of each element.
  static func each(
    _ elements: UnsafeBufferPointer<JSONView>, _ body: (Place) throws(UnleashFault) -> Void
  ) throws(UnleashFault) {
    guard let base = elements.baseAddress else { return }
    for index in 0..<elements.count { try body(base + index) }
  }
}
