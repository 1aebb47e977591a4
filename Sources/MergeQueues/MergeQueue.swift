import Kernel

/// The merge queue of one branch: stream `queue:<repository>/<branch>`.
///
/// The promise: the trunk advances by the queue only to a tree that was tested exactly so, with the trunk as it was as
/// its base. Where lanes are on and `strict` is off, also to one that differs from a tested tree only by landings that are
/// disjoint in lane from all that was tested.
///
/// Changes are tested in *builds*: one CI run over a set of entries merged onto the trunk one after the other. A planner
/// (`Planner`, pure, outside of the turn) proposes which builds are worth a slot; the machine checks the proposal, gives
/// out slots and keeps what the runs said. What follows from that, landing and ejecting, is a pure consequence of the
/// evidence (`Conclusions`), and every decision ends by drawing it (`Settling`).
///
/// ```
///   submitted ─▶ in line ─▶ member of builds ─▶ landed, with all members of a build in one push
///                   │                        └▶ ejected: guilty, or does not merge onto the trunk
///                   └▶ withdrawn, replaced, or gone with its forge's change
/// ```
///
/// Parts: `Policy` (configuration), `Line` of `Entry`s, `Build`s with their `Run`s, `Push`, `Clash` (does not merge onto
/// those ahead), `PassedTree` (evidence by tree), `Hold` and `Freeze`, `Settling` (what must follow from a state),
/// `Landing`, `Ejection`, `FinishedEntry` (history), `Overtaking` (a push past the queue), `Explanation` (why each waits),
/// `Note` (what is said of it on the change itself).
package enum MergeQueue: Machine {
  package struct State: Codable, Equatable, Sendable {
    package internal(set) var phase: Phase
    /// In the order in which they should land; the first is the head.
    package internal(set) var entries: Line
    /// The id of the next entry; ids start at 1 and are never used again.
    package internal(set) var nextEntry: Int
    /// Counts the configurations that changed how candidates are made or tested. Effects carry it and observations
    /// echo it: a late result of the old command must not count for the new one.
    package internal(set) var recipe: Int
    /// Waiting builds worthiest first among themselves; ended ones as long as they are evidence.
    package internal(set) var builds: [Build]
    package internal(set) var nextBuild: Int
    /// Counts changes that a planner would want to know of.
    package internal(set) var planVersion: Int
    /// The version that the last plan was made for.
    package internal(set) var plannedVersion: Int
    /// The last passed trees of this recipe, oldest first, at most `evidenceLimit`.
    package internal(set) var evidence: [PassedTree]
    package internal(set) var clashes: [Clash]
    /// The push under way.
    package internal(set) var push: Push?
    /// Pushes that were under way when the trunk turned out to be elsewhere: their replies may still come.
    package internal(set) var tried: [Push]
    package internal(set) var hold: Hold?
    package internal(set) var freeze: Freeze?
    /// Since when a plan has been wanted; nil when none is.
    package internal(set) var planWantedSince: Instant?
    /// When something last moved: an entry, a build, the trunk, a hold.
    package internal(set) var movedAt: Instant
    /// Counts changes of who is in line.
    package internal(set) var lineVersion: Int
    /// Entries of which the paths are not known yet, in order of submission.
    package internal(set) var unsurveyed: [Int]
    package internal(set) var rates: RateEstimate
    package internal(set) var durations: DurationEstimate
    /// How forecasts came out.
    package internal(set) var forecasts: ForecastBook
    /// Of required checks of others' CI, sorted by name, at most `checkTimeLimit`.
    package internal(set) var checkTimes: [CheckTime]
    package internal(set) var tally: Tally
    /// The last entries that left, oldest first, at most `historyLimit`.
    package internal(set) var finished: [FinishedEntry]
    /// What the world keeps failing at, sorted by key; each is a wanted effect.
    package internal(set) var troubles: [Trouble]
    /// What is to be said on changes, oldest first, one for each head, at most `noteLimit`; each is a wanted effect.
    package internal(set) var notes: [Note]
    package internal(set) var nextNote: Int
    /// Nil while the runner lives and can start runs.
    package internal(set) var runnerLoss: RunnerLoss?
    /// Where somebody else moved the trunk to, while it is looked up what changed.
    package internal(set) var sighted: CommitID?
    /// The push past the queue that the next move of the trunk takes in.
    var overtaking: Overtaking?
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
    /// The entry that it holds up; nil for a watch, which holds up all.
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

  /// How runs ended since the queue began.
  package struct Tally: Codable, Equatable, Sendable {
    package internal(set) var green = 0
    /// By the change's content: exit code, signal or time limit.
    package internal(set) var red = 0
    /// Red, and shown to be no change's fault.
    package internal(set) var flakes = 0
    /// The world gave up on a run again and again.
    package internal(set) var infrastructure = 0
    package internal(set) var landed = 0
    package internal(set) var ejected = 0
    package init() {}
  }

  package static var initial: State {
    State(
      phase: .unconfigured, entries: Line(), nextEntry: 1, recipe: 0, builds: [], nextBuild: 1, planVersion: 0,
      plannedVersion: 0, evidence: [], clashes: [], push: nil, tried: [], hold: nil, freeze: nil,
      planWantedSince: nil, movedAt: Instant(milliseconds: 0), lineVersion: 0,
      unsurveyed: [], rates: RateEstimate(), durations: DurationEstimate(), forecasts: ForecastBook(),
      checkTimes: [], tally: Tally(), finished: [], troubles: [],
      notes: [], nextNote: 1, runnerLoss: nil, sighted: nil, overtaking: nil, proof: nil)
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

  package func entry(_ id: Int) -> MergeQueue.Entry? { entries[id: id] }

  /// The entry's place in line, 1 for the head; nil when it is not in the queue.
  package func place(of id: Int) -> Int? { entries.place(of: id).map { $0 + 1 } }

  package func build(_ id: Int) -> MergeQueue.Build? { builds.first { $0.id == id } }

  /// Whether a person lets nothing new be built or landed.
  package var isPaused: Bool { hold?.kind == .paused }
}
