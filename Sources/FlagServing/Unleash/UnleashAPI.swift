import Flags
import NIOHTTP1

/// Unleash's client API, as its SDKs ask for it: register, features, delta, streaming, metrics.
///
/// Paths are `/api/client/…`, so that a client is given `http://HOST:PORT/api` as its address, or
/// `http://HOST:PORT/flags/ENVIRONMENT/api`.
package struct UnleashAPI: FlagProtocol {
  private static let prefix: Substring = "/api/client/"
  private static let json: StaticString = ResponseHead.json
  /// Characters of a client's names that are kept.
  private static let nameLimit = 60

  private let documents = UnleashDocuments()
  private let dialect: UnleashEvents
  package let metrics: UnleashMetrics

  package init(metrics: UnleashMetrics = UnleashMetrics()) {
    self.metrics = metrics
    dialect = UnleashEvents(documents)
  }

  package func reply(to request: FlagRequest, body: inout [UInt8]) -> FlagReply? {
    guard request.path.utf8.starts(with: Self.prefix.utf8) else { return nil }
    switch (request.path.dropFirst(Self.prefix.count), request.method) {
    case ("features", .GET): return features(request, &body)
    case ("delta", .GET): return delta(request, &body)
    case ("streaming", .GET): return streaming(request, &body)
    case ("register", .POST): return posted(request, &body) { _ in }
    case ("metrics", .POST): return posted(request, &body) { metrics.add($0, for: request) }
    case ("metrics/bulk", .POST): return posted(request, &body) { metrics.addBulk($0, for: request) }
    case ("features", _), ("delta", _), ("streaming", _): return notAllowed("GET", request, &body)
    case ("register", _), ("metrics", _), ("metrics/bulk", _): return notAllowed("POST", request, &body)
    default: return nil
    }
  }

  // MARK: Features

  private func features(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let served = request.environment.store.current
    guard let document = document(of: served, request, &body) else { return unavailable(&body) }
    let projects = Self.projects(request.query)
    // A project's features change no sooner than the definitions do.
    let tag = projects.isEmpty ? served.entityTag : "\(served.entityTag)-\(projects.sorted().joined(separator: "+"))"
    client(request).acknowledged(served.version, by: .refetched, at: request.now)
    let encoded = PercentText.encoded(tag)
    let headers: [(name: StaticString, value: String)] = [("etag", "\"\(encoded)\"")]
    if isHeld(encoded, request) { return .answer(status: 304, type: nil, headers: headers) }
    document.writeFeatures(of: projects, to: &body)
    return .answer(status: 200, type: Self.json, headers: headers)
  }

  /// Changes for a client that polls: here always all of it, or 304.
  private func delta(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let served = request.environment.store.current
    guard let document = document(of: served, request, &body) else { return unavailable(&body) }
    client(request).acknowledged(served.version, by: .refetched, at: request.now)
    let headers: [(name: StaticString, value: String)] = [("etag", "\"\(served.entityTag)\"")]
    if isHeld(served.entityTag, request) { return .answer(status: 304, type: nil, headers: headers) }
    document.writeHydration(to: &body)
    return .answer(status: 200, type: Self.json, headers: headers)
  }

  private func streaming(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let served = request.environment.store.current
    guard document(of: served, request, &body) != nil else { return unavailable(&body) }
    return .stream(
      EventStream(
        identity: identity(request, .unleashStream) ?? request.streamIdentity(.unleashStream),
        environment: request.environment, dialect: dialect,
        lastEventID: request.headers.first(name: "last-event-id")))
  }

  /// Nil while there is nothing to serve: a client that is told to come again keeps what it has, where one that is told
  /// of no features would forget it.
  private func document(
    of served: ServedFlags, _ request: FlagRequest, _ body: inout [UInt8]
  ) -> UnleashAnswers? {
    guard served.version > 0 else {
      GeneralFailure.write("Environment '\(request.environment.name)' has no definitions yet: come again.", to: &body)
      return nil
    }
    switch documents.answers(of: served) {
    case .success(let answers): return answers
    case .failure(let refusal):
      GeneralFailure.write(refusal.sentence, to: &body)
      return nil
    }
  }

  private func unavailable(_ body: inout [UInt8]) -> FlagReply {
    .answer(status: 503, type: Self.json, headers: [("retry-after", "1")])
  }

  private func isHeld(_ tag: String, _ request: FlagRequest) -> Bool {
    request.headers.first(name: "if-none-match").map { EntityTags.contain(tag, in: $0) } ?? false
  }

  /// `project` may be there several times, or hold several with commas; `*` is all.
  private static func projects(_ query: Substring) -> Set<String> {
    var projects: Set<String> = []
    for pair in query.split(separator: "&") where pair.hasPrefix("project=") {
      let names = PercentText.decoded(pair.dropFirst("project=".count), plusIsBlank: true)
      projects.formUnion(names.split(separator: ",").map(String.init))
    }
    return projects.contains("*") ? [] : projects
  }

  // MARK: Clients

  private func client(_ request: FlagRequest) -> FlagClient {
    guard let identity = identity(request, .unleash) else { return request.client(.unleash) }
    return request.environment.registry.seen(identity, at: request.now)
  }

  /// An SDK's own names: application, instance, and the connection, which no two SDKs share. Nil when it says none.
  private func identity(_ request: FlagRequest, _ kind: ClientProtocol) -> ClientIdentity? {
    let application = request.headers.first(name: "unleash-appname").map { String($0.prefix(Self.nameLimit)) }
    let instance =
      request.headers.first(name: "unleash-connection-id") ?? request.headers.first(name: "unleash-instanceid")
    guard application != nil || instance != nil else { return nil }
    let name = [kind.rawValue, application ?? "", String((instance ?? "").prefix(Self.nameLimit))]
      .filter { !$0.isEmpty }.joined(separator: " ")
    let userAgent = request.headers.first(name: "unleash-sdk") ?? request.userAgent
    return ClientIdentity(
      name: name, kind: kind, userAgent: userAgent,
      address: kind == .unleashStream ? request.peer.addressAndPort : request.peer.address)
  }

  // MARK: What clients send

  private func posted(_ request: FlagRequest, _ body: inout [UInt8], _ take: (JSONView) -> Void) -> FlagReply {
    let result: Result<JSONTape, FlagRefusal> = request.body.withUnsafeReadableBytes { bytes in
      do throws(FlagRefusal) {
        return .success(
          try JSONReader.tape(
            of: bytes.assumingMemoryBound(to: UInt8.self), subject: "the body", limit: UnleashMetrics.bodyLimit))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let tape):
      guard tape.root.kind == .object else {
        GeneralFailure.write("The body is no JSON object: send what Unleash's SDKs send.", to: &body)
        return .answer(status: 400, type: Self.json)
      }
      withExtendedLifetime(tape) { take(tape.root) }
      return .answer(status: 202, type: nil)
    case .failure(let refusal):
      GeneralFailure.write(refusal.description, to: &body)
      return .answer(status: 400, type: Self.json)
    }
  }

  private func notAllowed(_ method: String, _ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    GeneralFailure.write("This is asked for with \(method), not \(request.method.rawValue.prefix(20)).", to: &body)
    let headers: [(name: StaticString, value: String)] = [("allow", method)]
    return .answer(status: 405, type: Self.json, headers: headers)
  }
}
