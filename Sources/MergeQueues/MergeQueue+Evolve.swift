import Kernel

extension MergeQueue {
  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .configured(let policy):
      if state.policy.map({ !policy.hasRecipe(of: $0) }) ?? true { state.recipe += 1 }
      switch state.phase {
      // Back in the file, the trunk is seen as for the first time: whoever pushed meanwhile is found by that.
      case .unconfigured, .awaitingTrunk, .retired: state.phase = .awaitingTrunk(policy)
      case .open(_, let trunk): state.phase = .open(policy, trunk: trunk)
      }
    case .trunkMoved(_, let commit, _):
      if let landing = state.landing { state.entries[0].tried = landing.passed }
      state.move(trunk: commit)
    case .submitted(let facts):
      state.entries.append(Entry(facts: facts, phase: .queued(since: facts.submittedAt), tried: nil))
      state.nextEntry = max(state.nextEntry, facts.id + 1)
    case .withdrawn(let entry, let reason, let at):
      state.finish(entry, .withdrawn(reason: reason), at: at)
    case .prepared(let entry, let base, let assumed, let commit, let tree, let at):
      state.enter(
        entry,
        .prepared(Candidate(base: base, assumed: assumed, commit: commit, tree: tree, preparedAt: at)))
    case .conflicted(let entry, let base, let assumed, let paths, let detail, let at):
      state.enter(
        entry, .conflicted(Conflict(base: base, assumed: assumed, paths: paths, detail: detail, at: at)))
    case .contained(let entry, let base, let assumed, let at):
      state.enter(entry, .contained(Containment(base: base, assumed: assumed, at: at)))
    case .testPassed(let entry, let commit, let log, let startedAt, let endedAt):
      guard let candidate = state.entry(entry)?.candidate, candidate.commit == commit else { break }
      state.enter(
        entry, .passed(Passed(candidate: candidate, log: log, startedAt: startedAt, endedAt: endedAt)))
    case .testFailed(let entry, let commit, let end, let reason, let log, let startedAt, let endedAt):
      guard let candidate = state.entry(entry)?.candidate, candidate.commit == commit else { break }
      state.enter(
        entry,
        .failed(
          Failed(
            candidate: candidate, end: end, reason: reason, log: log, startedAt: startedAt, endedAt: endedAt)))
    case .candidateDropped(let entry, _, _, let at):
      state.enter(entry, .queued(since: at))
    case .landed(let landing):
      state.proof = state.proof(of: landing)
      state.move(trunk: landing.commit)
      state.finish(landing.entry, .landed(commit: landing.commit), at: landing.at)
    case .ejected(let ejection):
      state.finish(ejection.entry, .ejected(ejection), at: ejection.at)
    case .troubled(let entry, let key, let why, let at):
      state.troubles.removeAll { $0.key == key }
      state.troubles.append(Trouble(key: key, entry: entry, why: why, since: at))
      state.troubles.sort { $0.key < $1.key }
    case .recovered(let key, _):
      state.troubles.removeAll { $0.key == key }
    case .retired:
      if let policy = state.policy { state.phase = .retired(policy) }
    case .recalled:
      break
    }
    state.forgetTroublesOfUnwanted()
  }
}

extension MergeQueue.State {
  fileprivate mutating func move(trunk: CommitID) {
    guard let policy else { return }
    phase = .open(policy, trunk: trunk)
  }

  fileprivate mutating func enter(_ id: Int, _ phase: MergeQueue.Entry.Phase) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    entries[index].phase = phase
  }

  fileprivate mutating func finish(_ id: Int, _ outcome: MergeQueue.FinishedEntry.Outcome, at: Instant) {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return }
    let entry = entries.remove(at: index)
    finished.append(MergeQueue.FinishedEntry(facts: entry.facts, outcome: outcome, at: at))
    if finished.count > MergeQueue.historyLimit { finished.removeFirst(finished.count - MergeQueue.historyLimit) }
  }

  /// What the state, before the landing, knows to have passed for it.
  fileprivate func proof(of landing: MergeQueue.Landing) -> MergeQueue.LandingProof {
    var tested: MergeQueue.Candidate?
    if let entry = entry(landing.entry) {
      if case .passed(let passed) = entry.phase { tested = passed.candidate }
      if let tried = entry.tried, tested?.commit != landing.commit { tested = tried.candidate }
    }
    return MergeQueue.LandingProof(
      landed: landing.commit, previousTrunk: landing.previousTrunk, tested: tested)
  }

  /// A trouble ends with the want behind it.
  fileprivate mutating func forgetTroublesOfUnwanted() {
    guard !troubles.isEmpty else { return }
    let wanted = MergeQueue.effects(of: self).map(\.key)
    troubles.removeAll { !wanted.contains($0.key) }
  }
}
