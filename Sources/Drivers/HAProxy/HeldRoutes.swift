import Kernel

/// What HAProxy says that it holds for one service now, and how that differs from what it should.
struct HeldRoutes: Equatable {
  struct Server: Equatable {
    let server: RoutedServer
    let address: String
    /// No reason to be out of service: neither maintenance nor drain (`srv_admin_state` 0).
    let enabled: Bool
    /// Whether it may be given a request.
    var serves: Bool { enabled && server.weight > 0 }
  }

  var servers: [Server] = []
  var previewServers: [Server] = []
  var rules: [PreviewRule] = []
  /// False when someone paused or shut the frontend: clients are refused.
  var listens = true

  /// The commands whose answers `init` understands.
  static func questions(_ service: ServiceName, _ folder: HAProxyFolder) -> [String] {
    [
      "show servers state \(HAProxyFolder.backend(service))",
      "show servers state \(HAProxyFolder.previewBackend(service))",
      "show map \(folder.previews(service))",
      "show stat \(HAProxyFolder.frontend(service)) 1 -1",
    ]
  }

  init(_ answer: String, of service: ServiceName) {
    for line in answer.split(separator: "\n") {
      let cells = line.split(separator: " ")
      // be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight … srv_port (18th from 0)
      guard cells.count > 18, let weight = Int(cells[7]), let port = Int(cells[18]) else { continue }
      let server = Server(
        server: RoutedServer(name: String(cells[3]), port: port, weight: weight), address: String(cells[4]),
        enabled: cells[6] == "0")
      switch cells[1] {
      case HAProxyFolder.backend(service)[...]: servers.append(server)
      case HAProxyFolder.previewBackend(service)[...]: previewServers.append(server)
      default: continue
      }
    }
    rules = PreviewRule.rules(in: answer)
    let frontend = HAProxyAdmin.table(answer[...]).first { $0["pxname"] == HAProxyFolder.frontend(service)[...] }
    // A HAProxy without the service has no such line; then its servers are missing too.
    listens = frontend.map { $0["status"] == "OPEN" } ?? true
  }

  /// As wanted when nobody said yet what is: what an adopted HAProxy holds is kept until then.
  var routes: ServiceRoutes {
    ServiceRoutes(
      servers: servers.map(\.server), previewServers: previewServers.map(\.server), rule: rules.first)
  }

  /// What is not as wanted, a phrase each; empty when all is. A server that nobody wants may stay while it gets nothing.
  func differences(from wanted: ServiceRoutes, of service: ServiceName) -> [String] {
    var found = listens ? [] : ["\(HAProxyFolder.frontend(service)) takes no requests"]
    found += Self.differences(servers, from: wanted.servers, in: HAProxyFolder.backend(service))
    found += Self.differences(previewServers, from: wanted.previewServers, in: HAProxyFolder.previewBackend(service))
    if rules != wanted.rule.map({ [$0] }) ?? [] {
      let has = rules.isEmpty ? "no preview rule" : "another preview rule"
      found.append("\(service) has \(has)\(wanted.rule.map { " instead of that for \($0.deployment)" } ?? "")")
    }
    return found
  }

  private static func differences(_ held: [Server], from wanted: [RoutedServer], in backend: String) -> [String] {
    let present = Dictionary(held.map { ($0.server.name, $0) }, uniquingKeysWith: { first, _ in first })
    let names = Set(wanted.map(\.name))
    let wrong = wanted.compactMap { server -> String? in
      let name = "\(backend)/\(server.name)"
      guard let found = present[server.name] else { return "\(name) is missing" }
      if !found.enabled { return "\(name) is out of service" }
      if found.server.weight != server.weight {
        return "\(name) has weight \(found.server.weight), not \(server.weight)"
      }
      if !found.isAt(server) { return "\(name) leads to \(found.address):\(found.server.port)" }
      return nil
    }
    return wrong
      + held.filter { $0.serves && !names.contains($0.server.name) }.map {
        "\(backend)/\($0.server.name), which is not wanted, has weight \($0.server.weight)"
      }
  }
}

extension HeldRoutes.Server {
  func isAt(_ wanted: RoutedServer) -> Bool { address == "127.0.0.1" && server.port == wanted.port }
}
