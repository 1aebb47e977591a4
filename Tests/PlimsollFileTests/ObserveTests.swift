import ControlPlane
import Foundation
import Kernel
import Rollouts
import Testing

@testable import PlimsollFile

private let page = "http://10.0.0.5:9100/metrics"

@Suite("Observed places in the file") struct ObserveTests {
  @Test("three lines are a whole file") func short() throws {
    let parsed = try parse("observe:\n  shop:\n    metrics: \(page)\n")
    #expect(parsed.topology.services.isEmpty)
    let place = try #require(parsed.observed.first)
    #expect(place.metrics == [.value(page)])
    #expect(place.policy.environment.rawValue == "production")
    #expect(place.policy.versions == .label("version"))
    #expect(place.policy.bake == .minutes(30))
    #expect(parsed.topology.observed == [place.policy])
    #expect(parsed.topology.streams.map(\.description) == ["observation:shop/production"])
    #expect(place.sentence.contains("only observed"))
  }

  @Test("everything can be said, for several environments") func long() throws {
    let parsed = try parse(
      """
      observe:
        shop:
          - metrics: [\(page), env:SHOP]
            environment: staging
            version: { metric: build_info, label: revision }
            probes: [/healthz]
            slo: { p99: 300ms, availability: 99.9% }
            rollback: { error-ratio: 3, needless: 1% }
            bake: 10m
            mapping: { requests: asked_total, errors: { counter: failed_total }, durations: took_seconds }
          - metrics: \(page)
            version: reported
      """)
    #expect(parsed.observed.map(\.policy.environment.rawValue) == ["production", "staging"])
    let place = try #require(parsed.observed.last)
    #expect(place.policy.versions == .metric("build_info", label: "revision"))
    #expect(place.probes == ["/healthz"])
    #expect(place.mapping?.requests == "asked_total")
    #expect(place.mapping?.errors == .counter("failed_total"))
    #expect(place.policy.judge.errorRatio == 3)
    #expect(place.policy.judge.falseRollbackBudget == 0.01)
    #expect(place.policy.judge.sloP99 == Span(milliseconds: 300))
    #expect(place.policy.judge.ceiling < JudgePolicy.defaultCeiling)
    #expect(parsed.observed.first?.policy.versions == .reported)
  }

  @Test("what is wrong is said where it stands") func faults() {
    func place(_ more: String) -> String { "observe:\n  shop:\n    metrics: \(page)\n    \(more)\n" }
    let at = "plimsoll.yaml:"
    check("observe: {}", "\(at)1:10: observe: expected at least one service")
    check("observe:\n  Shop: { metrics: \(page) }", "\(at)2:3: observe: 'Shop' is no service name")
    check("observe:\n  shop: { bake: 30m }", "\(at)2:9: observe.shop: expected 'metrics'")
    check("observe:\n  shop: { metrics: 10.0.0.5 }", "\(at)2:20: observe.shop.metrics: expected an http(s) address")
    check("observe:\n  shop: { metrics: [] }", "\(at)2:20: observe.shop.metrics: expected at least one address")
    check(
      "observe:\n  shop: { metrics: ['\(page)', '\(page)'] }",
      "\(at)2:53: observe.shop.metrics: this address stands here")
    check(place("versoin: reported"), "\(at)4:5: observe.shop: unknown key 'versoin'; did you mean 'version'?")
    check(place("version: label"), "\(at)4:14: observe.shop.version: expected '{ label: NAME }' or 'reported'")
    check(place("version: { metric: build_info }"), "\(at)4:14: observe.shop.version: expected 'label'")
    check(place("version: { label: 'my label' }"), "\(at)4:23: observe.shop.version.label: expected a name of letters")
    check(place("mapping: { errors: code }"), "\(at)4:14: observe.shop.mapping: expected 'requests'")
    check(place("bake: 10s"), "\(at)4:11: observe.shop.bake: expected a time from 1m to 24h")
    check(place("environment: Production"), "\(at)4:18: observe.shop.environment: expected a name")
    check(place("probes: [healthz]"), "\(at)4:14: observe.shop.probes: expected a path such as /healthz")
    check(place("rollback: { ceiling: 200% }"), "\(at)4:26: observe.shop.rollback.ceiling: expected")
    check(
      "observe:\n  shop:\n    - metrics: \(page)\n    - metrics: \(page)\n",
      "\(at)4:7: observe.shop: production stands here twice")
    check(file(then: "observe: { harbor: { metrics: '\(page)' } }"), "\(at)9:12: observe.harbor: 'services' has it too")
  }

  @Test("addresses of pages may be secrets: they never enter the ledger, and are looked up at the start")
  func addresses() throws {
    let parsed = try parse("observe:\n  shop: { metrics: ['http://ada:secret@10.0.0.5/metrics', env:SHOP] }\n")
    let json = String(
      decoding: try JSONEncoder().encode(StreamEvent.settings(.applied(parsed.topology))), as: UTF8.self)
    #expect(json.contains("shop") && !json.contains("secret"))
    let place = try #require(parsed.observed.first)
    func pages(_ value: String?) throws -> [String] {
      try ServiceCatalog(parsed, folder: "/srv", serverEnvironment: value.map { ["SHOP": $0] } ?? [:]).pages(of: place)
    }
    #expect(try pages(page) == ["http://ada:secret@10.0.0.5/metrics", page])
    #expect(throws: Outage.self) { try pages(nil) }
    #expect(throws: Outage.self) { try pages("10.0.0.5") }
  }

  @Test("a topology of before there were observed places is read, and written as it was") func older() throws {
    let older = #"{"queues":[],"services":[]}"#
    let topology = try JSONDecoder().decode(Topology.self, from: Data(older.utf8))
    #expect(topology == Topology())
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(topology), as: UTF8.self) == older)
  }

  @Test("the schema knows exactly the keys that the reader accepts") func schema() throws {
    let schema = try #require(
      JSONSerialization.jsonObject(with: Data(PlimsollFile.schema.utf8)) as? [String: Any])
    let definitions = try #require(schema["$defs"] as? [String: Any])
    let observed = try #require(definitions["observed"] as? [String: Any])
    let properties = try #require(observed["properties"] as? [String: Any])
    #expect(properties.keys.sorted() == ObserveReader.keys.sorted())
  }
}
