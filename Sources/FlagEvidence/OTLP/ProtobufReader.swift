/// The fields of one protobuf message, from its bytes (protobuf.dev, "Encoding").
///
/// Of OTLP's forty messages six are read, and of these some twenty fields: generated code for all of them would be
/// twenty times as long as this.
struct ProtobufReader {
  enum Field {
    case varint(UInt64)
    case fixed64(UInt64)
    case fixed32(UInt32)
    case bytes(ArraySlice<UInt8>)
  }
  struct Broken: Error {}

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// Nil at the end.
  ///
  /// - Throws: `Broken` for bytes that are no message; groups, which protobuf gave up long ago, are none.
  mutating func next() throws(Broken) -> (number: Int, field: Field)? {
    guard !rest.isEmpty else { return nil }
    let tag = try varint()
    guard let number = Int(exactly: tag >> 3), number > 0 else { throw Broken() }
    switch tag & 7 {
    case 0: return (number, .varint(try varint()))
    case 1: return (number, .fixed64(try fixed(8)))
    case 2:
      guard let count = Int(exactly: try varint()), count <= rest.count else { throw Broken() }
      let bytes = rest.prefix(count)
      rest = rest.dropFirst(count)
      return (number, .bytes(bytes))
    case 5: return (number, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
    default: throw Broken()
    }
  }

  private mutating func varint() throws(Broken) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { throw Broken() }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Broken()
  }

  private mutating func fixed(_ count: Int) throws(Broken) -> UInt64 {
    guard rest.count >= count else { throw Broken() }
    var value: UInt64 = 0
    for byte in rest.prefix(count).reversed() { value = value << 8 | UInt64(byte) }
    rest = rest.dropFirst(count)
    return value
  }
}
