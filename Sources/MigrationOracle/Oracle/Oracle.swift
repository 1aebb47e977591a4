import Foundation
import Kernel
import Migrations

/// Judges a migration by running what the live versions send, on the schema before it and after it, in a shadow server.
///
/// L0 the migration runs on rows · L1 each statement parses · L2 it plans, with the application's rights · L3 writes are
/// executed and rolled back · L4 results keep their shape, and new code writes nothing that old code cannot read ·
/// L5 new statements on the old schema · L6 locks. See docs/migrations.md.
package struct Oracle: Sendable {
  private let server: ShadowServer
  private let histories: PreparedHistories
  private let readyClones: Int

  /// Histories that were built stay for later checks on the same server.
  /// - Parameter readyClones: copies made ahead after each check; 0 for a check that is the only one.
  package init(server: ShadowServer, readyClones: Int) {
    self.server = server
    self.readyClones = readyClones
    histories = PreparedHistories(server)
  }

  /// - Throws: `Refusal` when the named role does not exist, `Outage` when the shadow server fails. A migration or a
  ///   statement that fails is a finding.
  package func check(
    _ question: OracleQuestion, progress: @Sendable (String) -> Void = { _ in }
  ) async throws -> MigrationReport {
    var stopwatch = Stopwatch()
    progress("building the schema from \(question.history.count) migrations")
    let prepared = try await histories.prepare(question.history, role: question.role)
    stopwatch.lap("history")
    guard let role = prepared.role else { return Self.unbuilt(question, prepared, stopwatch) }
    progress("copying it")
    async let first = server.clone(of: prepared.database, mayBeUsed: true)
    async let second = server.clone(of: prepared.database)
    let (beforeName, afterName) = (try await first, try await second)
    let thirdName = question.replaysTraffic ? try await server.clone(of: prepared.database) : nil
    let taken = [beforeName, afterName] + [thirdName].compactMap { $0 }
    stopwatch.lap("shadow")
    let check = OracleCheck(
      question: question, prepared: prepared, role: role, before: server.address(of: beforeName),
      after: server.address(of: afterName), third: thirdName.map { server.address(of: $0) })
    do {
      let (report, isKept) = try await check.run(&stopwatch, progress)
      if isKept { await server.giveBack(beforeName, of: prepared.database) }
      await finish(isKept ? taken.filter { $0 != beforeName } : taken, prepared)
      return report
    } catch {
      await finish(taken, prepared)
      throw error
    }
  }

  /// Builds a history and copies it ahead of the first check.
  package func warmUp(history: [MigrationFile], role: String? = nil) async throws {
    let prepared = try await histories.prepare(history, role: role)
    await server.prepareClones(of: prepared.database, count: readyClones)
    await server.awaitClones(of: prepared.database)
  }

  /// The catalog that a history builds, for the static analysis; nil where it cannot be built.
  package func catalog(of history: [MigrationFile], role: String? = nil) async throws -> Migrations.Catalog? {
    let prepared = try await histories.prepare(history, role: role)
    return prepared.failure == nil ? Migrations.Catalog(prepared.schema) : nil
  }

  /// Drops the histories that were built, with their copies.
  package func forget() async { await histories.forget() }

  private func finish(_ databases: [String], _ prepared: PreparedHistory) async {
    // Not waited for: the caller has its answer, and the server drops them with itself at the latest.
    let (server, readyClones) = (server, readyClones)
    Task {
      for database in databases { await server.discard(database) }
      await server.prepareClones(of: prepared.database, count: readyClones)
    }
  }

  private static func unbuilt(
    _ question: OracleQuestion, _ prepared: PreparedHistory, _ stopwatch: Stopwatch
  ) -> MigrationReport {
    let finding = prepared.failure.map { OracleFindings.failure($0, ofHistory: true) }
    return MigrationReport(
      findings: [finding].compactMap { $0 } + OracleFindings.remarks(prepared.remarks, level: .apply),
      checked: question.old.map {
        MigrationReport.CheckedVersion(
          version: $0.version, statements: $0.statements.count, held: 0, broken: 0, brokenBefore: 0,
          undecided: $0.statements.count)
      }, migrations: question.migration.map(\.path), milliseconds: stopwatch.milliseconds)
  }
}

/// Milliseconds by part.
struct Stopwatch: Sendable {
  private(set) var milliseconds: [String: Int] = [:]
  private var last = ContinuousClock.now

  mutating func lap(_ part: String) {
    let now = ContinuousClock.now
    let elapsed = now - last
    milliseconds[part, default: 0] +=
      Int(elapsed.components.seconds) * 1000 + Int(elapsed.components.attoseconds / 1_000_000_000_000_000)
    last = now
  }
}
