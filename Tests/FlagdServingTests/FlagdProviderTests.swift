import FlagServing
import FlagTrials
import FlagdServing
import Flags
import Foundation
import Testing

/// The unmodified provider `openfeature-provider-flagd` against our gRPC server, asking it (RPC) and evaluating by
/// itself (in-process).
@Suite("flagd's provider", .enabled(if: PeerPython.found != nil, Comment(rawValue: PeerPython.absence)))
struct FlagdProviderTests {
  enum Resolver: String, CaseIterable, Sendable {
    case rpc
    case inProcess = "in-process"
  }

  static let definitions = """
    {"plimsoll": 1,
     "metadata": {"team": "payments"},
     "segments": {"staff": {"attribute": "email", "items": ["a@example.org", "b@example.org"]}},
     "flags": {
      "on": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on",
             "expiry": "2099-01-01", "owner": "payments"},
      "off": {"state": "DISABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on",
              "expiry": "2099-01-01"},
      "code": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": null,
               "expiry": "2099-01-01"},
      "text": {"state": "ENABLED", "variants": {"a": "A", "b": "B"}, "defaultVariant": "a", "expiry": "2099-01-01",
               "targeting": {"if": [{"segment": "staff"}, "b"]}},
      "whole": {"state": "ENABLED", "variants": {"few": 7}, "defaultVariant": "few", "expiry": "2099-01-01"},
      "share": {"state": "ENABLED", "variants": {"half": 0.5, "one": 1}, "defaultVariant": "one",
                "expiry": "2099-01-01"},
      "object": {"state": "ENABLED", "variants": {"o": {"deep": [1, "x", {"y": null}]}}, "defaultVariant": "o",
                 "expiry": "2099-01-01"},
      "broken": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on", "expiry": "2099-01-01",
                 "targeting": {"no-such-operation": [1]}},
      "missing-variant": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on",
                          "expiry": "2099-01-01", "targeting": {"if": [true, "nowhere"]}}
     }}
    """

  /// Flag, type, the caller's default, context; value, variant, error. `null` is no variant, no error.
  static let cases: [(key: String, type: String, fallback: String, context: String, answer: String)] = [
    ("on", "boolean", "false", "{}", #"[true, "on", null]"#),
    ("off", "boolean", "true", "{}", #"[true, null, null]"#),
    ("off", "boolean", "false", "{}", #"[false, null, null]"#),
    ("code", "boolean", "true", "{}", #"[true, null, null]"#),
    ("text", "string", "\"c\"", "{}", #"["A", "a", null]"#),
    ("text", "string", "\"c\"", #"{"email": "a@example.org"}"#, #"["B", "b", null]"#),
    ("text", "string", "\"c\"", #"{"email": "c@example.org"}"#, #"["A", "a", null]"#),
    ("whole", "integer", "3", "{}", #"[7, "few", null]"#),
    ("share", "float", "0.25", "{}", #"[1, "one", null]"#),
    ("object", "object", "{}", "{}", #"[{"deep": [1, "x", {"y": null}]}, "o", null]"#),
    ("nobody", "boolean", "true", "{}", #"[true, null, "FLAG_NOT_FOUND"]"#),
    ("text", "boolean", "true", "{}", #"[true, null, "TYPE_MISMATCH"]"#),
    ("on", "string", "\"c\"", "{}", #"["c", null, "TYPE_MISMATCH"]"#),
    ("missing-variant", "boolean", "false", "{}", #"[false, null, "GENERAL"]"#),
  ]

  @Test("answers", arguments: Resolver.allCases)
  func answers(_ resolver: Resolver) async throws {
    let server = try await ServedFlagd(Self.definitions)
    let client = try ServedFlagd.client()
    try await client.ask(["do": "open", "resolver": resolver.rawValue, "port": server.port])
    for row in Self.cases {
      let answer = try await client.ask([
        "do": "ask", "key": row.key, "type": row.type, "default": try json(row.fallback),
        "context": try json(row.context),
      ])
      let got = [answer["value"], answer["variant"], answer["error"]].map { $0 ?? NSNull() } as NSArray
      #expect(try got == json(row.answer) as? NSArray, "\(row.key) \(row.context): \(got)")
    }
    // Reasons that both resolvers know.
    let off = try await client.ask(["do": "ask", "key": "off", "type": "boolean", "default": true])
    #expect(off["reason"] as? String == "DISABLED")
    let fallback = try await client.ask(["do": "ask", "key": "code", "type": "boolean", "default": true])
    #expect(fallback["reason"] as? String == "DEFAULT")
    if resolver == .rpc {
      let broken = try await client.ask(["do": "ask", "key": "broken", "type": "boolean", "default": false])
      #expect(broken["error"] as? String == "PARSE_ERROR")
    }
    try await server.stop()
  }

  @Test("a change and a kill reach the client, and the registry says so", arguments: Resolver.allCases)
  func live(_ resolver: Resolver) async throws {
    let server = try await ServedFlagd(Self.definitions)
    let client = try ServedFlagd.client()
    try await client.ask([
      "do": "open", "resolver": resolver.rawValue, "port": server.port, "provider": "shop",
    ])
    func value() async throws -> Bool? {
      try await client.ask(["do": "ask", "key": "on", "type": "boolean", "default": false])["value"] as? Bool
    }
    // Static values are kept by the RPC client until it is told of a change.
    #expect(try await value() == true)
    let flipped = try server.change("on", to: Self.flag(defaultVariant: "off"))
    #expect(try await PeerProcess.eventually { try await value() == false ? true : nil } == true)
    let restored = try server.change("on", to: Self.flag(defaultVariant: "on"))
    #expect(restored > flipped)
    #expect(try await PeerProcess.eventually { try await value() == true ? true : nil } == true)
    let killed = try server.change("on", to: Self.flag(state: "DISABLED"))
    #expect(try await PeerProcess.eventually { try await value() == false ? true : nil } == true)
    let standing = try await PeerProcess.eventually {
      server.standing(of: killed).isEverywhere ? server.standing(of: killed) : nil
    }
    #expect(standing?.have == 1)
    #expect(standing?.sentence.hasPrefix("version \(killed): the only client after ") == true)
    let events = try await client.ask(["do": "events"])["events"] as? [[String: Any]] ?? []
    #expect(events.contains { $0["event"] as? String == "changed" && $0["flags"] as? [String] == ["on"] })
    try await client.ask(["do": "close"])
    // Who left is no longer counted among those who hold flags.
    #expect(try await PeerProcess.eventually { server.standing(of: killed).all == 0 ? true : nil } == true)
    try await server.stop()
  }

  @Test("a client that evaluates by itself keeps its values while the server is away, and comes back")
  func restart() async throws {
    let server = try await ServedFlagd(Self.definitions)
    let port = server.port
    let client = try ServedFlagd.client()
    try await client.ask(["do": "open", "resolver": "in-process", "port": port])
    func value() async throws -> String? {
      try await client.ask(["do": "ask", "key": "text", "type": "string", "default": "code"])["value"] as? String
    }
    #expect(try await value() == "A")
    try await server.stop()
    #expect(try await value() == "A")
    // A server that has not read its definitions yet sends nothing, rather than no flags.
    let next = try await ServedFlagd(nil, port: port)
    let joined = try await PeerProcess.eventually { next.environment.registry.count == 1 ? true : nil }
    #expect(joined == true)
    #expect(try await value() == "A")
    try next.store.publish(
      definitions: Self.definitions.replacingOccurrences(of: "\"a\": \"A\"", with: "\"a\": \"new\""),
      at: ServedFlagd.now())
    #expect(try await PeerProcess.eventually { try await value() == "new" ? true : nil } == true)
    try await next.stop()
  }

  @Test("a client that asks the server forgets static values after a restart")
  func restartRemote() async throws {
    let server = try await ServedFlagd(Self.definitions)
    let port = server.port
    let client = try ServedFlagd.client()
    try await client.ask(["do": "open", "resolver": "rpc", "port": port])
    func value() async throws -> Bool? {
      try await client.ask(["do": "ask", "key": "on", "type": "boolean", "default": true])["value"] as? Bool
    }
    #expect(try await value() == true)
    try await server.stop()
    // Kept by the client itself.
    #expect(try await value() == true)
    let next = try await ServedFlagd(
      Self.definitions.replacingOccurrences(
        of: #""on": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on""#,
        with: #""on": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off""#),
      port: port)
    #expect(try await PeerProcess.eventually { try await value() == false ? true : nil } == true)
    try await next.stop()
  }

  private static func flag(state: String = "ENABLED", defaultVariant: String = "on") -> String {
    """
    {"state": "\(state)", "variants": {"on": true, "off": false}, "defaultVariant": "\(defaultVariant)",
     "expiry": "2099-01-01"}
    """
  }

  private func json(_ text: String) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
  }
}
