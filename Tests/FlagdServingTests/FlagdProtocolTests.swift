import FlagServing
import FlagTrials
import Flags
import Foundation
import Synchronization
import Testing

/// flagd's protocol as it is, without a provider: what stock ones never send, and the older version.
@Suite("flagd's protocol", .enabled(if: PeerPython.found != nil, Comment(rawValue: PeerPython.absence)))
struct FlagdProtocolTests {
  @Test("each version answers as its clients expect")
  func versions() async throws {
    let server = try await ServedFlagd(FlagdProviderTests.definitions)
    let client = try ServedFlagd.client()
    func call(
      _ service: String, _ method: String, _ request: [String: Any], _ metadata: [String: String] = [:]
    ) async throws -> [String: Any] {
      try await client.ask([
        "do": "call", "port": server.port, "service": service, "method": method, "request": request,
        "metadata": metadata,
      ])
    }
    func check(
      _ service: String, _ method: String, _ key: String, _ expected: String, _ context: [String: Any] = [:]
    ) async throws {
      var got = try await call(service, "Resolve\(method)", ["flagKey": key, "context": context])
      if got["code"] as? String != "OK" { got["details"] = nil }
      var answer = got["answer"] as? [String: Any]
      answer?["metadata"] = nil
      if got["answer"] != nil { got["answer"] = answer }
      let wanted = try JSONSerialization.jsonObject(with: Data(expected.utf8)) as? NSDictionary
      #expect(got as NSDictionary == wanted, "\(service) \(method) \(key): \(got)")
    }
    // A value of zero is left out by protobuf's JSON in version 1, and there in version 2, where it may be missing.
    try await check(
      "v2", "Boolean", "on", #"{"code": "OK", "answer": {"value": true, "variant": "on", "reason": "STATIC"}}"#)
    try await check(
      "v1", "Boolean", "on", #"{"code": "OK", "answer": {"value": true, "variant": "on", "reason": "STATIC"}}"#)
    try await check("v2", "Boolean", "off", #"{"code": "OK", "answer": {"reason": "DISABLED"}}"#)
    try await check("v1", "Boolean", "off", #"{"code": "NOT_FOUND"}"#)
    try await check("v2", "Boolean", "code", #"{"code": "OK", "answer": {"reason": "DEFAULT"}}"#)
    try await check("v1", "Boolean", "code", #"{"code": "OK", "answer": {"reason": "DEFAULT"}}"#)
    for service in ["v1", "v2"] {
      try await check(service, "Boolean", "nobody", #"{"code": "NOT_FOUND"}"#)
      try await check(service, "Int", "text", #"{"code": "INVALID_ARGUMENT"}"#)
      try await check(service, "Boolean", "broken", #"{"code": "DATA_LOSS"}"#)
      try await check(service, "Boolean", "missing-variant", #"{"code": "INTERNAL"}"#)
      try await check(
        service, "Int", "whole", #"{"code": "OK", "answer": {"value": "7", "variant": "few", "reason": "STATIC"}}"#)
      try await check(
        service, "Float", "share", #"{"code": "OK", "answer": {"value": 1, "variant": "one", "reason": "STATIC"}}"#)
      try await check(
        service, "String", "text",
        #"{"code": "OK", "answer": {"value": "B", "variant": "b", "reason": "TARGETING_MATCH"}}"#,
        ["email": "b@example.org"])
      try await check(
        service, "Object", "object",
        #"{"code": "OK", "answer": {"value": {"deep": [1, "x", {"y": null}]}, "variant": "o", "reason": "STATIC"}}"#)
    }
    let all = try await call("v1", "ResolveAll", ["context": [:]])["answer"] as? [String: Any]
    #expect((all?["flags"] as? [String: Any])?.keys.sorted() == ["object", "on", "share", "text", "whole"])
    #expect((all?["metadata"] as? [String: Any])?["team"] as? String == "payments")
    try await server.stop()
  }

  @Test("an environment is chosen by metadata or by the request's selector")
  func environments() async throws {
    let server = try await ServedFlagd(FlagdProviderTests.definitions)
    let client = try ServedFlagd.client()
    func code(_ metadata: [String: String], _ request: [String: Any] = [:]) async throws -> String? {
      try await client.ask([
        "do": "call", "port": server.port, "service": "sync", "method": "FetchAllFlags", "request": request,
        "metadata": metadata,
      ])["code"] as? String
    }
    #expect(try await code([:]) == "OK")
    #expect(try await code(["flagd-selector": "environment=production"]) == "OK")
    #expect(try await code(["plimsoll-environment": "production"]) == "OK")
    #expect(try await code([:], ["selector": "environment=production"]) == "OK")
    #expect(try await code(["flagd-selector": "environment=staging"]) == "INVALID_ARGUMENT")
    #expect(try await code(["plimsoll-environment": "staging"]) == "INVALID_ARGUMENT")
    #expect(try await code(["flagd-selector": "source=flags.json"]) == "INVALID_ARGUMENT")
    try await server.stop()
  }

  @Test("a token that is wanted is wanted here too")
  func token() async throws {
    let server = try await ServedFlagd(FlagdProviderTests.definitions, token: "secret")
    let client = try ServedFlagd.client()
    func code(_ metadata: [String: String]) async throws -> String? {
      try await client.ask([
        "do": "call", "port": server.port, "service": "sync", "method": "FetchAllFlags", "metadata": metadata,
      ])["code"] as? String
    }
    #expect(try await code([:]) == "UNAUTHENTICATED")
    #expect(try await code(["authorization": "Bearer wrong"]) == "UNAUTHENTICATED")
    #expect(try await code(["authorization": "Bearer secret"]) == "OK")
    try await server.stop()
  }

  @Test("a client that never reads holds back nobody and finds the newest only")
  func laggard() async throws {
    let server = try await ServedFlagd(Self.large(0))
    let (laggard, reader) = try (ServedFlagd.client(), ServedFlagd.client())
    try await laggard.ask(["do": "lag", "port": server.port])
    try await reader.ask(["do": "open", "resolver": "in-process", "port": server.port])
    // One by one, so that a client that did read would have got each.
    for number in 1...12 {
      try server.store.publish(definitions: Self.large(number), at: ServedFlagd.now())
      let seen = try await PeerProcess.eventually {
        let answer = try await reader.ask(["do": "ask", "key": "number", "type": "integer", "default": 0])
        return answer["value"] as? Int == number ? true : nil
      }
      #expect(seen == true)
    }
    #expect(server.standing(of: 13).lacking.map(\.client.name).allSatisfy { $0.hasPrefix("laggard ") })
    let drained = try await laggard.ask(["do": "drain", "until": "\"few\":12"])
    #expect(drained["code"] as? String == "OK")
    #expect(try #require(drained["messages"] as? Int) < 12, "versions in between pass by")
    try await server.stop()
  }

  @Test("a client that does not read for too long is cut off")
  func cutOff() async throws {
    let server = try await ServedFlagd(Self.large(0), stall: .seconds(1))
    let laggard = try ServedFlagd.client()
    try await laggard.ask(["do": "lag", "port": server.port])
    // Until what sockets and windows hold is full.
    var number = 0
    let left = try await PeerProcess.eventually {
      number += 1
      try server.store.publish(definitions: Self.large(number), at: ServedFlagd.now())
      return server.environment.registry.clients(at: ServedFlagd.now()).first { $0.record.leftAt != nil }
    }
    #expect(left?.identity.name.hasPrefix("laggard ") == true)
    let drained = try await laggard.ask(["do": "drain", "until": "never"])
    #expect(drained["code"] as? String == "DEADLINE_EXCEEDED")
    try await server.stop()
  }

  @Test("a deep context is answered, a huge one refused without harm to the next")
  func contexts() async throws {
    let server = try await ServedFlagd(FlagdProviderTests.definitions)
    let client = try ServedFlagd.client()
    func code(_ context: [String: Any]) async throws -> String? {
      try await client.ask([
        "do": "call", "port": server.port, "service": "v2", "method": "ResolveBoolean",
        "request": ["flagKey": "on", "context": context],
      ])["code"] as? String
    }
    var deep: [String: Any] = ["x": 1]
    for _ in 0..<20 { deep = ["x": deep] }
    #expect(try await code(deep) == "OK")
    #expect(try await code(["x": String(repeating: "y", count: 2_000_000)]) != "OK")
    #expect(try await code([:]) == "OK")
    try await server.stop()
  }

  /// A document of some 400 kB, beyond what a stream's window holds.
  private static func large(_ number: Int) -> String {
    """
    {"flags": {
      "filler": {"state": "ENABLED", "variants": {"f": "\(String(repeating: "x", count: 400_000))"},
                 "defaultVariant": "f"},
      "number": {"state": "ENABLED", "variants": {"few": \(number)}, "defaultVariant": "few"}}}
    """
  }
}
