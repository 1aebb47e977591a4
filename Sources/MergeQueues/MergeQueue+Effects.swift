import Kernel

extension MergeQueue {
  package enum Effect: WantedEffect {
    /// Standing: report the trunk's head when it starts and whenever it changes.
    case watchTrunk(repository: RepositoryName, branch: BranchName)
    case prepare(CandidateOrder, recipe: Int)
    case test(
      entry: Int, commit: CommitID, command: String, timeLimit: Span, repository: RepositoryName, recipe: Int)
    /// Fast-forward push with lease; the fence lives in the lease (`expecting`).
    case land(entry: Int, commit: CommitID, branch: BranchName, repository: RepositoryName, expecting: CommitID)

    package static let watchKey = EffectKey("watch-trunk")

    package var key: EffectKey {
      switch self {
      case .watchTrunk: Self.watchKey
      // The recipe is in these two keys so that work of an old method or command is cancelled, not adopted.
      case .prepare(let order, let recipe): EffectKey("prepare/\(order.entry)/\(order.base)/\(order.head)/\(recipe)")
      case .test(let entry, let commit, _, _, _, let recipe): EffectKey("test/\(entry)/\(commit)/\(recipe)")
      case .land(_, let commit, _, _, _): EffectKey("land/\(commit)")
      }
    }

    package var lane: Lane { .progress }

    package var retry: RetryBudget {
      switch self {
      case .watchTrunk: .persistent
      case .prepare, .test, .land: .bounded
      }
    }

    /// The entry that it serves; nil for the watch, which serves all.
    package var entry: Int? {
      switch self {
      case .watchTrunk: nil
      case .prepare(let order, _): order.entry
      case .test(let entry, _, _, _, _, _), .land(let entry, _, _, _, _): entry
      }
    }
  }

  /// The watch; the push of the head; a candidate for the first entry whose base is known; tests for the first `slots`
  /// untested candidates. O(entries).
  package static func effects(of state: State) -> [Effect] {
    switch state.phase {
    case .unconfigured, .retired:
      return []
    case .awaitingTrunk(let policy):
      return [.watchTrunk(repository: policy.repository, branch: policy.trunk)]
    case .open(let policy, let trunk):
      var wanted = [Effect.watchTrunk(repository: policy.repository, branch: policy.trunk)]
      if let (entry, passed) = state.landing {
        wanted.append(
          .land(
            entry: entry.id, commit: passed.candidate.commit, branch: policy.trunk, repository: policy.repository,
            expecting: trunk))
      }
      var untested = 0
      for (entry, base) in zip(state.entries, state.bases) {
        switch entry.phase {
        case .queued:
          guard let base, untested < policy.slots + lookahead else { continue }
          wanted.append(.prepare(order(for: entry.facts, on: base, policy), recipe: state.recipe))
        case .prepared(let candidate):
          if untested < policy.slots {
            wanted.append(
              .test(
                entry: entry.id, commit: candidate.commit, command: policy.command, timeLimit: policy.timeLimit,
                repository: policy.repository, recipe: state.recipe))
          }
          untested += 1
        case .passed, .failed, .conflicted, .contained:
          continue
        }
      }
      return wanted
    }
  }

  private static func order(for entry: EntryFacts, on base: CommitID, _ policy: Policy) -> CandidateOrder {
    CandidateOrder(
      repository: policy.repository, base: base, head: entry.head, branch: entry.branch, method: policy.method,
      messageTemplate: policy.messageTemplate, title: entry.title, author: entry.author, entry: entry.id,
      at: entry.submittedAt)
  }
}
