import Crypto
import Flags
import Kernel
import NIOCore
import NIOHTTP1

/// The OpenFeature Remote Evaluation Protocol, version 0.3: one flag, all flags, and news of changes.
package struct OFREP: FlagProtocol {
  private static let evaluatePath = "/ofrep/v1/evaluate/flags"
  static let eventsPath: Substring = "/ofrep/v1/events"
  /// Seconds after which a client that nobody looks at may close its stream; the protocol's own number.
  private static let inactivityDelay = 120
  /// Seconds after which a client may ask again where nothing is published yet.
  private static let retryAfter = 1

  private let access: FlagAccess
  private let dialect = OFREPEvents()

  package init(access: FlagAccess) { self.access = access }

  package func reply(to request: FlagRequest, body: inout [UInt8]) -> FlagReply? {
    let path = request.path.utf8
    guard path.starts(with: Self.evaluatePath.utf8) else {
      return request.path == Self.eventsPath ? events(request, &body) : nil
    }
    let rest = request.path[request.path.index(request.path.startIndex, offsetBy: Self.evaluatePath.utf8.count)...]
    if rest.isEmpty { return isPost(request, &body) ?? bulk(request, &body) }
    guard rest.utf8.first == UInt8(ascii: "/") else { return nil }
    return isPost(request, &body) ?? single(rest.dropFirst(), request, &body)
  }

  /// The answer to any other method; nil for POST.
  private func isPost(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply? {
    if request.method == .POST { return nil }
    GeneralFailure.write("Evaluations are asked for with POST, not \(request.method.rawValue.prefix(20)).", to: &body)
    return .answer(status: 405, type: ResponseHead.json, headers: [("allow", "POST")])
  }

  /// Before anything is published: a client that is told to come again keeps what it has, where one that is told of no
  /// flags would forget it.
  private func unavailable(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    GeneralFailure.write("Environment '\(request.environment.name)' has no definitions yet: come again.", to: &body)
    return .answer(
      status: 503, type: ResponseHead.json, headers: [(name: "retry-after", value: String(Self.retryAfter))])
  }

  // MARK: One flag

  private func single(_ path: Substring, _ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let served = request.environment.store.current
    guard served.version > 0 else { return unavailable(request, &body) }
    let key = PercentText.decoded(path, plusIsBlank: false)
    let context: EvaluationContext
    switch OFREPBody.context(of: request.body) {
    case .success(let read): context = read
    case .failure(let failure):
      OFREPAnswer.write(failure, key: key, to: &body)
      return .answer(status: 400, type: ResponseHead.json)
    }
    guard let position = served.flags.position(of: key) else {
      OFREPAnswer.writeUnknown(key, among: served.flags, to: &body)
      return .answer(status: 404, type: ResponseHead.json)
    }
    let evaluation = served.flags.evaluate(at: position, for: context, at: Int64(request.now))
    OFREPAnswer.write(evaluation, of: served.served[position], in: served.flags, to: &body)
    request.client(.ofrep).acknowledged(served.version, by: .evaluated, at: request.now)
    guard evaluation.error == nil else { return .answer(status: 400, type: ResponseHead.json) }
    if let exposures = request.environment.exposures, let variant = served.flags.variant(of: evaluation) {
      exposures.exposed(
        environment: served.environment, flag: key, variant: variant, reason: evaluation.reason,
        version: served.version, unit: context.targetingKey.string, at: request.now)
    }
    return .answer(status: 200, type: ResponseHead.json)
  }

  // MARK: All flags

  private func bulk(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    let served = request.environment.store.current
    guard served.version > 0 else { return unavailable(request, &body) }
    let context: EvaluationContext
    switch OFREPBody.context(of: request.body) {
    case .success(let read): context = read
    case .failure(let failure):
      OFREPAnswer.write(failure, key: nil, to: &body)
      return .answer(status: 400, type: ResponseHead.json)
    }
    request.client(.ofrep).acknowledged(served.version, by: .refetched, at: request.now)
    let tag = writeAll(of: served, for: context, request, &body)
    if let held = request.headers.first(name: "if-none-match"), EntityTags.contain(tag, in: held),
      !knowsNewer(request, than: served)
    {
      body.removeAll(keepingCapacity: true)
      return .answer(status: 304, type: nil, headers: [("etag", "\"\(tag)\"")])
    }
    return .answer(status: 200, type: ResponseHead.json, headers: [("etag", "\"\(tag)\"")])
  }

  /// Whether the client was told of a configuration that is not the one served here: then it has to get an answer as a
  /// whole. The other way round nothing follows from these parameters (ADR-0008).
  private func knowsNewer(_ request: FlagRequest, than served: ServedFlags) -> Bool {
    if request.query.isEmpty { return false }
    if let tag = request.parameter("flagConfigEtag"), EntityTags.bare(Substring(tag)) != served.entityTag {
      return true
    }
    if let modified = request.parameter("flagConfigLastModified").flatMap({ Double($0) }) {
      return modified > served.changedAt.rounded(.down)
    }
    return false
  }

  /// - Returns: a digest of the configuration, the context, and which variants came of it. The last counts because
  ///   rules may look at the clock; the context, because 304 for somebody else's answer would be served for ever.
  private func writeAll(
    of served: ServedFlags, for context: EvaluationContext, _ request: FlagRequest, _ body: inout [UInt8]
  ) -> String {
    let constants = served.constantAnswers()
    body.append(contentsOf: "{\"flags\":[".utf8)
    body.append(contentsOf: constants.bytes)
    var isFirst = constants.bytes.isEmpty
    var outcomes: [UInt8] = []
    outcomes.reserveCapacity(constants.others.count * 4 + 256)
    let seconds = Int64(request.now)
    for position in constants.others {
      if !isFirst { body.append(UInt8(ascii: ",")) }
      isFirst = false
      let evaluation = served.flags.evaluate(at: position, for: context, at: seconds)
      OFREPAnswer.write(evaluation, of: served.served[position], in: served.flags, to: &body)
      outcomes.append(evaluation.reason.rawValue)
      outcomes.append(evaluation.cause.rawValue)
      outcomes.append(UInt8(truncatingIfNeeded: evaluation.variant))
      outcomes.append(UInt8(truncatingIfNeeded: evaluation.variant >> 8))
    }
    body.append(contentsOf: "],\"metadata\":".utf8)
    if served.flags.metadata.kind == .object {
      JSONWriter.write(served.flags.metadata, to: &body)
    } else {
      body.append(contentsOf: "{}".utf8)
    }
    body.append(contentsOf: ",\"eventStreams\":[{\"type\":\"sse\",\"endpoint\":{\"requestUri\":".utf8)
    JSONText.write(eventsTarget(request), to: &body)
    body.append(contentsOf: "},\"inactivityDelaySec\":\(Self.inactivityDelay)}]}".utf8)
    CanonicalJSON.write(context.attributes, to: &outcomes)
    let digest = SHA256.hash(data: outcomes)
    return served.entityTag + "-" + ServedFlags.hexadecimal(digest.prefix(Self.contextTagBytes))
  }

  /// 80 bits: a client has one or a few contexts.
  private static let contextTagBytes = 10

  /// Where the client hears of changes, below the origin that it reached us by.
  private func eventsTarget(_ request: FlagRequest) -> String {
    var target = "\(request.prefix)\(Self.eventsPath)"
    let environment = request.environment.name
    if request.prefix.isEmpty, environment != request.environments.usual.name {
      target = "/flags/\(PercentText.encoded(environment))\(Self.eventsPath)"
    }
    var parameters: [String] = []
    if let name = request.clientName { parameters.append("client=\(PercentText.encoded(name))") }
    if let ticket = access.ticket(for: environment) { parameters.append("ticket=\(ticket)") }
    return parameters.isEmpty ? target : target + "?" + parameters.joined(separator: "&")
  }

  // MARK: News

  private func events(_ request: FlagRequest, _ body: inout [UInt8]) -> FlagReply {
    guard request.method == .GET else {
      GeneralFailure.write("Events are asked for with GET, not \(request.method.rawValue.prefix(20)).", to: &body)
      return .answer(status: 405, type: ResponseHead.json, headers: [("allow", "GET")])
    }
    return .stream(
      EventStream(
        identity: request.streamIdentity(.ofrepStream), environment: request.environment, dialect: dialect,
        lastEventID: request.headers.first(name: "last-event-id") ?? request.parameter("lastEventId")))
  }
}

/// OFREP's notifications (ADR-0008): that something changed, never what.
final class OFREPEvents: EventDialect {
  /// The newest version is told unless the client says that it was: what changed between its answer for all flags and
  /// this stream would be lost otherwise. It costs a client that missed nothing one request that ends with 304.
  func opening(of served: ServedFlags, lastEventID: String?) -> [UInt8] {
    guard shows(served), lastEventID != id(served) else { return EventText.retry() }
    return EventText.retry() + message(served)
  }

  func shows(_ served: ServedFlags) -> Bool { served.version > 0 }

  func message(_ served: ServedFlags, after last: ServedFlags) -> [UInt8] { message(served) }

  private func message(_ served: ServedFlags) -> [UInt8] {
    let modified = Int64(served.changedAt)
    return EventText.message(
      event: "message", id: id(served),
      data: "{\"type\":\"refetchEvaluation\",\"etag\":\"\(served.entityTag)\",\"lastModified\":\(modified)}")
  }

  /// The digest tells versions apart across restarts of a server that counts anew.
  private func id(_ served: ServedFlags) -> String { "\(served.version)-\(served.entityTag)" }
}

/// Entity tags of a header.
enum EntityTags {
  /// Weak or strong, quoted or (as in OFREP's own example) not, one or a list. `*` matches nothing: a client that holds
  /// anything at all may not hold this.
  static func contain(_ tag: String, in header: String) -> Bool {
    header.split(separator: ",").contains { bare($0) == tag }
  }

  static func bare(_ text: Substring) -> String {
    var bytes = Array(text.utf8.drop { $0 == 0x20 || $0 == 0x09 })
    while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
    if bytes.starts(with: "W/".utf8) { bytes.removeFirst(2) }
    if bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
      bytes = Array(bytes.dropFirst().dropLast())
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
