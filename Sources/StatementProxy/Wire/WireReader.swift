/// Reads a message's body field by field. Every function is nil past the end: a body may be cut at its limit.
struct WireReader {
  private let bytes: UnsafeRawBufferPointer
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var remaining: Int { bytes.count - offset }

  mutating func byte() -> UInt8? {
    guard remaining >= 1 else { return nil }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func int16() -> Int? {
    guard remaining >= 2 else { return nil }
    defer { offset += 2 }
    return Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self)))
  }

  /// A count of at most 65,535, which the protocol writes as a signed number.
  mutating func count() -> Int? { int16().map { $0 & 0xFFFF } }

  mutating func int32() -> Int? {
    guard remaining >= 4 else { return nil }
    defer { offset += 4 }
    return Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
  }

  mutating func oid() -> UInt32? { int32().map { UInt32(truncatingIfNeeded: $0) } }

  mutating func slice(_ length: Int) -> UnsafeRawBufferPointer? {
    guard length >= 0, remaining >= length else { return nil }
    defer { offset += length }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
  }

  /// The bytes of a string without the NUL that ends it.
  mutating func stringBytes() -> UnsafeRawBufferPointer? {
    var end = offset
    while end < bytes.count, bytes[end] != 0 { end += 1 }
    guard end < bytes.count else { return nil }
    defer { offset = end + 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
  }

  /// Bytes that are no UTF-8 become replacement characters.
  mutating func string() -> String? { stringBytes().map { String(decoding: $0, as: UTF8.self) } }
}
