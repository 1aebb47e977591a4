import Foundation
import Kernel

extension HAProxySite {
  /// The HAProxy that takes a service's routes. One that should be replaced but cannot be yet still takes those of a
  /// service that it has on the right port, so that one service's taken port does not hold up another's rollback.
  func router(for service: ServiceName) throws(Outage) -> HAProxyProcess {
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
  func ensureRunning() throws(Outage) -> HAProxyProcess {
    if let current, current.isAlive { return current }
    process = nil
    current = nil
    unanswered = 0
    try folder.checkLength()
    do {
      try FileManager.default.createDirectory(
        atPath: folder.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw Outage("disk", "folder \(folder.path) cannot be made; fix its rights", sources: ["\(error)"])
    }
    let services = try assignedPorts()
    let skeleton = HAProxyConfiguration.text(folder: folder, services: services, routes: [:])
    let adopted = HAProxyProcess.answering(folder)
    let old = adopted.flatMap { folder.skeleton(of: $0) }
    if let adopted, old == skeleton, adopted != spoiled {
      process = adopted
      current = adopted
      return adopted
    }
    // Replacing would lose the servers of services not applied yet; they are read back first.
    if adopted != nil {
      for (service, _) in services where wanted[service] == nil {
        wanted[service] = try? held(service).routes
      }
    }
    let program = try HAProxyProcess.program(program)
    if adopted == nil { HAProxyProcess.clearAway(folder) }
    // Of an adopted one without a skeleton it is not known which ports are its own; HAProxy then says itself what it
    // cannot bind.
    if adopted == nil || old != nil { try checkPorts(services, heldBy: old ?? "") }
    do {
      for (service, _) in services {
        let rule = wanted[service]?.rule
        try Data((rule.map { $0.line + "\n" } ?? "").utf8)
          .write(to: URL(fileURLWithPath: folder.previews(service)), options: .atomic)
      }
      let text = HAProxyConfiguration.text(folder: folder, services: services, routes: wanted)
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder.configuration), options: .atomic)
    } catch {
      throw Outage(
        "disk", "the configuration in \(folder.path) cannot be written; free space or fix rights", sources: ["\(error)"]
      )
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

  func rememberedPorts() -> [String: Int] {
    ProcessTable.contents(folder.ports).flatMap { try? JSONDecoder().decode([String: Int].self, from: Data($0)) } ?? [:]
  }
}
