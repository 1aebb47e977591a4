/// Everything that is wrong with definitions, each with its place: what flagd's schema refuses, and what could only
/// fail when a flag is evaluated.
///
/// ``FlagSet`` accepts more: it takes what flagd's evaluator takes, so that a file that works keeps working.
public struct FlagLint {
  /// Which of flagd's two schemas holds.
  public enum Form: Sendable {
    /// `flagd.json`: flags as an object by key or as a list.
    case daemon
    /// `flags.json`: flags as an object by key.
    case provider
  }

  /// Operations and arguments of every rule, in its tape.
  let text: UnsafeBufferPointer<UInt8>
  let tape: JSONTape
  /// Names of `$evaluators`; nil when references are not judged.
  let evaluators: Set<String>?
  let isNative: Bool
  private(set) var findings: [FlagRefusal] = []

  init(_ tape: JSONTape, _ text: UnsafeBufferPointer<UInt8>, evaluators: Set<String>?, isNative: Bool) {
    self.tape = tape
    self.text = text
    self.evaluators = evaluators
    self.isNative = isNative
  }

  /// Findings in definitions, in the order of the text; empty when all is well.
  public static func findings(in json: String, form: Form = .daemon) -> [FlagRefusal] {
    withTape(json) { tape, bytes, builder in
      let root = tape.root
      let isNative = root.member("plimsoll") != nil
      let names = (root.member("$evaluators") ?? .null).members.compactMap(\.name.string)
      var lint = FlagLint(tape, bytes, evaluators: Set(names), isNative: isNative)
      lint.noteRepeats(builder)
      lint.checkSet(tape.rootPointer, form)
      if lint.findings.isEmpty {
        // What only the whole set shows: circles, unknown prerequisites and segments, native fields.
        do throws(FlagRefusal) {
          _ = try FlagSet(json: bytes)
        } catch {
          lint.findings.append(error)
        }
      }
      return lint.sorted
    }
  }

  /// Findings in one targeting rule by itself; references to `$evaluators` are not judged.
  public static func findings(inTargeting json: String) -> [FlagRefusal] {
    withTape(json) { tape, bytes, builder in
      var lint = FlagLint(tape, bytes, evaluators: nil, isNative: false)
      lint.noteRepeats(builder)
      lint.checkTargeting(tape.rootPointer, "the rule")
      return lint.sorted
    }
  }

  private static func withTape(
    _ json: String, _ body: (JSONTape, UnsafeBufferPointer<UInt8>, JSONBuilder) -> [FlagRefusal]
  ) -> [FlagRefusal] {
    var copy = json
    return copy.withUTF8 { bytes in
      let builder = JSONBuilder(keepsOffsets: true)
      do throws(FlagRefusal) {
        let tape = try JSONReader.tape(
          of: bytes, subject: "the text of the definitions", limit: FlagSet.sizeLimit, builder: builder)
        return body(tape, bytes, builder)
      } catch {
        return [error]
      }
    }
  }

  private var sorted: [FlagRefusal] {
    findings.sorted { ($0.line ?? 0, $0.column ?? 0, $0.cause) < ($1.line ?? 0, $1.column ?? 0, $1.cause) }
  }

  mutating func find(
    _ value: UnsafePointer<JSONView>, _ subject: String, _ cause: String, next: String, unknown: String? = nil,
    known: [String] = []
  ) {
    let refuse = FlagRefusals(subject: subject, tape: tape, text: text)
    findings.append(refuse(value, cause, next: next, unknown: unknown, known: known))
  }

  private mutating func noteRepeats(_ builder: JSONBuilder) {
    for (name, offset) in builder.repeated {
      let place = TextPlace(of: offset, in: text)
      findings.append(
        FlagRefusal(
          "the definitions", "have `\(name)` twice in one object, and only the last counts", next: "Drop one",
          line: place.line, column: place.column))
    }
  }

  // MARK: The set

  private mutating func checkSet(_ root: UnsafePointer<JSONView>, _ form: Form) {
    let subject = "the definitions"
    guard root.pointee.kind == .object else {
      return find(root, subject, "are no object", next: "Write {\"flags\": {…}}")
    }
    if let pair = root.pointee.pair(named: "metadata") { checkMetadata(pair + 1, subject) }
    if let pair = root.pointee.pair(named: "$evaluators") {
      for member in 0..<(pair[1].kind == .object ? Int(pair[1].count) : 0) {
        let entry = pair[1].children + 2 * member
        checkTargeting(entry + 1, "evaluator `\(entry[0].string ?? "")`")
      }
      if pair[1].kind != .object { find(pair + 1, subject, "have `$evaluators` that are no object", next: "Name them") }
    }
    guard let flags = root.pointee.pair(named: "flags") else {
      return find(root, subject, "have no `flags`", next: "Write {\"flags\": {…}}")
    }
    switch flags[1].kind {
    case .object:
      for member in 0..<Int(flags[1].count) {
        let pair = flags[1].children + 2 * member
        if pair[0].count == 0 { find(pair, subject, "have a flag without a key", next: "Give it one") }
        checkFlag(pair + 1, "flag `\(pair[0].string ?? "")`")
      }
    case .array where form == .daemon:
      for position in 0..<Int(flags[1].count) {
        let flag = flags[1].children + position
        let key = flag.pointee.member("key")?.string ?? ""
        if key.isEmpty { find(flag, subject, "have a flag without `key`", next: "Give every flag of a list its key") }
        checkFlag(flag, "flag `\(key)`")
      }
    default: find(flags + 1, subject, "have `flags` of the wrong form", next: "Write an object by key")
    }
  }

  private mutating func checkFlag(_ flag: UnsafePointer<JSONView>, _ subject: String) {
    guard flag.pointee.kind == .object else {
      return find(flag, subject, "is no object", next: "Give it at least state and variants")
    }
    if let state = flag.pointee.pair(named: "state") {
      if state[1].string != "ENABLED", state[1].string != "DISABLED" {
        find(
          state + 1, subject, "has a `state` that is neither ENABLED nor DISABLED", next: "Write one of them",
          unknown: state[1].string, known: ["DISABLED", "ENABLED"])
      }
    } else {
      find(flag, subject, "has no `state`", next: "Write ENABLED or DISABLED")
    }
    if let metadata = flag.pointee.pair(named: "metadata") { checkMetadata(metadata + 1, subject) }
    let names = checkVariants(flag, subject)
    checkDefault(flag, subject, names)
    if let targeting = flag.pointee.pair(named: "targeting") {
      checkTargeting(targeting + 1, subject)
      checkResult(targeting + 1, subject, names)
    }
  }

  /// - Returns: the variants' names.
  private mutating func checkVariants(_ flag: UnsafePointer<JSONView>, _ subject: String) -> [String] {
    guard let variants = flag.pointee.pair(named: "variants") else {
      find(flag, subject, "has no `variants`", next: "Name at least one")
      return []
    }
    guard variants[1].kind == .object, variants[1].count > 0 else {
      find(variants + 1, subject, "has no variants by name", next: "Name at least one")
      return []
    }
    let first = FlagLint.family(variants[1].children[1])
    for member in 0..<Int(variants[1].count) {
      let pair = variants[1].children + 2 * member
      if pair[0].count == 0 { find(pair, subject, "has a variant without a name", next: "Give it one") }
      let family = FlagLint.family(pair[1])
      if family == nil {
        find(
          pair + 1, subject, "has variant `\(pair[0].string ?? "")` that is no boolean, text, number or object",
          next: "Use one of these")
      } else if family != first {
        find(
          pair + 1, subject, "has variants of different types: `\(pair[0].string ?? "")` is another one than the first",
          next: "Give all variants one type")
      }
    }
    return variants[1].members.compactMap(\.name.string)
  }

  /// The type that all variants of a flag share; nil for what no variant may be.
  private static func family(_ value: JSONView) -> FlagType? {
    switch value.kind {
    case .boolean: .boolean
    case .text: .text
    case .integer, .double: .number
    case .object: .object
    case .null, .array, .operation: nil
    }
  }

  private mutating func checkDefault(_ flag: UnsafePointer<JSONView>, _ subject: String, _ names: [String]) {
    guard let pair = flag.pointee.pair(named: "defaultVariant"), !pair[1].isNull else { return }
    guard let name = pair[1].string else {
      return find(pair + 1, subject, "has a `defaultVariant` that is no name", next: "Name a variant, or write null")
    }
    if !names.isEmpty, !name.isEmpty, !names.contains(name) {
      find(
        pair + 1, subject, "has the default variant `\(name)`, which is not among its variants",
        next: "Name one of them", unknown: name, known: names.sorted())
    }
  }

  private mutating func checkMetadata(_ slot: UnsafePointer<JSONView>, _ subject: String) {
    do throws(FlagRefusal) {
      try Flag.checkMetadata(slot, FlagRefusals(subject: subject, tape: tape, text: text))
    } catch {
      findings.append(error)
    }
  }

  /// Constant results of a rule name variants; looked for only where a result is certain to become the flag's.
  private mutating func checkResult(_ slot: UnsafePointer<JSONView>, _ subject: String, _ names: [String]) {
    if let name = slot.pointee.string, !names.isEmpty, !names.contains(name) {
      find(
        slot, subject, "has a rule that chooses variant `\(name)`, which is not among its variants",
        next: "Name one of them", unknown: name, known: names.sorted())
    }
    guard slot.pointee.kind == .object, slot.pointee.count == 1 else { return }
    let pair = slot.pointee.children
    guard pair[1].kind == .array else { return }
    let arguments = pair[1].children
    let count = Int(pair[1].count)
    if equals(pair[0].utf8, "if") {
      // A lone condition is its own result, and no name.
      for position in stride(from: 1, to: count, by: 2) {
        checkResult(arguments + position, subject, names)
      }
      if count % 2 == 1, count > 1 { checkResult(arguments + (count - 1), subject, names) }
    } else if equals(pair[0].utf8, "fractional") {
      for position in 0..<count where arguments[position].kind == .array && arguments[position].count > 0 {
        checkResult(arguments[position].children, subject, names)
      }
    }
  }
}
