import Kernel

/// A drill: who orders it, and how it goes there and back.
extension Rollout {
  // MARK: Requests

  static func drill(actor: String, reason: String, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = try configuredPlace(in: state)
    try checkReason(reason, "A drill")
    if let frozen = state.frozen {
      throw Refusal(.notNow, "\(place) is frozen (\(frozen.freeze.words)): thaw it before a drill.")
    }
    switch state.phase {
    case .idle:
      guard let serving = state.knownGood.first else {
        throw Refusal(.notNow, "\(place) has no known-good version yet, so there is nothing to drill: promote one.")
      }
      let target = try target(nil, serving, place, in: state)
      let past = passedOver(on: target, from: serving, in: state)
      let steps = [Step(drillShare(of: state.policy?.steps ?? []))]
      return [
        .started(
          RolloutStart(
            id: state.nextRollout, kind: .drill, offer: target.offer, deployment: target.deployment,
            knownGood: serving.deployment, steps: steps, reason: "\(actor) ordered a drill: \(reason)\(past)",
            at: turn.now))
      ]
    case .placing(let course):
      guard course.start.kind == .forward, course.start.knownGood != nil else {
        throw Refusal(
          .notNow, "Rollout \(course.id) in \(place) has no version to come back to, so it cannot drill: wait for it.")
      }
      return course.isDrillWanted ? [] : [.drillOrdered(course.id, actor: actor, at: turn.now)]
    case .sealing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing, .restoring, .reporting:
      throw Refusal(
        .notNow,
        "\(place) is past the point where a drill fits (\(state.phaseWords)): order it when nothing runs, or while a "
          + "rollout's instances start.")
    case .closing, .closed: throw retired(place)
    }
  }

  /// The share that a drill moves: the first of the plan that leaves the old version some.
  static func drillShare(of steps: [Step]) -> Int {
    steps.first { (1..<100).contains($0.percent) }?.percent ?? drillPercent
  }

  // MARK: There and back

  static func drillBegin(_ course: Course, _ turn: TurnContext) -> [Event] {
    [.drillMoved(course.id, .there(since: turn.now), at: turn.now)]
  }

  /// The router confirmed what the drill wanted.
  static func drillRouted(_ course: Course, _ drill: Drill, at: Instant) -> [Event] {
    switch drill {
    case .there(let since):
      return [.drillMoved(course.id, .held(there: max(at - since, .zero), since: at), at: at)]
    case .back(let there, let held, let since):
      let report = Drill.Report(
        there: there, held: held, back: max(at - since, .zero), percent: course.drillPercent, counts: nil)
      return [.drillMoved(course.id, .counting(report), at: at)]
    case .held, .counting, .done: return []
    }
  }

  /// The canary had its share long enough. Also in a freeze: the way back goes on.
  static func drillHeld(_ course: Course, _ drill: Drill, _ turn: TurnContext) -> [Event] {
    switch drill {
    case .held(let there, let since):
      let held = max(turn.now - since, .zero)
      return [.drillMoved(course.id, .back(there: there, held: held, since: turn.now), at: turn.now)]
    case .there, .back, .counting, .done: return []
    }
  }

  static func served(_ id: RolloutID, _ counts: RequestCounts?, in state: State, _ turn: TurnContext) -> [Event] {
    guard case .drilling(let course, .counting(let report)) = state.phase, course.id == id else { return [] }
    let counted = Drill.Report(
      there: report.there, held: report.held, back: report.back, percent: report.percent, counts: counts)
    return [.drilled(id, counted, at: turn.now)]
  }
}
