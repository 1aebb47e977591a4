/// JSONLogic's form, as flagd's `targeting.json` has it.
extension FlagLint {
  /// How many arguments an operation takes, and whether one may stand without brackets.
  private struct Arity {
    let counts: ClosedRange<Int>
    let mayStandAlone: Bool
  }

  private static let many = 10_000_000

  private static func arity(_ operation: Operation) -> Arity? {
    switch operation {
    case .less, .lessOrEqual, .substring: Arity(counts: 2...3, mayStandAlone: false)
    case .equal, .notEqual, .strictlyEqual, .strictlyUnequal, .greater, .greaterOrEqual, .remainder, .divide, .map,
      .filter, .all, .some, .none, .contained, .startsWith, .endsWith:
      Arity(counts: 2...2, mayStandAlone: false)
    case .reduce, .semanticVersion: Arity(counts: 3...3, mayStandAlone: false)
    case .multiply: Arity(counts: 2...many, mayStandAlone: false)
    case .not, .truth, .segment: Arity(counts: 1...1, mayStandAlone: true)
    case .choose, .or, .and, .add, .subtract, .maximum, .minimum, .merge, .concatenate, .fractional:
      Arity(counts: 1...many, mayStandAlone: false)
    default: nil
    }
  }

  /// A flag's targeting: an operation, or nothing.
  mutating func checkTargeting(_ slot: UnsafePointer<JSONView>, _ subject: String) {
    guard slot.pointee.kind == .object else {
      return find(slot, subject, "has a rule that is no object", next: "Write an operation, or {}")
    }
    if slot.pointee.count > 0 { checkRule(slot, subject) }
  }

  /// Anything that may be an argument.
  private mutating func checkArgument(_ slot: UnsafePointer<JSONView>, _ subject: String) {
    switch slot.pointee.kind {
    case .object: checkRule(slot, subject)
    case .array:
      for position in 0..<Int(slot.pointee.count) { checkArgument(slot.pointee.children + position, subject) }
    default: break
    }
  }

  private mutating func checkRule(_ slot: UnsafePointer<JSONView>, _ subject: String) {
    guard slot.pointee.count == 1 else {
      return find(
        slot, subject, "has an object of \(slot.pointee.count) members in a rule, which is data and no operation",
        next: "Write one operation to an object")
    }
    let name = slot.pointee.children
    let value = name + 1
    let word = name.pointee.string ?? ""
    if word == "$ref" { return checkReference(value, subject) }
    guard let operation = Operation(named: name.pointee.utf8), operation != .log, operation != .segment || isNative
    else {
      return find(
        name, subject, "uses the operation `\(word)`, which does not exist", next: "Use one that does", unknown: word,
        known: Operation.knownNames)
    }
    if let arity = Self.arity(operation), !checkCount(arity, value, word, subject) { return }
    switch operation {
    case .variable: checkVariable(value, subject)
    case .missing: checkNames(value, subject, word)
    case .missingSome: checkMissingSome(value, subject)
    case .fractional: checkFractional(value, subject)
    case .startsWith, .endsWith:
      for position in 0..<2 { checkTextOrRule(value.pointee.children + position, subject, word) }
    case .semanticVersion: checkVersion(value.pointee.children, subject)
    case .segment: break
    default: checkArgument(value, subject)
    }
  }

  private mutating func checkCount(
    _ arity: Arity, _ value: UnsafePointer<JSONView>, _ word: String, _ subject: String
  ) -> Bool {
    if value.pointee.kind != .array {
      if arity.mayStandAlone { return true }
      find(value, subject, "gives `\(word)` no list of arguments", next: "Write them in brackets")
      return false
    }
    if arity.counts.contains(Int(value.pointee.count)) { return true }
    let counts = arity.counts
    let wanted =
      counts.count == 1
      ? "\(counts.lowerBound)"
      : counts.upperBound == Self.many
        ? "at least \(counts.lowerBound)" : "\(counts.lowerBound) or \(counts.upperBound)"
    find(
      value, subject, "gives `\(word)` \(value.pointee.count) arguments, which takes \(wanted)",
      next: "Give it as many")
    return false
  }

  private mutating func checkReference(_ value: UnsafePointer<JSONView>, _ subject: String) {
    guard let name = value.pointee.string else {
      return find(value, subject, "has a `$ref` that is no name", next: "Name one of `$evaluators`")
    }
    guard let evaluators, !evaluators.contains(name) else { return }
    find(
      value, subject, "refers to evaluator `\(name)`, which does not exist", next: "Define it under `$evaluators`",
      unknown: name, known: evaluators.sorted())
  }

  private mutating func checkVariable(_ value: UnsafePointer<JSONView>, _ subject: String) {
    let name = value.pointee.kind == .array && value.pointee.count > 0 ? value.pointee.children : value
    if let text = name.pointee.string, text.hasPrefix("$flagd."), text != "$flagd.timestamp", text != "$flagd.flagKey" {
      find(
        name, subject, "reads `\(text)`, which flagd does not provide", next: "Use one of the two", unknown: text,
        known: ["$flagd.flagKey", "$flagd.timestamp"])
    }
    checkArgument(value, subject)
  }

  private mutating func checkNames(_ value: UnsafePointer<JSONView>, _ subject: String, _ word: String) {
    guard value.pointee.kind == .array else {
      return find(value, subject, "gives `\(word)` no list of names", next: "Write them in brackets")
    }
    for position in 0..<Int(value.pointee.count) where value.pointee.children[position].kind != .text {
      find(value.pointee.children + position, subject, "gives `\(word)` what is no name", next: "Write a text")
    }
  }

  private mutating func checkMissingSome(_ value: UnsafePointer<JSONView>, _ subject: String) {
    guard value.pointee.kind == .array, value.pointee.count == 2, value.pointee.children[0].number != nil else {
      return find(value, subject, "gives `missing_some` no number and names", next: "Write [1, [\"a\", \"b\"]]")
    }
    checkNames(value.pointee.children + 1, subject, "missing_some")
  }

  private mutating func checkTextOrRule(_ slot: UnsafePointer<JSONView>, _ subject: String, _ word: String) {
    switch slot.pointee.kind {
    case .text: break
    case .object: checkRule(slot, subject)
    default: find(slot, subject, "gives `\(word)` what is neither a text nor a rule", next: "Write a text")
    }
  }

  private mutating func checkVersion(_ arguments: UnsafePointer<JSONView>, _ subject: String) {
    for position in [0, 2] {
      let slot = arguments + position
      switch slot.pointee.kind {
      case .text where Self.isVersion(slot.pointee.utf8): break
      case .object: checkRule(slot, subject)
      default:
        find(
          slot, subject, "gives `sem_ver` what is neither a version nor a rule",
          next: "Write a version as 1.2.3, or {\"var\": …}")
      }
    }
    let signs = ["!=", "<", "<=", "=", ">", ">=", "^", "~"]
    if let sign = arguments[1].string, signs.contains(sign) { return }
    find(
      arguments + 1, subject, "compares versions by what is none of \(signs.joined(separator: " "))",
      next: "Use one of them", unknown: arguments[1].string, known: signs)
  }

  /// Strictly of SemVer 2.0.0: three numbers, without a `v`.
  private static func isVersion(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let first = text.first, first >= 0x30, first <= 0x39, FlagdVersion(text) != nil else { return false }
    return text.prefix { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "+") }.count { $0 == UInt8(ascii: ".") } == 2
  }

  private mutating func checkFractional(_ value: UnsafePointer<JSONView>, _ subject: String) {
    var shares = 0..<Int(value.pointee.count)
    if let first = shares.first, value.pointee.children[first].kind == .object {
      checkRule(value.pointee.children + first, subject)
      shares = 1..<shares.upperBound
    }
    for position in shares { checkShare(value.pointee.children + position, subject) }
  }

  private mutating func checkShare(_ slot: UnsafePointer<JSONView>, _ subject: String) {
    guard slot.pointee.kind == .array, slot.pointee.count == 1 || slot.pointee.count == 2 else {
      return find(slot, subject, "has a share of `fractional` that is no [variant, weight]", next: "Write it so")
    }
    checkArgument(slot.pointee.children, subject)
    guard slot.pointee.count == 2 else { return }
    let weight = slot.pointee.children + 1
    switch weight.pointee.kind {
    case .integer where weight.pointee.asInteger >= 0: break
    case .object: checkRule(weight, subject)
    default:
      find(
        weight, subject, "has a weight of `fractional` that is neither a whole number from 0 on nor a rule",
        next: "Write a whole number")
    }
  }
}
