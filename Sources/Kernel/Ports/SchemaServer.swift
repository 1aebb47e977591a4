/// A database as one environment has it.
package struct SchemaPlace: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
  package let environment: EnvironmentName
  package let database: DatabaseName
  package init(_ environment: EnvironmentName, _ database: DatabaseName) {
    self.environment = environment
    self.database = database
  }
  /// "production/orders".
  package var description: String { "\(environment)/\(database)" }
  package static func < (left: SchemaPlace, right: SchemaPlace) -> Bool {
    (left.environment, left.database) < (right.environment, right.database)
  }
}

/// A migration by its name in the folder and the hash of its text: a text that changed is another migration.
package struct MigrationMark: Codable, Hashable, Sendable {
  package let name: String
  package let content: Digest
  package init(name: String, content: Digest) {
    self.name = name
    self.content = content
  }
}

/// A migration as it is applied, whatever layout it came from.
package struct MigrationText: Codable, Equatable, Sendable {
  /// The path below the folder of migrations.
  package let name: String
  package let text: String
  /// False where the layout's marker or a statement such as `CREATE INDEX CONCURRENTLY` forbids a transaction.
  package let isTransactional: Bool
  package init(name: String, text: String, isTransactional: Bool) {
    self.name = name
    self.text = text
    self.isTransactional = isTransactional
  }
}

/// A database's schema as it was found.
package struct SchemaSurvey: Codable, Equatable, Sendable {
  /// Of the catalog without Plimsoll's own book: equal for equal schemas.
  package let schema: Digest
  /// How many migrations the database's book names.
  package let applied: Int
  /// The last of them; nil when there is none.
  package let last: MigrationMark?
  /// A migration that was begun outside a transaction and not ended: part of it may be there.
  package let unfinished: String?
  /// Indexes that a CREATE INDEX CONCURRENTLY left invalid when it failed, as SQL names them, sorted, at most
  /// `invalidLimit`; nil where there is none. One that is being built is none of them.
  package let invalidIndexes: [String]?
  package let at: Instant
  package init(
    schema: Digest, applied: Int, last: MigrationMark?, unfinished: String? = nil, invalidIndexes: [String]? = nil,
    at: Instant
  ) {
    self.schema = schema
    self.applied = applied
    self.last = last
    self.unfinished = unfinished
    self.invalidIndexes = invalidIndexes
    self.at = at
  }
}

extension SchemaSurvey {
  package static let invalidLimit = 20
  /// What is wrong with its indexes and what mends it, in one sentence; nil when nothing is.
  package var invalidWords: String? {
    guard let names = invalidIndexes, let first = names.first else { return nil }
    let (subject, verb) = names.count == 1 ? ("The index \(first)", "is") : ("\(names.count) indexes", "are")
    return "\(subject) \(verb) invalid\(names.count == 1 ? "" : " (\(names.joined(separator: ", ")))"), left by a "
      + "CREATE INDEX CONCURRENTLY that failed: writes pay for it and no read uses it; run DROP INDEX CONCURRENTLY "
      + "\(first), or REINDEX INDEX CONCURRENTLY \(first) to have it."
  }
}

/// A version that sends statements to the database.
package struct SchemaClient: Codable, Hashable, Sendable {
  package let service: ServiceName
  package let digest: Digest
  package let commit: CommitID
  /// The blob of what it sends; nil when that is not known.
  package let statements: Digest?
  package init(service: ServiceName, digest: Digest, commit: CommitID, statements: Digest?) {
    self.service = service
    self.digest = digest
    self.commit = commit
    self.statements = statements
  }
}

/// How a version gets on with a schema.
package enum SchemaFit: String, Codable, Sendable, CaseIterable {
  case compatible
  /// Nothing fails, and something may go wrong all the same.
  case hazard
  /// Nobody can tell: nothing was recorded, or could not be run.
  case unknown
  case breaks
}

/// A version and a schema, and why they do not get on.
package struct SchemaVerdict: Codable, Equatable, Sendable {
  package let client: SchemaClient
  package let fit: SchemaFit
  /// One sentence of at most `reasonLimit` characters; empty when they are compatible.
  package let why: String
  package init(_ client: SchemaClient, _ fit: SchemaFit, why: String = "") {
    self.client = client
    self.fit = fit
    self.why = why.onOneLine(upTo: Self.reasonLimit)
  }
  package static let reasonLimit = 300
}

/// How much of what a database is really sent was recorded of the versions that live on it.
package struct SchemaCoverage: Codable, Equatable, Sendable {
  /// Of the executions that the database counted, the share whose statement was recorded, 0 to 1.
  package let share: Double
  /// The least share that is asked.
  package let least: Double
  /// How many different statements the database counted, and how many of them were never recorded.
  package let counted: Int
  package let unrecorded: Int
  /// The most frequent that were never recorded, at most `shownLimit`, each on one line.
  package let examples: [String]
  package init(share: Double, least: Double, counted: Int, unrecorded: Int, examples: [String]) {
    self.share = share
    self.least = least
    self.counted = counted
    self.unrecorded = unrecorded
    self.examples = examples.prefix(Self.shownLimit).map { $0.onOneLine(upTo: Self.exampleLimit) }
  }
  package var isEnough: Bool { share >= least }
  package static let shownLimit = 5
  package static let exampleLimit = 120
}

/// What is asked of a schema server: may these migrations be applied while these versions live?
package struct SchemaQuestion: Equatable, Sendable {
  package let place: SchemaPlace
  /// The blob of all migrations of the commit in order, `[MigrationText]` as JSON; nil: the schema as it is.
  package let migrations: Digest?
  /// The blob of the migrations that are taken as applied, for a change that is not landed; nil: what the database's
  /// book says.
  package let base: Digest?
  /// Everything that is live, in flight, or kept as a rollback target.
  package let versions: [SchemaClient]
  package let coming: SchemaClient?
  /// Of what the database is really sent, the least share, 0 to 1, that must have been recorded of the versions; nil
  /// where that is not asked.
  package let leastCoverage: Double?
  package init(
    place: SchemaPlace, migrations: Digest?, base: Digest? = nil, versions: [SchemaClient], coming: SchemaClient?,
    leastCoverage: Double? = nil
  ) {
    self.place = place
    self.migrations = migrations
    self.base = base
    self.versions = versions
    self.coming = coming
    self.leastCoverage = leastCoverage
  }
}

package struct SchemaExamination: Codable, Equatable, Sendable {
  /// What it was judged against.
  package let survey: SchemaSurvey
  /// What is not applied yet, in order.
  package let pending: [MigrationMark]
  /// The schema's hash once they are applied; the survey's own when nothing is pending.
  package let after: Digest
  /// Whether the migrations can be applied at all, what is dangerous about them by nature, and whom they hold up.
  package let migration: SchemaFit
  /// One sentence; empty when it is compatible.
  package let why: String
  /// Every version of the question on the schema after each of them, the worst, in the question's order: each is a
  /// transaction of its own.
  package let verdicts: [SchemaVerdict]
  /// The version to come on the schema after them.
  package let coming: SchemaVerdict?
  /// Whether the version to come runs on the schema as it is.
  package let comingBefore: SchemaFit?
  /// The blob of the whole report, `MigrationReport` as JSON.
  package let report: Digest
  /// Nil where it was not asked, or could not be measured.
  package let coverage: SchemaCoverage?
  package init(
    survey: SchemaSurvey, pending: [MigrationMark], after: Digest, migration: SchemaFit, why: String,
    verdicts: [SchemaVerdict], coming: SchemaVerdict?, comingBefore: SchemaFit?, report: Digest,
    coverage: SchemaCoverage? = nil
  ) {
    self.survey = survey
    self.pending = pending
    self.after = after
    self.migration = migration
    self.why = why.onOneLine(upTo: SchemaVerdict.reasonLimit)
    self.verdicts = verdicts
    self.coming = coming
    self.comingBefore = comingBefore
    self.report = report
    self.coverage = coverage
  }

  /// Of everybody, the version to come last.
  package var everyVerdict: [SchemaVerdict] { verdicts + (coming.map { [$0] } ?? []) }
}

/// Migrations that were judged on one schema, to be applied to that and no other.
package struct MigrationOrder: Codable, Equatable, Sendable {
  package let place: SchemaPlace
  /// The blob of all migrations, `[MigrationText]` as JSON.
  package let migrations: Digest
  package let pending: [MigrationMark]
  /// The schema's hash when they were judged.
  package let on: Digest
  package init(place: SchemaPlace, migrations: Digest, pending: [MigrationMark], on: Digest) {
    self.place = place
    self.migrations = migrations
    self.pending = pending
    self.on = on
  }
}

package enum MigrationOutcome: Codable, Equatable, Sendable {
  /// The book names them all now (also when it did before: the call may be repeated).
  case applied(SchemaSurvey)
  /// The schema is another than was judged: nothing was applied.
  case drifted(SchemaSurvey)
  /// The migration of this name failed; those before it are applied, and what `survey.unfinished` names may be in part.
  case failed(name: String, why: String, SchemaSurvey)
}

/// The databases of the environments, and a shadow of each to try migrations on.
package protocol SchemaServer: Sendable {
  /// By content: the migrations of a checked-out folder, as a blob of `[MigrationText]`.
  /// - Parameter layout: its name; nil to find it out.
  /// - Throws: `Refusal` for a folder or a file that cannot be read, with file and line.
  func migrations(in folder: String, layout: String?) async throws -> Digest
  /// By content: the statements that a file or a folder records, as a blob of a statement set.
  /// - Throws: `Refusal` for what cannot be read, with file and line.
  func statements(at path: String, version: Digest) async throws -> Digest
  /// By lookup.
  func survey(_ place: SchemaPlace) async throws(Outage) -> SchemaSurvey
  /// By lookup; it changes nothing but the shadow. Seconds.
  /// - Throws: `Refusal` when the question cannot be answered because of the migrations themselves: one that was
  ///   applied has changed, or a database that has tables and no book.
  func examine(_ question: SchemaQuestion) async throws -> SchemaExamination
  /// By key: what the book names is not applied again. The fence lives in the book.
  func apply(_ order: MigrationOrder, fence: Fence) async throws(Outage) -> MigrationOutcome
  /// By content: the book says from now on that exactly these migrations are applied. Nothing is run.
  func adopt(_ migrations: [MigrationMark], in place: SchemaPlace, fence: Fence) async throws(Outage) -> SchemaSurvey
  /// Of a blob of migrations, in order.
  func marks(of migrations: Digest) async throws(Outage) -> [MigrationMark]
}
