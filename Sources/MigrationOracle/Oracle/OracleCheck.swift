import Kernel
import Migrations

/// One check: the schema before in one database, the migration applied in another, the statements in both.
struct OracleCheck: Sendable {
  let question: OracleQuestion
  let prepared: PreparedHistory
  let role: ApplicationRole
  /// Addresses of two copies of the history's database.
  let before: ServerAddress
  let after: ServerAddress
  /// Of a third one, where traffic is to be replayed.
  let third: ServerAddress?

  /// Longest that one statement on trial may take, in seconds: the shadow's tables have a few rows.
  static let trialSeconds = 10

  /// - Returns: also whether the database before is as it was, so that another check may use it.
  func run(
    _ stopwatch: inout Stopwatch, _ progress: @Sendable (String) -> Void
  ) async throws -> (report: MigrationReport, keepsBefore: Bool) {
    progress("applying the migration")
    let old = Candidate.all(of: question.old, on: prepared.schema, roles: role.recordable)
    let new = Candidate.all(
      of: question.new.map { [$0] } ?? [], on: prepared.schema, roles: role.recordable)
    // The control and the migration work on different databases: both cores are used.
    async let controlling = BlockingThread.run { try control(old, new) }
    let applied = try await BlockingThread.run { try applyMigration() }
    let controlled = try await controlling
    stopwatch.lap("apply")
    guard let schema = applied.schema else {
      return (report(applied, findings: [], checked: question.old.map { undecided($0) }, stopwatch), true)
    }
    progress("trying \(old.count) statements")
    let judged = try await BlockingThread.run { try judge(old, new, controlled, schema, thinnings: applied.thinnings) }
    stopwatch.lap("statements")
    var findings = judged.findings
    if let third {
      progress("sending the statements while the migration runs")
      let replay = TrafficReplay(
        database: third, migration: question.migration, lockTimeout: question.lockTimeout)
      findings += try await replay.run(judged.traffic).findings(judged.traffic, lockTimeout: question.lockTimeout)
      stopwatch.lap("locks")
    }
    return (
      report(applied, findings: findings, checked: judged.checked, stopwatch),
      judged.keepsBefore && applied.thinnings.isEmpty
    )
  }

  private func undecided(_ set: StatementSet) -> MigrationReport.CheckedVersion {
    MigrationReport.CheckedVersion(
      version: set.version, statements: set.statements.count, held: 0, broken: 0, brokenBefore: 0,
      undecided: set.statements.count)
  }

  private func report(
    _ applied: Applied, findings: [Finding], checked: [MigrationReport.CheckedVersion], _ stopwatch: Stopwatch
  ) -> MigrationReport {
    var all = findings + applied.findings + OracleFindings.remarks(prepared.remarks, level: .apply)
    if let failure = applied.failure { all.append(OracleFindings.failure(failure, ofHistory: false)) }
    all += OracleFindings.standing(checked) + OracleFindings.coverage(question) + OracleFindings.leftOut(question)
    if question.old.allSatisfy(\.statements.isEmpty) {
      all.append(
        Finding(
          .note, .parse, rule: "no-statements",
          "No version's statements were given, so only the migration itself was tried and analysed. Record them with"
            + " plimsoll db record, or name what is checked in."))
    }
    if !prepared.gaps.isEmpty {
      all.append(
        Finding(
          .note, .apply, rule: "tables-without-rows",
          "no row could be made up for \(prepared.gaps.joined(separator: "; "))"))
    }
    return MigrationReport(
      findings: all, checked: checked, migrations: question.migration.map(\.path), schemaBefore: prepared.hash,
      schemaAfter: applied.hash, locks: applied.locks, milliseconds: stopwatch.milliseconds)
  }

  // MARK: Before

  struct Control: Sendable {
    var old: [Trial.Outcome]
    var new: [Trial.Outcome]
    /// Statements of the new version that an old one sends too, by their place there: they are not tried again.
    var shared: [Int: Int]
    let trial: Handed
  }

  /// A trial that goes from the thread that made it to the next, and is never used by two at a time.
  final class Handed: @unchecked Sendable {
    let trial: Trial
    init(_ trial: Trial) { self.trial = trial }
  }

  private func control(_ old: [Candidate], _ new: [Candidate]) throws -> Control {
    let trial = try Trial(PostgresConnection(before, statementSeconds: Self.trialSeconds))
    let outcomes = try prepare(old, Array(old.indices), in: trial, as: role.tried)
    let places = Dictionary(old.indices.map { (old[$0].key, $0) }) { first, _ in first }
    var shared: [Int: Int] = [:]
    for index in new.indices {
      if let place = places[new[index].key], outcomes[place].error == nil { shared[index] = place }
    }
    let rest = new.indices.filter { shared[$0] == nil }
    let tried = try prepare(new, rest, in: Trial(beside: trial), as: [role.fallback ?? role.primary])
    var coming = new.indices.map { index in
      shared[index].map { outcomes[$0] } ?? Trial.Outcome(role: role.primary)
    }
    for (index, outcome) in zip(rest, tried) { coming[index] = outcome }
    return Control(old: outcomes, new: coming, shared: shared, trial: Handed(trial))
  }

  /// As the role of the recording, and as the next of `roles` what the one before may not do. A role that may not look
  /// into a schema does not find what lies there, so of a recording's role any error of names counts.
  private func prepare(
    _ candidates: [Candidate], _ indices: [Int], in trial: Trial, as roles: [String]
  ) throws -> [Trial.Outcome] {
    let first = candidates.map { $0.role ?? roles[0] }
    var outcomes = try trial.prepare(candidates, indices, roles: first)
    for next in roles {
      let denied = outcomes.indices.filter { place in
        guard let error = outcomes[place].error, outcomes[place].role != next else { return false }
        let isOfRecording = candidates[indices[place]].role == outcomes[place].role
        return error.sqlState == "42501" || (isOfRecording && error.category == "42")
      }
      let again = try trial.prepare(candidates, denied.map { indices[$0] }, roles: candidates.map { _ in next })
      for (place, outcome) in zip(denied, again) { outcomes[place] = outcome }
    }
    return outcomes
  }

  // MARK: The migration

  struct Applied: Sendable {
    var failure: MigrationApplier.Failure?
    var findings: [Finding]
    var locks: [MigrationReport.TakenLock]
    /// nil when the migration failed.
    var schema: Schema?
    var hash: String?
    /// `MigrationApplier.thinnings`
    var thinnings: [String] = []
  }

  private func applyMigration() throws -> Applied {
    let connection = try PostgresConnection(after)
    let trace = LockTrace(
      connection, before: prepared.schema, sizes: question.sizes, lockTimeout: question.lockTimeout)
    var applier = MigrationApplier(connection, relaxesSeededRows: true)
    applier.afterStatement = { try trace.note($0) }
    let failure = try applier.apply(question.migration)
    let findings = OracleFindings.remarks(applier.remarks, level: .apply) + trace.findings
    guard failure == nil else {
      return Applied(failure: failure, findings: findings, locks: trace.locks, schema: nil, hash: nil)
    }
    let schema = try SchemaReader.read(connection)
    return Applied(
      failure: nil, findings: findings, locks: trace.locks, schema: schema, hash: schema.hash,
      thinnings: applier.thinnings)
  }
}
