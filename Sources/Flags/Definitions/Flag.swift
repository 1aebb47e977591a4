/// One flag, compiled: its definition's JSON in one block, with the rules patched into a program. Immutable.
package final class Flag: @unchecked Sendable {
  // Safe to share: the block is patched during `init` only.

  /// What targeting is.
  enum Targeting: UInt8 {
    /// Absent, or empty: the default variant, statically.
    case none
    case program
    /// Not a JSON object: every evaluation fails.
    case malformed
  }

  private let tape: JSONTape
  /// Rules of `$evaluators` that the program points into.
  private let rules: [Rule]
  let key: JSONView
  /// Names and values, in their order.
  let variants: JSONView
  /// An object, or null.
  let metadata: JSONView
  /// The first step, where `targeting` is `program`.
  let program: JSONView
  let targeting: Targeting
  package let isEnabled: Bool
  /// Position among the variants; -1 for the caller's default, -2 for a name that is not among them.
  let defaultVariant: Int32
  /// Owner, expiry, prerequisites, ramp …; nil in a flag that has none of them.
  package let native: NativeFields?

  /// - Parameter tape: a list of the key and the definition; it becomes this flag's own.
  /// - Parameter refuse: makes the refusal of a value at an address, with its place.
  init(
    _ tape: JSONTape, rules: [Rule], segments: SegmentTable?, isNative: Bool, refuse: FlagRefusals
  ) throws(FlagRefusal) {
    self.tape = tape
    let key = tape.root.children[0]
    self.key = key
    let definition = tape.root.children + 1
    guard definition.pointee.kind == .object else {
      throw refuse(definition, "is no object", next: "Give it at least state and variants")
    }
    isEnabled = try Self.state(definition, refuse)
    let variants = try Self.variants(definition, refuse)
    self.variants = variants
    defaultVariant = try Self.defaultVariant(definition, variants, refuse)
    metadata = try Self.metadata(definition, refuse)
    var compiler = Compiler(rules: rules, segments: segments)
    let slot = definition.pointee.pair(named: "targeting").map { UnsafeMutablePointer(mutating: $0 + 1) }
    if let slot, case let source = compiler.rule(at: slot)?.source ?? slot.pointee, !Self.isEmpty(source) {
      targeting = source.kind == .object ? .program : .malformed
      if targeting == .program { compiler.compile(slot) }
      program = slot.pointee
    } else {
      targeting = .none
      program = .null
    }
    self.rules = compiler.usedRules
    if let missing = compiler.missingSegments.first {
      throw refuse(
        missing, "asks for segment `\(missing.pointee.string ?? "")`, which does not exist",
        next: "Define it under `segments`, or drop the rule", unknown: missing.pointee.string,
        known: segments?.names ?? [])
    }
    native = isNative ? try NativeFields(definition, variants: variants, refuse) : nil
    tape.forgetOffsets()
  }

  /// What most evaluations need of the flag, side by side with that of others.
  var head: FlagHead {
    FlagHead(
      key: key, program: program, variants: variants, defaultVariant: defaultVariant, isEnabled: isEnabled,
      targeting: targeting, isNative: native != nil)
  }

  package var name: String { key.string ?? "" }
  /// Bytes of the block.
  package var byteCount: Int { tape.byteCount }

  // MARK: Reading

  private static func state(_ definition: UnsafePointer<JSONView>, _ refuse: FlagRefusals) throws(FlagRefusal) -> Bool {
    guard let pair = definition.pointee.pair(named: "state") else {
      throw refuse(definition, "has no `state`", next: "Write ENABLED or DISABLED")
    }
    if pair[1].kind == .text {
      if equals(pair[1].utf8, "ENABLED") { return true }
      if equals(pair[1].utf8, "DISABLED") { return false }
    }
    throw refuse(
      pair + 1, "has a `state` that is neither ENABLED nor DISABLED", next: "Write one of them",
      unknown: pair[1].string, known: ["DISABLED", "ENABLED"])
  }

  private static func variants(_ definition: UnsafePointer<JSONView>, _ refuse: FlagRefusals) throws(FlagRefusal)
    -> JSONView
  {
    guard let pair = definition.pointee.pair(named: "variants") else {
      throw refuse(definition, "has no `variants`", next: "Name at least one")
    }
    guard pair[1].kind == .object, pair[1].count > 0 else {
      throw refuse(pair + 1, "has no variants by name", next: "Name at least one")
    }
    return pair[1]
  }

  private static func defaultVariant(
    _ definition: UnsafePointer<JSONView>, _ variants: JSONView, _ refuse: FlagRefusals
  ) throws(FlagRefusal) -> Int32 {
    guard let pair = definition.pointee.pair(named: "defaultVariant") else { return -1 }
    switch pair[1].kind {
    case .boolean: return position(of: Evaluator.text(pair[1].isTrue ? "true" : "false").utf8, in: variants) ?? -2
    case .text where pair[1].count > 0: return position(of: pair[1].utf8, in: variants) ?? -2
    default:
      if isEmpty(pair[1]) { return -1 }
      throw refuse(pair + 1, "has a `defaultVariant` that is no name", next: "Name a variant, or write null")
    }
  }

  private static func metadata(_ definition: UnsafePointer<JSONView>, _ refuse: FlagRefusals) throws(FlagRefusal)
    -> JSONView
  {
    guard let pair = definition.pointee.pair(named: "metadata"), !isEmpty(pair[1]) else { return .null }
    try checkMetadata(pair + 1, refuse)
    return pair[1]
  }

  /// Metadata has names, and values that are texts, numbers or booleans.
  static func checkMetadata(_ slot: UnsafePointer<JSONView>, _ refuse: FlagRefusals) throws(FlagRefusal) {
    guard slot.pointee.kind == .object else {
      throw refuse(slot, "has `metadata` that is no object", next: "Write {\"name\": value}")
    }
    for member in 0..<Int(slot.pointee.count) {
      let pair = slot.pointee.children + 2 * member
      guard pair[0].count > 0 else { throw refuse(pair, "has metadata without a name", next: "Give it one") }
      switch pair[1].kind {
      case .boolean, .integer, .double, .text: break
      default:
        throw refuse(
          pair + 1, "has metadata `\(pair[0].string ?? "")` that is no text, number or boolean",
          next: "Write it as a text")
      }
    }
  }

  /// Empty as the peer's language has it: null, false, zero, nothing inside.
  static func isEmpty(_ view: JSONView) -> Bool {
    switch view.kind {
    case .null: true
    case .boolean, .integer: view.bits == 0
    case .double: view.asDouble == 0
    case .text, .array, .object: view.count == 0
    case .operation: false
    }
  }

  static func position(of name: UnsafeRawBufferPointer, in variants: JSONView) -> Int32? {
    guard let pair = variants.pair(named: name) else { return nil }
    return Int32(truncatingIfNeeded: (pair - variants.children) / 2)
  }
}

/// The part of a flag that an evaluation reads without touching the flag's object, so that nothing is counted or
/// chased in memory for it. Its views are valid as long as the flag lives.
struct FlagHead: @unchecked Sendable {
  let key: JSONView
  let program: JSONView
  let variants: JSONView
  let defaultVariant: Int32
  let isEnabled: Bool
  let targeting: Flag.Targeting
  let isNative: Bool
}

extension JSONView {
  func pair(named name: StaticString) -> UnsafePointer<JSONView>? {
    pair(named: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }
}

/// Makes refusals of values in one tape, with line and column in the text that it was read from.
struct FlagRefusals {
  private enum Subject {
    case words(String)
    case flag(JSONView)
  }

  private let words: Subject
  let tape: JSONTape
  let text: UnsafeBufferPointer<UInt8>

  init(subject: String, tape: JSONTape, text: UnsafeBufferPointer<UInt8>) {
    words = .words(subject)
    self.tape = tape
    self.text = text
  }

  /// Of a flag, whose words are made only when it is refused.
  init(key: JSONView, tape: JSONTape, text: UnsafeBufferPointer<UInt8>) {
    words = .flag(key)
    self.tape = tape
    self.text = text
  }

  var subject: String {
    switch words {
    case .words(let words): words
    case .flag(let key): "flag `\(key.string ?? "")`"
    }
  }

  func callAsFunction(
    _ value: UnsafePointer<JSONView>, _ cause: String, next: String, unknown: String? = nil, known: [String] = []
  ) -> FlagRefusal {
    let place = TextPlace(of: tape.offset(of: value), in: text)
    return FlagRefusal(
      subject, cause, next: next, line: place.line, column: place.column, unknown: unknown, known: known)
  }
}
