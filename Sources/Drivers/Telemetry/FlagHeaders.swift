import Foundation
import Kernel

/// What a service says of a request's flags, in two headers of its response (`docs/flag-evidence.md`): HAProxy writes
/// them into the request's log line, as hexadecimal digits, and takes them out of the response.
struct FlagHeaders: Equatable {
  let variants: [FlaggedRequest.Variant]
  let unit: String?

  /// `checkout=on, banner=blue;targeting`
  static let flags = "Plimsoll-Flags"
  /// The targeting key.
  static let unit = "Plimsoll-Unit"
  /// Bytes of each that are kept: HAProxy cuts what is longer.
  static let longestFlags = 512
  static let longestUnit = 256
  /// Behind a variant that targeting chose.
  private static let targeting = "targeting"

  /// Nil where no flag is named.
  ///
  /// - Parameters:
  ///   - flags: in hexadecimal digits; `-` where there was none.
  ///   - unit: likewise.
  init?(flags: some StringProtocol, unit: some StringProtocol) {
    guard let told = Self.text(flags) else { return nil }
    // What was cut in its middle names another variant.
    let isWhole = told.utf8.count < Self.longestFlags
    let items = told.split(separator: ",").dropLast(isWhole ? 0 : 1)
    variants = items.compactMap(Self.variant)
    guard !variants.isEmpty else { return nil }
    self.unit = Self.text(unit).flatMap { $0.utf8.count < Self.longestUnit ? Self.decoded($0) : nil }
  }

  private static func variant(_ item: Substring) -> FlaggedRequest.Variant? {
    let parts = item.split(separator: ";", omittingEmptySubsequences: false)
    guard let pair = parts.first?.split(separator: "=", maxSplits: 1), pair.count == 2, let flag = decoded(pair[0]),
      let name = decoded(pair[1])
    else { return nil }
    let isByTargeting = parts.dropFirst().contains { decoded($0) == targeting }
    return FlaggedRequest.Variant(flag: flag, name: name, isByTargeting: isByTargeting)
  }

  /// Nil for an empty text.
  private static func decoded(_ text: some StringProtocol) -> String? {
    let trimmed = text.trimmingCharacters(in: .whitespaces)
    return trimmed.isEmpty ? nil : trimmed.removingPercentEncoding ?? trimmed
  }

  private static func text(_ digits: some StringProtocol) -> String? {
    let digits = Array(digits.utf8)
    guard digits.count.isMultiple(of: 2), !digits.isEmpty else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let byte = UInt8(String(decoding: digits[place...place + 1], as: UTF8.self), radix: 16) else { return nil }
      bytes.append(byte)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
