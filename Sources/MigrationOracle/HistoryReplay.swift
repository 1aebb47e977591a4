import Kernel
import Migrations

/// A whole history judged again, migration by migration, each as if it were about to be applied while the version that
/// ran then is live: what the oracle is worth on a repository, before it guards one.
package struct HistoryReplay: Sendable {
  /// Migrations in the order of their tool; the first only builds the schema.
  package var history: [MigrationFile]
  /// Statement sets, each with the place in `history` of the first migration that is judged with it, in that order.
  package var sets: [(from: Int, set: StatementSet)]
  package var role: String?

  package init(history: [MigrationFile], sets: [(from: Int, set: StatementSet)], role: String? = nil) {
    self.history = history
    self.sets = sets.sorted { $0.from < $1.from }
    self.role = role
  }

  package struct Step: Codable, Equatable, Sendable {
    /// Its place in the history, from 1.
    package var number: Int
    package var migration: String
    package var milliseconds: Int
    package var report: MigrationReport
  }

  /// - Parameter told: each step as it is judged.
  /// - Throws: as `Oracle.check`; a migration or statement that fails is a finding of its step.
  package func run(on server: ShadowServer, told: (Step) -> Void) async throws -> [Step] {
    var steps: [Step] = []
    for place in history.indices.dropFirst() where !history[place].statements.isEmpty {
      let oracle = Oracle(server: server, readyClones: 0)
      let question = OracleQuestion(
        history: Array(history[..<place]), migration: [history[place]],
        old: sets.last { $0.from <= place }.map { [$0.set] } ?? [], role: role)
      let began = ContinuousClock.now
      let report = try await MigrationCheck(question).run(with: oracle)
      let took = (ContinuousClock.now - began).components
      let step = Step(
        number: place + 1, migration: history[place].path,
        milliseconds: Int(took.seconds) * 1000 + Int(took.attoseconds / 1_000_000_000_000_000), report: report)
      told(step)
      steps.append(step)
      await oracle.forget()
    }
    return steps
  }
}
