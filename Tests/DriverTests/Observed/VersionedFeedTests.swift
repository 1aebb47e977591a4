import Kernel
import Testing

@testable import Drivers

/// Pages by address, as they are now.
private actor Pages: HTTPFetcher {
  private var pages: [String: String] = [:]
  func set(_ url: String, _ text: String?) { pages[url] = text }
  func fetch(_ request: HTTPFetch) throws(Outage) -> HTTPAnswer {
    guard let text = pages[request.url] else { throw Outage("http", "\(request.url) refused") }
    return HTTPAnswer(status: 200, contentType: "text/plain; version=0.0.4", body: Array(text.utf8))
  }
}

/// One observed place, second by second.
private struct Place {
  static let begin = Instant(milliseconds: 1_800_000_000_000)
  let pages = Pages()
  let scrape: VersionedScrape
  let urls: [String]
  var feed: VersionedFeed
  var now = begin

  init(
    _ source: VersionSource = .label("version"), _ urls: [String] = ["http://a/metrics"],
    mapping: MetricsMapping? = nil
  ) throws {
    scrape = VersionedScrape(fetcher: pages, source: source)
    self.urls = urls
    feed = VersionedFeed(
      try Place.service(), try Place.environment(), source: source, mapping: mapping, excluded: [], from: Place.begin)
  }
  static func service() throws -> ServiceName { try #require(ServiceName(rawValue: "shop")) }
  static func environment() throws -> EnvironmentName { try #require(EnvironmentName(rawValue: "production")) }

  mutating func look(after seconds: Double = 1) async -> ServedBin {
    now = now + .seconds(seconds)
    var looks: [VersionedLook] = []
    for url in urls {
      let look = await scrape.look(url, feed.mapping)
      looks.append(VersionedLook(url: url, outcome: look.outcome, at: now))
    }
    return feed.looked(looks, at: now)
  }

  func counts(_ bin: ServedBin, _ version: String) throws -> RequestCounts {
    let version = try #require(ObservedVersion(rawValue: version))
    let arm = feed.source.arm(of: version, try Place.service(), try Place.environment())
    return bin.evidence(slowerThan: Span(milliseconds: 500)).counts(of: arm)
  }
  var shown: [String]? { feed.sighting?.versions.map(\.rawValue) }
}

/// `v1: good 100, bad 2` as a page.
private func page(_ versions: [(String, good: Int, bad: Int)], label: String = "version") -> String {
  versions.map { version, good, bad in
    """
    http_requests_total{\(label)="\(version)",code="200"} \(good)
    http_requests_total{\(label)="\(version)",code="500"} \(bad)

    """
  }.joined()
}

@Suite("Versions on metrics pages") struct VersionedFeedTests {
  @Test("one page that speaks for several versions is taken apart by its label")
  func oneForAll() async throws {
    var place = try Place()
    await place.pages.set("http://a/metrics", page([("v1", 1000, 1)]))
    _ = await place.look()
    _ = await place.look()
    #expect(place.shown == ["v1"])
    await place.pages.set("http://a/metrics", page([("v1", 1100, 1), ("v2", 10, 5)]))
    _ = await place.look()
    await place.pages.set("http://a/metrics", page([("v1", 1190, 1), ("v2", 15, 10)]))
    let bin = await place.look()
    #expect(bin.source == .sound)
    #expect(try place.counts(bin, "v1") == RequestCounts(requests: 90))
    #expect(try place.counts(bin, "v2") == RequestCounts(requests: 10, errors: 5))
    #expect(place.shown == ["v1", "v2"])
  }

  @Test("a version whose counters stand still while others serve is gone; when nobody serves, nobody is gone")
  func standingStill() async throws {
    var place = try Place()
    await place.pages.set("http://a/metrics", page([("v1", 0, 0)]))
    _ = await place.look()
    var v1 = 0
    var v2 = 0
    func show() async { await place.pages.set("http://a/metrics", page([("v1", v1, 0), ("v2", v2, 0)])) }
    for _ in 0..<5 {
      (v1, v2) = (v1 + 90, v2 + 10)
      await show()
      _ = await place.look()
    }
    #expect(place.shown == ["v1", "v2"])
    let last = place.now
    for _ in 0..<30 { _ = await place.look() }
    #expect(place.shown == ["v1", "v2"])
    for _ in 0..<4 {
      v1 += 100
      await show()
      _ = await place.look()
    }
    #expect(place.shown?.sorted() == ["v1", "v2"])
    v1 += 100
    await show()
    _ = await place.look()
    #expect(place.shown == ["v1"])
    #expect(place.feed.sighting?.gone.first?.lastSeenAt == last)
  }

  @Test("a version with one percent serves on through a gap that its share explains, and is gone after a longer one")
  func smallShare() async throws {
    var place = try Place()
    var (v1, v2) = (0, 0)
    func show() async { await place.pages.set("http://a/metrics", page([("v1", v1, 0), ("v2", v2, 0)])) }
    func look(_ more: (Int, Int)) async {
      (v1, v2) = (v1 + more.0, v2 + more.1)
      await show()
      _ = await place.look()
    }
    await look((0, 0))
    for _ in 0..<10 { await look((99, 1)) }
    #expect(place.shown == ["v1", "v2"])
    for _ in 0..<20 { await look((100, 0)) }
    #expect(place.shown?.sorted() == ["v1", "v2"], "2,000 requests of which it was due 20")
    for _ in 0..<2 { await look((100, 0)) }
    #expect(place.shown == ["v1"])
  }

  @Test("after a start nobody is called gone before he could have shown himself")
  func begunAnew() async throws {
    var place = try Place(.label("version"), ["http://a/metrics", "http://b/metrics"])
    var v1 = 1000
    func show() async {
      await place.pages.set("http://a/metrics", page([("v0", 5000, 0), ("v1", v1, 0), ("v2", 70, 0)]))
    }
    await show()
    await place.pages.set("http://b/metrics", page([("v2", 10, 0)]))
    for _ in 0..<5 {
      v1 += 90
      await show()
      _ = await place.look()
    }
    #expect(place.shown == nil)
    v1 += 300
    await show()
    _ = await place.look()
    // v0 and v2 were passed by on the one page; the other page is v2's.
    #expect(place.shown?.sorted() == ["v1", "v2"])

    // A page that is away at the start may hold a version of its own.
    var other = try Place(.label("version"), ["http://a/metrics", "http://b/metrics"])
    await other.pages.set("http://a/metrics", page([("v1", 10, 0)]))
    for _ in 0..<5 { _ = await other.look() }
    #expect(other.shown == nil)
    for _ in 0..<60 { _ = await other.look() }
    #expect(other.shown == ["v1"])
  }

  @Test("a label of another metric makes the whole page one version's")
  func ofAnotherMetric() async throws {
    var place = try Place(.metric("build_info", label: "version"))
    func show(_ version: String, _ count: Int) async {
      await place.pages.set(
        "http://a/metrics", "build_info{version=\"\(version)\"} 1\nhttp_requests_total{code=\"200\"} \(count)\n")
    }
    await show("v1", 10)
    _ = await place.look()
    _ = await place.look()
    await show("v1", 30)
    #expect(try place.counts(await place.look(), "v1").requests == 20)
    // The same address, another process.
    await show("v2", 4)
    _ = await place.look()
    await show("v2", 9)
    #expect(try place.counts(await place.look(), "v2").requests == 5)
    #expect(place.shown == ["v2"])
  }

  @Test("metrics of unusual names are counted by their mapping, errors by a counter of their own")
  func mapped() async throws {
    let mapping = MetricsMapping(requests: "asked_total", errors: .counter("failed_total"), durations: nil, routes: nil)
    var place = try Place(mapping: mapping)
    func show(_ asked: Int, _ failed: Int) async {
      let version = "{version=\"v1\"}"
      await place.pages.set("http://a/metrics", "asked_total\(version) \(asked)\nfailed_total\(version) \(failed)\n")
    }
    await show(100, 1)
    _ = await place.look()
    await show(150, 4)
    #expect(try place.counts(await place.look(), "v1") == RequestCounts(requests: 50, errors: 3))
  }

  @Test("where versions are only reported, all requests have one arm and nothing is sighted")
  func reported() async throws {
    var place = try Place(.reported)
    await place.pages.set("http://a/metrics", "http_requests_total{code=\"200\"} 10\n")
    _ = await place.look()
    _ = await place.look()
    await place.pages.set("http://a/metrics", "http_requests_total{code=\"200\"} 25\n")
    let bin = await place.look()
    #expect(try place.counts(bin, "v1").requests == 15)
    #expect(try place.counts(bin, "v2").requests == 15)
    #expect(place.shown == nil)
  }

  @Test("a page that does not answer is a hole in the evidence for a minute, then an instance that was stopped")
  func away() async throws {
    var place = try Place(.label("version"), ["http://a/metrics", "http://b/metrics"])
    await place.pages.set("http://a/metrics", page([("v1", 10, 0)]))
    await place.pages.set("http://b/metrics", page([("v2", 10, 0)]))
    for _ in 0..<3 { _ = await place.look() }
    #expect(place.shown == ["v1", "v2"])
    await place.pages.set("http://b/metrics", nil)
    for _ in 0..<2 { #expect(await place.look().source == .sound) }
    let third = await place.look()
    #expect(third.source != .sound)
    #expect(place.shown == ["v1", "v2"])
    _ = await place.look(after: 58)
    let later = await place.look()
    #expect(later.source == .sound)
    #expect(place.shown == ["v1"])
    // Without any page there is no evidence at all, however long ago.
    await place.pages.set("http://a/metrics", nil)
    for _ in 0..<2 { _ = await place.look(after: 120) }
    let nothing = await place.look(after: 120)
    #expect(nothing.source != .sound)
  }

  @Test("a page that does not say its version is broken, never healthy")
  func senseless() async throws {
    func check(_ words: String, _ source: VersionSource, _ text: String) async throws {
      var place = try Place(source)
      await place.pages.set("http://a/metrics", text)
      for _ in 0..<2 { _ = await place.look() }
      let bin = await place.look()
      #expect(bin.source != .sound, "\(words)")
      #expect(bin.arms.isEmpty, "\(words)")
      #expect(place.shown == nil, "\(words)")
    }
    try await check("no label", .label("version"), "http_requests_total{code=\"200\"} 10\n")
    try await check("no metric", .metric("build_info", label: "version"), "http_requests_total{code=\"200\"} 10\n")
    try await check(
      "two at once", .metric("build_info", label: "version"),
      "build_info{version=\"v1\"} 1\nbuild_info{version=\"v2\"} 1\nhttp_requests_total{code=\"200\"} 10\n")
    try await check(
      "a request's id for a version", .label("version"), page((0..<30).map { ("id-\($0)", good: 1, bad: 0) }))
    try await check("no requests", .label("version"), "go_goroutines 7\n")
  }

  @Test("a counter that goes back without a restart breaks the look, and with one counts from zero")
  func counters() async throws {
    var place = try Place()
    await place.pages.set("http://a/metrics", page([("v1", 1000, 10)]))
    for _ in 0..<2 { _ = await place.look() }
    await place.pages.set("http://a/metrics", page([("v1", 990, 10)]))
    #expect(await place.look().source != .sound)
    await place.pages.set("http://a/metrics", page([("v1", 995, 10)]))
    #expect(try place.counts(await place.look(), "v1").requests == 5)
    await place.pages.set("http://a/metrics", page([("v1", 7, 10)]))
    #expect(try place.counts(await place.look(), "v1").requests == 7)
  }
}
