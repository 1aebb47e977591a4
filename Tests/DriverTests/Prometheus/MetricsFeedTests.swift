import Kernel
import Testing

@testable import Drivers

private let old = MetricsPages.old
private let new = MetricsPages.new

/// One instance's looks, one a line of the test.
private struct Story {
  var track = InstanceTrack()
  var threshold = Span.seconds(1)

  /// What a look says, in a word: `begun`, `repeated`, `?` for a look that cannot be believed, or
  /// `requests/errors/slow`.
  mutating func look(_ lines: String, _ seconds: Double) throws -> String {
    switch track.look(try MetricsPages.reading(lines), at: MetricsPages.at(seconds)) {
    case .begun: return "begun"
    case .repeated: return "repeated"
    case .unbelievable: return "?"
    case .served(let served, _):
      let counts = served.counts(slowerThan: threshold)
      return "\(counts.requests)/\(counts.errors)/\(counts.slow)"
    }
  }
}

private func check(_ looks: [(Double, String, String)], _ location: SourceLocation = #_sourceLocation) throws {
  var story = Story()
  for (seconds, page, expected) in looks {
    #expect(try story.look(page, seconds) == expected, "at \(seconds) s", sourceLocation: location)
  }
}

@Suite("Counters from look to look") struct InstanceTrackTests {
  private func page(_ good: Int, errors: Int = 0, slow: Int = 0, started: Double? = nil) -> String {
    MetricsPages.page(
      good, errors: errors, over250: slow, over1000: slow,
      more: started.map { "\(ProcessMetrics.startTime) \($0)" } ?? "")
  }

  @Test("what was there before is not counted; what came is, also over a missed look") func differences() throws {
    try check([
      (0, page(1000, errors: 10, slow: 5), "begun"), (1, page(1010, errors: 11, slow: 6), "11/1/1"),
      (2, page(1010, errors: 11, slow: 6), "0/0/0"), (6, page(1050, errors: 11, slow: 8), "40/0/2"),
    ])
  }

  @Test("a series that was not there counted nothing yet") func newSeries() throws {
    try check([
      (0, "http_requests_total{code=\"200\",path=\"/\"} 10", "begun"),
      (1, "http_requests_total{code=\"200\",path=\"/\"} 12\nhttp_requests_total{code=\"500\",path=\"/\"} 3", "5/3/0"),
      (2, "http_requests_total{code=\"200\",path=\"/\"} 13", "1/0/0"),
      (3, "http_requests_total{code=\"200\",path=\"/\"} 13\nhttp_requests_total{code=\"500\",path=\"/\"} 4", "1/1/0"),
    ])
  }

  @Test("a restart counts from zero, as in rate(); told by the start time, or by a fall to half")
  func restarts() throws {
    try check([
      (0, page(1000, errors: 10, started: 100), "begun"), (1, page(7, errors: 2, started: 200), "9/2/0"),
      // More than before, and yet all new.
      (2, page(20, errors: 2, started: 300.5), "22/2/0"), (3, page(21, errors: 2, started: 300.5), "1/0/0"),
    ])
    try check([
      (0, page(1000, errors: 10, slow: 4), "begun"), (1, page(7, errors: 2, slow: 1), "9/2/1"),
      (2, page(9, errors: 2, slow: 1), "2/0/0"),
    ])
    // A series that a restart took away comes back with what is new.
    try check([
      (0, page(1000, errors: 10), "begun"), (1, "http_requests_total{code=\"200\",path=\"/\"} 4", "4/0/0"),
      (2, "http_requests_total{code=\"200\",path=\"/\"} 4\nhttp_requests_total{code=\"503\",path=\"/\"} 10", "10/10/0"),
    ])
  }

  @Test("a counter that goes backwards is no restart: nothing is counted, and the next look is compared with it")
  func backwards() throws {
    try check([
      (0, page(1000), "begun"), (1, page(999), "?"), (2, page(1003), "4/0/0"),
    ])
    try check([
      (0, page(1000, started: 100), "begun"), (1, page(3, started: 100.4), "?"), (2, page(5, started: 100), "2/0/0"),
    ])
  }

  @Test("late, repeated and impossible looks say nothing; too long a silence begins anew") func times() throws {
    try check([
      (5, page(10), "begun"), (5, page(20), "repeated"), (4, page(30), "repeated"), (6, page(12), "2/0/0"),
      (7, "http_requests_total{code=\"200\"} NaN", "?"), (8, page(13), "1/0/0"), (69, page(900), "begun"),
      (70, page(901), "1/0/0"),
    ])
  }

  @Test("a page's own times: older and equal samples are passed over, standing still is stale") func ownTimes() throws {
    func timed(_ value: Int, _ ms: Int) -> String { "http_requests_total{code=\"200\",path=\"/\"} \(value) \(ms)" }
    try check([
      (0, timed(10, 5_000), "begun"), (1, timed(12, 6_000), "2/0/0"), (2, timed(11, 5_500), "0/0/0"),
      (3, timed(12, 6_000), "0/0/0"), (4, timed(15, 7_000), "3/0/0"),
      // Its clock is an hour off, which nobody asks about.
      (5, timed(16, 3_607_000), "1/0/0"),
    ])
    try check(
      [(0, timed(10, 5_000), "begun")]
        + stride(from: 30.0, through: 90, by: 30).map { ($0, timed(10, 5_000), "0/0/0") }
        + [120, 170, 230].map { ($0, timed(10, 5_000), "?") } + [(231, timed(11, 5_001), "1/0/0")])
  }
}

@Suite("A service's instances") struct MetricsFeedTests {
  private func look(_ target: MetricsTarget, _ lines: String?, _ seconds: Double, _ mapping: MetricsMapping?) throws
    -> InstanceLook
  {
    let result: Result<InstanceLook.Page, Outage>
    if let lines {
      result = .success(try MetricsScrape.page(MetricsPages.answer(lines), of: "page", mapping))
    } else {
      result = .failure(Outage("http", "refused"))
    }
    return InstanceLook(target: target, result: result, at: MetricsPages.at(seconds))
  }

  private func feed(_ mapping: MetricsMapping? = MetricsPages.mapping) -> MetricsFeed {
    MetricsFeed(mapping: mapping, excluded: ["/ready"], from: MetricsPages.at(-1))
  }

  private func bin(
    _ feed: inout MetricsFeed, _ seconds: Double, _ pages: [(MetricsTarget, String?)], slowerThan: Double = 1
  ) throws -> EvidenceBin {
    let mapping = feed.mapping
    let looks = try pages.map { try look($0.0, $0.1, seconds, mapping) }
    return feed.looked(looks, at: MetricsPages.at(seconds)).evidence(slowerThan: .seconds(slowerThan))
  }

  @Test("instances of one deployment add up, deployments are kept apart, and they come and go")
  func instances() throws {
    var feed = feed()
    let (a0, a1, b0) = (MetricsPages.target(old, 0), MetricsPages.target(old, 1), MetricsPages.target(new, 0))
    _ = try bin(&feed, 0, [(a0, MetricsPages.page(10)), (a1, MetricsPages.page(20))])
    let first = try bin(
      &feed, 1, [(a0, MetricsPages.page(15)), (a1, MetricsPages.page(21, errors: 1)), (b0, MetricsPages.page(500))])
    #expect(first.counts(of: old) == RequestCounts(requests: 7, errors: 1))
    #expect(first.counts(of: new) == .zero)
    #expect(first.from == MetricsPages.at(0) && first.to == MetricsPages.at(1))
    let second = try bin(&feed, 2, [(a1, MetricsPages.page(21, errors: 1)), (b0, MetricsPages.page(503, over1000: 2))])
    #expect(second.arms.map(\.deployment) == [old, new])
    #expect(second.counts(of: new) == RequestCounts(requests: 3, slow: 2))
    // When in between is not known.
    #expect(second.arms.last?.firstBadAt == MetricsPages.at(1) && second.arms.last?.lastBadAt == MetricsPages.at(2))
    #expect(second.arms.first?.firstBadAt == nil)
    #expect(second.source == .sound)
  }

  @Test("a miss or two are nothing, the third breaks the source, and no miss is ever a bad request")
  func misses() throws {
    var feed = feed()
    let target = MetricsPages.target(new)
    _ = try bin(&feed, 0, [(target, MetricsPages.page(10))])
    for (seconds, sound) in [(1.0, true), (2, true), (3, false), (4, false)] {
      let bin = try bin(&feed, seconds, [(target, nil)])
      #expect((bin.source == .sound) == sound, "at \(seconds) s")
      #expect(bin.arms.isEmpty)
    }
    // A counter survives what nobody saw.
    let back = try bin(&feed, 5, [(target, MetricsPages.page(60, errors: 3))])
    #expect(back.source == .sound)
    #expect(back.counts(of: new) == RequestCounts(requests: 53, errors: 3))
    #expect(back.arms.first?.firstBadAt == MetricsPages.at(0))
    // An instance that is gone is no broken source.
    #expect(try bin(&feed, 6, []).source == .sound)
  }

  @Test("a counter that goes backwards breaks the source at once, and names itself") func backwards() throws {
    var feed = feed()
    let target = MetricsPages.target(new)
    _ = try bin(&feed, 0, [(target, MetricsPages.page(1000))])
    guard case .broken(let reason) = try bin(&feed, 1, [(target, MetricsPages.page(999))]).source else {
      Issue.record("sound")
      return
    }
    #expect(reason.contains("instance 0") && reason.contains("went back from 1000.0 to 999.0"))
    #expect(try bin(&feed, 2, [(target, MetricsPages.page(1000))]).source == .sound)
  }

  @Test("conventions are found at the first request; until then the source is broken, not silent")
  func detection() throws {
    var feed = feed(nil)
    let (quiet, busy) = (MetricsPages.target(old), MetricsPages.target(new))
    for second in -4..<0 { _ = try bin(&feed, Double(second), [(quiet, nil)]) }
    guard case .broken(let reason) = try bin(&feed, 0, [(quiet, "go_goroutines 3")]).source else {
      Issue.record("sound")
      return
    }
    #expect(reason.contains("no metric of requests is recognised yet"))
    #expect(feed.mapping == nil)
    let page = "http_requests_total{code=\"200\"} "
    _ = try bin(&feed, 1, [(quiet, "go_goroutines 3"), (busy, page + "5")])
    #expect(feed.mapping?.requests == "http_requests_total")
    _ = try bin(&feed, 2, [(quiet, "go_goroutines 3"), (busy, page + "5")])
    let found = try bin(&feed, 3, [(quiet, page + "2"), (busy, page + "9")])
    #expect(found.source == .sound)
    #expect(found.counts(of: old).requests == 2 && found.counts(of: new).requests == 4)
    #expect(feed.caveats(slowerThan: .seconds(1)).count == 2)
  }

  @Test("a mapping that names what is not there is broken, not healthy") func missing() throws {
    var wrong = feed(MetricsMapping(requests: "nothing", errors: .counter("none"), durations: nil, routes: nil))
    _ = try bin(&wrong, 0, [(MetricsPages.target(new), MetricsPages.page(10))])
    let reason =
      "the metrics of the service: no page has shown 'nothing' yet; correct the mapping if requests were served"
    #expect(try bin(&wrong, 1, [(MetricsPages.target(new), MetricsPages.page(20))]).source == .broken(reason: reason))
    var mapping = MetricsPages.mapping
    mapping.durations = .init(histogram: "absent", unit: .seconds)
    var half = feed(mapping)
    #expect(try bin(&half, 0, [(MetricsPages.target(new), MetricsPages.page(10))]).source != .sound)
  }

  @Test("what the metrics cannot tell is said") func caveats() throws {
    var feed = feed()
    _ = try bin(&feed, 0, [(MetricsPages.target(new), MetricsPages.page(10))])
    _ = try bin(&feed, 1, [(MetricsPages.target(new), MetricsPages.page(20))])
    #expect(feed.caveats(slowerThan: .seconds(1)).isEmpty)
    #expect(feed.caveats(slowerThan: .seconds(0.75)).first?.contains("the next lower one, 250 ms") == true)
    #expect(feed.caveats(slowerThan: .seconds(0.1)).first?.contains("latency is not judged") == true)
  }

  @Test("the bucket of the 99th percentile, for the picture") func percentile() throws {
    var feed = feed()
    _ = try bin(&feed, 0, [(MetricsPages.target(new), MetricsPages.page(0))])
    let bin = try bin(&feed, 1, [(MetricsPages.target(new), MetricsPages.page(1000, over250: 11, over1000: 2))])
    #expect(bin.arms.first?.p99Ms == 1000)
  }

  @Test("memory that grows and processor time per request are told per instance") func resources() throws {
    var feed = feed()
    let target = MetricsPages.target(new)
    for second in 0...60 {
      let more =
        "\(ProcessMetrics.residentMemory) \(50_000_000 + second * 1_000_000)\n"
        + "\(ProcessMetrics.processorTime) \(Double(second) * 0.5)"
      _ = try bin(&feed, Double(second), [(target, MetricsPages.page(second * 10, more: more))])
    }
    let found = try #require(feed.resources(of: new).first)
    #expect(found.residentBytes == 110_000_000)
    #expect(abs((found.residentGrowth ?? 0) - 1_000_000) < 1)
    #expect(abs((found.processorSecondsPerRequest ?? 0) - 0.05) < 1e-9)
    #expect(found.over == .seconds(60) && found.requests == 600)
    #expect(feed.resources(of: old).isEmpty)
  }
}
