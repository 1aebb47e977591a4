import Kernel
import PlimsollFile
import Testing

/// An SLO named `orders` whose `spec` is `spec`, indented here.
private func slo(_ spec: String, name: String = "orders") -> String {
  let lines = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }.joined(separator: "\n")
  return """
    apiVersion: openslo/v1
    kind: SLO
    metadata:
      name: \(name)
      displayName: Orders are taken
    spec:
    \(lines)
    """
}

private let window = "timeWindow:\n- duration: 30d\n  isRolling: true"
private func source(_ query: String) -> String {
  "metricSource: { type: Prometheus, spec: { query: '\(query)' } }"
}
private let ratio = """
  indicator:
    metadata: { name: orders-ok }
    spec:
      ratioMetric:
        counter: true
        good: { \(source("sum(http_requests_total{code!~\"5..\"})")) }
        total: { \(source("sum(http_requests_total)")) }
  """

private func check(_ text: String, finds expected: [Objective], _ location: SourceLocation = #_sourceLocation) throws {
  #expect(try OpenSLOFile.parse(text, file: "slo.yaml").objectives == expected, sourceLocation: location)
}

/// The one problem begins with `expected`, place included.
private func check(_ text: String, fails expected: String, _ location: SourceLocation = #_sourceLocation) {
  do {
    let file = try OpenSLOFile.parse(text, file: "slo.yaml")
    Issue.record("read as \(file.objectives)", sourceLocation: location)
  } catch {
    let found = error.all.map(\.description)
    #expect(found.count == 1 && found[0].hasPrefix("slo.yaml:\(expected)"), "\(found)", sourceLocation: location)
  }
}

@Suite("OpenSLO files") struct OpenSLOTests {
  private let good = Objective.Indicator.good(
    query: #"sum(http_requests_total{code!~"5.."})"#, total: "sum(http_requests_total)", areCounters: true)

  @Test("a ratio of good ones, written out") func ratioOfGood() throws {
    try check(
      slo("service: shop\n\(ratio)\n\(window)\nbudgetingMethod: Occurrences\nobjectives:\n- target: 0.999"),
      finds: [
        Objective(
          name: "orders", title: "Orders are taken", service: "shop", target: 0.999, window: .minutes(43_200),
          indicator: good)
      ])
  }

  @Test("an indicator by name, bad ones, several objectives, percent, weeks, other kinds") func referenced() throws {
    let spec = """
      service: shop
      indicatorRef: fails
      timeWindow: [{ duration: 4w, isRolling: true }]
      objectives:
      - { displayName: Most, targetPercent: 95 }
      - { target: 0.99 }
      """
    let text = """
      apiVersion: openslo/v1
      kind: SLI
      metadata: { name: fails }
      spec:
        ratioMetric:
          bad: { metricSource: { metricSourceRef: main, spec: { promql: rate_of_bad } } }
          total: { metricSource: { metricSourceRef: main, spec: { query: rate_of_all } } }
      ---
      apiVersion: openslo/v1
      kind: Service
      metadata: { name: shop }
      ---
      \(slo(spec))
      """
    let file = try OpenSLOFile.parse(text, file: "slo.yaml")
    let bad = Objective.Indicator.bad(query: "rate_of_bad", total: "rate_of_all", areCounters: false)
    let window = Span.minutes(28 * 24 * 60)
    #expect(
      file.objectives == [
        Objective(name: "orders-1", title: "Most", service: "shop", target: 0.95, window: window, indicator: bad),
        Objective(
          name: "orders-2", title: "Orders are taken", service: "shop", target: 0.99, window: window, indicator: bad),
      ])
    let passed = "slo.yaml:9:1: warning: Service: has no effect here; only SLO and SLI are read"
    #expect(file.warnings.map(\.description) == [passed])
  }

  @Test("a threshold") func threshold() throws {
    let indicator = "indicator:\n  spec:\n    thresholdMetric: { \(source("queue_length")) }"
    try check(
      slo("service: shop\n\(indicator)\n\(window)\nobjectives:\n- { op: lte, value: 200, target: 0.9 }"),
      finds: [
        Objective(
          name: "orders", title: "Orders are taken", service: "shop", target: 0.9, window: .minutes(43_200),
          indicator: .threshold(query: "queue_length", mustBe: .lte, value: 200))
      ])
    check(
      slo("service: shop\n\(indicator)\n\(window)\nobjectives:\n- { op: less, value: 200, target: 0.9 }"),
      fails: "15:11: SLO 'orders': op: expected one of lte, gte, lt, gt, found 'less'")
  }

  @Test("what cannot be honoured, or is wrong, is named where it stands") func problems() {
    let objectives = "objectives:\n- target: 0.999"
    check("", fails: " is empty; expected an OpenSLO document")
    check("kind: SLO\n  bad: 1", fails: "2:")
    check("apiVersion: openslo/v1\nkind: Service", fails: "1:1: expected at least one SLO, found none")
    check(
      "apiVersion: openslo/v1\nkind: Slo\nmetadata: { name: a }", fails: "1:1: unknown kind 'Slo'; did you mean 'SLO'?")
    check(
      slo("service: shop\n\(ratio)\n\(window)\n\(objectives)\nbudgetingMethod: Timeslices"),
      fails: "20:20: SLO 'orders': budgetingMethod 'Timeslices' is not supported")
    check(
      slo("service: shop\n\(ratio)\n\(objectives)\ntimeWindow: [{ duration: 1M, isRolling: true }]"),
      fails: "17:28: SLO 'orders': duration: expected days or weeks such as 30d or 4w")
    check(
      slo("service: shop\n\(ratio)\n\(objectives)\ntimeWindow: [{ duration: 4w, calendar: { startTime: now } }]"),
      fails: "17:16: SLO 'orders': a calendar window is not supported")
    check(
      slo("service: shop\n\(ratio)\n\(objectives)\ntimeWindow: []"),
      fails: "17:15: SLO 'orders': timeWindow: expected exactly one window, found 0")
    check(
      slo("service: shop\n\(ratio)\n\(window)\nobjectives: []"),
      fails: "18:15: SLO 'orders': expected at least one")
    check(
      slo("service: shop\n\(ratio)\n\(window)\nobjectives:\n- target: 99.9"),
      fails: "19:13: SLO 'orders': target: expected a number above 0 and below 1, found '99.9'")
    check(
      slo("service: shop\n\(ratio)\n\(window)\nobjectives:\n- { target: 0.9, targetPercent: 90 }"),
      fails: "19:5: SLO 'orders': an objective has target or targetPercent, not both")
    check(slo("\(ratio)\n\(window)\n\(objectives)"), fails: "7:3: SLO 'orders': expected 'service', found none")
    check(
      slo("service: shop\nindicatorRef: gone\n\(window)\n\(objectives)"),
      fails: "8:17: SLO 'orders': indicatorRef names 'gone', which this file does not have")
    check(
      slo("service: shop\nindicator: { spec: { ratioMetric: { raw: { a: b } } } }\n\(window)\n\(objectives)"),
      fails: "8:37: SLO 'orders': ratioMetric: a ready-made ratio ('raw') is not supported")
    check(
      slo("service: shop\nindicator: { spec: { other: 1 } }\n\(window)\n\(objectives)"),
      fails: "13:5: SLO 'orders': the indicator needs either ratioMetric or thresholdMetric")
    check(
      slo("service: shop\n\(ratio)\n\(window)\n\(objectives)")
        .replacing("type: Prometheus", with: "type: Datadog", maxReplacements: 1),
      fails: "13:39: SLO 'orders': ratioMetric: good: type 'Datadog' is not supported; Prometheus is")
    check(
      slo("service: shop\n\(ratio)\n\(window)\n\(objectives)") + "\n---\n"
        + slo("service: shop\n\(ratio)\n\(window)\n\(objectives)"),
      fails: "21:1: SLO 'orders' stands there twice")
    check(String(repeating: "#", count: OpenSLOFile.sizeLimit + 1), fails: " has more than 1048576 bytes")
  }
}
