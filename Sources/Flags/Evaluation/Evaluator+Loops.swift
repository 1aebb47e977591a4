/// Operations over lists. What they look at becomes the data of their inner step; the context is out of its sight.
extension Evaluator {
  mutating func loop(_ operation: Operation, _ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    switch operation {
    case .reduce: return try reduce(step, data)
    case .map: return try map(step, data)
    case .filter: return try filter(step, data)
    default: return .boolean(try quantify(operation, step, data))
    }
  }

  private mutating func list(_ count: Int) throws(EvaluationFault) -> UnsafeMutablePointer<JSONView> {
    try scratch.slots(count)
  }

  private mutating func map(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    guard step.count >= 1 else { return .array(UnsafePointer(try list(0)), count: 0) }
    let items = try value(step.children[0], data)
    guard items.kind == .array else { return .array(UnsafePointer(try list(0)), count: 0) }
    let count = Int(items.count)
    let results = try list(count)
    for position in 0..<count {
      results[position] = step.count > 1 ? try value(step.children[1], items.children[position]) : .null
    }
    return .array(UnsafePointer(results), count: count)
  }

  private mutating func filter(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    guard step.count >= 2 else { return .array(UnsafePointer(try list(0)), count: 0) }
    let items = try value(step.children[0], data)
    guard items.kind == .array else { return .array(UnsafePointer(try list(0)), count: 0) }
    let kept = try list(Int(items.count))
    var count = 0
    for position in 0..<Int(items.count) {
      let mark = scratch.mark
      if isTrue(try value(step.children[1], items.children[position])) {
        kept[count] = items.children[position]
        count += 1
      }
      scratch.rewind(to: mark)
    }
    return .array(UnsafePointer(kept), count: count)
  }

  /// `all`, `some`, `none`. Nothing holds for all of an empty list, as JSONLogic has it.
  private mutating func quantify(_ operation: Operation, _ step: JSONView, _ data: JSONView) throws(EvaluationFault)
    -> Bool
  {
    let without = operation == .none
    guard step.count >= 2 else { return without }
    let items = try value(step.children[0], data)
    guard items.kind == .array else { return without }
    if operation == .all, items.count == 0 { return false }
    for position in 0..<Int(items.count) {
      let mark = scratch.mark
      let holds = isTrue(try value(step.children[1], items.children[position]))
      scratch.rewind(to: mark)
      if operation == .all ? !holds : holds { return operation == .some }
    }
    return operation != .some
  }

  /// The third argument is data: it is not evaluated.
  private mutating func reduce(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    guard step.count >= 1 else { return .null }
    let items = try value(step.children[0], data)
    var accumulator = step.count > 2 ? step.children[2] : .null
    guard items.kind == .array else { return accumulator }
    for position in 0..<Int(items.count) {
      let pair = try scratch.slots(4)
      pair[0] = Self.text("accumulator")
      pair[1] = accumulator
      pair[2] = Self.text("current")
      pair[3] = items.children[position]
      let frame = JSONView.object(UnsafePointer(pair), members: 2)
      accumulator = step.count > 1 ? try value(step.children[1], frame) : .null
    }
    return accumulator
  }

  mutating func merge(_ step: JSONView, _ data: JSONView) throws(EvaluationFault) -> JSONView {
    let values = try all(step, data)
    var count = 0
    for value in values { count += value.kind == .array ? Int(value.count) : 1 }
    let merged = try list(count)
    var place = 0
    for value in values {
      if value.kind == .array {
        for element in value.elements {
          merged[place] = element
          place += 1
        }
      } else {
        merged[place] = value
        place += 1
      }
    }
    return .array(UnsafePointer(merged), count: count)
  }
}
