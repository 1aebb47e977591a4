import ControlPlane
import Drivers
import FlagServing
import Foundation
import Kernel
import Ledger
import Logging
import MigrationOracle
import PlimsollFile
import Ramps
import Runtime
import Server

typealias ProductLedger = SQLiteLedger<StreamEvent, StreamState>

/// Everything a running server is made of, constructed in one place.
struct Assembly {
  let file: PlimsollFile
  let data: DataFolder
  let claim: FolderClaim
  let ledger: ProductLedger
  let blobs: FileBlobStore
  let forge: GitForge
  let artifacts: OCIArtifactStore
  let router: HAProxyRouter
  let telemetry: HAProxyTelemetry
  let records: LiveRecords
  let rasteriser = SVGRasteriser()
  let observed: PageTelemetry
  /// Nil where no database is named: nobody then needs a PostgreSQL on this machine.
  let schemas: EnvironmentSchemas?
  /// Nil where plimsoll.yaml says nothing of flags.
  let flags: FlagServer?
  let publisher: FlagPublisher?
  let sources: ReadyInstances.Sources
  let performer: Performer
  let host: EngineHost<ProductLedger>

  /// - Parameters:
  ///   - path: of `plimsoll.yaml`.
  ///   - address: the server's own, for links in announcements.
  ///   - logger: told of what is wrong with the process itself; what it deploys is told of by events.
  /// - Throws: `Problems` for the file, `Refusal` when another server owns the data folder, `Outage` for the disk.
  init(file: PlimsollFile, path: String, dataFolder: String, address: String, logger: Logger) async throws {
    self.file = file
    data = DataFolder(at: dataFolder)
    try data.create()
    claim = try data.lock()
    ledger = try ProductLedger(at: data.ledger, snapshotFormat: StreamState.format)
    blobs = try FileBlobStore(folder: data.blobs)
    let sealer = try ConfigurationSealer(keyFile: data.configurationKey, blobs: blobs)
    let folder = URL(filePath: path).deletingLastPathComponent().path
    let catalog = ServiceCatalog(
      file, folder: folder, serverEnvironment: ProcessInfo.processInfo.environment)

    forge = try GitForge(
      mirrors: data.mirrors,
      repositories: Dictionary(
        file.repositories.map { ($0.name, $0.location) }, uniquingKeysWith: { first, _ in first }))
    let runner = try await CommandRunner(
      folder: "\(data.path)/runs", forge: forge, blobs: blobs, now: { .now })
    artifacts = try OCIArtifactStore(folder: data.artifacts, keys: data.keys)
    let platform = LocalPlatform(
      releases: data.releases, instances: "\(data.run)/instances", logs: data.logs, artifacts: artifacts)
    let sockets = try Self.socketFolder(data)
    router = HAProxyRouter(
      folder: sockets, program: "haproxy",
      services: file.runs.map { PublicService($0.service, $0.environment, port: $0.port) })
    let token = try catalog.flagToken()
    let flags = file.flags.map { FlagServer($0, token: token, logger: logger) }
    self.flags = flags
    telemetry = HAProxyTelemetry(
      folder: sockets, environments: file.topology.environments, flagged: flags?.hub)
    let evidence = try EvidenceBook(folder: "\(data.path)/evidence")
    records = LiveRecords(ledger: ledger, book: evidence)
    let pictures = RolloutPictures(records: records)
    let announcer = WebhookAnnouncer(
      transport: AsyncHTTPTransport(), address: address, rasteriser: rasteriser,
      drawn: { announcement throws(Outage) in try await pictures.drawn(of: announcement.path) }
    ) { index throws(Outage) in
      let (format, url) = try catalog.announcer(index)
      return WebhookTarget(format: format == .slack ? .slack : .json, url: url)
    }
    observed = PageTelemetry(try ObservedPages.all(of: file, catalog), fetcher: AsyncHTTPFetcher())
    let ready = ReadyInstances(file.runs)
    sources = ReadyInstances.sources(file.runs, log: telemetry, ready: ready)
    let (queries, history) = try Self.prometheus(catalog, file.runs)
    schemas =
      file.databases.isEmpty
      ? nil
      : EnvironmentSchemas(blobs: blobs, now: { .now }) { place throws(Outage) in
        try Self.database(at: place, catalog)
      }
    let followed = FlagStates()
    performer = Performer(
      ports: Ports(
        forge: forge, runner: runner, artifacts: artifacts, platform: platform, router: router,
        telemetry: sources.telemetry,
        observed: observed, announcer: announcer, blobs: blobs, sealer: sealer, catalog: catalog,
        queries: queries, history: history, schemas: schemas ?? NoSchemaServer(),
        audience: flags?.board ?? NoFlagAudience(), ramps: flags?.hub ?? NoRampEvidence(),
        folders: FlagFolderReader(
          forge: forge, flags: { await followed.all() }, folders: { await followed.folders() })),
      evidence: evidence)
    ready.follow(performer)
    host = EngineHost(store: ledger, performer: performer, checksInvariants: true) { notice in
      switch notice {
      case .quarantined:
        logger.error("\(notice)")
        assertionFailure("\(notice)")
      case .ledgerAway: logger.error("\(notice)")
      case .ledgerBack, .altered: logger.warning("\(notice)")
      }
    }
    followed.follow(host)
    publisher = flags.map { [host, ledger] in
      FlagPublisher(host: host, ledger: ledger, stores: $0.stores, board: $0.board, logger: logger)
    }
  }

  /// Starts the engine and puts the file's topology in force.
  func start() async throws {
    try await host.start()
    // Clients that were here before find what was decided, before anything new is.
    try await publisher?.start()
    let outcome = await host.request(
      .settings(.apply(file.topology)), to: .settings, actor: "plimsoll.yaml", id: "serve")
    switch outcome {
    case .accepted: break
    case .refused(let refusal): throw refusal
    case .unavailable(let outage): throw outage
    }
  }

  /// Stops deciding; instances and routers go on serving and are found again at the next start.
  func stop() async {
    await publisher?.stop()
    await host.stop()
    await schemas?.stop()
    try? ledger.close()
    claim.release()
  }

  /// Who answers queries and remembers; the token is looked up at each of them.
  private static func prometheus(
    _ catalog: ServiceCatalog, _ runs: [PlimsollFile.Run]
  ) throws -> (any QuerySource, any HistorySource) {
    guard let address = try catalog.prometheusAddress() else { return (NoQuerySource(), NoHistorySource()) }
    let server = try PrometheusServer(address, fetcher: AsyncHTTPFetcher()) { () throws(Outage) in
      try catalog.prometheusToken().map { [HTTPFetch.Header("authorization", "Bearer \($0)")] } ?? []
    }
    return (server, PrometheusMemory(server, places: runs.compactMap { RecordedPlace($0) }))
  }

  /// Looked up at each use, as other secrets are.
  private static func database(
    at place: SchemaPlace, _ catalog: ServiceCatalog
  ) throws(Outage) -> EnvironmentDatabase {
    let sizes: [TableSize]?
    do {
      sizes = try catalog.sizes(at: place).map { try TableSizes.read($0) }
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("configuration", "the table sizes of \(place) cannot be read", sources: ["\(error)"])
    }
    return EnvironmentDatabase(url: try catalog.address(of: place), role: try catalog.role(at: place), sizes: sizes)
  }

  /// HAProxy's sockets live two levels below this folder, and a socket's path must stay short.
  static func socketFolder(_ data: DataFolder) throws -> String {
    let longest = "haproxy/\(String(repeating: "e", count: longestName))/admin.sock"
    let path = try data.socketPath(longest)
    return path == "\(data.run)/\(longest)" ? "\(data.run)/haproxy" : try data.socketPath("haproxy")
  }
}
