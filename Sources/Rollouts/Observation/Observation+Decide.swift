import Kernel

extension Observation {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    switch input {
    case .configure(let policy):
      if let fault = policy.fault { throw Refusal(.malformed, fault) }
      return policy == state.policy && state.phase != .closed ? [] : [.configured(policy)]
    case .unconfigure:
      guard state.policy != nil, state.phase != .closed else { return [] }
      return [.unconfigured(abandoned: state.watch?.id, at: turn.now)]
    case .seen(let sighting): return seen(sighting, in: state)
    case .tell(let telling): return try told(telling, in: state, turn)
    case .judged(let id, let verdict, let checkpoint, let at): return judged(id, verdict, checkpoint, at, in: state)
    case .woke(let key):
      guard let watch = state.watch, key == wakeKey(watch.id), turn.now >= watch.endsAt else { return [] }
      // Evidence would have settled it: what was noted last is no verdict on the whole bake.
      let silence = Judgement.couldNotTell(why: "No evidence came when the bake ended.")
      let judgement = watch.conviction.map(Judgement.wouldHaveRolledBack) ?? silence
      return [settle(watch, judgement, .kept, serving: watch.deployed.version, at: turn.now)]
    case .correct(let correction): return try correct(correction, in: state, turn)
    case .announced(let id, let target):
      return state.announcements.contains { $0.id == id && $0.targets.contains(target) }
        ? [.announced(id: id, target: target)] : []
    case .exhausted(let key, let why):
      return state.announcements.flatMap { waiting in
        waiting.targets.filter { announceKey(waiting.id, $0) == key }.map {
          .announcementAbandoned(id: waiting.id, target: $0, why: String(why.prefix(reasonLimit)))
        }
      }
    }
  }

  // MARK: Versions

  /// - Invariant: a version is gone only after it was there. One that was told and does not show yet is not.
  private static func seen(_ sighting: VersionSighting, in state: State) -> [Event] {
    let now = sighting.versions
    // No version at all is silence, not an absence.
    guard let most = now.first else { return [] }
    let change: [Event] =
      now.sorted() == state.present ? [] : [.versionsSeen(now.sorted(), at: sighting.at)]
    let new = now.filter { !state.present.contains($0) }
    func isGone(_ version: ObservedVersion) -> Bool { state.present.contains(version) && !now.contains(version) }
    func left(_ version: ObservedVersion) -> Instant {
      sighting.gone.first { $0.version == version }?.lastSeenAt ?? sighting.at
    }
    switch state.phase {
    case .closed: return []
    case .unseen: return change + [.found(most, at: sighting.at)]
    case .serving(let serving, since: _):
      // Beside its successor the version before is the team going back, and it is back when the successor is gone.
      let last = state.records.first.flatMap { $0.deployed.version == serving ? $0.deployed : nil }
      if isGone(serving), let last, now.contains(last.previous) {
        return change + [.wentBack(last.id, to: last.previous, source: .label, at: left(serving))]
      }
      if let next = new.first(where: { $0 != serving && $0 != last?.previous }) {
        return change + [begin(next, after: serving, at: sighting.at, .label, in: state)]
      }
      return isGone(serving) ? change + [.found(most, at: sighting.at)] : change
    case .watching(let watch):
      let deployed = watch.deployed
      if let next = new.first(where: { $0 != deployed.version && $0 != deployed.previous }) {
        let before = now.contains(deployed.previous) ? deployed.previous : deployed.version
        return change + replace(watch, by: next, after: before, at: sighting.at, .label, in: state)
      }
      guard isGone(deployed.version) else { return change }
      if now.contains(deployed.previous) {
        return change + goBack(watch, .label, at: max(left(deployed.version), deployed.at))
      }
      let replaced = TeamAct.replaced(by: most, at: sighting.at)
      return change + [settle(watch, judgement(of: watch), replaced, serving: most, at: sighting.at)]
    }
  }

  private static func told(_ telling: Telling, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    guard let policy = state.policy, state.phase != .closed else {
      throw Refusal(.notNow, "Nothing is observed here: add the place to 'observe' in plimsoll.yaml and restart.")
    }
    let place = "\(policy.service) in \(policy.environment)"
    let at = min(telling.at ?? turn.now, turn.now)
    if let told = telling.at, told > turn.now + clockSkew {
      throw Refusal(.malformed, "\(place) cannot have been deployed in the future: give a time of the past, or none.")
    }
    guard turn.now - at <= oldestTelling else {
      throw Refusal(
        .malformed,
        "What \(place) served more than \(Int(oldestTelling.seconds / 60)) minutes ago is not remembered: tell a "
          + "deployment when it is made.")
    }
    switch state.phase {
    case .unseen, .closed: return [.found(telling.version, at: at)]
    case .serving(let serving, since: let since):
      guard telling.version != serving else { return [] }
      try inOrder(at, after: since, place)
      if let last = state.records.first?.deployed, last.version == serving, last.previous == telling.version {
        return [.wentBack(last.id, to: telling.version, source: telling.source, at: at)]
      }
      return [begin(telling.version, after: serving, at: at, telling.source, in: state)]
    case .watching(let watch):
      guard telling.version != watch.deployed.version else { return [] }
      try inOrder(at, after: watch.deployed.at, place)
      if telling.version == watch.deployed.previous { return goBack(watch, telling.source, at: at) }
      return replace(
        watch, by: telling.version, after: watch.deployed.version, at: at, telling.source, in: state)
    }
  }

  private static func inOrder(_ at: Instant, after last: Instant, _ place: String) throws(Refusal) {
    guard at >= last else {
      throw Refusal(
        .notNow, "Something newer is known of \(place) than that: tell deployments in their order, or correct the team."
      )
    }
  }

  private static func begin(
    _ version: ObservedVersion, after previous: ObservedVersion, at: Instant, _ source: Source, in state: State
  ) -> Event {
    .deployed(Deployed(id: state.nextDeployment, version: version, previous: previous, at: at, source: source))
  }

  private static func replace(
    _ watch: Watch, by version: ObservedVersion, after previous: ObservedVersion, at: Instant, _ source: Source,
    in state: State
  ) -> [Event] {
    [
      settle(watch, judgement(of: watch), .replaced(by: version, at: at), serving: previous, at: at),
      begin(version, after: previous, at: at, source, in: state),
    ]
  }

  private static func goBack(_ watch: Watch, _ source: Source, at: Instant) -> [Event] {
    let previous = watch.deployed.previous
    return [
      .wentBack(watch.id, to: previous, source: source, at: at),
      settle(watch, judgement(of: watch), .rolledBack(at: at), serving: previous, at: at),
    ]
  }

  // MARK: Verdicts

  private static func judged(
    _ id: ObservedID, _ verdict: Verdict, _ checkpoint: JudgeCheckpoint, _ at: Instant, in state: State
  ) -> [Event] {
    guard let watch = state.watch, watch.id == id, watch.note.map({ at > $0.at }) ?? true else { return [] }
    var events: [Event] = []
    let isDue = watch.note.map { at - $0.at >= noteInterval || !$0.verdict.isSameKind(as: verdict) } ?? true
    if isDue { events.append(.evidenceNoted(id, verdict: verdict, checkpoint: checkpoint, at: at)) }
    var latest = watch
    latest.note = EvidenceNote(verdict: verdict, checkpoint: checkpoint, at: at)
    if case .bad(let conviction) = verdict, watch.conviction == nil {
      latest.conviction = conviction
      if state.announcements.count >= announcementLimit, let oldest = state.announcements.first {
        let why = "more than \(announcementLimit) announcements wait; this one was the oldest"
        events += oldest.targets.map { .announcementAbandoned(id: oldest.id, target: $0, why: why) }
      }
      events.append(.wouldHaveRolledBack(id, conviction))
    }
    if at >= watch.endsAt {
      events.append(settle(latest, judgement(of: latest), .kept, serving: watch.deployed.version, at: at))
    }
    return events
  }

  private static func settle(
    _ watch: Watch, _ judgement: Judgement, _ team: TeamAct, serving: ObservedVersion, at: Instant
  ) -> Event {
    .settled(Settlement(deployment: watch.id, judgement: judgement, team: team, serving: serving, at: at))
  }

  private static func judgement(of watch: Watch) -> Judgement {
    if let conviction = watch.conviction { return .wouldHaveRolledBack(conviction) }
    switch watch.note?.verdict {
    case .good(let power): return .wouldHaveKept(power)
    case .bad(let conviction): return .wouldHaveRolledBack(conviction)
    case .notEnoughEvidence(let scarcity): return .couldNotTell(why: scarcity.sentence)
    case .sourceBroken(let reason): return .couldNotTell(why: "The evidence could not be believed: \(reason).")
    case nil: return .couldNotTell(why: "No evidence came.")
    }
  }

  // MARK: Corrections

  private static func correct(
    _ correction: Correction, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard correction.reason.count <= reasonLimit, !correction.reason.contains(where: \.isNewline) else {
      throw Refusal(.malformed, "A reason is one line of at most \(reasonLimit) characters: shorten it.")
    }
    if let watch = state.watch, correction.deployment.map({ $0 == watch.id }) ?? true {
      switch correction.did {
      case .rolledBack(let at):
        let at = min(max(at ?? turn.now, watch.deployed.at), turn.now)
        return goBack(watch, .person, at: at)
      case .kept:
        throw Refusal(
          .notNow, "Deployment \(watch.id) is still being judged and counts as kept when its bake ends: wait for that.")
      }
    }
    guard let id = correction.deployment ?? state.records.first?.deployed.id else {
      throw Refusal(.notNow, "No deployment was judged here yet, so there is nothing to correct.")
    }
    guard let record = state.records.first(where: { $0.deployed.id == id }) else {
      let known = state.records.prefix(5).map { "\($0.deployed.id)" }.joined(separator: ", ")
      throw Refusal(
        .unknown,
        "Deployment \(id) has no outcome here: " + (known.isEmpty ? "there is none yet." : "newest are \(known)."))
    }
    let act: TeamAct
    switch correction.did {
    case .kept: act = .kept
    case .rolledBack(let at):
      let at = min(max(at ?? record.settledAt, record.deployed.at), turn.now)
      // Where no page shows it, this is also how it is known who serves now.
      let deployed = record.deployed
      if state.policy?.versions == .reported, id == state.records.first?.deployed.id, state.serving == deployed.version
      {
        return [.wentBack(id, to: deployed.previous, source: .person, at: at)]
      }
      act = .rolledBack(at: at)
    }
    return act == record.team ? [] : [.corrected(id, act, by: correction, at: turn.now)]
  }
}
