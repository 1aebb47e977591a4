import Foundation
import Kernel
import Synchronization

/// A Prometheus server, or what speaks its HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api).
/// Kind: *by lookup*.
///
/// Queries go by POST, so that their length is free. Everything a query can answer but numbers is a refusal or no
/// evidence: see `QueryFinding`.
package struct PrometheusServer: Sendable {
  /// The server is told to give up a second earlier, so that it says so itself.
  package static let timeLimit = Span.seconds(10)
  /// A hundred thousand points are about 4 MB.
  package static let answerLimit = 16 << 20

  let address: String
  private let fetcher: any HTTPFetcher
  private let headers: @Sendable () throws(Outage) -> [HTTPFetch.Header]
  private let timeLimit: Span
  private let lookback = LookbackKnowledge()

  /// - Parameters:
  ///   - address: `http://prometheus.example.org:9090`, with a path where the API lies below one.
  ///   - headers: looked up at each query, because a token is a secret that changes.
  /// - Throws: `Refusal` for an address that is none, or that holds a password: it would show in errors.
  package init(
    _ address: String, fetcher: any HTTPFetcher, timeLimit: Span = timeLimit,
    headers: @escaping @Sendable () throws(Outage) -> [HTTPFetch.Header]
  ) throws(Refusal) {
    guard let parts = URLComponents(string: address), parts.scheme == "http" || parts.scheme == "https",
      parts.host?.isEmpty == false, parts.query == nil
    else {
      throw Refusal(.malformed, "'\(address)' is no Prometheus address; write one such as http://127.0.0.1:9090")
    }
    guard parts.user == nil, parts.password == nil else {
      throw Refusal(.malformed, "the Prometheus address holds a user or password; send them as a header instead")
    }
    self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
    self.fetcher = fetcher
    self.headers = headers
    self.timeLimit = timeLimit
  }

  /// One value of each series at an instant.
  ///
  /// - Parameters:
  ///   - at: nil for the server's now.
  ///   - lookback: how old a sample may be to count, if `knowsLookback`; nil for the server's own setting, five minutes
  ///     as a rule, in which a dead target looks alive.
  /// - Throws: `Refusal` when the query is at fault, `Outage` when the server is.
  package func query(_ query: String, at: Instant? = nil, lookback: Span? = nil) async throws -> QueryAnswer {
    var fields = [("query", query)]
    if let at { fields.append(("time", Self.seconds(at))) }
    return try await ask("query", fields, query: query, lookback: lookback)
  }

  /// Values of each series over time, every `step`.
  package func range(
    _ query: String, from: Instant, to: Instant, step: Span, lookback: Span? = nil
  ) async throws -> QueryAnswer {
    let fields = [
      ("query", query), ("start", Self.seconds(from)), ("end", Self.seconds(to)), ("step", Self.duration(step)),
    ]
    return try await ask("query_range", fields, query: query, lookback: lookback)
  }

  /// `1700000000.250`
  static func seconds(_ instant: Instant) -> String {
    let (whole, rest) = instant.milliseconds.quotientAndRemainder(dividingBy: 1000)
    return "\(whole).\(String(1000 + abs(rest)).dropFirst())"
  }
  /// `1500ms`, as queries and parameters both take it.
  static func duration(_ span: Span) -> String { "\(span.milliseconds)ms" }

  private func ask(_ method: String, _ fields: [(String, String)], query: String, lookback: Span?) async throws
    -> QueryAnswer
  {
    var fields = fields
    if let lookback { fields.append(("lookback_delta", Self.duration(lookback))) }
    return try read(await send(method, fields), query: query)
  }

  /// Whether the server takes a `lookback_delta`. Those before March 2023 (Prometheus' pull request 12088;
  /// Debian 12 has 2.42) pass over it
  /// without a word; one that takes it refuses a senseless one. An upgrade is noticed at the next question.
  func knowsLookback() async throws -> Bool {
    if lookback.isKnown { return true }
    let answer = try await send("query", [("query", "1"), ("lookback_delta", "senseless")])
    if answer.status == 400 {
      lookback.learn()
      return true
    }
    _ = try read(answer, query: "1")
    return false
  }

  private func send(_ method: String, _ fields: [(String, String)]) async throws -> HTTPAnswer {
    var fields = fields
    fields.append(("timeout", Self.duration(max(.seconds(1), timeLimit + .seconds(-1)))))
    let body = fields.map { "\($0.0)=\(Self.encoded($0.1))" }.joined(separator: "&")
    return try await fetcher.fetch(
      HTTPFetch(
        .post, "\(address)/api/v1/\(method)",
        headers: try headers() + [HTTPFetch.Header("content-type", "application/x-www-form-urlencoded")],
        body: Array(body.utf8), timeLimit: timeLimit, answerLimit: Self.answerLimit))
  }

  /// RFC 3986 unreserved characters stay; everything else is written as its bytes.
  private static func encoded(_ text: String) -> String {
    let plain = CharacterSet(charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
    return text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
  }

  private func read(_ answer: HTTPAnswer, query: String) throws -> QueryAnswer {
    let envelope = try? JSONDecoder().decode(QueryEnvelope.self, from: Data(answer.body))
    // An error's answer is JSON too, but not from a proxy before the server.
    let said = envelope?.error ?? String(decoding: answer.body.prefix(200), as: UTF8.self)
    switch answer.status {
    case 200: break
    case 400, 422:
      throw Refusal(.malformed, "Prometheus refuses the query '\(query)': \(said); correct it")
    case 401, 403:
      throw Refusal(.forbidden, "Prometheus at \(address) answered \(answer.status); give the header that it wants")
    case 404:
      throw Refusal(.unknown, "at \(address) there is no Prometheus API; correct the address")
    default:
      throw Outage("prometheus", "\(address) answered \(answer.status): \(said); the query is asked again")
    }
    guard let envelope, envelope.status == "success", let value = envelope.data?.value else {
      throw Outage(
        "prometheus", "\(address) gave an answer that is not whole or not Prometheus'; the query is asked again")
    }
    return QueryAnswer(value: value, warnings: envelope.warnings ?? [], infos: envelope.infos ?? [])
  }
}

/// What was learnt of one server, shared by the copies of its value.
private final class LookbackKnowledge: Sendable {
  private let known = Mutex(false)
  var isKnown: Bool { known.withLock { $0 } }
  func learn() { known.withLock { $0 = true } }
}
