import ControlPlane
import Drivers
import Foundation
import Kernel
import Ledger
import Measures
import MigrationOracle
import Migrations
import Ramps
import Rollouts
import Runtime
import Server

/// The server's view of the running process.
struct LiveBackend: Backend {
  let assembly: Assembly
  let measures: MeasuresFollower
  var version: String { Plimsoll.version }

  init(_ assembly: Assembly) {
    self.assembly = assembly
    measures = MeasuresFollower(
      ledger: assembly.ledger, forge: assembly.forge, file: "\(assembly.data.path)/measures.json")
  }

  func topology() async -> Topology { await assembly.host.topology }

  func states(_ kind: StreamKind) async -> [StreamStanding] {
    await assembly.host.states(kind).map { StreamStanding(stream: $0.stream, state: $0.state) }
  }

  func state(of stream: StreamID) async -> StreamState? { await assembly.host.state(of: stream) }

  func troubles() async -> ProcessTroubles {
    let quarantined = await assembly.host.quarantined
    return ProcessTroubles(
      quarantined: quarantined.sorted { $0.key < $1.key }.map {
        ProcessTroubles.Quarantine(stream: $0.key, reason: $0.value)
      }, outage: await assembly.host.outage, checkpointFailure: assembly.ledger.checkpointFailure,
      failing: await assembly.host.failing, alterations: await assembly.host.alterations.map(\.description))
  }

  func address(_ service: ServiceName, _ environment: EnvironmentName) async -> Int? {
    await assembly.router.port(of: service, in: environment)
  }

  func origin(
    _ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span
  ) async -> EvidenceOrigin {
    await assembly.sources.origin(service, environment, slowerThan: slowerThan)
  }

  func request(
    _ input: StreamInput, to stream: StreamID, actor: String, id: String, lane: Lane
  ) async -> ControlPlane.Outcome {
    await assembly.host.request(input, to: stream, actor: actor, id: id, lane: lane)
  }

  func clients(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async throws(Outage) -> FlagStanding? {
    try await assembly.flags?.board.standing(of: flag, in: environment, epoch: epoch)
  }

  func usualTraffic(of ramp: RampSource) async -> [UsualTraffic?] {
    (try? await assembly.flags?.hub.usual(of: ramp)) ?? []
  }

  func remarks(of flag: FlagKey, in environment: EnvironmentName) async -> [String] {
    assembly.flags?.hub.tally(of: flag, in: environment)?.remarks ?? []
  }

  func resolve(branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch {
    try await assembly.forge.resolve(branch, in: repository)
  }

  func keep(_ statements: StatementSet, over known: Digest?) async throws -> Digest? {
    let blobs = assembly.blobs
    return try await BlockingThread.run {
      try KeptStatements.keep(statements, over: known) { blob in
        try StableJSON.value(KeptStatements.self, of: blob, in: blobs)
      } write: { kept in
        try blobs.put(StableJSON.bytes(kept))
      }
    }
  }

  func apart<Answer: Sendable>(_ work: @escaping @Sendable () throws -> Answer) async throws -> Answer {
    try await BlockingThread.run(work)
  }

  func head() async throws(Outage) -> Position { try assembly.ledger.lastPosition() }

  func head(of stream: StreamID) async throws(Outage) -> Version { await assembly.host.version(of: stream) }

  func events(after position: Position, limit: Int) async throws(Outage) -> [RecordedEvent<StreamEvent>] {
    try assembly.ledger.events(after: position, limit: limit)
  }

  func events(of stream: StreamID, after version: Version, limit: Int) async throws(Outage)
    -> [RecordedEvent<StreamEvent>]
  {
    try await assembly.records.events(of: stream, after: version, limit: limit)
  }

  func live() async -> AsyncStream<RecordedEvent<StreamEvent>> { await assembly.host.subscribe() }

  func evidence(of stream: StreamID, rollout: RolloutID) async -> EvidenceSeries? {
    await assembly.records.evidence(of: stream, rollout: rollout)
  }

  func log(_ digest: Digest) async throws(Outage) -> [UInt8]? {
    guard assembly.blobs.contains(digest) else { return nil }
    let bytes = try assembly.blobs.get(digest)
    return ConfigurationSealer.isSealed(bytes) ? nil : bytes
  }

  func provenance(of digest: Digest) async throws(Outage) -> [UInt8]? {
    try await assembly.artifacts.statements(about: digest).last
  }

  func report(window: Range<Instant>, service: ServiceName?, environment: EnvironmentName?) async throws(Outage)
    -> Report
  {
    try await measures.report(window: window, service: service, environment: environment)
  }

  func waits(window: Range<Instant>, queue: StreamID) async throws(Outage) -> WaitReport {
    try await measures.waits(window: window, queue: queue)
  }

  func png(of svg: [UInt8]) async throws(Outage) -> [UInt8] { try await assembly.rasteriser.png(of: svg) }
}
