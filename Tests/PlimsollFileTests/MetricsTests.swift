import Kernel
import Testing

@testable import PlimsollFile

@Suite("A service's metrics pages in plimsoll.yaml") struct MetricsTests {
  private typealias Page = PlimsollFile.MetricsPage

  private func check(_ keys: String, _ expected: Page?, _ location: SourceLocation = #_sourceLocation) throws {
    let runs = try parse(file(keys)).runs
    #expect(Set(runs.map { $0.metrics == expected }) == [true], "\(runs)", sourceLocation: location)
  }

  @Test("the log is the source unless the file says otherwise") func sources() throws {
    try check("", nil)
    try check("evidence: log", nil)
    try check("evidence: metrics", Page(path: "/metrics", mapping: nil, ignoredRoutes: []))
    try check(
      "evidence: metrics\nmetrics: { path: /internal/metrics, ignore-routes: [/live] }",
      Page(path: "/internal/metrics", mapping: nil, ignoredRoutes: ["/live"]))
  }

  @Test("metrics of other names are mapped") func mapping() throws {
    func mapped(
      _ errors: Page.Errors, durations: String? = nil, milliseconds: Bool = false, route: String? = nil
    ) -> Page {
      Page(
        path: "/metrics",
        mapping: Page.Mapping(
          requests: "shop_total", errors: errors, durations: durations, areMilliseconds: milliseconds, route: route),
        ignoredRoutes: [])
    }
    let begin = "evidence: metrics\nmetrics: { requests: shop_total"
    try check("\(begin), errors: status }", mapped(.serverErrors(label: "status")))
    try check("\(begin), errors: { counter: shop_failed_total } }", mapped(.counter("shop_failed_total")))
    try check(
      "\(begin), errors: { label: outcome, values: [error, timeout] }, durations: shop_seconds, route: path }",
      mapped(.values(label: "outcome", values: ["error", "timeout"]), durations: "shop_seconds", route: "path"))
    try check(
      "\(begin), errors: status, durations: { histogram: shop_ms, unit: milliseconds } }",
      mapped(.serverErrors(label: "status"), durations: "shop_ms", milliseconds: true))
  }

  @Test("what is wrong is named where it stands") func problems() {
    func check(_ keys: String, _ expected: String, _ location: SourceLocation = #_sourceLocation) {
      let found = PlimsollFileTests.problems(file(keys)).map(\.description)
      #expect(found.count == 1 && found.first?.contains(expected) == true, "\(found)", sourceLocation: location)
    }
    check("evidence: logs", "services.harbor.evidence: expected one of log, metrics, found 'logs'; did you mean 'log'?")
    check("metrics: { path: /m }", "services.harbor.metrics: has no effect without 'evidence: metrics'")
    let begin = "evidence: metrics\nmetrics:"
    check("\(begin) { path: m }", "metrics.path: expected a path such as /metrics")
    check("\(begin) { requests: a }", "metrics: expected 'errors' beside 'requests'")
    check("\(begin) { route: path }", "metrics.route: says nothing without 'requests'")
    check("\(begin) { requests: a, errors: { label: b } }", "metrics.errors: expected a label,")
    check("\(begin) { requests: a, errors: b, durations: { unit: seconds } }", "durations: expected a histogram")
    check("\(begin) { request: a }", "unknown key 'request'; did you mean 'requests'?")
  }
}
