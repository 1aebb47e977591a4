import Kernel

extension MergeQueue {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    switch (input, state.phase) {
    case (.configure(let policy), .unconfigured), (.configure(let policy), .retired):
      try policy.validate()
      return [.configured(policy)]
    case (.configure(let policy), .awaitingTrunk(let old)), (.configure(let policy), .open(let old, _)):
      return try configure(policy, replacing: old, in: state, turn)

    case (.submit, .unconfigured), (.withdraw, .unconfigured):
      throw Refusal(.notNow, "This queue is not configured yet; add its branch to plimsoll.yaml and try again.")
    case (.submit, .retired(let policy)), (.withdraw, .retired(let policy)):
      throw Refusal(
        .notNow,
        "The queue of \(policy.repository)/\(policy.trunk) is closed, because plimsoll.yaml no longer names it; "
          + "add it again and submit the branch then.")
    case (.submit(let submission), .awaitingTrunk(let policy)), (.submit(let submission), .open(let policy, _)):
      return try submit(submission, under: policy, in: state, turn)
    case (.withdraw(let entry, let reason), .awaitingTrunk), (.withdraw(let entry, let reason), .open):
      return try withdraw(entry, reason: reason, in: state, turn)

    case (.retire, .awaitingTrunk(let policy)), (.retire, .open(let policy, _)):
      return retire(policy, in: state, turn)
    case (.recall(let services), .open(_, let trunk)):
      return services.isEmpty ? [] : [.recalled(trunk: trunk, services: services, at: turn.now)]

    case (.trunkObserved(let commit), .awaitingTrunk):
      return [.trunkMoved(from: nil, to: commit, at: turn.now)] + recovery(in: state, turn)
    case (.trunkObserved(let commit), .open(_, let trunk)):
      return observeTrunk(at: commit, from: trunk, in: state, turn) + recovery(in: state, turn)

    case (.prepared(let entry, let base, let outcome, let recipe), .open):
      return prepared(entry, on: base, outcome, recipe: recipe, in: state, turn)
    case (.tested(let entry, let commit, let report), .open):
      return tested(entry, commit, report, in: state, turn)
    case (.landed(let entry, let commit), .open(_, let trunk)):
      return landed(entry, commit, trunk: trunk, in: state, turn)
    case (.landingRefused(let entry, let commit, let actual), .open(_, let trunk)):
      guard state.landing?.entry.id == entry, state.landing?.passed.candidate.commit == commit else { return [] }
      return observeTrunk(at: actual, from: trunk, in: state, turn)

    case (.exhausted(let key, let why), .awaitingTrunk), (.exhausted(let key, let why), .open):
      return exhausted(key, why: why, in: state, turn)

    // The first sight of the trunk is an event of its own, which reaches every service.
    case (.recall, .unconfigured), (.recall, .awaitingTrunk), (.recall, .retired):
      return []
    // Nothing that observes these is wanted in these phases: they are of another time.
    case (.retire, .unconfigured), (.retire, .retired),
      (.trunkObserved, .unconfigured), (.trunkObserved, .retired), (.exhausted, .unconfigured), (.exhausted, .retired),
      (.prepared, .unconfigured), (.prepared, .awaitingTrunk), (.prepared, .retired), (.tested, .unconfigured),
      (.tested, .awaitingTrunk), (.tested, .retired), (.landed, .unconfigured), (.landed, .awaitingTrunk),
      (.landed, .retired), (.landingRefused, .unconfigured), (.landingRefused, .awaitingTrunk),
      (.landingRefused, .retired):
      return []
    }
  }
}

// MARK: - Requests

extension MergeQueue {
  private static func configure(
    _ policy: Policy, replacing old: Policy, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard policy != old else { return [] }
    try policy.validate()
    guard policy.repository == old.repository, policy.trunk == old.trunk else {
      throw Refusal(
        .malformed,
        "This is the queue of \(old.repository)/\(old.trunk), not of \(policy.repository)/\(policy.trunk); "
          + "each branch has a queue of its own.")
    }
    var causes = [Event.configured(policy)]
    if !policy.hasRecipe(of: old) {
      // What is being pushed stays: the push cannot be called back, and its own test passed.
      for entry in state.entries where entry.base != nil && entry.id != state.landing?.entry.id {
        causes.append(
          .candidateDropped(
            entry: entry.id, commit: entry.candidate?.commit, because: .recipeChanged, at: turn.now))
      }
    }
    return settled(causes, in: state, because: .recipeChanged, at: turn.now)
  }

  private static func submit(
    _ submission: Submission, under policy: Policy, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let branch = submission.branch
    guard branch != policy.trunk else {
      throw Refusal(.malformed, "\(branch) is the trunk itself; submit the branch that shall land on it.")
    }
    let submitted = Event.submitted(
      EntryFacts(
        id: state.nextEntry, branch: branch, head: submission.head, author: oneLine(submission.author),
        title: oneLine(submission.title), submittedAt: turn.now))
    guard let old = state.entries.first(where: { $0.facts.branch == branch }) else {
      guard state.entries.count < policy.capacity else {
        throw Refusal(
          .notNow,
          "The queue of \(policy.trunk) is full with \(state.entries.count) entries; wait for one to leave, "
            + "or raise its capacity in plimsoll.yaml.")
      }
      return [submitted]
    }
    guard old.facts.head != submission.head else {
      let place = state.place(of: old.id) ?? 1
      throw Refusal(
        .notNow, "\(branch) at \(submission.head.short) is already queued as #\(old.id), in place \(place).")
    }
    try refuseWhileLanding(old.id, in: state)
    let reason = "replaced by #\(state.nextEntry), which is \(branch) at \(submission.head.short)"
    return settled(
      [.withdrawn(entry: old.id, reason: reason, at: turn.now), submitted], in: state, because: .withdrawn(old.id),
      at: turn.now)
  }

  private static func withdraw(
    _ id: Int, reason: String, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    guard state.entry(id) != nil else {
      let fate = state.finished.last { $0.facts.id == id }?.sentence
      throw Refusal(.unknown, "#\(id) is not in the queue. " + (fate ?? "List the queue to see the entries in it."))
    }
    try refuseWhileLanding(id, in: state)
    let line = oneLine(reason)
    let event = Event.withdrawn(entry: id, reason: line.isEmpty ? "no reason given" : line, at: turn.now)
    return settled([event], in: state, because: .withdrawn(id), at: turn.now)
  }

  /// A push under way cannot be called back: withdrawing it would tell a lie. One that keeps failing may go.
  private static func refuseWhileLanding(_ id: Int, in state: State) throws(Refusal) {
    guard state.landing?.entry.id == id, !state.troubles.contains(where: { $0.entry == id }) else { return }
    throw Refusal(.notNow, "#\(id) is landing at this moment; wait until it has landed.")
  }
}

// MARK: - Observations

extension MergeQueue {
  /// Nobody is left waiting for a queue that does nothing. What is being pushed may have reached the trunk all the same:
  /// its sentence says so.
  private static func retire(_ policy: Policy, in state: State, _ turn: TurnContext) -> [Event] {
    let pushing = state.landing?.entry.id
    return [.retired(at: turn.now)]
      + state.entries.map { entry in
        .ejected(entry.ejectionByRetirement(of: policy, isPushed: entry.id == pushing, at: turn.now))
      }
  }

  private static func observeTrunk(
    at commit: CommitID, from trunk: CommitID, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard commit != trunk else { return [] }
    // The push succeeded and its reply was lost, also when the push was given up since.
    if let head = state.entries.first {
      for passed in [state.landing?.passed, head.tried] {
        if let candidate = passed?.candidate, candidate.commit == commit {
          return settled(
            [.landed(Landing(of: head.facts, candidate, at: turn.now))], in: state, because: .trunkMoved(to: commit),
            at: turn.now)
        }
      }
    }
    return settled(
      [.trunkMoved(from: trunk, to: commit, at: turn.now)], in: state, because: .trunkMoved(to: commit), at: turn.now)
  }

  private static func recovery(in state: State, _ turn: TurnContext) -> [Event] {
    let key = Effect.watchKey
    return state.troubles.contains { $0.key == key } ? [.recovered(key: key, at: turn.now)] : []
  }

  private static func prepared(
    _ id: Int, on base: CommitID, _ outcome: CandidateOutcome, recipe: Int, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard recipe == state.recipe, let index = state.entries.firstIndex(where: { $0.id == id }),
      case .queued = state.entries[index].phase, state.bases[index] == base
    else { return [] }
    // By the chain, the base holds every live entry ahead.
    let assumed = state.entries[..<index].filter(\.isLive).map(\.id)
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
    return settled([event], in: state, because: .culprit(id), at: turn.now)
  }

  private static func tested(
    _ id: Int, _ commit: CommitID, _ report: TestReport, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard report.recipe == state.recipe, case .prepared(let candidate)? = state.entry(id)?.phase,
      candidate.commit == commit
    else { return [] }
    let event: Event
    switch report.end {
    case .cancelled:
      // Says nothing of the change; the test is still wanted, so it starts again.
      return []
    case .exited(code: 0):
      event = .testPassed(
        entry: id, commit: commit, log: report.log, startedAt: report.startedAt, endedAt: report.endedAt)
    case .exited, .signalled, .timedOut:
      let summary = report.summary.isEmpty ? "" : ": \(report.summary)"
      event = .testFailed(
        entry: id, commit: commit, end: report.end, reason: oneLine(words(for: report.end) + summary),
        log: report.log, startedAt: report.startedAt, endedAt: report.endedAt)
    }
    return settled([event], in: state, because: .culprit(id), at: turn.now)
  }

  private static func landed(
    _ id: Int, _ commit: CommitID, trunk: CommitID, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let head = state.entries.first, head.id == id else { return [] }
    if let candidate = state.landing?.passed.candidate, candidate.commit == commit {
      return settled(
        [.landed(Landing(of: head.facts, candidate, at: turn.now))], in: state, because: .trunkMoved(to: commit),
        at: turn.now)
    }
    guard let candidate = head.tried?.candidate, candidate.commit == commit else { return [] }
    // The reply came after someone had pushed on: the trunk is told to have been there, and to have moved since.
    var causes = [Event.landed(Landing(of: head.facts, candidate, at: turn.now))]
    if trunk != commit { causes.append(.trunkMoved(from: commit, to: trunk, at: turn.now)) }
    return settled(causes, in: state, because: .trunkMoved(to: trunk), at: turn.now)
  }

  private static func exhausted(
    _ key: EffectKey, why: String, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let effect = effects(of: state).first(where: { $0.key == key }) else { return [] }
    let why = oneLine(why)
    guard !state.troubles.contains(where: { $0.key == key && $0.why == why }) else { return [] }
    return [.troubled(entry: effect.entry, key: key, why: why, at: turn.now)]
  }
}
