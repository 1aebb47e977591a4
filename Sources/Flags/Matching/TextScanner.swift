/// Reads a text of valid UTF-8 from left to right.
struct TextScanner {
  let text: UnsafeRawBufferPointer
  private(set) var at = 0

  init(_ text: UnsafeRawBufferPointer) { self.text = text }

  var isAtEnd: Bool { at >= text.count }

  /// Nil at the end.
  @inline(__always)
  var peek: UInt8? { at < text.count ? text[at] : nil }

  @inline(__always)
  mutating func advance(by bytes: Int = 1) { at += bytes }

  @inline(__always)
  mutating func skip(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    at += 1
    return true
  }

  /// Any number of scalars with Unicode's White_Space.
  mutating func skipWhiteSpace() {
    while at < text.count {
      let byte = text[at]
      if byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) {
        at += 1
      } else if byte >= 0x80 {
        let (scalar, bytes) = decodeScalar(text, at: at)
        guard isWhiteSpace(scalar) else { return }
        at += bytes
      } else {
        return
      }
    }
  }

  /// Decimal digits, at least `minimum` and at most `maximum` of them, as a number; nil if they are too few or the
  /// number exceeds 64 bits.
  mutating func number(atLeast minimum: Int, atMost maximum: Int) -> Int64? {
    var value: Int64 = 0
    var count = 0
    while count < maximum, let byte = peek, byte >= 0x30, byte <= 0x39 {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int64(byte - 0x30))
      if overflow || carry { return nil }
      value = sum
      count += 1
      at += 1
    }
    return count >= minimum ? value : nil
  }
}

/// Unicode's White_Space (PropList.txt).
@inline(__always)
func isWhiteSpace(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
  default: false
  }
}
