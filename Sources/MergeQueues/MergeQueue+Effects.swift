import Kernel

extension MergeQueue {
  package enum Effect: WantedEffect {
    /// Standing: report the trunk's head when it starts and whenever it changes.
    case watchTrunk(repository: RepositoryName, branch: BranchName)
    /// Standing: report the branches of those in line, at each round.
    case watchChanges(ChangesOrder)
    /// Standing: say now and then that time has passed, for freezes and longest waits.
    case watchClock
    /// Standing: say how the runner is, at each round.
    case watchRunner
    /// Look up what somebody else's move of the trunk changed.
    case trace(from: CommitID, to: CommitID, repository: RepositoryName)
    /// Say on a change where it stands. The fence lives in the note.
    case comment(Note, repository: RepositoryName)
    /// Ask the planner which builds are worth a slot.
    case plan(PlanOrder)
    /// Look up what the entry's change touches since it left `base`.
    case survey(entry: Int, base: CommitID, head: CommitID, repository: RepositoryName)
    case prepare(CandidateOrder, recipe: Int)
    case test(
      build: Int, run: Int, commit: CommitID, command: String, timeLimit: Span, repository: RepositoryName, recipe: Int)
    /// Fast-forward push with lease; the fence lives in the lease (`expecting`).
    case land(build: Int, commit: CommitID, branch: BranchName, repository: RepositoryName, expecting: CommitID)

    package static let watchKey = EffectKey("watch-trunk")

    package var key: EffectKey {
      switch self {
      case .watchTrunk: Self.watchKey
      // Another line is other work: the round begins anew with those who are in it.
      case .watchChanges(let order): EffectKey("watch-changes/\(order.version)")
      case .watchClock: EffectKey("watch-clock")
      case .watchRunner: EffectKey("watch-runner")
      case .trace(let old, let new, _): EffectKey("trace/\(old)/\(new)")
      // By change and by what is said: another thing to say is other work.
      case .comment(let note, _): EffectKey("comment/\(note.entry)/\(note.number)")
      case .plan(let order): EffectKey("plan/\(order.version)")
      // The recipe is in these two keys so that work of an old method or command is cancelled, not adopted.
      case .prepare(let order, let recipe): EffectKey("prepare/\(order.entry)/\(order.base)/\(order.head)/\(recipe)")
      case .survey(let entry, _, let head, _): EffectKey("survey/\(entry)/\(head)")
      case .test(let build, let run, let commit, _, _, _, let recipe):
        EffectKey("test/\(build)/\(run)/\(commit)/\(recipe)")
      case .land(_, let commit, _, _, _): EffectKey("land/\(commit)")
      }
    }

    package var lane: Lane { .progress }

    package var retry: RetryBudget {
      switch self {
      case .watchTrunk, .watchChanges, .watchClock, .watchRunner: .persistent
      case .plan, .survey, .prepare, .test, .land, .trace: .bounded
      // Nobody waits for a note, and it is as true tomorrow.
      case .comment: .patient
      }
    }
  }

  /// What a planner has to look at. Holds the whole state, which costs nothing until it is asked: two orders of one
  /// version are the same work.
  package struct PlanOrder: Equatable, Sendable {
    package let version: Int
    private let state: State
    init(_ state: State) {
      version = state.planVersion
      self.state = state
    }
    package static func == (left: PlanOrder, right: PlanOrder) -> Bool { left.version == right.version }

    /// O(items²), for at most `horizonLimit` items.
    package func situation(at now: Instant) -> Situation { state.situation(at: now) }
  }

  /// Whose branches are to be looked at.
  package struct ChangesOrder: Equatable, Sendable {
    package let version: Int
    package let repository: RepositoryName
    private let line: Line
    init(_ line: Line, version: Int, repository: RepositoryName) {
      self.version = version
      self.repository = repository
      self.line = line
    }
    package static func == (left: ChangesOrder, right: ChangesOrder) -> Bool { left.version == right.version }

    /// In order of the line, at most `changesHorizon`. O(answer).
    package var entries: [EntryFacts] { line.prefix(changesHorizon).map(\.facts) }
  }

  /// The watches; what changed past the queue; notes; a plan when something changed since the last; the push; the next
  /// merge of every build; the runs that have a slot. O(builds).
  package static func effects(of state: State) -> [Effect] {
    switch state.phase {
    case .unconfigured, .retired:
      return []
    case .awaitingTrunk(let policy):
      return [.watchTrunk(repository: policy.repository, branch: policy.trunk)]
    case .open(let policy, let trunk):
      var wanted = [Effect.watchTrunk(repository: policy.repository, branch: policy.trunk)]
      if let sighted = state.sighted {
        wanted.append(.trace(from: trunk, to: sighted, repository: policy.repository))
      }
      wanted += state.notes.map { .comment($0, repository: policy.repository) }
      if !state.entries.isEmpty {
        wanted.append(.watchClock)
        wanted.append(
          .watchChanges(ChangesOrder(state.entries, version: state.lineVersion, repository: policy.repository)))
      }
      // One that was lost is watched until it is found: else the next in line would meet an old loss.
      if !state.entries.isEmpty || state.runnerLoss != nil { wanted.append(.watchRunner) }
      if state.wantsPlan { wanted.append(.plan(PlanOrder(state))) }
      for entry in state.unsurveyed.prefix(surveyLimit) {
        guard let head = state.entries[id: entry]?.facts.head else { continue }
        wanted.append(.survey(entry: entry, base: trunk, head: head, repository: policy.repository))
      }
      // Onto a trunk that moved on nothing can be pushed; once the move is looked into, this push is made or given up.
      if let push = state.push, state.sighted == nil {
        wanted.append(
          .land(
            build: push.build, commit: push.tip, branch: policy.trunk, repository: policy.repository,
            expecting: push.base))
      }
      appendWork(of: state, under: policy, to: &wanted)
      return wanted
    }
  }

  private static func appendWork(of state: State, under policy: Policy, to wanted: inout [Effect]) {
    var steps: [(entry: Int, base: CommitID)] = []
    for build in state.builds {
      if !state.isPaused, let next = build.nextStep, let facts = state.entries[id: next.entry]?.facts,
        // Builds with the same beginning share its commits.
        !steps.contains(where: { $0 == next })
      {
        steps.append(next)
        wanted.append(.prepare(order(for: facts, on: next.base, policy), recipe: state.recipe))
      }
      if build.isRunning, let subject = build.subject {
        wanted.append(
          .test(
            build: build.id, run: build.attempts, commit: subject.commit, command: policy.command,
            timeLimit: policy.timeLimit, repository: policy.repository, recipe: state.recipe))
      }
    }
  }

  private static func order(for entry: EntryFacts, on base: CommitID, _ policy: Policy) -> CandidateOrder {
    CandidateOrder(
      repository: policy.repository, base: base, head: entry.head, branch: entry.branch, method: policy.method,
      messageTemplate: policy.messageTemplate, title: entry.title, author: entry.author, entry: entry.id,
      at: entry.submittedAt)
  }
}

extension MergeQueue.State {
  /// Something changed since the last plan, and there is something to plan.
  var wantsPlan: Bool {
    guard case .open = phase, !isPaused else { return false }
    return plannedVersion < planVersion && !(entries.isEmpty && builds.isEmpty)
  }

  /// The entry that the effect serves; nil for what serves all.
  func entry(servedBy effect: MergeQueue.Effect) -> Int? {
    switch effect {
    case .watchTrunk, .watchChanges, .watchClock, .watchRunner, .trace, .plan: nil
    case .comment(let note, _): note.entry
    case .prepare(let order, _): order.entry
    case .survey(let entry, _, _, _): entry
    case .test(let id, _, _, _, _, _, _): build(id)?.members.last
    case .land: push?.members.last
    }
  }
}
