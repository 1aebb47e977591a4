import Foundation
import Kernel
import Testing

@testable import Drivers

/// Adds up bins as they come.
private actor Evidence {
  private(set) var bins: [EvidenceBin] = []
  private(set) var hasEnded = false
  func add(_ bin: EvidenceBin) { bins.append(bin) }
  func end() { hasEnded = true }
  func total(_ deployment: DeploymentID) -> RequestCounts { bins.reduce(.zero) { $0 + $1.counts(of: deployment) } }
  var last: SourceHealth? { bins.last?.source }
}

/// An instance's page, set by the test.
private final class Instance: @unchecked Sendable {
  // Unchecked: the page is guarded by `lock`.
  private let lock = NSLock()
  private var reply: ScriptedServer.Reply
  private(set) lazy var server = ScriptedServer { [weak self] _ in
    guard let self else { return .bytes("") }
    return lock.withLock { reply }
  }
  init(_ page: String) { reply = Self.answer(page) }
  func show(_ page: String) { lock.withLock { reply = Self.answer(page) } }
  func reply(_ reply: ScriptedServer.Reply) { lock.withLock { self.reply = reply } }
  private static func answer(_ page: String) -> ScriptedServer.Reply {
    .answer(200, page + "\n", type: "text/plain; version=0.0.4")
  }
}

@Suite("Telemetry from instances' metrics", .serialized) struct ScrapedTelemetryTests {
  private let old = MetricsPages.old
  private let new = MetricsPages.new

  private func watch(_ instances: [(DeploymentID, Instance)], mapping: MetricsMapping? = MetricsPages.mapping)
    async throws -> (ScrapedTelemetry, Evidence)
  {
    let targets = instances.enumerated().map {
      MetricsTarget($0.element.0, instance: $0.offset, url: "\($0.element.1.server.address)/metrics")
    }
    let telemetry = ScrapedTelemetry(
      [
        ScrapedService(
          MetricsPages.shop, MetricsPages.production, mapping: mapping, excludedRoutes: ["/ready", "/metrics"])
      ], fetcher: FoundationFetcher(), interval: .seconds(0.1)
    ) { _, _ in targets }
    let bins = try await telemetry.bins(
      service: MetricsPages.shop, environment: MetricsPages.production, slowerThan: .seconds(1), width: .seconds(0.1))
    let evidence = Evidence()
    Task {
      for await bin in bins { await evidence.add(bin) }
      await evidence.end()
    }
    return (telemetry, evidence)
  }

  @Test("instances are asked again and again: bins, history, harm, resources; streams end with their telemetry")
  func counts() async throws {
    let (a, b) = (Instance(MetricsPages.page(1000)), Instance(MetricsPages.page(50)))
    let began = Instant.now
    var telemetry: ScrapedTelemetry?
    let evidence: Evidence
    (telemetry, evidence) = try await watch([(old, a), (new, b)])
    await eventually("sound") { await evidence.last == .sound }
    a.show(MetricsPages.page(1020, errors: 1))
    b.show(MetricsPages.page(55, errors: 3, over250: 4, over1000: 2, more: "\(ProcessMetrics.residentMemory) 7000000"))
    await eventually("all counted") {
      let (a, b) = (await evidence.total(old), await evidence.total(new))
      return a == RequestCounts(requests: 21, errors: 1) && b == RequestCounts(requests: 8, errors: 3, slow: 2)
    }
    let bins = await evidence.bins
    #expect(zip(bins, bins.dropFirst()).allSatisfy { $0.to == $1.from })
    let past = try await telemetry?.history(of: new, slowerThan: .seconds(1), window: .minutes(5))
    #expect(past == RequestCounts(requests: 8, errors: 3, slow: 2))
    // Another threshold finds what its bound says.
    let harm = try #require(try await telemetry?.harm(by: new, slowerThan: .seconds(0.25), since: began))
    #expect(harm.counts == RequestCounts(requests: 8, errors: 3, slow: 4))
    #expect(harm.clientMinutes == 0 && (harm.firstBadAt ?? began) >= began)
    #expect(try await telemetry?.resources(of: new).first?.residentBytes == 7_000_000)
    #expect(
      try await telemetry?.caveats(
        service: MetricsPages.shop, environment: MetricsPages.production, slowerThan: .seconds(1)) == [])
    await #expect(throws: Outage.self) {
      try await telemetry?.bins(
        service: ServiceName(rawValue: "other")!, environment: MetricsPages.production, slowerThan: .seconds(1),
        width: .seconds(1))
    }
    telemetry = nil
    await eventually("ended") { await evidence.hasEnded }
  }

  @Test(
    "an instance that hangs, refuses, answers half or answers nonsense breaks the source and hurts nobody",
    arguments: [
      ScriptedServer.Reply.hang(after: ""), .hang(after: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhttp_"),
      .bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhttp_requests_total 5\n"), .answer(500, "no"),
      .answer(200, "<html></html>", type: "text/html"), .answer(200, "http_requests_total{", type: "text/plain"),
    ])
  func faults(_ reply: ScriptedServer.Reply) async throws {
    let (a, b) = (Instance(MetricsPages.page(1000)), Instance(MetricsPages.page(50)))
    let (telemetry, evidence) = try await watch([(old, a), (new, b)])
    await eventually("sound") { await evidence.last == .sound }
    b.reply(reply)
    await eventually("broken") {
      if case .broken(let reason)? = await evidence.last { return reason.contains("instance 1") }
      return false
    }
    #expect(await evidence.total(new) == .zero)
    b.show(MetricsPages.page(60, errors: 4))
    await eventually("sound again, with what was missed") {
      let (last, total) = (await evidence.last, await evidence.total(new))
      return last == .sound && total == RequestCounts(requests: 14, errors: 4)
    }
    withExtendedLifetime(telemetry) {}
  }

  @Test("wider bins and windows are made of several looks") func wide() throws {
    func bin(_ from: Double, _ requests: Double, _ source: SourceHealth = .sound) -> ServedBin {
      var served = ServedCounts.zero
      served.add(.requests(areErrors: false), requests)
      return ServedBin(
        from: MetricsPages.at(from), to: MetricsPages.at(from + 1), arms: [new: served],
        since: [new: MetricsPages.at(from)], source: source)
    }
    let bins = [bin(0, 3), bin(1, 4), bin(4, 5)]
    func windows(since: Double) -> [Int] {
      MetricsFollower.windows(
        bins, of: new, slowerThan: .seconds(1), since: MetricsPages.at(since), width: .seconds(2)
      ).map(\.requests)
    }
    #expect(windows(since: 0) == [7, 0, 5])
    #expect(windows(since: 1) == [4, 5])
    let joined = MetricsFollower.joined([bin(0, 3), bin(1, 4, .broken(reason: "x")), bin(2, 5)])
    let evidence = joined.evidence(slowerThan: .seconds(1))
    #expect(evidence.from == MetricsPages.at(0) && evidence.to == MetricsPages.at(3))
    #expect(evidence.counts(of: new).requests == 12 && evidence.source == .broken(reason: "x"))
  }
}
