import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Yams

/// Reads the whole document: top-level keys, then environments, then services against them.
struct DocumentReader {
  let reading: Reading
  let folder: String

  init(_ reading: Reading, folder: String) {
    self.reading = reading
    self.folder = folder
  }

  static let keys = [
    "services", "observe", "environments", "queue", "repositories", "server", "announce", "prometheus", "databases",
    "flags",
  ]
  static let serverKeys = ["listen", "address"]
  static let announceKeys = PlimsollFile.AnnouncerTarget.Format.allCases.map(\.rawValue)

  /// Nil when the document as a whole cannot be read; otherwise what could be, beside the problems.
  func read(_ root: Node) -> PlimsollFile? {
    guard let fields = reading.fields(root, "plimsoll.yaml", Self.keys) else { return nil }
    guard fields["services"] != nil || fields["observe"] != nil else {
      reading.fail(root, "services: expected at least one service, found none")
      return nil
    }
    let (listen, address) = fields["server"].map(server) ?? (.standard, nil)
    let announcers = fields["announce"].map(announcers) ?? []
    let prometheus = fields["prometheus"].flatMap { EvidenceReader(reading).prometheus($0) }
    let environments = EnvironmentsReader(reading).read(fields["environments"])
    let queue = fields["queue"].map { QueueReader(reading).read($0) } ?? QueueSettings()
    var repositories = fields["repositories"].map(repositories) ?? []
    let databases = DatabasesReader(reading: reading, environments: environments.map(\.name), folder: folder)
    let databaseDrafts = fields["databases"].map { databases.read($0) } ?? []
    let flags = FlagsReader(reading, environments: environments.map(\.name))
    let flagDraft = fields["flags"].flatMap { flags.read($0) }

    guard let services = fields["services"].map({ reading.pairs($0, "services") }) ?? [] else { return nil }
    if services.isEmpty, let node = fields["services"] {
      reading.fail(node, "services: expected at least one service, found none")
    }
    var topology = Topology()
    var runs: [PlimsollFile.Run] = []
    var judged: [PlimsollFile.JudgedPlace] = []
    var levels: [PlimsollFile.PlaceLevel] = []
    var uses: [DatabaseUse] = []
    let reader = ServiceReader(
      reading, environments: environments, queue: queue, announceTargets: announcers.count, folder: folder,
      isPrometheusNamed: fields["prometheus"] != nil, databases: databases, databaseDrafts: databaseDrafts)
    for pair in services {
      guard let name = ServiceName(rawValue: pair.key) else {
        reading.fail(
          pair.keyNode,
          "services: '\(pair.key)' is no service name; expected 1 to \(longestName) lower-case letters, digits, hyphens"
        )
        continue
      }
      guard let draft = reader.read(name, pair.value, at: pair.keyNode, repositories: &repositories)
      else { continue }
      topology.services.append(draft.service)
      runs += draft.runs
      judged += draft.judged
      levels += draft.levels
      if let use = draft.database { uses.append(use) }
      add(draft.queue, to: &topology, at: pair.keyNode)
    }
    let named = services.compactMap { ServiceName(rawValue: $0.key) }
    let observe = ObserveReader(reading, folder: folder, announceTargets: announcers.count)
    let observed = fields["observe"].map { observe.read($0, besides: named) } ?? []
    topology.observed = observed.map(\.policy)
    if fields["prometheus"] == nil {
      for query in reading.queries {
        reading.fail(query.node, "\(query.subject): nobody answers queries; add 'prometheus: { url: … }' to the file")
      }
    }
    let (policies, databasePlaces) = databases.policies(
      databaseDrafts, uses.sorted { $0.service < $1.service }, repositories: repositories)
    topology.databases = policies
    for index in topology.queues.indices {
      let queue = topology.queues[index]
      let places = topology.databases(of: .queue(queue.repository, queue.trunk)).map(\.place)
      topology.queues[index].requirements = queue.requirements.asking(places)
    }
    topology.services.sort { $0.name < $1.name }
    topology.queues.sort { ($0.repository, $0.trunk) < ($1.repository, $1.trunk) }
    topology.flagFolders = flagDraft.map { flags.policies($0, queues: topology.queues) } ?? []
    return PlimsollFile(
      topology: topology, repositories: repositories.sorted { $0.name < $1.name }, runs: runs, announcers: announcers,
      listen: listen, address: address, judged: judged, levels: levels, observed: observed, prometheus: prometheus,
      databases: databasePlaces, flags: flagDraft?.place, warnings: [])
  }

  /// Services of one repository share its queue, so they must agree on how it works.
  private func add(_ queue: MergeQueue.Policy, to topology: inout Topology, at node: Node) {
    guard let known = topology.queues.first(where: { $0.repository == queue.repository && $0.trunk == queue.trunk })
    else {
      topology.queues.append(queue)
      return
    }
    if known != queue {
      reading.fail(
        node,
        "services: two services of repository '\(queue.repository)' name different tests or queue settings; a queue has one"
      )
    }
  }

  // MARK: Small sections

  private func repositories(_ node: Node) -> [PlimsollFile.Repository] {
    (reading.pairs(node, "repositories") ?? []).compactMap { pair in
      guard let name = RepositoryName(rawValue: pair.key) else {
        reading.fail(
          pair.keyNode, "repositories: '\(pair.key)' is no name; expected lower-case letters, digits, hyphens")
        return nil
      }
      return reading.text(pair.value, "repositories.\(name)").map {
        PlimsollFile.Repository(name: name, location: resolveLocation($0, folder: folder))
      }
    }
  }

  private func announcers(_ node: Node) -> [PlimsollFile.AnnouncerTarget] {
    (reading.items(node, "announce") ?? []).compactMap { item in
      guard let fields = reading.fields(item, "announce", Self.announceKeys) else { return nil }
      guard fields.count == 1, let (key, value) = fields.first,
        let format = PlimsollFile.AnnouncerTarget.Format(rawValue: key)
      else {
        reading.fail(item, "announce: expected one of 'slack: ADDRESS' or 'json: ADDRESS'")
        return nil
      }
      guard let source = reading.source(value, "announce.\(key)") else { return nil }
      if case .value(let address) = source, !address.hasPrefix("http://"), !address.hasPrefix("https://") {
        reading.fail(value, "announce.\(key): expected an http(s) address, env:NAME or file:PATH, found '\(address)'")
        return nil
      }
      return PlimsollFile.AnnouncerTarget(format: format, address: source)
    }
  }

  private func server(_ node: Node) -> (PlimsollFile.ListenAddress, address: String?) {
    guard let fields = reading.fields(node, "server", Self.serverKeys) else { return (.standard, nil) }
    return (fields["listen"].map(listen) ?? .standard, fields["address"].flatMap(address))
  }

  private func address(_ node: Node) -> String? {
    reading.value(node, "server.address", expected: "an http(s) address such as https://plimsoll.example.org") { text in
      guard text.hasPrefix("http://") || text.hasPrefix("https://") else { return nil }
      return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
  }

  private func listen(_ listen: Node) -> PlimsollFile.ListenAddress {
    reading.address(listen, "server.listen") ?? .standard
  }
}

/// `env:NAME`, `file:PATH` or the value itself.
func variableSource(_ text: String) -> PlimsollFile.VariableSource.Source {
  if text.hasPrefix("env:") { return .environment(String(text.dropFirst(4))) }
  if text.hasPrefix("file:") { return .file(String(text.dropFirst(5))) }
  return .value(text)
}

/// Relative paths are relative to the file; addresses stay as they are.
func resolveLocation(_ text: String, folder: String) -> String {
  if text.contains("://") || text.hasPrefix("/") { return text }
  // `host:path` is git's short form for ssh; a colon before any slash marks it.
  if let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") { return text }
  return URL(filePath: folder, directoryHint: .isDirectory).appending(path: text).standardizedFileURL.path
}
