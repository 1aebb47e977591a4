/// Runs one program for one context. Semantics of every operation: panzi-json-logic 1.0.1 and openfeature-flagd-core
/// 2.0.0, compared case by case by the differential test; oddities are theirs.
///
/// Values are views: constants of the program and attributes of the context are passed as they are, and only what is
/// computed takes scratch memory. Nothing is allocated on the heap while the first piece of scratch suffices.
struct Evaluator: ~Copyable {
  /// Steps that one evaluation may take; nested loops over long lists are cut off here, after some ten milliseconds.
  static let stepLimit = 1_000_000

  let attributes: JSONView
  let targetingKey: JSONView
  let flagKey: JSONView
  /// Seconds since 1970.
  let now: Int64
  let segments: UnsafePointer<Segment>?
  /// Whether `fractional` hashes texts as they are, as flagd did before it hashed CBOR.
  let hashesText: Bool
  var scratch: Scratch
  private var stepsLeft = Evaluator.stepLimit
  /// The context as an object of its own, made when a rule asks for all of it.
  var wholeContext: JSONView?
  /// Payload of the last thing that was not a number: the peer's lists find such a thing only by identity.
  var lastNaN: UInt64 = 1

  init(
    attributes: JSONView, targetingKey: JSONView, flagKey: JSONView, now: Int64,
    segments: UnsafePointer<Segment>?, hashesText: Bool, scratch: consuming Scratch
  ) {
    self.attributes = attributes
    self.targetingKey = targetingKey
    self.flagKey = flagKey
    self.now = now
    self.segments = segments
    self.hashesText = hashesText
    self.scratch = scratch
  }

  /// Stands for the context; it becomes an object only when a rule wants one.
  static let context = JSONView(.operation, operation: Operation.context.rawValue)

  /// The value of a step, looking at `data`.
  @inline(__always)
  mutating func value(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    step.kind == .operation ? try result(of: step, data) : step
  }

  /// The value of the argument at a position; null when there is none.
  @inline(__always)
  private mutating func argument(_ position: Int, of step: JSONView, _ data: JSONView) throws(EvaluationFault)
    -> JSONView
  {
    position < Int(step.count) ? try value(step.children[position], data) : .null
  }

  /// Arguments that an operation ignores are evaluated all the same, since they may fail.
  @inline(__always)
  private mutating func ignore(from position: Int, of step: JSONView, _ data: JSONView) throws(EvaluationFault) {
    var position = position
    while position < Int(step.count) {
      _ = try value(step.children[position], data)
      position += 1
    }
  }

  private mutating func two(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> (JSONView, JSONView) {
    let first = try argument(0, of: step, data)
    let second = try argument(1, of: step, data)
    try ignore(from: 2, of: step, data)
    return (first, second)
  }

  private mutating func three(_ step: JSONView, _ data: JSONView) throws(EvaluationFault)
    -> (JSONView, JSONView, JSONView)
  {
    let first = try argument(0, of: step, data)
    let second = try argument(1, of: step, data)
    let third = try argument(2, of: step, data)
    try ignore(from: 3, of: step, data)
    return (first, second, third)
  }

  /// All arguments' values, side by side.
  mutating func all(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> UnsafeBufferPointer<JSONView> {
    let count = Int(step.count)
    let values = try scratch.slots(count)
    for position in 0..<count { values[position] = try value(step.children[position], data) }
    return UnsafeBufferPointer(start: values, count: count)
  }

  private mutating func result(of step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    stepsLeft &-= 1
    if stepsLeft < 0 { throw .tooMuch }
    guard let operation = Operation(rawValue: step.operation) else { throw .unknownOperation }
    switch operation {
    case .attribute:
      guard data.kind == .operation else { return try variable(step, data) }
      let found = attributes.member(step.children[0].utf8) ?? .null
      if step.count == 1 { return found }
      let fallback = try argument(1, of: step, data)
      return found.isNull ? fallback : found
    case .variable: return try variable(step, data)
    case .rule: return try value(step.children[0], data)
    case .choose: return try choose(step, data)
    case .and: return try junction(step, data, endsWhen: false)
    case .or: return try junction(step, data, endsWhen: true)
    case .not:
      let first = try two(step, data).0
      return .boolean(!isTrue(first))
    case .truth:
      let first = try two(step, data).0
      return .boolean(isTrue(first))
    case .equal, .notEqual:
      let (left, right) = try two(step, data)
      return .boolean(try looselyEqual(left, right) == (operation == .equal))
    case .strictlyEqual, .strictlyUnequal:
      let (left, right) = try two(step, data)
      return .boolean(equal(left, right) == (operation == .strictlyEqual))
    case .less, .lessOrEqual, .greater, .greaterOrEqual:
      let (left, middle, right) = try three(step, data)
      guard try compare(left, middle, operation) else { return .boolean(false) }
      return .boolean(right.isNull ? true : try compare(middle, right, operation))
    case .contained:
      let (needle, haystack) = try two(step, data)
      return .boolean(try isContained(needle, in: haystack))
    case .fractional: return try fractional(step, data)
    case .startsWith, .endsWith: return try textEnds(step, data, atStart: operation == .startsWith)
    case .semanticVersion: return try semanticVersion(step, data)
    case .segment: return .boolean(try isInSegment(step, data))
    case .list: return .array(try all(step, data).unsafeBase, count: Int(step.count))
    case .filter, .map, .all, .some, .none, .reduce: return try loop(operation, step, data)
    case .merge: return try merge(step, data)
    case .missing: return try missing(all(step, data), data)
    case .missingSome:
      let (needed, names) = try two(step, data)
      return try missingSome(needed, names, data)
    case .add, .multiply, .minimum, .maximum: return try fold(operation, step, data)
    case .subtract, .divide, .remainder:
      let (left, right) = try two(step, data)
      return try arithmetic(operation, left, right)
    case .concatenate: return try concatenate(step, data)
    case .substring:
      let (text, start, length) = try three(step, data)
      return try substring(text, start, length)
    // The peer prints its argument; an evaluator that serves requests prints nothing.
    case .log: return try two(step, data).0
    case .unknown:
      try ignore(from: 0, of: step, data)
      throw .unknownOperation
    case .misnamed:
      try ignore(from: 0, of: step, data)
      throw .misnamedOperation
    case .context: return try contextObject()
    }
  }

  private mutating func choose(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let count = Int(step.count)
    let arguments = step.children
    var position = 0
    while position < count - 1 {
      if isTrue(try value(arguments[position], data)) { return try value(arguments[position + 1], data) }
      position += 2
    }
    return position < count ? try value(arguments[position], data) : .null
  }

  /// `and` ends at the first untrue value, `or` at the first true one; both give the last value otherwise.
  private mutating func junction(_ step: JSONView, _ data: JSONView, endsWhen: Bool) throws(EvaluationFault)
    -> JSONView
  {
    var current = JSONView.null
    for position in 0..<Int(step.count) {
      current = try value(step.children[position], data)
      if isTrue(current) == endsWhen { return current }
    }
    return current
  }

  /// JSONLogic's truth: empty texts and lists, zero, null and what is not a number are untrue; every object is true.
  @inline(__always)
  func isTrue(_ view: JSONView) -> Bool {
    switch view.kind {
    case .null: false
    case .boolean, .integer: view.bits != 0
    case .double: !(view.asDouble.isNaN || view.asDouble == 0)
    case .text, .array: view.count > 0
    case .object, .operation: true
    }
  }
}

extension UnsafeBufferPointer {
  /// The address of a buffer from `Scratch.slots`, which is never nil.
  @inline(__always)
  var unsafeBase: UnsafePointer<Element> { baseAddress.unsafelyUnwrapped }
}
