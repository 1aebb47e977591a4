import Kernel

extension Promotion {
  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .begun(let order):
      state.phase = .building(order)
    case .built(let result):
      guard let order = state.order else { return }
      let course = Course(order: order, build: result)
      state.phase = course.stages.isEmpty ? .completed(course) : .promoting(course, stage: 0, .verifying)
    case .buildFailed(let reason, let log):
      evolveBuildFailed(&state, reason: reason, log: log)
    case .provenanceVerified(let environment, let builder):
      state.update(environment) { $0.builder = builder }
    case .provenanceRejected(let environment, let reason):
      state.update(environment) { $0.setback = .provenanceRejected(reason: reason) }
    case .schemaAsked(let ask):
      state.update(ask.environment, to: .fitting) { $0.grantedAt = nil }
    case .schemaGranted(let environment, let at):
      state.update(environment) { $0.grantedAt = at }
    case .schemaRefused(let environment, let reason):
      state.update(environment) { $0.setback = .schemaRefused(reason: reason) }
    case .requested(let request):
      state.update(request.environment, to: .requested) { stage in
        stage.attempts += 1
        stage.requestedAt = request.at
        stage.takenAt = nil
        stage.servedAt = nil
        stage.checks = []
        stage.soakUntil = nil
      }
    case .taken(let environment, let at):
      state.update(environment, to: .taken) { $0.takenAt = at }
    case .superseded(let environment, let commit):
      state.update(environment) { $0.setback = .superseded(by: commit) }
    case .condemned(let environment, let reason):
      state.update(environment) { stage in
        stage.passedAt = nil
        stage.setback = .condemned(reason: reason)
      }
    case .served(let environment, let at):
      state.update(environment, to: .checking(0)) { $0.servedAt = at }
    case .checkPassed(let environment, let name, let log, let startedAt, let endedAt):
      let report = CheckReport(passed: true, reason: "", log: log, startedAt: startedAt, endedAt: endedAt)
      evolveCheckPassed(&state, environment, CheckResult(name: name, report: report))
    case .checkFailed(let environment, let name, let reason, let log, let startedAt, let endedAt):
      let report = CheckReport(passed: false, reason: reason, log: log, startedAt: startedAt, endedAt: endedAt)
      state.update(environment) { stage in
        stage.checks.append(CheckResult(name: name, report: report))
        stage.setback = .checkFailed(name: name, reason: reason)
      }
    case .soakBegan(let environment, let until):
      state.update(environment, to: .soaking(until: until)) { $0.soakUntil = until }
    case .passed(let environment, let at):
      state.update(environment) { $0.passedAt = at }
      guard let course = state.course else { return }
      if let next = course.next {
        state.phase = .promoting(course, stage: next, .verifying)
        // What a person accepted once, or a check saw once, holds for that attempt only.
        state.update(course.stages[next].environment) { stage in
          stage.override = false
          stage.builder = nil
          stage.grantedAt = nil
        }
      } else {
        state.phase = .completed(course)
      }
    case .completed:
      if let course = state.course { state.phase = .completed(course) }
    case .halted(let reason):
      evolveHalted(&state, reason: reason)
    case .resumed(let resumption):
      evolveResumed(&state, resumption)
    case .schemaReconsidered(let environment):
      evolveResumed(&state, Resumption(environment: environment, override: false, reason: ""))
    case .renewed(let order):
      evolveRenewed(&state, order)
    }
  }

  /// What was asked, passed and condemned belongs to the earlier way; the environments themselves still know.
  private static func evolveRenewed(_ state: inout State, _ order: Order) {
    switch state.phase {
    case .idle, .unbuilt: break
    case .building, .buildHalted: state.phase = .building(order)
    case .promoting(let known, _, _), .halted(let known, _), .completed(let known):
      let course = Course(order: order, build: known.build)
      state.phase = course.stages.isEmpty ? .completed(course) : .promoting(course, stage: 0, .verifying)
    }
  }

  private static func evolveBuildFailed(_ state: inout State, reason: String, log: Digest?) {
    switch state.phase {
    case .idle: break
    case .building(let order), .unbuilt(let order, _), .buildHalted(let order, _):
      state.phase = .unbuilt(order, BuildFailure(reason: reason, log: log))
    case .promoting, .halted, .completed:
      state.updateCourse { $0.distrust = reason }
    }
  }

  private static func evolveCheckPassed(_ state: inout State, _ environment: EnvironmentName, _ result: CheckResult) {
    guard case .promoting(_, let stage, .checking(let index)) = state.phase, let order = state.order else { return }
    // The last check leaves the step where it is; `soakBegan` or `passed` follows in the same turn.
    let next = index + 1 < order.stages[stage].checks.count ? index + 1 : index
    state.update(environment, to: .checking(next)) { $0.checks.append(result) }
  }

  private static func evolveHalted(_ state: inout State, reason: String) {
    switch state.phase {
    case .idle, .unbuilt: break
    case .building(let order), .buildHalted(let order, _): state.phase = .buildHalted(order, reason: reason)
    case .promoting(let course, _, _), .halted(let course, _), .completed(let course):
      state.phase = .halted(course, reason: reason)
    }
  }

  private static func evolveResumed(_ state: inout State, _ resumption: Resumption) {
    switch state.phase {
    case .idle, .building, .unbuilt, .promoting, .completed: break
    case .buildHalted(let order, _): state.phase = .building(order)
    case .halted(let course, _):
      guard let environment = resumption.environment, let stage = course.index(of: environment) else { return }
      state.phase = .promoting(course, stage: stage, .verifying)
      state.update(environment) { progress in
        progress.override = resumption.override
        progress.builder = nil
        progress.grantedAt = nil
        progress.setback = nil
      }
    }
  }
}

extension Promotion.State {
  fileprivate mutating func updateCourse(_ change: (inout Promotion.Course) -> Void) {
    switch phase {
    case .idle, .building, .unbuilt, .buildHalted: break
    case .promoting(var course, let stage, let step):
      change(&course)
      phase = .promoting(course, stage: stage, step)
    case .halted(var course, let reason):
      change(&course)
      phase = .halted(course, reason: reason)
    case .completed(var course):
      change(&course)
      phase = .completed(course)
    }
  }

  fileprivate mutating func update(
    _ environment: EnvironmentName, to step: Promotion.Step? = nil, _ change: (inout Promotion.StageProgress) -> Void
  ) {
    updateCourse { course in
      guard let index = course.index(of: environment) else { return }
      change(&course.stages[index])
    }
    if let step, case .promoting(let course, let stage, _) = phase {
      phase = .promoting(course, stage: stage, step)
    }
  }
}
