import ControlPlane
import Kernel
import Measures
import Migrations
import Ramps
import Rollouts

/// What happened to rollouts, as far as it can be read without a running engine: whoever announces needs it before there
/// is one.
package protocol Records: Sendable {
  /// Events of one stream with a higher version, oldest first, at most `limit`.
  func events(of stream: StreamID, after version: Version, limit: Int) async throws(Outage)
    -> [RecordedEvent<StreamEvent>]
  /// The evidence of a rollout, running or ended; nil when there is none.
  func evidence(of stream: StreamID, rollout: RolloutID) async -> EvidenceSeries?
}

/// All that the server needs of the running process; the executable implements it over the engine, the ledger and the
/// drivers. Reading never waits for a turn longer than one batch takes.
package protocol Backend: Records {
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

  /// By lookup: where the place's requests are counted.
  /// - Parameter slowerThan: what counts as slow there.
  func origin(_ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span) async -> EvidenceOrigin

  // MARK: Asking

  /// Posts the input and waits until its events are durable.
  /// - Parameters:
  ///   - actor: a person's name, or `api`.
  ///   - id: names the request in the ledger; a repeated id is another request unless the machine says otherwise.
  func request(_ input: StreamInput, to stream: StreamID, actor: String, id: String, lane: Lane) async
    -> ControlPlane.Outcome
  /// By lookup in the forge. - Throws: `Refusal.unknown` with the nearest branch, or `Outage`.
  func resolve(branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch

  /// By content: what was sent of a version, joined with a blob of what was held of it.
  /// - Returns: the blob of both; `known` itself when nothing but counts is new.
  /// - Throws: `KeptStatements.tooMuch`, or `Outage`.
  func keep(_ statements: StatementSet, over known: Digest?) async throws -> Digest?
  /// On a thread of its own, which may be held up: for what takes seconds, such as reading 64 MiB of JSON.
  func apart<Answer: Sendable>(_ work: @escaping @Sendable () throws -> Answer) async throws -> Answer

  // MARK: Flags

  /// Who has what an environment serves of a flag since an epoch; nil when nobody can tell, as before it serves any.
  func clients(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async throws(Outage) -> FlagStanding?
  /// What a ramp's guardrails usually see, in the policy's order; empty where nothing is known.
  func usualTraffic(of ramp: RampSource) async -> [UsualTraffic?]
  /// What of a ramp's evidence a person should look at, a sentence each, most important first; empty where nothing is
  /// remarkable, or nothing is gathered.
  func remarks(of flag: FlagKey, in environment: EnvironmentName) async -> [String]

  // MARK: What happened

  /// The position of the ledger's last event; 0 for an empty ledger.
  func head() async throws(Outage) -> Position
  /// The version of a stream's last event; 0 when it has none.
  func head(of stream: StreamID) async throws(Outage) -> Version
  /// Events of all streams with a higher position, oldest first, at most `limit`.
  func events(after position: Position, limit: Int) async throws(Outage) -> [RecordedEvent<StreamEvent>]
  /// Events from now on, rising by position, until the consumer ends. The implementation may drop some for a slow
  /// consumer: the server sees the gap and reads it from the ledger.
  func live() async -> AsyncStream<RecordedEvent<StreamEvent>>

  // MARK: What is kept beside the ledger

  /// A log's bytes, verified against the digest; nil when there is no such blob.
  func log(_ digest: Digest) async throws(Outage) -> [UInt8]?
  /// The in-toto statement about an artifact as JSON, its envelope verified; nil when there is none.
  /// - Parameter digest: the artifact's.
  func provenance(of digest: Digest) async throws(Outage) -> [UInt8]?
  func report(window: Range<Instant>, service: ServiceName?, environment: EnvironmentName?) async throws(Outage)
    -> Report
  /// How long what landed or left from a queue in the window had waited.
  func waits(window: Range<Instant>, queue: StreamID) async throws(Outage) -> WaitReport

  // MARK: Drawing

  /// A picture as PNG. Kind: *by content*, and cheap the second time.
  /// - Throws: `Outage` when the program that draws it is missing or fails; the caller may ask again.
  func png(of svg: [UInt8]) async throws(Outage) -> [UInt8]
}

extension Backend {
  package func origin(
    _ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span
  ) async -> EvidenceOrigin { .log }
  package func clients(
    of flag: FlagKey, in environment: EnvironmentName, epoch: Int
  ) async throws(Outage) -> FlagStanding? { nil }
  package func usualTraffic(of ramp: RampSource) async -> [UsualTraffic?] { [] }
  package func remarks(of flag: FlagKey, in environment: EnvironmentName) async -> [String] { [] }
}

/// Where requests are counted, and what cannot be told by that.
package struct EvidenceOrigin: Equatable, Sendable {
  /// As in "from …".
  package let words: String
  /// A sentence each.
  package let caveats: [String]
  package init(_ words: String, caveats: [String]) {
    self.words = words
    self.caveats = caveats
  }
  package static let log = EvidenceOrigin("requests in HAProxy's log", caveats: [])
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
  /// Why the ledger's last events are not signed; nil while they are. They are safe, so the server is well.
  package let checkpointFailure: Outage?
  /// Effects that end in failure again and again, sorted by stream.
  package let failing: [FailingEffect]
  /// What someone else changed in the last hour and was put right, a sentence each, oldest first.
  package let alterations: [String]
  package init(
    quarantined: [Quarantine] = [], outage: Outage? = nil, checkpointFailure: Outage? = nil,
    failing: [FailingEffect] = [], alterations: [String] = []
  ) {
    self.quarantined = quarantined
    self.outage = outage
    self.checkpointFailure = checkpointFailure
    self.failing = failing
    self.alterations = alterations
  }

  /// One sentence each.
  package var sentences: [String] {
    quarantined.map { "\($0.stream) is quarantined: \($0.reason); everything else goes on." }
      + (outage.map { ["The ledger cannot be written, so nothing is decided: \($0.sentence)"] } ?? [])
      + (checkpointFailure.map { [Self.unsigned($0)] } ?? [])
      + failing.map { "\($0.stream) cannot do '\($0.key)' and keeps trying: \($0.outage)" }
      + alterations.map { "In the last hour, at \($0)" }
  }

  package static func unsigned(_ outage: Outage) -> String {
    "The ledger's last events cannot be signed, so a cut of them would not be found: \(outage.sentence)"
  }
}
