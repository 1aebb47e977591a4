/// Numbers as texts write them: an optional sign, digits with or without a point, an optional exponent; or `inf`,
/// `infinity`, `nan` in any case. This is what Unleash's reference (Rust's `f64`) reads from a context.
package enum DecimalNumber {
  /// The nearest double; nil for anything else, spaces included. Allocates nothing unless digits or exponent are out
  /// of the common run.
  package static func read(_ text: UnsafeRawBufferPointer) -> Double? {
    var scanner = TextScanner(text)
    let isNegative = scanner.peek == 0x2D
    if isNegative || scanner.peek == 0x2B { scanner.advance() }
    if let word = named(scanner) { return isNegative ? -word : word }
    guard let parts = digits(&scanner) else { return nil }
    let magnitude = quick(parts) ?? Double(String(decoding: text, as: UTF8.self)).map(abs)
    guard let magnitude else { return nil }
    return isNegative ? -magnitude : magnitude
  }

  private struct Parts {
    var mantissa: UInt64 = 0
    var isExact = true
    var exponent = 0
  }

  /// Powers of ten that a double holds exactly.
  private static let exactPowers: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  /// One rounding of two exact numbers (W. Clinger, "How to read floating point numbers accurately", 1990).
  private static func quick(_ parts: Parts) -> Double? {
    guard parts.isExact, parts.mantissa <= 1 << 53 else { return nil }
    let value = Double(parts.mantissa)
    if parts.mantissa == 0 { return 0 }
    if parts.exponent >= 0, parts.exponent <= 22 { return value * exactPowers[parts.exponent] }
    if parts.exponent < 0, parts.exponent >= -22 { return value / exactPowers[-parts.exponent] }
    return nil
  }

  private static func digits(_ scanner: inout TextScanner) -> Parts? {
    var parts = Parts()
    var count = 0
    var isFraction = false
    while let byte = scanner.peek {
      if byte == 0x2E, !isFraction {
        isFraction = true
      } else if byte >= 0x30, byte <= 0x39 {
        count += 1
        let (product, overflow) = parts.mantissa.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
        if overflow || carry { parts.isExact = false } else { parts.mantissa = sum }
        if isFraction { parts.exponent -= 1 }
      } else {
        break
      }
      scanner.advance()
    }
    guard count > 0 else { return nil }
    if let byte = scanner.peek, byte | 0x20 == 0x65 {
      scanner.advance()
      let isNegative = scanner.peek == 0x2D
      if isNegative || scanner.peek == 0x2B { scanner.advance() }
      var exponent = 0
      let start = scanner.at
      while let byte = scanner.peek, byte >= 0x30, byte <= 0x39 {
        exponent = min(exponent * 10 + Int(byte - 0x30), 1_000_000)
        scanner.advance()
      }
      guard scanner.at > start else { return nil }
      parts.exponent += isNegative ? -exponent : exponent
    }
    return scanner.isAtEnd ? parts : nil
  }

  private static func named(_ scanner: TextScanner) -> Double? {
    func isWord(_ word: StaticString) -> Bool {
      let rest = UnsafeRawBufferPointer(rebasing: scanner.text[scanner.at...])
      guard rest.count == word.utf8CodeUnitCount else { return false }
      return rest.indices.allSatisfy { rest[$0] | 0x20 == word.utf8Start[$0] }
    }
    if isWord("inf") || isWord("infinity") { return .infinity }
    return isWord("nan") ? .nan : nil
  }
}
