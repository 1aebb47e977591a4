import Testing

@testable import Flags

extension String {
  fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var copy = self
    return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }
}

@Suite("Addresses, versions, times and numbers in texts")
struct MatchingTests {
  private func check(
    _ range: String, contains inside: [String] = [], not outside: [String] = [],
    _ location: SourceLocation = #_sourceLocation
  ) {
    guard let range = range.withBytes({ AddressRange($0) }) else {
      Issue.record("\(range) is no range", sourceLocation: location)
      return
    }
    func holds(_ text: String) -> Bool { text.withBytes { InternetAddress($0) }.map(range.contains) ?? false }
    for address in inside { #expect(holds(address), "\(address)", sourceLocation: location) }
    for address in outside { #expect(!holds(address), "\(address)", sourceLocation: location) }
  }

  @Test("ranges of addresses, of one family each")
  func ranges() {
    check("10.0.0.0/8", contains: ["10.255.1.2"], not: ["11.0.0.0", "::ffff:10.0.0.1", "10.0.0.1 ", "010.0.0.1"])
    check("10.1.2.3/255.0.0.0", contains: ["10.9.9.9"], not: ["11.0.0.0"])
    check("192.168.1.7", contains: ["192.168.1.7"], not: ["192.168.1.8"])
    check("1.2.3.4/0", contains: ["255.0.0.1"], not: ["::1"])
    check("2001:db8::/32", contains: ["2001:DB8:0:1::42", "2001:db8::"], not: ["2001:db9::1", "fe80::1%eth0"])
    check("::ffff:10.0.0.0/104", contains: ["::ffff:10.1.2.3"], not: ["10.1.2.3"])
    check("1:2:3:4:5:6:7::", contains: ["1:2:3:4:5:6:7:0"])
    for text in [
      "bad", "", "10.0.0.0/33", "10.0.0.0/8/8", "10.0.0.0/", "10.0.0.1/255.0.255.0", "2001:db8::/129", "1::2::3", "1:",
      "1.2.3.4::", "10.0.0/8", "12345::",
    ] {
      #expect(text.withBytes { AddressRange($0) } == nil, "\(text)")
    }
  }

  @Test("versions compare by precedence; build metadata does not count")
  func versions() {
    // From SemVer 2.0.0, section 11.
    let ascending = [
      "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11",
      "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0", "18446744073709551615.0.0",
    ]
    for (lower, higher) in zip(ascending, ascending.dropFirst()) {
      let order = lower.withBytes { one in
        higher.withBytes { other in
          SemanticVersion(one).flatMap { one in SemanticVersion(other).map { one.compared(to: $0) } }
        }
      }
      #expect(order == -1, "\(lower) before \(higher)")
    }
    let level = "1.2.3+a".withBytes { one in
      "1.2.3".withBytes { other in
        SemanticVersion(one).flatMap { one in SemanticVersion(other).map { one.compared(to: $0) } }
      }
    }
    #expect(level == 0)
    for text in [
      "1.2", "v1.2.3", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3-a..b", " 1.2.3", "1.2.3.4", "",
      "18446744073709551616.0.0",
    ] {
      #expect(text.withBytes { SemanticVersion($0) == nil }, "\(text)")
    }
  }

  @Test(
    "times are read leniently",
    arguments: [
      ("1970-01-01T00:00:00Z", 0 as Int64?), ("2022-01-29T13:00:00Z", 1_643_461_200),
      ("2022-01-29 13:00:00 +0000", 1_643_461_200), ("2022-1-29t13:0:0z", 1_643_461_200),
      ("2022-01-29T15:00:00+02:00", 1_643_461_200), ("2022-01-29T13:00:00UTC", 1_643_461_200),
      ("2022-01-29T12:00:00−01:00", 1_643_461_200), (" 2022 - 01-29T13 : 00:00Z ", 1_643_461_200),
      ("2024-02-29T00:00:00Z", 1_709_164_800), ("1969-12-31T23:59:59Z", -1), ("0000-01-01T00:00:00Z", -62_167_219_200),
      ("2023-02-29T00:00:00Z", nil), ("2022-01-29T13:00Z", nil), ("2022-01-29T24:00:00Z", nil), ("tomorrow", nil),
      ("2022-01-29T13:00:00", nil), ("22022-01-29T13:00:00Z", nil), ("2022-01-29T13:00:00.Z", nil), ("", nil),
      ("2022-01-29T13:00:00+25:00", nil), ("+999999-01-01T00:00:00Z", nil),
    ])
  func times(_ text: String, _ seconds: Int64?) {
    #expect(text.withBytes { Timestamp(lenient: $0) }?.seconds == seconds)
  }

  @Test("a leap second lies between its neighbours, and a written time reads back")
  func moreTimes() {
    func time(_ text: String) -> Timestamp? { text.withBytes { Timestamp(lenient: $0) } }
    let around = ["2021-12-31T23:59:59.9Z", "2021-12-31T23:59:60Z", "2022-01-01T00:00:00Z"].compactMap(time)
    #expect(around.count == 3)
    #expect(around == around.sorted() && around[0] != around[1])
    for seconds: Int64 in [0, -1, 951_782_399, 951_782_400, 1_709_164_800, 253_402_300_799, -62_167_219_200] {
      var bytes = [UInt8](repeating: 0, count: Timestamp.writtenLength)
      bytes.withUnsafeMutableBytes { Timestamp.write(seconds, into: $0) }
      #expect(time(String(decoding: bytes, as: UTF8.self))?.seconds == seconds)
    }
  }

  @Test(
    "numbers",
    arguments: [
      ("5", 5.0 as Double?), ("-3.50", -3.5), (".5e1", 5), ("5.", 5), ("+1E-2", 0.01), ("1e400", .infinity),
      ("-Infinity", -.infinity), ("inf", .infinity), ("123456789012345678901234567890", 1.2345678901234568e29),
      ("9007199254740993", 9_007_199_254_740_992), ("0.1", 0.1), ("1e-400", 0), ("", nil), (".", nil), ("e5", nil),
      ("0x10", nil), (" 5", nil), ("5 ", nil), ("1_000", nil), ("5e", nil), ("--5", nil), ("infinit", nil), ("٥", nil),
    ])
  func numbers(_ text: String, _ value: Double?) {
    #expect(text.withBytes { DecimalNumber.read($0) } == value)
  }

  @Test("lower case by Unicode, with the sigma that ends a word")
  func lowerCase() {
    for (text, lowered) in [
      ("AbC1", "abc1"), ("ΟΔΟΣ", "οδος"), ("ΟΔΟΣ.Α", "οδοσ.α"), ("Σ", "σ"), ("İ", "i̇"), ("STRAẞE", "straße"), ("", ""),
    ] {
      #expect(Array(LowerCase.of(text).unicodeScalars) == Array(lowered.unicodeScalars), "\(text)")
    }
  }

  @Test("doubles as Unleash's reference writes them")
  func doubles() {
    for (value, text) in [
      (1.0, "1.0"), (100, "100.0"), (1e15, "1000000000000000.0"), (1e16, "1e+16"), (1.5e300, "1.5e+300"),
      (1e-5, "0.00001"),
      (1e-6, "1e-6"), (0.00001234, "0.00001234"), (-0.5, "-0.5"), (18446744073709551616, "1.8446744073709552e+19"),
      (123456700, "123456700.0"), (-0.0, "-0.0"),
    ] {
      #expect(UnleashContextBuilder.text(of: value) == text)
    }
  }
}
