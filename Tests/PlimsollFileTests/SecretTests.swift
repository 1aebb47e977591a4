import ControlPlane
import Foundation
import Kernel
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
      if let reference = node["$ref"] as? String, let name = reference.split(separator: "/").last {
        node = try #require(definitions?[String(name)] as? [String: Any])
      }
    }
    let members = [node] + (node["oneOf"] as? [[String: Any]] ?? [])
    return members.flatMap { ($0["properties"] as? [String: Any] ?? [:]).keys }.sorted()
  }

  @Test("knows exactly the keys that the readers accept") func keysAgree() throws {
    #expect(try keys() == DocumentReader.keys.sorted())
    #expect(try keys("services", "*") == ServiceReader.keys.sorted())
    #expect(try keys("services", "*", "slo") == ServiceReader.sloKeys.sorted())
    #expect(try keys("services", "*", "environments", "*") == PlaceDraft.keys.sorted())
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
    #expect(try keys("services", "*", "metrics") == MetricsReader.keys.sorted())
    #expect(try keys("services", "*", "metrics", "errors") == MetricsReader.errorKeys.sorted())
    #expect(try keys("services", "*", "metrics", "durations") == MetricsReader.durationKeys.sorted())
    #expect(try keys("prometheus") == EvidenceReader.prometheusKeys.sorted())
    #expect(try keys("server") == DocumentReader.serverKeys.sorted())
    #expect(try keys("announce", "[]") == DocumentReader.announceKeys.sorted())
  }
}
