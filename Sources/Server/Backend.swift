import ControlPlane
import Kernel
import Measures
import Rollouts

/// All that the server needs of the running process; the executable implements it over the engine, the ledger and the
/// drivers. Reading never waits for a turn longer than one batch takes.
package protocol Backend: Sendable {
  /// Of Plimsoll, for people: `0.1.0`.
  var version: String { get }

  // MARK: What is so now

  func topology() async -> Topology
  /// By lookup: every stream of a kind with its state, sorted by stream. `build` streams are as many as landed commits.
  func states(_ kind: StreamKind) async -> [StreamStanding]
  /// By lookup: nil when the stream has no event yet.
  func state(of stream: StreamID) async -> StreamState?
  func troubles() async -> ProcessTroubles
  /// By lookup: the public port on loopback where the service answers; nil before the first route.
  func address(_ service: ServiceName, _ environment: EnvironmentName) async -> Int?

  // MARK: Asking

  /// Posts the input and waits until its events are durable.
  /// - Parameters:
  ///   - actor: a person's name, or `api`.
  ///   - id: names the request in the ledger; a repeated id is another request unless the machine says otherwise.
  func request(_ input: StreamInput, to stream: StreamID, actor: String, id: String, lane: Lane) async -> Outcome
  /// By lookup in the forge. - Throws: `Refusal.unknown` with the nearest branch, or `Outage`.
  func resolve(branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch

  // MARK: What happened

  /// The position of the ledger's last event; 0 for an empty ledger.
  func head() async throws(Outage) -> Position
  /// The version of a stream's last event; 0 when it has none.
  func head(of stream: StreamID) async throws(Outage) -> Version
  /// Events of all streams with a higher position, oldest first, at most `limit`.
  func events(after position: Position, limit: Int) async throws(Outage) -> [RecordedEvent<StreamEvent>]
  /// Events of one stream with a higher version, oldest first, at most `limit`.
  func events(of stream: StreamID, after version: Version, limit: Int) async throws(Outage)
    -> [RecordedEvent<StreamEvent>]
  /// Events from now on, rising by position, until the consumer ends. The implementation may drop some for a slow
  /// consumer: the server sees the gap and reads it from the ledger.
  func live() async -> AsyncStream<RecordedEvent<StreamEvent>>

  // MARK: What is kept beside the ledger

  /// The evidence of a rollout, running or ended; nil when there is none.
  func evidence(of stream: StreamID, rollout: RolloutID) async -> EvidenceSeries?
  /// A log's bytes, verified against the digest; nil when there is no such blob.
  func log(_ digest: Digest) async throws(Outage) -> [UInt8]?
  /// The in-toto statement about an artifact as JSON, its envelope verified; nil when there is none.
  /// - Parameter digest: the artifact's.
  func provenance(of digest: Digest) async throws(Outage) -> [UInt8]?
  func report(window: Range<Instant>, service: ServiceName?, environment: EnvironmentName?) async throws(Outage)
    -> Report
}

/// A stream and its state now.
package struct StreamStanding: Sendable {
  package let stream: StreamID
  package let state: StreamState
  package init(stream: StreamID, state: StreamState) {
    self.stream = stream
    self.state = state
  }
}

/// What is wrong with the process itself, apart from what any state says.
package struct ProcessTroubles: Equatable, Sendable {
  package struct Quarantine: Equatable, Sendable {
    package let stream: StreamID
    package let reason: String
    package init(stream: StreamID, reason: String) {
      self.stream = stream
      self.reason = reason
    }
  }
  /// Sorted by stream.
  package let quarantined: [Quarantine]
  /// Why the ledger cannot be written; nil while it is well.
  package let outage: Outage?
  /// Effects that end in failure again and again, sorted by stream.
  package let failing: [FailingEffect]
  package init(quarantined: [Quarantine] = [], outage: Outage? = nil, failing: [FailingEffect] = []) {
    self.quarantined = quarantined
    self.outage = outage
    self.failing = failing
  }

  /// One sentence each.
  package var sentences: [String] {
    quarantined.map { "\($0.stream) is quarantined: \($0.reason); everything else goes on." }
      + (outage.map { ["The ledger cannot be written, so nothing is decided: \($0.sentence)"] } ?? [])
      + failing.map { "\($0.stream) cannot do '\($0.key)' and keeps trying: \($0.outage)" }
  }
}
