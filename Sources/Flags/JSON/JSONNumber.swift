/// A number as JSON writes it, and the rounding of decimal texts to doubles.
struct JSONNumber {
  let value: JSONView
  /// Behind its last byte.
  let end: Int

  /// Nil if no JSON number begins there.
  init?(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) {
    var at = start
    func digit(_ place: Int) -> UInt64? {
      guard place < bytes.count, bytes[place] >= 0x30, bytes[place] <= 0x39 else { return nil }
      return UInt64(bytes[place] - 0x30)
    }
    let isNegative = bytes[at] == UInt8(ascii: "-")
    if isNegative { at += 1 }
    guard let first = digit(at) else { return nil }
    var magnitude: UInt64 = 0
    var overflows = false
    if first == 0 {
      at += 1
    } else {
      while let next = digit(at) {
        let (tenfold, over) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, overAgain) = tenfold.addingReportingOverflow(next)
        overflows = overflows || over || overAgain
        magnitude = sum
        at += 1
      }
    }
    if digit(at) != nil { return nil }
    var isInteger = true
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      isInteger = false
      at += 1
      guard digit(at) != nil else { return nil }
      while digit(at) != nil { at += 1 }
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      at += 1
      if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
      guard digit(at) != nil else { return nil }
      while digit(at) != nil { at += 1 }
    }
    end = at
    let limit = UInt64(Int64.max) + (isNegative ? 1 : 0)
    if isInteger, !overflows, magnitude <= limit {
      value = .integer(isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(truncatingIfNeeded: magnitude))
    } else {
      guard let double = Self.double(bytes.raw(start..<at)) else { return nil }
      value = .double(double)
    }
  }

  /// Powers of ten that are exact as doubles.
  private static let exactPowers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  /// The nearest double of `[+-] digits [. digits] [e [+-] digits]`, with digits on at least one side of the point;
  /// nil for anything else. Beyond the largest: infinite.
  ///
  /// Up to 2^53 with a power of ten up to 22 both parts are exact, so one operation rounds right (Clinger 1990, "How
  /// to read floating point numbers accurately"). The rest goes to the standard library, which may allocate.
  static func double(_ text: UnsafeRawBufferPointer) -> Double? {
    var at = 0
    let end = text.count
    var isNegative = false
    if at < end, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
      isNegative = text[at] == UInt8(ascii: "-")
      at += 1
    }
    var mantissa: UInt64 = 0
    var digits = 0
    var significant = 0
    var exponent = 0
    var seenPoint = false
    while at < end {
      let byte = text[at]
      if byte == UInt8(ascii: "."), !seenPoint {
        seenPoint = true
      } else if byte >= 0x30, byte <= 0x39 {
        digits += 1
        if significant > 0 || byte != 0x30 { significant += 1 }
        if significant <= 18 { mantissa = mantissa * 10 + UInt64(byte - 0x30) }
        if seenPoint { exponent -= 1 }
      } else {
        break
      }
      at += 1
    }
    guard digits > 0 else { return nil }
    if at < end, text[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      var sign = 1
      if at < end, text[at] == UInt8(ascii: "-") || text[at] == UInt8(ascii: "+") {
        sign = text[at] == UInt8(ascii: "-") ? -1 : 1
        at += 1
      }
      guard at < end else { return nil }
      var written = 0
      while at < end, text[at] >= 0x30, text[at] <= 0x39 {
        written = min(written * 10 + Int(text[at] - 0x30), 100_000)
        at += 1
      }
      exponent += sign * written
    }
    guard at == end, text[end - 1] | 0x20 != UInt8(ascii: "e"), text[end - 1] != 0x2b, text[end - 1] != 0x2d else {
      return nil
    }
    if significant <= 18, mantissa <= 1 << 53, abs(exponent) < exactPowers.count {
      let exact = Double(mantissa)
      let size = exponent < 0 ? exact / exactPowers[-exponent] : exact * exactPowers[exponent]
      return isNegative ? -size : size
    }
    return Double(String(decoding: text, as: UTF8.self))
  }
}
