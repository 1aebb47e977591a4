import Kernel
import Testing

@testable import Drivers

@Suite("Metrics that say how requests went") struct MetricsMappingTests {
  private func detect(_ lines: String) throws -> MetricsMapping? {
    guard case .survey(let survey) = try MetricsScrape.page(MetricsPages.answer(lines), of: "page", nil) else {
      return nil
    }
    return try MetricsConventions.mapping(of: survey, excluded: ["/ready"])
  }

  private func check(
    _ lines: String, finds expected: MetricsMapping?, _ location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(try detect(lines) == expected, sourceLocation: location)
  }

  @Test("the usual names are found, by their labels") func conventions() throws {
    for label in ["code", "status"] {
      try check(
        "http_requests_total{\(label)=\"200\",method=\"GET\"} 3",
        finds: MetricsMapping(
          requests: "http_requests_total", errors: .serverErrors(label: label), durations: nil, routes: nil))
    }
    try check(
      """
      http_server_request_duration_seconds_bucket{http_response_status_code="200",http_route="/",le="0.5"} 3
      http_server_request_duration_seconds_count{http_response_status_code="200",http_route="/"} 3
      http_client_request_duration_seconds_count{http_response_status_code="200"} 3
      """,
      finds: MetricsMapping(
        requests: "http_server_request_duration_seconds_count",
        errors: .serverErrors(label: "http_response_status_code"),
        durations: .init(histogram: "http_server_request_duration_seconds", unit: .seconds),
        routes: .init(label: "http_route", excluded: ["/ready"])))
    try check(
      """
      http_requests_total{code="200",handler="/"} 3
      http_request_duration_seconds_bucket{handler="/",le="0.5"} 3
      """,
      finds: MetricsMapping(
        requests: "http_requests_total", errors: .serverErrors(label: "code"),
        durations: .init(histogram: "http_request_duration_seconds", unit: .seconds),
        routes: .init(label: "handler", excluded: ["/ready"])))
    // The counter alone knows routes: probes would be left out of one and not of the other.
    let uneven = try detect(
      """
      http_requests_total{code="200",handler="/"} 3
      http_request_duration_seconds_bucket{le="0.5"} 3
      """)
    #expect(uneven?.routes == nil)
    try check(
      """
      shop_duration_seconds_bucket{status="200",le="0.5"} 3
      shop_duration_seconds_count{status="200"} 3
      grpc_server_handling_duration_seconds_count{status="200"} 3
      gc_duration_seconds_count 3
      """,
      finds: MetricsMapping(
        requests: "shop_duration_seconds_count", errors: .serverErrors(label: "status"),
        durations: .init(histogram: "shop_duration_seconds", unit: .seconds), routes: nil))
  }

  @Test("what is no service's, or could be anything, is not guessed") func noGuess() throws {
    try check("go_goroutines 3\npromhttp_metric_handler_requests_total{code=\"200\"} 3", finds: nil)
    try check("http_requests_total{method=\"GET\"} 3", finds: nil)
    #expect(throws: Refusal.self) {
      try detect("a_duration_seconds_count{code=\"200\"} 3\nb_duration_seconds_count{code=\"200\"} 3")
    }
    #expect(throws: Outage.self) {
      try MetricsScrape.page(MetricsPages.answer("<html>", type: "text/html"), of: "page", nil)
    }
    #expect(throws: Outage.self) {
      try MetricsScrape.page(HTTPAnswer(status: 404, contentType: nil, body: []), of: "page", nil)
    }
  }

  private func check(
    _ lines: String, _ mapping: MetricsMapping = MetricsPages.mapping, slowerThan threshold: Double,
    _ expected: RequestCounts, _ location: SourceLocation = #_sourceLocation
  ) throws {
    var track = InstanceTrack()
    // From nothing to the page: what the page says is what was served.
    _ = track.look(try MetricsPages.reading("", mapping), at: MetricsPages.at(0))
    guard case .served(let served, _) = track.look(try MetricsPages.reading(lines, mapping), at: MetricsPages.at(1))
    else {
      Issue.record("nothing was served", sourceLocation: location)
      return
    }
    #expect(served.counts(slowerThan: .seconds(threshold)) == expected, sourceLocation: location)
  }

  @Test("errors, slow ones by the bound at or below the threshold, probes left out") func counting() throws {
    let page = MetricsPages.page(100, errors: 5, over250: 8, over1000: 3)
    try check(page, slowerThan: 1, RequestCounts(requests: 105, errors: 5, slow: 3))
    try check(page, slowerThan: 0.75, RequestCounts(requests: 105, errors: 5, slow: 8))
    try check(page, slowerThan: 0.25, RequestCounts(requests: 105, errors: 5, slow: 8))
    try check(page, slowerThan: 30, RequestCounts(requests: 105, errors: 5, slow: 3))
    // All bounds above: nothing is known to be slow.
    try check(page, slowerThan: 0.2, RequestCounts(requests: 105, errors: 5, slow: 0))
  }

  @Test("a mapping of one's own: values, a counter of errors, milliseconds") func custom() throws {
    let values = MetricsMapping(
      requests: "calls", errors: .values(label: "outcome", values: ["failed", "lost"]), durations: nil, routes: nil)
    try check(
      "calls{outcome=\"ok\"} 7\ncalls{outcome=\"failed\"} 2\ncalls{outcome=\"lost\"} 1", values, slowerThan: 1,
      RequestCounts(requests: 10, errors: 3))
    let counter = MetricsMapping(
      requests: "calls", errors: .counter("calls_failed"),
      durations: .init(histogram: "calls_ms", unit: .milliseconds), routes: nil)
    // Of the six above 500 ms any may be among the four errors.
    try check(
      """
      calls 10
      calls_failed 4
      calls_ms_bucket{le="500"} 4
      calls_ms_bucket{le="+Inf"} 10
      """, counter, slowerThan: 0.5, RequestCounts(requests: 10, errors: 4, slow: 2))
    // Read between two increments: never more hurt than requests.
    try check("calls 1\ncalls_failed 2", counter, slowerThan: 0.5, RequestCounts(requests: 1, errors: 1))
    // The requests of one route have a bound that the others lack.
    try check(
      """
      calls 20
      calls_ms_bucket{route="a",le="500"} 10
      calls_ms_bucket{route="a",le="+Inf"} 10
      calls_ms_bucket{route="b",le="100"} 4
      calls_ms_bucket{route="b",le="500"} 5
      calls_ms_bucket{route="b",le="+Inf"} 10
      """, counter, slowerThan: 0.2, RequestCounts(requests: 20))
  }

  @Test("pages that cannot be believed are named") func faults() throws {
    func fault(_ lines: String) throws -> String? { try MetricsPages.reading(lines).fault }
    #expect(try fault("http_requests_total{code=\"200\"} NaN")?.contains("is nan") == true)
    #expect(try fault("http_requests_total{code=\"200\"} -1")?.contains("is -1.0") == true)
    #expect(try fault("http_requests_total{path=\"/\"} 1")?.contains("no label 'code'") == true)
    #expect(
      try fault("http_requests_total{code=\"200\",path=\"/\"} 1\nhttp_requests_total{path=\"/\",code=\"200\"} 2")?
        .contains("stands there twice") == true)
    #expect(try fault("http_requests_total{code=\"200\"} 1\nhttp_requests_total{code=\"200\"} 1") == nil)
    let many = (0...InstanceReading.mostSeries).map { "http_requests_total{code=\"200\",path=\"/\($0)\"} 1" }
    #expect(try fault(many.joined(separator: "\n"))?.contains("more than 20000 series") == true)
  }

  @Test("a page of 100,000 lines is read, and only what matters is kept") func longPage() throws {
    var lines = (0..<100_000).map { "shop_cache_entries{shard=\"\($0)\",kind=\"warm\"} \($0)" }
    lines.insert("http_requests_total{code=\"500\",path=\"/\"} 4", at: 50_000)
    let reading = try MetricsPages.reading(lines.joined(separator: "\n"))
    #expect(reading.counters.map(\.value.value) == [4])
  }
}
