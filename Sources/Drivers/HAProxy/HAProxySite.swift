import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// One environment's HAProxy: the one serialised writer of its routes, on a queue of its own.
///
/// The fence lives here. HAProxy's socket can hold none, and this actor exists only under the streams' lease, so memory
/// is enough: after a restart of Plimsoll nothing older can still be under way. No method suspends while it writes, so
/// two calls never interleave.
actor HAProxySite {
  /// How long a server must have been without weight before it is deleted: several looks of the telemetry, so that its
  /// last counters were seen.
  static let drainedBeforeRemoval = Duration.seconds(3)

  /// How long a HAProxy that was told to go may still listen; it takes a few milliseconds.
  private static let stopListeningLimit = Duration.seconds(2)

  let folder: HAProxyFolder
  let program: String
  let configured: [(service: ServiceName, port: Int?)]
  /// Configured, but not offered.
  private var closed: Set<ServiceName> = []
  let environment: EnvironmentName
  /// The process last seen. It may be one that should be replaced.
  var process: HAProxyProcess?
  /// The process known to have the services and ports that are configured.
  var current: HAProxyProcess?
  /// A process with a frontend that was shut for good: nothing but another process opens it again.
  var spoiled: HAProxyProcess?
  private var fences: [ServiceName: Fence] = [:]
  var wanted: [ServiceName: ServiceRoutes] = [:]
  /// The process that had a service's routes when they were last known to be right.
  var holds: [ServiceName: HAProxyProcess] = [:]
  /// Questions in a row that nobody answered in time. From the first on nobody asks just to look: a rollback would have
  /// to wait for each look's end.
  var unanswered = 0
  /// Services whose routes were read back as wanted and not written since: only these can be altered by someone else.
  private var confirmed: Set<ServiceName> = []
  /// Replaced processes that finish their last requests; our children until they are asked for.
  var leaving: [HAProxyProcess] = []
  /// By backend and server.
  var drainedSince: [String: ContinuousClock.Instant] = [:]
  private let executor: QueueExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init(
    folder: HAProxyFolder, program: String, environment: EnvironmentName, services: [(service: ServiceName, port: Int?)]
  ) {
    self.folder = folder
    self.program = program
    self.environment = environment
    configured = services.sorted { $0.service < $1.service }
    executor = QueueExecutor("plimsoll.haproxy.\(environment)")
  }

  func apply(_ routes: [RoutedDeployment], preview: PreviewRoute?, service: ServiceName, fence: Fence) throws(Outage)
    -> RouteOutcome
  {
    guard configured.contains(where: { $0.service == service }) else {
      throw Outage("haproxy", "knows no service \(service) in \(environment); add it to plimsoll.yaml and restart")
    }
    guard fence >= fences[service] ?? fence else { return .stale }
    let routes = ServiceRoutes(
      servers: ServerWeights.servers(for: routes),
      previewServers: ServerWeights.previewServers(for: preview, in: routes),
      rule: try preview.map { route throws(Outage) in try PreviewRule(route) })
    fences[service] = fence
    // HAProxy is replaced by one that has the service again.
    if closed.remove(service) != nil { current = nil }
    wanted[service] = routes
    confirmed.remove(service)
    let running = try router(for: service)
    let held: HeldRoutes
    do {
      held = try write(routes, for: service)
    } catch {
      // Dead, or alive without an admin socket, and twice in a row: the next call starts another, because a router that
      // cannot be told of a rollback is worse than the requests that its end breaks off.
      if unanswered > 1 || unanswered == 1 && HAProxyProcess.answering(folder) == nil { clearAway() }
      throw error
    }
    holds[service] = running
    confirmed.insert(service)
    sweep(service, held)
    return .applied(at: .now)
  }

  private func clearAway() {
    HAProxyProcess.clearAway(folder)
    (process, current) = (nil, nil)
    unanswered = 0
  }

  /// Replaces HAProxy by one without the service, or ends it when that was the last: it stops listening at once and
  /// goes when its last request has ended. One that cannot be replaced now shuts the service's frontend instead. The
  /// port stays remembered.
  func close(_ service: ServiceName, fence: Fence) async throws(Outage) {
    guard fence >= fences[service] ?? fence else { return }
    fences[service] = fence
    closed.insert(service)
    (wanted[service], holds[service]) = (nil, nil)
    confirmed.remove(service)
    // Asked twice: one that is alive and silent is ended, because what waits in it would go to what is stopped next.
    guard let running = HAProxyProcess.answering(folder) ?? HAProxyProcess.answering(folder) else { return clearAway() }
    current = nil
    guard offered.isEmpty else {
      do {
        _ = try ensureRunning()
      } catch {
        // Another service's taken port must not keep this one offered.
        try shut(service)
      }
      return
    }
    process = nil
    kill(running.pid, SIGUSR1)
    leaving.append(running)
    // Other calls may come in between from here on; nothing is written any more.
    let deadline = ContinuousClock.now + Self.stopListeningLimit
    while HAProxyProcess.answering(folder) == running {
      guard ContinuousClock.now < deadline else {
        throw Outage(
          "haproxy", "process \(running.pid) of \(environment) goes on after SIGUSR1; it is told again, or kill it")
      }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  var offered: [(service: ServiceName, port: Int?)] { configured.filter { !closed.contains($0.service) } }

  /// The port of a service, remembered over restarts; nil before HAProxy first ran with it.
  func port(of service: ServiceName) -> Int? { rememberedPorts()["\(service)"] }

  /// Why HAProxy does not do what was applied last; nil when it does, as far as was looked.
  /// - Parameter closely: reads its state back as well, and sweeps idle servers.
  func loss(of service: ServiceName, closely: Bool) -> RouteLoss? {
    if process == nil { process = HAProxyProcess.answering(folder) }
    guard let process, process.isAlive else {
      self.process = nil
      return .gone
    }
    if holds[service] == nil { holds[service] = process }
    guard holds[service] == process else { return .gone }
    guard closely else { return nil }
    leaving.removeAll { !$0.isAlive }
    // A route applied now asks once more, and then has another take its place.
    guard unanswered == 0, let held = try? held(service) else { return .gone }
    if confirmed.contains(service), let wanted = wanted[service] {
      let differences = held.differences(from: wanted, of: service)
      guard differences.isEmpty else {
        // Told once; confirmed again when it was put right.
        confirmed.remove(service)
        return .altered(Self.sentence(differences, service, environment))
      }
    }
    sweep(service, held)
    return nil
  }

  /// So many differences are named; a script may have touched every server.
  private static let namedDifferences = 3

  private static func sentence(_ differences: [String], _ service: ServiceName, _ environment: EnvironmentName)
    -> String
  {
    let rest = differences.count - namedDifferences
    return "someone else changed what HAProxy does for \(service) in \(environment): "
      + differences.prefix(namedDifferences).joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
  }
}
