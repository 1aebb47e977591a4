// Answers that hold lists, wrapped so that a later version can say more beside them.

/// `GET /v1/queues`
public struct QueuesView: Codable, Equatable, Sendable {
  /// Sorted by repository.
  public var queues: [QueueView]
  public init(queues: [QueueView]) { self.queues = queues }
}

/// `GET /v1/promotions`
public struct PromotionsView: Codable, Equatable, Sendable {
  /// Newest landing first.
  public var promotions: [PromotionView]
  public init(promotions: [PromotionView]) { self.promotions = promotions }
}

/// `GET /v1/rollouts/{service}/{environment}`
public struct RolloutsView: Codable, Equatable, Sendable {
  /// Newest first; at most 200.
  public var rollouts: [RolloutView]
  public init(rollouts: [RolloutView]) { self.rollouts = rollouts }
}

/// `GET /v1/artifacts`
public struct ArtifactsView: Codable, Equatable, Sendable {
  /// Newest landing first.
  public var artifacts: [ArtifactView]
  public init(artifacts: [ArtifactView]) { self.artifacts = artifacts }
}

/// `GET /v1/artifacts/{digest}`
public struct ArtifactView: Codable, Equatable, Sendable {
  public var digest: String
  public var service: String
  public var files: Int
  public var bytes: Int64
  /// The digest of the signed statement's referrer manifest.
  public var provenance: String
  /// Every landed commit that built to this digest, newest landing first.
  public var builds: [PromotionView]
  /// Where it is now.
  public var places: [PlaceView]
  public init(
    digest: String, service: String, files: Int, bytes: Int64, provenance: String, builds: [PromotionView],
    places: [PlaceView]
  ) {
    self.digest = digest
    self.service = service
    self.files = files
    self.bytes = bytes
    self.provenance = provenance
    self.builds = builds
    self.places = places
  }
}

/// What a digest is to one environment.
public struct PlaceView: Codable, Equatable, Sendable {
  public var service: String
  public var environment: String
  /// `serving`, `canary`, `kept` (a rollback may return to it), `condemned`.
  public var role: String
  public init(service: String, environment: String, role: String) {
    self.service = service
    self.environment = environment
    self.role = role
  }
}

/// `GET /v1/changes/{repository}/{entry}`
public struct ChangeView: Codable, Equatable, Sendable {
  public var repository: String
  public var entry: Int
  public var branch: String
  public var head: String
  public var author: String
  public var title: String
  public var submittedAtMs: Int64
  /// `waiting`, `landed`, `ejected`, `withdrawn`.
  public var outcome: String
  /// One sentence: why it waits, or what became of it.
  public var sentence: String
  /// What it landed as.
  public var commit: String?
  public var priority: String
  /// Whose change it is, for the measures; nil when nobody said.
  public var team: String?
  /// How it stands in the line; nil once it left.
  public var standing: EntryView?
  /// Where its time went, longest first; the parts sum to the whole.
  public var waits: [WaitView]
  /// Who approves of it as it was submitted, sorted.
  public var approvals: [String]
  /// What was reported of its checks.
  public var checks: [ReportedCheckView]
  /// What it lacks before it may be built, a clause each; empty once it left.
  public var missing: [String]
  /// Oldest first; at most 100.
  public var history: [HappeningView]
  /// One per service that builds the commit it landed as.
  public var promotions: [PromotionView]
  /// What was last said on the change itself; nil while nothing was.
  public var note: NoteView?
  /// What databases said of its migrations, sorted by place.
  public var reviews: [ReviewView]
  public init(
    repository: String, entry: Int, branch: String, head: String, author: String, title: String,
    submittedAtMs: Int64, outcome: String, sentence: String, commit: String?, priority: String, team: String?,
    standing: EntryView?, waits: [WaitView], approvals: [String], checks: [ReportedCheckView], missing: [String],
    history: [HappeningView], promotions: [PromotionView], note: NoteView? = nil, reviews: [ReviewView] = []
  ) {
    self.repository = repository
    self.entry = entry
    self.branch = branch
    self.head = head
    self.author = author
    self.title = title
    self.submittedAtMs = submittedAtMs
    self.outcome = outcome
    self.sentence = sentence
    self.commit = commit
    self.priority = priority
    self.team = team
    self.standing = standing
    self.waits = waits
    self.approvals = approvals
    self.checks = checks
    self.missing = missing
    self.history = history
    self.promotions = promotions
    self.note = note
    self.reviews = reviews
  }
}

/// A check of a change that ran elsewhere, as it was reported last.
public struct ReportedCheckView: Codable, Equatable, Sendable {
  public var name: String
  /// `pending`, `passed`, `failed`.
  public var state: String
  public var reporter: String
  public var commit: String
  public init(name: String, state: String, reporter: String, commit: String) {
    self.name = name
    self.state = state
    self.reporter = reporter
    self.commit = commit
  }
}

/// One thing that happened to a change.
public struct HappeningView: Codable, Equatable, Sendable {
  /// In the ledger.
  public var position: Int64
  public var atMs: Int64
  public var sentence: String
  /// `GET /v1/logs/{digest}`
  public var log: String?
  public init(position: Int64, atMs: Int64, sentence: String, log: String?) {
    self.position = position
    self.atMs = atMs
    self.sentence = sentence
    self.log = log
  }
}

/// `GET /v1/events`
public struct EventsView: Codable, Equatable, Sendable {
  /// Oldest first.
  public var events: [EventView]
  /// Give it as `after` to read on: a ledger position, or, when `stream` was given, that stream's version.
  public var next: Int64
  public init(events: [EventView], next: Int64) {
    self.events = events
    self.next = next
  }
}

/// `GET /v1/health`: 200 when well, 503 with the same body when not.
public struct HealthView: Codable, Equatable, Sendable {
  public var well: Bool
  public var version: String
  /// The ledger's last position.
  public var head: Int64
  /// One sentence each.
  public var troubles: [String]
  public init(well: Bool, version: String, head: Int64, troubles: [String]) {
    self.well = well
    self.version = version
    self.head = head
    self.troubles = troubles
  }
}
