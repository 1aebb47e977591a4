/// Memory that one context lies in: room for its slots and, behind them, a copy of its text.
///
/// Every slot is charged to a byte of its own in the text (a value's first byte; an empty container's last byte for the
/// slot that makes it a thing of its own; a name's closing quote and colon for its place in an index), so a text of n
/// bytes never needs more than n slots, wherever they stand.
final class ContextMemory: @unchecked Sendable {
  // Safe to share: written only by who holds the single reference to it (`EvaluationContext.read`).

  /// Zeros behind the text, which end every loop over it and let words of eight bytes be read.
  static let padding = 16
  /// What memory is made for at least: most contexts are smaller.
  private static let smallest = 512
  /// Memory of more than this is given back when a text needs less than a 16th of it.
  private static let kept = 64 << 10
  private static let spareSlots = 4

  /// Bytes of text that fit.
  private let capacity: Int
  private let block: UnsafeMutableRawPointer

  init(forBytes count: Int) {
    capacity = max(count, Self.smallest)
    let slotBytes = (capacity + Self.spareSlots) * MemoryLayout<JSONView>.stride
    block = .allocate(byteCount: slotBytes + capacity + Self.padding, alignment: MemoryLayout<JSONView>.alignment)
    block.bindMemory(to: JSONView.self, capacity: capacity + Self.spareSlots)
  }

  deinit { block.deallocate() }

  func suits(_ count: Int) -> Bool {
    count <= capacity && (capacity <= Self.kept || count > capacity / 16)
  }

  var slots: UnsafeMutablePointer<JSONView> { block.assumingMemoryBound(to: JSONView.self) }
  var slotsEnd: UnsafeMutablePointer<JSONView> { slots + (capacity + Self.spareSlots) }

  /// Copies a text that suits; the copy is followed by zeros.
  func take(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeMutableBufferPointer<UInt8> {
    let start = UnsafeMutableRawPointer(slotsEnd)
    if let source = text.baseAddress { start.copyMemory(from: source, byteCount: text.count) }
    (start + text.count).initializeMemory(as: UInt8.self, repeating: 0, count: Self.padding)
    return UnsafeMutableBufferPointer(
      start: start.bindMemory(to: UInt8.self, capacity: text.count + Self.padding), count: text.count)
  }
}

/// JSON text to slots in one pass and without an allocation: for contexts, which are read once a request.
///
/// Texts stay where they are in the copy (escapes are decoded in place, since what they mean is never longer), members
/// of the outermost object stay where they were written, and only what lies deeper moves once, to the end of the slots.
/// It takes exactly what ``JSONReader`` takes and says nothing about the rest: who gets nil asks that one for words.
struct ContextReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let start: UnsafeMutablePointer<UInt8>
  private let slots: UnsafeMutablePointer<JSONView>
  /// The next byte.
  private var at: UnsafeMutablePointer<UInt8>
  /// Behind the values whose container is still open.
  private var top: UnsafeMutablePointer<JSONView>
  /// Where the children of closed containers begin; they end with the slots.
  private var closed: UnsafeMutablePointer<JSONView>
  private var depth = 0

  /// - Parameter memory: suits the text, and is held by nobody else.
  static func object(_ text: UnsafeBufferPointer<UInt8>, in memory: ContextMemory) -> JSONView? {
    var reader = ContextReader(memory.take(text), memory)
    guard let root = reader.value(), root.kind == .object else { return nil }
    reader.skipBlanks()
    return reader.at == reader.start + text.count ? root : nil
  }

  private init(_ copy: UnsafeMutableBufferPointer<UInt8>, _ memory: ContextMemory) {
    bytes = UnsafeBufferPointer(copy)
    // Never nil: the copy lies in a block.
    start = copy.baseAddress.unsafelyUnwrapped
    slots = memory.slots
    at = start
    top = slots
    closed = memory.slotsEnd
  }

  private mutating func value() -> JSONView? {
    skipBlanks()
    switch at.pointee {
    case UInt8(ascii: "\""): return text()
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
    case UInt8(ascii: "t"): return word("true", .boolean(true))
    case UInt8(ascii: "f"): return word("false", .boolean(false))
    case UInt8(ascii: "n"): return word("null", .null)
    case UInt8(ascii: "{"): return object()
    case UInt8(ascii: "["): return array()
    default: return nil
    }
  }

  // MARK: Containers

  private mutating func object() -> JSONView? {
    guard enter() else { return nil }
    let first = top
    if at.pointee == UInt8(ascii: "}") {
      at += 1
      return close(.object, from: first)
    }
    while true {
      guard at.pointee == UInt8(ascii: "\""), let name = text() else { return nil }
      push(name)
      if at.pointee != UInt8(ascii: ":") {
        skipBlanks()
        guard at.pointee == UInt8(ascii: ":") else { return nil }
      }
      at += 1
      guard let value = value() else { return nil }
      push(value)
      guard let goesOn = next(before: UInt8(ascii: "}")) else { return nil }
      if !goesOn { return close(.object, from: first) }
    }
  }

  private mutating func array() -> JSONView? {
    guard enter() else { return nil }
    let first = top
    if at.pointee == UInt8(ascii: "]") {
      at += 1
      return close(.array, from: first)
    }
    while true {
      guard let value = value() else { return nil }
      push(value)
      guard let goesOn = next(before: UInt8(ascii: "]")) else { return nil }
      if !goesOn { return close(.array, from: first) }
    }
  }

  private mutating func enter() -> Bool {
    depth += 1
    guard depth <= JSONReader.depthLimit else { return false }
    at += 1
    skipBlanks()
    return true
  }

  /// Whether a comma comes (and is stepped over, with blanks) or the end; nil for anything else.
  @inline(__always)
  private mutating func next(before end: UInt8) -> Bool? {
    skipBlanks()
    let byte = at.pointee
    guard byte == UInt8(ascii: ",") || byte == end else { return nil }
    at += 1
    guard byte != end else { return false }
    skipBlanks()
    return true
  }

  @inline(__always)
  private mutating func push(_ view: JSONView) {
    top.pointee = view
    top += 1
  }

  private mutating func close(_ kind: JSONView.Kind, from first: UnsafeMutablePointer<JSONView>) -> JSONView {
    depth -= 1
    var count = top - first
    if kind == .object { count /= 2 }
    if kind == .object, count < JSONIndex.smallestObject { count = withoutRepeats(first, count) }
    let bits = kind == .object && count >= JSONIndex.smallestObject ? JSONIndex.bits(forEntries: count) : 0
    let children = kind == .object ? 2 * count : count
    let needed = max(1, children + (bits == 0 ? 0 : JSONIndex.slots(bits: bits)))
    var place = first
    if depth > 0 {
      place = closed - needed
      // The two may overlap where a text is nearly all brackets.
      if children > 0 { place.update(from: first, count: children) }
      closed = place
      top = first
    } else {
      top = first + needed
    }
    if children == 0 { place.pointee = .null }
    if bits != 0 { count = index(place, count: count, bits: bits) }
    return JSONView(
      kind, bits: UInt64(UInt(bitPattern: place)), count: UInt32(truncatingIfNeeded: count), indexBits: bits)
  }

  /// Keeps a repeated name's first place and last value.
  private mutating func withoutRepeats(_ first: UnsafeMutablePointer<JSONView>, _ count: Int) -> Int {
    var kept = 0
    for member in 0..<count {
      let name = first[2 * member]
      var earlier = 0
      while earlier < kept, !(first[2 * earlier].count == name.count && first[2 * earlier].textEquals(name.utf8)) {
        earlier += 1
      }
      if earlier < kept {
        first[2 * earlier + 1] = first[2 * member + 1]
        continue
      }
      if kept != member {
        first[2 * kept] = name
        first[2 * kept + 1] = first[2 * member + 1]
      }
      kept += 1
    }
    return kept
  }

  /// Writes the table of ``JSONIndex`` behind the members, and drops repeated names on the way.
  private func index(_ members: UnsafeMutablePointer<JSONView>, count: Int, bits: UInt8) -> Int {
    let table = members + 2 * count
    let size = JSONIndex.slots(bits: bits)
    table.update(repeating: .integer(0), count: size)
    let mask = 1 << Int(bits) - 1
    var kept = 0
    for member in 0..<count {
      let name = members[2 * member]
      var place = Int(JSONIndex.hash(name.utf8)) & mask
      var earlier: Int?
      while earlier == nil {
        let entry = UInt32(truncatingIfNeeded: table[place >> 1].bits >> (32 * UInt64(place & 1)))
        if entry == 0 { break }
        if members[2 * (Int(entry) - 1)].textEquals(name.utf8) { earlier = Int(entry) - 1 }
        place = (place + 1) & mask
      }
      if let earlier {
        members[2 * earlier + 1] = members[2 * member + 1]
        continue
      }
      table[place >> 1].bits |= UInt64(kept + 1) << (32 * UInt64(place & 1))
      if kept != member {
        members[2 * kept] = name
        members[2 * kept + 1] = members[2 * member + 1]
      }
      kept += 1
    }
    if kept < count { (members + 2 * kept).update(from: table, count: size) }
    return kept
  }

  // MARK: Scalars

  private mutating func word(_ word: StaticString, _ value: JSONView) -> JSONView? {
    let count = word.utf8CodeUnitCount
    // The zeros behind the text keep this inside of the block.
    guard
      sameBytes(
        UnsafeRawBufferPointer(start: at, count: count), UnsafeRawBufferPointer(start: word.utf8Start, count: count))
    else { return nil }
    at += count
    return value
  }

  private mutating func number() -> JSONView? {
    var end = at
    let isNegative = end.pointee == UInt8(ascii: "-")
    if isNegative { end += 1 }
    let first = end
    var magnitude: UInt64 = 0
    while end.pointee &- 0x30 < 10 {
      magnitude = magnitude &* 10 &+ UInt64(end.pointee &- 0x30)
      end += 1
    }
    let digits = end - first
    // 18 digits always fit; everything else is for who knows all forms.
    if digits > 0, digits <= 18, first.pointee != 0x30 || digits == 1, end.pointee != UInt8(ascii: "."),
      end.pointee | 0x20 != UInt8(ascii: "e")
    {
      at = end
      return .integer(isNegative ? -Int64(magnitude) : Int64(magnitude))
    }
    guard let number = JSONNumber(bytes, at: at - start) else { return nil }
    at = start + number.end
    return number.value
  }

  private mutating func text() -> JSONView? {
    at += 1
    let first = at
    while true {
      let stops = Self.stops(in: UInt64(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt64.self)))
      if stops == 0 {
        at += 8
        continue
      }
      at += stops.trailingZeroBitCount >> 3
      switch at.pointee {
      case UInt8(ascii: "\""):
        let view = Self.view(from: first, to: at)
        at += 1
        return view
      case UInt8(ascii: "\\"): return escapedText(from: first)
      case 0x80...:
        let length = UTF8Check.length(bytes, at: at - start)
        guard length > 0 else { return nil }
        at += length
      default: return nil
      }
    }
  }

  /// The highest bit of each byte that is no plain character of a text: a quote, a backslash, a control character, the
  /// beginning of more than ASCII. Only the lowest of them is sure, since a borrow may mark a byte above it (Mycroft's
  /// test for a zero byte).
  @inline(__always)
  private static func stops(in word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
    let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
    let found =
      ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes) | ((word &- ones &* 0x20) & ~word) | word
    return found & (ones &* 0x80)
  }

  @inline(__always)
  private static func view(from first: UnsafeMutablePointer<UInt8>, to end: UnsafeMutablePointer<UInt8>) -> JSONView {
    .text(UnsafeRawBufferPointer(start: first, count: end - first))
  }

  /// Goes on at the first backslash and writes what is meant over what is written.
  private mutating func escapedText(from first: UnsafeMutablePointer<UInt8>) -> JSONView? {
    var end = at
    while true {
      let byte = at.pointee
      switch byte {
      case UInt8(ascii: "\""):
        at += 1
        return Self.view(from: first, to: end)
      case UInt8(ascii: "\\"):
        guard escape(to: &end) else { return nil }
      case 0..<0x20: return nil
      case 0x80...:
        let length = UTF8Check.length(bytes, at: at - start)
        guard length > 0 else { return nil }
        end.update(from: at, count: length)
        end += length
        at += length
      default:
        end.pointee = byte
        end += 1
        at += 1
      }
    }
  }

  private mutating func escape(to end: inout UnsafeMutablePointer<UInt8>) -> Bool {
    let plain: UInt8
    switch at[1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): plain = at[1]
    case UInt8(ascii: "b"): plain = 0x08
    case UInt8(ascii: "f"): plain = 0x0c
    case UInt8(ascii: "n"): plain = 0x0a
    case UInt8(ascii: "r"): plain = 0x0d
    case UInt8(ascii: "t"): plain = 0x09
    case UInt8(ascii: "u"): return unicodeEscape(to: &end)
    default: return false
    }
    end.pointee = plain
    end += 1
    at += 2
    return true
  }

  private mutating func unicodeEscape(to end: inout UnsafeMutablePointer<UInt8>) -> Bool {
    guard var scalar = fourDigits() else { return false }
    if (0xd800..<0xdc00).contains(scalar), at[0] == UInt8(ascii: "\\"), at[1] == UInt8(ascii: "u") {
      guard let low = fourDigits(), (0xdc00..<0xe000).contains(low) else { return false }
      scalar = 0x10000 + ((scalar - 0xd800) << 10) + (low - 0xdc00)
    }
    guard let unicode = Unicode.Scalar(scalar), let encoded = UTF8.encode(unicode) else { return false }
    for byte in encoded {
      end.pointee = byte
      end += 1
    }
    return true
  }

  /// The code unit of `\uXXXX`, which begins here.
  private mutating func fourDigits() -> UInt32? {
    var unit: UInt32 = 0
    for place in 2..<6 {
      guard let digit = Unicode.Scalar(at[place]).hexadecimalDigit else { return nil }
      unit = unit << 4 | digit
    }
    at += 6
    return unit
  }

  @inline(__always)
  private mutating func skipBlanks() {
    while true {
      switch at.pointee {
      case 0x20, 0x09, 0x0a, 0x0d: at += 1
      default: return
      }
    }
  }
}
