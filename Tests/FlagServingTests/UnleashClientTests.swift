import FlagTrials
import Flags
import Foundation
import Synchronization
import Testing

@testable import FlagServing

/// The unmodified UnleashClient against our client API, polling and streaming.
@Suite("Unleash's client", .enabled(if: PeerPython.found != nil, Comment(rawValue: PeerPython.absence)))
struct UnleashClientTests {
  static let definitions = """
    {"plimsoll": 1,
     "unleash": {"version": 2,
       "features": [
         {"name": "imported", "project": "harbor", "enabled": true,
           "strategies": [{"name": "flexibleRollout",
             "parameters": {"rollout": "50", "stickiness": "userId", "groupId": "imported"}}],
           "variants": []},
         {"name": "by-segment", "enabled": true, "strategies": [{"name": "default", "segments": [7]}], "variants": []}],
       "segments": [{"id": 7, "constraints": [
         {"contextName": "country", "operator": "IN", "values": ["SE"]}]}]},
     "segments": {"staff": {"items": ["ann", "bob"]}},
     "flags": {
       "switch": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on",
         "expiry": "2099-01-01", "type": "kill-switch"},
       "dark": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01"},
       "staff-only": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "targeting": {"if": [{"segment": "staff"}, "on"]}},
       "everybody": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "ramp": {"salt": "s", "allocation": [{"variant": "on", "from": 0, "to": 100000}]}},
       "ramping": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
         "expiry": "2099-01-01", "ramp": {"salt": "s", "allocation": [{"variant": "on", "from": 0, "to": 50000}]}},
       "color": {"state": "ENABLED", "variants": {"r": "red", "b": "blue"}, "defaultVariant": "b",
         "expiry": "2099-01-01"},
       "scheduled": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on",
         "expiry": "2099-01-01", "schedule": {"until": "2098-01-01"}}
     }}
    """

  /// Exposures as they come.
  private final class Noted: ExposureSink {
    let reports = Mutex<[String: Int]>([:])
    var dropped: Int { 0 }

    func exposed(
      environment: String, flag: String, variant: String, reason: Evaluation.Reason, version: Int, unit: String?,
      at seconds: Double
    ) {}

    func reported(environment: String, flag: String, variant: String, count: Int, version: Int, at seconds: Double) {
      reports.withLock { $0["\(flag) \(variant)", default: 0] += count }
    }
  }

  private func peer() throws -> PeerProcess {
    let script = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "Peers/unleash_client.py")
    return try PeerProcess(#require(PeerPython.found), running: script)
  }

  private struct Served {
    let socket: ListeningSocket
    let listener: FlagListener
    let environment: FlagEnvironment
    let noted: Noted
    let metrics: UnleashMetrics
    var url: String { "http://127.0.0.1:\(listener.port)/api" }

    func stop() async {
      socket.close()
      await listener.stop(within: .seconds(5))
    }

    func change(_ key: String, to definition: String?) throws -> Int {
      try environment.store.publish(changing: key, to: definition, at: WallClock.seconds()).version
    }

    func standing(of version: Int) -> Standing {
      environment.registry.standing(
        of: version, changedAt: environment.store.current.changedAt, at: WallClock.seconds())
    }
  }

  private func serve(_ definitions: String? = Self.definitions, port: Int = 0) async throws -> Served {
    let store = FlagStore(environment: "production")
    if let definitions { try store.publish(definitions: definitions, at: WallClock.seconds()) }
    let noted = Noted()
    let environment = FlagEnvironment(store: store, exposures: noted)
    let metrics = UnleashMetrics()
    let socket = try ListeningSocket(host: "127.0.0.1", port: port)
    let listener = try await FlagListener(
      on: socket, environments: FlagEnvironments([environment]),
      protocols: [UnleashAPI(metrics: metrics)])
    return Served(socket: socket, listener: listener, environment: environment, noted: noted, metrics: metrics)
  }

  private static func boolean(_ defaultVariant: String, state: String = "ENABLED") -> String {
    """
    {"state": "\(state)", "variants": {"on": true, "off": false}, "defaultVariant": "\(defaultVariant)",
     "expiry": "2099-01-01"}
    """
  }

  @Test("answers", arguments: ["polling", "streaming"])
  func answers(_ mode: String) async throws {
    let served = try await serve()
    let client = try peer()
    try await client.ask(["do": "open", "url": served.url, "mode": mode])
    func isOn(_ feature: String, _ context: [String: Any] = [:]) async throws -> Bool? {
      try await client.ask(["do": "on", "feature": feature, "context": context])["on"] as? Bool
    }
    #expect(try await PeerProcess.eventually { try await isOn("switch") == true ? true : nil } == true)
    #expect(try await isOn("dark") == false)
    #expect(try await isOn("staff-only", ["userId": "ann"]) == true)
    #expect(try await isOn("staff-only", ["userId": "eve"]) == false)
    #expect(try await isOn("everybody", ["userId": "eve"]) == true)
    #expect(try await isOn("everybody") == false)
    #expect(try await isOn("by-segment", ["properties": ["country": "SE"]]) == true)
    #expect(try await isOn("by-segment") == false)
    // A ramp under way is not for these clients; what cannot be said to them is not there.
    for user in 0..<50 { #expect(try await isOn("ramping", ["userId": "user-\(user)"]) == false) }
    #expect(try await isOn("scheduled") == false)
    let color = try await client.ask(["do": "variant", "feature": "color"])["variant"] as? [String: Any]
    #expect(color?["name"] as? String == "b")
    #expect((color?["payload"] as? [String: Any])?["value"] as? String == "blue")
    // An imported feature is bucketed as behind Unleash itself.
    let imported = try #require(try UnleashDocument.imported(in: Self.definitions))
    for user in 0..<200 {
      let context = try UnleashContext(json: "{\"userId\": \"user-\(user)\"}")
      let ours = imported.features.isEnabled("imported", for: context, at: 0, chance: 0)
      #expect(try await isOn("imported", ["userId": "user-\(user)"]) == ours, "user-\(user)")
    }
    try await client.ask(["do": "close"])
    await served.stop()
  }

  @Test("a change and a kill reach the client, and the registry says so", arguments: ["polling", "streaming"])
  func live(_ mode: String) async throws {
    let served = try await serve()
    let client = try peer()
    try await client.ask(["do": "open", "url": served.url, "mode": mode])
    func isOn(_ feature: String) async throws -> Bool? {
      try await client.ask(["do": "on", "feature": feature])["on"] as? Bool
    }
    #expect(try await PeerProcess.eventually { try await isOn("switch") == true ? true : nil } == true)
    _ = try served.change("dark", to: Self.boolean("on"))
    #expect(try await PeerProcess.eventually { try await isOn("dark") == true ? true : nil } == true)
    _ = try served.change("scheduled", to: nil)
    let killed = try served.change("switch", to: Self.boolean("on", state: "DISABLED"))
    #expect(try await PeerProcess.eventually { try await isOn("switch") == false ? true : nil } == true)
    let standing = try await PeerProcess.eventually {
      served.standing(of: killed).isEverywhere ? served.standing(of: killed) : nil
    }
    #expect(standing?.have == 1)
    #expect(standing?.byEvidence == [mode == "polling" ? .refetched : .delivered: 1])
    await served.stop()
  }

  @Test("a client keeps its features while the server is away, and comes back", arguments: ["polling", "streaming"])
  func restart(_ mode: String) async throws {
    let first = try await serve()
    let port = first.listener.port
    let client = try peer()
    try await client.ask(["do": "open", "url": first.url, "mode": mode])
    func isOn(_ feature: String) async throws -> Bool? {
      try await client.ask(["do": "on", "feature": feature])["on"] as? Bool
    }
    #expect(try await PeerProcess.eventually { try await isOn("switch") == true ? true : nil } == true)
    await first.stop()
    #expect(try await isOn("switch") == true)
    // Nothing to serve yet: the client is told to come again, not that there are no features.
    let second = try await serve(nil, port: port)
    #expect(
      try await PeerProcess.eventually {
        second.listener.counts.answers(ofClass: 5) > 0 ? true : nil
      } == true)
    #expect(try await isOn("switch") == true)
    try second.environment.store.publish(
      definitions: Self.definitions.replacingOccurrences(
        of: #""dark": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off""#,
        with: #""dark": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on""#),
      at: WallClock.seconds())
    #expect(try await PeerProcess.eventually(within: 90) { try await isOn("dark") == true ? true : nil } == true)
    await second.stop()
  }

  @Test("metrics are counted by variant")
  func metrics() async throws {
    let served = try await serve()
    let client = try peer()
    try await client.ask(["do": "open", "url": served.url, "mode": "polling"])
    let isThere = try await PeerProcess.eventually {
      try await client.ask(["do": "on", "feature": "switch"])["on"] as? Bool == true ? true : nil
    }
    #expect(isThere == true)
    for _ in 0..<4 { try await client.ask(["do": "on", "feature": "dark"]) }
    for _ in 0..<3 { try await client.ask(["do": "variant", "feature": "color"]) }
    try await client.ask(["do": "flush"])
    let reports = served.noted.reports.withLock { $0 }
    #expect(reports["dark off"] == 4)
    #expect(reports["color b"] == 3)
    #expect(reports["switch on"] ?? 0 > 0)
    #expect(served.metrics.counts(in: "production").first { $0.flag == "color" }?.shown == 3)
    await served.stop()
  }

  @Test("a client that never reads its stream holds back nobody")
  func laggard() async throws {
    let served = try await serve()
    let (client, laggard) = try (
      peer(), peer()
    )
    try await laggard.ask(["do": "lag", "port": served.listener.port])
    try await client.ask(["do": "open", "url": served.url, "mode": "streaming"])
    let counts = served.listener.counts
    #expect(try await PeerProcess.eventually { counts.streams.load(ordering: .relaxed) == 2 ? true : nil } == true)
    // Far more than sockets on both sides hold.
    let filler = String(repeating: "x", count: 200_000)
    var last = 0
    for number in 0..<60 {
      last = try served.change(
        "color",
        to: """
          {"state": "ENABLED", "variants": {"v": "\(number) \(filler)"}, "defaultVariant": "v", "expiry": "2099-01-01"}
          """)
    }
    let seen = try await PeerProcess.eventually {
      let variant = try await client.ask(["do": "variant", "feature": "color"])["variant"] as? [String: Any]
      return (variant?["payload"] as? [String: Any])?["value"] as? String == "59 \(filler)" ? true : nil
    }
    #expect(seen == true)
    let standing = try await PeerProcess.eventually {
      served.standing(of: last).have == 1 ? served.standing(of: last) : nil
    }
    #expect(standing?.lacking.map(\.client.name) == ["unleash-stream laggard"])
    await served.stop()
  }
}
