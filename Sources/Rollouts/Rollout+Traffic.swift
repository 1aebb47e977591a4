import Kernel

/// Shares, verdicts and time: what moves a running rollout on.
extension Rollout {
  static func routed(_ routing: Routing, at: Instant, in state: State) -> [Event] {
    let shares = state.wantedShares
    guard !shares.isEmpty, routing == Routing(shares, state.wantedPreview, number: state.routings) else { return [] }
    let routed = Event.routed(shares: shares, at: at)
    switch state.phase {
    case .stepping, .restoring: return [routed]
    case .drilling(let course, let drill):
      return (state.routed == nil ? [routed] : []) + drillRouted(course, drill, at: at)
    case .finishing(let course): return [routed] + completed(course, at: at, in: state)
    case .idle, .sealing, .placing, .scaling, .watching, .gated, .finalWatch, .reporting, .closing, .closed:
      return state.routed == nil ? [routed] : []
    }
  }

  static func stepEntry(_ course: Course, _ index: Int, _ turn: TurnContext) -> Event {
    .stepEntered(course.id, index: index, percent: course.percent(at: index), at: turn.now)
  }

  static func judged(
    _ id: RolloutID, _ verdict: Verdict, _ checkpoint: JudgeCheckpoint, at: Instant, in state: State,
    _ turn: TurnContext
  ) -> [Event] {
    guard let course = state.live, course.id == id, course.isJudged, course.exposedSince != nil else { return [] }
    if case .bad(let conviction) = verdict {
      return [.evidenceNoted(id, verdict: verdict, checkpoint: checkpoint, at: at)]
        + condemn(
          course, CauseClass(conviction.rule), conviction.rule.rawValue, conviction.sentence,
          conviction: conviction, in: state, turn)
    }
    let isDue = course.note.map { at - $0.at >= noteInterval || !$0.verdict.isSameKind(as: verdict) } ?? true
    let note: [Event] = isDue ? [.evidenceNoted(id, verdict: verdict, checkpoint: checkpoint, at: at)] : []
    switch state.phase {
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .finishing, .restoring, .reporting, .closing,
      .closed:
      return note
    case .gated(_, _, .approval, since: _): return note
    case .gated(_, let index, .evidence, since: _):
      // The time at this step was up when a person was asked.
      guard state.held(course) == nil, isGood(verdict, course, index) else { return note }
      return note + good(course, index, verdict: verdict, in: state, turn)
    case .watching(_, let index, let since):
      return note + judged(verdict, course, index, after: at - since, in: state, turn)
    case .finalWatch(_, let since):
      return note + judged(verdict, course, course.lastIndex, after: at - since, in: state, turn)
    }
  }

  private static func judged(
    _ verdict: Verdict, _ course: Course, _ index: Int, after elapsed: Span, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard course.isJudged(at: index), state.held(course) == nil, passes(verdict, course, index, after: elapsed)
    else { return [] }
    return good(course, index, verdict: verdict, in: state, turn)
  }

  /// No evidence never makes a version bad; whether it may go on without is the policy's choice. A broken source is
  /// neither: nothing moves until it is sound again.
  private static func passes(_ verdict: Verdict, _ course: Course, _ index: Int, after elapsed: Span) -> Bool {
    let minimum = course.minimum(at: index)
    if isGood(verdict, course, index) { return elapsed >= minimum }
    switch verdict {
    case .bad, .sourceBroken: return false
    case .good, .notEnoughEvidence:
      switch course.policy.scarcity {
      case .hold, .ask: return false
      case .advance(let after): return elapsed >= max(minimum, after)
      }
    }
  }

  /// Whether a good verdict is good enough for what the step is to detect.
  private static func isGood(_ verdict: Verdict, _ course: Course, _ index: Int) -> Bool {
    guard case .good(let power) = verdict else { return false }
    return course.scarcity(of: power, at: index) == nil
  }

  static func woke(_ key: EffectKey, in state: State, _ turn: TurnContext) -> [Event] {
    if key == state.frozen?.timer?.key { return freezeEnded(key, in: state, turn) }
    guard let timer = state.timer, timer.key == key, turn.now >= timer.at else { return [] }
    switch state.phase {
    case .idle, .sealing, .stepping, .gated, .finishing, .restoring, .reporting, .closing, .closed: return []
    case .drilling(let course, let drill): return drillHeld(course, drill, turn)
    case .placing(let course): return late(course, "of its start", timer, in: state, turn)
    case .scaling(let course, let index):
      return late(course, "with the instances of step \(index + 1)", timer, in: state, turn)
    case .watching(let course, let index, since: _): return timeUp(course, index, in: state, turn)
    case .finalWatch(let course, since: _): return timeUp(course, course.lastIndex, in: state, turn)
    }
  }

  private static func late(
    _ course: Course, _ what: String, _ timer: RolloutTimer, in state: State, _ turn: TurnContext
  ) -> [Event] {
    // The world was not watched until the limit: a version that became ready meanwhile gets to say so.
    if turn.now - timer.at > lateWake {
      return [.startExtended(course.id, until: turn.now + course.policy.startLimit)]
    }
    let sentence =
      "\(course.canary.commit.short) was not ready within \(course.policy.startLimit.words) \(what): "
      + "see its readiness path and its output."
    return condemn(course, .infrastructure, "failed readiness", sentence, in: state, turn)
  }

  private static func timeUp(_ course: Course, _ index: Int, in state: State, _ turn: TurnContext) -> [Event] {
    course.isJudged(at: index)
      ? asked(course, index, turn) : good(course, index, verdict: nil, in: state, turn)
  }

  static func completed(_ course: Course, at: Instant, in state: State) -> [Event] {
    let completed: [Event] = [.completed(course.id, deployment: course.canary, at: at)]
    guard course.start.kind == .rollback, let left = course.start.knownGood,
      let entry = state.condemned.last(where: { $0.rollout == course.id && $0.covers(left) })
    else { return completed }
    return completed + [
      .restored(course.id, to: course.canary, at: at),
      .reported(
        RollbackReport(
          rollout: course.id, condemned: left, to: course.canary, cause: entry.cause, sentence: entry.sentence,
          firstBadAt: nil, detectedAt: entry.at, decidedAt: entry.at, lastBadAt: nil, restoredAt: at,
          requestsHurt: 0, clientMinutesHurt: 0, evidence: nil)),
    ]
  }
}

extension Verdict {
  /// Whether both are the same of the four, whatever their numbers.
  func isSameKind(as other: Verdict) -> Bool {
    switch (self, other) {
    case (.good, .good), (.bad, .bad), (.notEnoughEvidence, .notEnoughEvidence), (.sourceBroken, .sourceBroken): true
    case (.good, _), (.bad, _), (.notEnoughEvidence, _), (.sourceBroken, _): false
    }
  }
}
