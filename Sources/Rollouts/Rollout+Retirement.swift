import Kernel

/// What follows when plimsoll.yaml no longer names this place: traffic is taken away, then what runs is stopped, and
/// nothing else is wanted until it is named again.
extension Rollout {
  static func unconfigure(in state: State, _ turn: TurnContext) -> [Event] {
    guard !state.isRetired else { return [] }
    var events: [Event] = []
    // Evidence is not read here any more, so a rollback under way is reported as far as it is known.
    switch state.phase {
    case .restoring(let course, let condemnation):
      // The router confirms nothing any more.
      let report = RollbackReport(
        condemnation, to: nil, restoredAt: nil, closedAt: turn.now, isDrill: course.start.kind == .drill,
        aftermath: nil)
      events.append(.reported(report))
    case .reporting(let course, let condemnation, let restoredAt):
      events.append(.reported(report(course, condemnation, restoredAt, nil, in: state)))
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .closing, .closed:
      break
    }
    return events + [
      .unconfigured(Unconfiguration(rollout: state.ending?.id, commits: waitingCommits(in: state), at: turn.now))
    ]
  }

  static func closed(at: Instant, in state: State) -> [Event] {
    switch state.phase {
    case .closing: [.closed(at: at)]
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .restoring, .reporting, .closed:
      []
    }
  }

  /// Who serves is among them: its checks or its soak may still run here.
  private static func waitingCommits(in state: State) -> [CommitID] {
    var commits: [CommitID] = []
    func add(_ commit: CommitID?) {
      if let commit, !commits.contains(commit) { commits.append(commit) }
    }
    if case .sealing(let offer) = state.phase { add(offer.commit) }
    add(state.pending?.commit)
    if let course = state.live, course.start.kind == .forward { add(course.start.offer.commit) }
    add(state.knownGood.first?.offer.commit)
    return commits
  }
}

extension Rollout.State {
  /// Whether plimsoll.yaml named this place once and does not now.
  package var isRetired: Bool {
    switch phase {
    case .closing, .closed: true
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .restoring, .reporting:
      false
    }
  }

  /// The rollout that retiring ends before its time; one that only collects its report has ended in all but words.
  fileprivate var ending: Course? {
    if case .reporting = phase { nil } else { running }
  }

  mutating func close(_ event: Rollout.Unconfiguration) {
    var stopping: [Deployment] = []
    let running = self.running
    for deployment in [running?.canary, running?.start.knownGood, knownGood.first?.deployment].compactMap(\.self)
    where !stopping.contains(where: { $0.id == deployment.id }) && !retiring.contains(where: { $0.id == deployment.id })
    {
      stopping.append(deployment)
    }
    if let course = ending {
      var outcome = RolloutSummary.Outcome.abandoned
      if case .restoring(_, let condemnation) = phase {
        outcome = .condemned(
          condemnation.cause, rule: condemnation.rule, sentence: condemnation.sentence, restoredAt: nil)
      }
      history.insert(RolloutSummary(course: course, outcome: outcome, endedAt: event.at), at: 0)
      history = Array(history.prefix(Rollout.historyLimit))
    }
    pending = nil
    trouble = nil
    // Without a policy nothing was ever placed here.
    phase = policy == nil ? .closed : .closing(stopping: stopping)
  }

  /// The router sends nothing any more.
  mutating func stopClosed() {
    guard case .closing(let stopping) = phase else { return }
    retiring += stopping
    phase = .closed
  }

  /// Named again: who served serves again; what else was to be stopped still is.
  mutating func reopen() {
    switch phase {
    case .closing(let stopping): retiring += stopping
    case .closed: break
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing,
      .restoring, .reporting:
      return
    }
    if let serving = knownGood.first { retiring.removeAll { $0.id == serving.deployment.id } }
    phase = .idle
  }
}
