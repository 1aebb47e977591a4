/// Collects fields and properties from attributes, and lays them out in one block.
struct UnleashContextBuilder {
  private var fields = [UnleashContext.Entry](repeating: .init(), count: UnleashContext.Field.named + 1)
  private var properties: [UnleashContext.Entry] = []
  private var bytes: [UInt8] = []

  mutating func read(_ attributes: JSONView, hostname: String?) {
    var isGiven = [Bool](repeating: false, count: UnleashContext.Field.named)
    var targetingKey: JSONView?
    for (name, value) in attributes.members {
      let field = UnleashContext.Field(name: name.utf8)
      if field != .property {
        isGiven[Int(field.rawValue)] = true
        if let text = text(of: value) { fields[Int(field.rawValue)] = entry(text) }
      } else if value.kind == .text, !equals(name.utf8, "properties") {
        if equals(name.utf8, "targetingKey") { targetingKey = value }
        addProperty(name, text(of: value))
      }
    }
    for (name, value) in (attributes.member("properties") ?? .null).members {
      // A text at the top wins over the property of the same name.
      if let top = attributes.member(name.utf8), top.kind == .text,
        UnleashContext.Field(name: name.utf8) == .property, !equals(name.utf8, "properties")
      {
        continue
      }
      let field = UnleashContext.Field(name: name.utf8)
      if field == .property {
        addProperty(name, text(of: value))
      } else if !isGiven[Int(field.rawValue)], let text = text(of: value) {
        fields[Int(field.rawValue)] = entry(text)
      }
    }
    let user = Int(UnleashContext.Field.userId.rawValue)
    if !fields[user].isPresent, !isGiven[user], let key = targetingKey, let text = text(of: key) {
      fields[user] = entry(text)
    }
    if let hostname { fields[UnleashContextView.hostname] = entry(append(hostname.utf8)) }
  }

  private mutating func addProperty(_ name: JSONView, _ text: UnleashText?) {
    guard let text else { return }
    var property = entry(text)
    property.hash = JSONIndex.hash(name.utf8)
    property.name = append(name.utf8)
    properties.append(property)
  }

  /// The value as text; nil where it has none.
  private mutating func text(of value: JSONView) -> UnleashText? {
    switch value.kind {
    case .text: return append(value.utf8)
    case .integer: return append(String(value.asInteger).utf8)
    case .double: return append(Self.text(of: value.asDouble).utf8)
    case .boolean: return append((value.isTrue ? "true" : "false").utf8)
    case .null, .array, .object, .operation: return nil
    }
  }

  private mutating func append(_ text: some Sequence<UInt8>) -> UnleashText {
    let start = bytes.count
    bytes.append(contentsOf: text)
    return UnleashText(start: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: bytes.count - start))
  }

  private mutating func entry(_ text: UnleashText) -> UnleashContext.Entry {
    var entry = UnleashContext.Entry(value: text, lowered: text, isPresent: true)
    let range = Int(text.start)..<Int(text.start + text.count)
    var lowered: [UInt8]?
    bytes.withUnsafeBytes { all in
      let value = UnsafeRawBufferPointer(rebasing: all[range])
      entry.number = DecimalNumber.read(value) ?? .nan
      if LowerCase.mayChange(value) {
        var result: [UInt8] = []
        LowerCase.write(value, to: &result)
        lowered = result
      }
    }
    if let lowered { entry.lowered = append(lowered) }
    return entry
  }

  /// The fewest digits that read back the same; with an exponent below 1e-5 and from 1e16 on, as the reference writes
  /// numbers (serde_json).
  static func text(of value: Double) -> String {
    guard value.isFinite, value != 0 else { return value.description }
    var digits: [UInt8] = []
    var exponent = 0
    var pointPlace: Int?
    var parts = Array(value.magnitude.description.utf8)[...]
    if let mark = parts.firstIndex(of: 0x65) {
      exponent = Int(String(decoding: parts[(mark + 1)...], as: UTF8.self)) ?? 0
      parts = parts[..<mark]
    }
    for byte in parts {
      if byte == 0x2E { pointPlace = digits.count } else { digits.append(byte) }
    }
    exponent += (pointPlace ?? digits.count) - 1
    let zeros = digits.prefix { $0 == 0x30 }.count
    digits.removeFirst(zeros)
    exponent -= zeros
    while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
    let sign = value < 0 ? "-" : ""
    func text(_ part: some Sequence<UInt8>) -> String { String(decoding: Array(part), as: UTF8.self) }
    if exponent < -5 || exponent > 15 {
      let rest = digits.count > 1 ? "." + text(digits.dropFirst()) : ""
      return sign + text(digits.prefix(1)) + rest + "e" + (exponent < 0 ? "-" : "+") + String(abs(exponent))
    }
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + text(digits) }
    let whole = digits.prefix(exponent + 1)
    let padding = String(repeating: "0", count: exponent + 1 - whole.count)
    let fraction = digits.dropFirst(exponent + 1)
    return sign + text(whole) + padding + "." + (fraction.isEmpty ? "0" : text(fraction))
  }

  /// The block, and the addresses in it.
  func finish() -> (UnsafeMutableRawPointer, UnleashContextView) {
    typealias Entry = UnleashContext.Entry
    var places = 1
    while places < 2 * properties.count { places *= 2 }
    let stride = MemoryLayout<Entry>.stride
    let tableOffset = (fields.count + properties.count) * stride
    let bytesOffset = tableOffset + 4 * places
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: bytesOffset + max(1, bytes.count), alignment: MemoryLayout<Entry>.alignment)
    let entries = memory.bindMemory(to: Entry.self, capacity: fields.count + properties.count)
    for (index, entry) in (fields + properties).enumerated() { (entries + index).initialize(to: entry) }
    let table = (memory + tableOffset).bindMemory(to: UInt32.self, capacity: places)
    table.initialize(repeating: 0, count: places)
    let target = (memory + bytesOffset).bindMemory(to: UInt8.self, capacity: max(1, bytes.count))
    for (index, byte) in bytes.enumerated() { target[index] = byte }
    for (index, property) in properties.enumerated() {
      var place = Int(property.hash) & (places - 1)
      while table[place] != 0 { place = (place + 1) & (places - 1) }
      table[place] = UInt32(index + 1)
    }
    let view = UnleashContextView(
      fields: UnsafePointer(entries), properties: UnsafePointer(entries + fields.count), table: UnsafePointer(table),
      mask: places - 1, bytes: UnsafePointer(target))
    return (memory, view)
  }
}
