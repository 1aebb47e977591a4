import Flags
import Testing

@testable import FlagServing

/// Unleash's client API without a client: what a stock one never sends.
@Suite("Unleash's client API")
struct UnleashAPITests {
  private func server() throws -> TestServer {
    try TestServer(UnleashClientTests.definitions, protocols: [UnleashAPI()])
  }

  @Test("features come once, with their segments, and 304 after that")
  func features() throws {
    let server = try server()
    let answer = server.ask("/api/client/features", method: .GET)
    #expect(answer.status == 200)
    let features = try UnleashImport(json: answer.body)
    #expect(
      features.features.names == [
        "imported", "by-segment", "switch", "dark", "staff-only", "everybody", "ramping", "color",
      ])
    #expect(features.text(of: "by-segment")?.contains("\"segments\": [7]") == true)
    #expect(features.segmentEntries.map(\.number) == [7])
    #expect(features.features.faults.isEmpty)
    let tag = try #require(answer.headers["etag"])
    #expect(server.ask("/api/client/features", method: .GET, headers: [("if-none-match", tag)]).status == 304)
    try server.store.publish(changing: "dark", to: nil, at: 1)
    let changed = server.ask("/api/client/features", method: .GET, headers: [("if-none-match", tag)])
    #expect(changed.status == 200)
    #expect(try UnleashImport(json: changed.body).text(of: "dark") == nil)
  }

  @Test(
    "a project's features only",
    arguments: [
      ("project=harbor", 1), ("project=nobody", 0), ("project=*", 8), ("project=harbor&project=default", 8),
      ("project=harbor,default", 8),
    ])
  func projects(_ query: String, _ count: Int) throws {
    let answer = try server().ask("/api/client/features?\(query)", method: .GET)
    #expect(try UnleashImport(json: answer.body).features.count == count)
  }

  @Test("what cannot be said to Unleash's clients is told with its reason")
  func omissions() throws {
    let server = try server()
    let document = try UnleashDocument(
      server.store.current.definitions, compiledTo: server.store.current.flags)
    #expect(document.omitted.map { "\($0.flag) \($0.cause)" } == ["scheduled has a schedule"])
    #expect(document.waiting == ["ramping"])
  }

  @Test("a delta is everything, or nothing new")
  func delta() throws {
    let server = try server()
    let answer = server.ask("/api/client/delta", method: .GET)
    #expect(answer.status == 200 && answer.body.hasPrefix("{\"events\":[{\"eventId\":1,\"type\":\"hydration\""))
    #expect(try UnleashImport(json: answer.body).features.count == 8)
    let tag = try #require(answer.headers["etag"])
    #expect(server.ask("/api/client/delta", method: .GET, headers: [("if-none-match", tag)]).status == 304)
  }

  @Test("events from one version to another make the first the second")
  func changes() throws {
    let server = try server()
    let first = server.store.current
    try server.store.publish(changing: "dark", to: nil, at: 1)
    try server.store.publish(
      changing: "switch",
      to: #"{"state": "DISABLED", "variants": {"on": true, "off": false}, "expiry": "2099-01-01"}"#, at: 2)
    let (older, newer) = try (UnleashAnswers(first), UnleashAnswers(server.store.current))
    var held = try UnleashImport(json: features(older))
    let events = try String(decoding: #require(newer.changes(since: older)), as: UTF8.self)
    try held.apply(json: events)
    #expect(try held.document == UnleashImport(json: features(newer)).document)
    #expect(events.contains("feature-removed") && events.contains("feature-updated"))
    #expect(newer.changes(since: newer) == nil)
  }

  private func features(_ answers: UnleashAnswers) throws -> String {
    var bytes: [UInt8] = []
    answers.writeFeatures(of: [], to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(
    "reports: good ones are accepted, others refused with their place",
    arguments: [
      ("register", #"{"appName": "shop", "strategies": ["default"]}"#, 202), ("register", "[]", 400),
      ("metrics", #"{"bucket": {"toggles": {"dark": {"yes": 1, "no": 2, "variants": {}}}}}"#, 202),
      ("metrics", #"{"bucket": null, "impactMetrics": [{"name": "x"}]}"#, 202), ("metrics", "{", 400),
      ("metrics", #"{"bucket": {"toggles": {"dark": {"yes": -1, "no": 1e99, "variants": 7}}}}"#, 202),
      ("metrics/bulk", #"{"metrics": [{"featureName": "dark", "yes": 1, "no": 0}]}"#, 202),
    ])
  func reports(_ path: String, _ body: String, _ status: Int) throws {
    #expect(try server().ask("/api/client/\(path)", body).status == status)
  }

  @Test("reports beyond the limit of flags are counted, not kept")
  func flood() throws {
    let metrics = UnleashMetrics()
    let server = try TestServer(UnleashClientTests.definitions, protocols: [UnleashAPI(metrics: metrics)])
    for part in 0..<3 {
      let toggles = (0..<10_000).map { "\"f\(part)-\($0)\":{\"yes\":1,\"no\":0}" }.joined(separator: ",")
      #expect(server.ask("/api/client/metrics", "{\"bucket\":{\"toggles\":{\(toggles)}}}").status == 202)
    }
    #expect(metrics.counts(in: "production").count == UnleashMetrics.pairLimit)
    #expect(metrics.dropped == 10_000)
  }

  @Test("a document of the wrong shape is refused when it is published")
  func malformed() throws {
    let store = FlagStore(environment: "production")
    #expect(throws: FlagRefusal.self) {
      try store.publish(definitions: #"{"unleash": {"features": [{"enabled": true}]}, "flags": {}}"#, at: 1)
    }
  }
}
