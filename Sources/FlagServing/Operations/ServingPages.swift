import Foundation
import Kernel

/// What a server tells about itself: `/healthz`, `/metrics`, `/v1/flags/status`, `/v1/flags/clients`. A view over
/// stores, registries and counts, in any process that has them.
package struct ServingPages: FlagProtocol {
  /// Clients that a list names unless it is asked for more.
  static let usualListed = 100

  private let counts: ServingCounts
  private let encoder: @Sendable () -> JSONEncoder
  /// Faults of what feeds an environment, by its name.
  private let fault: @Sendable (String) -> String?

  /// - Parameter fault: a sentence when what feeds the environment cannot go on; nil while all is well.
  package init(counts: ServingCounts, fault: @escaping @Sendable (String) -> String? = { _ in nil }) {
    self.counts = counts
    self.fault = fault
    encoder = {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return encoder
    }
  }

  package func reply(to request: FlagRequest, body: inout [UInt8]) -> FlagReply? {
    guard ["/healthz", "/metrics", "/v1/flags/status", "/v1/flags/clients"].contains(request.path) else { return nil }
    guard request.method == .GET || request.method == .HEAD else {
      GeneralFailure.write("This is asked for with GET, not \(request.method.rawValue.prefix(20)).", to: &body)
      return .answer(status: 405, type: ResponseHead.json, headers: [("allow", "GET, HEAD")])
    }
    switch request.path {
    case "/healthz": return health(request, &body)
    case "/metrics": return metrics(request, &body)
    case "/v1/flags/status": return json(StatusView(request, counts: counts, fault: fault), &body)
    default: return clients(request, &body)
    }
  }

  private func json(_ view: some Encodable, _ body: inout [UInt8]) -> FlagReply {
    guard let data = try? encoder().encode(view) else {
      GeneralFailure.write("This view has a number that JSON cannot say: report it.", to: &body)
      return .answer(status: 500, type: ResponseHead.json)
    }
    body.append(contentsOf: data)
    return .answer(status: 200, type: ResponseHead.json)
  }

  /// Healthy while every environment has something to serve, however old: clients are better off with it than with
  /// the defaults in their code.
  private func health(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let empty = request.environments.all.filter { $0.store.current.version == 0 }
    guard empty.isEmpty else {
      body.append(contentsOf: "nothing to serve yet in \(empty.map(\.name).joined(separator: ", "))\n".utf8)
      return .answer(status: 503, type: ResponseHead.text, headers: [("retry-after", "1")])
    }
    let words = request.environments.all.map { environment in
      let served = environment.store.current
      return "\(environment.name) serves version \(served.version) of \(served.flags.count) flags"
        + (fault(environment.name).map { ", which is not the newest: \($0)" } ?? "")
    }
    body.append(contentsOf: (words.joined(separator: "\n") + "\n").utf8)
    return .answer(status: 200, type: ResponseHead.text)
  }

  private func clients(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let served = request.environment.store.current
    let asked = request.parameter("version")
    guard let version = asked == nil ? served.version : asked.flatMap({ Int($0) }) else {
      GeneralFailure.write("The version is no number: name one, or leave it out for the newest.", to: &body)
      return .answer(status: 400, type: ResponseHead.json)
    }
    let view = ClientsView(request, version: version, served: served)
    guard request.headers.first(name: "accept")?.contains("text/plain") ?? false else { return json(view, &body) }
    body.append(contentsOf: (view.sentence + "\n").utf8)
    return .answer(status: 200, type: ResponseHead.text)
  }

  /// Prometheus' text format, version 0.0.4.
  private func metrics(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    func metric(_ name: String, _ kind: String, _ help: String, _ values: [(labels: String, value: String)]) {
      body.append(contentsOf: "# HELP plimsoll_flags_\(name) \(help)\n# TYPE plimsoll_flags_\(name) \(kind)\n".utf8)
      for (labels, value) in values {
        body.append(contentsOf: "plimsoll_flags_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(value)\n".utf8)
      }
    }
    func number(_ value: Int) -> [(labels: String, value: String)] { [("", String(value))] }
    func each(_ value: (FlagEnvironment) -> String) -> [(labels: String, value: String)] {
      request.environments.all.map { ("environment=\"\($0.name)\"", value($0)) }
    }
    metric("requests_total", "counter", "Requests read.", number(counts.requests.load(ordering: .relaxed)))
    metric(
      "answers_total", "counter", "Answers by class of status.",
      (2...5).map { ("class=\"\($0)xx\"", String(counts.answers(ofClass: $0))) })
    metric("connections", "gauge", "Open connections.", number(counts.connections.load(ordering: .relaxed)))
    metric("streams", "gauge", "Open event streams.", number(counts.streams.load(ordering: .relaxed)))
    metric("messages_total", "counter", "Changes told to streams.", number(counts.messages.load(ordering: .relaxed)))
    metric(
      "streams_cut_off_total", "counter", "Streams ended because nobody read them.",
      number(counts.cutOff.load(ordering: .relaxed)))
    metric(
      "turned_away_total", "counter", "Streams refused because there were too many.",
      number(counts.turnedAway.load(ordering: .relaxed)))
    metric("version", "gauge", "The version served.", each { String($0.store.current.version) })
    metric("flags", "gauge", "Flags served.", each { String($0.store.current.flags.count) })
    metric("changed_timestamp_seconds", "gauge", "When it changed.", each { String($0.store.current.changedAt) })
    metric(
      "faulty", "gauge", "Whether the newest definitions cannot be served.",
      each { fault($0.name) == nil ? "0" : "1" })
    metric("clients", "gauge", "Clients known.", each { String($0.registry.count) })
    metric(
      "clients_lacking", "gauge", "Clients not known to have the version served.",
      each { environment in
        let served = environment.store.current
        let standing = environment.registry.standing(
          of: served.version, changedAt: served.changedAt, at: request.now)
        return String(standing.lacking.count)
      })
    metric(
      "clients_forgotten_total", "counter", "Clients forgotten because there were too many.",
      each { String($0.registry.forgotten) })
    metric(
      "exposures_dropped_total", "counter", "Exposures that there was no room for.",
      each { String($0.exposures?.dropped ?? 0) })
    return .answer(status: 200, type: "text/plain; version=0.0.4; charset=utf-8")
  }
}

/// `GET /v1/flags/status`.
struct StatusView: Encodable {
  struct Environment: Encodable {
    let name: String
    let version: Int
    /// Seconds since 1970.
    let changedAt: Double
    let flags: Int
    let entityTag: String
    let clients: Int
    /// Why newer definitions are not served; absent while all is well.
    let fault: String?
    let exposuresDropped: Int
    let sentence: String
  }

  let environments: [Environment]
  let usual: String
  let connections: Int
  let streams: Int
  let requests: Int
  let streamsCutOff: Int
  let turnedAway: Int

  init(_ request: FlagRequest, counts: ServingCounts, fault: (String) -> String?) {
    environments = request.environments.all.map { environment in
      let served = environment.store.current
      return Environment(
        name: environment.name, version: served.version, changedAt: served.changedAt, flags: served.flags.count,
        entityTag: served.entityTag, clients: environment.registry.count, fault: fault(environment.name),
        exposuresDropped: environment.exposures?.dropped ?? 0,
        sentence: environment.registry.standing(
          of: served.version, changedAt: served.changedAt, at: request.now
        ).sentence)
    }
    usual = request.environments.usual.name
    connections = counts.connections.load(ordering: .relaxed)
    streams = counts.streams.load(ordering: .relaxed)
    requests = counts.requests.load(ordering: .relaxed)
    streamsCutOff = counts.cutOff.load(ordering: .relaxed)
    turnedAway = counts.turnedAway.load(ordering: .relaxed)
  }
}

/// `GET /v1/flags/clients`.
struct ClientsView: Encodable {
  struct Client: Encodable {
    let name: String
    let kind: ClientProtocol
    let userAgent: String
    let address: String
    /// The newest version that it is known to have; absent before any.
    let version: Int?
    let evidence: EvidenceClass?
    let acknowledgedAt: Double?
    let lastSeen: Double
    let streams: Int
    /// When its last stream ended without coming back.
    let leftAt: Double?
  }

  let environment: String
  let version: Int
  let sentence: String
  let isEverywhere: Bool
  let all: Int
  let have: Int
  let byEvidence: [String: Int]
  let seconds: Double
  /// Who lacks the version, those that left before they had it among them.
  let lacking: [Client]
  /// Of everybody, as many as were asked for.
  let clients: [Client]
  let forgotten: Int

  init(_ request: FlagRequest, version: Int, served: ServedFlags) {
    let registry = request.environment.registry
    let known = registry.clients(at: request.now)
    let standing = Standing(version: version, changedAt: served.changedAt, clients: known)
    environment = request.environment.name
    self.version = version
    sentence = standing.sentence
    isEverywhere = standing.isEverywhere
    all = standing.all
    have = standing.have
    byEvidence = Dictionary(uniqueKeysWithValues: standing.byEvidence.map { ($0.key.rawValue, $0.value) })
    seconds = standing.seconds
    let limit = max(0, request.parameter("limit").flatMap { Int($0) } ?? ServingPages.usualListed)
    let records = known.map(Self.client)
    lacking = Array(records.filter { ($0.version ?? -1) < version }.prefix(limit))
    clients = Array(records.prefix(limit))
    forgotten = registry.forgotten
  }

  private static func client(_ identity: ClientIdentity, _ record: ClientRecord) -> Client {
    Client(
      name: identity.name, kind: identity.kind, userAgent: identity.userAgent, address: identity.address,
      version: record.version < 0 ? nil : record.version, evidence: record.evidence,
      acknowledgedAt: record.evidence == nil ? nil : record.acknowledgedAt, lastSeen: record.lastSeen,
      streams: record.streams, leftAt: record.leftAt)
  }
}
