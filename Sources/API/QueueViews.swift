/// `GET /v1/queues/{repository}`
public struct QueueView: Codable, Equatable, Sendable {
  public var repository: String
  public var trunk: String
  public var head: String?
  public var headline: String
  /// CI runs at once.
  public var slots: Int
  /// `auto`, `fifo`, `speculate`, `batch`.
  public var mode: String
  /// What keeps the whole queue from building or landing; nil while nothing does.
  public var hold: QueueHoldView?
  /// In order of the line.
  public var entries: [EntryView]
  /// CI runs that are planned, under way or ended and still evidence, in order of worth.
  public var builds: [QueueBuildView]
  /// Newest first; at most 50.
  public var finished: [FinishedView]
  public var troubles: [String]
  public init(
    repository: String, trunk: String, head: String?, headline: String, slots: Int, mode: String,
    hold: QueueHoldView?, entries: [EntryView], builds: [QueueBuildView], finished: [FinishedView],
    troubles: [String]
  ) {
    self.repository = repository
    self.trunk = trunk
    self.head = head
    self.headline = headline
    self.slots = slots
    self.mode = mode
    self.hold = hold
    self.entries = entries
    self.builds = builds
    self.finished = finished
    self.troubles = troubles
  }
}

/// A pause, a drain or a freeze window.
public struct QueueHoldView: Codable, Equatable, Sendable {
  /// `paused`, `draining`, `frozen`.
  public var kind: String
  public var actor: String
  public var reason: String
  public var sinceMs: Int64
  /// Nil until somebody ends it.
  public var untilMs: Int64?
  public init(kind: String, actor: String, reason: String, sinceMs: Int64, untilMs: Int64?) {
    self.kind = kind
    self.actor = actor
    self.reason = reason
    self.sinceMs = sinceMs
    self.untilMs = untilMs
  }
}

/// One CI run over a set of entries merged onto the trunk.
public struct QueueBuildView: Codable, Equatable, Sendable {
  public var build: Int
  /// In order of the line.
  public var members: [Int]
  /// Entries ahead of its last member that it leaves out: assumed to be ejected, or passed over.
  public var without: [Int]
  /// `head`, `speculation`, `alternative`, `bypass`, `search`, `retry`, `hotfix`.
  public var purpose: String
  /// `merging`, `waiting`, `running`, `passed`, `failed`, `conflicted`.
  public var state: String
  public var sinceMs: Int64
  /// `GET /v1/logs/{digest}` of its last run.
  public var log: String?
  /// What it assumes and what its outcome would mean.
  public var sentence: String
  public init(
    build: Int, members: [Int], without: [Int], purpose: String, state: String, sinceMs: Int64, log: String?,
    sentence: String
  ) {
    self.build = build
    self.members = members
    self.without = without
    self.purpose = purpose
    self.state = state
    self.sinceMs = sinceMs
    self.log = log
    self.sentence = sentence
  }
}

public struct EntryView: Codable, Equatable, Sendable {
  public var entry: Int
  public var branch: String
  public var head: String
  public var author: String
  public var title: String
  public var place: Int
  /// `hotfix`, `high`, `normal`, `low`.
  public var priority: String
  /// Names of the conflict lanes that it is in; empty while they are not known, or where lanes are off.
  public var lanes: [String]
  /// The entries that land with it as a unit, itself included, in order; empty when it stands alone.
  public var unit: [Int]
  /// `missing`, `held`, `waiting`, `merging`, `awaitingSlot`, `testing`, `passed`, `landing`, `undecided`.
  public var activity: String
  public var submittedAtMs: Int64
  public var sinceMs: Int64
  public var reason: String
  /// Where its time went so far, longest first; the parts sum to the whole.
  public var waits: [WaitView]
  /// Nil when nothing is known to forecast from.
  public var forecast: ForecastView?
  /// Nil while it moves as it should.
  public var stall: StallView?
  /// What was last said on the change itself; nil while nothing was.
  public var note: NoteView?
  /// What databases said of its migrations so far, sorted by place.
  public var reviews: [ReviewView]
  public init(
    entry: Int, branch: String, head: String, author: String, title: String, place: Int, priority: String,
    lanes: [String], unit: [Int], activity: String, submittedAtMs: Int64, sinceMs: Int64, reason: String,
    waits: [WaitView], forecast: ForecastView?, stall: StallView?, note: NoteView? = nil, reviews: [ReviewView] = []
  ) {
    self.entry = entry
    self.branch = branch
    self.head = head
    self.author = author
    self.title = title
    self.place = place
    self.priority = priority
    self.lanes = lanes
    self.unit = unit
    self.activity = activity
    self.submittedAtMs = submittedAtMs
    self.sinceMs = sinceMs
    self.reason = reason
    self.waits = waits
    self.forecast = forecast
    self.stall = stall
    self.note = note
    self.reviews = reviews
  }
}

/// What a database said of the migrations that a change brings.
public struct ReviewView: Codable, Equatable, Sendable {
  /// `production/orders`.
  public var place: String
  /// `compatible`, `hazard`, `unknown`, `breaks`.
  public var fit: String
  /// Whether the change may land as far as this database is concerned.
  public var passes: Bool
  /// Empty when there is nothing to say.
  public var why: String
  /// The blob of the whole report, for `GET /v1/logs/{digest}` and the page `/migrations/{digest}`; nil when the change
  /// has no migration, or could not be judged.
  public var report: String?
  public init(place: String, fit: String, passes: Bool, why: String, report: String?) {
    self.place = place
    self.fit = fit
    self.passes = passes
    self.why = why
    self.report = report
  }
}

/// One part of a wait.
public struct WaitView: Codable, Equatable, Sendable {
  /// `runningCI`, `waitingForSlot`, `behindPredecessor`, `bisecting`, `retrying`, `frozen`, `paused`, `missingCheck`,
  /// `externalReset` and what else `docs/merge-queue.md` lists.
  public var cause: String
  public var words: String
  public var ms: Int64
  public init(cause: String, words: String, ms: Int64) {
    self.cause = cause
    self.words = words
    self.ms = ms
  }
}

/// When an entry is expected to have landed; in 8 of 10 cases between the first and the last.
public struct ForecastView: Codable, Equatable, Sendable {
  public var earliestMs: Int64
  public var likelyMs: Int64
  public var latestMs: Int64
  public init(earliestMs: Int64, likelyMs: Int64, latestMs: Int64) {
    self.earliestMs = earliestMs
    self.likelyMs = likelyMs
    self.latestMs = latestMs
  }
}

/// Why an entry does not move, and what would help.
public struct StallView: Codable, Equatable, Sendable {
  public var cause: String
  public var sentence: String
  /// Sentences: which lever would have saved how much; empty under half an hour.
  public var levers: [String]
  public init(cause: String, sentence: String, levers: [String]) {
    self.cause = cause
    self.sentence = sentence
    self.levers = levers
  }
}

/// What is said of a change on the change itself: on its forge's page, or in a git note on its head.
public struct NoteView: Codable, Equatable, Sendable {
  /// A few lines.
  public var text: String
  /// When this became so.
  public var atMs: Int64
  /// `waiting`, `written`, `abandoned`.
  public var state: String
  public var writtenAtMs: Int64?
  /// Why it was given up.
  public var why: String?
  public init(text: String, atMs: Int64, state: String, writtenAtMs: Int64?, why: String?) {
    self.text = text
    self.atMs = atMs
    self.state = state
    self.writtenAtMs = writtenAtMs
    self.why = why
  }
}

public struct FinishedView: Codable, Equatable, Sendable {
  public var entry: Int
  public var branch: String
  public var author: String
  public var title: String
  /// `landed`, `ejected`, `withdrawn`.
  public var outcome: String
  public var sentence: String
  /// What it landed as.
  public var commit: String?
  /// `GET /v1/logs/{digest}`
  public var log: String?
  public var submittedAtMs: Int64
  public var atMs: Int64
  /// Where its time went, longest first; the parts sum to the whole. Empty for entries of earlier versions.
  public var waits: [WaitView]
  /// What databases said of its migrations, sorted by place.
  public var reviews: [ReviewView]
  public init(
    entry: Int, branch: String, author: String, title: String, outcome: String, sentence: String, commit: String?,
    log: String?, submittedAtMs: Int64, atMs: Int64, waits: [WaitView], reviews: [ReviewView] = []
  ) {
    self.entry = entry
    self.branch = branch
    self.author = author
    self.title = title
    self.outcome = outcome
    self.sentence = sentence
    self.commit = commit
    self.log = log
    self.submittedAtMs = submittedAtMs
    self.atMs = atMs
    self.waits = waits
    self.reviews = reviews
  }
}

/// `GET /v1/queues/{repository}/waits`
public struct QueueWaitsView: Codable, Equatable, Sendable {
  public var repository: String
  public var fromMs: Int64
  /// Not included.
  public var toMs: Int64
  /// What is measured, in words.
  public var definition: String
  /// What needs work, when half of all wait longer than they should.
  public var mark: String?
  /// Changes that landed before waits were recorded.
  public var unmeasured: Int
  /// All first, then lanes, services and teams, each by size; empty while nothing landed or left.
  public var groups: [WaitGroupView]
  public init(
    repository: String, fromMs: Int64, toMs: Int64, definition: String, mark: String?, unmeasured: Int,
    groups: [WaitGroupView]
  ) {
    self.repository = repository
    self.fromMs = fromMs
    self.toMs = toMs
    self.definition = definition
    self.mark = mark
    self.unmeasured = unmeasured
    self.groups = groups
  }
}

/// How long the changes of one group waited, from submission to landing or leaving, over the asked days.
public struct WaitGroupView: Codable, Equatable, Sendable {
  /// `all`, `lane NAME`, `service NAME`, `team NAME`.
  public var group: String
  public var count: Int
  public var p50Ms: Int64
  public var p95Ms: Int64
  public var p99Ms: Int64
  /// Where all of their time went, longest first.
  public var parts: [WaitView]
  public init(group: String, count: Int, p50Ms: Int64, p95Ms: Int64, p99Ms: Int64, parts: [WaitView]) {
    self.group = group
    self.count = count
    self.p50Ms = p50Ms
    self.p95Ms = p95Ms
    self.p99Ms = p99Ms
    self.parts = parts
  }
}
