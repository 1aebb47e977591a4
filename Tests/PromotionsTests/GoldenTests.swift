import Foundation
import Kernel
import Testing

@testable import Promotions

/// One of every case, in the order of the enumeration.
let goldenEvents: [Promotion.Event] = [
  .begun(order()),
  .built(build()),
  .buildFailed(reason: "make: error 2", log: log),
  .provenanceVerified(environment: integration, builder: "plimsoll"),
  .provenanceRejected(environment: integration, reason: "it is not signed"),
  .requested(
    Promotion.Request(order(), environment: staging, artifact: build().artifact, override: true, at: at(20))),
  .taken(environment: staging, at: at(21)),
  .superseded(environment: staging, by: newer),
  .condemned(environment: production, reason: "5.2 % errors"),
  .served(environment: staging, at: at(22)),
  .checkPassed(environment: staging, name: smoke, log: log, startedAt: at(23), endedAt: at(24)),
  .checkFailed(
    environment: staging, name: load, reason: "p99 is 812 ms", log: log, startedAt: at(25), endedAt: at(26)),
  .soakBegan(environment: staging, until: at(90)),
  .passed(environment: staging, at: at(91)),
  .completed,
  .halted(reason: "superseded in production by bbbbbbbbbb"),
  .resumed(Promotion.Resumption(environment: staging, override: true, reason: "the load test was wrong")),
  .renewed(order(ordinal: 9)),
  .schemaAsked(Promotion.SchemaAsk(order(), digest: digest("1"), environment: staging, database: orders)),
  .schemaGranted(environment: staging, at: at(19)),
  .schemaRefused(environment: production, reason: "harbor bbbbbbbbbb still reads orders.note."),
  .schemaReconsidered(environment: production),
]

@Suite("Promotion on the wire") struct GoldenTests {
  static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens/events.jsonl")

  static func encode(_ event: Promotion.Event) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(event), as: UTF8.self)
  }

  @Test("every event is written as it always was, and read back")
  func goldens() throws {
    let lines = try goldenEvents.map(Self.encode)
    if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
      try (lines.joined(separator: "\n") + "\n").write(to: Self.file, atomically: true, encoding: .utf8)
    }
    let stored = try String(contentsOf: Self.file, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(stored.count == goldenEvents.count)
    for (event, (line, golden)) in zip(goldenEvents, zip(lines, stored)) {
      #expect(line == golden, "\(event.name)")
      #expect(try JSONDecoder().decode(Promotion.Event.self, from: Data(golden.utf8)) == event)
      #expect(golden.hasPrefix("{\"\(event.name)\":"))
    }
  }

  @Test("a stage with a database is written with it, and one without as it always was")
  func stages() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    for (database, json) in [
      (nil, #"{"checks":[],"environment":"production","soak":0}"#),
      (orders, #"{"checks":[],"database":"orders","environment":"production","soak":0}"#),
    ] {
      let stage = Promotion.Stage(environment: production, checks: [], soak: .zero, database: database)
      #expect(String(decoding: try encoder.encode(stage), as: UTF8.self) == json)
      #expect(try JSONDecoder().decode(Promotion.Stage.self, from: Data(json.utf8)) == stage)
    }
  }

  @Test("a state is written and read back, wherever it is")
  func states() throws {
    let encoder = JSONEncoder()
    for length in 0...inEveryEnvironment.count {
      let state = try Story(Array(inEveryEnvironment.prefix(length))).state
      #expect(try JSONDecoder().decode(Promotion.State.self, from: encoder.encode(state)) == state)
    }
    for length in 0...schemaWay.count {
      let state = try Story(Array(schemaWay.prefix(length))).state
      #expect(try JSONDecoder().decode(Promotion.State.self, from: encoder.encode(state)) == state)
    }
  }
}
