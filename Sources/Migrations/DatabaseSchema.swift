import Kernel

/// One database in one environment: owns the order of its migrations, who lives on it, and how far a rollback may go.
///
/// ```
///            ask, review, audit            examined, to be applied          applied
///   idle ───────────────────────▶ examining ───────────────────▶ applying ────────▶ idle, granted
///    ▲ ▲                              │  ▲                          │ │
///    │ └──────────────────────────────┘  └──────────────────────────┘ │ drifted: judged anew
///    │    granted, refused, reviewed, audited                         └──▶ idle, refused (it failed)
///    ├──▶ adopting ── adopted ──▶ idle
///   any ── plimsoll.yaml names it no more ──▶ closed ── named again ──▶ idle
/// ```
///
/// A promotion *asks* before it asks an environment; what is granted belongs to the live set from that moment on, so that
/// nothing it needs is taken away before it arrives. A *review* is the merge queue's question about a change; an *audit*
/// judges all that lives on the schema as it is, after it moved without us.
package enum DatabaseSchema: Machine {
  package static var initial: State { State() }

  package struct State: Codable, Equatable, Sendable {
    /// Nil until configured.
    package var policy: Policy?
    package var phase: Phase = .idle
    /// Oldest first, each once; at most `reviewLimit` reviews.
    package var waiting: [Errand] = []
    /// Everything that is live, in flight or kept to be returned to, sorted by service and ordinal.
    package var versions: [LiveVersion] = []
    /// The schema as it was last seen; nil before the first look.
    package var survey: SchemaSurvey?
    /// How versions get on with schemas, the newest schema last; rows of versions that left are dropped.
    package var matrix: [MatrixRow] = []
    /// What delivery streams were told last, sorted by service; who was told of nothing is absent.
    package var told: [ToldBars] = []
    /// What was refused last and may be overridden; nil after the next grant.
    package var refused: RefusedAsk?
    package var override: Override?
    /// What was sent of versions, beside what their artifacts and commits hold: the latest last, each version once, at
    /// most `uploadLimit`.
    package var uploads: [Upload] = []
    /// Versions of which nothing is recorded and that a person let pass: until something is, or they leave.
    package var waived: [SchemaClient] = []
    /// As it was measured last; nil where it never was.
    package var coverage: SchemaCoverage?
    /// When that was; nil where it never was.
    package var coverageAt: Instant?
    /// Its promotion ended while its migrations were being applied: they are, and it gets no grant.
    package var abandoned: Ask?
    /// The schema was seen to change while an examination ran.
    package var movedMeanwhile = false
    /// Statements of who is judged that came while an examination ran, the latest of each version.
    package var heard: [Upload] = []
    /// How often an examination was begun anew because of such; nil when none was.
    package var restarts: Restarts?
    /// Newest first; at most `historyLimit`.
    package var history: [Change] = []
    /// Counts examinations: the next one's number.
    package var number = 1
    /// What the world keeps failing at; nil when all goes well.
    package var trouble: Trouble?
    /// Since when the schema is another than the last migration left; nil when it is that.
    package var drift: Drift?
    package init() {}
  }

  package indirect enum Phase: Codable, Equatable, Sendable {
    /// Leaves to: `examining` (something is asked), `adopting` (a person orders it), `closed`.
    case idle
    /// Leaves to: `idle` (answered), `applying` (to be applied), `examining` (the live set grew), `closed`.
    case examining(Errand, number: Int)
    /// Leaves to: `idle` (applied or failed), `examining` (the schema was another), `closed` (what the book names by then
    /// is applied).
    case applying(Ask, SchemaExamination, migrations: Digest, number: Int)
    /// The book is being written. Leaves to: `idle` (written), `closed`.
    case adopting(Adoption, number: Int)
    /// Leaves to: `idle` (named again).
    case closed
  }

  /// A version that lives on the schema.
  package struct LiveVersion: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let version: HeldVersion
    /// The blob of what it sends; nil until it was collected, and where there is nothing to collect.
    package var statements: Digest?
    /// Granted and not seen in its place yet.
    package var isGranted: Bool
    package init(service: ServiceName, version: HeldVersion, statements: Digest?, isGranted: Bool) {
      self.service = service
      self.version = version
      self.statements = statements
      self.isGranted = isGranted
    }
    package var client: SchemaClient {
      SchemaClient(service: service, digest: version.digest, commit: version.commit, statements: statements)
    }
  }

  /// What was recorded of a version and sent here, as by a sidecar.
  package struct Upload: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let digest: Digest
    /// The blob of the statement set: all that was sent of the version so far.
    package let statements: Digest
    package init(service: ServiceName, digest: Digest, statements: Digest) {
      self.service = service
      self.digest = digest
      self.statements = statements
    }
    func isOf(_ service: ServiceName, _ digest: Digest) -> Bool { self.service == service && self.digest == digest }
  }

  /// What is judged, and how often that was begun anew because new statements came.
  package struct Restarts: Codable, Equatable, Sendable {
    package let errand: Errand
    package let count: Int
    package init(errand: Errand, count: Int) {
      self.errand = errand
      self.count = count
    }
  }

  package struct MatrixRow: Codable, Equatable, Sendable {
    package let schema: Digest
    package let verdict: SchemaVerdict
    package init(schema: Digest, verdict: SchemaVerdict) {
      self.schema = schema
      self.verdict = verdict
    }
  }

  package struct ToldBars: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let bars: [SchemaBar]
    package init(service: ServiceName, bars: [SchemaBar]) {
      self.service = service
      self.bars = bars
    }
  }

  package struct RefusedAsk: Codable, Equatable, Sendable {
    package let ask: Ask
    package let examination: SchemaExamination
    package let why: String
    package let at: Instant
    package init(ask: Ask, examination: SchemaExamination, why: String, at: Instant) {
      self.ask = ask
      self.examination = examination
      self.why = why
      self.at = at
    }
  }

  /// A person takes the risk of exactly these migrations for exactly these versions.
  package struct Override: Codable, Equatable, Sendable {
    package let pending: [MigrationMark]
    /// Versions that are put at risk.
    package let atRisk: [SchemaClient]
    package let actor: String
    package let reason: String
    package let at: Instant
    /// Versions at risk of which nothing is recorded: they need not be taken again at each migration. Nil when there are
    /// none.
    package let waives: [SchemaClient]?
    /// Nil for one from before this was kept: then nobody knows what was read, and it takes nothing.
    package let read: Reading?
    package init(
      pending: [MigrationMark], atRisk: [SchemaClient], waives: [SchemaClient]? = nil, read: Reading?, actor: String,
      reason: String, at: Instant
    ) {
      self.pending = pending
      self.atRisk = atRisk
      self.waives = waives
      self.read = read
      self.actor = actor
      self.reason = reason
      self.at = at
    }

    /// What the person read, beside who is at risk.
    package struct Reading: Codable, Equatable, Sendable {
      /// What was judged.
      package let schema: Digest
      /// How dangerous the migration itself is.
      package let migration: SchemaFit
      /// Those at risk that break.
      package let breaks: [SchemaClient]
      package init(schema: Digest, migration: SchemaFit, breaks: [SchemaClient]) {
        self.schema = schema
        self.migration = migration
        self.breaks = breaks
      }
    }

    /// Whether it is about these migrations, on the schema that they were judged on then.
    func answers(_ examination: SchemaExamination) -> Bool {
      pending == examination.pending && read?.schema == examination.survey.schema
    }

    /// Whether somebody took the risk of this. A break is taken as it was read: neither for who was at risk of less, nor
    /// with what recordings told since.
    func takes(_ risk: SchemaVerdict) -> Bool {
      guard risk.fit == .breaks else { return atRisk.contains { $0.isSame(as: risk.client) } }
      return read?.breaks.contains { $0.isSame(as: risk.client) && $0.statements == risk.client.statements } ?? false
    }

    /// Whether somebody took what is dangerous about the migration itself: no more than was read.
    func takes(_ migration: SchemaFit) -> Bool { read.map { migration.weight <= $0.migration.weight } ?? false }
  }

  /// Migrations that were applied, or adopted.
  package struct Change: Codable, Equatable, Sendable {
    package let commit: CommitID
    package let title: String
    package let marks: [MigrationMark]
    package let before: Digest
    package let after: Digest
    /// The report that it was applied on; nil for an adoption.
    package let report: Digest?
    package let override: Override?
    package let at: Instant
    package init(
      commit: CommitID, title: String, marks: [MigrationMark], before: Digest, after: Digest, report: Digest?,
      override: Override?, at: Instant
    ) {
      self.commit = commit
      self.title = title
      self.marks = marks
      self.before = before
      self.after = after
      self.report = report
      self.override = override
      self.at = at
    }
  }

  package struct Drift: Codable, Equatable, Sendable {
    package let from: Digest
    package let to: Digest
    package let since: Instant
    package init(from: Digest, to: Digest, since: Instant) {
      self.from = from
      self.to = to
      self.since = since
    }
  }

  /// Changes kept in the state for pages; the ledger has them all.
  package static let historyLimit = 20
  /// Schemas of which verdicts are kept: the one that is, and those that it may come back to.
  package static let schemaLimit = 4
  /// Versions of which what was sent is kept: those that live here, and so many builds that have not come yet.
  package static let uploadLimit = 200
  /// An examination is begun anew for new statements so often; then it is judged with those that were there when it
  /// began last, and whether who sends more bears a migration cannot be told. A sidecar tells each minute, an examination
  /// takes seconds: three in a row say that it will not end soon.
  package static let restartLimit = 3
  /// A share that was measured longer ago says nothing of what is sent today: traffic has its day.
  package static let coverageAge = Span.seconds(86_400)
  /// The longest reason in an event, in characters.
  package static let reasonLimit = 300
}
