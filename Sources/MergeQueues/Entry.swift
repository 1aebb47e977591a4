import Kernel

extension MergeQueue {
  /// Who goes first; within one, by submission.
  package enum Priority: String, Codable, Sendable, CaseIterable, Comparable {
    /// Tested on the trunk as it is, beside the builds of others, and landed before them.
    case hotfix
    case high, normal, low

    private var rank: Int {
      switch self {
      case .hotfix: 0
      case .high: 1
      case .normal: 2
      case .low: 3
      }
    }
    package static func < (left: Priority, right: Priority) -> Bool { left.rank < right.rank }
  }

  /// What never changes about an entry.
  package struct EntryFacts: Codable, Equatable, Sendable {
    package let id: Int
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    /// One line, at most `reasonLimit` characters.
    package let title: String
    package let submittedAt: Instant
    package let priority: Priority
    /// The author's team, for measures; nil when nobody said.
    package let team: String?
    /// Entries that it stands on, rising: it lands after or with them, never without.
    package let after: [Int]
    package init(
      id: Int, branch: BranchName, head: CommitID, author: String, title: String, submittedAt: Instant,
      priority: Priority = .normal, team: String? = nil, after: [Int] = []
    ) {
      self.id = id
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
      self.submittedAt = submittedAt
      self.priority = priority
      self.team = team
      self.after = after
    }

    private enum CodingKeys: String, CodingKey {
      case id, branch, head, author, title, submittedAt, priority, team, after
    }
    package init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      id = try values.decode(Int.self, forKey: .id)
      branch = try values.decode(BranchName.self, forKey: .branch)
      head = try values.decode(CommitID.self, forKey: .head)
      author = try values.decode(String.self, forKey: .author)
      title = try values.decode(String.self, forKey: .title)
      submittedAt = try values.decode(Instant.self, forKey: .submittedAt)
      // Entries of before there were priorities, teams and stacks have none.
      priority = try values.decodeIfPresent(Priority.self, forKey: .priority) ?? .normal
      team = try values.decodeIfPresent(String.self, forKey: .team)
      after = try values.decodeIfPresent([Int].self, forKey: .after) ?? []
    }
    package func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(id, forKey: .id)
      try values.encode(branch, forKey: .branch)
      try values.encode(head, forKey: .head)
      try values.encode(author, forKey: .author)
      try values.encode(title, forKey: .title)
      try values.encode(submittedAt, forKey: .submittedAt)
      if priority != .normal { try values.encode(priority, forKey: .priority) }
      try values.encodeIfPresent(team, forKey: .team)
      if !after.isEmpty { try values.encode(after, forKey: .after) }
    }
  }

  /// A change waiting in line. The evidence about it lives in builds.
  ///
  /// One reference wide: a turn copies the line, and 10,000 entries of fifteen references each would take longer than all
  /// the rest of it.
  package struct Entry: Codable, Equatable, Sendable {
    private var storage: Storage

    // Unchecked, because the compiler cannot see it: what is shared is never changed (`set`).
    private final class Storage: @unchecked Sendable {
      var content: Content
      init(_ content: Content) { self.content = content }
    }

    private struct Content: Codable, Equatable {
      let facts: EntryFacts
      var unit: Int
      var lanes: Lanes?
      var approvals: [String]
      var checks: [CheckResult]
      var reviews: [NotedReview]
      var reviewsAskedAt: Instant?
      var hasAll: Bool
      var targets: [String]?
      var waits: WaitBook
      var isOverdue: Bool
      var forecasts: [GivenForecast]
      var begunChecks: [BegunCheck]
      var note: Note?
      var noteFate: Note.Fate?
    }

    init(_ facts: EntryFacts) {
      storage = Storage(
        Content(
          facts: facts, unit: facts.id, lanes: nil, approvals: [], checks: [], reviews: [], reviewsAskedAt: nil,
          hasAll: true, targets: nil, waits: WaitBook(at: facts.submittedAt, cause: .waitingForSlot), isOverdue: false,
          forecasts: [], begunChecks: [], note: nil, noteFate: nil))
    }

    package init(from decoder: any Decoder) throws { storage = Storage(try Content(from: decoder)) }
    package func encode(to encoder: any Encoder) throws { try storage.content.encode(to: encoder) }
    package static func == (left: Entry, right: Entry) -> Bool {
      left.storage === right.storage || left.storage.content == right.storage.content
    }

    private mutating func set<Value>(_ field: WritableKeyPath<Content, Value>, _ value: Value) {
      if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.content) }
      storage.content[keyPath: field] = value
    }

    package var facts: EntryFacts { storage.content.facts }
    package var id: Int { storage.content.facts.id }
    package var priority: Priority { storage.content.facts.priority }
    /// As in its facts, all of which are dear to copy for each of a long line.
    var after: [Int] { storage.content.facts.after }

    /// As in its facts.
    var submittedAt: Instant { storage.content.facts.submittedAt }

    /// Whether it has what policy requires; kept by `evolve`, because each turn asks it of all in line.
    package internal(set) var hasAll: Bool {
      get { storage.content.hasAll }
      set { set(\.hasAll, newValue) }
    }

    /// Whether it lacks any of these.
    func lacks(_ needed: Policy.Requirements) -> Bool {
      if storage.content.approvals.count < needed.approvals { return true }
      for name in needed.checks where !storage.content.checks.hasPassed(name, at: storage.content.facts.head) {
        return true
      }
      for place in needed.schemas
      where !storage.content.reviews.contains(where: { $0.place == place && $0.review.passes }) {
        return true
      }
      return false
    }

    /// Whether its book is at this cause already.
    func waits(for cause: WaitCause, detail: String?) -> Bool {
      storage.content.waits.cause == cause && storage.content.waits.detail == detail
    }

    /// The first member of its stack, which lands as a unit; itself when it stands alone.
    package internal(set) var unit: Int {
      get { storage.content.unit }
      set { set(\.unit, newValue) }
    }
    /// Which lanes it is in; nil until it was looked at, and until then it may affect all.
    package internal(set) var lanes: Lanes? {
      get { storage.content.lanes }
      set { set(\.lanes, newValue) }
    }
    /// Who approves of its head, sorted.
    package internal(set) var approvals: [String] {
      get { storage.content.approvals }
      set { set(\.approvals, newValue) }
    }
    /// What others reported, oldest first.
    package internal(set) var checks: [CheckResult] {
      get { storage.content.checks }
      set { set(\.checks, newValue) }
    }
    /// What databases say of its migrations, sorted by place, one of each that is required.
    package internal(set) var reviews: [NotedReview] {
      get { storage.content.reviews }
      set { set(\.reviews, newValue) }
    }
    /// When they were last asked, for one that was in line by then; nil for who was asked about as it came.
    package internal(set) var reviewsAskedAt: Instant? {
      get { storage.content.reviewsAskedAt }
      set { set(\.reviewsAskedAt, newValue) }
    }
    /// Build targets or packages that it affects, as reported, sorted; nil until they are.
    package internal(set) var targets: [String]? {
      get { storage.content.targets }
      set { set(\.targets, newValue) }
    }
    /// What it waited for since it was submitted, and what it waits for now.
    package internal(set) var waits: WaitBook {
      get { storage.content.waits }
      set { set(\.waits, newValue) }
    }
    /// It was told that it waits longer than `Policy.longestWait`.
    package internal(set) var isOverdue: Bool {
      get { storage.content.isOverdue }
      set { set(\.isOverdue, newValue) }
    }
    /// What it could be told of its landing, at most one of each crowd.
    package internal(set) var forecasts: [GivenForecast] {
      get { storage.content.forecasts }
      set { set(\.forecasts, newValue) }
    }
    /// Required checks of others that run now, in the order in which they began.
    package internal(set) var begunChecks: [BegunCheck] {
      get { storage.content.begunChecks }
      set { set(\.begunChecks, newValue) }
    }
    /// The last note on it; nil before the first.
    package internal(set) var note: Note? {
      get { storage.content.note }
      set { set(\.note, newValue) }
    }
    /// What became of that note; nil while the forge has not answered.
    package internal(set) var noteFate: Note.Fate? {
      get { storage.content.noteFate }
      set { set(\.noteFate, newValue) }
    }
  }
}
