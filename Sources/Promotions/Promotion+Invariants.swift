import Kernel

extension Promotion {
  package static func violations(in state: State) -> [String] {
    var found: [String] = []
    if let order = state.order {
      let names = order.stages.map(\.environment).sorted()
      if zip(names, names.dropFirst()).contains(where: { $0 == $1 }) {
        found.append("an environment appears twice in the order")
      }
    }
    if let course = state.course {
      if course.stages.map(\.environment) != course.order.stages.map(\.environment) {
        found.append("the stages are not the order's")
      }
      for stage in course.stages { found += violations(in: stage) }
      for (stage, progress) in zip(course.order.stages, course.stages)
      where stage.database != nil && progress.passedAt != nil && progress.grantedAt == nil {
        found.append("\(stage.environment) passed without the word of its database")
      }
    }
    switch state.phase {
    case .idle, .building, .unbuilt, .buildHalted, .halted:
      break
    case .promoting(let course, let stage, let step):
      // Its effects could not even be asked for.
      guard course.stages.indices.contains(stage) else {
        return found + ["it is promoted to a stage that does not exist"]
      }
      if case .checking(let check) = step, !course.order.stages[stage].checks.indices.contains(check) {
        return found + ["a check runs that does not exist"]
      }
      found += violations(in: course, stage: stage, step)
    case .completed(let course):
      if course.next != nil { found.append("completed with a stage that has not passed") }
      if course.distrust != nil { found.append("completed with a digest that may not be used") }
    }
    let keys = effects(of: state).map(\.key).sorted()
    if zip(keys, keys.dropFirst()).contains(where: { $0 == $1 }) { found.append("two effects have one key") }
    return found
  }

  private static func violations(in stage: StageProgress) -> [String] {
    var found: [String] = []
    if stage.passedAt != nil, stage.builder == nil { found.append("\(stage.environment) passed without provenance") }
    if stage.passedAt != nil, stage.servedAt == nil { found.append("\(stage.environment) passed without serving") }
    if stage.passedAt != nil, stage.checks.contains(where: { !$0.report.passed }) {
      found.append("\(stage.environment) passed with a failed check")
    }
    if stage.passedAt != nil, stage.setback?.isCondemnation == true {
      found.append("\(stage.environment) passed while condemned")
    }
    return found
  }

  private static func violations(in course: Course, stage index: Int, _ step: Step) -> [String] {
    var found: [String] = []
    let stage = course.stages[index]
    let database = course.order.stages.indices.contains(index) ? course.order.stages[index].database : nil
    if course.distrust != nil { found.append("a digest that may not be used is promoted") }
    if course.next != index { found.append("\(stage.environment) is not the next stage") }
    switch step {
    case .verifying:
      break
    case .fitting:
      if stage.builder == nil { found.append("the database of \(stage.environment) was asked before its provenance") }
      if database == nil { found.append("\(stage.environment) fits to no database") }
    case .requested, .taken, .checking, .soaking:
      if stage.builder == nil { found.append("\(stage.environment) was asked before its gate was passed") }
      if database != nil, stage.grantedAt == nil {
        found.append("\(stage.environment) was asked without the word of its database")
      }
      if stage.attempts == 0 { found.append("\(stage.environment) moves without having been asked") }
    }
    if case .checking(let check) = step, stage.checks.count != check {
      found.append("checks are not run one after another")
    }
    if case .soaking = step, stage.checks.count != course.order.stages[index].checks.count {
      found.append("\(stage.environment) soaks before its checks passed")
    }
    return found
  }
}
