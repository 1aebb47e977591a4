import API
import Foundation
import Hummingbird
import Kernel
import Migrations

/// Databases: who lives on them, what was applied, and why a migration may not be.
extension Pages {
  func addSchemas(to router: WebRouter) {
    router.get("schemas") { _, _ in
      let views = await reader.lookup.schemas().map { Views.schema($0.1, $0.0) }
      return try page("Databases", "schemas", SchemasPage(views), here: "/schemas")
    }
    router.get("schemas/:environment/:database") { request, context in
      let query = Query(request, context)
      let (policy, state) = try await reader.lookup.schema(query.path("environment"), query.path("database"))
      let content = SchemaPage(Views.schema(state, policy), now: reader.now())
      return try page("\(policy.place.database) in \(policy.place.environment)", "schema", content)
    }
    router.get("migrations/:digest") { request, context in
      let digest = Query(request, context).path("digest")
      let bytes = try await reader.log(digest)
      guard let report = try? JSONDecoder().decode(MigrationReport.self, from: Data(bytes)) else {
        throw Refusal(
          .unknown, "\(Short.digest(digest)) is no report of a migration: see it as a log, /logs/\(digest).")
      }
      return try page("What a migration does", "findings", FindingsPage(report, digest: digest), isLive: false)
    }
  }
}

/// `/schemas`: every database of every environment, a row each.
struct SchemasPage: Sendable {
  let schemas: [Row]
  let hasSchemas: Bool

  struct Row: Sendable {
    let address: String
    let database: String
    let environment: String
    let badge: Badge
    let sentence: String
    let facts: String
  }

  init(_ views: [SchemaView]) {
    schemas = views.map { view in
      Row(
        address: "/schemas/\(Short.part(view.environment))/\(Short.part(view.database))", database: view.database,
        environment: view.environment, badge: SchemaPage.badge(view), sentence: view.sentence,
        facts: [
          view.applied.map { Words.count($0, "migration") }, view.last.map { "last \($0)" },
          Words.count(view.versions.count, "version"),
        ].compactMap(\.self).joined(separator: " · "))
    }
    hasSchemas = !views.isEmpty
  }
}

/// `/schemas/{environment}/{database}`: the matrix of who bears it, the last refusal, what was applied.
struct SchemaPage: Sendable {
  let database: String
  let environment: String
  let badge: Badge
  let sentence: String
  let schema: String?
  let applied: String?
  let source: String
  let refused: Refused?
  let override: Override?
  let versions: [Version]
  let hasVersions: Bool
  let history: [Change]
  let hasHistory: Bool
  let floors: [String]
  let hasFloors: Bool
  let coverage: Coverage?
  let ledger: String

  /// How much of what is really sent was recorded.
  struct Coverage: Sendable {
    let badge: Badge
    let sentence: String
    let examples: [String]
    let hasExamples: Bool

    init(_ view: SchemaCoverageView, now: Instant) {
      let measured = view.measuredAtMs.map(Instant.init(milliseconds:))
      let age = measured.map { " It was measured \(Words.relative($0, to: now))." } ?? ""
      guard let measured, now - measured <= DatabaseSchema.coverageAge else {
        badge = Badge(words: "not known today", tone: "waiting")
        sentence =
          "How much of what the database is sent was recorded is not known: it is measured when something is "
          + "examined, and that is more than a day ago.\(age)"
        examples = []
        hasExamples = false
        return
      }
      let isEnough = view.share >= view.least
      // Rounded down: what is not enough must not read like it.
      let share = Words.percent((view.share * 100).rounded(.down) / 100)
      badge = Badge(words: "\(share) recorded", tone: isEnough ? "good" : "waiting")
      let rest =
        view.unrecorded == 0
        ? "Everything that it counted was recorded."
        : "Of \(Words.count(view.counted, "different statement")), \(view.unrecorded) "
          + "\(view.unrecorded == 1 ? "was" : "were") never recorded."
      sentence =
        "The recordings of who lives here cover \(share) of what the database counted, and "
        + "\(Words.percent(view.least)) are asked for. \(rest)\(age)"
      examples = view.examples
      hasExamples = !view.examples.isEmpty
    }
  }

  struct Version: Sendable {
    let service: String
    let commit: String
    let artifact: String
    let standing: String
    let badge: Badge
    let why: String?
    /// Nil when what it sends is known.
    let unrecorded: String?
  }

  struct Refused: Sendable {
    let subject: String
    let why: String
    let pending: [String]
    let report: String
    let at: Moment
    let atRisk: [Version]
    let hasAtRisk: Bool
    /// What of the ways back would be left.
    let waysBack: [String]
    let hasWaysBack: Bool
    /// The command that takes the risk.
    let command: String
  }

  struct Override: Sendable {
    let words: String
    let at: Moment
  }

  struct Change: Sendable {
    let migrations: String
    let subject: String
    let commit: String
    let report: String?
    let override: String?
    let at: Moment
  }

  init(_ view: SchemaView, now: Instant) {
    database = view.database
    environment = view.environment
    badge = Self.badge(view)
    sentence = view.sentence
    schema = view.schema.map(Short.digest)
    applied = view.applied.map { Words.count($0, "migration") + (view.last.map { ", the last \($0)" } ?? "") }
    source = "\(view.migrations) of \(view.repository)"
    refused = view.refused.map { refused in
      Refused(
        subject: "\(refused.service) \(Short.commit(refused.commit)) \(refused.title)",
        why: Words.sentence(refused.why),
        pending: refused.pending, report: "/migrations/\(refused.report)", at: Moment(refused.atMs, now: now),
        atRisk: refused.atRisk.map(Self.version), hasAtRisk: !refused.atRisk.isEmpty,
        waysBack: refused.floors.map { Self.words($0, isComing: true) }, hasWaysBack: !refused.floors.isEmpty,
        command: "plimsoll migrate override \(view.environment)/\(view.database) --commit "
          + "\(Short.commit(refused.commit)) --reason …")
    }
    override = view.override.map {
      Override(
        words: "\($0.actor) takes the risk of \($0.pending.joined(separator: ", ")) for "
          + "\($0.atRisk.isEmpty ? "nobody" : $0.atRisk.joined(separator: ", ")): \(Words.closed($0.reason))",
        at: Moment($0.atMs, now: now))
    }
    versions = view.versions.map(Self.version)
    hasVersions = !view.versions.isEmpty
    history = view.history.map { change in
      Change(
        migrations: change.migrations.isEmpty ? "none" : change.migrations.joined(separator: ", "),
        subject: change.title, commit: Short.commit(change.commit), report: change.report.map { "/migrations/\($0)" },
        override: change.override.map { "by an override of \($0.actor): \(Words.closed($0.reason))" },
        at: Moment(change.atMs, now: now))
    }
    hasHistory = !view.history.isEmpty
    floors = view.floors.map { Self.words($0, isComing: false) }
    hasFloors = !floors.isEmpty
    coverage = view.coverage.map { Coverage($0, now: now) }
    ledger = "/ledger?stream=schema:\(Short.part(view.environment))/\(Short.part(view.database))"
  }

  /// - Parameter isComing: once the migrations that were refused were applied.
  private static func words(_ view: SchemaFloorView, isComing: Bool) -> String {
    let barred = view.barred.map(Short.commit).joined(separator: ", ")
    let reach =
      if let floor = view.commit.map(Short.commit) {
        isComing ? "could go back as far as \(floor) then" : "may go back as far as \(floor)"
      } else {
        isComing ? "could not go back at all then" : "cannot go back at all"
      }
    let fails = isComing ? "would fail" : view.barred.count == 1 ? "fails" : "fail"
    return "\(view.service) \(reach)" + (barred.isEmpty ? "." : "; \(barred) \(fails).")
  }

  private static func version(_ view: SchemaVersionView) -> Version {
    let standings = [
      "granted": "on its way", "serving": "serves", "rollingOut": "being rolled out", "target": "kept to go back to",
    ]
    return Version(
      service: view.service, commit: Short.commit(view.commit), artifact: "/artifacts/\(view.digest)",
      standing: standings[view.standing] ?? view.standing, badge: badge(fit: view.fit),
      why: view.why.isEmpty ? nil : view.why,
      unrecorded: view.recorded ? nil : "What it sends was not recorded.")
  }

  static func badge(fit: String?) -> Badge {
    switch fit {
    case "compatible": Badge(words: "bears it", tone: "good")
    case "hazard": Badge(words: "hazard", tone: "waiting")
    case "breaks": Badge(words: "fails on it", tone: "bad")
    case "unknown": Badge(words: "cannot be told", tone: "waiting")
    default: Badge(words: "not judged yet", tone: "calm")
    }
  }

  static func badge(_ view: SchemaView) -> Badge {
    if view.unfinished != nil { return Badge(words: "half applied", tone: "bad") }
    switch view.phase {
    case "examining": return Badge(words: "examining", tone: "moving")
    case "applying": return Badge(words: "migrating", tone: "moving")
    case "adopting": return Badge(words: "adopting", tone: "moving")
    case "closed": return Badge(words: "closed", tone: "calm")
    default:
      if view.refused != nil { return Badge(words: "refused", tone: "bad") }
      return view.versions.contains { $0.fit == "breaks" }
        ? Badge(words: "versions barred", tone: "waiting") : Badge(words: "at rest", tone: "good")
    }
  }
}

/// `/migrations/{digest}`: the migration's line, the statement that suffers and the reason, side by side.
struct FindingsPage: Sendable {
  let raw: String
  let badge: Badge
  let migrations: String
  let versions: [Version]
  let hasVersions: Bool
  let findings: [Row]
  let hasFindings: Bool
  let notes: [Row]
  let hasNotes: Bool
  let locks: [String]
  let hasLocks: Bool

  struct Version: Sendable {
    let version: String
    let words: String
  }

  struct Row: Sendable {
    let badge: Badge
    /// What meets what, where migration, statement and reason stand side by side below it; else the reason itself.
    let headline: String
    /// `db/0042.sql:3`, and the statement there; nil when no line did it.
    let migration: Side?
    /// The version that sends it, and the statement; nil when none was captured.
    let statement: Side?
    /// Beside the two; nil where one of them is missing.
    let reason: Side?
    let code: String?
    let instead: String?
  }

  struct Side: Sendable {
    let title: String
    let text: String
  }

  init(_ report: MigrationReport, digest: String) {
    raw = "/v1/logs/\(digest)"
    badge = Self.badge(report.verdict)
    migrations = report.migrations.isEmpty ? "the schema as it is" : report.migrations.joined(separator: ", ")
    versions = report.checked.map { checked in
      Version(
        version: Self.short(checked.version),
        words: "\(Words.count(checked.statements, "statement")): \(checked.held) held, \(checked.broken) broke, "
          + "\(checked.brokenBefore) failed before it, \(checked.undecided) cannot be told")
    }
    hasVersions = !report.checked.isEmpty
    let rows = report.findings.filter { $0.kind != .note }.map(Row.init)
    findings = rows
    hasFindings = !rows.isEmpty
    notes = report.findings.filter { $0.kind == .note }.map(Row.init)
    hasNotes = !notes.isEmpty
    locks = report.locks.map { lock in
      "\(lock.mode) on \(lock.table)" + (lock.rows.map { ", about \(Words.count($0, "row"))" } ?? "")
        + (lock.rewritten ? ", which is written anew" : "")
        + (lock.migration.map { " (\($0.file):\($0.line))" } ?? "")
    }
    hasLocks = !locks.isEmpty
  }

  fileprivate static func short(_ version: String) -> String {
    version.hasPrefix("sha256:") ? Short.digest(version) : version
  }

  private static func badge(_ verdict: MigrationReport.Verdict) -> Badge {
    switch verdict {
    case .compatible: Badge(words: "compatible", tone: "good")
    case .hazard: Badge(words: "hazard", tone: "waiting")
    case .inconclusive: Badge(words: "cannot be told", tone: "waiting")
    case .breaks: Badge(words: "breaks", tone: "bad")
    }
  }
}

extension FindingsPage.Row {
  fileprivate init(_ finding: Finding) {
    badge =
      switch finding.kind {
      case .note: Badge(words: "note", tone: "calm")
      case .hazard: Badge(words: "hazard", tone: "waiting")
      case .inconclusive: Badge(words: "cannot be told", tone: "waiting")
      case .breaks: Badge(words: "breaks", tone: "bad")
      }
    migration = finding.migration.map { FindingsPage.Side(title: "\($0.file):\($0.line)", text: $0.text) }
    statement = finding.statement.map { statement in
      let version = FindingsPage.short(statement.version)
      return FindingsPage.Side(
        title: statement.name.map { "\(version), \($0)" } ?? version, text: statement.text)
    }
    let code = finding.sqlState.map { "SQLSTATE \($0)" }
    if finding.kind != .note, let migration, let sender = finding.statement {
      let does =
        switch finding.kind {
        case .breaks: "breaks"
        case .hazard: "endangers"
        case .inconclusive, .note: "leaves in doubt"
        }
      headline = "\(migration.title) \(does) what \(FindingsPage.short(sender.version)) sends"
      reason = FindingsPage.Side(
        title: code.map { "Why, \($0)" } ?? "Why", text: Words.sentence(finding.message))
      self.code = nil
    } else {
      headline = Words.sentence(finding.message)
      reason = nil
      self.code = code
    }
    instead = finding.instead
  }
}
