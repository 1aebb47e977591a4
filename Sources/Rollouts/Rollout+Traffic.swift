import Kernel

/// Shares, verdicts and time: what moves a running rollout on.
extension Rollout {
  static func routed(_ shares: [TrafficShare], at: Instant, in state: State) -> [Event] {
    let sorted = shares.sorted()
    guard !sorted.isEmpty, sorted == state.wantedShares else { return [] }
    switch state.phase {
    case .stepping, .restoring: return [.routed(shares: sorted, at: at)]
    case .idle, .sealing, .placing, .watching, .finalWatch, .reporting, .closing, .closed:
      return state.routed == nil ? [.routed(shares: sorted, at: at)] : []
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
    case .idle, .sealing, .placing, .stepping, .restoring, .reporting, .closing, .closed: return note
    case .watching(_, let index, let since):
      guard passes(verdict, after: at - since, minimum: course.policy.stepMinimum, course.policy.scarcity) else {
        return note
      }
      return note + [.stepPassed(id, index: index, verdict: verdict), stepEntry(course, index + 1, turn)]
    case .finalWatch(_, let since):
      guard passes(verdict, after: at - since, minimum: course.policy.finalWatch, course.policy.scarcity) else {
        return note
      }
      return note + completed(course, verdict: verdict, at: turn.now, in: state)
    }
  }

  /// No evidence never makes a version bad; whether it may go on without is the policy's choice. A broken source is
  /// neither: nothing moves until it is sound again.
  static func passes(_ verdict: Verdict, after elapsed: Span, minimum: Span, _ scarce: WhenScarce) -> Bool {
    switch verdict {
    case .good: return elapsed >= minimum
    case .bad, .sourceBroken: return false
    case .notEnoughEvidence:
      switch scarce {
      case .hold: return false
      case .advance(let after): return elapsed >= max(minimum, after)
      }
    }
  }

  static func woke(_ key: EffectKey, in state: State, _ turn: TurnContext) -> [Event] {
    guard let timer = state.timer, timer.key == key, turn.now >= timer.at else { return [] }
    switch state.phase {
    case .idle, .sealing, .stepping, .restoring, .reporting, .closing, .closed: return []
    case .placing(let course):
      // The world was not watched until the limit: a version that became ready meanwhile gets to say so.
      if turn.now - timer.at > lateWake {
        return [.startExtended(course.id, until: turn.now + course.policy.startLimit)]
      }
      let sentence =
        "\(course.canary.commit.short) was not ready within \(course.policy.startLimit.words) of its start: "
        + "see its readiness path and its output."
      return condemn(course, .infrastructure, "failed readiness", sentence, in: state, turn)
    case .watching(let course, let index, since: _):
      return [.stepPassed(course.id, index: index, verdict: nil), stepEntry(course, index + 1, turn)]
    case .finalWatch(let course, since: _):
      return completed(course, verdict: nil, at: turn.now, in: state)
    }
  }

  static func completed(_ course: Course, verdict: Verdict?, at: Instant, in state: State) -> [Event] {
    let passed: [Event] = [
      .stepPassed(course.id, index: course.start.steps.count - 1, verdict: verdict),
      .completed(course.id, deployment: course.canary, at: at),
    ]
    guard course.start.kind == .rollback, let left = course.start.knownGood,
      let entry = state.condemned.last(where: { $0.rollout == course.id && $0.covers(left) })
    else { return passed }
    return passed + [
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
