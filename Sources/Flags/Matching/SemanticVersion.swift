/// A semantic version (2.0.0) in place: the numbers, and where its pre-release stands in the text.
///
/// For Unleash: three numbers are required, no leading `v`, and build metadata does not count. flagd's `sem_ver` is
/// more lenient and has its own reader.
package struct SemanticVersion {
  private let numbers: (UInt64, UInt64, UInt64)
  private let preRelease: UnsafeRawBufferPointer

  /// Nil unless the text is a version: identifiers not empty, numeric ones without leading zero, numbers in 64 bits.
  package init?(_ text: UnsafeRawBufferPointer) {
    var scanner = TextScanner(text)
    guard let major = Self.number(&scanner), scanner.skip(0x2E), let minor = Self.number(&scanner), scanner.skip(0x2E),
      let patch = Self.number(&scanner)
    else { return nil }
    numbers = (major, minor, patch)
    var preRelease = UnsafeRawBufferPointer(start: nil, count: 0)
    if scanner.skip(0x2D) {
      guard let found = Self.identifiers(&scanner, allowsLeadingZero: false) else { return nil }
      preRelease = found
    }
    self.preRelease = preRelease
    if scanner.skip(0x2B), Self.identifiers(&scanner, allowsLeadingZero: true) == nil { return nil }
    guard scanner.isAtEnd else { return nil }
  }

  /// Less than 0, 0 or more than 0: this before, level with or after the other in precedence.
  package func compared(to other: SemanticVersion) -> Int {
    for (mine, others) in [
      (numbers.0, other.numbers.0), (numbers.1, other.numbers.1), (numbers.2, other.numbers.2),
    ] where mine != others { return mine < others ? -1 : 1 }
    switch (preRelease.isEmpty, other.preRelease.isEmpty) {
    case (true, true): return 0
    case (true, false): return 1
    case (false, true): return -1
    case (false, false): return Self.compare(preRelease, other.preRelease)
    }
  }

  private static func number(_ scanner: inout TextScanner) -> UInt64? {
    let start = scanner.at
    var value: UInt64 = 0
    while let byte = scanner.peek, byte >= 0x30, byte <= 0x39 {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
      guard !overflow, !carry else { return nil }
      value = sum
      scanner.advance()
    }
    let digits = scanner.at - start
    guard digits > 0, digits == 1 || scanner.text[start] != 0x30 else { return nil }
    return value
  }

  private static func identifiers(_ scanner: inout TextScanner, allowsLeadingZero: Bool) -> UnsafeRawBufferPointer? {
    let begin = scanner.at
    while true {
      let start = scanner.at
      var isNumeric = true
      while let byte = scanner.peek, isIdentifier(byte) {
        if byte < 0x30 || byte > 0x39 { isNumeric = false }
        scanner.advance()
      }
      let length = scanner.at - start
      guard length > 0 else { return nil }
      if isNumeric, !allowsLeadingZero, length > 1, scanner.text[start] == 0x30 { return nil }
      if !scanner.skip(0x2E) { return UnsafeRawBufferPointer(rebasing: scanner.text[begin..<scanner.at]) }
    }
  }

  private static func isIdentifier(_ byte: UInt8) -> Bool {
    (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5A) || (byte >= 0x61 && byte <= 0x7A) || byte == 0x2D
  }

  /// Identifier by identifier (SemVer 2.0.0, 11.4).
  private static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    var mine = 0
    var others = 0
    while true {
      let first = next(left, &mine)
      let second = next(right, &others)
      switch (first, second) {
      case (nil, nil): return 0
      case (nil, .some): return -1
      case (.some, nil): return 1
      case (.some(let first), .some(let second)):
        let order = compareIdentifiers(first, second)
        if order != 0 { return order }
      }
    }
  }

  private static func next(_ text: UnsafeRawBufferPointer, _ at: inout Int) -> UnsafeRawBufferPointer? {
    guard at < text.count else { return nil }
    let start = at
    while at < text.count, text[at] != 0x2E { at += 1 }
    defer { at += 1 }
    return UnsafeRawBufferPointer(rebasing: text[start..<at])
  }

  private static func compareIdentifiers(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let isNumeric = (
      left.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }, right.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    )
    switch isNumeric {
    case (true, false): return -1
    case (false, true): return 1
    case (true, true):
      if left.count != right.count { return left.count < right.count ? -1 : 1 }
      return compareBytes(left, right)
    case (false, false): return compareBytes(left, right)
    }
  }

  private static func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    for (mine, others) in zip(left, right) where mine != others { return mine < others ? -1 : 1 }
    return left.count == right.count ? 0 : (left.count < right.count ? -1 : 1)
  }
}
