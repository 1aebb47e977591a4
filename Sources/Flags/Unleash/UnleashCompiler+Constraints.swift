/// Constraints: operators by name, values by form.
extension UnleashCompiler {
  /// Orders that numbers, dates and versions are compared by.
  private enum Order { case equal, less, lessOrEqual, greater, greaterOrEqual }

  private enum Operator {
    case inList(UnleashConstraint.Test)
    case text(UnleashConstraint.Test)
    case order(Order, isVersion: Bool)
    case expression
    case addresses
  }

  mutating func addConstraints(_ list: UnsafeBufferPointer<JSONView>) throws(UnleashFault) -> UnleashRun {
    let start = parts.constraints.count
    try UnleashReader.each(list) { (place) throws(UnleashFault) in
      let constraint = try constraint(place)
      parts.constraints.append(constraint)
    }
    return run(from: start, to: parts.constraints.count)
  }

  private mutating func constraint(_ object: Place) throws(UnleashFault) -> UnleashConstraint {
    try UnleashReader.object(object, "a constraint")
    let name = try UnleashReader.requiredText(object, "contextName")
    let operatorName = try UnleashReader.requiredText(object, "operator")
    let values = try UnleashReader.texts(object, "values") ?? []
    let value = try UnleashReader.text(object, "value")
    var constraint = UnleashConstraint()
    constraint.isInverted = try UnleashReader.truth(object, "inverted", allowsNull: false) ?? false
    constraint.ignoresCase = try UnleashReader.truth(object, "caseInsensitive", allowsNull: false) ?? false
    constraint.attribute = attribute(name)
    switch Self.operator(named: operatorName) {
    case .inList(let test):
      constraint.test = test
      constraint.list = addList(values)
    case .text(let test):
      if values.isEmpty { fail("has the text constraint `\(words(operatorName))` without values") }
      constraint.test = test
      constraint.list = addList(values, inLowerCase: constraint.ignoresCase)
    case .order(let order, let isVersion): set(&constraint, order, value: value, isVersion: isVersion)
    case .expression:
      let pattern = String(decoding: value ?? UnsafeRawBufferPointer(start: nil, count: 0), as: UTF8.self)
      if let expression = try? LinearExpression(pattern, ignoringCase: constraint.ignoresCase) {
        constraint.test = .matches
        constraint.expression = UInt32(parts.expressions.count)
        parts.expressions.append(expression)
      } else {
        constraint.test = .matchesNothing
      }
    case .addresses:
      if values.isEmpty { fail("has the constraint `IN_CIDR` without values") }
      constraint.test = .inRanges
      constraint.list.run = addRanges(values)
    case nil: fail("has the unknown operator `\(words(operatorName))`")
    }
    return constraint
  }

  /// What is compared is decided by the value's form, not by the operator: a date, else a version, else a number. So
  /// does the reference, whose operators lose their type on the way to its rule language.
  private mutating func set(
    _ constraint: inout UnleashConstraint, _ order: Order, value: UnsafeRawBufferPointer?, isVersion: Bool
  ) {
    guard let value else { return fail("has a constraint without `value`") }
    // A version with a leading v is no version, and no context satisfies it, inverted or not.
    if isVersion, value.first == 0x76 {
      constraint.test = .never
      return
    }
    let text = withoutBlanks(value)
    if Timestamp.isStrict(text) {
      guard let date = Timestamp(lenient: text) else { return fail("compares with the impossible date \(words(text))") }
      constraint.date = date
      constraint.test = Self.test(order, .equalDate, .earlier, .earlierOrEqual, .later, .laterOrEqual)
    } else if isVersionForm(text) {
      guard SemanticVersion(text) != nil else { return fail("compares with the impossible version \(words(text))") }
      constraint.version = append(text)
      constraint.test = Self.test(
        order, .equalVersion, .lessVersion, .lessOrEqualVersion, .greaterVersion, .greaterOrEqualVersion)
    } else if isNumberForm(text), let number = DecimalNumber.read(text) {
      constraint.number = number
      constraint.test = Self.test(
        order, .equalNumber, .lessNumber, .lessOrEqualNumber, .greaterNumber, .greaterOrEqualNumber)
    } else {
      fail("compares with \(words(text)), which is neither a number, a version nor a date")
    }
  }

  private static func test(
    _ order: Order, _ equal: UnleashConstraint.Test, _ less: UnleashConstraint.Test,
    _ lessOrEqual: UnleashConstraint.Test, _ greater: UnleashConstraint.Test, _ greaterOrEqual: UnleashConstraint.Test
  ) -> UnleashConstraint.Test {
    switch order {
    case .equal: equal
    case .less: less
    case .lessOrEqual: lessOrEqual
    case .greater: greater
    case .greaterOrEqual: greaterOrEqual
    }
  }

  private static func `operator`(named name: UnsafeRawBufferPointer) -> Operator? {
    switch String(decoding: name, as: UTF8.self) {
    case "IN": .inList(.isIn)
    case "NOT_IN": .inList(.isNotIn)
    case "STR_CONTAINS": .text(.contains)
    case "STR_STARTS_WITH": .text(.startsWith)
    case "STR_ENDS_WITH": .text(.endsWith)
    case "NUM_EQ": .order(.equal, isVersion: false)
    case "NUM_LT": .order(.less, isVersion: false)
    case "NUM_LTE": .order(.lessOrEqual, isVersion: false)
    case "NUM_GT": .order(.greater, isVersion: false)
    case "NUM_GTE": .order(.greaterOrEqual, isVersion: false)
    case "DATE_BEFORE": .order(.less, isVersion: false)
    case "DATE_AFTER": .order(.greater, isVersion: false)
    case "SEMVER_EQ": .order(.equal, isVersion: true)
    case "SEMVER_LT": .order(.less, isVersion: true)
    case "SEMVER_LTE": .order(.lessOrEqual, isVersion: true)
    case "SEMVER_GT": .order(.greater, isVersion: true)
    case "SEMVER_GTE": .order(.greaterOrEqual, isVersion: true)
    case "REGEX": .expression
    case "IN_CIDR": .addresses
    default: nil
    }
  }

  private func words(_ text: UnsafeRawBufferPointer) -> String { String(decoding: text, as: UTF8.self) }

  /// Without spaces and tabs around.
  private func withoutBlanks(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var slice = text[...]
    while let first = slice.first, first == 0x20 || first == 0x09 { slice = slice.dropFirst() }
    while let last = slice.last, last == 0x20 || last == 0x09 { slice = slice.dropLast() }
    return UnsafeRawBufferPointer(rebasing: slice)
  }

  /// Three numbers with points, perhaps more behind a hyphen or plus.
  private func isVersionForm(_ text: UnsafeRawBufferPointer) -> Bool {
    var scanner = TextScanner(text)
    for part in 0..<3 {
      if part > 0, !scanner.skip(0x2E) { return false }
      guard skipDigits(&scanner) else { return false }
    }
    return scanner.isAtEnd || scanner.peek == 0x2D || scanner.peek == 0x2B
  }

  /// An optional sign, digits, perhaps a point and more digits, perhaps an exponent.
  private func isNumberForm(_ text: UnsafeRawBufferPointer) -> Bool {
    var scanner = TextScanner(text)
    _ = scanner.skip(0x2B) || scanner.skip(0x2D)
    guard skipDigits(&scanner) else { return false }
    if scanner.skip(0x2E) { _ = skipDigits(&scanner) }
    if let byte = scanner.peek, byte | 0x20 == 0x65 {
      scanner.advance()
      _ = scanner.skip(0x2B) || scanner.skip(0x2D)
      guard skipDigits(&scanner) else { return false }
    }
    return scanner.isAtEnd
  }

  private func skipDigits(_ scanner: inout TextScanner) -> Bool {
    let start = scanner.at
    while let byte = scanner.peek, byte >= 0x30, byte <= 0x39 { scanner.advance() }
    return scanner.at > start
  }
}
