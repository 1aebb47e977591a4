/// `var`, `missing`, `missing_some`: what a rule sees of its data.
extension Evaluator {
  mutating func variable(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let count = Int(step.count)
    let name = count > 0 ? try value(step.children[0], data) : .null
    let fallback = count > 1 ? try value(step.children[1], data) : .null
    for position in 2..<max(2, count) { _ = try value(step.children[position], data) }
    // Alone among the peer's operations, this one does not ignore further arguments.
    if count > 2 { throw .excessArgument }
    return try lookUp(name, in: data, fallback)
  }

  /// The value at a name, a dotted path or a position; `fallback` when there is none, or when it is null.
  mutating func lookUp(_ name: JSONView, in data: JSONView, _ fallback: JSONView) throws(EvaluationFault) -> JSONView {
    switch name.kind {
    case .null: return try whole(data)
    case .boolean, .integer, .double:
      // Members' names are texts, so a number finds only elements and characters.
      guard data.kind == .array || data.kind == .text else { return fallback }
      guard let position = try position(name), let found = element(position, of: data) else { return fallback }
      return found
    case .text: return name.count == 0 ? try whole(data) : try lookUp(path: name.utf8, in: data, fallback)
    case .array, .object, .operation:
      let text = try text(of: name)
      return try lookUp(path: text.utf8, in: data, fallback)
    }
  }

  private mutating func whole(_ data: JSONView) throws(EvaluationFault) -> JSONView {
    data.kind == .operation ? try contextObject() : data
  }

  private mutating func lookUp(path: UnsafeRawBufferPointer, in data: JSONView, _ fallback: JSONView)
    throws(EvaluationFault) -> JSONView
  {
    var current = data
    var start = 0
    while true {
      var end = start
      while end < path.count, path[end] != UInt8(ascii: ".") { end += 1 }
      let name = UnsafeRawBufferPointer(rebasing: path[start..<end])
      switch current.kind {
      case .array, .text:
        // As in the peer, whatever follows a length is not looked at.
        if equals(name, "length") { return .integer(Int64(length(of: current))) }
        guard let position = Self.plainPosition(name), let found = element(position, of: current) else {
          return fallback
        }
        current = found
      case .object: current = current.member(name) ?? .null
      case .operation: current = try contextMember(name)
      default: return fallback
      }
      if end == path.count { return current.isNull ? fallback : current }
      start = end + 1
    }
  }

  /// A member of the context as a rule sees it: the attributes, with `$flagd` and the targeting key in their places.
  private mutating func contextMember(_ name: UnsafeRawBufferPointer) throws(EvaluationFault) -> JSONView {
    if equals(name, "targetingKey") { return targetingKey }
    if equals(name, "$flagd") { return try properties() }
    return attributes.member(name) ?? .null
  }

  /// `$flagd`: what the peer adds to every context.
  mutating func properties() throws(EvaluationFault) -> JSONView {
    try contextObject().member("$flagd") ?? .null
  }

  /// The context as an object: one for the whole evaluation, so that it is the same as itself.
  mutating func contextObject() throws(EvaluationFault) -> JSONView {
    if let wholeContext { return wholeContext }
    let inner = try scratch.slots(4)
    inner[0] = Self.text("flagKey")
    inner[1] = flagKey
    inner[2] = Self.text("timestamp")
    inner[3] = .integer(now)
    let properties = JSONView.object(UnsafePointer(inner), members: 2)
    let members = Int(attributes.count)
    let pairs = try scratch.slots(2 * (members + 2))
    var count = 0
    var hasProperties = false
    var hasKey = false
    for (name, value) in attributes.members {
      let isProperties = equals(name.utf8, "$flagd")
      let isKey = equals(name.utf8, "targetingKey")
      pairs[2 * count] = name
      pairs[2 * count + 1] = isProperties ? properties : isKey ? targetingKey : value
      hasProperties = hasProperties || isProperties
      hasKey = hasKey || isKey
      count += 1
    }
    if !hasProperties {
      pairs[2 * count] = Self.text("$flagd")
      pairs[2 * count + 1] = properties
      count += 1
    }
    if !hasKey {
      pairs[2 * count] = Self.text("targetingKey")
      pairs[2 * count + 1] = targetingKey
      count += 1
    }
    let object = JSONView.object(UnsafePointer(pairs), members: count)
    wholeContext = object
    return object
  }

  /// A constant as a view; literals live as long as the program.
  static func text(_ literal: StaticString) -> JSONView {
    .text(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// A number as a position: nil when it is not whole or negative.
  private func position(_ number: JSONView) throws(EvaluationFault) -> Int? {
    switch number.kind {
    case .double:
      let value = number.asDouble
      if value.isNaN { return nil }
      if value.isInfinite { throw .infiniteNumber }
      guard value >= 0, value == value.rounded(.towardZero), value < 9e15 else { return nil }
      return Int(value)
    default:
      let value = Int64(bitPattern: number.bits)
      return value >= 0 ? Int(value) : nil
    }
  }

  /// A position written plainly: digits without a leading zero.
  private static func plainPosition(_ text: UnsafeRawBufferPointer) -> Int? {
    guard text.count > 0, text.count <= 15, text.count == 1 || text[0] != UInt8(ascii: "0") else { return nil }
    var position = 0
    for byte in text {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      position = position * 10 + Int(byte - 0x30)
    }
    return position
  }

  /// Elements of a list, characters (Unicode scalars) of a text.
  private func length(of view: JSONView) -> Int {
    view.kind == .array ? Int(view.count) : scalarCount(view.utf8)
  }

  private func element(_ position: Int, of view: JSONView) -> JSONView? {
    if view.kind == .array { return position < Int(view.count) ? view.children[position] : nil }
    let bytes = view.utf8
    let start = scalarOffset(position, in: bytes)
    guard start < bytes.count else { return nil }
    let end = start + scalarOffset(1, in: UnsafeRawBufferPointer(rebasing: bytes[start...]))
    return .text(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
  }

  // MARK: missing

  mutating func missing(_ arguments: UnsafeBufferPointer<JSONView>, _ data: JSONView) throws(EvaluationFault)
    -> JSONView
  {
    if let first = arguments.first, first.kind == .array { return try missing(names: first.elements, data) }
    return try missing(names: arguments, data)
  }

  private mutating func missing(names: UnsafeBufferPointer<JSONView>, _ data: JSONView) throws(EvaluationFault)
    -> JSONView
  {
    let found = try scratch.slots(names.count)
    var count = 0
    for name in names {
      let value = try lookUp(name, in: data, .null)
      if value.isNull || (value.kind == .text && value.count == 0) {
        found[count] = name
        count += 1
      }
    }
    return .array(UnsafePointer(found), count: count)
  }

  mutating func missingSome(_ needed: JSONView, _ names: JSONView, _ data: JSONView) throws(EvaluationFault)
    -> JSONView
  {
    guard names.kind == .array else { return .array(UnsafePointer(try scratch.slots(0)), count: 0) }
    let need = try number(needed)
    let absent = try missing(names: names.elements, data)
    let present = Int64(names.count) - Int64(absent.count)
    if let order = compareNumbers(.integer(present), need), order >= 0 {
      return .array(UnsafePointer(try scratch.slots(0)), count: 0)
    }
    return absent
  }
}

/// Unicode scalars in valid UTF-8.
@inline(__always)
func scalarCount(_ bytes: UnsafeRawBufferPointer) -> Int {
  var count = 0
  for byte in bytes where byte & 0xc0 != 0x80 { count += 1 }
  return count
}

/// Where the scalar at a position begins; the number of bytes when there are fewer.
func scalarOffset(_ position: Int, in bytes: UnsafeRawBufferPointer) -> Int {
  var left = position
  var at = 0
  while at < bytes.count {
    if bytes[at] & 0xc0 != 0x80 {
      if left == 0 { return at }
      left -= 1
    }
    at += 1
  }
  return bytes.count
}
