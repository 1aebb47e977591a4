import Foundation
import Kernel
import Rollouts
import Testing

@testable import PlimsollFile

/// A folder with an OpenSLO file, gone with its owner.
private final class SLOFolder {
  let path = FileManager.default.temporaryDirectory.appending(path: "plimsoll-slo-\(UUID().uuidString)").path

  init(_ text: String, name: String = "slo.yaml") throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func parse(_ text: String) throws -> PlimsollFile {
    try PlimsollFile.parse(text, file: "plimsoll.yaml", folder: path)
  }

  func problems(_ text: String) -> [String] {
    do {
      _ = try parse(text)
      return []
    } catch { return (error as? Problems)?.all.map(\.description) ?? ["\(error)"] }
  }
}

private func slo(
  _ name: String, service: String = "harbor", target: String = "0.995",
  good: String = #"sum(http_requests_total{code!~"5.."})"#
) -> String {
  """
  apiVersion: openslo/v1
  kind: SLO
  metadata: { name: \(name) }
  spec:
    service: \(service)
    indicator:
      spec:
        ratioMetric:
          counter: true
          good: { metricSource: { type: Prometheus, spec: { query: '\(good)' } } }
          total: { metricSource: { type: Prometheus, spec: { query: sum(http_requests_total) } } }
    timeWindow: [{ duration: 30d, isRolling: true }]
    objectives: [{ target: \(target) }]
  """
}

private let fast = #"sum(http_request_duration_seconds_bucket{le="0.3"})"#
private let prometheus = "prometheus: { url: 'http://127.0.0.1:9090' }"
private let places = "environments: [{ name: staging }, { name: production }]"

@Suite("Service levels from OpenSLO files") struct LevelTests {
  private func rollouts(_ file: PlimsollFile) -> [Rollout.Policy] {
    file.topology.services.flatMap { $0.environments.map(\.rollout) }
  }

  @Test("availability and P99 become the judge's, budgets are watched where users are, and check says what was taken")
  func imported() throws {
    let folder = try SLOFolder(
      [slo("ok"), slo("fast", target: "0.99", good: fast), slo("other", service: "shop")].joined(separator: "\n---\n"))
    let parsed = try folder.parse(file("slo: { open-slo: slo.yaml }", then: "\(places)\n\(prometheus)"))
    #expect(parsed.warnings.allSatisfy { !$0.sentence.contains("no slo is set") })
    let policies = rollouts(parsed)
    #expect(policies.map(\.judge.sloP99) == [.seconds(0.3), .seconds(0.3)])
    #expect(abs((policies.last?.judge.ceiling ?? 0) - 0.05) < 1e-9, "14.4 times 0.5 %, at most 5 %")
    #expect(parsed.judged.first?.ceiling.origin == .availability(0.995))
    #expect(policies.map { $0.objectives.map(\.name) } == [[], ["ok", "fast"]])
    #expect(policies.last?.objectives.first?.window == .minutes(30 * 1440))
    #expect(parsed.levels.map(\.environment.rawValue) == ["production"])
    #expect(
      parsed.levels.first?.sentences.prefix(2) == [
        "slo.yaml, 'ok': 99.5% over 30d, taken as slo.availability 99.5%.",
        "slo.yaml, 'fast': 99% over 30d, taken as slo.p99 300ms.",
      ])
    #expect(parsed.levels.first?.sentences.last?.hasPrefix("A spent error budget") == true)
  }

  @Test("without a Prometheus server the level counts, nobody watches the budget, and that is said")
  func unwatched() throws {
    let folder = try SLOFolder(slo("ok"))
    let parsed = try folder.parse(file("slo: { p99: 100ms, open-slo: slo.yaml }", then: places))
    #expect(rollouts(parsed).allSatisfy { $0.objectives.isEmpty && $0.judge.sloP99 == .seconds(0.1) })
    #expect(
      parsed.warnings.map(\.description).contains {
        $0.hasPrefix("plimsoll.yaml:8:34: warning: services.harbor in production: nobody watches the error budgets")
      }, "\(parsed.warnings)")
    #expect(
      parsed.levels.first?.sentences.last == "Nobody watches the error budgets, because no 'prometheus' is named.")
  }

  @Test("a service's environment has a level of its own, key by key") func nearer() throws {
    let folder = try SLOFolder(slo("ok") + "\n---\n" + slo("pre", service: "harbor-pre", target: "0.9"))
    let parsed = try folder.parse(
      file(
        """
        slo: { availability: 99.9%, p99: 100ms }
        environments:
          staging: { slo: { open-slo: { file: slo.yaml, service: harbor-pre } } }
          production: { slo: { p99: 200ms } }
        """, then: "\(places)\n\(prometheus)"))
    let policies = rollouts(parsed)
    #expect(policies.map(\.judge.sloP99) == [.seconds(0.1), .seconds(0.2)])
    #expect(policies.map { $0.objectives.map(\.name) } == [["pre"], []])
    #expect(abs((policies.last?.judge.ceiling ?? 0) - 0.0144) < 1e-9)
    #expect(policies.first?.judge.ceiling == 0.05)
    let replaced = try folder.parse(
      file(
        "slo: { open-slo: slo.yaml }\nenvironments: { production: { slo: { availability: 99% } } }",
        then: "\(places)\n\(prometheus)"))
    #expect(
      replaced.levels.first?.sentences.contains { $0.contains("says slo.availability 99%, which counts") } == true)
    #expect(rollouts(replaced).last?.objectives.map(\.name) == ["ok"])
  }

  @Test("what contradicts is refused where it stands; the same said twice is not") func contradictions() throws {
    let folder = try SLOFolder(slo("ok") + "\n---\n" + slo("fast", target: "0.999", good: fast))
    #expect(
      folder.problems(file("slo: { availability: 99.9%, open-slo: slo.yaml }", then: prometheus)) == [
        "plimsoll.yaml:8:26: services.harbor.slo.availability: 99.9% contradicts the SLO 'ok' of slo.yaml, which says "
          + "99.5%; leave one of them out"
      ])
    #expect(
      folder.problems(file("slo: { p99: 1s, open-slo: slo.yaml }", then: prometheus)) == [
        "plimsoll.yaml:8:17: services.harbor.slo.p99: 1s contradicts the SLO 'fast' of slo.yaml, which says 300ms; "
          + "leave one of them out"
      ])
    let same = file("slo: { p99: 300ms, availability: 0.995, open-slo: slo.yaml }", then: prometheus)
    #expect(folder.problems(same) == [])
  }

  @Test("what is wrong is told by file, line and column, with the nearest match") func problems() throws {
    let (bad, good) = (try SLOFolder(slo("ok", target: "99.5")), try SLOFolder(slo("ok")))
    func check(
      _ level: String, in folder: SLOFolder, _ expected: String, _ location: SourceLocation = #_sourceLocation
    ) {
      let found = folder.problems(file("slo: { open-slo: \(level) }", then: prometheus))
      #expect(found.count == 1 && found.first?.hasPrefix(expected) == true, "\(found)", sourceLocation: location)
    }
    check("slo.yaml", in: bad, "slo.yaml:13:26: SLO 'ok': target: expected a number above 0 and below 1, found '99.5'")
    check(
      "slo.yml", in: good,
      "plimsoll.yaml:8:22: services.harbor.slo.open-slo: slo.yml cannot be read; name a file, relative to plimsoll.yaml; "
        + "did you mean 'slo.yaml'?")
    check("{ service: a }", in: good, "plimsoll.yaml:8:22: services.harbor.slo.open-slo: expected a file's name")
    check(
      "{ file: slo.yaml, servce: a }", in: good,
      "plimsoll.yaml:8:40: services.harbor.slo.open-slo: unknown key 'servce'; did you mean 'service'?")
    let others = try SLOFolder(slo("ok", service: "harbour") + "\n---\n" + slo("no", service: "shop"))
    #expect(
      others.problems(file("slo: { open-slo: slo.yaml }", then: prometheus)) == [
        "plimsoll.yaml:8:22: services.harbor.slo.open-slo: slo.yaml has no SLO of service 'harbor', only of "
          + "harbour, shop: write { file: slo.yaml, service: NAME }; did you mean 'harbour'?"
      ])
  }

  @Test("nothing is guessed of a query that does not tell") func meanings() {
    func meaning(
      _ query: String, target: Double = 0.99, isThreshold: Bool = false
    ) -> PlimsollFile.ImportedLevel.Meaning {
      PlimsollFile.ImportedLevel.meaning(
        of: Objective(
          name: "a", title: "A", service: "s", target: target, window: .minutes(60),
          indicator: isThreshold
            ? .threshold(query: query, mustBe: .lte, value: 0.25)
            : .good(query: query, total: "all", areCounters: true)))
    }
    #expect(meaning("sum(ok)") == .availability)
    #expect(meaning(fast) == .p99(.seconds(0.3)))
    #expect(meaning(#"sum(rate(shop_milliseconds_bucket{le="250"}[5m]))"#) == .p99(.seconds(0.25)))
    for query in [#"shop_bucket{le="0.3"}"#, "shop_seconds_bucket", fast + " + " + fast] {
      guard case .other = meaning(query) else {
        Issue.record("\(query) was guessed at")
        continue
      }
    }
    guard case .other = meaning(fast, target: 0.95) else {
      Issue.record("95 % are not P99")
      return
    }
    let quantile = "histogram_quantile(0.99, sum by (le) (rate(shop_seconds_bucket[5m])))"
    #expect(meaning(quantile, isThreshold: true) == .p99(.seconds(0.25)))
    guard case .other = meaning("queue_length", isThreshold: true) else {
      Issue.record("a queue's length is no time")
      return
    }
  }
}

@Suite("Baselines from a Prometheus server") struct BaselineHistoryTests {
  private func parsed(_ baseline: String, judged: String = "", more: String = "") throws -> PlimsollFile {
    try parse(
      file(
        "slo: { p99: 100ms }\n\(more)\nenvironments: { production: { baseline: \(baseline)\(judged) } }",
        then: "\(places)\n\(prometheus)"))
  }

  @Test("labels, a window and a mapping of its own; a share is what it was") func read() throws {
    let file = try parsed(
      "{ expected: 1%, prometheus: { select: { job: shop, env: prod }, window: 2h, requests: calls, errors: code } }")
    let history = try #require(file.runs.last?.baseline)
    #expect(history.selector.map { "\($0.name)=\($0.value)" } == ["env=prod", "job=shop"])
    #expect(history.window == .minutes(120) && history.mapping?.requests == "calls")
    #expect(file.judged.first?.expectation.baseline == 0.01)
    #expect(file.runs.first?.baseline == nil)
    let usual = try parsed("{ prometheus: { select: { job: shop } } }").runs.last?.baseline
    #expect(usual?.window == .minutes(60) && usual?.mapping == nil)
    #expect(try parsed("2%").judged.first?.expectation.baseline == 0.02)
    #expect(try parsed("2%").runs.last?.baseline == nil)
  }

  @Test("what is wrong is named where it stands") func problems() throws {
    func check(_ baseline: String, _ expected: String, _ location: SourceLocation = #_sourceLocation) {
      let text = file(
        "slo: { p99: 100ms }\nenvironments: { production: { baseline: \(baseline) } }", then: "\(places)\n\(prometheus)"
      )
      let found = PlimsollFileTests.problems(text).map(\.description)
      #expect(
        found.count == 1 && found.first?.hasPrefix("plimsoll.yaml:9:") == true
          && found.first?.contains("production.baseline\(expected)") == true, "\(found)", sourceLocation: location)
    }
    check("{}", ": expected a share, or some of expected, prometheus")
    check("{ prometheus: { window: 1h } }", ".prometheus: expected 'select'")
    check("{ prometheus: { select: {} } }", ".prometheus.select: expected at least one label")
    check("{ prometheus: { select: { a-b: c } } }", ".prometheus.select: 'a-b' is no label's name")
    check("{ prometheus: { select: { job: a }, window: 5m } }", ".prometheus.window: expected a time from 30m to 24h")
    check("{ prometheus: { select: { job: a }, requests: a } }", ".prometheus: expected 'errors' beside 'requests'")
    check("{ promtheus: { select: { job: a } } }", ": unknown key 'promtheus'; did you mean 'prometheus'?")
    let nobody = file(
      "environments: { production: { baseline: { prometheus: { select: { job: a } } } } }", then: places)
    #expect(PlimsollFileTests.problems(nobody).first?.sentence.contains("nobody answers queries") == true)
    let shared = file(
      then: "environments: [{ name: production, baseline: { prometheus: { select: { job: a } } } }]\n\(prometheus)")
    #expect(
      PlimsollFileTests.problems(shared).first?.sentence.contains("write it in services.NAME.environments.production")
        == true)
    let unjudged = try parsed("{ prometheus: { select: { job: a } } }", judged: ", judged: false")
    #expect(unjudged.warnings.contains { $0.sentence.contains("'baseline.prometheus' has no effect") })
  }
}
