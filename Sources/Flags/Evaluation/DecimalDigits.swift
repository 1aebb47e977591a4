/// A double in decimal as C's `%.15g` writes it, which is how JSONLogic's peer makes texts of numbers.
///
/// Digits come from the exact value: the significand times a power of two is a whole number, or one divided by a power
/// of ten (2^-k is 5^k / 10^k). Rounding is to even at exact ties, as in C. Uses no heap.
enum DecimalDigits {
  static let significant = 15
  /// Longest output: sign, 15 digits, point, four zeros, `e-308`.
  static let capacity = 32
  /// 5^1074 times a significand has 767 digits; nine to a limb.
  private static let limbs = 96

  /// Writes into `room`, of at least `capacity` bytes.
  ///
  /// - Returns: the number of bytes.
  static func write(_ value: Double, to room: UnsafeMutableRawPointer) -> Int {
    var output = Output(room)
    if value.isNaN { return output.append("nan") }
    if value.sign == .minus { output.append(UInt8(ascii: "-")) }
    if value.isInfinite { return output.append("inf") }
    if value == 0 {
      output.append(0x30)
      return output.count
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
      let exponent = round(value.magnitude, into: digits)
      write(digits, exponent: exponent, to: &output)
    }
    return output.count
  }

  /// The 15 digits and the exponent of the first one.
  private static func round(_ value: Double, into digits: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var exponent = 0
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: limbs) { limbs in
      var number = Limbs(limbs, value.significandBitPattern | (value.isNormal ? 1 << 52 : 0))
      let binary = Int(max(value.exponentBitPattern, 1)) - 1075
      if binary >= 0 {
        number.multiply(2, times: binary)
      } else {
        number.multiply(5, times: -binary)
      }
      let count = number.digitCount
      var position = 0
      var isTie = true
      var next: UInt8 = 0
      number.forEachDigit { digit in
        if position < significant {
          digits[position] = digit
        } else if position == significant {
          next = digit
        } else if digit != 0 {
          isTie = false
        }
        position += 1
      }
      for place in position..<max(position, significant) { digits[place] = 0 }
      exponent = count - 1 + min(binary, 0)
      let isOdd = digits[significant - 1] & 1 == 1
      if next > 5 || (next == 5 && (!isTie || isOdd)) { exponent += increment(digits) }
    }
    return exponent
  }

  /// Adds one to the last digit.
  ///
  /// - Returns: 1 when the number grew by a digit.
  private static func increment(_ digits: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var place = significant - 1
    while place >= 0 {
      digits[place] += 1
      if digits[place] < 10 { return 0 }
      digits[place] = 0
      place -= 1
    }
    digits[0] = 1
    return 1
  }

  private static func write(
    _ digits: UnsafeMutableBufferPointer<UInt8>, exponent: Int, to output: inout Output
  ) {
    var count = significant
    while count > 1, digits[count - 1] == 0 { count -= 1 }
    if exponent < -4 || exponent >= significant {
      output.append(0x30 + digits[0])
      if count > 1 { output.append(UInt8(ascii: ".")) }
      for place in 1..<max(1, count) { output.append(0x30 + digits[place]) }
      output.append(UInt8(ascii: "e"))
      output.append(exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
      let size = abs(exponent)
      if size >= 100 { output.append(0x30 + UInt8(size / 100)) }
      output.append(0x30 + UInt8(size / 10 % 10))
      output.append(0x30 + UInt8(size % 10))
      return
    }
    if exponent < 0 {
      output.append(0x30)
      output.append(UInt8(ascii: "."))
      for _ in 0..<(-exponent - 1) { output.append(0x30) }
      for place in 0..<count { output.append(0x30 + digits[place]) }
      return
    }
    for place in 0...exponent { output.append(0x30 + (place < count ? digits[place] : 0)) }
    if count > exponent + 1 {
      output.append(UInt8(ascii: "."))
      for place in (exponent + 1)..<count { output.append(0x30 + digits[place]) }
    }
  }

  private struct Output {
    private let room: UnsafeMutableRawPointer
    private(set) var count = 0

    init(_ room: UnsafeMutableRawPointer) { self.room = room }

    mutating func append(_ byte: UInt8) {
      room.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
      count += 1
    }

    mutating func append(_ word: StaticString) -> Int {
      for at in 0..<word.utf8CodeUnitCount { append(word.utf8Start[at]) }
      return count
    }
  }

  /// A whole number in base 10^9, lowest limb first.
  private struct Limbs {
    private static let base: UInt64 = 1_000_000_000
    private let limbs: UnsafeMutableBufferPointer<UInt32>
    private var used = 0

    init(_ limbs: UnsafeMutableBufferPointer<UInt32>, _ value: UInt64) {
      self.limbs = limbs
      var rest = value
      while rest > 0 {
        limbs[used] = UInt32(rest % Self.base)
        rest /= Self.base
        used += 1
      }
    }

    /// By a power of 2 or 5; twelve factors at once stay below the base.
    mutating func multiply(_ factor: UInt64, times: Int) {
      var left = times
      while left > 0 {
        var power: UInt64 = 1
        for _ in 0..<min(left, 12) { power *= factor }
        left -= 12
        var carry: UInt64 = 0
        for place in 0..<used {
          let product = UInt64(limbs[place]) * power + carry
          limbs[place] = UInt32(product % Self.base)
          carry = product / Self.base
        }
        if carry > 0 {
          limbs[used] = UInt32(carry)
          used += 1
        }
      }
    }

    var digitCount: Int {
      var count = 9 * (used - 1)
      var top = limbs[used - 1]
      while top > 0 {
        count += 1
        top /= 10
      }
      return count
    }

    /// From the highest digit on, without leading zeros.
    func forEachDigit(_ body: (UInt8) -> Void) {
      var isLeading = true
      for place in stride(from: used - 1, through: 0, by: -1) {
        var divisor: UInt32 = 100_000_000
        while divisor > 0 {
          let digit = limbs[place] / divisor % 10
          divisor /= 10
          if isLeading && digit == 0 { continue }
          isLeading = false
          body(UInt8(digit))
        }
      }
    }
  }
}
