/// An instant: whole seconds since 1970 and nanoseconds. A leap second is 59 with a nanosecond count beyond a billion,
/// so it sorts between its neighbours.
package struct Timestamp: Comparable, Sendable {
  package var seconds: Int64
  package var nanoseconds: UInt32

  package init(seconds: Int64, nanoseconds: UInt32 = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }
}

extension Timestamp {
  /// Years that the reference's calendar holds (chrono 0.4: 18 bits with sign, less one at the upper end).
  private static let years: ClosedRange<Int64> = -262_143...262_142

  /// RFC 3339, read as leniently as Unleash's reference does: numbers may lack leading zeros and have spaces before
  /// them, the `T` may be a space, the offset may lack its colon, `UTC` stands for `Z`. Nil for anything else.
  package init?(lenient text: UnsafeRawBufferPointer) {
    var scanner = TextScanner(text)
    guard let day = Self.day(&scanner), let separator = scanner.peek, separator | 0x20 == 0x74 || separator == 0x20
    else { return nil }
    scanner.advance()
    guard let time = Self.time(&scanner), let offset = Self.offset(&scanner) else { return nil }
    scanner.skipWhiteSpace()
    guard scanner.isAtEnd else { return nil }
    let seconds = day * 86_400 + time.seconds - offset
    guard let first = Self.days(Self.years.lowerBound, 1, 1), let last = Self.days(Self.years.upperBound, 12, 31),
      seconds >= first * 86_400, seconds < (last + 1) * 86_400
    else { return nil }
    self.init(seconds: seconds, nanoseconds: time.nanoseconds)
  }

  /// The strict form in which Unleash's rules hold a date: `2026-11-23T18:00:00(.000)?(Z|±hh:mm)`.
  static func isStrict(_ text: UnsafeRawBufferPointer) -> Bool {
    var shape = "0000-00-00T00:00:00".utf8.makeIterator()
    var scanner = TextScanner(text)
    while let wanted = shape.next() {
      guard let byte = scanner.peek else { return false }
      guard wanted == 0x30 ? isDigit(byte) : byte == wanted else { return false }
      scanner.advance()
    }
    if scanner.skip(0x2E) {
      for _ in 0..<3 { guard skipDigit(&scanner) else { return false } }
    }
    if scanner.skip(0x5A) { return scanner.isAtEnd }
    guard scanner.skip(0x2B) || scanner.skip(0x2D), skipDigit(&scanner), skipDigit(&scanner), scanner.skip(0x3A),
      skipDigit(&scanner), skipDigit(&scanner)
    else { return false }
    return scanner.isAtEnd
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  private static func skipDigit(_ scanner: inout TextScanner) -> Bool {
    guard let byte = scanner.peek, isDigit(byte) else { return false }
    scanner.advance()
    return true
  }

  /// Days since 1970.
  private static func day(_ scanner: inout TextScanner) -> Int64? {
    scanner.skipWhiteSpace()
    let year: Int64
    if scanner.skip(0x2D) {
      guard let magnitude = scanner.number(atLeast: 1, atMost: .max) else { return nil }
      year = -magnitude
    } else {
      let isSigned = scanner.skip(0x2B)
      guard let magnitude = scanner.number(atLeast: 1, atMost: isSigned ? .max : 4) else { return nil }
      year = magnitude
    }
    guard let month = part(&scanner, after: 0x2D), let day = part(&scanner, after: 0x2D) else { return nil }
    return days(year, month, day)
  }

  private static func time(_ scanner: inout TextScanner) -> (seconds: Int64, nanoseconds: UInt32)? {
    scanner.skipWhiteSpace()
    guard let hour = scanner.number(atLeast: 1, atMost: 2), let minute = part(&scanner, after: 0x3A),
      var second = part(&scanner, after: 0x3A), hour < 24, minute < 60, second <= 60
    else { return nil }
    var nanoseconds: UInt32 = 0
    if scanner.skip(0x2E) {
      let start = scanner.at
      guard let fraction = scanner.number(atLeast: 1, atMost: 9) else { return nil }
      nanoseconds = UInt32(fraction)
      for _ in (scanner.at - start)..<9 { nanoseconds *= 10 }
      while let byte = scanner.peek, isDigit(byte) { scanner.advance() }
    }
    if second == 60 {
      second = 59
      nanoseconds += 1_000_000_000
    }
    return (hour * 3600 + minute * 60 + second, nanoseconds)
  }

  /// Spaces, the separator, spaces, one or two digits.
  private static func part(_ scanner: inout TextScanner, after separator: UInt8) -> Int64? {
    scanner.skipWhiteSpace()
    guard scanner.skip(separator) else { return nil }
    scanner.skipWhiteSpace()
    return scanner.number(atLeast: 1, atMost: 2)
  }

  /// Seconds east of Greenwich.
  private static func offset(_ scanner: inout TextScanner) -> Int64? {
    scanner.skipWhiteSpace()
    guard let first = scanner.peek else { return nil }
    if first | 0x20 == 0x7A {
      scanner.advance()
      return 0
    }
    if first | 0x20 == 0x75 {
      for letter: UInt8 in [0x75, 0x74, 0x63] {
        guard let byte = scanner.peek, byte | 0x20 == letter else { return nil }
        scanner.advance()
      }
      return 0
    }
    let isNegative: Bool
    if scanner.skip(0x2B) {
      isNegative = false
    } else if scanner.skip(0x2D) {
      isNegative = true
    } else if scanner.skip(0xE2), scanner.skip(0x88), scanner.skip(0x92) {  // U+2212, the minus sign
      isNegative = true
    } else {
      return nil
    }
    guard let hours = scanner.number(atLeast: 2, atMost: 2) else { return nil }
    while let byte = scanner.peek {
      if byte == 0x3A {
        scanner.advance()
      } else {
        let before = scanner.at
        scanner.skipWhiteSpace()
        if scanner.at == before { break }
      }
    }
    guard let minutes = scanner.number(atLeast: 2, atMost: 2), minutes < 60 else { return nil }
    let seconds = hours * 3600 + minutes * 60
    guard seconds < 86_400 else { return nil }
    return isNegative ? -seconds : seconds
  }

  /// Days since 1970 in the Gregorian calendar, reckoned in years that begin in March (H. Hinnant, "chrono-Compatible
  /// Low-Level Date Algorithms"); nil for a day that does not exist.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64? {
    guard years.contains(year), (1...12).contains(month), day >= 1 else { return nil }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let length: Int64
    switch month {
    case 2: length = isLeap ? 29 : 28
    case 4, 6, 9, 11: length = 30
    default: length = 31
    }
    guard day <= length else { return nil }
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  /// `2026-11-23T18:00:00Z`, as an evaluation that names no current time sees it. 20 bytes for years 0 to 9999, which
  /// is what clocks show; others are clamped.
  package static func write(_ seconds: Int64, into bytes: UnsafeMutableRawBufferPointer) {
    let clamped = min(max(seconds, -62_167_219_200), 253_402_300_799)
    let day = (clamped - (clamped % 86_400 + 86_400) % 86_400) / 86_400
    let time = clamped - day * 86_400
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func put(_ value: Int64, digits: Int, at index: Int) {
      var rest = value
      for place in stride(from: index + digits - 1, through: index, by: -1) {
        bytes[place] = UInt8(0x30 + rest % 10)
        rest /= 10
      }
    }
    put(year, digits: 4, at: 0)
    put(month, digits: 2, at: 5)
    put(dayOfYear - (153 * marchMonth + 2) / 5 + 1, digits: 2, at: 8)
    put(time / 3600, digits: 2, at: 11)
    put(time / 60 % 60, digits: 2, at: 14)
    put(time % 60, digits: 2, at: 17)
    bytes[4] = 0x2D
    bytes[7] = 0x2D
    bytes[10] = 0x54
    bytes[13] = 0x3A
    bytes[16] = 0x3A
    bytes[19] = 0x5A
  }

  /// Bytes that ``write(_:into:)`` fills.
  static let writtenLength = 20
}
