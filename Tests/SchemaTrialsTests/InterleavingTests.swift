import Kernel
import SchemaTrials
import Simulator
import Testing

/// A few of the stories that `plimsoll accept --only interleavings` tells, on a PostgreSQL of their own. A story takes two
/// seconds on a quiet machine.
@Suite("Interleavings on a real PostgreSQL", .serialized)
struct InterleavingTests {
  @Test("no statement fails for the schema's sake, and no contract is refused wrongly")
  func seeds() async throws {
    try await withTrial { trial in
      for seed: UInt64 in [3, 10] {
        let told = try await trial.tell(seed)
        #expect(told.ok, "\(told.report)")
        #expect(told.met.examinations > 0 && told.met.story.sendings > 0, "nothing happened: \(told.met)")
        #expect(told.met.story.contracts > 0, "nothing was contracted: \(told.met)")
      }
    }
  }

  /// Each defect, the promise that it breaks, words that tell who saw it, and the seeds to look in. A server's code comes
  /// from a statement that was really sent or tried.
  private static let plants: [(Plant, Promise, words: String, seeds: [UInt64])] = [
    (.examinerBlind, .schemaServesAll, "SQLSTATE", [9, 13]), (.targetsUnjudged, .rollbackTargetsFit, "SQLSTATE", [8]),
    (.contractsFeared, .contractsPass, "breaks nobody", [2, 10]),
  ]

  @Test("a defect is seen by real statements, and a driver that is wrong by its difference")
  func defects() async throws {
    try await withTrial { trial in
      for (plant, promise, words, seeds) in Self.plants {
        var seen: [Violation] = []
        func isSeen() -> Bool { seen.contains { $0.promise == promise && $0.sentence.contains(words) } }
        for seed in seeds where !isSeen() { seen += try await trial.tell(seed, plant: plant).violations }
        #expect(isSeen(), "\(plant) was seen only as \(seen)")
      }
      let told = try await trial.tell(9) { BlindPeer(behind: $0) }
      #expect(
        told.violations.map(\.promise).contains(.modelHolds), "a blind driver was seen only as \(told.violations)")
    }
  }

  private func withTrial(_ work: (InterleavingTrial) async throws -> Void) async throws {
    let trial = try await InterleavingTrial.start()
    do {
      try await work(trial)
    } catch {
      await trial.stop()
      throw error
    }
    await trial.stop()
  }
}

/// A database whose driver finds that everybody bears everything.
private final class BlindPeer: SchemaPeer {
  private let real: any SchemaPeer
  init(behind real: any SchemaPeer) { self.real = real }

  func examine(_ question: PeerQuestion, at: Instant) throws(Outage) -> PeerAnswer {
    let answer = try real.examine(question, at: at)
    guard case .examined(let examination, let migrations) = answer else { return answer }
    return .examined(
      SchemaExamination(
        survey: examination.survey, pending: examination.pending, after: examination.after,
        migration: examination.migration, why: examination.why,
        verdicts: examination.verdicts.map { SchemaVerdict($0.client, .compatible) },
        coming: examination.coming.map { SchemaVerdict($0.client, .compatible) },
        comingBefore: examination.comingBefore, report: examination.report), migrations: migrations)
  }

  func survey(_ place: SchemaPlace, at: Instant) throws(Outage) -> SchemaSurvey { try real.survey(place, at: at) }
  func apply(_ order: MigrationOrder, fence: Fence, at: Instant) throws(Outage) -> MigrationOutcome? {
    try real.apply(order, fence: fence, at: at)
  }
  func adopt(
    _ chain: [PeerMigration], in place: SchemaPlace, fence: Fence, at: Instant
  ) throws(Outage) -> PeerAdoption? { try real.adopt(chain, in: place, fence: fence, at: at) }
  func alter(_ place: SchemaPlace, by steps: [SimulatedSchema.Step]) throws(Outage) {
    try real.alter(place, by: steps)
  }
  func send(_ statements: SimulatedStatements, to place: SchemaPlace) throws(Outage) -> String? {
    try real.send(statements, to: place)
  }
  func rehearse(_ trial: PeerTrial) throws(Outage) -> PeerTrial.Outcome { try real.rehearse(trial) }
}
