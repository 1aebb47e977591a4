import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Rollouts
import Testing

@testable import PlimsollFile

@Suite("Values that are looked up") struct SecretTests {
  private static let secret = "correct-horse-battery-staple"

  private func catalog(
    _ variables: String, folder: String = "/srv", environment: [String: String] = [:], then document: String = ""
  ) throws -> ServiceCatalog {
    ServiceCatalog(
      try parse(file("variables: { \(variables) }", then: document)), folder: folder, serverEnvironment: environment)
  }

  private let service = ServiceName(rawValue: "harbor")
  private let production = EnvironmentName(rawValue: "production")

  private func value(of catalog: ServiceCatalog) throws -> String? {
    try catalog.variables(of: #require(service), in: #require(production)).first?.value
  }

  @Test("a value, a variable, a file") func sources() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try value(of: catalog("A: plain")) == "plain")
    #expect(try value(of: catalog("A: env:B", environment: ["B": Self.secret])) == Self.secret)
    for (text, expected) in [("s\n", "s"), ("s\r\n", "s"), ("s", "s"), ("s\n\n", "s\n"), ("", "")] {
      try text.write(to: folder.appending(path: "key"), atomically: true, encoding: .utf8)
      #expect(try value(of: catalog("A: file:key", folder: folder.path)) == expected)
      #expect(try value(of: catalog("A: 'file:\(folder.path)/key'")) == expected)
    }
  }

  @Test("what is absent is an outage that names it") func absent() throws {
    let environment = #expect(throws: Outage.self) { try value(of: catalog("A: env:NOPE")) }
    #expect(environment?.sentence.contains("env:NOPE") == true)
    let file = #expect(throws: Outage.self) { try value(of: catalog("A: file:nope")) }
    #expect(file?.sentence.contains("file:nope") == true)
    let announcer = #expect(throws: Outage.self) { try catalog("A: b").announcer(0) }
    #expect(announcer?.sentence.contains("target 1") == true)
    let known = try catalog("A: b")
    let other = try #require(ServiceName(rawValue: "crane"))
    let place = try #require(production)
    #expect(throws: Outage.self) { try known.repository(of: other) }
    #expect(throws: Outage.self) { try known.specification(of: other, in: place) }
  }

  @Test("the environment's values replace the service's") func replacing() throws {
    let text = file("variables: { A: 1, B: 2 }\nenvironments:\n  production:\n    variables: { B: 3 }")
    let catalog = ServiceCatalog(try parse(text), folder: "/", serverEnvironment: [:])
    let variables = try catalog.variables(of: #require(service), in: #require(production))
    #expect(variables.map { "\($0.name)=\($0.value)" } == ["A=1", "B=3"])
  }

  @Test("no value enters the topology, wherever it stands") func topologyHoldsNoSecret() throws {
    let text = file(
      "variables: { A: \(Self.secret), B: env:\(Self.secret.replacingOccurrences(of: "-", with: "_")) }\n"
        + "environments: { production: { variables: { C: \(Self.secret) } } }",
      then: "announce: [{ slack: 'https://example.org/\(Self.secret)' }]")
    let parsed = try parse(text)
    #expect("\(parsed.runs)\(parsed.announcers)".contains(Self.secret))
    for value in [StreamEvent.settings(.applied(parsed.topology))] {
      let json = String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
      #expect(json.contains("harbor"))
      #expect(!json.contains(Self.secret) && !json.contains("correct"))
    }
  }
}

@Suite("The JSON Schema") struct SchemaTests {
  /// All property names of a schema node, its `oneOf` members included.
  private func keys(_ path: String...) throws -> [String] { try keys(path) }
  private func keys(_ path: [String]) throws -> [String] {
    try members(path).flatMap { ($0["properties"] as? [String: Any] ?? [:]).keys }.sorted()
  }

  /// The numbers that a key may have.
  private func range(_ path: String...) throws -> ClosedRange<Double> {
    func limit(_ key: String) throws -> Double {
      try #require(try members(path).lazy.compactMap { $0[key] as? Double }.first, "\(path) has no \(key)")
    }
    return try limit("minimum")...limit("maximum")
  }

  /// The words that a key may have.
  private func choices(_ path: String...) throws -> [String] {
    try members(path).flatMap { $0["enum"] as? [String] ?? [] }
  }

  private func wholes(_ path: String...) throws -> ClosedRange<Int> {
    let member = try #require(try members(path).first { $0["minimum"] != nil }, "\(path) has no range")
    let (least, most) = (try #require(member["minimum"] as? Int), try #require(member["maximum"] as? Int))
    return least...most
  }

  /// A schema node and the members of its `oneOf`.
  private func members(_ path: [String]) throws -> [[String: Any]] {
    var node = try #require(
      JSONSerialization.jsonObject(with: Data(PlimsollFile.schema.utf8)) as? [String: Any])
    let definitions = node["$defs"] as? [String: Any]
    for step in path {
      let members = [node] + (node["oneOf"] as? [[String: Any]] ?? [])
      let properties = members.compactMap { $0["properties"] as? [String: Any] }
      let next =
        step == "*"
        ? node["additionalProperties"] : step == "[]" ? node["items"] : properties.lazy.compactMap { $0[step] }.first
      node = try #require(next as? [String: Any], "the schema has no \(path)")
      while let reference = node["$ref"] as? String, let name = reference.split(separator: "/").last {
        node = try #require(definitions?[String(name)] as? [String: Any])
      }
    }
    return [node] + (node["oneOf"] as? [[String: Any]] ?? [])
  }

  @Test("has the ranges that the readers enforce") func ranges() throws {
    #expect(try range("environments", "[]", "rollback", "error-ratio") == RolloutReader.errorRatios)
    #expect(try range("environments", "[]", "rollback", "latency-factor") == RolloutReader.latencyFactors)
    #expect(try range("environments", "[]", "rollback", "must-detect") == StepsReader.ratios)
    #expect(try range("environments", "[]", "rollback", "ceiling") == JudgePolicy.ceilings)
    #expect(try range("environments", "[]", "rollback", "needless") == JudgePolicy.budgets)
    #expect(try range("environments", "[]", "rollback", "costs", "bad-deploys") == MistakeCosts.badShares)
    #expect(try range("environments", "[]", "traffic") == RolloutReader.traffics)
    #expect(try range("environments", "[]", "steps", "[]", "detect") == StepsReader.ratios)
    #expect(try range("environments", "[]", "holdback") == 0...49)
    #expect(try range("environments", "[]", "steps", "[]", "share") == 0...100)
    #expect(try range("environments", "[]", "baseline", "expected") == 0...1)
    #expect(try members(["services", "*", "slo", "availability"])[1]["exclusiveMinimum"] as? Double == 0)
    #expect(try wholes("queue", "slots") == 1...MergeQueue.slotLimit)
    #expect(try wholes("queue", "capacity") == 1...MergeQueue.capacityLimit)
    #expect(try wholes("queue", "batch-limit") == QueueSettings.batchLimits)
    #expect(try wholes("queue", "pass-over") == QueueSettings.passOvers)
    #expect(try range("queue", "worth") == 0...1)
    #expect(try wholes("queue", "lanes", "directories") == 1...LaneRules.depthLimit)
    #expect(try wholes("queue", "requires", "approvals") == QueueSettings.approvals)
    #expect(try members(["queue", "requires", "checks"])[0]["maxItems"] as? Int == QueueSettings.requiredCheckLimit)
    #expect(try members(["queue", "freezes"])[0]["maxItems"] as? Int == Freezes.windowLimit)
    #expect(try members(["queue", "lanes"]).contains { $0["maxProperties"] as? Int == LaneRules.namedLimit })
    let certainty = try members(["queue", "certainty"])[1]
    #expect(certainty["exclusiveMinimum"] as? Double == QueueSettings.leastCertainty)
    #expect(certainty["exclusiveMaximum"] as? Double == 1)
  }

  @Test("knows exactly the keys that the readers accept") func keysAgree() throws {
    #expect(try keys() == DocumentReader.keys.sorted())
    #expect(try keys("services", "*") == ServiceReader.keys.sorted())
    #expect(try keys("services", "*", "slo") == LevelReader.keys.sorted())
    #expect(try keys("services", "*", "slo", "open-slo") == LevelReader.fileKeys.sorted())
    #expect(try keys("services", "*", "environments", "*") == PlaceDraft.keys.sorted())
    let place = ["services", "*", "environments", "*"]
    #expect(try keys(place + ["slo"]) == LevelReader.keys.sorted())
    #expect(try keys(place + ["baseline"]) == BaselineReader.keys.sorted())
    #expect(try keys(place + ["baseline", "prometheus"]) == BaselineReader.historyKeys.sorted())
    for place in [["services", "*", "environments", "*"], ["environments", "[]"]] {
      #expect(try keys(place + ["rollback"]) == RolloutDraft.thresholdKeys.sorted())
      #expect(try keys(place + ["rollback", "costs"]) == RolloutDraft.costKeys.sorted())
      #expect(try keys(place + ["steps", "[]"]) == StepsReader.stepKeys.sorted())
      #expect(try keys(place + ["preview"]) == PreviewReader.keys.sorted())
      #expect(try keys(place + ["watch", "*"]) == EvidenceReader.watchKeys.sorted())
    }
    #expect(try keys("services", "*", "environments", "*", "checks", "*") == EnvironmentDraft.checkKeys.sorted())
    #expect(try keys("environments", "[]") == EnvironmentDraft.keys.sorted())
    #expect(try keys("queue") == QueueSettings.keys.sorted())
    #expect(try keys("queue", "freezes", "[]") == FreezesReader.keys.sorted())
    #expect(try keys("queue", "requires") == QueueSettings.requirementKeys.sorted())
    #expect(try keys("queue", "longest-wait") == QueueSettings.longestWaitKeys.sorted())
    #expect(try choices("queue", "mode") == SchedulingRules.Mode.allCases.map(\.rawValue))
    #expect(try keys("services", "*", "metrics") == MetricsReader.keys.sorted())
    #expect(try keys("services", "*", "metrics", "errors") == MetricsReader.errorKeys.sorted())
    #expect(try keys("services", "*", "metrics", "durations") == MetricsReader.durationKeys.sorted())
    #expect(try keys("prometheus") == EvidenceReader.prometheusKeys.sorted())
    #expect(try keys("databases", "*") == DatabasesReader.keys.sorted())
    #expect(try keys("databases", "*", "migrations") == DatabasesReader.migrationKeys.sorted())
    #expect(try choices("databases", "*", "migrations", "layout") == DatabasesReader.layouts)
    #expect(try keys("databases", "*", "environments", "*") == DatabasesReader.placeKeys.sorted())
    #expect(try keys("services", "*", "database") == DatabasesReader.useKeys.sorted())
    #expect(try keys("server") == DocumentReader.serverKeys.sorted())
    #expect(try keys("announce", "[]") == DocumentReader.announceKeys.sorted())
  }
}
