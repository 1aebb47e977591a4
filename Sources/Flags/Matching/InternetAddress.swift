/// An IPv4 or IPv6 address. The families never match one another, not even as `::ffff:1.2.3.4`.
package struct InternetAddress: Equatable, Sendable {
  enum Family: UInt8 { case four, six }

  let family: Family
  /// Network order as a number; IPv4 in the lowest 32 bits.
  let high: UInt64
  let low: UInt64

  /// Nil for anything but an address alone: no spaces, no zone, no leading zeros in IPv4.
  package init?(_ text: UnsafeRawBufferPointer) {
    var scanner = TextScanner(text)
    if let value = Self.four(&scanner), scanner.isAtEnd {
      self.init(four: value)
      return
    }
    guard let value = Self.six(text) else { return nil }
    self.init(family: .six, high: value.high, low: value.low)
  }

  init(four value: UInt32) { self.init(family: .four, high: 0, low: UInt64(value)) }

  init(family: Family, high: UInt64, low: UInt64) {
    self.family = family
    self.high = high
    self.low = low
  }

  /// `1.2.3.4`, without what follows.
  static func four(_ scanner: inout TextScanner) -> UInt32? {
    var value: UInt32 = 0
    for part in 0..<4 {
      if part > 0, !scanner.skip(0x2E) { return nil }
      let start = scanner.at
      guard let number = scanner.number(atLeast: 1, atMost: 3), number <= 255 else { return nil }
      let digits = scanner.at - start
      if digits > 1, scanner.text[start] == 0x30 { return nil }
      value = value << 8 | UInt32(number)
    }
    return value
  }

  /// RFC 4291, section 2.2.
  static func six(_ text: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64)? {
    var scanner = TextScanner(text)
    var before: (UInt64, UInt64) = (0, 0)
    guard let head = groups(&scanner, into: &before, limit: 8) else { return nil }
    if head.count == 8 { return scanner.isAtEnd ? before : nil }
    guard !head.endsInFour, scanner.skip(0x3A), scanner.skip(0x3A) else { return nil }
    var after: (UInt64, UInt64) = (0, 0)
    // `::` stands for at least one group.
    guard groups(&scanner, into: &after, limit: 7 - head.count) != nil, scanner.isAtEnd else { return nil }
    // `before` holds its groups in the lowest places; they belong in the highest.
    let shifted = shiftedLeft(before, groups: 8 - head.count)
    return (shifted.0 | after.0, shifted.1 | after.1)
  }

  /// Up to `limit` groups of hexadecimal digits, the last two perhaps as IPv4; stops before `::`. Nil for a colon that
  /// leads nowhere.
  private static func groups(
    _ scanner: inout TextScanner, into value: inout (UInt64, UInt64), limit: Int
  ) -> (count: Int, endsInFour: Bool)? {
    var count = 0
    while count < limit {
      let start = scanner
      if count > 0 {
        guard scanner.peek == 0x3A else { return (count, false) }
        scanner.advance()
        if scanner.peek == 0x3A {
          scanner = start
          return (count, false)
        }
      }
      if limit - count >= 2 {
        var look = scanner
        if let four = four(&look) {
          scanner = look
          value = shiftedLeft(value, groups: 2)
          value.1 |= UInt64(four)
          return (count + 2, true)
        }
      }
      var group: UInt64 = 0
      var digits = 0
      while digits < 4, let byte = scanner.peek, let digit = Unicode.Scalar(byte).hexDigit {
        group = group << 4 | UInt64(digit)
        digits += 1
        scanner.advance()
      }
      if digits == 0 {
        return count > 0 ? nil : (0, false)
      }
      value = shiftedLeft(value, groups: 1)
      value.1 |= group
      count += 1
    }
    return (count, false)
  }

  private static func shiftedLeft(_ value: (UInt64, UInt64), groups: Int) -> (UInt64, UInt64) {
    let bits = UInt64(16 * groups)
    if bits == 0 { return value }
    if bits >= 128 { return (0, 0) }
    if bits >= 64 { return (value.1 << (bits - 64), 0) }
    return (value.0 << bits | value.1 >> (64 - bits), value.1 << bits)
  }
}

/// Addresses that begin alike: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `2001:db8::/32`, or one address alone. Bits behind
/// the prefix do not count.
package struct AddressRange: Sendable {
  let family: InternetAddress.Family
  private let high: UInt64
  private let low: UInt64
  private let maskHigh: UInt64
  private let maskLow: UInt64

  /// Nil for anything that is no range.
  package init?(_ text: UnsafeRawBufferPointer) {
    let slash = text.firstIndex(of: 0x2F)
    guard let address = InternetAddress(UnsafeRawBufferPointer(rebasing: text[..<(slash ?? text.count)])) else {
      return nil
    }
    var prefix = address.family == .four ? 32 : 128
    if let slash {
      let rest = UnsafeRawBufferPointer(rebasing: text[(slash + 1)...])
      guard let given = Self.prefix(rest, family: address.family), given <= prefix else { return nil }
      prefix = given
    }
    family = address.family
    if address.family == .four {
      maskHigh = 0
      maskLow = prefix == 0 ? 0 : UInt64(UInt32.max << UInt32(32 - prefix))
    } else {
      maskHigh = prefix == 0 ? 0 : UInt64.max << UInt64(max(0, 64 - prefix))
      maskLow = prefix <= 64 ? 0 : UInt64.max << UInt64(128 - prefix)
    }
    high = address.high & maskHigh
    low = address.low & maskLow
  }

  @inline(__always)
  package func contains(_ address: InternetAddress) -> Bool {
    address.family == family && address.high & maskHigh == high && address.low & maskLow == low
  }

  /// A number of bits, or for IPv4 a mask without holes.
  private static func prefix(_ text: UnsafeRawBufferPointer, family: InternetAddress.Family) -> Int? {
    var scanner = TextScanner(text)
    if family == .four, let mask = InternetAddress.four(&scanner), scanner.isAtEnd {
      let bits = mask.nonzeroBitCount
      return mask == (bits == 0 ? 0 : UInt32.max << UInt32(32 - bits)) ? bits : nil
    }
    scanner = TextScanner(text)
    _ = scanner.skip(0x2B)
    guard let bits = scanner.number(atLeast: 1, atMost: .max), scanner.isAtEnd, bits <= 255 else { return nil }
    return Int(bits)
  }
}
