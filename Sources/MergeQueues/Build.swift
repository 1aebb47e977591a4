import Kernel

extension MergeQueue {
  /// One CI run over a set of entries merged onto the trunk, one after the other; only the tip is tested.
  ///
  /// ```
  ///             assembled             runBegan            runEnded
  ///   waiting ───────────▶ waiting ─────────────▶ running ─────────▶ passed ──▶ landed
  ///      │                (a slot)     ▲                   └───────▶ failed
  ///      └──▶ stuck (a member does not merge)                          │ another run
  ///                                    └───────────────────────────────┘
  /// ```
  /// Dropped at any time: a member left without landing, somebody else pushed to the trunk, or nobody wants it.
  package struct Build: Codable, Equatable, Sendable {
    package let id: Int
    package internal(set) var purpose: Plan.Purpose
    /// The probability that its outcome is needed, as the planner last said, 0 to 1.
    package internal(set) var worth: Double
    /// Entries in order of the line, those that landed since left out; never empty.
    package internal(set) var members: [Int]
    /// The trunk that it stands on; an older one when it is outdated.
    package internal(set) var base: CommitID
    /// One commit for each of the first members, each on the one before.
    package internal(set) var steps: Steps
    package internal(set) var phase: Phase
    /// What its runs saw; nil before the first.
    package internal(set) var subject: Subject?
    /// Runs of the subject that ended, oldest first.
    package internal(set) var runs: [Run]
    /// Runs begun, those of earlier subjects included: numbers them.
    package internal(set) var attempts: Int
    /// Members that landed since, in order.
    package internal(set) var landed: [Int]
    /// Landings that its runs did not see, each disjoint in lane from all of its members.
    package internal(set) var beside: [Int]
    /// The lanes of each member that its runs saw; nil for one of which they are not known.
    package internal(set) var lanes: [Lanes?]
    /// Members landed in another order than it was merged: only an equal tree makes its runs count.
    package internal(set) var isReordered: Bool
    /// We landed what it does not hold. What its runs say is evidence about its members, and nothing lands by it.
    package internal(set) var isOutdated: Bool
    package let plannedAt: Instant

    package enum Phase: Codable, Equatable, Sendable {
      /// Is being merged, or waits for a slot. Leaves to: `running`, `passed` (the tree is known), `stuck`.
      case waiting(since: Instant)
      /// Has a slot. Leaves to: `passed`, `failed`, `waiting` (the slot went to a more urgent one).
      case running(since: Instant)
      /// Leaves to: landed.
      case passed(at: Instant)
      /// Leaves to: `waiting` (another run is wanted).
      case failed(at: Instant)
      /// A member does not merge. Leaves to: dropped, by the next plan.
      case stuck(entry: Int, at: Instant)
    }

    init(_ planned: PlannedBuild, base: CommitID, steps: Steps, at: Instant) {
      id = planned.id
      purpose = planned.purpose
      worth = planned.worth
      members = planned.members
      self.base = base
      self.steps = steps
      phase = .waiting(since: at)
      subject = nil
      runs = []
      attempts = 0
      landed = []
      beside = []
      lanes = []
      isReordered = false
      isOutdated = false
      plannedAt = at
    }

    /// Evidence only: it has ended, and nothing can land by it.
    package var isPast: Bool { isOutdated && !isRunning }
    /// Whether it stays for what it tells of its members: where a later green may answer a red.
    func isEvidence(under policy: Policy) -> Bool {
      isOutdated && subject != nil && (isRunning || hasPassed || hasFailed) && policy.scheduling.isOptimistic
    }
    /// Every member is merged: the tip is what would land.
    package var isAssembled: Bool { steps.count == members.count }
    package var tip: Step? { isAssembled ? steps.last : nil }
    package var since: Instant {
      switch phase {
      case .waiting(let since), .running(let since): since
      case .passed(let at), .failed(let at), .stuck(_, let at): at
      }
    }
    package var isRunning: Bool { if case .running = phase { true } else { false } }
    package var isWaiting: Bool { if case .waiting = phase { true } else { false } }
    package var hasPassed: Bool { if case .passed = phase { true } else { false } }
    package var hasFailed: Bool { if case .failed = phase { true } else { false } }
    package var isStuck: Bool { if case .stuck = phase { true } else { false } }
    package var redRuns: Int { runs.count { !$0.isGreen } }

    /// The entry to merge next and the commit to merge it onto; nil when there is nothing to merge.
    var nextStep: (entry: Int, base: CommitID)? {
      guard !isStuck, !isOutdated, steps.count < members.count else { return nil }
      return (members[steps.count], steps.last?.commit ?? base)
    }

    /// Whether its tip is what its runs saw, or may differ from it.
    func isExact(under policy: Policy?) -> Bool { beside.isEmpty || !(policy?.strict ?? true) }

    /// Whether its tip may land: it stands on its own test, or differs from what was tested by disjoint landings only.
    var isProven: Bool {
      guard hasPassed, !isOutdated, let tip, let subject else { return false }
      return tip.tree == subject.tree || (!beside.isEmpty && !isReordered)
    }
  }

  /// A member's change on the one ahead of it, or on the trunk.
  package struct Step: Codable, Equatable, Sendable {
    package let entry: Int
    package let base: CommitID
    package let commit: CommitID
    package let tree: TreeID
    package init(entry: Int, base: CommitID, commit: CommitID, tree: TreeID) {
      self.entry = entry
      self.base = base
      self.commit = commit
      self.tree = tree
    }
  }

  /// Steps one on the other. Those that landed go from the beginning one by one, of every build that holds them: a slice
  /// lets them go without moving all others.
  package struct Steps: RandomAccessCollection, ExpressibleByArrayLiteral, Codable, Equatable, Sendable {
    private var steps: ArraySlice<Step>

    init(_ steps: some Sequence<Step>) { self.steps = ArraySlice(steps) }
    package init(arrayLiteral steps: Step...) { self.init(steps) }

    package var startIndex: Int { steps.startIndex }
    package var endIndex: Int { steps.endIndex }
    package subscript(place: Int) -> Step { steps[place] }

    mutating func append(_ step: Step) { steps.append(step) }
    mutating func removeFirst() { steps.removeFirst() }

    package init(from decoder: any Decoder) throws { self.init(try [Step](from: decoder)) }
    package func encode(to encoder: any Encoder) throws { try Array(steps).encode(to: encoder) }
  }

  /// What a run sees.
  package struct Subject: Codable, Equatable, Sendable {
    package let commit: CommitID
    package let tree: TreeID
    package init(commit: CommitID, tree: TreeID) {
      self.commit = commit
      self.tree = tree
    }
  }

  /// A run that came to an end of its own.
  package struct Run: Codable, Equatable, Sendable {
    package let number: Int
    package let end: RunEnd
    /// One line: how it ended and the last line of its output.
    package let reason: String
    package let log: Digest
    package let startedAt: Instant
    package let endedAt: Instant
    package init(number: Int, end: RunEnd, reason: String, log: Digest, startedAt: Instant, endedAt: Instant) {
      self.number = number
      self.end = end
      self.reason = reason
      self.log = log
      self.startedAt = startedAt
      self.endedAt = endedAt
    }
    package var isGreen: Bool { end == .exited(code: 0) }
  }

  /// A proposal that the machine took.
  package struct PlannedBuild: Codable, Equatable, Sendable {
    package let id: Int
    package let members: [Int]
    package let purpose: Plan.Purpose
    package let worth: Double
    package init(id: Int, members: [Int], purpose: Plan.Purpose, worth: Double) {
      self.id = id
      self.members = members
      self.purpose = purpose
      self.worth = worth
    }
  }

  /// A tree that passed under the present recipe.
  package struct PassedTree: Codable, Equatable, Sendable {
    package let tree: TreeID
    package let source: Source
    package let at: Instant
    package init(tree: TreeID, source: Source, at: Instant) {
      self.tree = tree
      self.source = source
      self.at = at
    }
    package enum Source: Codable, Equatable, Sendable {
      case run(build: Int, number: Int, log: Digest)
      /// Another's check of the name that `Policy.reusedCheck` trusts.
      case check(name: String, reporter: String, commit: CommitID)
    }
  }

  /// A member does not merge onto those ahead of it in a build, or is contained in them: undecided until they land.
  package struct Clash: Codable, Equatable, Sendable {
    package let entry: Int
    /// Those ahead that have not landed yet.
    package internal(set) var onto: [Int]
    /// All that were ahead.
    package let against: [Int]
    package let kind: Kind
    package let at: Instant
    package enum Kind: Codable, Equatable, Sendable {
      /// Paths sorted, at most `pathLimit`.
      case conflict(paths: [String], detail: String)
      case containment
    }
    package init(entry: Int, onto: [Int], kind: Kind, at: Instant) {
      self.entry = entry
      self.onto = onto
      against = onto
      self.kind = kind
      self.at = at
    }
  }

  /// Why a build, or in older histories a candidate, no longer holds.
  package enum DropCause: Codable, Equatable, Sendable {
    case trunkMoved(to: CommitID)
    /// It assumed this entry, which failed.
    case culprit(Int)
    /// It assumed this entry, which was withdrawn or replaced.
    case withdrawn(Int)
    /// The test command, the merge method or the message changed.
    case recipeChanged
    /// It assumed that this entry would not land, and it did.
    case landed(Int)
    /// Its members stand in another order now.
    case lineChanged
    /// A more urgent one needed its slot.
    case outranked(by: Int)
    /// More builds ended than are kept.
    case forgotten
  }
}
