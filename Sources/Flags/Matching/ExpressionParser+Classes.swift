/// Classes in brackets, and what follows a backslash.
extension ExpressionParser {
  enum Escape {
    /// `isByte`: written as `\x..` of two digits, which without Unicode means a byte.
    case scalar(UInt32, isByte: Bool)
    case set(ScalarSet)
    case assertion(ExpressionAssertion)
  }

  private enum Operation { case intersection, difference, symmetricDifference }

  // MARK: Brackets

  /// `[…]`, with ranges, nested classes and `&&`, `--`, `~~`, which bind alike, from the left.
  mutating func bracket() throws(ExpressionFault) -> ScalarSet {
    let start = at
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw fault("nests deeper than \(Self.deepest) levels") }
    _ = skip("[")
    skipSpace()
    let negated = skip("^")
    var left: (set: ScalarSet, operation: Operation)?
    var set = ScalarSet()
    var ranges: [ClosedRange<UInt32>] = []
    var isFirst = true
    skipSpace()
    while skip("-") {
      ranges.append(0x2D...0x2D)
      isFirst = false
      skipSpace()
    }
    if isFirst, skip("]") { ranges.append(0x5D...0x5D) }
    while true {
      skipSpace()
      guard let scalar = peek() else { throw fault("has a class that is not closed", at: start) }
      if scalar == "]" {
        at += 1
        break
      }
      if let operation = operation(at: scalar) {
        at += 2
        left = (combined(left, folded(set.union(ScalarSet(ranges)))), operation)
        set = ScalarSet()
        ranges = []
      } else if scalar == "[" {
        if let posix = try posixClass() { set = set.union(posix) } else { set = set.union(try bracket()) }
      } else {
        switch try rangeOrItem() {
        case .range(let range): ranges.append(range)
        case .set(let other): set = set.union(other)
        }
      }
    }
    var result = combined(left, folded(set.union(ScalarSet(ranges))))
    if negated { result = result.inverted }
    guard flags.unicode || result.greatestMember <= 0x7F else { throw fault("would match half a letter", at: start) }
    return result
  }

  private func operation(at scalar: Unicode.Scalar) -> Operation? {
    guard peek(1) == scalar else { return nil }
    switch scalar {
    case "&": return .intersection
    case "-": return .difference
    case "~": return .symmetricDifference
    default: return nil
    }
  }

  private func combined(_ left: (set: ScalarSet, operation: Operation)?, _ right: ScalarSet) -> ScalarSet {
    guard let left else { return right }
    switch left.operation {
    case .intersection: return left.set.intersection(right)
    case .difference: return left.set.subtracting(right)
    case .symmetricDifference: return left.set.symmetricDifference(right)
    }
  }

  private func folded(_ set: ScalarSet) -> ScalarSet {
    guard flags.ignoresCase else { return set }
    return flags.unicode ? set.folded : set.foldedInASCII
  }

  /// `[:name:]` or `[:^name:]` inside a class; nil, and nothing read, for anything else.
  private mutating func posixClass() throws(ExpressionFault) -> ScalarSet? {
    guard peek(1) == ":" else { return nil }
    var look = at + 2
    let negated = look < scalars.count && scalars[look] == 0x5E
    if negated { look += 1 }
    var name = ""
    while look < scalars.count, scalars[look] != 0x3A, let scalar = Unicode.Scalar(scalars[look]) {
      name.unicodeScalars.append(scalar)
      look += 1
    }
    guard look + 1 < scalars.count, scalars[look + 1] == 0x5D, let set = ScalarSet.posix(name) else { return nil }
    at = look + 2
    guard negated else { return set }
    guard flags.unicode else { throw fault("would match half a letter") }
    return set.inverted
  }

  private enum Part {
    case range(ClosedRange<UInt32>)
    case set(ScalarSet)
  }

  private mutating func rangeOrItem() throws(ExpressionFault) -> Part {
    let start = at
    let first = try classItem()
    skipSpace()
    let next = peekBeyondSpace(from: at + 1)
    guard peek() == "-", next != "]", next != "-", next != nil else {
      if peek() == nil || (peek() == "-" && next == nil) { throw fault("has a class that is not closed", at: start) }
      switch first {
      case .scalar(let value, _): return .range(value...value)
      case .set(let set): return .set(set)
      case .assertion: throw fault("has a place inside a class", at: start)
      }
    }
    at += 1
    skipSpace()
    let last = try classItem()
    guard case .scalar(let low, _) = first, case .scalar(let high, _) = last else {
      throw fault("has a range whose ends are no letters", at: start)
    }
    guard low <= high else { throw fault("has a range that ends before it begins", at: start) }
    return .range(low...high)
  }

  private func peekBeyondSpace(from index: Int) -> Unicode.Scalar? {
    var look = index
    while look < scalars.count, let scalar = Unicode.Scalar(scalars[look]) {
      guard flags.ignoresSpace, scalar.properties.isWhitespace else { return scalar }
      look += 1
    }
    return nil
  }

  private mutating func classItem() throws(ExpressionFault) -> Escape {
    if peek() == "\\" { return try escape() }
    guard let scalar = peek() else { throw fault("has a class that is not closed") }
    at += 1
    return .scalar(scalar.value, isByte: false)
  }

  // MARK: Escapes

  mutating func escape() throws(ExpressionFault) -> Escape {
    let start = at
    at += 1
    guard let scalar = peek() else { throw fault("ends in a backslash", at: start) }
    at += 1
    switch scalar {
    case "0"..."9": throw fault("refers back to a group, which no linear time allows", at: start)
    case "x": return try hexadecimal(digits: 2, from: start)
    case "u": return try hexadecimal(digits: 4, from: start)
    case "U": return try hexadecimal(digits: 8, from: start)
    case "p", "P": return .set(try property(negated: scalar == "P", from: start))
    case "d", "D": return .set(try perl(.digit, .asciiDigit, negated: scalar == "D"))
    case "s", "S": return .set(try perl(.space, .asciiSpace, negated: scalar == "S"))
    case "w", "W": return .set(try perl(.word, .asciiWord, negated: scalar == "W"))
    case "a": return .scalar(0x07, isByte: false)
    case "f": return .scalar(0x0C, isByte: false)
    case "t": return .scalar(0x09, isByte: false)
    case "n": return .scalar(0x0A, isByte: false)
    case "r": return .scalar(0x0D, isByte: false)
    case "v": return .scalar(0x0B, isByte: false)
    case "A": return .assertion(.textStart)
    case "z": return .assertion(.textEnd)
    case "b": return .assertion(try wordBoundary(from: start))
    case "B": return .assertion(flags.unicode ? .notWordBoundary : .asciiNotWordBoundary)
    case "<": return .assertion(flags.unicode ? .wordStart : .asciiWordStart)
    case ">": return .assertion(flags.unicode ? .wordEnd : .asciiWordEnd)
    default:
      guard scalar.isASCII, !("a"..."z").contains(scalar), !("A"..."Z").contains(scalar) else {
        throw fault("has an unknown escape", at: start)
      }
      return .scalar(scalar.value, isByte: false)
    }
  }

  private mutating func wordBoundary(from start: Int) throws(ExpressionFault) -> ExpressionAssertion {
    // `\b{` begins a named boundary unless what follows cannot be a name: then it repeats the boundary.
    let plain: ExpressionAssertion = flags.unicode ? .wordBoundary : .asciiWordBoundary
    guard peek() == "{", let letter = peek(1),
      letter == "-" || ("A"..."Z").contains(letter) || ("a"..."z").contains(letter)
    else { return plain }
    at += 1
    var name = ""
    while let next = peek(), next != "}" {
      name.unicodeScalars.append(next)
      at += 1
    }
    guard skip("}") else { throw fault("has a boundary that is not closed", at: start) }
    switch name {
    case "start": return flags.unicode ? .wordStart : .asciiWordStart
    case "end": return flags.unicode ? .wordEnd : .asciiWordEnd
    case "start-half": return flags.unicode ? .wordStartHalf : .asciiWordStartHalf
    case "end-half": return flags.unicode ? .wordEndHalf : .asciiWordEndHalf
    default: throw fault("has an unknown boundary \(name)", at: start)
    }
  }

  private func perl(_ set: ScalarSet, _ ascii: ScalarSet, negated: Bool) throws(ExpressionFault) -> ScalarSet {
    if flags.unicode { return negated ? set.inverted : set }
    if negated { throw fault("would match half a letter") }
    return ascii
  }

  /// `\x7F`, `\u00E9`, or in braces of any length.
  private mutating func hexadecimal(digits: Int, from start: Int) throws(ExpressionFault) -> Escape {
    var value: UInt32 = 0
    var count = 0
    let braced = skip("{")
    while let scalar = peek(), braced ? scalar != "}" : count < digits {
      guard let digit = scalar.hexDigit, value <= 0xFFF_FFFF else {
        throw fault("has a scalar that is no hexadecimal number", at: start)
      }
      value = value << 4 | digit
      count += 1
      at += 1
    }
    if braced ? !skip("}") || count == 0 : count < digits {
      throw fault("has an incomplete hexadecimal number", at: start)
    }
    guard Unicode.Scalar(value) != nil else { throw fault("names a scalar that does not exist", at: start) }
    return .scalar(value, isByte: !braced && digits == 2)
  }

  private mutating func property(negated: Bool, from start: Int) throws(ExpressionFault) -> ScalarSet {
    guard flags.unicode else { throw fault("has a Unicode class without Unicode", at: start) }
    var name = ""
    var negated = negated
    if skip("{") {
      while let scalar = peek(), scalar != "}" {
        name.unicodeScalars.append(scalar)
        at += 1
      }
      guard skip("}") else { throw fault("has a Unicode class that is not closed", at: start) }
    } else if let scalar = peek(), scalar != "\\" {
      name.unicodeScalars.append(scalar)
      at += 1
    } else {
      throw fault("has a Unicode class without a name", at: start)
    }
    var found: ScalarSet?
    if let separator = name.firstIndex(where: { $0 == "=" || $0 == ":" }) {
      var key = String(name[..<separator])
      if key.hasSuffix("!") {
        key.removeLast()
        negated.toggle()
      }
      let value = String(name[name.index(after: separator)...])
      let category = ScalarSet.normalised(key)
      if category == "gc" || category == "generalcategory" { found = ScalarSet.category(value) }
    } else {
      found = ScalarSet.property(name)
    }
    guard let set = found else {
      throw fault("has the Unicode class \(name), which is not carried (scripts and ages are not)", at: start)
    }
    let closed = flags.ignoresCase ? set.folded : set
    return negated ? closed.inverted : closed
  }
}
