/// flagd's `sem_ver`: versions of SemVer 2.0.0, with a `v` in front and missing parts forgiven.
extension Evaluator {
  mutating func semanticVersion(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let values = try all(step, data)
    guard values.count == 3, let left = try version(values[0]), let right = try version(values[2]) else {
      return .null
    }
    guard values[1].kind == .text else { return .null }
    let sign = values[1].utf8
    if equals(sign, "^") { return .boolean(left.major.order(right.major) == 0) }
    if equals(sign, "~") {
      return .boolean(left.major.order(right.major) == 0 && left.minor.order(right.minor) == 0)
    }
    let order = left.order(right)
    if equals(sign, "=") { return .boolean(order == 0) }
    if equals(sign, "!=") { return .boolean(order != 0) }
    if equals(sign, "<") { return .boolean(order < 0) }
    if equals(sign, "<=") { return .boolean(order <= 0) }
    if equals(sign, ">") { return .boolean(order > 0) }
    if equals(sign, ">=") { return .boolean(order >= 0) }
    return .null
  }

  /// Nil when the value is no version. Numbers are versions too: 1.5 is 1.5.0.
  private mutating func version(_ view: JSONView) throws(EvaluationFault) -> FlagdVersion? {
    switch view.kind {
    case .text: return FlagdVersion(view.utf8)
    case .integer: return FlagdVersion(try text(of: view).utf8)
    case .double:
      // As Python writes it, with the fewest digits. May allocate; nobody keeps versions as such numbers.
      var writer = TextWriter()
      var description = view.asDouble.description
      let fault: EvaluationFault? = description.withUTF8 { bytes in
        do throws(EvaluationFault) {
          try writer.append(UnsafeRawBufferPointer(bytes), &scratch)
          return nil
        } catch {
          return error
        }
      }
      if let fault { throw fault }
      return FlagdVersion(writer.finish(&scratch).utf8)
    default: return nil
    }
  }
}

/// A version as flagd reads it: parts of the text, compared without being copied.
struct FlagdVersion {
  let major: Part
  let minor: Part
  let patch: Part
  /// Behind the hyphen; empty without.
  let prerelease: UnsafeRawBufferPointer

  /// A run of digits without leading zeros; zero where the version leaves it out.
  struct Part {
    let digits: UnsafeRawBufferPointer

    /// By value, however long.
    func order(_ other: Part) -> Int {
      if digits.count != other.digits.count { return digits.count < other.digits.count ? -1 : 1 }
      for at in 0..<digits.count where digits[at] != other.digits[at] { return digits[at] < other.digits[at] ? -1 : 1 }
      return 0
    }

    static var zero: Part {
      let literal: StaticString = "0"
      return Part(digits: UnsafeRawBufferPointer(start: literal.utf8Start, count: 1))
    }
  }

  /// Nil when the text is no version.
  init?(_ written: UnsafeRawBufferPointer) {
    var text = written
    if let first = text.first, first | 0x20 == UInt8(ascii: "v") { text = UnsafeRawBufferPointer(rebasing: text[1...]) }
    // What flagd pads: everything before the first hyphen, or the first plus before that.
    let hyphen = text.firstIndex(of: UInt8(ascii: "-")) ?? text.count
    let plus = text.firstIndex(of: UInt8(ascii: "+")) ?? text.count
    let numbersEnd = min(hyphen, plus)
    var parts: (Part, Part, Part) = (.zero, .zero, .zero)
    var start = 0
    for position in 0..<3 {
      var end = start
      while end < numbersEnd, text[end] != UInt8(ascii: ".") { end += 1 }
      let digits = UnsafeRawBufferPointer(rebasing: text[start..<end])
      guard digits.count > 0, digits.allSatisfy(Self.isDigit), digits.count == 1 || digits[0] != 0x30 else {
        return nil
      }
      switch position {
      case 0: parts.0 = Part(digits: digits)
      case 1: parts.1 = Part(digits: digits)
      default: parts.2 = Part(digits: digits)
      }
      start = end
      if end == numbersEnd { break }
      if position == 2 { return nil }
      start = end + 1
    }
    guard start == numbersEnd else { return nil }
    (major, minor, patch) = parts
    var prereleaseEnd = numbersEnd
    if numbersEnd < text.count, text[numbersEnd] == UInt8(ascii: "-") {
      prereleaseEnd = plus > numbersEnd ? plus : text.count
      prerelease = UnsafeRawBufferPointer(rebasing: text[(numbersEnd + 1)..<prereleaseEnd])
      guard Self.areIdentifiers(prerelease, numbersPlain: true) else { return nil }
    } else {
      prerelease = UnsafeRawBufferPointer(rebasing: text[..<0])
    }
    if prereleaseEnd < text.count {
      let build = UnsafeRawBufferPointer(rebasing: text[(prereleaseEnd + 1)...])
      guard Self.areIdentifiers(build, numbersPlain: false) else { return nil }
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  /// Identifiers between dots; in a prerelease, numbers have no leading zeros.
  private static func areIdentifiers(_ text: UnsafeRawBufferPointer, numbersPlain: Bool) -> Bool {
    var start = 0
    while true {
      let end = text[start...].firstIndex(of: UInt8(ascii: ".")) ?? text.count
      let identifier = UnsafeRawBufferPointer(rebasing: text[start..<end])
      guard identifier.count > 0 else { return false }
      for byte in identifier {
        let letter = byte | 0x20
        let isLetter = letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z")
        guard isDigit(byte) || byte == UInt8(ascii: "-") || isLetter else { return false }
      }
      if numbersPlain, identifier.count > 1, identifier[0] == 0x30, identifier.allSatisfy(isDigit) { return false }
      if end == text.count { return true }
      start = end + 1
    }
  }

  /// Precedence of SemVer 2.0.0 §11; what is built does not count.
  func order(_ other: FlagdVersion) -> Int {
    if major.order(other.major) != 0 { return major.order(other.major) }
    if minor.order(other.minor) != 0 { return minor.order(other.minor) }
    if patch.order(other.patch) != 0 { return patch.order(other.patch) }
    if prerelease.isEmpty || other.prerelease.isEmpty {
      return prerelease.isEmpty == other.prerelease.isEmpty ? 0 : prerelease.isEmpty ? 1 : -1
    }
    var (left, right) = (0, 0)
    while true {
      let leftEnd = prerelease[left...].firstIndex(of: UInt8(ascii: ".")) ?? prerelease.count
      let rightEnd = other.prerelease[right...].firstIndex(of: UInt8(ascii: ".")) ?? other.prerelease.count
      let order = Self.order(
        UnsafeRawBufferPointer(rebasing: prerelease[left..<leftEnd]),
        UnsafeRawBufferPointer(rebasing: other.prerelease[right..<rightEnd]))
      if order != 0 { return order }
      let (leftIsOver, rightIsOver) = (leftEnd == prerelease.count, rightEnd == other.prerelease.count)
      if leftIsOver || rightIsOver { return leftIsOver == rightIsOver ? 0 : leftIsOver ? -1 : 1 }
      (left, right) = (leftEnd + 1, rightEnd + 1)
    }
  }

  private static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let (leftIsNumber, rightIsNumber) = (left.allSatisfy(isDigit), right.allSatisfy(isDigit))
    if leftIsNumber != rightIsNumber { return leftIsNumber ? -1 : 1 }
    if leftIsNumber { return Part(digits: left).order(Part(digits: right)) }
    for at in 0..<min(left.count, right.count) where left[at] != right[at] { return left[at] < right[at] ? -1 : 1 }
    return left.count < right.count ? -1 : left.count > right.count ? 1 : 0
  }
}
