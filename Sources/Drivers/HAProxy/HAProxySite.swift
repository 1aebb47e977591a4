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

  private let folder: HAProxyFolder
  private let program: String
  private let configured: [(service: ServiceName, port: Int?)]
  /// Configured, but not offered.
  private var closed: Set<ServiceName> = []
  private let environment: EnvironmentName
  /// The process last seen. It may be one that should be replaced.
  private var process: HAProxyProcess?
  /// The process known to have the services and ports that are configured.
  private var current: HAProxyProcess?
  private var fences: [ServiceName: Fence] = [:]
  private var wanted: [ServiceName: [RoutedServer]] = [:]
  /// The process that had a service's routes when they were last known to be right.
  private var holds: [ServiceName: HAProxyProcess] = [:]
  /// Replaced processes that finish their last requests; our children until they are asked for.
  private var leaving: [HAProxyProcess] = []
  private var drainedSince: [String: ContinuousClock.Instant] = [:]
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

  func apply(_ routes: [RoutedDeployment], service: ServiceName, fence: Fence) throws(Outage) -> RouteOutcome {
    guard configured.contains(where: { $0.service == service }) else {
      throw Outage("haproxy", "knows no service \(service) in \(environment); add it to plimsoll.yaml and restart")
    }
    guard fence >= fences[service] ?? fence else { return .stale }
    fences[service] = fence
    // HAProxy is replaced by one that has the service again.
    if closed.remove(service) != nil { current = nil }
    let servers = ServerWeights.servers(for: routes)
    wanted[service] = servers
    let running = try router(for: service)
    do {
      try write(servers, to: HAProxyFolder.backend(service))
    } catch {
      // Dead, or alive without an admin socket: the next call clears it away and starts another, because a router that
      // cannot be told of a rollback is worse than the requests that its end breaks off.
      if HAProxyProcess.answering(folder) == nil {
        process = nil
        current = nil
      }
      throw error
    }
    holds[service] = running
    sweep(service)
    return .applied(at: .now)
  }

  /// Replaces HAProxy by one without the service, or ends it when that was the last: it stops listening at once and
  /// goes when its last request has ended. The port stays remembered.
  func close(_ service: ServiceName, fence: Fence) async throws(Outage) {
    guard fence >= fences[service] ?? fence else { return }
    fences[service] = fence
    closed.insert(service)
    (wanted[service], holds[service]) = (nil, nil)
    guard let running = HAProxyProcess.answering(folder) else {
      (process, current) = (nil, nil)
      return
    }
    current = nil
    guard offered.isEmpty else {
      _ = try ensureRunning()
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

  private var offered: [(service: ServiceName, port: Int?)] { configured.filter { !closed.contains($0.service) } }

  /// The port of a service, remembered over restarts; nil before HAProxy first ran with it.
  func port(of service: ServiceName) -> Int? { rememberedPorts()["\(service)"] }

  /// Whether what was applied is gone. Sweeps idle servers when it is not.
  func hasLost(_ service: ServiceName, sweeping: Bool) -> Bool {
    if process == nil { process = HAProxyProcess.answering(folder) }
    guard let process, process.isAlive else {
      self.process = nil
      return true
    }
    if holds[service] == nil { holds[service] = process }
    guard holds[service] == process else { return true }
    if sweeping {
      leaving.removeAll { !$0.isAlive }
      sweep(service)
    }
    return false
  }
}

extension HAProxySite {
  /// The HAProxy that takes a service's routes. One that should be replaced but cannot be yet still takes those of a
  /// service that it has on the right port, so that one service's taken port does not hold up another's rollback.
  private func router(for service: ServiceName) throws(Outage) -> HAProxyProcess {
    do {
      return try ensureRunning()
    } catch {
      guard let port = configured.first(where: { $0.service == service })?.port ?? port(of: service),
        let old = HAProxyProcess.answering(folder), let text = folder.skeleton(of: old),
        text.contains(HAProxyConfiguration.frontend(service, port: port))
      else { throw error }
      process = old
      return old
    }
  }

  /// Adopts the HAProxy that answers, or starts one with the routes known so far: no window without servers.
  private func ensureRunning() throws(Outage) -> HAProxyProcess {
    if let current, current.isAlive { return current }
    process = nil
    current = nil
    try folder.checkLength()
    do {
      try FileManager.default.createDirectory(
        atPath: folder.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw Outage("disk", "folder \(folder.path) cannot be made; fix its rights", sources: ["\(error)"])
    }
    let services = try assignedPorts()
    let skeleton = HAProxyConfiguration.text(folder: folder, services: services, servers: [:])
    let adopted = HAProxyProcess.answering(folder)
    let old = adopted.flatMap { folder.skeleton(of: $0) }
    if let adopted, old == skeleton {
      process = adopted
      current = adopted
      return adopted
    }
    // Replacing would lose the servers of services not applied yet; they are read back first.
    if adopted != nil {
      for (service, _) in services where wanted[service] == nil {
        wanted[service] = try? servers(service).map(\.server)
      }
    }
    let program = try HAProxyProcess.program(program)
    if adopted == nil { HAProxyProcess.clearAway(folder) }
    // Of an adopted one without a skeleton it is not known which ports are its own; HAProxy then says itself what it
    // cannot bind.
    if adopted == nil || old != nil { try checkPorts(services, heldBy: old ?? "") }
    do {
      let text = HAProxyConfiguration.text(folder: folder, services: services, servers: wanted)
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder.configuration), options: .atomic)
    } catch {
      throw Outage("disk", "\(folder.configuration) cannot be written; free space or fix rights", sources: ["\(error)"])
    }
    let started = try HAProxyProcess.start(folder, program: program, replacing: adopted)
    // Only now, because it tells of the HAProxy that runs. Lost, it costs the next adoption one needless replacement.
    try? Data(folder.skeleton(skeleton, of: started).utf8)
      .write(to: URL(fileURLWithPath: folder.skeleton), options: .atomic)
    // Started with all routes that this object knows, so the other services lost nothing.
    for service in wanted.keys.sorted() where holds[service] != nil { holds[service] = started }
    drainedSince = [:]
    if let adopted { leaving.append(adopted) }
    process = started
    current = started
    return started
  }

  /// - Parameter skeleton: of the HAProxy to be replaced, whose ports are handed over; empty when there is none.
  private func checkPorts(_ services: [(name: ServiceName, port: Int)], heldBy skeleton: String) throws(Outage) {
    for (service, port) in services
    where !skeleton.contains(HAProxyConfiguration.bind(port)) && !LoopbackPort.isFree(port) {
      throw Outage(
        "haproxy",
        """
        port \(port) for \(service) in \(environment) is taken by another process; \
        `ss -ltnp 'sport = :\(port)'` names it: stop it, or set another port in plimsoll.yaml
        """
      )
    }
  }

  private func assignedPorts() throws(Outage) -> [(name: ServiceName, port: Int)] {
    var remembered = rememberedPorts()
    var result: [(name: ServiceName, port: Int)] = []
    for (service, port) in offered {
      guard let port = port ?? remembered["\(service)"] ?? LoopbackPort.free() else {
        throw Outage("loopback", "no free port was found for \(service) in \(environment); set one in plimsoll.yaml")
      }
      remembered["\(service)"] = port
      result.append((service, port))
    }
    do {
      try JSONEncoder().encode(remembered).write(to: URL(fileURLWithPath: folder.ports), options: .atomic)
    } catch {
      throw Outage("disk", "\(folder.ports) cannot be written; free space or fix rights", sources: ["\(error)"])
    }
    return result
  }

  private func rememberedPorts() -> [String: Int] {
    ProcessTable.contents(folder.ports).flatMap { try? JSONDecoder().decode([String: Int].self, from: Data($0)) } ?? [:]
  }

  private struct Present {
    let server: RoutedServer
    /// No reason to be out of service: neither maintenance nor drain (`srv_admin_state` 0).
    let enabled: Bool
  }

  private func servers(_ service: ServiceName) throws(Outage) -> [Present] {
    try present(HAProxyFolder.backend(service))
  }

  private func present(_ backend: String) throws(Outage) -> [Present] {
    let answer = try HAProxyAdmin(path: folder.admin).ask(["show servers state \(backend)"])
    return answer.split(separator: "\n").compactMap { line in
      let cells = line.split(separator: " ")
      // be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight … srv_port (19th)
      guard cells.count > 18, cells[1] == backend, let weight = Int(cells[7]), let port = Int(cells[18]) else {
        return nil
      }
      return Present(
        server: RoutedServer(name: String(cells[3]), port: port, weight: weight), enabled: cells[6] == "0")
    }
  }

  /// Order is the promise: servers are added and raised before others are lowered, so that at no moment the backend has
  /// less to give than before or after. All in one batch, which HAProxy works off within a millisecond.
  private func write(_ servers: [RoutedServer], to backend: String) throws(Outage) {
    let before = Dictionary(try present(backend).map { ($0.server.name, $0) }, uniquingKeysWith: { first, _ in first })
    var raising: [String] = []
    var lowering: [String] = []
    for server in servers {
      let name = "\(backend)/\(server.name)"
      guard let old = before[server.name] else {
        raising.append("add server \(name) 127.0.0.1:\(server.port) weight \(server.weight)")
        raising.append("enable server \(name)")
        continue
      }
      if server.weight > old.server.weight { raising.append("set server \(name) weight \(server.weight)") }
      if server.weight < old.server.weight { lowering.append("set server \(name) weight \(server.weight)") }
      if !old.enabled { raising.append("set server \(name) state ready") }
    }
    let names = Set(servers.map(\.name))
    for old in before.values.sorted(by: { $0.server.name < $1.server.name })
    where !names.contains(old.server.name) && old.server.weight > 0 {
      lowering.append("set server \(backend)/\(old.server.name) weight 0")
    }
    var said = ""
    for batch in [raising, lowering].flatMap({ Self.batches($0) }) {
      said += try HAProxyAdmin(path: folder.admin).ask(batch)
    }
    let after = Dictionary(try present(backend).map { ($0.server.name, $0) }, uniquingKeysWith: { first, _ in first })
    let right =
      servers.allSatisfy { after[$0.name]?.server.weight == $0.weight && after[$0.name]?.enabled == true }
      && after.values.allSatisfy { names.contains($0.server.name) || $0.server.weight == 0 || !$0.enabled }
    guard right else {
      let answer = said.split(separator: "\n").joined(separator: " ")
      throw Outage("haproxy", "did not take the routes of \(backend); it said: \(answer.prefix(300))")
    }
  }

  /// A command line holds 16 KB (`tune.bufsize`); 40 commands with the longest names stay below it.
  private static func batches(_ commands: [String]) -> [[String]] {
    stride(from: 0, to: commands.count, by: 40).map { Array(commands[$0..<min($0 + 40, commands.count)]) }
  }

  /// Deletes servers that nobody wants, that had no weight for a while and hold no request. HAProxy itself refuses to
  /// delete one in use, so a failure here only means: later.
  private func sweep(_ service: ServiceName) {
    let backend = HAProxyFolder.backend(service)
    guard let names = wanted[service].map({ Set($0.map(\.name)) }), let present = try? present(backend) else { return }
    let unwanted = present.filter { !names.contains($0.server.name) }
    for name in names { drainedSince[name] = nil }
    let due = unwanted.filter {
      let since = drainedSince[$0.server.name] ?? .now
      drainedSince[$0.server.name] = since
      return $0.server.weight == 0 && ContinuousClock.now - since >= Self.drainedBeforeRemoval
    }
    guard !due.isEmpty, let csv = try? HAProxyAdmin(path: folder.admin).ask(["show stat \(backend) 4 -1"]) else {
      return
    }
    let open = HAProxyAdmin.table(csv[...])
    for server in due.map(\.server.name) {
      guard open.first(where: { $0["svname"] == server[...] })?["scur"] == "0" else { continue }
      let name = "\(backend)/\(server)"
      _ = try? HAProxyAdmin(path: folder.admin).ask(["set server \(name) state maint", "del server \(name)"])
      drainedSince[server] = nil
    }
  }
}
