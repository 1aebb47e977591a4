import Kernel

extension HAProxySite {
  func held(_ service: ServiceName) throws(Outage) -> HeldRoutes {
    unanswered += 1
    let answer = try HAProxyAdmin(path: folder.admin).ask(HeldRoutes.questions(service, folder))
    unanswered = 0
    return HeldRoutes(answer, of: service)
  }

  /// Brings one service to what is wanted and returns what was read back. HAProxy works a batch off within a
  /// millisecond.
  func write(_ routes: ServiceRoutes, for service: ServiceName) throws(Outage) -> HeldRoutes {
    var said = ""
    for batch in RouteCommands(from: try held(service), to: routes, of: service, folder).batches {
      said += try HAProxyAdmin(path: folder.admin).ask(batch)
    }
    let after = try held(service)
    let differences = after.differences(from: routes, of: service)
    guard let first = differences.first else { return after }
    // Shut, not paused: what takes this one's place opens it again.
    if !after.listens {
      spoiled = process
      current = nil
    }
    let answer = said.split(separator: "\n").joined(separator: " ")
    throw Outage(
      "haproxy",
      "did not take the routes of \(service) in \(environment): \(first); it is told again"
        + (answer.isEmpty ? "" : ". It said: \(answer.prefix(300))"))
  }

  /// Has the HAProxy that runs refuse a service's requests, without another in its place.
  func shut(_ service: ServiceName) throws(Outage) {
    let held = try held(service)
    guard held.listens else { return }
    let frontend = HAProxyFolder.frontend(service)
    // Clients whose connection is kept meet a service without servers.
    let commands = RouteCommands(from: held, to: ServiceRoutes(), of: service, folder)
    var said = ""
    for batch in commands.batches + [["shutdown frontend \(frontend)"]] {
      said = try HAProxyAdmin(path: folder.admin).ask(batch)
    }
    guard !said.contains("No such frontend"), try self.held(service).listens else { return }
    throw Outage(
      "haproxy", "goes on to offer \(service) in \(environment); it is told again. It said: \(said.prefix(300))")
  }

  /// Deletes servers that nobody wants, that had no weight for a while and hold no request. HAProxy itself refuses to
  /// delete one in use, so a failure here only means: later.
  func sweep(_ service: ServiceName, _ held: HeldRoutes) {
    guard let wanted = wanted[service] else { return }
    sweep(HAProxyFolder.backend(service), held.servers, keeping: wanted.servers)
    sweep(HAProxyFolder.previewBackend(service), held.previewServers, keeping: wanted.previewServers)
  }

  private func sweep(_ backend: String, _ present: [HeldRoutes.Server], keeping wanted: [RoutedServer]) {
    let names = Set(wanted.map(\.name))
    for name in names { drainedSince["\(backend)/\(name)"] = nil }
    let due = present.map(\.server).filter { server in
      guard !names.contains(server.name) else { return false }
      let since = drainedSince["\(backend)/\(server.name)"] ?? .now
      drainedSince["\(backend)/\(server.name)"] = since
      return server.weight == 0 && ContinuousClock.now - since >= Self.drainedBeforeRemoval
    }
    guard !due.isEmpty, let csv = try? HAProxyAdmin(path: folder.admin).ask(["show stat \(backend) 4 -1"]) else {
      return
    }
    let open = HAProxyAdmin.table(csv[...])
    for server in due.map(\.name) {
      guard open.first(where: { $0["svname"] == server[...] })?["scur"] == "0" else { continue }
      let name = "\(backend)/\(server)"
      _ = try? HAProxyAdmin(path: folder.admin).ask(["set server \(name) state maint", "del server \(name)"])
      drainedSince[name] = nil
    }
  }
}
