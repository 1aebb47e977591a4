import ControlPlane
import Foundation
import Kernel
import Measures
import MergeQueues
import Migrations
import Promotions
import Ramps
import Rollouts

@testable import Server

/// An in-memory Plimsoll made of the real machines and the real wiring: every state is what turns made of it.
actor ScriptedBackend: Backend {
  nonisolated let version = "0.1.0-test"
  var harbor: Harbor
  var logs: [Digest: [UInt8]] = [:]
  var statements: [Digest: [UInt8]] = [:]
  var outage: Outage?
  private var checkpointFailure: Outage?
  private var drawing: Outage?
  private(set) var drawnFrom: [UInt8] = []
  /// Decides, and says that it could not: what a sender meets when the answer is lost.
  var losesAnswers = false
  /// The last request, as it came.
  private(set) var asked: (actor: String, id: String, lane: Lane)?
  private var listeners: [UUID: AsyncStream<RecordedEvent<StreamEvent>>.Continuation] = [:]

  init(_ harbor: Harbor) { self.harbor = harbor }

  func topology() -> Topology { harbor.topology }
  func states(_ kind: StreamKind) -> [StreamStanding] {
    harbor.states.filter { $0.key.kind == kind }.sorted { $0.key < $1.key }
      .map { StreamStanding(stream: $0.key, state: $0.value) }
  }
  func state(of stream: StreamID) -> StreamState? { harbor.states[stream] }
  func troubles() -> ProcessTroubles {
    ProcessTroubles(outage: outage, checkpointFailure: checkpointFailure)
  }
  func address(_ service: ServiceName, _ environment: EnvironmentName) -> Int? { 18_080 }
  private var counting = EvidenceOrigin.log
  func count(by origin: EvidenceOrigin) { counting = origin }
  func origin(_ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span) -> EvidenceOrigin { counting }

  func request(_ input: StreamInput, to stream: StreamID, actor: String, id: String, lane: Lane)
    -> ControlPlane.Outcome
  {
    asked = (actor, id, lane)
    if let outage { return .unavailable(outage) }
    do {
      let events = try tell(stream, input, cause: .request(id: id), actor: actor)
      return losesAnswers ? .unavailable(Outage("script", "the answer was lost")) : .accepted(events: events)
    } catch let refusal as Refusal {
      return .refused(refusal)
    } catch {
      return .unavailable(Outage("script", "\(error)"))
    }
  }

  @discardableResult
  func tell(
    _ stream: StreamID, _ input: StreamInput, cause: Cause = .pulse, actor: String = "plimsoll"
  ) throws -> [RecordedEvent<StreamEvent>] {
    let before = harbor.events.count
    try harbor.tell(stream, input, cause: cause, actor: actor)
    let fresh = Array(harbor.events[before...])
    for event in fresh { for listener in listeners.values { listener.yield(event) } }
    return fresh.filter { $0.stream == stream }
  }

  func resolve(branch: BranchName, in repository: RepositoryName) throws -> ResolvedBranch {
    guard let found = harbor.branches.first(where: { $0.branch == branch }) else {
      throw Refusal(.unknown, "There is no branch \(branch): did you mean tide-table?")
    }
    return found
  }

  /// What was sent, by the digest that stands for it.
  private(set) var kept: [Digest: StatementSet] = [:]
  func keep(_ statements: StatementSet, over known: Digest?) throws -> Digest? {
    guard statements.statements.count <= StatementSet.maximalStatements else { throw KeptStatements.tooMuch }
    let held = known.flatMap { kept[$0] }
    guard let all = held.map({ $0.joined(by: statements) }) ?? statements,
      !all.statements.isEmpty || all.leftOut > 0
    else { return known }
    let blob = Harbor.digest("\(all.statements) \(all.leftOut)")
    kept[blob] = all
    return blob
  }
  nonisolated func apart<Answer: Sendable>(
    _ work: @escaping @Sendable () throws -> Answer
  ) async throws -> Answer {
    try work()
  }

  private var standing: FlagStanding?
  private var traffic: [UsualTraffic?] = []
  func clients(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) -> FlagStanding? { standing }
  func usualTraffic(of ramp: RampSource) -> [UsualTraffic?] { traffic }
  private var remarkable: [String] = []
  func remarks(of flag: FlagKey, in environment: EnvironmentName) -> [String] { remarkable }
  func setRemarks(_ remarks: [String]) { remarkable = remarks }
  func setClients(_ standing: FlagStanding?) { self.standing = standing }
  func setTraffic(_ traffic: [UsualTraffic?]) { self.traffic = traffic }

  func head() -> Position { Position(harbor.events.count) }
  func head(of stream: StreamID) -> Version { harbor.versions[stream] ?? 0 }
  func events(after position: Position, limit: Int) -> [RecordedEvent<StreamEvent>] {
    Array(harbor.events.dropFirst(Int(position)).prefix(limit))
  }
  func events(of stream: StreamID, after version: Version, limit: Int) -> [RecordedEvent<StreamEvent>] {
    Array(harbor.events.lazy.filter { $0.stream == stream && $0.version > version }.prefix(limit))
  }
  func live() -> AsyncStream<RecordedEvent<StreamEvent>> {
    let id = UUID()
    let (stream, continuation) = AsyncStream.makeStream(
      of: RecordedEvent<StreamEvent>.self, bufferingPolicy: .bufferingNewest(2))
    listeners[id] = continuation
    continuation.onTermination = { _ in Task { await self.forget(id) } }
    return stream
  }
  private func forget(_ id: UUID) { listeners[id] = nil }

  func evidence(of stream: StreamID, rollout: RolloutID) -> EvidenceSeries? {
    harbor.series[stream]?.first { $0.rollout == rollout }
  }
  func log(_ digest: Digest) -> [UInt8]? {
    logs[digest] ?? (harbor.knows(log: digest) ? Array("test_tides ... ok\n\nRan 12 tests in 0.4s\n".utf8) : nil)
  }
  func provenance(of digest: Digest) -> [UInt8]? {
    statements[digest]
      ?? Array(#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"harbor"}]}"#.utf8)
  }
  func report(window: Range<Instant>, service: ServiceName?, environment: EnvironmentName?) -> Report {
    book().report(window: window, service: service, environment: environment)
  }

  func waits(window: Range<Instant>, queue: StreamID) -> WaitReport {
    book().waits(window: window, queue: queue)
  }

  private func book() -> Book {
    var book = Book()
    for event in harbor.events {
      switch event.event {
      case .settings, .observation, .schema, .flag, .flagFolder: continue
      case .queue(let happened): book.record(.queue(event.stream, happened), position: event.position, at: event.at)
      case .build(let happened): book.record(.build(event.stream, happened), position: event.position, at: event.at)
      case .delivery(let happened):
        book.record(.delivery(event.stream, happened), position: event.position, at: event.at)
      }
    }
    return book
  }

  /// Without an outage of drawing: the signature alone, which is enough to see it arrive.
  func png(of svg: [UInt8]) throws(Outage) -> [UInt8] {
    if let drawing { throw drawing }
    drawnFrom = svg
    return [0x89] + Array("PNG".utf8)
  }

  func setDrawing(_ outage: Outage?) { drawing = outage }
  func setOutage(_ outage: Outage?) { self.outage = outage }
  func setCheckpointFailure(_ outage: Outage?) { checkpointFailure = outage }
  func setLosesAnswers(_ loses: Bool) { losesAnswers = loses }
  func setLog(_ bytes: [UInt8], at digest: Digest) { logs[digest] = bytes }
  var listening: Int { listeners.count }
}
