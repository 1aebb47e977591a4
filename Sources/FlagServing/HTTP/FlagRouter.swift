import Crypto
import Kernel
import NIOCore
import NIOHTTP1

/// Chooses a request's environment and protocol, and lets through who may ask.
struct FlagRouter: Sendable {
  let environments: FlagEnvironments
  let protocols: [any FlagProtocol]
  let access: FlagAccess
  let counts: ServingCounts
  /// Streams that one server holds; more are told to come later.
  let streamLimit: Int
  /// Seconds since 1970.
  let clock: @Sendable () -> Double

  /// Seconds after which a client that was turned away may try again.
  static let retryAfter = 5
  private static let prefix = "/flags/"

  func reply(
    to head: HTTPRequestHead, body: ByteBuffer, peer: Peer, isDraining: Bool, into bytes: inout [UInt8]
  ) -> FlagReply {
    let target = Substring(head.uri)
    let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
    var path = mark.map { target[..<$0] } ?? target
    let query = mark.map { target[target.index(after: $0)...] } ?? ""
    var prefix: Substring = ""
    let choice = chosen(head, &path, &prefix)
    // Before the choice is told: who has no token learns no names of environments.
    let verdict = access.judge(head.headers, path: path, query: query, in: try? choice.get().name)
    if case .refused(let status, let sentence) = verdict {
      let headers: [(name: StaticString, value: String)] = status == 401 ? [("www-authenticate", "Bearer")] : []
      GeneralFailure.write(sentence, to: &bytes)
      return .answer(status: status, type: ResponseHead.json, headers: headers)
    }
    let environment: FlagEnvironment
    switch choice {
    case .success(let found): environment = found
    case .failure(let unknown): return failure(404, unknown.sentence, &bytes)
    }
    let request = FlagRequest(
      method: head.method, path: path, prefix: prefix, query: query, headers: head.headers, body: body,
      environment: environment, environments: environments, peer: peer, now: clock())
    for spoken in protocols {
      guard let reply = spoken.reply(to: request, body: &bytes) else { continue }
      guard case .stream = reply else { return reply }
      guard !isDraining, counts.streams.load(ordering: .relaxed) < streamLimit else {
        counts.turnedAway.add(1, ordering: .relaxed)
        bytes.removeAll(keepingCapacity: true)
        GeneralFailure.write("There are \(streamLimit) streams, or the server stops: come later.", to: &bytes)
        return .answer(
          status: isDraining ? 503 : 429, type: ResponseHead.json,
          headers: [("retry-after", String(isDraining ? 1 : Self.retryAfter))])
      }
      return reply
    }
    return failure(404, "There is nothing at \(shown(path)): see docs/flag-serving.md for what there is.", &bytes)
  }

  private struct UnknownEnvironment: Error {
    let sentence: String
  }

  /// By path, then by header, then the usual one.
  private func chosen(
    _ head: HTTPRequestHead, _ path: inout Substring, _ prefix: inout Substring
  ) -> Result<FlagEnvironment, UnknownEnvironment> {
    let name: String
    if path.utf8.starts(with: Self.prefix.utf8) {
      let rest = path.dropFirst(Self.prefix.count)
      let end = rest.firstIndex(of: "/") ?? rest.endIndex
      name = PercentText.decoded(rest[..<end], plusIsBlank: false)
      prefix = path[..<end]
      path = rest[end...]
    } else if let header = head.headers.first(name: "plimsoll-environment") {
      name = header
    } else {
      return .success(environments.usual)
    }
    if let found = environments[name] { return .success(found) }
    let near = nearestMatch(to: String(name.prefix(64)), among: environments.names)
    let hint = near.map { "did you mean \($0)?" } ?? "there is \(environments.names.joined(separator: ", "))."
    return .failure(UnknownEnvironment(sentence: "There is no environment '\(shown(Substring(name)))': \(hint)"))
  }

  private func failure(_ status: Int, _ sentence: String, _ bytes: inout [UInt8]) -> FlagReply {
    bytes.removeAll(keepingCapacity: true)
    GeneralFailure.write(sentence, to: &bytes)
    return .answer(status: status, type: ResponseHead.json)
  }

  private func shown(_ text: Substring) -> String { String(text.prefix(80)) }
}
