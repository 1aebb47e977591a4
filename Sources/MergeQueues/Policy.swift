import Kernel

extension MergeQueue {
  /// How one branch's queue works, from `plimsoll.yaml`.
  package struct Policy: Codable, Equatable, Sendable {
    package let repository: RepositoryName
    /// The branch that entries land on.
    package let trunk: BranchName
    /// CI runs at once, 1 to `slotLimit`.
    package let slots: Int
    package let method: MergeMethod
    /// Placeholders as in `CandidateOrder`.
    package let messageTemplate: String
    /// The test, run by `/bin/sh -c` in a clean checkout of the candidate.
    package let command: String
    /// How long a test may run; running out is a failure with its own reason.
    package let timeLimit: Span
    /// Entries waiting at most, 1 to `capacityLimit`; a submission beyond it is refused.
    package let capacity: Int
    package let scheduling: SchedulingRules
    /// True: the trunk advances only to a tree that was tested exactly so. False: also to one that differs from a tested
    /// tree by landings that are disjoint in lane from all that was tested.
    package let strict: Bool
    /// What makes two changes affect each other; only where `strict` is off.
    package let lanes: LaneRules
    /// When nothing is built or landed.
    package let freezes: Freezes
    package var requirements: Requirements
    /// An entry that waits longer is told of, or leaves.
    package let longestWait: LongestWait?
    /// A check of this name that passed elsewhere on an equal tree counts as our own test.
    package let reusedCheck: String?
    /// A hotfix that finds all slots taken takes that of the least worthy build.
    package let hotfixesPreempt: Bool
    /// What holds a change up, and what became of it, is said on the change itself.
    package let notes: Bool

    /// What an entry needs before it may be built.
    package struct Requirements: Codable, Equatable, Sendable {
      /// People who approve of its head.
      package let approvals: Int
      /// Names of checks that must have passed on its head, sorted.
      package let checks: [String]
      /// Databases, as "production/orders", that must have let the migrations of its head pass, sorted.
      package let schemas: [String]
      package init(approvals: Int = 0, checks: [String] = [], schemas: [String] = []) {
        self.approvals = approvals
        self.checks = checks
        self.schemas = schemas
      }
      package static let none = Requirements()
      package var isEmpty: Bool { approvals == 0 && checks.isEmpty && schemas.isEmpty }

      private enum CodingKeys: String, CodingKey { case approvals, checks, schemas }
      package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        approvals = try values.decode(Int.self, forKey: .approvals)
        checks = try values.decode([String].self, forKey: .checks)
        // Configurations of before there were databases name none, and are written as they were.
        schemas = try values.decodeIfPresent([String].self, forKey: .schemas) ?? []
      }
      package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(approvals, forKey: .approvals)
        try values.encode(checks, forKey: .checks)
        if !schemas.isEmpty { try values.encode(schemas, forKey: .schemas) }
      }
    }

    package struct LongestWait: Codable, Equatable, Sendable {
      package let span: Span
      /// False: it is told of and stays.
      package let ejects: Bool
      package init(span: Span, ejects: Bool) {
        self.span = span
        self.ejects = ejects
      }
    }

    /// Two: the second entry is tested on top of the first while the first still runs (issue 2, "Merge queue, narrow").
    package static let defaultSlots = 2

    package init(
      repository: RepositoryName, trunk: BranchName, slots: Int = defaultSlots, method: MergeMethod,
      messageTemplate: String, command: String, timeLimit: Span, capacity: Int,
      scheduling: SchedulingRules = .usual, strict: Bool = true, lanes: LaneRules = .oneLane,
      freezes: Freezes = Freezes(), requirements: Requirements = .none, longestWait: LongestWait? = nil,
      reusedCheck: String? = nil, hotfixesPreempt: Bool = false, notes: Bool = false
    ) {
      self.repository = repository
      self.trunk = trunk
      self.slots = slots
      self.method = method
      self.messageTemplate = messageTemplate
      self.command = command
      self.timeLimit = timeLimit
      self.capacity = capacity
      self.scheduling = scheduling
      self.strict = strict
      self.lanes = lanes
      self.freezes = freezes
      self.requirements = requirements
      self.longestWait = longestWait
      self.reusedCheck = reusedCheck
      self.hotfixesPreempt = hotfixesPreempt
      self.notes = notes
    }

    /// Whether candidates made or tested under `other` are as good as under this policy.
    func hasRecipe(of other: Policy) -> Bool {
      method == other.method && messageTemplate == other.messageTemplate && command == other.command
    }

    /// Whether the paths of changes matter; where lanes are reported, for the barriers only.
    var wantsSurvey: Bool {
      switch lanes.division {
      case .none: false
      case .reported: !strict && !lanes.barriers.isEmpty
      case .directories, .named: !strict
      }
    }

    /// The freeze that is on at `now`; one that spares hotfixes only when no stricter one is on.
    func freeze(at now: Instant) -> Freeze? {
      guard let window = freezes.hold(at: now, isHotfix: true) ?? freezes.hold(at: now) else { return nil }
      return Freeze(
        reason: window.reason, since: now, until: freezes.thaw(after: now), sparesHotfixes: window.exception == .hotfix)
    }

    /// Builds that may be waiting or running at once.
    var buildLimit: Int { slots + lookahead }

    /// - Throws: `Refusal.malformed` for a number or command that cannot work.
    package func validate() throws(Refusal) {
      guard (1...slotLimit).contains(slots) else {
        throw Refusal(.malformed, "The queue of \(trunk) has \(slots) slots; set 1 to \(slotLimit).")
      }
      guard (1...capacityLimit).contains(capacity) else {
        throw Refusal(.malformed, "The queue of \(trunk) has a capacity of \(capacity); set 1 to \(capacityLimit).")
      }
      guard timeLimit > .zero else {
        throw Refusal(.malformed, "The test of \(trunk) has no time to run; set a time limit above zero.")
      }
      guard command.contains(where: { !$0.isWhitespace }) else {
        throw Refusal(.malformed, "The queue of \(trunk) has an empty test command; name the command to run.")
      }
      guard scheduling.batchLimit >= 1, (0.0...1.0).contains(scheduling.threshold),
        scheduling.ejectionConfidence > 0, scheduling.ejectionConfidence < 1
      else {
        throw Refusal(
          .malformed,
          "The queue of \(trunk) has a batch limit below 1, or a probability outside of 0 to 1; mend its scheduling.")
      }
      try lanes.validate()
      try freezes.validate()
      guard requirements.approvals >= 0 else {
        throw Refusal(.malformed, "The queue of \(trunk) requires \(requirements.approvals) approvals; set 0 or more.")
      }
      if let longestWait, longestWait.span <= .zero {
        throw Refusal(.malformed, "The longest wait of \(trunk) is no time at all; set one above zero.")
      }
    }
  }
}

extension SchedulingRules {
  /// What a queue does of which plimsoll.yaml says nothing: the very rules that `docs/queue-trials.md` measures.
  package static let usual = SchedulingRules(
    mode: .auto, batchLimit: 32, threshold: 0.1, bypassDepth: 0, isOptimistic: true, ejectionConfidence: 0.99)
}

extension MergeQueue.Policy {
  private enum CodingKeys: String, CodingKey {
    case repository, trunk, slots, method, messageTemplate, command, timeLimit, capacity
    case scheduling, strict, lanes, freezes, requirements, longestWait, reusedCheck, hotfixesPreempt, notes
  }

  // Configurations of before a key existed mean its default, and are written as they were.
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      repository: try values.decode(RepositoryName.self, forKey: .repository),
      trunk: try values.decode(BranchName.self, forKey: .trunk), slots: try values.decode(Int.self, forKey: .slots),
      method: try values.decode(MergeMethod.self, forKey: .method),
      messageTemplate: try values.decode(String.self, forKey: .messageTemplate),
      command: try values.decode(String.self, forKey: .command),
      timeLimit: try values.decode(Span.self, forKey: .timeLimit),
      capacity: try values.decode(Int.self, forKey: .capacity),
      scheduling: try values.decodeIfPresent(SchedulingRules.self, forKey: .scheduling) ?? .usual,
      strict: try values.decodeIfPresent(Bool.self, forKey: .strict) ?? true,
      lanes: try values.decodeIfPresent(LaneRules.self, forKey: .lanes) ?? .oneLane,
      freezes: try values.decodeIfPresent(Freezes.self, forKey: .freezes) ?? Freezes(),
      requirements: try values.decodeIfPresent(Requirements.self, forKey: .requirements) ?? .none,
      longestWait: try values.decodeIfPresent(LongestWait.self, forKey: .longestWait),
      reusedCheck: try values.decodeIfPresent(String.self, forKey: .reusedCheck),
      hotfixesPreempt: try values.decodeIfPresent(Bool.self, forKey: .hotfixesPreempt) ?? false,
      // Changes of before there were notes are not told of now.
      notes: try values.decodeIfPresent(Bool.self, forKey: .notes) ?? false)
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(repository, forKey: .repository)
    try values.encode(trunk, forKey: .trunk)
    try values.encode(slots, forKey: .slots)
    try values.encode(method, forKey: .method)
    try values.encode(messageTemplate, forKey: .messageTemplate)
    try values.encode(command, forKey: .command)
    try values.encode(timeLimit, forKey: .timeLimit)
    try values.encode(capacity, forKey: .capacity)
    if scheduling != .usual { try values.encode(scheduling, forKey: .scheduling) }
    if !strict { try values.encode(strict, forKey: .strict) }
    if lanes != .oneLane { try values.encode(lanes, forKey: .lanes) }
    if !freezes.windows.isEmpty { try values.encode(freezes, forKey: .freezes) }
    if !requirements.isEmpty { try values.encode(requirements, forKey: .requirements) }
    try values.encodeIfPresent(longestWait, forKey: .longestWait)
    try values.encodeIfPresent(reusedCheck, forKey: .reusedCheck)
    if hotfixesPreempt { try values.encode(hotfixesPreempt, forKey: .hotfixesPreempt) }
    if notes { try values.encode(notes, forKey: .notes) }
  }
}
