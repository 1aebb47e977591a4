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

@Suite("HAProxy", .serialized)
struct HAProxyRouterTests {
  @Test("ten per cent is ten per cent, to the request")
  func shares() async throws {
    let site = try await Site()
    #expect(await site.router.port(of: shop, in: production) == nil)
    try await site.apply(90, 10, fence: 1)
    let port = try await site.port()
    var bodies: [String] = []
    for _ in 0..<1000 { bodies.append(ServiceFixture.get(port, "/")?.body ?? "?") }
    #expect((90...110).contains(bodies.filter { $0 == "b" }.count))
    #expect(bodies.filter { $0 == "?" }.isEmpty)
  }

  @Test("no request fails through a switch, and a rollback ends the new version's traffic at once")
  func switching() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let traffic = Traffic(port: try await site.port(), perSecond: 200)
    await eventually("traffic flows") { traffic.count > 50 }
    for (step, percent) in [10, 50, 100, 0, 100, 0].enumerated() {
      try await site.apply(100 - percent, percent, fence: Int64(2 + step))
      let reached = traffic.count + 40
      await eventually("traffic at \(percent) %") { traffic.count >= reached }
    }
    let rolledBackAt = Instant.now
    try await site.apply(100, 0, fence: 20)
    let reached = traffic.count + 40
    await eventually("traffic after the rollback") { traffic.count >= reached }
    let (answers, failures) = await traffic.stop()
    #expect(failures == 0)
    #expect(answers.contains { $0.body == "b" })
    #expect(!answers.contains { $0.body == "b" && $0.at > rolledBackAt + .seconds(0.2) })
  }

  @Test("an instance that died costs nobody a request, and its server is removed when idle")
  func dead() async throws {
    let site = try await Site()
    let gone = try #require(LoopbackPort.free())
    let routes = [
      RoutedDeployment(
        old, percent: 100, endpoints: [Endpoint(instance: 0, port: site.ports[0]), Endpoint(instance: 1, port: gone)])
    ]
    _ = try await site.router.apply(routes, preview: nil, service: shop, environment: production, fence: Fence(1))
    let port = try await site.port()
    #expect((0..<20).allSatisfy { _ in ServiceFixture.get(port, "/")?.status == 200 })
    try await site.apply(100, 0, fence: 2)
    let waiting = Task { try await site.router.waitForLoss(service: shop, environment: production) }
    let admin = HAProxyAdmin(path: site.haproxyFolder.admin)
    await eventually("removed") {
      (try? admin.ask(["show servers state b-shop"]).contains("-1-\(gone)")) == false
    }
    waiting.cancel()
  }

  @Test("late shares are refused, equal ones may come again")
  func fences() async throws {
    let site = try await Site()
    try await site.apply(50, 50, fence: 5)
    #expect(try await site.apply(0, 100, fence: 4) == .stale)
    guard case .applied = try await site.apply(100, 0, fence: 5) else {
      Issue.record("the same fence was refused")
      return
    }
    let port = try await site.port()
    #expect((0..<20).allSatisfy { _ in ServiceFixture.get(port, "/")?.body == "a" })
  }

  @Test("no connection to a server outlives its request, so that retiring can wait for those that are open")
  func connections() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let client = try #require(KeptConnection(port: try await site.port()))
    let ports = Set(site.ports)
    #expect(client.get("/")?.status == 200)
    await eventually("closed") { !OpenConnections.exist(ports) }
    client.send("/sleep/0.5")
    await eventually("open") { OpenConnections.exist(ports) }
    #expect(client.receive()?.status == 200)
    await eventually("closed again") { !OpenConnections.exist(ports) }
  }

  @Test("with no share for anybody HAProxy answers 503 itself")
  func nothing() async throws {
    let site = try await Site()
    try await site.apply(0, 100, fence: 1)
    let port = try await site.port()
    #expect(ServiceFixture.get(port, "/")?.body == "b")
    try await site.apply(0, 0, fence: 2)
    #expect(ServiceFixture.get(port, "/")?.status == 503)
    _ = try await site.router.apply([], preview: nil, service: shop, environment: production, fence: Fence(3))
    #expect(ServiceFixture.get(port, "/")?.status == 503)
  }

  @Test("a killed HAProxy is noticed and comes back on the same port with the routes applied again")
  func killed() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let waiting = Task { try await site.router.waitForLoss(service: shop, environment: production) }
    let process = try #require(HAProxyProcess.answering(site.haproxyFolder))
    kill(process.pid, SIGKILL)
    #expect(try await waiting.value == .gone)
    try await site.apply(100, 0, fence: 1)
    #expect(try await site.port() == port)
    #expect(ServiceFixture.get(port, "/")?.body == "a")
    #expect(HAProxyProcess.answering(site.haproxyFolder) != process)

    // Alive, but nobody can tell it anything: an outage once, then another takes its place.
    unlink(site.haproxyFolder.admin)
    await #expect(throws: Outage.self) { try await site.apply(0, 100, fence: 2) }
    try await site.apply(0, 100, fence: 2)
    #expect(ServiceFixture.get(port, "/")?.body == "b")
  }

  @Test("a second router adopts the running HAProxy; one with another service replaces it and refuses nobody")
  func adopted() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    let services = [PublicService(shop, production, port: nil)]
    let second = HAProxyRouter(folder: site.folder.path, program: "haproxy", services: services)
    _ = try await second.apply(
      site.routes(0, 100), preview: nil, service: shop, environment: production, fence: Fence(1))
    #expect(HAProxyProcess.answering(site.haproxyFolder) == before)
    #expect(ServiceFixture.get(port, "/")?.body == "b")

    let traffic = Traffic(port: port, perSecond: 200)
    await eventually("traffic flows") { traffic.count > 20 }
    let other = try #require(ServiceName(rawValue: "other"))
    let third = HAProxyRouter(
      folder: site.folder.path, program: "haproxy",
      services: services + [PublicService(other, production, port: nil)])
    _ = try await third.apply([], preview: nil, service: other, environment: production, fence: Fence(1))
    let reached = traffic.count + 60
    await eventually("traffic after") { traffic.count >= reached }
    let (answers, failures) = await traffic.stop()
    #expect(failures == 0)
    #expect(answers.allSatisfy { $0.body == "b" })
    #expect(HAProxyProcess.answering(site.haproxyFolder) != before)
    let otherPort = try #require(await third.port(of: other, in: production))
    #expect(ServiceFixture.get(otherPort, "/")?.status == 503)
  }

  @Test("what is missing or in the way is named")
  func outages() async throws {
    let folder = ServiceFolder()
    let taken = try #require(LoopbackPort.free())
    let taker = PortTaker(taken)
    defer { withExtendedLifetime(taker) {} }
    func refusal(program: String, port: Int?, folder: String, service: ServiceName = shop) async -> String? {
      let router = HAProxyRouter(
        folder: folder, program: program, services: [PublicService(shop, production, port: port)])
      do {
        _ = try await router.apply([], preview: nil, service: service, environment: production, fence: Fence(1))
        return nil
      } catch { return error.description }
    }
    #expect(await refusal(program: "haproxy", port: taken, folder: folder.path)?.contains("port \(taken)") == true)
    let missing = await refusal(program: "no-such-haproxy", port: nil, folder: folder.path)
    #expect(missing?.contains("scripts/setup") == true)
    let long = "\(folder.path)/\(String(repeating: "x", count: 90))"
    #expect(await refusal(program: "haproxy", port: nil, folder: long)?.contains("shorten") == true)
    let unknown = await refusal(
      program: "haproxy", port: nil, folder: folder.path, service: try #require(ServiceName(rawValue: "other")))
    #expect(unknown?.contains("plimsoll.yaml") == true)
  }
}

@Suite("Server weights")
struct ServerWeightsTests {
  private func check(_ what: Comment, _ shares: [(percent: Int, endpoints: Int)], expecting: [Int]) {
    let digits: [Character] = ["a", "b", "c"]
    let routes = zip(digits, shares).map { digit, share in
      RoutedDeployment(
        ServiceFixture.deployment(digit).id, percent: share.percent,
        endpoints: (0..<share.endpoints).map { Endpoint(instance: $0, port: 20_000 + $0) })
    }
    #expect(ServerWeights.servers(for: routes).map(\.weight) == expecting, what)
  }

  @Test func weights() {
    check("ninety to ten, one endpoint each", [(90, 1), (10, 1)], expecting: [9, 1])
    check("ten per cent on one endpoint of two and one", [(90, 2), (10, 1)], expecting: [9, 9, 2])
    check("all", [(100, 3), (0, 2)], expecting: [1, 1, 1, 0, 0])
    check("nothing", [(0, 1), (0, 1)], expecting: [0, 0])
    check("no endpoints yet", [(50, 0), (50, 1)], expecting: [1])
    check("one per cent beside seven endpoints", [(99, 7), (1, 1)], expecting: [99, 99, 99, 99, 99, 99, 99, 7])
    check("scaled to 256, never to nothing", [(99, 1), (1, 30)], expecting: [256] + Array(repeating: 1, count: 30))
  }
}
