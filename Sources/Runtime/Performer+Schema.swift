import ControlPlane
import Foundation
import Kernel
import Migrations

/// Where no database is named.
package struct NoSchemaServer: SchemaServer {
  package init() {}
  private static let nothing = Outage(
    "schema server", "no database is named; add it to 'databases' in plimsoll.yaml and restart")

  package func migrations(in folder: String, layout: String?) async throws -> Digest { throw Self.nothing }
  package func statements(at path: String, version: Digest) async throws -> Digest { throw Self.nothing }
  package func survey(_ place: SchemaPlace) async throws(Outage) -> SchemaSurvey { throw Self.nothing }
  package func examine(_ question: SchemaQuestion) async throws -> SchemaExamination { throw Self.nothing }
  package func apply(_ order: MigrationOrder, fence: Fence) async throws(Outage) -> MigrationOutcome {
    throw Self.nothing
  }
  package func adopt(_ migrations: [MigrationMark], in place: SchemaPlace, fence: Fence) async throws(Outage)
    -> SchemaSurvey
  {
    throw Self.nothing
  }
  package func marks(of migrations: Digest) async throws(Outage) -> [MigrationMark] { throw Self.nothing }
}

extension Performer {
  /// A database is looked at this often. Whoever migrates looks again before, so this only finds what others changed.
  static let surveyInterval = Span.seconds(60)

  func perform(_ effect: DatabaseSchema.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .watch(let place): try await watch(place, errand)
    case .examine(let order):
      switch try await answer(to: order) {
      case .success(let answer):
        await errand.observe(
          .schema(.examined(number: order.number, answer.examination, migrations: answer.migrations)))
      case .failure(let refusal):
        await errand.observe(
          .schema(
            .unexaminable(number: order.number, why: refusal.sentence, ofPlace: refusal.kind == .notNow)))
      }
    case .migrate(let order, let number):
      let outcome = try await ports.schemas.apply(order, fence: errand.fence)
      await errand.observe(.schema(.migrated(number: number, outcome)))
    case .adopt(let adoption, let policy, let number):
      let ports = self.ports
      let found = try await SchemaLookup.refusable { lookup in
        try await lookup.marks(adoption, policy, ports)
      }
      switch found {
      case .success(let marks):
        let survey = try await ports.schemas.adopt(marks, in: policy.place, fence: errand.fence)
        await errand.observe(.schema(.adopted(number: number, survey, marks: marks)))
      case .failure(let refusal):
        await errand.observe(.schema(.unadoptable(number: number, why: refusal.sentence)))
      }
    }
  }

  private func watch(_ place: SchemaPlace, _ errand: Errand) async throws(Outage) {
    while !Task.isCancelled {
      let survey = try await ports.schemas.survey(place)
      // An equal one too: whether it is news is the machine's to say, which remembers what failed.
      if !Task.isCancelled { await errand.observe(.schema(.surveyed(survey))) }
      await sleep(until: .now + Self.surveyInterval)
    }
  }

  private func answer(to order: DatabaseSchema.ExamineOrder) async throws(Outage) -> Result<SchemaAnswer, Refusal> {
    let ports = self.ports
    return try await SchemaLookup.refusable { lookup in
      switch order.errand {
      case .ask(let ask): try await lookup.answer(ask, order, ports)
      case .review(let review): try await lookup.answer(review, order, ports)
      case .audit: try await lookup.audit(order, ports)
      }
    }
  }
}

/// What came of an examination, and the migrations that it was about.
struct SchemaAnswer: Sendable {
  let examination: SchemaExamination
  /// Nil for the schema as it is.
  let migrations: Digest?
}
