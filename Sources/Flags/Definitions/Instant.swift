/// A moment as definitions write it: RFC 3339 (`2027-01-31T12:00:00Z`), or a day (`2027-01-31`, its beginning in UTC).
package struct Instant: Comparable, Hashable, Sendable {
  /// Seconds since 1970.
  package let seconds: Int64

  package init(seconds: Int64) { self.seconds = seconds }

  package static func < (left: Instant, right: Instant) -> Bool { left.seconds < right.seconds }

  /// Nil when the text is no moment, or one that the calendar does not have. Fractions of seconds are cut off.
  package init?(_ text: String) {
    var copy = text
    guard let instant = copy.withUTF8({ Instant(UnsafeRawBufferPointer($0)) }) else { return nil }
    self = instant
  }

  /// From bytes of UTF-8.
  init?(_ text: UnsafeRawBufferPointer) {
    func number(_ start: Int, _ count: Int) -> Int? {
      guard start + count <= text.count else { return nil }
      var value = 0
      for at in start..<start + count {
        guard text[at] >= 0x30, text[at] <= 0x39 else { return nil }
        value = value * 10 + Int(text[at] - 0x30)
      }
      return value
    }
    func has(_ byte: UInt8, at place: Int) -> Bool { place < text.count && text[place] == byte }
    let hyphen = UInt8(ascii: "-")
    let colon = UInt8(ascii: ":")
    guard let year = number(0, 4), has(hyphen, at: 4), let month = number(5, 2), has(hyphen, at: 7),
      let day = number(8, 2), (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year)
    else { return nil }
    let midnight = Self.days(to: year, month, day) * 86_400
    if text.count == 10 {
      seconds = Int64(midnight)
      return
    }
    guard text.count > 19, text[10] | 0x20 == UInt8(ascii: "t"), let hour = number(11, 2), has(colon, at: 13),
      let minute = number(14, 2), has(colon, at: 16), let second = number(17, 2), hour < 24, minute < 60, second <= 60
    else { return nil }
    var at = 19
    if has(UInt8(ascii: "."), at: at) {
      at += 1
      guard number(at, 1) != nil else { return nil }
      while number(at, 1) != nil { at += 1 }
    }
    var offset = 0
    if at < text.count, text[at] | 0x20 == UInt8(ascii: "z") {
      at += 1
    } else {
      let isWest = has(hyphen, at: at)
      guard isWest || has(UInt8(ascii: "+"), at: at), let hours = number(at + 1, 2), has(colon, at: at + 3),
        let minutes = number(at + 4, 2), hours < 24, minutes < 60
      else { return nil }
      offset = (isWest ? -1 : 1) * (hours * 3600 + minutes * 60)
      at += 6
    }
    guard at == text.count else { return nil }
    seconds = Int64(midnight + hour * 3600 + minute * 60 + second - offset)
  }

  private static func days(in month: Int, of year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  }

  /// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March, so that the leap day is last.
  private static func days(to year: Int, _ month: Int, _ day: Int) -> Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
