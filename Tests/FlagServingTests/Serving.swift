import Flags
import NIOCore
import NIOHTTP1

@testable import FlagServing

/// A clock that a test sets.
final class TestClock: @unchecked Sendable {
  // Set by the test before it asks; never by two threads at once.
  var seconds = 1_800_000_000.0
}

/// Definitions that the tests share: of every kind of answer one.
let testDefinitions = """
  {
    "metadata": {"flagSetId": "harbor", "team": "sea"},
    "flags": {
      "berth": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on",
        "metadata": {"team": "quay"}},
      "half": {"state": "ENABLED", "variants": {"whole": 1, "half": 0.5}, "defaultVariant": "whole"},
      "count": {"state": "ENABLED", "variants": {"one": 1, "two": 2}, "defaultVariant": "one"},
      "words": {"state": "ENABLED", "variants": {"a": "say \\"hi\\"\\n"}, "defaultVariant": "a"},
      "shape": {"state": "ENABLED", "variants": {"a": {"x": [1, 2.0]}}, "defaultVariant": "a"},
      "asleep": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"},
      "yours": {"state": "ENABLED", "variants": {"on": true}},
      "nordic": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "targeting": {"if": [{"in": [{"var": "country"}, ["SE", "NO"]]}, "on"]}},
      "clock": {"state": "ENABLED", "variants": {"late": 2, "early": 1}, "defaultVariant": "early",
        "targeting": {"if": [{">": [{"var": "$flagd.timestamp"}, 1900000000]}, "late", "early"]}},
      "broken": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on",
        "targeting": {"if": [{"no such operation": [1]}, "on"]}},
      "nowhere": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on",
        "targeting": {"if": [true, "elsewhere"]}}
    }
  }
  """

/// A server's answer.
struct TestAnswer {
  let status: Int
  let body: String
  let headers: [String: String]
  let isStream: Bool
}

/// A router without a network.
struct TestServer {
  let store: FlagStore
  let registry = ClientRegistry()
  let clock = TestClock()
  let counts = ServingCounts()
  private let router: FlagRouter

  init(
    _ definitions: String = testDefinitions, token: String? = nil, others: [FlagEnvironment] = [],
    exposures: (any ExposureSink)? = nil, streamLimit: Int = 10, protocols: [any FlagProtocol] = []
  ) throws {
    store = FlagStore(environment: "production")
    try store.publish(definitions: definitions, at: clock.seconds)
    let access = FlagAccess(token: token)
    router = FlagRouter(
      environments: FlagEnvironments(
        [FlagEnvironment(store: store, registry: registry, exposures: exposures)] + others, usual: "production"),
      protocols: [OFREP(access: access)] + protocols + [ServingPages(counts: counts)], access: access, counts: counts,
      streamLimit: streamLimit, clock: { [clock] in clock.seconds })
  }

  func ask(
    _ uri: String, _ body: String = "", method: HTTPMethod = .POST, headers: [(String, String)] = []
  ) -> TestAnswer {
    ask(uri, bytes: Array(body.utf8), method: method, headers: headers)
  }

  func ask(
    _ uri: String, bytes: [UInt8], method: HTTPMethod = .POST, headers: [(String, String)] = []
  ) -> TestAnswer {
    var out: [UInt8] = []
    let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: HTTPHeaders(headers))
    let reply = router.reply(
      to: head, body: ByteBuffer(bytes: bytes), peer: Peer(nil), isDraining: false, into: &out)
    switch reply {
    case .answer(let status, _, let headers):
      return TestAnswer(
        status: status, body: String(decoding: out, as: UTF8.self),
        headers: Dictionary(headers.map { ("\($0.name)", $0.value) }) { first, _ in first }, isStream: false)
    case .stream: return TestAnswer(status: 200, body: "", headers: [:], isStream: true)
    }
  }

  /// One flag's answer.
  func single(_ key: String, _ context: String = #"{"targetingKey": "u"}"#) -> TestAnswer {
    ask("/ofrep/v1/evaluate/flags/\(key)", #"{"context": \#(context)}"#)
  }

  /// All flags' answer.
  func bulk(_ context: String, ifNoneMatch tag: String? = nil, query: String = "") -> TestAnswer {
    ask(
      "/ofrep/v1/evaluate/flags\(query)", #"{"context": \#(context)}"#,
      headers: tag.map { [("If-None-Match", $0)] } ?? [])
  }
}
