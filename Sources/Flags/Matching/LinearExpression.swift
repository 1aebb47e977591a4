/// A regular expression that runs in time linear in the text, whatever the expression and whatever the text.
///
/// Ken Thompson's simulation (1968): all states that the expression may be in are followed side by side, so nothing is
/// ever tried twice. The syntax is that of Rust's `regex` crate. Refused: look-around and back-references (no linear
/// time), Unicode scripts, ages and segmentation properties (tables not carried), and programs of more than
/// ``largestProgram`` steps, which bounded repetitions of repetitions blow up to.
package struct LinearExpression: Sendable {
  /// Steps of a program. A text of 1 KB costs at most 10 million of them: tens of milliseconds.
  package static let largestProgram = 10_000
  /// A program up to this many steps runs in memory on the stack; a greater one borrows from the heap for each match.
  static let largestOnStack = 504

  enum Operation: UInt8 {
    /// Consumes one scalar: exactly `scalar`.
    case scalar
    /// Consumes one scalar of class `other`.
    case set
    /// Goes on at `next` and at `other`.
    case fork
    /// Goes on at `next` if the place is right; `other` is the assertion.
    case assertion
    case match
  }

  struct Step {
    var operation: Operation
    var next: UInt16 = 0
    var other: UInt16 = 0
    var scalar: UInt32 = 0
  }

  /// A class: one bit for each ASCII letter, and ranges for the others.
  struct Class {
    var low: UInt64 = 0
    var high: UInt64 = 0
    /// Into `ranges`: pairs of first and last scalar, ascending.
    var start: UInt32 = 0
    var count: UInt32 = 0
  }

  let steps: [Step]
  let classes: [Class]
  let ranges: [UInt32]
  let start: UInt16
  /// It can match at the text's beginning only.
  let isAnchored: Bool

  /// Compiles an expression; refuses with the cause and the place in it.
  package init(_ pattern: String, ignoringCase: Bool = false) throws(FlagRefusal) {
    do {
      let node = try ExpressionParser.parse(pattern.unicodeScalars.lazy.map(\.value), ignoringCase: ignoringCase)
      var compiler = ExpressionCompiler()
      let start = try compiler.compile(node)
      self.init(steps: compiler.steps, classes: compiler.classes, ranges: compiler.ranges, start: start)
    } catch {
      throw FlagRefusal(
        "the regular expression", "\(error.cause) at letter \(error.offset + 1)", next: "Correct it")
    }
  }

  private init(steps: [Step], classes: [Class], ranges: [UInt32], start: UInt16) {
    self.steps = steps
    self.classes = classes
    self.ranges = ranges
    self.start = start
    isAnchored =
      steps[Int(start)].operation == .assertion
      && steps[Int(start)].other == UInt16(ExpressionAssertion.textStart.rawValue)
  }
}

/// Tree to steps, back to front: each part is told where to go on.
struct ExpressionCompiler {
  var steps: [LinearExpression.Step] = []
  var classes: [LinearExpression.Class] = []
  var ranges: [UInt32] = []

  mutating func compile(_ node: ExpressionNode) throws(ExpressionFault) -> UInt16 {
    let match = try add(.init(operation: .match))
    return try emit(node, then: match)
  }

  private mutating func emit(_ node: ExpressionNode, then next: UInt16) throws(ExpressionFault) -> UInt16 {
    switch node {
    case .empty: return next
    case .set(let set): return try emit(set, then: next)
    case .assertion(let assertion):
      return try add(.init(operation: .assertion, next: next, other: UInt16(assertion.rawValue)))
    case .sequence(let parts):
      var next = next
      for part in parts.reversed() { next = try emit(part, then: next) }
      return next
    case .alternatives(let branches):
      var entry: UInt16?
      for branch in branches.reversed() {
        let begin = try emit(branch, then: next)
        if let other = entry {
          entry = try add(.init(operation: .fork, next: begin, other: other))
        } else {
          entry = begin
        }
      }
      return entry ?? next
    case .repetition(let part, let minimum, let maximum):
      return try emit(part, minimum: minimum, maximum: maximum, then: next)
    }
  }

  private mutating func emit(
    _ part: ExpressionNode, minimum: Int, maximum: Int?, then next: UInt16
  ) throws(ExpressionFault) -> UInt16 {
    var entry = next
    if let maximum {
      // `a{0,3}` is `(a(a(a)?)?)?`.
      for _ in minimum..<maximum {
        let before = steps.count
        let begin = try emit(part, then: entry)
        if steps.count == before { break }
        entry = try add(.init(operation: .fork, next: begin, other: next))
      }
    } else {
      let loop = try add(.init(operation: .fork, other: next))
      let begin = try emit(part, then: loop)
      steps[Int(loop)].next = begin
      entry = loop
    }
    for _ in 0..<minimum {
      let before = steps.count
      entry = try emit(part, then: entry)
      // Nothing, as often as one likes, stays nothing.
      if steps.count == before { break }
    }
    return entry
  }

  private mutating func emit(_ set: ScalarSet, then next: UInt16) throws(ExpressionFault) -> UInt16 {
    if let scalar = set.single { return try add(.init(operation: .scalar, next: next, scalar: scalar)) }
    var entry = LinearExpression.Class(start: UInt32(ranges.count / 2))
    for range in set.ranges {
      for value in range.clamped(to: 0...0x7F) where range.contains(value) {
        if value < 64 { entry.low |= 1 << UInt64(value) } else { entry.high |= 1 << UInt64(value - 64) }
      }
      guard range.upperBound > 0x7F else { continue }
      ranges.append(max(range.lowerBound, 0x80))
      ranges.append(range.upperBound)
      entry.count += 1
    }
    let known = classes.firstIndex { sameClass($0, entry) }
    if let known {
      ranges.removeLast(2 * Int(entry.count))
      return try add(.init(operation: .set, next: next, other: UInt16(known)))
    }
    classes.append(entry)
    return try add(.init(operation: .set, next: next, other: UInt16(classes.count - 1)))
  }

  /// Repetition writes the same class again and again; it is kept once.
  private func sameClass(_ one: LinearExpression.Class, _ other: LinearExpression.Class) -> Bool {
    guard one.low == other.low, one.high == other.high, one.count == other.count else { return false }
    let first = 2 * Int(one.start)
    let second = 2 * Int(other.start)
    return (0..<2 * Int(one.count)).allSatisfy { ranges[first + $0] == ranges[second + $0] }
  }

  private mutating func add(_ step: LinearExpression.Step) throws(ExpressionFault) -> UInt16 {
    guard steps.count < LinearExpression.largestProgram else {
      throw ExpressionFault(cause: "grows beyond \(LinearExpression.largestProgram) steps", offset: 0)
    }
    steps.append(step)
    return UInt16(steps.count - 1)
  }
}
