// Databases, their migrations and who lives on them. All instants are milliseconds since 1970 UTC.

/// `GET /v1/schemas`
public struct SchemasView: Codable, Equatable, Sendable {
  /// Sorted by environment and database.
  public var schemas: [SchemaView]
  public init(schemas: [SchemaView]) { self.schemas = schemas }
}

/// `GET /v1/schemas/{environment}/{database}`
public struct SchemaView: Codable, Equatable, Sendable {
  public var environment: String
  public var database: String
  public var repository: String
  /// The folder of migrations in the checkout.
  public var migrations: String
  /// `idle`, `examining`, `applying`, `adopting`, `closed`.
  public var phase: String
  /// What is so now, in one or two sentences.
  public var sentence: String
  /// The schema's digest, how many migrations its book names, and the last of them; nil before the first look.
  public var schema: String?
  public var applied: Int?
  public var last: String?
  /// A migration that was begun and not ended.
  public var unfinished: String?
  /// Promotions and reviews that wait.
  public var waiting: Int
  /// Sorted by service and age, oldest first.
  public var versions: [SchemaVersionView]
  /// What was refused last; nil after the next grant.
  public var refused: SchemaRefusalView?
  public var override: SchemaOverrideView?
  /// Newest first, at most 20.
  public var history: [SchemaChangeView]
  /// How far back each service may go on the schema as it is, sorted by service.
  public var floors: [SchemaFloorView]
  /// As it was measured last; nil where `coverage` is not asked, or was not measured yet.
  public var coverage: SchemaCoverageView?
  public init(
    environment: String, database: String, repository: String, migrations: String, phase: String, sentence: String,
    schema: String?, applied: Int?, last: String?, unfinished: String?, waiting: Int, versions: [SchemaVersionView],
    refused: SchemaRefusalView?, override: SchemaOverrideView?, history: [SchemaChangeView],
    floors: [SchemaFloorView] = [], coverage: SchemaCoverageView? = nil
  ) {
    self.environment = environment
    self.database = database
    self.repository = repository
    self.migrations = migrations
    self.phase = phase
    self.sentence = sentence
    self.schema = schema
    self.applied = applied
    self.last = last
    self.unfinished = unfinished
    self.waiting = waiting
    self.versions = versions
    self.refused = refused
    self.override = override
    self.history = history
    self.floors = floors
    self.coverage = coverage
  }
}

/// How far back a service may go on a schema.
public struct SchemaFloorView: Codable, Equatable, Sendable {
  public var service: String
  /// The oldest kept version from which on none would fail; nil when not even the newest would do.
  public var commit: String?
  public var digest: String?
  /// Commits of kept versions that would fail, oldest first.
  public var barred: [String]
  public init(service: String, commit: String?, digest: String?, barred: [String]) {
    self.service = service
    self.commit = commit
    self.digest = digest
    self.barred = barred
  }
}

/// How much of what a database is really sent was recorded of the versions that live on it.
public struct SchemaCoverageView: Codable, Equatable, Sendable {
  /// Of the executions that the database counted, 0 to 1.
  public var share: Double
  /// The least that is asked.
  public var least: Double
  /// Different statements that the database counted, and how many of them were never recorded.
  public var counted: Int
  public var unrecorded: Int
  /// The most frequent that were never recorded; at most 5.
  public var examples: [String]
  /// It is measured when something is examined. A share that is older than a day says nothing of today.
  public var measuredAtMs: Int64?
  public init(
    share: Double, least: Double, counted: Int, unrecorded: Int, examples: [String], measuredAtMs: Int64? = nil
  ) {
    self.share = share
    self.least = least
    self.counted = counted
    self.unrecorded = unrecorded
    self.examples = examples
    self.measuredAtMs = measuredAtMs
  }
}

/// A version that lives on a schema, or may come to.
public struct SchemaVersionView: Codable, Equatable, Sendable {
  public var service: String
  public var digest: String
  public var commit: String
  /// `granted`, `serving`, `rollingOut`, `target`.
  public var standing: String
  /// Whether it is known what it sends.
  public var recorded: Bool
  /// On the schema as it is: `compatible`, `hazard`, `unknown`, `breaks`; nil when it was not judged.
  public var fit: String?
  /// Empty when there is nothing to say.
  public var why: String
  public init(
    service: String, digest: String, commit: String, standing: String, recorded: Bool, fit: String?, why: String
  ) {
    self.service = service
    self.digest = digest
    self.commit = commit
    self.standing = standing
    self.recorded = recorded
    self.fit = fit
    self.why = why
  }
}

/// A version that may not come, and why.
public struct SchemaRefusalView: Codable, Equatable, Sendable {
  public var service: String
  public var commit: String
  public var title: String
  public var why: String
  /// Migrations that it brings.
  public var pending: [String]
  /// The blob of the whole report, for `GET /v1/logs/{digest}`.
  public var report: String
  /// Versions that live there and that its migrations would fail, endanger, or leave in doubt.
  public var atRisk: [SchemaVersionView]
  /// How far back each service could still go once they were applied, sorted by service.
  public var floors: [SchemaFloorView]
  public var atMs: Int64
  public init(
    service: String, commit: String, title: String, why: String, pending: [String], report: String,
    atRisk: [SchemaVersionView] = [], floors: [SchemaFloorView] = [], atMs: Int64
  ) {
    self.service = service
    self.commit = commit
    self.title = title
    self.why = why
    self.pending = pending
    self.report = report
    self.atRisk = atRisk
    self.floors = floors
    self.atMs = atMs
  }
}

/// A risk that a person takes: these migrations, for these versions.
public struct SchemaOverrideView: Codable, Equatable, Sendable {
  public var actor: String
  public var reason: String
  public var pending: [String]
  /// `harbor 0123456789`, each.
  public var atRisk: [String]
  public var atMs: Int64
  public init(actor: String, reason: String, pending: [String], atRisk: [String], atMs: Int64) {
    self.actor = actor
    self.reason = reason
    self.pending = pending
    self.atRisk = atRisk
    self.atMs = atMs
  }
}

/// Migrations that were applied, or adopted.
public struct SchemaChangeView: Codable, Equatable, Sendable {
  public var commit: String
  public var title: String
  public var migrations: [String]
  /// The schema's digest, before and after.
  public var before: String
  public var after: String
  /// The blob of the report that they were applied on; nil for an adoption.
  public var report: String?
  public var override: SchemaOverrideView?
  public var atMs: Int64
  public init(
    commit: String, title: String, migrations: [String], before: String, after: String, report: String?,
    override: SchemaOverrideView?, atMs: Int64
  ) {
    self.commit = commit
    self.title = title
    self.migrations = migrations
    self.before = before
    self.after = after
    self.report = report
    self.override = override
    self.atMs = atMs
  }
}

/// `POST /v1/schemas/{environment}/{database}/override`
public struct SchemaOverrideRequest: Codable, Hashable, Sendable {
  /// What was refused last, or its first digits: who overrides has read why.
  public var commit: String
  public var reason: String
  public init(commit: String, reason: String) {
    self.commit = commit
    self.reason = reason
  }
}

/// `POST /v1/schemas/{environment}/{database}/adopt`
public struct SchemaAdoptionRequest: Codable, Hashable, Sendable {
  /// Whose migrations, all of its digits; the trunk's when left out.
  public var commit: String?
  /// The last migration that the database has; none of them when left out.
  public var through: String?
  public var reason: String
  public init(commit: String? = nil, through: String? = nil, reason: String) {
    self.commit = commit
    self.through = through
    self.reason = reason
  }
}
