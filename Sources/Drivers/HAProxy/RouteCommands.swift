import Kernel

/// The commands that bring one service from what HAProxy holds to what it should.
///
/// Order is the promise. A preview that ends is emptied first, so that a rollback's first effect is that nobody who asks
/// for the version gets it. Then servers are added and raised before others are lowered, so that at no moment the
/// backend has less to give than before or after. A preview that begins comes last, when all that it needs is there.
struct RouteCommands {
  /// A command line holds 16 KB (`tune.bufsize`); this many commands with the longest names stay below it.
  private static let perBatch = 40

  /// In order.
  private(set) var commands: [String] = []

  init(from held: HeldRoutes, to wanted: ServiceRoutes, of service: ServiceName, _ folder: HAProxyFolder) {
    let (backend, previews) = (HAProxyFolder.backend(service), HAProxyFolder.previewBackend(service))
    let rules = wanted.rule.map { [$0] } ?? []
    let (raised, lowered) = Self.changes(from: held.servers, to: wanted.servers, in: backend)
    let (begun, ended) = Self.changes(from: held.previewServers, to: wanted.previewServers, in: previews)
    if held.rules != rules, !held.rules.isEmpty { commands.append("clear map \(folder.previews(service))") }
    commands += ended + raised + lowered
    if !held.listens { commands.append("enable frontend \(HAProxyFolder.frontend(service))") }
    commands += begun
    if held.rules != rules { commands += rules.map { "add map \(folder.previews(service)) \($0.words)" } }
  }

  /// What to send at once.
  var batches: [[String]] {
    stride(from: 0, to: commands.count, by: Self.perBatch).map {
      Array(commands[$0..<min($0 + Self.perBatch, commands.count)])
    }
  }

  private static func changes(from held: [HeldRoutes.Server], to wanted: [RoutedServer], in backend: String)
    -> (raising: [String], lowering: [String])
  {
    let present = Dictionary(held.map { ($0.server.name, $0) }, uniquingKeysWith: { first, _ in first })
    var raising: [String] = []
    var lowering: [String] = []
    for server in wanted {
      let name = "\(backend)/\(server.name)"
      guard let old = present[server.name] else {
        raising.append("add server \(name) 127.0.0.1:\(server.port) weight \(server.weight)")
        raising.append("enable server \(name)")
        continue
      }
      if !old.isAt(server) { raising.append("set server \(name) addr 127.0.0.1 port \(server.port)") }
      if server.weight > old.server.weight { raising.append("set server \(name) weight \(server.weight)") }
      if server.weight < old.server.weight { lowering.append("set server \(name) weight \(server.weight)") }
      if !old.enabled { raising.append("set server \(name) state ready") }
    }
    let names = Set(wanted.map(\.name))
    for old in held.map(\.server).sorted(by: { $0.name < $1.name }) where !names.contains(old.name) && old.weight > 0 {
      lowering.append("set server \(backend)/\(old.name) weight 0")
    }
    return (raising, lowering)
  }
}
