/// Reads the syntax of Rust's `regex` crate (version 1), which Unleash's reference uses: no look-around, no
/// back-references, Unicode classes, flags, bounded repetition.
struct ExpressionParser {
  /// As in the reference: deeper groups and classes are refused rather than followed down the stack.
  static let deepest = 250

  var scalars: [UInt32]
  var at = 0
  var flags = ExpressionFlags()
  var depth = 0
  private var groupNames: Set<String> = []

  /// The tree of the whole expression.
  static func parse(_ pattern: some Sequence<UInt32>, ignoringCase: Bool) throws(ExpressionFault) -> ExpressionNode {
    var parser = ExpressionParser(scalars: Array(pattern))
    parser.flags.ignoresCase = ignoringCase
    let node = try parser.alternatives()
    if parser.at < parser.scalars.count { throw parser.fault("closes a group that was not opened") }
    return node
  }

  private init(scalars: [UInt32]) { self.scalars = scalars }

  // MARK: Alternatives, sequences, repetitions

  private mutating func alternatives() throws(ExpressionFault) -> ExpressionNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw fault("nests deeper than \(Self.deepest) levels") }
    var branches = [try sequence()]
    while skip("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternatives(branches)
  }

  private mutating func sequence() throws(ExpressionFault) -> ExpressionNode {
    var parts: [ExpressionNode] = []
    // What a repetition may follow: an item, but neither the beginning nor flags.
    var repeatable = false
    while true {
      skipSpace()
      guard let scalar = peek(), scalar != "|", scalar != ")" else { break }
      switch scalar {
      case "*", "+", "?", "{":
        guard repeatable, let last = parts.popLast() else { throw fault("repeats nothing") }
        parts.append(try repetition(of: last))
      case "(":
        let group = try self.group()
        if let group { parts.append(group) }
        repeatable = group != nil
      default:
        parts.append(try item())
        repeatable = true
      }
    }
    switch parts.count {
    case 0: return .empty
    case 1: return parts[0]
    default: return .sequence(parts)
    }
  }

  private mutating func repetition(of node: ExpressionNode) throws(ExpressionFault) -> ExpressionNode {
    let bounds: (Int, Int?)
    if skip("*") {
      bounds = (0, nil)
    } else if skip("+") {
      bounds = (1, nil)
    } else if skip("?") {
      bounds = (0, 1)
    } else {
      bounds = try count()
    }
    skipSpace()
    _ = skip("?")
    return .repetition(node, minimum: bounds.0, maximum: bounds.1)
  }

  /// `{n}`, `{n,}`, `{n,m}`.
  private mutating func count() throws(ExpressionFault) -> (Int, Int?) {
    let start = at
    _ = skip("{")
    let minimum = try number()
    var maximum: Int? = minimum
    if skip(",") {
      skipBlanks()
      maximum = peek() == "}" ? nil : try number()
    }
    guard skip("}") else { throw fault("has a count of repetitions that is not closed", at: start) }
    if let maximum, maximum < minimum { throw fault("repeats at most less often than at least", at: start) }
    return (minimum, maximum)
  }

  private mutating func number() throws(ExpressionFault) -> Int {
    skipBlanks()
    var value = 0
    let start = at
    while let scalar = peek(), let digit = scalar.digit {
      value = value * 10 + digit
      guard value <= Int(UInt32.max) else { throw fault("has a number that is too great", at: start) }
      at += 1
    }
    guard at > start else { throw fault("lacks a number", at: start) }
    skipBlanks()
    return value
  }

  // MARK: Groups and flags

  /// Nil for flags that hold from here on, which are no item.
  private mutating func group() throws(ExpressionFault) -> ExpressionNode? {
    let start = at
    _ = skip("(")
    skipSpace()
    let outer = flags
    if skip("?") {
      if peek() == "=" || peek() == "!" || (peek() == "<" && (peek(1) == "=" || peek(1) == "!")) {
        throw fault("looks ahead or behind, which no linear time allows", at: start)
      }
      if peek() == "<" || (peek() == "P" && peek(1) == "<") {
        if peek() == "P" { at += 1 }
        at += 1
        try groupName()
      } else if try !readFlags() {
        return nil
      }
    }
    let node = try alternatives()
    guard skip(")") else { throw fault("has a group that is not closed", at: start) }
    flags = outer
    return node
  }

  private mutating func groupName() throws(ExpressionFault) {
    let start = at
    var name = ""
    while let scalar = peek(), scalar != ">" {
      let first = name.isEmpty
      let letter = scalar == "_" || scalar.properties.isAlphabetic
      let other =
        scalar == "." || scalar == "[" || scalar == "]" || scalar.properties.numericType != nil
      guard letter || (!first && other) else { throw fault("has a group name with a letter that is not allowed") }
      name.unicodeScalars.append(scalar)
      at += 1
    }
    guard skip(">"), !name.isEmpty else { throw fault("has an incomplete group name", at: start) }
    guard groupNames.insert(name).inserted else { throw fault("names two groups \(name)", at: start) }
  }

  /// After `(?`. True before the `:` of a group; false at the end of flags for the rest of this group.
  private mutating func readFlags() throws(ExpressionFault) -> Bool {
    let start = at
    var seen: Set<Unicode.Scalar> = []
    var on = true
    var next = flags
    var dangling = false
    while true {
      guard let scalar = peek() else { throw fault("has flags that are not closed", at: start) }
      at += 1
      switch scalar {
      case ":", ")":
        if dangling { throw fault("takes back no flag", at: at - 1) }
        if scalar == ")", seen.isEmpty { throw fault("repeats nothing", at: start) }
        flags = next
        return scalar == ":"
      case "-":
        if !on { throw fault("takes back flags twice", at: at - 1) }
        on = false
        dangling = true
        continue
      case "i": next.ignoresCase = on
      case "m": next.multipleLines = on
      case "s": next.dotMatchesNewline = on
      case "u": next.unicode = on
      case "x": next.ignoresSpace = on
      case "R": next.carriageReturn = on
      case "U": next.swapsGreed = on
      default: throw fault("has an unknown flag", at: at - 1)
      }
      dangling = false
      guard seen.insert(scalar).inserted else { throw fault("has a flag twice", at: at - 1) }
    }
  }

  // MARK: Items

  private mutating func item() throws(ExpressionFault) -> ExpressionNode {
    guard let scalar = peek() else { return .empty }
    switch scalar {
    case "[": return .set(try bracket())
    case "\\":
      switch try escape() {
      case .scalar(let value, let isByte): return .set(try literal(value, isByte: isByte))
      case .set(let set): return .set(set)
      case .assertion(let assertion): return .assertion(assertion)
      }
    case ".":
      at += 1
      return .set(try dot())
    case "^":
      at += 1
      if !flags.multipleLines { return .assertion(.textStart) }
      return .assertion(flags.carriageReturn ? .anyLineStart : .lineStart)
    case "$":
      at += 1
      if !flags.multipleLines { return .assertion(.textEnd) }
      return .assertion(flags.carriageReturn ? .anyLineEnd : .lineEnd)
    default:
      at += 1
      return .set(try literal(scalar.value, isByte: false))
    }
  }

  private func dot() throws(ExpressionFault) -> ScalarSet {
    guard flags.unicode else { throw fault("would match half a letter", at: at - 1) }
    if flags.dotMatchesNewline { return .all }
    return ScalarSet(flags.carriageReturn ? [0x0A...0x0A, 0x0D...0x0D] : [0x0A...0x0A]).inverted
  }

  private func literal(_ value: UInt32, isByte: Bool) throws(ExpressionFault) -> ScalarSet {
    if !flags.unicode, isByte, value > 0x7F { throw fault("would match half a letter", at: at) }
    let set = ScalarSet(value)
    guard flags.ignoresCase else { return set }
    return flags.unicode ? set.folded : set.foldedInASCII
  }

  // MARK: The text

  func fault(_ cause: String, at offset: Int? = nil) -> ExpressionFault {
    ExpressionFault(cause: cause, offset: offset ?? at)
  }

  func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
    at + ahead < scalars.count ? Unicode.Scalar(scalars[at + ahead]) : nil
  }

  mutating func skip(_ scalar: Unicode.Scalar) -> Bool {
    guard peek() == scalar else { return false }
    at += 1
    return true
  }

  private mutating func skipBlanks() {
    while let scalar = peek(), scalar.properties.isPatternWhitespace { at += 1 }
  }

  /// With flag `x`: spaces and comments.
  mutating func skipSpace() {
    guard flags.ignoresSpace else { return }
    while let scalar = peek() {
      if scalar.properties.isWhitespace {
        at += 1
      } else if scalar == "#" {
        while let next = peek(), next != "\n" { _ = next; at += 1 }
      } else {
        return
      }
    }
  }
}

extension Unicode.Scalar {
  /// 0 to 9; nil for anything but an ASCII digit.
  var digit: Int? { value >= 0x30 && value <= 0x39 ? Int(value - 0x30) : nil }

  /// 0 to 15; nil for anything but an ASCII hexadecimal digit.
  var hexDigit: UInt32? {
    switch value {
    case 0x30...0x39: value - 0x30
    case 0x41...0x46: value - 0x37
    case 0x61...0x66: value - 0x57
    default: nil
    }
  }
}
