import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// A service's metrics page: each look at it finds ten requests more, one of them failed, two slower than 0.25 s.
private final class Growing: @unchecked Sendable {
  // Unchecked: the count is guarded by `lock`.
  private let lock = NSLock()
  private var looks = 0

  func next() -> String {
    let count = lock.withLock {
      looks += 1
      return looks
    }
    let staleMs = Int64(Date().timeIntervalSince1970 * 1000) - 60_000
    return """
      \(MetricsPages.page(count * 9, errors: count, over250: count * 2))
      shop_failed_total \(count)
      a_minute_old 5 \(staleMs)

      """
  }
  func restart() { lock.withLock { looks = 0 } }
}

/// Debian's Prometheus on a port and folder of its own, looking at one page every second.
private final class RealPrometheus: Sendable {
  let folder = ServiceFolder()
  let page = Growing()
  let target: ScriptedServer
  let server: PrometheusServer
  private let pid: Int32

  init() async throws {
    let page = page
    target = ScriptedServer { _ in .answer(200, page.next(), type: "text/plain; version=0.0.4") }
    let port = try #require(LoopbackPort.free())
    let settings = """
      global: { scrape_interval: 1s, scrape_timeout: 1s }
      scrape_configs:
        - job_name: shop
          static_configs: [{ targets: ['127.0.0.1:\(target.port)'] }]
      """
    try settings.write(toFile: "\(folder.path)/prometheus.yml", atomically: true, encoding: .utf8)
    pid = try DetachedProcess.start(
      [
        "/usr/bin/env", "prometheus", "--config.file=\(folder.path)/prometheus.yml",
        "--storage.tsdb.path=\(folder.path)/data", "--web.listen-address=127.0.0.1:\(port)",
      ],
      environment: ["PATH=\(standardSearchPath)"], folder: folder.path, output: "\(folder.path)/prometheus.out")
    server = try PrometheusServer("http://127.0.0.1:\(port)", fetcher: FoundationFetcher()) { () throws(Outage) in [] }
  }
  deinit {
    kill(pid, SIGKILL)
    // Its folder is removed after this; it must not write there any more.
    waitpid(pid, nil, 0)
  }

  /// Until so many looks are known.
  func knows(looks: Double) async {
    await eventually("Prometheus knows \(looks) looks", within: 60) {
      let found = try? await server.finding("sum(http_requests_total{path=\"/\"})", lookback: .seconds(5))
      if case .value(let count)? = found { return count >= looks * 10 }
      return false
    }
  }
}

@Suite("A real Prometheus", .serialized) struct PrometheusServerTests {
  private func refusal(_ ask: () async throws -> QueryFinding) async -> String? {
    do {
      let found = try await ask()
      return "found \(found)"
    } catch { return (error as? Refusal)?.sentence ?? "\(error)" }
  }

  @Test("values, nothing, no number, several, text, ranges, mistakes; old samples by the lookback; values over time")
  func contract() async throws {
    let prometheus = try await RealPrometheus()
    defer { withExtendedLifetime(prometheus) {} }
    let server = prometheus.server
    await prometheus.knows(looks: 4)
    for (query, threshold, expected) in [
      ("sum(http_requests_total)", 1.0, "holds"), ("sum(http_requests_total)", 1e9, "violated"),
      ("absent_metric", 1, "unknown"), ("0 / vector(0)", 1, "unknown"), ("http_requests_total", 1, "unknown"),
      ("sum(((", 1, "unknown"), ("'text'", 1, "unknown"),
    ] {
      let asked = QueryCheck(query: query, mustBe: .above, threshold: threshold, lookback: nil)
      #expect("\(await server.outcome(of: asked))".hasPrefix(expected), "\(query)")
    }
    #expect(try await server.finding("1 + 1", lookback: nil) == .value(2))
    #expect(try await server.finding("up", lookback: .seconds(5)) == .value(1))
    #expect(
      try await server.finding("nothing_here", lookback: nil)
        == .noEvidence(reason: "the query 'nothing_here' found no series"))
    for query in ["0 / 0", "vector(0) / vector(0)", "1 / 0", "-up / 0"] {
      guard case .noEvidence = try await server.finding(query, lookback: nil) else {
        Issue.record("\(query) is evidence")
        continue
      }
    }
    let several = await refusal { try await server.finding("http_requests_total", lookback: nil) }
    let named = "gives 3 series where one is expected: {__name__=\"http_requests_total\",code=\"200\""
    #expect(several?.contains(named) == true)
    #expect(await refusal { try await server.finding("\"abc\"", lookback: nil) }?.contains("gives a text") == true)
    #expect(await refusal { try await server.finding("up[5s]", lookback: nil) }?.contains("values over time") == true)
    #expect(await refusal { try await server.finding("sum(", lookback: nil) }?.contains("parse error") == true)
    // 422: understood, and cannot be carried out.
    let unmatched = "http_requests_total * on(job) http_requests_total"
    #expect(await refusal { try await server.finding(unmatched, lookback: nil) }?.contains("many-to-many") == true)

    // A sample with a time of its own gets no mark of its end: it looks alive for the lookback.
    #expect(try await server.finding("a_minute_old", lookback: nil) == .value(5))
    guard case .noEvidence = try await server.finding("a_minute_old", lookback: .seconds(10)) else {
      Issue.record("an old sample is evidence")
      return
    }
    // What is not a series or a sum: an older server's number is doubted, a newer one finds nothing.
    if case .value = try await server.finding("a_minute_old + 0", lookback: .seconds(10)) {
      Issue.record("an old sample is evidence without doubt")
    }

    // Moments of a threshold, as a window would add them up.
    for (query, good, total) in [("up", 1.0, 1.0), ("up - 1", 0, 1), ("up * NaN", 0, 0)] {
      let moments = RatioQueries(query, mustBe: .atLeast, 0.5)
      #expect(try await server.finding("sum(\(moments.partQuery))", lookback: nil) == .value(good))
      #expect(try await server.finding("sum(\(moments.totalQuery))", lookback: nil) == .value(total))
    }

    let now = Instant.now
    let answer = try await server.range("up", from: now - .seconds(2), to: now, step: .seconds(1))
    guard case .matrix(let tracks) = answer.value, let track = tracks.first else {
      Issue.record("\(answer)")
      return
    }
    #expect(track.labels.contains(MetricLabel("job", "shop")))
    #expect(track.points.contains { $0.value == 1 } && track.points.allSatisfy { $0.at <= now })
  }

  @Test("history and windows: shares as served, estimates of counts, restarts seen, probes left out")
  func history() async throws {
    let prometheus = try await RealPrometheus()
    defer { withExtendedLifetime(prometheus) {} }
    let server = prometheus.server
    await prometheus.knows(looks: 5)
    prometheus.page.restart()
    await eventually("the restart is known", within: 60) {
      let finding = try? await server.finding("sum(resets(http_requests_total{path=\"/\"}[1m]))", lookback: nil)
      return finding == .value(2)
    }
    await prometheus.knows(looks: 5)

    let selector = [MetricLabel("job", "shop")]
    // Errors by a counter of their own: the histogram then has them too, all of them slow.
    var mixed = MetricsPages.mapping
    mixed.errors = .counter("shop_failed_total")
    for mapping in [MetricsPages.mapping, mixed] {
      let found = try await server.history(mapping, of: selector, slowerThan: .seconds(0.5), window: .minutes(1))
      guard case .counts(let counts, let doubts) = found else {
        Issue.record("\(found)")
        return
      }
      // Ten looks and more, but for the first of each series. The probes' 100,000 are not among them.
      #expect((80...800).contains(counts.requests), "\(counts)")
      #expect(abs(Double(counts.errors) / Double(counts.requests) - 0.1) < 0.03, "\(counts)")
      #expect(abs(Double(counts.slow) / Double(counts.requests) - 0.2) < 0.05, "\(counts)")
      #expect(doubts.isEmpty)
    }
    // Both bounds are below two seconds; by the one at 1 s nothing is slow.
    let faster = try await server.history(
      MetricsPages.mapping, of: selector, slowerThan: .seconds(2), window: .minutes(1))
    guard case .counts(let none, _) = faster else {
      Issue.record("\(faster)")
      return
    }
    #expect(none.slow == 0 && none.requests >= 80)
    guard
      case .noEvidence = try await server.history(
        MetricsPages.mapping, of: [MetricLabel("job", "other")], slowerThan: .seconds(1), window: .minutes(1))
    else {
      Issue.record("another job's history is evidence")
      return
    }

    let good = #"http_requests_total{code!~"5..",path="/"}"#
    let all = #"sum( http_requests_total{path="/"} )"#
    for (queries, tolerance) in [
      (RatioQueries(.good, "sum(\(good))", of: all, areCounters: true), 0.03),
      (RatioQueries(.bad, #"http_requests_total{code=~"5..",path="/"}"#, of: all, areCounters: true), 0.03),
      (
        RatioQueries(
          .bad, "sum(rate(http_requests_total{code=\"503\"}[5s]))",
          of: "sum(rate(http_requests_total{path=\"/\"}[5s]))", areCounters: false), 0.1
      ),
    ] {
      let windows = [Span.minutes(5), .minutes(60)]
      guard case .counts(let ratios, _) = try await server.ratios(queries, over: windows) else {
        // The third looks once a minute, so it may find nothing yet.
        #expect(!queries.areCounters)
        continue
      }
      #expect(ratios.map(\.window) == windows)
      for ratio in ratios { #expect(abs(ratio.errors / ratio.requests - 0.1) < tolerance, "\(queries): \(ratio)") }
    }
    guard
      case .noEvidence = try await server.ratios(
        RatioQueries(.good, "absent_one", of: "absent_two", areCounters: true), over: [.minutes(5)])
    else {
      Issue.record("absent series are evidence")
      return
    }
  }

  @Test("a baseline by the usual names, with its windows; objectives over their windows; nothing of another job")
  func memory() async throws {
    let prometheus = try await RealPrometheus()
    defer { withExtendedLifetime(prometheus) {} }
    func place(_ job: String, _ mapping: MetricsMapping?) -> RecordedPlace {
      RecordedPlace(
        MetricsPages.shop, MetricsPages.production, selector: [MetricLabel("job", job)], mapping: mapping,
        excludedRoutes: ["/ready", "/metrics"], window: .minutes(1))
    }
    await prometheus.knows(looks: 20)
    for mapping in [nil, MetricsPages.mapping] {
      let memory = PrometheusMemory(prometheus.server, places: [place("shop", mapping)], step: .seconds(4))
      let answer = await memory.baseline(
        of: MetricsPages.shop, in: MetricsPages.production, slowerThan: .seconds(0.25))
      guard case .counts(let history)? = answer else {
        Issue.record("\(String(describing: answer))")
        return
      }
      let (all, windows) = (history.totals, history.windows)
      #expect(abs(Double(all.errors) / Double(all.requests) - 0.1) < 0.03, "\(all)")
      #expect(abs(Double(all.slow) / Double(all.requests) - 0.2) < 0.05, "\(all)")
      #expect((3...15).contains(windows.count), "\(windows)")
      for window in windows.dropFirst(2) {
        #expect(abs(Double(window.errors) / Double(window.requests) - 0.1) < 0.06, "\(window)")
      }
    }
    let nobody = PrometheusMemory(prometheus.server, places: [place("nobody", nil)])
    guard
      case .unknown(let why)? = await nobody.baseline(
        of: MetricsPages.shop, in: MetricsPages.production, slowerThan: .seconds(1))
    else {
      Issue.record("another job's history is a baseline")
      return
    }
    #expect(why.contains("no metric of {job=\"nobody\"} that is known to count requests"))

    let windows = [Span.minutes(5), .minutes(60), .minutes(43_200)]
    let bad = Objective.Indicator.bad(
      query: #"sum(http_requests_total{code="503",path="/"})"#, total: #"sum(http_requests_total{path="/"})"#,
      areCounters: true)
    guard case .counts(let counts) = await nobody.counts(of: bad, over: windows) else {
      Issue.record("no counts")
      return
    }
    #expect(counts.map(\.window) == windows)
    for count in counts { #expect(abs(count.errors / count.requests - 0.1) < 0.03, "\(count)") }
    let absent = Objective.Indicator.bad(query: "absent_one", total: "absent_two", areCounters: true)
    guard case .unknown(let reason) = await nobody.counts(of: absent, over: windows) else {
      Issue.record("absent series are evidence")
      return
    }
    #expect(reason.contains("found no series"))
  }

  @Test("a counter's selector is asked as the sum of each series' increase, anything else through a subquery")
  func windowQueries() {
    func check(
      _ query: String, isCounter: Bool = true, _ expected: String, _ location: SourceLocation = #_sourceLocation
    ) {
      #expect(
        RatioQueries.counted(query, over: .minutes(5), isCounter: isCounter) == expected, sourceLocation: location)
    }
    check("a_total", "sum(increase(a_total[300000ms]))")
    check(" sum(a_total{b=\"}\"}) ", "sum(increase(a_total{b=\"}\"}[300000ms]))")
    check("sum(a{b=\"c\"}) + sum(d)", "increase((sum(a{b=\"c\"}) + sum(d))[300000ms:60000ms])")
    check("sum(a) by (b)", "increase((sum(a) by (b))[300000ms:60000ms])")
    check("a{b=\"1\"} + c{d=\"2\"}", "increase((a{b=\"1\"} + c{d=\"2\"})[300000ms:60000ms])")
    check("1 + 1", "increase((1 + 1)[300000ms:60000ms])")
    check("NaN", "increase((NaN)[300000ms:60000ms])")
    check("a_total", isCounter: false, "sum_over_time((a_total)[300000ms:60000ms])")
  }

  @Test("a series or a sum of recent samples only") func recent() {
    #expect(RatioQueries.recent(" up ", within: .seconds(10)) == "last_over_time(up[10000ms])")
    #expect(
      RatioQueries.recent("sum(up{job=\"a\"})", within: .seconds(10)) == "sum(last_over_time(up{job=\"a\"}[10000ms]))")
    #expect(RatioQueries.recent("up + 0", within: .seconds(10)) == nil)
  }

  @Test("what a mapping asks: routes and values are taken as they are written") func historyQueries() {
    let mapping = MetricsMapping(
      requests: "calls", errors: .values(label: "outcome", values: ["a.b", "c\"d"]),
      durations: .init(histogram: "calls_ms", unit: .milliseconds),
      routes: .init(label: "path", excluded: ["/ready", "/v1.0"]))
    let queries = HistoryQueries(mapping: mapping, selector: [MetricLabel("job", "x")], window: .seconds(60))
    let routes = #"path!~"(.* )?(/ready|/v1\\.0)""#
    #expect(queries.requests == #"sum(increase(calls{job="x",\#(routes)}[60000ms]))"#)
    #expect(queries.errors == #"sum(increase(calls{job="x",\#(routes),outcome=~"a\\.b|c\"d"}[60000ms]))"#)
    #expect(
      queries.slow(above: "500")
        == #"sum(increase(calls_ms_bucket{job="x",\#(routes),outcome!~"a\\.b|c\"d",le="+Inf"}[60000ms])) - "#
        + #"sum(increase(calls_ms_bucket{job="x",\#(routes),outcome!~"a\\.b|c\"d",le="500"}[60000ms]))"#)
  }
}
