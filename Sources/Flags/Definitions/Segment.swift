/// A named group of subjects that many flags share: a list of an attribute's values, or a rule.
package final class Segment: @unchecked Sendable {
  // Safe to share: the tape is patched during `init` only.
  private let tape: JSONTape
  private let rules: [Rule]
  let name: JSONView
  /// The attribute whose value is looked for in `items`.
  let attribute: JSONView
  /// A list, with an index when it is long; null in a segment by rule.
  let items: JSONView
  /// The first step; null in a segment by list.
  let program: JSONView

  /// - Parameter tape: a list of name and definition; it becomes this segment's own.
  init(_ tape: JSONTape, rules: [Rule], refuse: FlagRefusals) throws(FlagRefusal) {
    self.tape = tape
    name = tape.root.children[0]
    let definition = tape.root.children + 1
    let list = definition.pointee.pair(named: "items")
    let rule = definition.pointee.pair(named: "rule")
    guard definition.pointee.kind == .object, (list == nil) != (rule == nil) else {
      throw refuse(
        definition, "has neither `items` nor `rule`, or both", next: "Write a list of values, or one rule")
    }
    var compiler = Compiler(rules: rules, segments: nil)
    if let list {
      guard list[1].kind == .array else {
        throw refuse(list + 1, "has `items` that are no list", next: "Write a list of values")
      }
      items = list[1]
      program = .null
    } else if let rule {
      compiler.compile(UnsafeMutablePointer(mutating: rule + 1))
      items = .null
      program = rule[1]
    } else {
      (items, program) = (.null, .null)
    }
    self.rules = compiler.usedRules
    if let pair = definition.pointee.pair(named: "attribute") {
      guard pair[1].kind == .text, pair[1].count > 0 else {
        throw refuse(pair + 1, "has an `attribute` that is no name", next: "Name an attribute of the context")
      }
      attribute = pair[1]
    } else {
      attribute = Evaluator.text("targetingKey")
    }
    tape.forgetOffsets()
  }
}

/// Segments of a set by position.
struct SegmentTable {
  let segments: [Segment]

  func position(of name: UnsafeRawBufferPointer) -> Int? {
    segments.firstIndex { $0.name.textEquals(name) }
  }

  var names: [String] { segments.compactMap(\.name.string).sorted() }
}

extension Evaluator {
  /// Whether the context is of the segment, whatever data the step looks at.
  mutating func isInSegment(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> Bool {
    guard step.count >= 1, step.children[0].kind == .integer, let segments else { throw .unknownOperation }
    let segment = segments[Int(step.children[0].asInteger)]
    if segment.items.isNull { return isTrue(try value(segment.program, Evaluator.context)) }
    let subject = try lookUp(segment.attribute, in: Evaluator.context, .null)
    return subject.isNull ? false : try isContained(subject, in: segment.items)
  }
}
