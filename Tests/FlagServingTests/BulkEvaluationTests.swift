import Flags
import Foundation
import Testing

@testable import FlagServing

@Suite("OFREP: all flags")
struct BulkEvaluationTests {
  private struct Body: Decodable {
    struct Flag: Decodable {
      let key: String
      let reason: String?
      let errorCode: String?
    }
    struct Stream: Decodable {
      struct Endpoint: Decodable { let requestUri: String }
      let type: String
      let endpoint: Endpoint
      let inactivityDelaySec: Int
    }
    let flags: [Flag]
    let metadata: [String: String]
    let eventStreams: [Stream]
  }

  private func body(_ answer: TestAnswer) throws -> Body {
    try JSONDecoder().decode(Body.self, from: Data(answer.body.utf8))
  }

  @Test("Every flag is there once, as it is when asked for alone; failures stand beside answers")
  func whole() throws {
    let server = try TestServer()
    let context = #"{"targetingKey": "u", "country": "NO"}"#
    let answer = server.bulk(context)
    #expect(answer.status == 200)
    let body = try body(answer)
    #expect(body.flags.map(\.key).sorted() == server.store.current.flags.flagKeys.sorted())
    for flag in body.flags { #expect(answer.body.contains(server.single(flag.key, context).body)) }
    #expect(body.flags.filter { $0.errorCode != nil }.map(\.key).sorted() == ["broken", "nowhere"])
    #expect(body.metadata == ["flagSetId": "harbor", "team": "sea"])
    #expect(body.eventStreams.map(\.type) == ["sse"])
    #expect(body.eventStreams[0].endpoint.requestUri == "/ofrep/v1/events")
  }

  @Test("A set without flags, or only with targeted ones, is well formed")
  func edges() throws {
    #expect(try body(TestServer("{}").bulk("{}")).flags.isEmpty)
    let targeted = #"""
      {"flags":{"a":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","targeting":{"if":[true,"on"]}}}}
      """#
    #expect(try body(TestServer(targeted).bulk("{}")).flags.map(\.key) == ["a"])
  }

  @Test("The same context in any order has the same tag, and 304 without a body")
  func sameContext() throws {
    let server = try TestServer()
    let first = server.bulk(#"{"targetingKey": "u", "a": {"x": 1, "y": [1, 2]}}"#)
    let tag = try #require(first.headers["etag"])
    for held in [tag, "W/\(tag)", String(tag.dropFirst().dropLast()), "\"other\", \(tag)"] {
      let second = server.bulk(#"{ "a": {"y": [1, 2], "x": 1}, "targetingKey": "u"}"#, ifNoneMatch: held)
      #expect(second.status == 304)
      #expect(second.body.isEmpty)
      #expect(second.headers["etag"] == tag)
    }
  }

  @Test(
    "Another context never gets 304, even when every value is the same",
    arguments: [
      #"{"targetingKey": "v"}"#, #"{"targetingKey": "u", "more": null}"#, #"{"targetingKey": "u", "more": 1.0}"#, "{}",
    ])
  func otherContext(context: String) throws {
    let server = try TestServer()
    let tag = try #require(server.bulk(#"{"targetingKey": "u"}"#).headers["etag"])
    #expect(server.bulk(context, ifNoneMatch: tag).status == 200)
  }

  @Test("A change of the configuration, and one of the clock that a rule looks at, end a tag")
  func changes() throws {
    let server = try TestServer()
    let context = #"{"targetingKey": "u"}"#
    let first = try #require(server.bulk(context).headers["etag"])
    server.clock.seconds = 1_900_000_001
    let late = server.bulk(context, ifNoneMatch: first)
    #expect(late.status == 200)
    let second = try #require(late.headers["etag"])
    #expect(server.bulk(context, ifNoneMatch: second).status == 304)
    try server.store.publish(
      changing: "count", to: #"{"state":"ENABLED","variants":{"one":1},"defaultVariant":"one"}"#, at: 0)
    #expect(server.bulk(context, ifNoneMatch: second).status == 200)
  }

  @Test("What an event told may turn 304 into 200, and never 200 into 304")
  func eventMetadata() throws {
    let server = try TestServer()
    let context = #"{"targetingKey": "u"}"#
    let tag = try #require(server.bulk(context).headers["etag"])
    let served = server.store.current
    let newer = Int(served.changedAt) + 10
    for (query, status) in [
      ("?flagConfigEtag=\(served.entityTag)", 304), ("?flagConfigEtag=unknown", 200),
      ("?flagConfigLastModified=\(Int(served.changedAt))", 304), ("?flagConfigLastModified=\(newer)", 200),
      ("?flagConfigEtag=\(served.entityTag)&flagConfigLastModified=\(newer)", 200), ("?x=y", 304),
    ] {
      #expect(server.bulk(context, ifNoneMatch: tag, query: query).status == status, "\(query)")
      #expect(server.bulk(context, ifNoneMatch: "\"stale\"", query: query).status == 200, "\(query)")
    }
  }

  @Test("Where a stream is found follows how the client came, and carries a ticket instead of the token")
  func streams() throws {
    let other = FlagStore(environment: "staging")
    try other.publish(definitions: "{}", at: 0)
    let server = try TestServer(token: "secret", others: [FlagEnvironment(store: other)])
    let token = ("Authorization", "Bearer secret")
    func target(_ uri: String, _ headers: [(String, String)]) throws -> String {
      try body(server.ask(uri, "{}", headers: headers + [token])).eventStreams[0].endpoint.requestUri
    }
    let path = "/ofrep/v1/evaluate/flags"
    let usual = try target(path, [("Plimsoll-Client", "till 7")])
    #expect(usual.hasPrefix("/ofrep/v1/events?client=till%207&ticket="))
    let staging = try target(path, [("Plimsoll-Environment", "staging")])
    #expect(staging.hasPrefix("/flags/staging/ofrep/v1/events?ticket="))
    #expect(try target("/flags/staging\(path)", []) == staging)
    #expect(server.ask(staging, method: .GET).isStream)
    #expect(server.ask(usual, method: .GET).isStream)
    // A ticket of one environment opens no other, and nothing but events.
    let ticket = try #require(staging.split(separator: "?").last)
    #expect(server.ask("/ofrep/v1/events?\(ticket)", method: .GET).status == 401)
    #expect(server.ask("/flags/staging\(path)?\(ticket)", "{}").status == 401)
  }

  @Test("Streams beyond the limit are told when to come again, in whole seconds")
  func tooMany() throws {
    let server = try TestServer(streamLimit: 0)
    let answer = server.ask("/ofrep/v1/events", method: .GET)
    #expect(server.registry.count == 0, "who was turned away is no client")
    #expect(answer.status == 429)
    #expect(answer.headers["retry-after"].flatMap { Int($0) } == 5)
  }
}
