import FlagEvidence
import FlagServing
import FlagdServing
import Kernel
import Logging
import PlimsollFile
import Ramps

/// The part of `plimsoll serve` that clients of flags talk to: every environment's definitions over every protocol, and
/// the telemetry that ramps are judged on.
final class FlagServer: Sendable {
  let place: PlimsollFile.FlagPlace
  let stores: [EnvironmentName: FlagStore]
  let board: FlagBoard
  let hub: EvidenceHub
  private let environments: FlagEnvironments
  private let token: String?
  private let logger: Logger

  /// Requests under way have this long to end.
  private static let drain = Duration.seconds(5)

  init(_ place: PlimsollFile.FlagPlace, token: String?, logger: Logger) {
    self.place = place
    self.token = token
    self.logger = logger
    let stores = place.environments.map { ($0, FlagStore(environment: $0.rawValue)) }
    let named = Dictionary(uniqueKeysWithValues: stores.map { ($0.0.rawValue, $0.1) })
    // Names that sources make up would take the place of flags that there are.
    let hub = EvidenceHub(
      environments: place.environments.map(\.rawValue),
      isKnown: { environment, flag, _ in named[environment]?.current.definition(of: flag) != nil })
    let served = stores.map { ($0.0, FlagEnvironment(store: $0.1, exposures: hub)) }
    self.hub = hub
    self.stores = Dictionary(uniqueKeysWithValues: stores)
    board = FlagBoard(Dictionary(uniqueKeysWithValues: served))
    environments = FlagEnvironments(served.map(\.1), usual: place.usual.rawValue)
  }

  /// Serves until the task ends.
  ///
  /// - Parameter ready: called with the port of OFREP and Unleash once everything listens.
  /// - Throws: `Outage` when an address cannot be listened on.
  func run(ready: @Sendable (Int) -> Void) async throws {
    let board = self.board
    var configuration = FlagListener.Configuration(access: FlagAccess(token: token))
    configuration.fault = { board.fault(in: $0) }
    let socket = try ListeningSocket(host: place.listen.host, port: place.listen.port)
    let listener = try await FlagListener(
      on: socket, environments: environments, protocols: [UnleashAPI()],
      configuration: configuration)
    let intake = EvidenceIntake(hub: hub, usual: place.usual.rawValue)
    let sources: EvidenceListener?
    if let address = place.evidence {
      sources = try await EvidenceListener(
        intake: intake, host: address.host, port: address.port, token: token, logger: logger)
    } else {
      sources = nil
    }
    let documents = FlagdDocuments { [logger] environment, version, omissions in
      for omission in omissions {
        logger.warning(
          "\(environment), version \(version), is synced without flag \(omission.flag), which \(omission.cause)")
      }
    }
    var daemons: [FlagdPorts] = []
    for address in [place.evaluation, place.sync].compactMap({ $0 }) {
      daemons.append(
        try await FlagdPorts.listening(
          host: address.host, ports: [address.port], environments: environments, documents: documents,
          access: configuration.access))
    }
    ready(listener.port)
    await hub.run()
    for daemon in daemons { await daemon.stop(within: Self.drain) }
    await sources?.stop()
    await listener.stop(within: Self.drain)
    socket.close()
  }
}
