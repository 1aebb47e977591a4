/// One JSON value, or one step of a decision program: 16 bytes, trivially copied.
///
/// Texts and containers point into the memory of a ``JSONTape`` (or of an evaluation's scratch), so a view is valid
/// only as long as its owner lives; whoever hands out a view beyond that keeps the owner beside it
/// (``FlagValue`` does). Children of a container lie side by side: n elements of an array, or 2n slots of an object
/// (name, value, name, value …). Two containers are the same one exactly if their children lie at the same place.
package struct JSONView {
  package enum Kind: UInt8 {
    case null, boolean, integer, double, text, array, object
    /// A step of a compiled program; never in a tape as read.
    case operation
  }

  /// Truth (0, 1), two's complement, IEEE bits, or the address of bytes or children.
  package var bits: UInt64
  /// Bytes of a text, elements of an array, members of an object, arguments of an operation.
  package var count: UInt32
  package var kind: Kind
  /// Of a container: the logarithm of its index's capacity; 0 without index.
  package var indexBits: UInt8
  /// Of an operation: which one (`Operation.rawValue`).
  package var operation: UInt16

  @inline(__always)
  package init(_ kind: Kind, bits: UInt64 = 0, count: UInt32 = 0, indexBits: UInt8 = 0, operation: UInt16 = 0) {
    self.bits = bits
    self.count = count
    self.kind = kind
    self.indexBits = indexBits
    self.operation = operation
  }

  package static var null: JSONView { JSONView(.null) }
  @inline(__always)
  package static func boolean(_ value: Bool) -> JSONView { JSONView(.boolean, bits: value ? 1 : 0) }
  @inline(__always)
  package static func integer(_ value: Int64) -> JSONView { JSONView(.integer, bits: UInt64(bitPattern: value)) }
  @inline(__always)
  package static func double(_ value: Double) -> JSONView { JSONView(.double, bits: value.bitPattern) }
  @inline(__always)
  package static func text(_ bytes: UnsafeRawBufferPointer) -> JSONView {
    JSONView(.text, bits: address(bytes.baseAddress), count: UInt32(truncatingIfNeeded: bytes.count))
  }
  @inline(__always)
  package static func array(_ children: UnsafePointer<JSONView>, count: Int) -> JSONView {
    JSONView(.array, bits: address(children), count: UInt32(truncatingIfNeeded: count))
  }
  @inline(__always)
  package static func object(_ pairs: UnsafePointer<JSONView>, members: Int) -> JSONView {
    JSONView(.object, bits: address(pairs), count: UInt32(truncatingIfNeeded: members))
  }

  @inline(__always)
  private static func address(_ pointer: UnsafeRawPointer?) -> UInt64 {
    UInt64(UInt(bitPattern: pointer))
  }
}

extension JSONView {
  package var isNull: Bool { kind == .null }
  /// Nil unless it is a boolean.
  package var boolean: Bool? { kind == .boolean ? bits != 0 : nil }
  /// Nil unless it was written as an integer (or computed as one).
  package var integer: Int64? { kind == .integer ? Int64(bitPattern: bits) : nil }
  /// The number, rounded to a double where it was written as an integer; nil for anything else.
  package var number: Double? {
    switch kind {
    case .integer: Double(Int64(bitPattern: bits))
    case .double: Double(bitPattern: bits)
    default: nil
    }
  }
  /// A copy of the text; nil for anything else.
  package var string: String? { kind == .text ? String(decoding: utf8, as: UTF8.self) : nil }

  @inline(__always) package var isTrue: Bool { bits != 0 }
  @inline(__always) package var asInteger: Int64 { Int64(bitPattern: bits) }
  @inline(__always) package var asDouble: Double { Double(bitPattern: bits) }

  /// The text's bytes, valid UTF-8. Only for texts.
  @inline(__always)
  package var utf8: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(bits)), count: Int(count))
  }

  /// The first child. Only for arrays, objects and operations, whose address is never nil: an empty container owns a
  /// slot as well, so that it is a thing of its own.
  @inline(__always)
  package var children: UnsafePointer<JSONView> {
    UnsafePointer(bitPattern: UInt(bits)).unsafelyUnwrapped
  }

  /// An array's elements, an operation's arguments; empty for anything else.
  @inline(__always)
  package var elements: UnsafeBufferPointer<JSONView> {
    guard kind == .array || kind == .operation else { return UnsafeBufferPointer(start: nil, count: 0) }
    return UnsafeBufferPointer(start: children, count: Int(count))
  }

  /// An object's members in written order; empty for anything else.
  @inline(__always)
  package var members: JSONMembers {
    kind == .object ? JSONMembers(pairs: children, count: Int(count)) : JSONMembers(pairs: nil, count: 0)
  }

  /// The member's value; nil if this is no object or has no such member. O(1) in objects of more than 16 members.
  package func member(_ name: StaticString) -> JSONView? {
    name.withUTF8Buffer { member(UnsafeRawBufferPointer($0)) }
  }

  /// The member's value; nil if this is no object or has no such member. O(1) in objects of more than 16 members.
  @inline(__always)
  package func member(_ name: UnsafeRawBufferPointer) -> JSONView? {
    guard let pair = pair(named: name) else { return nil }
    return pair[1]
  }

  /// Name and value of a member, in place.
  @inline(__always)
  package func pair(named name: UnsafeRawBufferPointer) -> UnsafePointer<JSONView>? {
    guard kind == .object else { return nil }
    if indexBits != 0 { return JSONIndex.find(name, in: self).map { children + 2 * $0 } }
    var pair = children
    let end = pair + 2 * Int(count)
    while pair < end {
      if pair.pointee.textEquals(name) { return pair }
      pair += 2
    }
    return nil
  }

  /// Whether the text is these bytes. Only for texts.
  @inline(__always)
  package func textEquals(_ other: UnsafeRawBufferPointer) -> Bool {
    guard Int(count) == other.count else { return false }
    return sameBytes(utf8, other)
  }
}

/// Members of an object in written order.
package struct JSONMembers: Sequence, IteratorProtocol {
  private var pair: UnsafePointer<JSONView>?
  private var left: Int

  init(pairs: UnsafePointer<JSONView>?, count: Int) {
    pair = pairs
    left = count
  }

  package mutating func next() -> (name: JSONView, value: JSONView)? {
    guard left > 0, let here = pair else { return nil }
    left -= 1
    pair = here + 2
    return (here[0], here[1])
  }
}

/// Equality of buffers of the same length.
@inline(__always)
package func sameBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
  guard let a = left.baseAddress, let b = right.baseAddress else { return true }
  var at = 0
  let count = left.count
  while at &+ 8 <= count {
    if a.loadUnaligned(fromByteOffset: at, as: UInt64.self) != b.loadUnaligned(fromByteOffset: at, as: UInt64.self) {
      return false
    }
    at &+= 8
  }
  while at < count {
    if a.load(fromByteOffset: at, as: UInt8.self) != b.load(fromByteOffset: at, as: UInt8.self) { return false }
    at &+= 1
  }
  return true
}

/// Whether the buffer is these ASCII letters.
@inline(__always)
package func equals(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
  bytes.count == word.utf8CodeUnitCount
    && sameBytes(bytes, UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
}
