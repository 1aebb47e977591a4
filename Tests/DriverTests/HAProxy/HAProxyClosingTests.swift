import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

private let shop = Site.shop
private let production = Site.production
private let other = ServiceName(rawValue: "other")!

/// What becomes of the router when a service, or a whole environment, leaves plimsoll.yaml.
@Suite("HAProxy closed", .serialized)
struct HAProxyClosingTests {
  private func restarted(_ site: Site, _ services: [ServiceName]) -> HAProxyRouter {
    HAProxyRouter(
      folder: site.folder.path, program: "haproxy",
      services: services.map { PublicService($0, production, port: nil) })
  }

  @Test("with its last service a HAProxy goes; the next route brings it back on the same port")
  func last() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    try await site.router.close(service: shop, environment: production, fence: Fence(2))
    #expect(ServiceFixture.get(port, "/") == nil, "connections are refused")
    await eventually("it has gone") { !before.isAlive }
    try await site.router.close(service: shop, environment: production, fence: Fence(2))
    #expect(try await site.apply(100, 0, fence: 1) == .stale)
    #expect(ServiceFixture.get(port, "/") == nil, "a late route opens nothing")
    try await site.apply(0, 100, fence: 3)
    #expect(try await site.port() == port)
    #expect(ServiceFixture.get(port, "/")?.body == "b")
    try await site.router.close(service: shop, environment: production, fence: Fence(2))
    #expect(ServiceFixture.get(port, "/")?.body == "b", "a late call closes nothing")
  }

  @Test("a request under way ends well")
  func underWay() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let slow = Task.detached { ServiceFixture.get(port, "/sleep/1.5") }
    let admin = HAProxyAdmin(path: site.haproxyFolder.admin)
    await eventually("it is under way") {
      ((try? admin.ask(["show stat \(HAProxyFolder.backend(shop)) 2 -1"])) ?? "").contains(",1,1,")
    }
    try await site.router.close(service: shop, environment: production, fence: Fence(2))
    #expect(ServiceFixture.get(port, "/") == nil)
    #expect(await slow.value?.status == 200)
  }

  @Test("a restarted Plimsoll whose file has not the environment any more ends what serves there")
  func environmentGone() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    for _ in 0..<2 {
      try await restarted(site, []).close(service: shop, environment: production, fence: Fence(2))
    }
    #expect(ServiceFixture.get(port, "/") == nil)
    await eventually("it has gone") { !before.isAlive }
  }

  @Test("the other services of the environment do not lose a request")
  func others() async throws {
    let site = try await Site()
    let both = restarted(site, [shop, other])
    _ = try await both.apply(site.routes(100, 0), preview: nil, service: shop, environment: production, fence: Fence(1))
    _ = try await both.apply(
      site.routes(0, 100), preview: nil, service: other, environment: production, fence: Fence(1))
    let port = try #require(await both.port(of: shop, in: production))
    let otherPort = try #require(await both.port(of: other, in: production))
    let traffic = Traffic(port: otherPort, perSecond: 200)
    await eventually("traffic flows") { traffic.count > 50 }
    let alone = restarted(site, [other])
    try await alone.close(service: shop, environment: production, fence: Fence(2))
    #expect(ServiceFixture.get(port, "/") == nil)
    let reached = traffic.count + 100
    await eventually("traffic goes on") { traffic.count >= reached }
    let (answers, failures) = await traffic.stop()
    #expect(failures == 0)
    #expect(answers.allSatisfy { $0.body == "b" })
  }

  @Test("another service's taken port keeps no service offered")
  func taken() async throws {
    let site = try await Site()
    let both = restarted(site, [shop, other])
    for service in [shop, other] {
      _ = try await both.apply(
        site.routes(100, 0), preview: nil, service: service, environment: production, fence: Fence(1))
    }
    let port = try #require(await both.port(of: shop, in: production))
    let otherPort = try #require(await both.port(of: other, in: production))
    let client = try #require(KeptConnection(port: port))
    #expect(client.get("/")?.body == "a")
    let third = ServiceName(rawValue: "third")!
    let taken = try #require(LoopbackPort.free())
    let taker = PortTaker(taken)
    let blocked = HAProxyRouter(
      folder: site.folder.path, program: "haproxy",
      services: [PublicService(other, production, port: nil), PublicService(third, production, port: taken)])
    for _ in 0..<2 {
      try await blocked.close(service: shop, environment: production, fence: Fence(2))
      #expect(ServiceFixture.get(port, "/") == nil)
    }
    #expect(client.get("/")?.status == 503, "also who kept a connection meets nobody there")
    #expect(ServiceFixture.get(otherPort, "/")?.body == "a")
    withExtendedLifetime(taker) {}
  }

  @Test("a HAProxy that hangs is ended, so that nothing it holds up goes to what is stopped next")
  func hanging() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    kill(before.pid, SIGSTOP)
    try await site.router.close(service: shop, environment: production, fence: Fence(2))
    #expect(!before.isAlive)
  }
}
