import API
import ControlPlane
import Foundation
import Hummingbird
import Kernel
import Migrations

/// Taking what was recorded of a version, as a sidecar sends it while it records.
///
/// Nothing is lost by sending it twice: what is known already makes no event, so that a request needs no name.
extension ChangingRoutes {
  /// Of one recording: what a recorder keeps at most.
  static let recordingLimit = 64 << 20
  static let recordingType = "application/jsonl"
  /// Two senders may join with the same blob; the second tries again, this often.
  private static let joinLimit = 10

  func addStatements(to router: some RouterMethods<BasicRequestContext>) {
    router.post("statements/:service/:digest") { request, context in
      try await record(request, Query(request, context))
    }
  }

  private func record(_ request: Request, _ query: Query) async throws -> Response {
    let service = try await lookup.service(query.path("service"))
    let digest = try await lookup.digest(query.path("digest"), of: service)
    let places = await backend.topology().databases.filter { policy in
      policy.services.contains { $0.service == service.name }
    }.map(\.place)
    guard !places.isEmpty else {
      throw Refusal(
        .notNow,
        "\(service.name) uses no database that plimsoll.yaml names: write 'database' in the service and restart.")
    }
    let actor = try actor(request)
    let statements = try await statements(of: digest, in: request)
    var events: [RecordedEvent<StreamEvent>] = []
    var overflow: Refused?
    for place in places {
      do {
        events += try await tell(place, statements, of: service.name, digest, actor: actor)
      } catch let refused as Refused {
        overflow = refused
        // Without a word of them the version would pass for one that sends no more than is known.
        let lost = StatementSet(
          version: statements.version, statements: [], leftOut: statements.statements.count + statements.leftOut)
        _ = try await tell(place, lost, of: service.name, digest, actor: actor)
      }
    }
    if let overflow { throw overflow }
    return try receipt(events)
  }

  private func statements(of digest: Digest, in request: Request) async throws -> StatementSet {
    let body = try await Answer.collected(
      request, type: Self.recordingType, limit: Self.recordingLimit,
      next: "record with --policy types, and look what makes so many statements differ")
    return try await backend.apart {
      guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
        throw Refusal(.malformed, "The body is no UTF-8 text: send a file that 'plimsoll db record' wrote.")
      }
      let decoder = JSONDecoder()
      let recording = try Recording(reading: text, at: "body") {
        try decoder.decode(RecordingLine.self, from: Data($0.utf8))
      }
      return try Self.statements(of: digest, recording)
    }
  }

  private static func statements(of digest: Digest, _ recording: Recording) throws(Refusal) -> StatementSet {
    try recording.mayLeave()
    if let said = Digest(rawValue: recording.heading.version), said != digest {
      throw Refusal(
        .malformed, "The recording is of \(said.short) and was sent for \(digest.short): name the digest that it is of."
      )
    }
    var set = recording.statementSet.withoutValues
    set.version = digest.rawValue
    return set
  }

  /// - Throws: `Refused` (413) where that is more than a place keeps of one version.
  private func tell(
    _ place: SchemaPlace, _ statements: StatementSet, of service: ServiceName, _ digest: Digest, actor: String
  ) async throws -> [RecordedEvent<StreamEvent>] {
    for attempt in 1... {
      let known = await held(service, digest, at: place)
      guard let joined = try await kept(statements, over: known), joined != known else { return [] }
      let input = DatabaseSchema.Input.record(
        DatabaseSchema.Upload(service: service, digest: digest, statements: joined), over: known)
      switch await backend.request(
        .schema(input), to: .schema(place), actor: actor, id: UUID().uuidString.lowercased(), lane: .progress)
      {
      case .accepted(let events): return events
      case .unavailable(let outage): throw outage
      case .refused(let refusal):
        let now = await held(service, digest, at: place)
        if now == known || attempt == Self.joinLimit { throw refusal }
      }
    }
    return []
  }

  private func kept(_ statements: StatementSet, over known: Digest?) async throws -> Digest? {
    do { return try await backend.keep(statements, over: known) } catch let refusal as Refusal
      where refusal == KeptStatements.tooMuch
    {
      throw Refused(status: .contentTooLarge, kind: "tooLarge", sentence: refusal.sentence)
    }
  }

  private func held(_ service: ServiceName, _ digest: Digest, at place: SchemaPlace) async -> Digest? {
    guard case .schema(let state)? = await backend.state(of: .schema(place)) else { return nil }
    return state.upload(of: service, digest)
  }
}

extension Lookup {
  /// Of what was built of the service, by its first digits.
  fileprivate func digest(_ text: String, of service: Topology.Service) async throws -> Digest {
    let built = await builds().filter { $0.order.service == service.name }.compactMap { $0.state.course?.digest }
    return try Self.digest(text, among: built, "artifact of \(service.name)")
  }
}
