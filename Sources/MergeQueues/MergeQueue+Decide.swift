import Kernel

extension MergeQueue {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    switch (input, state.phase) {
    case (.configure(let policy), .unconfigured), (.configure(let policy), .retired):
      try policy.validate()
      return [.configured(policy)]
    case (.configure(let policy), .awaitingTrunk(let old)), (.configure(let policy), .open(let old, _)):
      return try configure(policy, replacing: old, in: state, turn)

    case (.submit, .unconfigured), (.withdraw, .unconfigured), (.hold, .unconfigured), (.resume, .unconfigured),
      (.report, .unconfigured):
      throw Refusal(.notNow, "This queue is not configured yet; add its branch to plimsoll.yaml and try again.")
    case (.submit, .retired(let policy)), (.withdraw, .retired(let policy)), (.hold, .retired(let policy)),
      (.resume, .retired(let policy)), (.report, .retired(let policy)):
      throw Refusal(
        .notNow,
        "The queue of \(policy.repository)/\(policy.trunk) is closed, because plimsoll.yaml no longer names it; "
          + "add it again and submit the branch then.")
    case (.submit(let submission), .awaitingTrunk(let policy)), (.submit(let submission), .open(let policy, _)):
      return try submit(submission, under: policy, in: state, turn)
    case (.withdraw(let entry, let reason), .awaitingTrunk), (.withdraw(let entry, let reason), .open):
      return try withdraw(entry, reason: reason, in: state, turn)
    case (.hold(let kind, let reason, let by), .awaitingTrunk), (.hold(let kind, let reason, let by), .open):
      return try hold(kind, reason: reason, by: by, in: state, turn)
    case (.resume(let reason, let by), .awaitingTrunk), (.resume(let reason, let by), .open):
      return try resume(reason: reason, by: by, in: state, turn)
    case (.report(let entry, let report), .awaitingTrunk(let policy)),
      (.report(let entry, let report), .open(let policy, _)):
      return try self.report(report, of: entry, under: policy, in: state, turn)

    case (.retire, .awaitingTrunk(let policy)), (.retire, .open(let policy, _)):
      return retire(policy, in: state, turn)
    case (.recall(let services), .open(_, let trunk)):
      return [.recalled(trunk: trunk, services: services, at: turn.now)]

    case (.trunkObserved(let commit), .awaitingTrunk):
      return settled([.trunkMoved(from: nil, to: commit, at: turn.now)], in: state, turn) + recovery(in: state, turn)
    case (.trunkObserved(let commit), .open(_, let trunk)):
      return observeTrunk(at: commit, from: trunk, in: state, turn) + recovery(in: state, turn)
    case (.changeObserved(let entry, let change), .awaitingTrunk(let policy)),
      (.changeObserved(let entry, let change), .open(let policy, _)):
      return observe(change, of: entry, under: policy, in: state, turn)
    case (.surveyed(let entry, let paths), .awaitingTrunk(let policy)),
      (.surveyed(let entry, let paths), .open(let policy, _)):
      // What is reported outlives a look at the paths, which knows of barriers only.
      let reported = state.entry(entry)?.targets
      return survey(policy.lanes.lanes(of: paths, reported: reported), of: entry, in: state, turn)
    case (.ticked, .open(let policy, _)):
      return tick(policy, in: state, turn)
    case (.schemaReviewed(let entry, let head, let place, let review), .awaitingTrunk(let policy)),
      (.schemaReviewed(let entry, let head, let place, let review), .open(let policy, _)):
      return reviewed(entry, at: head, by: place, review, under: policy, in: state, turn)
    case (.runnerObserved(let health), .awaitingTrunk), (.runnerObserved(let health), .open):
      return observe(health, in: state, turn)
    case (.traced(let old, let new, let how, let paths), .open(let policy, _)):
      return traced(from: old, to: new, how, paths, under: policy, in: state, turn)
    case (.commented(let note), .awaitingTrunk), (.commented(let note), .open):
      return commented(note, in: state, turn)

    case (.planned(let plan, let version), .open(let policy, _)):
      return planned(plan, version: version, under: policy, in: state, turn)
    case (.prepared(let entry, let base, let outcome, let recipe), .open):
      return prepared(entry, on: base, outcome, recipe: recipe, in: state, turn)
    case (.tested(let build, let run, let commit, let report), .open):
      return tested(build, run: run, commit, report, in: state, turn)
    case (.landed(_, let commit), .open(_, let trunk)):
      return landed(commit, trunk: trunk, in: state, turn)
    case (.landingRefused(_, let commit, let actual), .open(_, let trunk)):
      guard state.push?.tip == commit else { return [] }
      return observeTrunk(at: actual, from: trunk, in: state, turn)

    case (.exhausted(let key, let why), .awaitingTrunk), (.exhausted(let key, let why), .open):
      return exhausted(key, why: why, in: state, turn)

    // The first sight of the trunk is an event of its own, which reaches every service.
    case (.recall, .unconfigured), (.recall, .awaitingTrunk), (.recall, .retired):
      return []
    // Nothing that observes these is wanted in these phases: they are of another time.
    case (.retire, .unconfigured), (.retire, .retired),
      (.trunkObserved, .unconfigured), (.trunkObserved, .retired), (.exhausted, .unconfigured), (.exhausted, .retired),
      (.changeObserved, .unconfigured), (.changeObserved, .retired), (.surveyed, .unconfigured),
      (.surveyed, .retired), (.ticked, .unconfigured), (.ticked, .awaitingTrunk), (.ticked, .retired),
      (.schemaReviewed, .unconfigured), (.schemaReviewed, .retired),
      (.runnerObserved, .unconfigured), (.runnerObserved, .retired), (.traced, .unconfigured),
      (.traced, .awaitingTrunk), (.traced, .retired), (.commented, .unconfigured), (.commented, .retired),
      (.planned, .unconfigured), (.planned, .awaitingTrunk), (.planned, .retired),
      (.prepared, .unconfigured), (.prepared, .awaitingTrunk), (.prepared, .retired), (.tested, .unconfigured),
      (.tested, .awaitingTrunk), (.tested, .retired), (.landed, .unconfigured), (.landed, .awaitingTrunk),
      (.landed, .retired), (.landingRefused, .unconfigured), (.landingRefused, .awaitingTrunk),
      (.landingRefused, .retired):
      return []
    }
  }
}

// MARK: - What the world shows

extension MergeQueue {
  /// Nobody is left waiting for a queue that does nothing. What is being pushed may have reached the trunk all the same:
  /// its sentence says so.
  private static func retire(_ policy: Policy, in state: State, _ turn: TurnContext) -> [Event] {
    let pushing = state.push?.members ?? []
    return [.retired(at: turn.now)]
      + state.entries.map { entry in
        .ejected(entry.ejectionByRetirement(of: policy, isPushed: pushing.contains(entry.id), at: turn.now))
      }
  }

  private static func observeTrunk(
    at commit: CommitID, from trunk: CommitID, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard commit != trunk else {
      return state.sighted == nil ? [] : [.trunkSighted(to: trunk, at: turn.now)]
    }
    // The push succeeded and its reply was lost, also when the push was given up since.
    for push in (state.push.map { [$0] } ?? []) + state.tried where push.tip == commit {
      if let landings = landings(of: push, in: state, turn) {
        let isBack: [Event] = state.sighted == nil ? [] : [.trunkSighted(to: commit, at: turn.now)]
        return settled(landings + isBack, in: state, turn)
      }
    }
    return overtaken(by: commit, from: trunk, in: state, turn)
  }

  /// Nil when one of its members has left since.
  private static func landings(of push: Push, in state: State, _ turn: TurnContext) -> [Event]? {
    var events: [Event] = []
    for step in push.steps {
      guard let entry = state.entries[id: step.entry] else { return nil }
      events.append(
        .landed(Landing(of: entry, step, build: push.build, isTip: step.commit == push.tip, at: turn.now)))
    }
    return events.isEmpty ? nil : events
  }

  private static func recovery(in state: State, _ turn: TurnContext) -> [Event] {
    let key = Effect.watchKey
    return state.troubles.contains { $0.key == key } ? [.recovered(key: key, at: turn.now)] : []
  }

  private static func observe(
    _ change: ChangeState, of id: Int, under policy: Policy, in state: State, _ turn: TurnContext
  ) -> [Event] {
    // What is being pushed lands as it is; the next round sees what is left.
    guard let entry = state.entry(id), entry.facts.branch == change.branch, !isLanding(id, in: state) else { return [] }
    switch change.drift(from: entry.facts.head, for: policy.trunk) {
    case .edited(let head)?:
      return settled(replacing(entry, by: head, in: state, turn), in: state, turn)
    case let drift?:
      let reason = oneLine("\(change.branch) \(drift.sentence)")
      return settled([withdrawal(of: entry, reason: reason, at: turn.now)], in: state, turn)
    case nil:
      // Plain git, which knows of no target, knows no approvals and checks either and takes none away.
      guard change.target != nil || !change.approvals.isEmpty || !change.checks.isEmpty else { return [] }
      let approvals = Array(change.approvals.prefix(reportLimit))
      let checks = Array(change.checks.suffix(reportLimit))
      guard (approvals, checks) != (entry.approvals, entry.checks) else { return [] }
      return settled(
        [.reported(entry: id, approvals: approvals, checks: checks, at: turn.now)], in: state, turn)
    }
  }

  /// A new head is a new change: it goes to the end of the line.
  private static func replacing(
    _ old: Entry, by head: CommitID, in state: State, _ turn: TurnContext
  ) -> [Event] {
    let reason = "replaced by #\(state.nextEntry), which is \(old.facts.branch) at \(head.short)"
    return [
      withdrawal(of: old, reason: reason, at: turn.now),
      .submitted(
        EntryFacts(
          id: state.nextEntry, branch: old.facts.branch, head: head, author: old.facts.author, title: old.facts.title,
          submittedAt: turn.now, priority: old.priority, team: old.facts.team,
          after: old.facts.after.filter { state.entries.contains($0) })),
    ]
  }

  static func survey(_ lanes: Lanes, of id: Int, in state: State, _ turn: TurnContext) -> [Event] {
    guard let entry = state.entry(id), entry.lanes != lanes || state.unsurveyed.contains(id) else { return [] }
    return settled([.surveyed(entry: id, lanes: lanes, at: turn.now)], in: state, turn)
  }

  private static func tick(_ policy: Policy, in state: State, _ turn: TurnContext) -> [Event] {
    var events: [Event] = []
    if let longest = policy.longestWait {
      var reasons: WaitReasons?
      for entry in state.entries where turn.now - entry.submittedAt > longest.span {
        guard !isLanding(entry.id, in: state) else { continue }
        if events.count == overdueBurst { break }
        if longest.ejects {
          let known = reasons ?? WaitReasons(in: state)
          reasons = known
          let why = known.reason(of: entry)
          events.append(.ejected(entry.ejectionByWaiting(longest.span, reason: why, at: turn.now)))
        } else if !entry.isOverdue {
          events.append(.overdue(entry: entry.id, since: entry.facts.submittedAt, at: turn.now))
        }
      }
    }
    let moves = settled(events, in: state, turn)
    // What moves is looked at by the next tick.
    return moves.isEmpty ? notes(in: state, at: turn.now) : moves
  }

  private static func exhausted(
    _ key: EffectKey, why: String, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let effect = effects(of: state).first(where: { $0.key == key }) else { return [] }
    let why = oneLine(why)
    switch effect {
    case .comment(let note, _): return [.noteAbandoned(note, why: why, at: turn.now)]
    case .trace: return untraceable(in: state, turn)
    case .watchTrunk, .watchChanges, .watchClock, .watchRunner, .plan, .survey, .prepare, .test, .land: break
    }
    guard !state.troubles.contains(where: { $0.key == key && $0.why == why }) else { return [] }
    return [.troubled(entry: state.entry(servedBy: effect), key: key, why: why, at: turn.now)]
  }
}

// MARK: - What builds bring

extension MergeQueue {
  private static func prepared(
    _ id: Int, on base: CommitID, _ outcome: CandidateOutcome, recipe: Int, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard recipe == state.recipe,
      let build = state.builds.first(where: { $0.nextStep.map { $0 == (id, base) } ?? false })
    else { return [] }
    // A commit holds all that it was merged onto: every build that waits for this step has the same members ahead.
    let assumed = Array(build.members.prefix(build.steps.count))
    let event: Event
    switch outcome {
    case .prepared(let commit, let tree):
      event = .prepared(entry: id, base: base, assumed: assumed, commit: commit, tree: tree, at: turn.now)
    case .conflicted(let paths, let detail):
      event = .conflicted(
        entry: id, base: base, assumed: assumed, paths: paths.prefix(pathLimit).map { String($0.prefix(reasonLimit)) },
        detail: oneLine(detail), at: turn.now)
    case .alreadyContained:
      event = .contained(entry: id, base: base, assumed: assumed, at: turn.now)
    }
    return settled([event], in: state, turn)
  }

  private static func tested(
    _ id: Int, run: Int, _ commit: CommitID, _ report: TestReport, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard report.recipe == state.recipe, let build = state.build(id), build.isRunning, build.attempts == run,
      build.subject?.commit == commit
    else { return [] }
    // Says nothing of the change; the run is still wanted, so it starts again.
    if report.end == .cancelled { return [] }
    let summary = report.summary.isEmpty ? "" : ": \(report.summary)"
    // The runner's clock may be ahead of ours: no run ends after the turn that hears of it, or before it began.
    let endedAt = min(report.endedAt, turn.now)
    let ended = Run(
      number: run, end: report.end, reason: oneLine(words(for: report.end) + summary), log: report.log,
      startedAt: min(report.startedAt, endedAt), endedAt: endedAt)
    var events = [Event.runEnded(build: id, ended, at: turn.now)]
    if ended.isGreen, build.redRuns > 0 {
      events.append(
        .flakeFound(
          Event.Flake(red: id, redRuns: build.redRuns, members: build.members, green: id, at: turn.now)))
    }
    return settled(events, in: state, turn)
  }

  private static func landed(
    _ commit: CommitID, trunk: CommitID, in state: State, _ turn: TurnContext
  ) -> [Event] {
    if let push = state.push, push.tip == commit, let landings = landings(of: push, in: state, turn) {
      return settled(landings, in: state, turn)
    }
    guard let push = state.tried.first(where: { $0.tip == commit }),
      let landings = landings(of: push, in: state, turn)
    else { return [] }
    // The reply came after someone had pushed on: the trunk is told to have been there, and to have moved since.
    let moved = Event.trunkMoved(from: commit, to: trunk, at: turn.now)
    return settled(landings + (trunk == commit ? [] : [moved]), in: state, turn)
  }
}

// MARK: - Shared

extension MergeQueue {
  static func withdrawal(of entry: Entry, reason: String, at: Instant) -> Event {
    .withdrawn(entry: entry.id, reason: reason, at: at, stay: Stay(of: entry, at: at))
  }

  /// A push under way cannot be called back.
  static func isLanding(_ id: Int, in state: State) -> Bool { state.push?.members.contains(id) ?? false }
}
