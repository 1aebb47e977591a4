import Kernel

extension Rollout {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let events: [Event]
    switch input {
    case .configure(let policy): events = try configure(policy, in: state, turn)
    case .offer(let offer): events = take(offer, in: state, turn)
    case .sealed(let ordinal, let configuration, let sealed):
      events = start(ordinal, configuration: configuration, sealed: sealed, in: state, turn)
    case .baselineMeasured(let id, let baseline): events = measured(id, baseline, in: state)
    case .ready(let deployment, let digest, let endpoints, let limit):
      events = ready(deployment, digest, endpoints, limit, in: state, turn)
    case .instanceEnded(let deployment, instance: _, let end, let inRow, let at):
      events = ended(deployment, end, inRow, at, in: state, turn)
    case .routed(let routing, let at): events = routed(routing, at: min(at, turn.now), in: state)
    case .judged(let id, let verdict, let checkpoint, let at):
      events = judged(id, verdict, checkpoint, at: min(at, turn.now), in: state, turn)
    case .aftermath(let id, let aftermath): events = collected(id, aftermath, in: state)
    case .woke(let key): events = woke(key, in: state, turn)
    case .retired(let deployment):
      events = state.retiring.contains { $0.id == deployment } ? [.retired(deployment)] : []
    case .announced(let id, let target):
      let waits = state.announcements.contains { $0.id == id && $0.targets.contains(target) }
      events = waits ? [.announced(id: id, target: target)] : []
    case .rollBack(let request): events = try rollBack(request, in: state, turn)
    case .lift(let digest, let reason): events = try lift(digest, reason, in: state)
    case .approve(let approval): events = try approve(approval, in: state, turn)
    case .freeze(let freeze): events = try self.freeze(freeze, in: state, turn)
    case .thaw(let actor, let reason): events = try thaw(actor: actor, reason: reason, in: state, turn)
    case .drill(let actor, let reason): events = try drill(actor: actor, reason: reason, in: state, turn)
    case .served(let id, let counts): events = served(id, counts, in: state, turn)
    case .setFloor(let floor): events = try setFloor(floor, in: state, turn)
    case .budgetLooked(let number, let readings, let at):
      events = budgetLooked(number, readings, at: min(at, turn.now), in: state, turn)
    case .schemaBars(let bars): events = schemaBars(bars, in: state)
    case .unconfigure: events = unconfigure(in: state, turn)
    case .closed(let at): events = closed(at: min(at, turn.now), in: state)
    case .exhausted(let key, let why): events = exhausted(key, clipped(why), in: state, turn)
    }
    // Each consequence leaves its phase or shortens a list; what is held is said last.
    return settled(events, in: state) { after in
      let next = consequences(of: after, turn)
      return next.isEmpty ? versionsHeld(in: after) : next
    }
  }

  // MARK: Consequences

  private static func consequences(of state: State, _ turn: TurnContext) -> [Event] {
    if state.announcements.count > announcementLimit, let oldest = state.announcements.first {
      let why = "more than \(announcementLimit) announcements wait; this one was the oldest"
      return oldest.targets.map { .announcementAbandoned(id: oldest.id, target: $0, why: why) }
    }
    switch state.phase {
    case .idle, .watching, .gated, .finishing, .closing, .closed: return []
    case .sealing(let offer):
      // The override lifts what was condemned when it was given, not what was condemned since.
      return state.condemns(offer.digest) ? [.refusedCondemned(offer)] : []
    case .placing(let course):
      // A drill that has not begun yet gives way to a freeze; one that is there comes back by itself.
      if course.start.kind == .drill, let frozen = state.frozen {
        return [.drillAbandoned(course.id, why: "\(frozen.freeze.actor) froze the place", at: turn.now)]
      }
      if course.start.kind == .drill, let bar = state.bar(of: course.canary) {
        let why = "\(state.databaseWords) would fail \(course.canary.commit.short) by now: \(bar.why.withoutStop)"
        return [.drillAbandoned(course.id, why: why, at: turn.now)]
      }
      if course.start.kind == .rollback, let bar = state.bar(of: course.canary) {
        return turned(course, by: bar, in: state, turn)
      }
      guard course.endpoints != nil, !course.needsBaseline, state.held(course) == nil else { return [] }
      if course.isDrillWanted { return drillBegin(course, turn) }
      return leaving(course, in: state, turn) + [stepEntry(course, 0, turn)]
    case .drilling(let course, .done):
      return state.held(course) == nil ? [stepEntry(course, 0, turn)] : []
    case .drilling: return []
    case .stepping:
      // A step that only adds instances leaves the shares as they are: the router has confirmed them already.
      guard let routed = state.routed else { return [] }
      return [.routed(shares: routed.shares, at: turn.now)]
    case .scaling(let course, let index):
      guard course.readyStep == index, state.held(course) == nil else { return [] }
      return [stepEntry(course, index, turn)]
    case .finalWatch(let course, let since):
      // A rollback's target was judged when it was new; its own watch would only keep the condemned version around.
      guard course.start.kind == .rollback else { return [] }
      return [.stepPassed(course.id, index: course.lastIndex, verdict: nil)] + completed(course, at: since, in: state)
    case .restoring(let course, _):
      let shares = state.wantedShares
      if shares.isEmpty { return [.restored(course.id, to: nil, at: turn.now)] }
      guard let routed = state.routed, routed.shares == shares else { return [] }
      return [.restored(course.id, to: state.knownGood.first?.deployment, at: max(routed.at, decidedAt(state)))]
    case .reporting(let course, let condemnation, let restoredAt):
      guard course.exposedSince == nil else { return [] }
      return [.reported(report(course, condemnation, restoredAt, nil, in: state))]
    }
  }

  private static func decidedAt(_ state: State) -> Instant {
    switch state.phase {
    case .restoring(_, let condemnation), .reporting(_, let condemnation, restoredAt: _): condemnation.decidedAt
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .closing, .closed:
      Instant(milliseconds: 0)
    }
  }

  /// A rollback condemns the version that it leaves in the turn that takes its traffic away, not before: until then it
  /// is the only one that serves.
  private static func leaving(_ course: Course, in state: State, _ turn: TurnContext) -> [Event] {
    guard course.start.kind == .rollback, let left = course.start.knownGood, !state.condemns(left) else { return [] }
    let sentence = course.start.reason ?? "A person rolled it back."
    return [
      .condemned(
        Condemnation(
          rollout: course.id, deployment: left,
          scope: left.digest == course.canary.digest ? .configuration : .digest, cause: .operator, rule: "operator",
          sentence: sentence, conviction: nil, decidedAt: turn.now))
    ]
  }

  // MARK: Policy

  private static func configure(
    _ policy: Policy, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    if let fault = policy.fault { throw Refusal(.malformed, fault) }
    if let old = state.policy, (old.service, old.environment) != (policy.service, policy.environment) {
      throw Refusal(
        .malformed,
        "This stream delivers \(old.service) to \(old.environment), not \(policy.service) to \(policy.environment): "
          + "configure that one.")
    }
    let configured: [Event] = state.policy == policy && !state.isRetired ? [] : [.configured(policy)]
    return configured + budgetLeft(policy, in: state, turn)
  }

  // MARK: Instances

  private static func ready(
    _ deployment: DeploymentID, _ digest: Digest, _ endpoints: Int, _ limit: Int?, in state: State,
    _ turn: TurnContext
  ) -> [Event] {
    if let course = state.live, course.canary.id == deployment {
      guard digest == course.canary.digest else {
        let sentence =
          "The release folder of \(deployment) holds \(digest.short), not \(course.canary.digest.short): "
          + "it runs other bytes than were built."
        return condemn(course, .infrastructure, "other bytes", sentence, in: state, turn)
      }
      // Ready within an earlier limit says nothing of the instances that were added since.
      guard limit == state.limit(of: deployment) else { return [] }
      switch state.phase {
      case .placing: return course.endpoints == nil ? [.placed(course.id, digest: digest, endpoints: endpoints)] : []
      case .scaling(_, let index):
        return course.readyStep < index ? [.scaled(course.id, index: index, endpoints: endpoints)] : []
      case .idle, .sealing, .drilling, .stepping, .watching, .gated, .finalWatch, .finishing, .restoring, .reporting,
        .closing, .closed:
        return []
      }
    }
    if let serving = state.knownGood.first?.deployment, serving.id == deployment {
      let key = Effect.run(serving, limit: nil).key
      if digest == serving.digest { return state.trouble?.key == key ? [.troubleEnded(key)] : [] }
      let why =
        "the known-good version's release folder held \(digest.short), not \(serving.digest.short): someone changed "
        + "it. Instances that ran meanwhile may have read it; if they misbehave, end them and they are started again"
      return troubled(key, why, in: state)
    }
    return []
  }

  private static func ended(
    _ deployment: DeploymentID, _ end: InstanceEnd, _ inRow: Int, _ at: Instant, in state: State, _ turn: TurnContext
  ) -> [Event] {
    let noted = Event.instanceEnded(deployment, end: clipped(end), inRow: inRow, at: min(at, turn.now))
    if let course = state.live, course.canary.id == deployment {
      var crashes = course.crashes
      crashes.note(at: min(at, turn.now), course.instances)
      let ends = crashes.ends
      let isInRow = crashes.counted(inRow: inRow) >= course.policy.crashLimit
      // Starting, or starting more, ends are bounded by nothing but time; the ledger needs no more of them.
      let limit = state.isScaling ? nil : course.endsLimit
      guard isInRow || crashes.counted(course.instances) >= limit ?? .max else {
        return limit == nil && ends > startEndsNoted ? [] : [noted]
      }
      let rule = end == .outOfMemory ? "out of memory" : "crash loop"
      let commit = course.canary.commit.short
      let often =
        isInRow
        ? "An instance of \(commit) ended \(inRow) times in a row"
        : "Instances of \(commit) ended \(ends) times at this step; the last time"
      let shared =
        isInRow
        ? CrashCount.words("one of the old version's", ended: crashes.oldInRow)
        : CrashCount.words("the old version's", ended: crashes.oldEnds)
      let sentence = "\(often)\(isInRow ? ":" : "") \(end.words)\(shared)."
      return [noted] + condemn(course, .infrastructure, rule, sentence, in: state, turn)
    }
    if let course = state.live, course.start.knownGood?.id == deployment,
      course.crashes.oldEnds < CrashCount.mostOldEnds(course.instances, crashLimit: course.policy.crashLimit)
    {
      return [noted]
    }
    // The engine restarts the known-good for ever; the ledger hears of it now and then, not of every end.
    guard let policy = state.policy, state.wantedRuns.contains(where: { $0.id == deployment }), inRow > 0,
      inRow.isMultiple(of: policy.crashLimit)
    else { return [] }
    return [noted]
  }

  // MARK: Condemn and restore

  /// Condemns the canary of a running rollout. The wanted shares follow from the state: known-good has everything.
  static func condemn(
    _ course: Course, _ cause: CauseClass, _ rule: String, _ sentence: String, conviction: Conviction? = nil,
    in state: State, _ turn: TurnContext
  ) -> [Event] {
    let target = state.knownGood(without: { $0.deployment.id == course.canary.id }).first
    let found =
      course.start.kind == .drill
      ? "The drill found that \(course.canary.commit.short) cannot be returned to: \(sentence)" : sentence
    return [
      .condemned(
        Condemnation(
          rollout: course.id, deployment: course.canary,
          scope: target?.deployment.digest == course.canary.digest ? .configuration : .digest, cause: cause,
          rule: rule, sentence: found, conviction: conviction, decidedAt: turn.now))
    ]
  }

  static func report(
    _ course: Course, _ condemnation: Condemnation, _ restoredAt: Instant, _ aftermath: Aftermath?, in state: State
  ) -> RollbackReport {
    RollbackReport(
      condemnation, to: state.knownGood.first?.deployment, restoredAt: restoredAt,
      isDrill: course.start.kind == .drill, aftermath: aftermath)
  }

  private static func collected(_ id: RolloutID, _ aftermath: Aftermath?, in state: State) -> [Event] {
    switch state.phase {
    case .reporting(let course, let condemnation, let restoredAt):
      return course.id == id ? [.reported(report(course, condemnation, restoredAt, aftermath, in: state))] : []
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .restoring, .closing, .closed:
      return []
    }
  }

  // MARK: What the world keeps failing at

  private static func exhausted(
    _ key: EffectKey, _ why: String, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let effect = effects(of: state).first(where: { $0.key == key }) else { return [] }
    switch effect {
    case .measureBaseline(let id, _, slowerThan: _):
      // Without a baseline the absolute rules still judge; waiting for ever would block every newer version.
      return troubled(key, why, in: state) + [.baselineMeasured(id, .none)]
    case .collectAftermath(let order):
      return troubled(key, why, in: state) + collected(order.rollout, nil, in: state)
    case .countServed(let id, _, since: _, slowerThan: _):
      return troubled(key, why, in: state) + served(id, nil, in: state, turn)
    case .announce(let announcement, let target):
      return [.announcementAbandoned(id: announcement.id, target: target, why: why)]
    case .seal, .run, .route, .watch, .wake, .retire, .close, .watchBudget: return troubled(key, why, in: state)
    }
  }

  private static func troubled(_ key: EffectKey, _ why: String, in state: State) -> [Event] {
    state.trouble == Trouble(key: key, why: why) ? [] : [.troubled(key, why: why)]
  }

  private static func clipped(_ text: String) -> String { String(text.prefix(reasonLimit)) }

  private static func clipped(_ end: InstanceEnd) -> InstanceEnd {
    switch end {
    case .failedToStart(let reason): .failedToStart(reason: clipped(reason))
    case .exited, .signalled, .outOfMemory, .neverReady: end
    }
  }
}

extension InstanceEnd {
  /// "exited with code 1", for a sentence.
  package var words: String {
    switch self {
    case .exited(let code): "it exited with code \(code)"
    case .signalled(let number): "it was ended by signal \(number)"
    case .outOfMemory: "it ran out of memory"
    case .neverReady(let afterMs): "it was not ready within \(Span(milliseconds: afterMs).words)"
    case .failedToStart(let reason): "it could not be started (\(reason.prefix(Rollout.reasonLimit)))"
    }
  }
}
