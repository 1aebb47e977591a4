import Kernel

/// What a planner knows of a queue at one moment: enough to say which builds are worth a slot, nothing more.
///
/// The machine makes one of its state, the trials make one of their model; both ask the same code.
package struct Situation: Equatable, Sendable {
  /// In the order in which they should land. Whoever landed or was ejected is not in it.
  package var items: [Item]
  /// Builds that still mean something: planned, running or ended, and none of their assumptions is refuted.
  package var builds: [KnownBuild]
  /// CI runs at once, 1 or more.
  package var slots: Int
  package var rates: FailureRates
  package var rules: SchedulingRules
  package var now: Instant

  package init(
    items: [Item], builds: [KnownBuild], slots: Int, rates: FailureRates, rules: SchedulingRules, now: Instant
  ) {
    self.items = items
    self.builds = builds
    self.slots = slots
    self.rates = rates
    self.rules = rules
    self.now = now
  }

  /// An entry, or a stack of entries that lands as a unit.
  package struct Item: Equatable, Sendable {
    /// The entry's id; the first member's for a stack.
    package let id: Int
    /// Ids of items ahead, in order, that it can affect or be affected by: all of them where lanes are off. A slice,
    /// because then those of all items are beginnings of one array.
    package let after: ArraySlice<Int>
    /// Tests on the trunk as it is, before its turn, beside the builds of others.
    package let isHotfix: Bool
    /// Before any build of it, 0 to 1: from the lane's rate, or the item's own history.
    package let passProbability: Double
    /// Of one build with it at the tip, seconds: median and the standard deviation of the logarithm.
    package let medianDuration: Double
    package let logDeviation: Double
    package let submittedAt: Instant

    package init(
      id: Int, after: [Int], isHotfix: Bool = false, passProbability: Double, medianDuration: Double,
      logDeviation: Double, submittedAt: Instant
    ) {
      self.init(
        id: id, after: after[...], isHotfix: isHotfix, passProbability: passProbability,
        medianDuration: medianDuration, logDeviation: logDeviation, submittedAt: submittedAt)
    }

    init(
      id: Int, after: ArraySlice<Int>, isHotfix: Bool, passProbability: Double, medianDuration: Double,
      logDeviation: Double, submittedAt: Instant
    ) {
      self.id = id
      self.after = after
      self.isHotfix = isHotfix
      self.passProbability = passProbability
      self.medianDuration = medianDuration
      self.logDeviation = logDeviation
      self.submittedAt = submittedAt
    }
  }

  /// One CI run over a set of items merged onto the trunk as it is now.
  package struct KnownBuild: Equatable, Sendable {
    /// Items in order of the line, those that landed since left out; never empty.
    package let members: [Int]
    package let state: State
    /// Runs of this very tree that ended red, this one included when it failed; content failures only.
    package let redRuns: Int
    /// Whether its tree is what the trunk would be if exactly its members landed. Nothing lands by one that is not, but
    /// for `Agreement.extremes`; it still tells of the members that are left. The machine may leave such builds out.
    package let isOnTrunk: Bool
    /// Somebody that can affect its tip landed since and was no member.
    package let lacksLanded: Bool
    /// A member was ejected since; `members` leaves it out.
    package let holdsEjected: Bool

    package enum State: Equatable, Sendable {
      case waiting
      case running(since: Instant)
      case passed
      /// Red as often as `redRuns` says; not running.
      case failed
    }

    /// One on an older trunk of which no more is said may lack and hold anybody.
    package init(
      members: [Int], state: State, redRuns: Int = 0, isOnTrunk: Bool = true, lacksLanded: Bool? = nil,
      holdsEjected: Bool? = nil
    ) {
      self.members = members
      self.state = state
      self.redRuns = redRuns
      self.isOnTrunk = isOnTrunk
      self.lacksLanded = lacksLanded ?? !isOnTrunk
      self.holdsEjected = holdsEjected ?? !isOnTrunk
    }
  }
}

/// Failure rates as measured on the queue's own history, each with its uncertainty in the count behind it.
package struct FailureRates: Codable, Equatable, Sendable {
  /// Share of changes that are bad by themselves, 0 to 1.
  package var change: Double
  /// Share of runs that go red without cause, 0 to 1.
  package var flake: Double
  /// Share of pairs that can affect each other and fail together though each passes alone, 0 to 1.
  package var conflict: Double
  /// Whether a change failed lately: failures cluster (research/merge-queue.md §0, finding 6).
  package var isClustered: Bool
  package init(change: Double, flake: Double, conflict: Double = 0, isClustered: Bool = false) {
    self.change = change
    self.flake = flake
    self.conflict = conflict
    self.isClustered = isClustered
  }
}

/// How builds may be chosen, from `plimsoll.yaml`; the defaults are those that the trials were run with.
package struct SchedulingRules: Codable, Equatable, Sendable {
  package enum Mode: String, Codable, Sendable, CaseIterable {
    /// By the measured rates: batches where they pay, one at a time where not.
    case auto
    /// One build at a time, of the head alone.
    case fifo
    /// One change a build, speculative.
    case speculate
    /// Batches of at most `batchLimit`.
    case batch
  }
  /// What a green build shows.
  package enum Proof: String, Codable, Sendable, CaseIterable {
    /// That all its members pass together: the check runs everything. They land together.
    case tree
    /// That its tip passes with the other members in: the check runs only what the tip affects. It lands the tip.
    case tip
  }
  /// When a tip lands though those ahead have not left, and no more is known of the very tree.
  package enum Agreement: String, Codable, Sendable, CaseIterable {
    /// When it was green with every choice of those ahead: each tree that can come of it was built.
    case every
    /// When it was green with none and with all of those that landed since or still may. So it passes with any of
    /// them: a change that repairs what two others break is not thought of. What is red with no more than landed is bad.
    case extremes
  }
  package var mode: Mode
  package var proof: Proof
  package var agreement: Agreement
  /// Expected wait that one more build must save to pass over items ahead, seconds; 0 takes every chance.
  package var bypassSeconds: Double
  /// Share of the slots that builds to pass over others leave free, 0 to 1.
  package var bypassReserve: Double
  /// Items in one build at most, 1 or more.
  package var batchLimit: Int
  /// A build is worth a slot when the probability that its outcome is needed is at least this.
  package var threshold: Double
  /// Items ahead that may be passed over when every outcome agrees, 0 (never) to 3.
  package var bypassDepth: Int
  /// A later green that contains an item that was red counts for it.
  package var isOptimistic: Bool
  /// An item is ejected when the probability that it is bad has reached this, below 1.
  package var ejectionConfidence: Double
  package init(
    mode: Mode, batchLimit: Int, threshold: Double, bypassDepth: Int, isOptimistic: Bool, ejectionConfidence: Double,
    proof: Proof = .tree, agreement: Agreement = .every, bypassSeconds: Double = 600, bypassReserve: Double = 0.2
  ) {
    self.bypassReserve = bypassReserve
    self.mode = mode
    self.proof = proof
    self.agreement = agreement
    self.bypassSeconds = bypassSeconds
    self.batchLimit = batchLimit
    self.threshold = threshold
    self.bypassDepth = bypassDepth
    self.isOptimistic = isOptimistic
    self.ejectionConfidence = ejectionConfidence
  }
}
