import Kernel

/// The merge queue of one branch: stream `queue:<repository>/<branch>`.
///
/// The promise: the trunk advances by the queue only to a commit whose own test passed, on top of the trunk as it was.
/// Every entry gets a *candidate*: its change merged onto the candidate of the nearest live entry ahead, or onto the
/// trunk. Candidates are tested on the assumption that those ahead land (speculation); the head's tested candidate is
/// then pushed as it is, so that nobody ever lands a tree that no test saw.
///
/// ```
///             prepared          testPassed         landed (head only)
///   queued ─────────────▶ prepared ─────────▶ passed ─────────▶ finished
///     ▲ │                    │ testFailed        │                  ▲
///     │ ├──▶ conflicted      ▼                   │                  │ ejected, once those assumed
///     │ ├──▶ contained     failed                │                  │ ahead have landed
///     │ │        │           │                   │                  │
///     │ │        └───────────┴───────────────────┼──────────────────┘
///     └─┴──── candidateDropped ◀─────────────────┘   (those assumed ahead did not land, or the trunk moved)
/// ```
///
/// Parts: `Policy` (configuration), `Entry` (one change in line), `Candidate` and the verdicts on it, `Settling` (what
/// must follow from a state), `Landing`, `Ejection`, `FinishedEntry` (history), `Explanation` (why it waits).
package enum MergeQueue: Machine {
  package struct State: Codable, Equatable, Sendable {
    package internal(set) var phase: Phase
    /// In order of submission; the first is the head.
    package internal(set) var entries: [Entry]
    /// The id of the next entry; ids start at 1 and are never used again.
    package internal(set) var nextEntry: Int
    /// Counts the configurations that changed how candidates are made or tested. Effects carry it and observations
    /// echo it: a late result of the old command must not count for the new one.
    package internal(set) var recipe: Int
    /// The last entries that left, oldest first, at most `historyLimit`.
    package internal(set) var finished: [FinishedEntry]
    /// What the world keeps failing at, sorted by key; each is a wanted effect.
    package internal(set) var troubles: [Trouble]
    /// What the last landing rests on; nil before the first.
    package internal(set) var proof: LandingProof?
  }

  /// What the queue as a whole knows.
  package enum Phase: Codable, Equatable, Sendable {
    /// Leaves to: `awaitingTrunk`, on the first configuration.
    case unconfigured
    /// Entries may be submitted, but nothing is built. Leaves to: `open`, when the trunk is seen; `retired`.
    case awaitingTrunk(Policy)
    /// Leaves to: `retired`; trunk and policy change inside.
    case open(Policy, trunk: CommitID)
    /// plimsoll.yaml no longer names the branch: nobody waits and nothing is watched.
    /// Leaves to: `awaitingTrunk`, when it is named again.
    case retired(Policy)
  }

  /// An effect that used up its retries and is still wanted.
  package struct Trouble: Codable, Equatable, Sendable {
    package let key: EffectKey
    /// The entry that it holds up; nil for the watch on the trunk, which holds up all.
    package let entry: Int?
    /// One line, at most `reasonLimit` characters.
    package let why: String
    package let since: Instant
    package init(key: EffectKey, entry: Int?, why: String, since: Instant) {
      self.key = key
      self.entry = entry
      self.why = why
      self.since = since
    }
  }

  package static var initial: State {
    State(phase: .unconfigured, entries: [], nextEntry: 1, recipe: 0, finished: [], troubles: [], proof: nil)
  }
}

extension MergeQueue.State {
  package var policy: MergeQueue.Policy? {
    switch phase {
    case .unconfigured: nil
    case .awaitingTrunk(let policy), .open(let policy, _), .retired(let policy): policy
    }
  }

  /// The trunk's head as last seen or landed; nil until it was first seen.
  package var trunk: CommitID? {
    switch phase {
    case .unconfigured, .awaitingTrunk, .retired: nil
    case .open(_, let trunk): trunk
    }
  }

  package func entry(_ id: Int) -> MergeQueue.Entry? { entries.first { $0.id == id } }

  /// The entry's place in line, 1 for the head; nil when it is not in the queue.
  package func place(of id: Int) -> Int? {
    entries.firstIndex { $0.id == id }.map { $0 + 1 }
  }

  /// For every entry the commit that its candidate must stand on: the candidate of the nearest live entry ahead, or
  /// the trunk; nil while that candidate is not made yet. O(entries).
  package var bases: [CommitID?] {
    var base = trunk
    return entries.map { entry in
      let own = base
      if entry.isLive { base = entry.candidate?.commit }
      return own
    }
  }

  /// The head with what its landing rests on, when its tested candidate stands on the trunk: it is being pushed now.
  package var landing: (entry: MergeQueue.Entry, passed: MergeQueue.Passed)? {
    guard let head = entries.first, case .passed(let passed) = head.phase, passed.candidate.base == trunk else {
      return nil
    }
    return (head, passed)
  }
}
