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
  /// Two references wide: a turn copies those of many entries, and the content of one has twenty. What it waits for has
  /// one of its own, because that changes most often.
  package struct Entry: Codable, Equatable, Sendable {
    private var content: Shared<Content>
    private var book: Shared<WaitBook>

    private final class Shared<Value: Equatable & Sendable>: Sendable {
      let value: Value
      init(_ value: Value) { self.value = value }
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
      var isOverdue: Bool
      var forecasts: [GivenForecast]
      var begunChecks: [BegunCheck]
      var note: Note?
      var noteFate: Note.Fate?
    }

    init(_ facts: EntryFacts) {
      content = Shared(
        Content(
          facts: facts, unit: facts.id, lanes: nil, approvals: [], checks: [], reviews: [], reviewsAskedAt: nil,
          hasAll: true, targets: nil, isOverdue: false, forecasts: [], begunChecks: [], note: nil, noteFate: nil))
      book = Shared(WaitBook(at: facts.submittedAt, cause: .waitingForSlot))
    }

    private enum BookKeys: String, CodingKey { case waits }
    package init(from decoder: any Decoder) throws {
      content = Shared(try Content(from: decoder))
      book = Shared(try decoder.container(keyedBy: BookKeys.self).decode(WaitBook.self, forKey: .waits))
    }
    package func encode(to encoder: any Encoder) throws {
      try content.value.encode(to: encoder)
      var beside = encoder.container(keyedBy: BookKeys.self)
      try beside.encode(waits, forKey: .waits)
    }
    package static func == (left: Entry, right: Entry) -> Bool {
      (left.content === right.content || left.content.value == right.content.value)
        && (left.book === right.book || left.book.value == right.book.value)
    }

    private mutating func set<Value>(_ field: WritableKeyPath<Content, Value>, _ value: Value) {
      var changed = content.value
      changed[keyPath: field] = value
      content = Shared(changed)
    }

    package var facts: EntryFacts { content.value.facts }
    package var id: Int { content.value.facts.id }
    package var priority: Priority { content.value.facts.priority }
    /// As in its facts, all of which are dear to copy for each of a long line.
    var after: [Int] { content.value.facts.after }

    /// As in its facts.
    var submittedAt: Instant { content.value.facts.submittedAt }

    /// Whether it has what policy requires; kept by `evolve`, because each turn asks it of all in line.
    package internal(set) var hasAll: Bool {
      get { content.value.hasAll }
      set { set(\.hasAll, newValue) }
    }

    /// Whether it lacks any of these.
    func lacks(_ needed: Policy.Requirements) -> Bool {
      if content.value.approvals.count < needed.approvals { return true }
      for name in needed.checks where !content.value.checks.hasPassed(name, at: content.value.facts.head) {
        return true
      }
      for place in needed.schemas
      where !content.value.reviews.contains(where: { $0.place == place && $0.review.passes }) {
        return true
      }
      return false
    }

    /// Whether its book is at this cause already.
    func waits(for cause: WaitCause, detail: String?) -> Bool {
      book.value.cause == cause && book.value.detail == detail
    }

    /// The first member of its stack, which lands as a unit; itself when it stands alone.
    package internal(set) var unit: Int {
      get { content.value.unit }
      set { set(\.unit, newValue) }
    }
    /// Which lanes it is in; nil until it was looked at, and until then it may affect all.
    package internal(set) var lanes: Lanes? {
      get { content.value.lanes }
      set { set(\.lanes, newValue) }
    }
    /// Who approves of its head, sorted.
    package internal(set) var approvals: [String] {
      get { content.value.approvals }
      set { set(\.approvals, newValue) }
    }
    /// What others reported, oldest first.
    package internal(set) var checks: [CheckResult] {
      get { content.value.checks }
      set { set(\.checks, newValue) }
    }
    /// What databases say of its migrations, sorted by place, one of each that is required.
    package internal(set) var reviews: [NotedReview] {
      get { content.value.reviews }
      set { set(\.reviews, newValue) }
    }
    /// When they were last asked, for one that was in line by then; nil for who was asked about as it came.
    package internal(set) var reviewsAskedAt: Instant? {
      get { content.value.reviewsAskedAt }
      set { set(\.reviewsAskedAt, newValue) }
    }
    /// Build targets or packages that it affects, as reported, sorted; nil until they are.
    package internal(set) var targets: [String]? {
      get { content.value.targets }
      set { set(\.targets, newValue) }
    }
    /// What it waited for since it was submitted, and what it waits for now.
    package internal(set) var waits: WaitBook {
      get { book.value }
      set { book = Shared(newValue) }
    }
    /// It was told that it waits longer than `Policy.longestWait`.
    package internal(set) var isOverdue: Bool {
      get { content.value.isOverdue }
      set { set(\.isOverdue, newValue) }
    }
    /// What it could be told of its landing, at most one of each crowd.
    package internal(set) var forecasts: [GivenForecast] {
      get { content.value.forecasts }
      set { set(\.forecasts, newValue) }
    }
    /// Required checks of others that run now, in the order in which they began.
    package internal(set) var begunChecks: [BegunCheck] {
      get { content.value.begunChecks }
      set { set(\.begunChecks, newValue) }
    }
    /// The last note on it; nil before the first.
    package internal(set) var note: Note? {
      get { content.value.note }
      set { set(\.note, newValue) }
    }
    /// What became of that note; nil while the forge has not answered.
    package internal(set) var noteFate: Note.Fate? {
      get { content.value.noteFate }
      set { set(\.noteFate, newValue) }
    }
  }
}
