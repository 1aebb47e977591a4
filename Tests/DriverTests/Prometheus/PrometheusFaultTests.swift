import Kernel
import Testing

@testable import Drivers

/// A Prometheus server that misbehaves.
@Suite("Prometheus' answers", .serialized) struct PrometheusFaultTests {
  private func vector(_ values: String..., more: String = "") -> String {
    let entries = values.enumerated().map {
      "{\"metric\":{\"i\":\"\($0.offset)\"},\"value\":[1700000000.25,\"\($0.element)\"]}"
    }
    return """
      {"status":"success","data":{"resultType":"vector","result":[\(entries.joined(separator: ","))]}\(more)}
      """
  }

  private func ask(_ reply: ScriptedServer.Reply, timeLimit: Span = .seconds(5)) async throws -> QueryFinding {
    let server = ScriptedServer { _ in reply }
    let prometheus = try PrometheusServer(server.address, fetcher: FoundationFetcher(), timeLimit: timeLimit) {
      () throws(Outage) in []
    }
    // It answers as long as it lives.
    defer { withExtendedLifetime(server) {} }
    return try await prometheus.finding("q", lookback: nil)
  }

  private func check(
    _ reply: ScriptedServer.Reply, finds expected: QueryFinding, _ location: SourceLocation = #_sourceLocation
  ) async throws {
    #expect(try await ask(reply) == expected, sourceLocation: location)
  }

  private func check(
    _ reply: ScriptedServer.Reply, timeLimit: Span = .seconds(5), refuses expected: String? = nil,
    outage: String? = nil, _ location: SourceLocation = #_sourceLocation
  ) async {
    do {
      let found = try await ask(reply, timeLimit: timeLimit)
      Issue.record("found \(found)", sourceLocation: location)
    } catch let refusal as Refusal {
      #expect(expected.map { refusal.sentence.contains($0) } == true, "\(refusal)", sourceLocation: location)
    } catch let error as Outage {
      #expect(outage.map { error.description.contains($0) } == true, "\(error)", sourceLocation: location)
    } catch { Issue.record("\(error)", sourceLocation: location) }
  }

  @Test("one number is evidence; warned of, it is degraded; nothing and no number are no evidence")
  func findings() async throws {
    try await check(.answer(200, vector("0.5")), finds: .value(0.5))
    try await check(
      .answer(200, vector("0.5", more: #","warnings":["store is down"],"infos":["might not be a counter"]"#)),
      finds: .degraded(0.5, warnings: ["store is down", "might not be a counter"]))
    try await check(.answer(200, vector()), finds: .noEvidence(reason: "the query 'q' found no series"))
    try await check(
      .answer(200, vector(more: #","warnings":["store is down"]"#)),
      finds: .noEvidence(reason: "the query 'q' found no series; the server adds: store is down"))
    try await check(
      .answer(200, vector("NaN")),
      finds: .noEvidence(
        reason: "the query 'q' gives a value that is not a number, as 0 divided by 0 is without traffic"))
    try await check(
      .answer(200, vector("+Inf")), finds: .noEvidence(reason: "the query 'q' gives a value that is infinite"))
    try await check(
      .answer(200, #"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"-3e2"]}}"#),
      finds: .value(-300))
    // A native histogram where a number is wanted.
    try await check(
      .answer(
        200,
        #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1"}]}]}}"#),
      finds: .noEvidence(
        reason: "the query 'q' gives a value that is not a number, as 0 divided by 0 is without traffic"))
  }

  /// A hundred requests in five minutes, and a part that gives what `part` says.
  private func ratio(_ side: RatioQueries.Part, part: String, total: String? = nil) async throws -> WindowFinding {
    let hundred = total ?? vector("100")
    let server = ScriptedServer { $0.contains("every") ? .answer(200, hundred) : .answer(200, part) }
    let prometheus = try PrometheusServer(server.address, fetcher: FoundationFetcher()) { () throws(Outage) in [] }
    defer { withExtendedLifetime(server) {} }
    return try await prometheus.ratios(
      RatioQueries(side, "part", of: "every", areCounters: true), over: [.minutes(5)])
  }

  @Test("without a series of bad requests none was bad; without one of good requests nothing is known")
  func missingParts() async throws {
    func counted(_ errors: Double) -> WindowFinding {
      .counts([WindowRatio(window: .minutes(5), requests: 100, errors: errors)], doubts: [])
    }
    #expect(try await ratio(.bad, part: vector()) == counted(0))
    #expect(try await ratio(.bad, part: vector("3")) == counted(3))
    #expect(try await ratio(.good, part: vector("97")) == counted(3))
    for (side, part, total) in [
      (RatioQueries.Part.good, vector(), vector("100")), (.bad, vector(), vector()),
      (.bad, vector("NaN"), vector("100")),
      (.bad, vector(more: #","warnings":["store is down"]"#), vector("100")),
    ] {
      guard case .noEvidence = try await ratio(side, part: part, total: total) else {
        Issue.record("\(side) of \(part) of \(total) is evidence")
        return
      }
    }
  }

  @Test("what a query is to blame for is refused, with the next step") func refusals() async {
    await check(
      .answer(200, vector("1", "2", "3", "4")),
      refuses: #"gives 4 series where one is expected: {i="0"}, {i="1"}, {i="2"} and 1 more; put sum()"#)
    await check(
      .answer(200, #"{"status":"success","data":{"resultType":"string","result":[1700000000,"abc"]}}"#),
      refuses: "gives a text")
    await check(
      .answer(200, #"{"status":"success","data":{"resultType":"matrix","result":[]}}"#),
      refuses: "gives values over time")
    let bad = #"{"status":"error","errorType":"bad_data","error":"parse error: unexpected"}"#
    await check(.answer(400, bad), refuses: "refuses the query 'q': parse error: unexpected; correct it")
    await check(.answer(422, bad), refuses: "refuses the query 'q'")
    await check(.answer(401, ""), refuses: "give the header that it wants")
    await check(.answer(403, ""), refuses: "give the header that it wants")
    await check(.answer(404, "404 page not found", type: "text/plain"), refuses: "no Prometheus API")
  }

  @Test("what the server is to blame for is an outage: 503, half, slow, large, strange") func outages() async {
    await check(
      .answer(503, #"{"status":"error","errorType":"timeout","error":"query timed out"}"#),
      outage: "answered 503: query timed out")
    await check(.answer(502, "<html>Bad Gateway</html>", type: "text/html"), outage: "answered 502: <html>Bad Gateway")
    await check(.answer(429, ""), outage: "answered 429")
    let whole = vector("0.5")
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(whole.utf8.count)\r\n\r\n"
    await check(.bytes(head + whole.prefix(40)), outage: "no whole answer")
    // Cut by something that keeps the length right.
    await check(.answer(200, String(whole.prefix(40))), outage: "not whole")
    await check(.bytes(""), outage: "no whole answer")
    await check(.hang(after: ""), timeLimit: .seconds(0.3), outage: "no whole answer")
    await check(.hang(after: head + whole.prefix(40)), timeLimit: .seconds(0.3), outage: "no whole answer")
    await check(.answer(200, "hello", type: "text/plain"), outage: "not whole or not Prometheus'")
    await check(.answer(200, #"{"status":"error","error":"half of me"}"#), outage: "not whole")
    await check(.answer(200, vector("one")), outage: "not whole or not Prometheus'")
    await check(
      .answer(200, #"{"status":"success","data":{"resultType":"tensor","result":[]}}"#), outage: "not Prometheus'")
    await check(
      .answer(200, #"{"status":"success","data":{"resultType":"scalar","result":[1e300,"1"]}}"#), outage: "not whole")
    let large = String(repeating: " ", count: PrometheusServer.answerLimit + 1)
    await check(.answer(200, large), outage: "more than \(PrometheusServer.answerLimit) bytes")
    let gone = ScriptedServer { _ in .answer(200, "") }
    gone.stop()
    let prometheus = try? PrometheusServer(gone.address, fetcher: FoundationFetcher()) { () throws(Outage) in [] }
    await #expect(throws: Outage.self) { try await prometheus?.finding("q", lookback: nil) }
  }

  @Test("queries go by POST, whole, with the lookback, a time limit and the headers of the moment")
  func requests() async throws {
    let none = vector()
    let server = ScriptedServer { _ in .answer(200, none) }
    let prometheus = try PrometheusServer(server.address + "/", fetcher: FoundationFetcher()) { () throws(Outage) in
      [HTTPFetch.Header("authorization", "Bearer t")]
    }
    _ = try await prometheus.query(
      "sum(a{b=~\"c+&d\"}) > 1", at: Instant(milliseconds: 1_700_000_000_050), lookback: .seconds(2))
    let request = try #require(server.requests.first)
    #expect(request.hasPrefix("POST /api/v1/query HTTP/1.1\r\n"))
    #expect(request.lowercased().contains("authorization: bearer t"))
    #expect(
      request.hasSuffix(
        "query=sum%28a%7Bb%3D~%22c%2B%26d%22%7D%29%20%3E%201&time=1700000000.050&lookback_delta=2000ms&timeout=9000ms"))
    _ = try await prometheus.range(
      "a", from: Instant(milliseconds: 1000), to: Instant(milliseconds: 3000), step: .seconds(0.5))
    #expect(
      server.requests.last?.hasSuffix("query=a&start=1.000&end=3.000&step=500ms&timeout=9000ms") == true)
  }

  @Test("a server that takes a lookback is told it; it is asked whether it does only until it says so")
  func lookback() async throws {
    let one = vector("1")
    let server = ScriptedServer { request in
      request.contains("lookback_delta=senseless") ? .answer(400, "{}") : .answer(200, one)
    }
    let prometheus = try PrometheusServer(server.address, fetcher: FoundationFetcher()) { () throws(Outage) in [] }
    let check = QueryCheck(query: "a + b", mustBe: .above, threshold: 0, lookback: .seconds(3))
    for _ in 0..<2 { #expect(try await check.outcome(from: prometheus) == .holds(1)) }
    #expect(server.requests.filter { $0.contains("lookback_delta=senseless") }.count == 1)
    #expect(server.requests.filter { $0.contains("query=a%20%2B%20b&lookback_delta=3000ms&") }.count == 2)
    // One that does not answer is no server without the parameter.
    server.answer { _ in .answer(503, "") }
    let other = try PrometheusServer(server.address, fetcher: FoundationFetcher()) { () throws(Outage) in [] }
    await #expect(throws: Outage.self) { try await check.outcome(from: other) }
  }

  @Test(
    "addresses",
    arguments: [
      ("http://127.0.0.1:9090", true), ("https://example.org/prometheus/", true), ("127.0.0.1:9090", false),
      ("ftp://example.org", false), ("http://me:secret@example.org", false), ("http://example.org?a=b", false),
      ("", false),
    ])
  func addresses(_ address: String, _ isLegal: Bool) {
    let made = Result { () throws(Refusal) in
      try PrometheusServer(address, fetcher: FoundationFetcher()) { () throws(Outage) in [] }
    }
    switch made {
    case .success: #expect(isLegal)
    case .failure(let refusal):
      #expect(!isLegal)
      #expect(!refusal.sentence.contains("secret"))
    }
  }

  @Test("windows and baselines are counts, or unknown: nothing, doubt, the query's fault, the server's")
  func memory() async throws {
    let place = RecordedPlace(
      MetricsPages.shop, MetricsPages.production, selector: [MetricLabel("job", "shop")], mapping: MetricsPages.mapping,
      excludedRoutes: [], window: .minutes(60))
    func memory(_ server: ScriptedServer) throws -> PrometheusMemory {
      let prometheus = try PrometheusServer(server.address, fetcher: FoundationFetcher(), timeLimit: .seconds(1)) {
        () throws(Outage) in []
      }
      return PrometheusMemory(prometheus, places: [place])
    }
    let server = ScriptedServer { _ in .answer(200, "") }
    let indicator = Objective.Indicator.good(query: "a", total: "b", areCounters: true)
    server.answer { [one = vector("8")] _ in .answer(200, one) }
    #expect(
      try await memory(server).counts(of: indicator, over: [.minutes(5)])
        == .counts([WindowRatio(window: .minutes(5), requests: 8, errors: 0)]))
    for (reply, words) in [
      (ScriptedServer.Reply.answer(200, vector()), "found no series"), (.answer(200, vector("NaN")), "not a number"),
      (.answer(200, vector("1", "2")), "2 series"), (.answer(503, ""), "answered 503"),
      (.answer(400, #"{"status":"error","error":"parse error"}"#), "parse error"),
      (.hang(after: ""), "no whole answer"),
      (.answer(200, vector("1", more: #","warnings":["store is down"]"#)), "store is down"),
    ] {
      server.answer { _ in reply }
      guard case .unknown(let why) = try await memory(server).counts(of: indicator, over: [.minutes(5)]) else {
        Issue.record("\(words) is evidence")
        continue
      }
      #expect(why.contains(words), "\(why)")
      guard
        case .unknown = try await memory(server).baseline(
          of: MetricsPages.shop, in: MetricsPages.production, slowerThan: .seconds(1))
      else {
        Issue.record("\(words) is a baseline")
        continue
      }
    }
    #expect(
      try await memory(server).baseline(
        of: ServiceName(rawValue: "other")!, in: MetricsPages.production, slowerThan: .seconds(1)) == nil,
      "a place that does not ask")
  }

  @Test("what remembers, but has no sample of now, is old")
  func old() async throws {
    let one = vector("100")
    let now = #"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"1700000000"]}}"#
    let track = { (last: Int) in
      let points = stride(from: last - 3600, through: last, by: 120).map { "[\($0),\"50\"]" }.joined(separator: ",")
      return #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[\#(points)]}]}}"#
    }
    let place = RecordedPlace(
      MetricsPages.shop, MetricsPages.production, selector: [MetricLabel("job", "shop")],
      mapping: MetricsMapping(
        requests: "calls", errors: .serverErrors(label: "code"), durations: nil, routes: nil), excludedRoutes: [],
      window: .minutes(60))
    for (last, isFresh) in [(1_700_000_000, true), (1_699_999_880, false)] {
      let server = ScriptedServer { [tracked = track(last)] request in
        if request.contains("query_range") { return .answer(200, tracked) }
        return .answer(200, request.contains("query=time%28%29") ? now : one)
      }
      let prometheus = try PrometheusServer(server.address, fetcher: FoundationFetcher()) { () throws(Outage) in [] }
      let found = try await prometheus.recorded(place, slowerThan: .seconds(1), step: .minutes(2))
      switch found {
      case .counts(let history):
        #expect(isFresh && history.totals == RequestCounts(requests: 100, errors: 100), "\(history)")
        #expect(history.windows.count == 31 && history.words == "the last 60 min in Prometheus")
      case .unknown(let why): #expect(!isFresh && why.contains("what it remembers is old"), "\(why)")
      }
    }
  }

  @Test("a check holds, is violated, or is unknown; doubt is never a violation") func checks() {
    func outcome(_ comparison: QueryCheck.Comparison, _ finding: QueryFinding) -> QueryCheck.Outcome {
      QueryCheck(query: "q", mustBe: comparison, threshold: 5, lookback: nil).outcome(of: finding)
    }
    #expect(outcome(.below, .value(5)) == .violated(5))
    #expect(outcome(.atMost, .value(5)) == .holds(5))
    #expect(outcome(.above, .value(5)) == .violated(5))
    #expect(outcome(.atLeast, .value(5)) == .holds(5))
    #expect(outcome(.below, .value(4.9)) == .holds(4.9))
    #expect(outcome(.above, .value(5.1)) == .holds(5.1))
    #expect(outcome(.below, .noEvidence(reason: "none")) == .unknown("none"))
    guard case .unknown = outcome(.below, .degraded(9, warnings: ["w"])) else {
      Issue.record("doubted and yet known")
      return
    }
  }
}
