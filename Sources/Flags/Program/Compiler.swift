/// Turns JSONLogic into a decision program, in the very slots that hold it: an object with one member becomes a step
/// whose children are its arguments. Constants stay what they are.
///
/// Runs once per tape, before the tape is shared. Never fails: what flagd finds wrong only when it is reached (an
/// unknown operation) becomes a step that says so.
struct Compiler {
  /// Rules of `$evaluators` that a `$ref` may name.
  let rules: [Rule]
  /// Positions of segments by name; nil where `segment` is no operation (sets without native fields, as in flagd).
  let segments: SegmentTable?
  /// Rules that the program points into, which its owner has to keep.
  private(set) var usedRules: [Rule] = []
  /// Names of segments that do not exist, with their slots.
  private(set) var missingSegments: [UnsafePointer<JSONView>] = []

  init(rules: [Rule], segments: SegmentTable?) {
    self.rules = rules
    self.segments = segments
  }

  /// Compiles the value at a slot and everything below.
  ///
  /// - Parameter mayShare: whether nobody can tell if a constant list here is made anew each time. Only `==` can tell,
  ///   since lists are equal there only to themselves.
  mutating func compile(_ slot: UnsafeMutablePointer<JSONView>, mayShare: Bool = false) {
    switch slot.pointee.kind {
    case .null, .boolean, .integer, .double, .text, .operation: break
    case .array: compileList(slot, mayShare: mayShare)
    case .object where slot.pointee.count == 1: compileOperation(slot)
    // Objects without or with several members are data in JSONLogic, all the way down.
    case .object: break
    }
  }

  private mutating func compileList(_ slot: UnsafeMutablePointer<JSONView>, mayShare: Bool) {
    let elements = UnsafeMutablePointer(mutating: slot.pointee.children)
    var isConstant = true
    for position in 0..<Int(slot.pointee.count) {
      compile(elements + position, mayShare: mayShare)
      if elements[position].kind == .operation { isConstant = false }
    }
    if isConstant && mayShare { return }
    slot.pointee.kind = .operation
    slot.pointee.operation = Operation.list.rawValue
  }

  private mutating func compileOperation(_ slot: UnsafeMutablePointer<JSONView>) {
    let name = slot.pointee.children
    let value = UnsafeMutablePointer(mutating: name + 1)
    if let rule = rule(at: slot) {
      slot.pointee = step(.rule, UnsafeMutablePointer(mutating: rule.program), count: 1)
      if !usedRules.contains(where: { $0 === rule }) { usedRules.append(rule) }
      return
    }
    var arguments = value
    var count = 1
    if value.pointee.kind == .array {
      arguments = UnsafeMutablePointer(mutating: value.pointee.children)
      count = Int(value.pointee.count)
    }
    var operation = Operation(named: name.pointee.utf8) ?? .failing(named: name.pointee.utf8)
    if operation == .segment, segments == nil { operation = .unknown }
    switch operation {
    case .variable:
      if count >= 1, isPlainAttribute(arguments[0]), count <= 2 { operation = .attribute }
      compile(arguments, count: count, sharing: 0..<1)
    case .segment: compileSegment(arguments, count: count)
    case .filter, .map, .all, .some, .none:
      compile(arguments, count: count, sharing: 0..<1)
    // The third argument of `reduce` is data, not logic.
    case .reduce: compile(arguments, count: min(count, 2), sharing: 0..<1)
    case .contained, .missingSome: compile(arguments, count: count, sharing: 1..<2)
    case .missing: compile(arguments, count: count, sharing: 0..<1)
    case .merge, .fractional, .concatenate: compile(arguments, count: count, sharing: 0..<count)
    default: compile(arguments, count: count, sharing: 0..<0)
    }
    slot.pointee = step(operation, arguments, count: count)
  }

  private mutating func compile(_ arguments: UnsafeMutablePointer<JSONView>, count: Int, sharing: Range<Int>) {
    for position in 0..<count { compile(arguments + position, mayShare: sharing.contains(position)) }
  }

  /// The segment's name becomes its position, so that no name is looked up later.
  private mutating func compileSegment(_ arguments: UnsafeMutablePointer<JSONView>, count: Int) {
    guard count >= 1, arguments[0].kind == .text else { return }
    if let position = segments?.position(of: arguments[0].utf8) {
      arguments[0] = .integer(Int64(position))
    } else {
      missingSegments.append(UnsafePointer(arguments))
    }
  }

  private func isPlainAttribute(_ name: JSONView) -> Bool {
    guard name.kind == .text, name.count > 0, !name.utf8.contains(UInt8(ascii: ".")) else { return false }
    return !equals(name.utf8, "targetingKey") && !equals(name.utf8, "$flagd")
  }

  /// The rule that a value refers to; nil if it is no reference, or one to nothing.
  func rule(at slot: UnsafePointer<JSONView>) -> Rule? {
    guard slot.pointee.kind == .object, slot.pointee.count == 1 else { return nil }
    let pair = slot.pointee.children
    guard equals(pair[0].utf8, "$ref"), pair[1].kind == .text else { return nil }
    return rule(named: pair[1].utf8)
  }

  private func rule(named name: UnsafeRawBufferPointer) -> Rule? {
    rules.first { $0.name.textEquals(name) }
  }

  private func step(_ operation: Operation, _ arguments: UnsafeMutablePointer<JSONView>, count: Int) -> JSONView {
    JSONView(
      .operation, bits: UInt64(UInt(bitPattern: arguments)), count: UInt32(truncatingIfNeeded: count),
      operation: operation.rawValue)
  }
}

/// A rule that many flags share: one of `$evaluators`. Compiled once, in a block of its own.
final class Rule: @unchecked Sendable {
  // Safe to share: nothing of it changes after `init`, and its tape not after compilation.
  private let tape: JSONTape
  /// Rules that this one refers to.
  private let usedRules: [Rule]
  let name: JSONView
  /// The first step.
  let program: UnsafePointer<JSONView>
  /// What it was before it was compiled, behind its own references: a flag that is nothing but this rule is judged by
  /// it as if the rule stood there.
  let source: JSONView

  /// - Parameter tape: a list of name and rule; it becomes this rule's own.
  init(_ tape: JSONTape, rules: [Rule]) {
    self.tape = tape
    name = tape.root.children[0]
    let slot = UnsafeMutablePointer(mutating: tape.root.children + 1)
    var compiler = Compiler(rules: rules, segments: nil)
    source = compiler.rule(at: slot)?.source ?? slot.pointee
    compiler.compile(slot)
    usedRules = compiler.usedRules
    program = UnsafePointer(slot)
    tape.forgetOffsets()
  }
}
