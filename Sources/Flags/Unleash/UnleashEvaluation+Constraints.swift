/// Values of the context, and conditions on them.
extension UnleashEvaluation {
  /// A named field as the context has it; nil when it is missing.
  @inline(__always)
  func value(_ field: UnleashContext.Field) -> UnsafeRawBufferPointer? {
    let entry = context.fields + Int(field.rawValue)
    return entry.pointee.isPresent ? context.text(entry.pointee.value) : nil
  }

  /// Whether the context names it: the current time goes on without being named.
  func isNamed(_ attribute: UnleashAttribute) -> Bool {
    attribute.field != .currentTime || context.fields[Int(attribute.field.rawValue)].isPresent
  }

  @inline(__always)
  private func entry(_ attribute: UnleashAttribute, _ program: UnleashProgram) -> UnsafePointer<UnleashContext.Entry>? {
    switch attribute.field {
    case .property: return context.property(program.text(attribute.name), hash: attribute.hash)
    case .preset:
      let user = context.fields + Int(UnleashContext.Field.userId.rawValue)
      if user.pointee.isPresent { return user }
      let session = context.fields + Int(UnleashContext.Field.sessionId.rawValue)
      return session.pointee.isPresent ? session : nil
    case .drawn: return nil
    case .userId, .sessionId, .environment, .appName, .currentTime, .remoteAddress:
      let field = context.fields + Int(attribute.field.rawValue)
      return field.pointee.isPresent ? field : nil
    }
  }

  /// The attribute's text; the current time is written where the context names none.
  @inline(__always)
  func withValue<Result>(
    _ attribute: UnleashAttribute, _ program: UnleashProgram, _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    if let entry = entry(attribute, program) { return body(context.text(entry.pointee.value)) }
    guard attribute.field == .currentTime else { return body(nil) }
    return withCurrentTime { body($0) }
  }

  private func withCurrentTime<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withUnsafeTemporaryAllocation(byteCount: Timestamp.writtenLength, alignment: 8) { bytes in
      Timestamp.write(at, into: bytes)
      return body(UnsafeRawBufferPointer(bytes))
    }
  }

  // MARK: Lists

  @inline(__always)
  func contains(_ list: UnleashList, _ value: UnsafeRawBufferPointer, _ program: UnleashProgram) -> Bool {
    let texts = program.texts + Int(list.run.start)
    if list.tableMask == 0 {
      for index in 0..<Int(list.run.count) {
        let text = texts[index]
        if Int(text.count) == value.count, sameBytes(program.text(text), value) { return true }
      }
      return false
    }
    let table = program.tables + Int(list.table)
    var place = JSONIndex.hash(value) & list.tableMask
    while true {
      let position = table[Int(place)]
      if position == 0 { return false }
      let text = texts[Int(position - 1)]
      if Int(text.count) == value.count, sameBytes(program.text(text), value) { return true }
      place = (place + 1) & list.tableMask
    }
  }

  func contains(_ run: UnleashRun, _ text: UnsafeRawBufferPointer, _ program: UnleashProgram) -> Bool {
    guard let address = InternetAddress(text) else { return false }
    let ranges = program.ranges + Int(run.start)
    for index in 0..<Int(run.count) {
      if ranges[index].contains(address) { return true }
    }
    return false
  }

  // MARK: Constraints

  @inline(__always)
  func holds(_ constraint: UnsafePointer<UnleashConstraint>, _ program: UnleashProgram) -> Bool {
    if constraint.pointee.test == .never { return false }
    return satisfies(constraint, program) != constraint.pointee.isInverted
  }

  @inline(__always)
  private func satisfies(_ constraint: UnsafePointer<UnleashConstraint>, _ program: UnleashProgram) -> Bool {
    let attribute = constraint.pointee.attribute
    if let entry = entry(attribute, program) { return satisfies(constraint, entry.pointee, program) }
    if attribute.field == .currentTime {
      return withCurrentTime { satisfies(constraint, text: $0, lowered: nil, number: .nan, program) }
    }
    return constraint.pointee.test == .isNotIn
  }

  @inline(__always)
  private func satisfies(
    _ constraint: UnsafePointer<UnleashConstraint>, _ entry: UnleashContext.Entry, _ program: UnleashProgram
  ) -> Bool {
    satisfies(
      constraint, text: context.text(entry.value), lowered: context.text(entry.lowered), number: entry.number, program)
  }

  /// `lowered` nil: of the current time, in which only T and Z are letters.
  private func satisfies(
    _ constraint: UnsafePointer<UnleashConstraint>, text: UnsafeRawBufferPointer, lowered: UnsafeRawBufferPointer?,
    number: Double, _ program: UnleashProgram
  ) -> Bool {
    let wanted = constraint.pointee.number
    switch constraint.pointee.test {
    case .never, .matchesNothing: return false
    case .isIn: return contains(constraint.pointee.list, text, program)
    case .isNotIn: return !contains(constraint.pointee.list, text, program)
    case .contains, .startsWith, .endsWith:
      return hasPart(constraint, constraint.pointee.ignoresCase ? lowered ?? text : text, program)
    // Ordered comparisons with what is no number are false, so it needs no check.
    case .equalNumber: return abs(number - wanted) < Double.ulpOfOne
    case .lessNumber: return number < wanted
    case .lessOrEqualNumber: return number <= wanted
    case .greaterNumber: return number > wanted
    case .greaterOrEqualNumber: return number >= wanted
    case .equalDate, .earlier, .earlierOrEqual, .later, .laterOrEqual:
      guard let date = Timestamp(lenient: text) else { return false }
      return compares(date, constraint.pointee.test, constraint.pointee.date)
    case .equalVersion, .lessVersion, .lessOrEqualVersion, .greaterVersion, .greaterOrEqualVersion:
      guard let version = SemanticVersion(text),
        let other = SemanticVersion(program.text(constraint.pointee.version))
      else { return false }
      return compares(version.compared(to: other), constraint.pointee.test)
    case .inRanges: return contains(constraint.pointee.list.run, text, program)
    case .matches: return program.expressions[Int(constraint.pointee.expression)].matches(text)
    }
  }

  private func compares(_ date: Timestamp, _ test: UnleashConstraint.Test, _ wanted: Timestamp) -> Bool {
    switch test {
    case .earlier: date < wanted
    case .earlierOrEqual: date <= wanted
    case .later: date > wanted
    case .laterOrEqual: date >= wanted
    default: date == wanted
    }
  }

  private func compares(_ order: Int, _ test: UnleashConstraint.Test) -> Bool {
    switch test {
    case .lessVersion: order < 0
    case .lessOrEqualVersion: order <= 0
    case .greaterVersion: order > 0
    case .greaterOrEqualVersion: order >= 0
    default: order == 0
    }
  }

  private func hasPart(
    _ constraint: UnsafePointer<UnleashConstraint>, _ text: UnsafeRawBufferPointer, _ program: UnleashProgram
  ) -> Bool {
    let run = constraint.pointee.list.run
    let texts = program.texts + Int(run.start)
    for index in 0..<Int(run.count) {
      let part = program.text(texts[index])
      guard part.count <= text.count else { continue }
      let excess = text.count - part.count
      switch constraint.pointee.test {
      case .startsWith: if sameBytes(part, UnsafeRawBufferPointer(rebasing: text[..<part.count])) { return true }
      case .endsWith: if sameBytes(part, UnsafeRawBufferPointer(rebasing: text[excess...])) { return true }
      default:
        for start in 0...excess {
          if sameBytes(part, UnsafeRawBufferPointer(rebasing: text[start..<start + part.count])) { return true }
        }
      }
    }
    return false
  }
}
