import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

private let shop = Site.shop
private let production = Site.production
private let old = Site.old
private let new = Site.new
private let match = PreviewMatch.header(name: "X-Version", value: "next")
private let asks = ["X-Version: next"]

/// Requests that ask for the new version get it whatever its share, and are nobody's evidence.
@Suite("HAProxy previews", .serialized)
struct HAProxyPreviewTests {
  private func running(_ site: Site) throws -> HAProxyProcess {
    try #require(HAProxyProcess.answering(site.haproxyFolder))
  }

  @Test("a header or a cookie that equals the value exactly leads to the new version, and nothing else does")
  func matches() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try running(site)
    var fence: Int64 = 1
    func check(_ what: Comment, _ match: PreviewMatch, yes: [[String]], no: [[String]]) async throws {
      fence += 1
      try await site.apply(100, 0, preview: match, fence: fence)
      for headers in yes {
        #expect(ServiceFixture.get(port, "/", headers: headers)?.body == "b", "\(what): \(headers)")
      }
      for headers in no + [[]] {
        #expect(ServiceFixture.get(port, "/", headers: headers)?.body == "a", "\(what): \(headers)")
      }
    }
    try await check(
      "a header", match,
      yes: [["X-Version: next"], ["x-version:next"], ["X-VERSION:   next  "], ["A: b", "X-Version: next", "C: d"]],
      no: [
        ["X-Version: nexts"], ["X-Version: anext"], ["X-Version: Next"], ["X-Version: "], ["Y-X-Version: next"],
        ["A: X-Version: next"], ["X-Version: a, next"], ["Cookie: X-Version=next"],
      ])
    try await check(
      "a header with what means something to patterns, files and commands",
      .header(name: "X.Version", value: #"a b;c\d"(.*)|$,'"#),
      yes: [[#"X.Version: a b;c\d"(.*)|$,'"#]],
      no: [[#"X.Version: a b;c\d"xx|$,'"#], [#"X-Version: a b;c\d"(.*)|$,'"#], ["X.Version: a"]])
    try await check(
      "a cookie", .cookie(name: "version", value: "next+1"),
      yes: [
        ["Cookie: version=next+1"], ["Cookie: a=b; version=next+1"], ["Cookie: version=next+1; a=b"],
        ["cookie: a=b;version=next+1;c=d"], ["Cookie: a=b", "Cookie: version=next+1"],
      ],
      no: [
        ["Cookie: version=next+12"], ["Cookie: version=next"], ["Cookie: Version=next+1"],
        ["Cookie: aversion=next+1"], ["Cookie: a=version=next+1"], ["version: next+1"], ["X-Cookie: version=next+1"],
      ])
    #expect(try running(site) == before, "nothing was reloaded")
  }

  @Test("without an endpoint of the version, a preview request goes the ordinary way")
  func noEndpoint() async throws {
    let site = try await Site()
    let missing = ServiceFixture.deployment("c").id
    for (fence, preview) in [(1, PreviewRoute(match, to: missing)), (2, PreviewRoute(match, to: new))] {
      let routes = site.routes(100, 0).map {
        RoutedDeployment($0.deployment, percent: $0.percent, endpoints: $0.deployment == new ? [] : $0.endpoints)
      }
      _ = try await site.router.apply(
        routes, preview: preview, service: shop, environment: production, fence: Fence(Int64(fence)))
      #expect(ServiceFixture.get(try await site.port(), "/", headers: asks)?.body == "a")
    }
    try await site.apply(100, 0, preview: match, fence: 3)
    #expect(ServiceFixture.get(try await site.port(), "/", headers: asks)?.body == "b")
  }

  @Test("a preview that ends leaves nobody there, fails nobody, and its servers are removed when idle")
  func ends() async throws {
    let site = try await Site()
    try await site.apply(100, 0, preview: match, fence: 1)
    let port = try await site.port()
    let before = try running(site)
    let slow = Task.detached { ServiceFixture.get(port, "/sleep/1", headers: asks) }
    let admin = HAProxyAdmin(path: site.haproxyFolder.admin)
    await eventually("it is under way") {
      let answer = (try? admin.ask(["show stat p-shop 4 -1"])) ?? ""
      return HAProxyAdmin.table(answer[...]).contains { $0["scur"] == "1" }
    }
    try await site.apply(100, 0, fence: 2)
    #expect((0..<20).allSatisfy { _ in ServiceFixture.get(port, "/", headers: asks)?.body == "a" })
    #expect(await slow.value?.body == "b", "a request under way ends well")
    #expect(try await site.apply(100, 0, preview: match, fence: 1) == .stale)
    #expect(ServiceFixture.get(port, "/", headers: asks)?.body == "a", "a late preview begins nothing")
    let waiting = Task { try await site.router.waitForLoss(service: shop, environment: production) }
    await eventually("removed") { (try? admin.ask(["show servers state p-shop"]).contains("\(new)")) == false }
    waiting.cancel()
    #expect(try running(site) == before, "nothing was reloaded")
  }

  @Test("a preview outlives a killed HAProxy, a restarted Plimsoll and a replaced HAProxy")
  func survives() async throws {
    let site = try await Site()
    try await site.apply(100, 0, preview: match, fence: 1)
    let port = try await site.port()
    kill(try running(site).pid, SIGKILL)
    #expect(try await site.router.waitForLoss(service: shop, environment: production) == .gone)
    try await site.apply(100, 0, preview: match, fence: 1)
    #expect(ServiceFixture.get(port, "/", headers: asks)?.body == "b")

    // A restarted Plimsoll with one more service, which is routed first.
    let before = try running(site)
    let other = try #require(ServiceName(rawValue: "other"))
    let restarted = HAProxyRouter(
      folder: site.folder.path, program: "haproxy",
      services: [shop, other].map { PublicService($0, production, port: nil) })
    _ = try await restarted.apply([], preview: nil, service: other, environment: production, fence: Fence(1))
    let after = try running(site)
    #expect(after != before)
    #expect(ServiceFixture.get(port, "/", headers: asks)?.body == "b", "kept until it is said what is wanted")
    #expect(ServiceFixture.get(port, "/")?.body == "a")
    func again(_ preview: PreviewRoute?) async throws {
      _ = try await restarted.apply(
        site.routes(100, 0), preview: preview, service: shop, environment: production, fence: Fence(1))
    }
    try await again(PreviewRoute(match, to: new))
    #expect(ServiceFixture.get(port, "/", headers: asks)?.body == "b")
    // The process of the first one is adopted, and the preview that it began is ended.
    try await again(nil)
    #expect(ServiceFixture.get(port, "/", headers: asks)?.body == "a")
    #expect(try running(site) == after)
  }

  @Test("what HAProxy cannot be told safely is refused in words, and nothing is changed")
  func flaws() async throws {
    let site = try await Site()
    try await site.apply(100, 0, preview: match, fence: 1)
    let long = String(repeating: "x", count: PreviewMatch.longestValue + 1)
    for (match, said) in [
      (PreviewMatch.header(name: "", value: "a"), "name"), (.header(name: "a b", value: "a"), "name"),
      (.header(name: "a", value: "b\r\nc: d"), "visible"), (.header(name: "a", value: " b"), "spaces between"),
      (.header(name: "a", value: "é"), "visible"), (.header(name: "a", value: ""), "0 bytes"),
      (.header(name: "a", value: long), "257 bytes"), (.cookie(name: "a", value: "b c"), "visible"),
      (.cookie(name: "a", value: "b;c"), "except"), (.cookie(name: "a\n", value: "b"), "name"),
    ] {
      do {
        _ = try await site.apply(0, 100, preview: match, fence: 9)
        Issue.record("\(match) was taken")
      } catch let outage as Outage {
        #expect(outage.sentence.contains(said) && outage.sentence.contains("plimsoll.yaml"), "\(outage)")
      }
    }
    try await site.apply(100, 0, preview: match, fence: 2)
    #expect(ServiceFixture.get(try await site.port(), "/", headers: asks)?.body == "b")
  }

  @Test("preview requests are nobody's evidence: not when they fail, not when they hang, not in what is remembered")
  func evidence() async throws {
    let site = try await Site()
    let began = Instant.now
    let slow = Span.seconds(0.4)
    let telemetry = HAProxyTelemetry(folder: site.folder.path, environments: [production])
    let bins = try await telemetry.bins(
      service: shop, environment: production, slowerThan: slow, width: .seconds(0.1))
    let seen = Reports<EvidenceBin>()
    let reading = Task {
      for await bin in bins { await seen.add(bin) }
      _ = telemetry
    }
    // The new version has ordinary servers as well, of the same names.
    try await site.apply(50, 50, preview: match, fence: 1)
    let port = try await site.port()
    await eventually("sound") { await seen.all.last?.source == .sound }
    let hanging = try #require(KeptConnection(port: port, timeout: 10))
    hanging.send("/sleep/1.5", headers: asks, close: true)
    for _ in 0..<20 { #expect(ServiceFixture.get(port, "/bad", headers: asks)?.body == "b") }
    for _ in 0..<20 { _ = ServiceFixture.get(port, "/") }
    #expect(hanging.receive()?.body == "b")
    for _ in 0..<20 { _ = ServiceFixture.get(port, "/") }
    func total(_ deployment: DeploymentID) async -> RequestCounts {
      await seen.all.reduce(.zero) { $0 + $1.counts(of: deployment) }
    }
    await eventually("the ordinary ones are counted") { await total(old) + total(new) == RequestCounts(requests: 40) }
    let until = await seen.all.count + 30
    // Three seconds more: what a lost line or a hanging request would still bring.
    await eventually("more bins") { await seen.all.count >= until }
    #expect(await total(old) + total(new) == RequestCounts(requests: 40))
    #expect(await seen.all.suffix(30).allSatisfy { $0.source == .sound })
    #expect(
      try await telemetry.history(of: new, slowerThan: slow, window: .minutes(5)) == RequestCounts(requests: 20))
    #expect(try await telemetry.harm(by: new, slowerThan: slow, since: began).firstBadAt == nil)
    reading.cancel()
  }
}
