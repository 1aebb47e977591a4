/// Fields as bytes that can be read in only one way, for hashing, signing and sealing.
///
/// A number is eight bytes, most significant first; a text or a byte string is its length as a number and then its
/// bytes. JSON is not used: its escaping may change with the toolchain, and with it every hash.
struct CanonicalBytes {
  private(set) var bytes: [UInt8]

  init(capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  mutating func add(_ number: Int64) {
    var rest = UInt64(bitPattern: number).bigEndian
    withUnsafeBytes(of: &rest) { bytes.append(contentsOf: $0) }
  }
  mutating func add(_ text: String) {
    add(Int64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }
  mutating func add(bytes field: some Collection<UInt8>) {
    add(Int64(field.count))
    bytes.append(contentsOf: field)
  }
  /// Fields that are canonical bytes already.
  mutating func add(written fields: [UInt8]) { bytes.append(contentsOf: fields) }
}

/// Reads what `CanonicalBytes` wrote; nil where the bytes end early or are no text.
struct CanonicalReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number() -> Int64? {
    guard rest.count >= 8 else { return nil }
    let number = rest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    rest = rest.dropFirst(8)
    return Int64(bitPattern: number)
  }
  mutating func text() -> String? {
    guard let length = number(), length >= 0, length <= rest.count else { return nil }
    let text = String(validating: rest.prefix(Int(length)), as: UTF8.self)
    rest = rest.dropFirst(Int(length))
    return text
  }
}
