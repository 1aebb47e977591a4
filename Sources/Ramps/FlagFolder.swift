import Kernel

/// A folder of a repository in which flags are defined: what its trunk says there is what those flags are.
///
/// ```
///              configured          the trunk moved
///   closed ─────────────▶ waiting ─────────────────▶ reading ──▶ settled, or faulty
///     ▲                                                 ▲                │
///     └────────────── no longer named ──────────────────┴─ the trunk moved ─┘
/// ```
///
/// Only definitions are kept in git. Who gets which variant, and since when, is decided here and is no commit: a kill
/// must not wait for a review. A folder with one fault changes nothing at all: what was read before stays.
package enum FlagFolder: Machine {
  package static var initial: State { State() }

  package struct State: Codable, Equatable, Sendable {
    /// Nil before the first and after `closed`.
    package var policy: Policy?
    package var phase: Phase = .closed
    /// The last commit that was read without a fault; nil before the first.
    package var commit: CommitID?
    /// What that commit defines, sorted by key.
    package var declared: [Entry] = []
    /// Sets of subjects that rules name, of the same commit: served beside all flags. Sorted by name.
    package var segments: [FlagDefinition.Member] = []
    /// Segments of before it was closed: flags may name them, so they stay until a folder has others of their names, or
    /// this one is read again.
    package var kept: [FlagDefinition.Member] = []
    /// Of `declared`, what flags have refused so far, sorted by key.
    package var unmet: [Unmet] = []
    package init() {}
  }

  package struct Policy: Codable, Equatable, Sendable {
    package let repository: RepositoryName
    package let trunk: BranchName
    /// Relative to the repository's root, without a slash at its ends. `.json` files in it and below are read.
    package let path: String
    /// Where a new flag is placed, off.
    package let environments: [EnvironmentName]
    package init(repository: RepositoryName, trunk: BranchName, path: String, environments: [EnvironmentName]) {
      self.repository = repository
      self.trunk = trunk
      self.path = path
      self.environments = environments
    }
  }

  package enum Phase: Codable, Equatable, Sendable {
    /// plimsoll.yaml names no folder here. Leaves to: `waiting`.
    case closed
    /// The trunk has not been seen. Leaves to: `reading`, `closed`.
    case waiting
    /// Leaves to: `reading` (the trunk moved on), `settled`, `faulty`, `closed`.
    case reading(CommitID)
    /// Leaves to: `reading`, `closed`.
    case settled
    /// The trunk's definitions cannot be used; those of `commit` stay. Leaves to: `reading`, `closed`.
    case faulty(Fault)
  }

  package struct Fault: Codable, Equatable, Sendable {
    package let commit: CommitID
    /// `flags/checkout.json:12:5: …`, a line each; at most `faultLimit`.
    package let sentences: [String]
    package let at: Instant
    package init(commit: CommitID, sentences: [String], at: Instant) {
      self.commit = commit
      self.sentences = sentences
      self.at = at
    }
  }

  package struct Entry: Codable, Equatable, Sendable {
    package let key: FlagKey
    package let hash: Digest
    package let file: String
    package init(key: FlagKey, hash: Digest, file: String) {
      self.key = key
      self.hash = hash
      self.file = file
    }
  }

  /// A declaration that its flag has refused.
  package struct Unmet: Codable, Equatable, Sendable {
    package let key: FlagKey
    package let hash: Digest
    /// "flags/checkout.json:12".
    package let place: String
    package let commit: CommitID
    /// What stands against it, and what to do.
    package let why: String
    package let at: Instant
    package init(key: FlagKey, hash: Digest, place: String, commit: CommitID, why: String, at: Instant) {
      self.key = key
      self.hash = hash
      self.place = place
      self.commit = commit
      self.why = why
      self.at = at
    }
  }

  /// What a commit's folder defines.
  package struct Found: Codable, Equatable, Sendable {
    package let commit: CommitID
    /// The commit's.
    package let author: String
    /// Each key once, after those that it rests on: they are told in this order.
    package let definitions: [Definition]
    /// Each name once, sorted by it.
    package let segments: [FlagDefinition.Member]
    package init(
      commit: CommitID, author: String, definitions: [Definition], segments: [FlagDefinition.Member] = []
    ) {
      self.commit = commit
      self.author = author
      self.definitions = definitions
      self.segments = segments
    }
  }

  package struct Definition: Codable, Equatable, Sendable {
    package let key: FlagKey
    package let file: String
    /// In the file; nil when it is not known.
    package let line: Int?
    package let definition: FlagDefinition
    package init(key: FlagKey, file: String, line: Int? = nil, definition: FlagDefinition) {
      self.key = key
      self.file = file
      self.line = line
      self.definition = definition
    }
    var entry: Entry { Entry(key: key, hash: definition.hash, file: file) }
  }

  /// Faults that are kept; the log of whoever mends them is their terminal.
  package static let faultLimit = 20

  // MARK: Inputs

  package enum Input: Codable, Equatable, Sendable {
    /// Request: `settings` decides what plimsoll.yaml names.
    case configure(Policy)
    /// Request: plimsoll.yaml names it no more.
    case unconfigure
    /// The trunk is at this commit. It may come late.
    case trunkAt(CommitID)
    case found(Found)
    case faulty(commit: CommitID, sentences: [String])
    /// A flag may not become what was declared of it; it goes on trying.
    case refused(Unmet)
    /// It has become so by now.
    case met(FlagKey)
    case exhausted(EffectKey, why: String)
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key, why: why) }

  // MARK: Events

  package enum Event: DomainEvent {
    case configured(Policy)
    case closed
    case readingBegan(CommitID, at: Instant)
    /// New, or another definition than before. `Wiring` tells the flag.
    case declared(FeatureFlag.Declaration)
    /// The folder holds it no more. `Wiring` tells the flag.
    case undeclared(FlagKey, commit: CommitID)
    /// Other segments than before: all of them.
    case segmentsDeclared([FlagDefinition.Member], commit: CommitID)
    case settled(CommitID, flags: Int, at: Instant)
    case faulted(Fault)
    case refusalNoted(Unmet)
    case refusalEnded(FlagKey)

    package var name: String {
      switch self {
      case .configured: "configured"
      case .closed: "closed"
      case .readingBegan: "readingBegan"
      case .declared: "declared"
      case .undeclared: "undeclared"
      case .segmentsDeclared: "segmentsDeclared"
      case .settled: "settled"
      case .faulted: "faulted"
      case .refusalNoted: "refusalNoted"
      case .refusalEnded: "refusalEnded"
      }
    }
  }

  // MARK: Effects

  package enum Effect: WantedEffect {
    /// By content: the folder as the commit has it.
    case read(CommitID, Policy)

    package var key: EffectKey {
      switch self {
      case .read(let commit, _): FlagFolder.readKey(commit)
      }
    }
    package var lane: Lane { .progress }
    /// Whoever cannot be reached is asked again; what cannot be used is an observation.
    package var retry: RetryBudget { .persistent }
  }

  /// Every segment that is served, sorted by name: of two folders that have one name the first by stream counts, and what
  /// a closed one left stands behind all that are named.
  package static func segments(of folders: [StreamID: State]) -> [FlagDefinition.Member] {
    let sorted = folders.sorted { $0.key < $1.key }.map(\.value)
    var seen: Set<String> = []
    return (sorted.flatMap(\.segments) + sorted.flatMap(\.kept)).filter { seen.insert($0.name).inserted }
      .sorted { $0.name < $1.name }
  }

  static func readKey(_ commit: CommitID) -> EffectKey { EffectKey("read \(commit.rawValue)") }

  package static func effects(of state: State) -> [Effect] {
    guard let policy = state.policy, case .reading(let commit) = state.phase else { return [] }
    return [.read(commit, policy)]
  }
}
