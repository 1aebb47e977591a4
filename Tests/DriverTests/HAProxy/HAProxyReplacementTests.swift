import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

private let shop = Site.shop
private let other = ServiceName(rawValue: "other")!

/// What happens when the HAProxy that runs is not the one that is configured, and cannot be replaced yet.
@Suite("HAProxy replaced", .serialized)
struct HAProxyReplacementTests {
  /// As a restarted Plimsoll would see the environment.
  private func restarted(_ site: Site, program: String = "haproxy", _ services: [(service: ServiceName, port: Int?)])
    -> HAProxySite
  {
    HAProxySite(folder: site.haproxyFolder, program: program, environment: Site.production, services: services)
  }

  private func outage(_ apply: () async throws(Outage) -> RouteOutcome) async -> String? {
    do {
      _ = try await apply()
      return nil
    } catch { return error.description }
  }

  @Test("a new service's taken port is named each time, holds up no other service, and is served when it is free")
  func newService() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    let taken = try #require(LoopbackPort.free())
    var taker: PortTaker? = PortTaker(taken)
    let restarted = restarted(site, [(shop, nil), (other, taken)])
    for _ in 0..<2 {
      let said = await outage { () async throws(Outage) in
        try await restarted.apply([], preview: nil, service: other, fence: Fence(1))
      }
      #expect(said?.contains("port \(taken)") == true)
      #expect(await restarted.loss(of: shop, closely: false) == nil)
    }
    // A rollback of the other service.
    _ = try await restarted.apply(site.routes(0, 100), preview: nil, service: shop, fence: Fence(1))
    #expect(ServiceFixture.get(port, "/")?.body == "b")
    #expect(HAProxyProcess.answering(site.haproxyFolder) == before)

    withExtendedLifetime(taker) {}
    taker = nil
    _ = try await restarted.apply([], preview: nil, service: other, fence: Fence(1))
    #expect(HAProxyProcess.answering(site.haproxyFolder) != before)
    #expect(ServiceFixture.get(taken, "/")?.status == 503)
    #expect(ServiceFixture.get(port, "/")?.body == "b")
    #expect(await restarted.loss(of: shop, closely: false) == nil)
  }

  @Test("a service's changed port that is taken is named each time, and served when it is free")
  func changedPort() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let taken = try #require(LoopbackPort.free())
    var taker: PortTaker? = PortTaker(taken)
    for _ in 0..<2 {
      // Restarted each time: what is adopted must not depend on memory.
      let said = await outage { () async throws(Outage) in
        try await restarted(site, [(shop, taken)]).apply(
          site.routes(100, 0), preview: nil, service: shop, fence: Fence(1))
      }
      #expect(said?.contains("port \(taken)") == true)
    }
    withExtendedLifetime(taker) {}
    taker = nil
    _ = try await restarted(site, [(shop, taken)]).apply(
      site.routes(100, 0), preview: nil, service: shop, fence: Fence(1))
    #expect(ServiceFixture.get(taken, "/")?.body == "a")
  }

  @Test("a kill between a replacement and its skeleton leaves nothing that is adopted by mistake")
  func killedBetween() async throws {
    let site = try await Site()
    let (first, second) = (try #require(LoopbackPort.free()), try #require(LoopbackPort.free()))
    _ = try await restarted(site, [(shop, first)]).apply(
      site.routes(100, 0), preview: nil, service: shop, fence: Fence(1))
    let skeleton = try String(contentsOfFile: site.haproxyFolder.skeleton, encoding: .utf8)
    _ = try await restarted(site, [(shop, second)]).apply(
      site.routes(100, 0), preview: nil, service: shop, fence: Fence(1))
    // As if the second start had been the last thing that Plimsoll did, and the change was then taken back.
    try skeleton.write(toFile: site.haproxyFolder.skeleton, atomically: true, encoding: .utf8)
    _ = try await restarted(site, [(shop, first)]).apply(
      site.routes(100, 0), preview: nil, service: shop, fence: Fence(1))
    #expect(ServiceFixture.get(first, "/")?.body == "a")
    #expect(ServiceFixture.get(second, "/") == nil)
  }

  @Test("a HAProxy that does not start is told in its own words, and the one that runs stays")
  func broken() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    let program = "\(site.folder.path)/broken"
    try "#!/bin/sh\necho '[ALERT] (1) : no luck today' >&2\nexit 1\n".write(
      toFile: program, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
    let services: [(service: ServiceName, port: Int?)] = [(shop, nil), (other, nil)]
    let said = await outage { () async throws(Outage) in
      try await restarted(site, program: program, services).apply([], preview: nil, service: other, fence: Fence(1))
    }
    #expect(said?.contains("did not start on") == true)
    #expect(said?.contains("no luck today") == true)
    #expect(HAProxyProcess.answering(site.haproxyFolder) == before)
    #expect(ServiceFixture.get(port, "/")?.body == "a")
    let repaired = restarted(site, services)
    _ = try await repaired.apply([], preview: nil, service: other, fence: Fence(1))
    let otherPort = try #require(await repaired.port(of: other))
    #expect(ServiceFixture.get(otherPort, "/")?.status == 503)
    #expect(ServiceFixture.get(port, "/")?.body == "a")
  }

  @Test("a HAProxy that is stopped answers nobody: an outage once, then another takes its place on the same port")
  func stopped() async throws {
    let site = try await Site()
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    kill(before.pid, SIGSTOP)
    await #expect(throws: Outage.self) { try await site.apply(0, 100, fence: 2) }
    try await site.apply(0, 100, fence: 2)
    #expect(!before.isAlive)
    #expect(ServiceFixture.get(port, "/")?.body == "b")
  }

  @Test("who kept a connection to a replaced HAProxy meets the weights of now: nobody gets what was rolled back")
  func kept() async throws {
    let site = try await Site()
    try await site.apply(0, 100, fence: 1)
    let port = try await site.port()
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    let clients = (0..<6).compactMap { _ in KeptConnection(port: port) }
    #expect(clients.allSatisfy { $0.get("/")?.body == "b" })
    let restarted = restarted(site, [(shop, nil), (other, nil)])
    _ = try await restarted.apply(site.routes(0, 100), preview: nil, service: shop, fence: Fence(1))
    #expect(HAProxyProcess.answering(site.haproxyFolder) != before)
    #expect(before.isAlive, "for those who kept their connections")
    #expect(clients[0].get("/")?.body == "b")
    _ = try await restarted.apply(site.routes(100, 0), preview: nil, service: shop, fence: Fence(2))
    #expect(clients[1...].map { $0.get("/")?.body } == Array(repeating: "a", count: 5))
    #expect(!clients.contains { $0.goesOn }, "and is told to come anew")
    await eventually("it has gone") { !before.isAlive }
  }

  @Test("a HAProxy that hangs is noticed, and holds up a rollback for seconds, however many services look at it")
  func hanging() async throws {
    let site = try await Site()
    let names = (0..<6).compactMap { ServiceName(rawValue: "service\($0)") } + [shop]
    let router = HAProxyRouter(
      folder: site.folder.path, program: "haproxy",
      services: names.map { PublicService($0, Site.production, port: nil) })
    func apply(_ old: Int, _ new: Int, fence: Int64) async throws {
      _ = try await router.apply(
        site.routes(old, new), preview: nil, service: shop, environment: Site.production, fence: Fence(fence))
    }
    try await apply(100, 0, fence: 1)
    let port = try #require(await router.port(of: shop, in: Site.production))
    let before = try #require(HAProxyProcess.answering(site.haproxyFolder))
    try await withThrowingTaskGroup(of: RouteLoss.self) { group in
      for name in names { group.addTask { try await router.waitForLoss(service: name, environment: Site.production) } }
      kill(before.pid, SIGSTOP)
      #expect(try await group.next() == .gone)
      let began = ContinuousClock.now
      await #expect(throws: Outage.self) { try await apply(0, 100, fence: 2) }
      try await apply(0, 100, fence: 2)
      // Two silences of `HAProxyAdmin.limitSeconds`; the rest is for whatever else runs on the same cores.
      #expect(ContinuousClock.now - began < .seconds(10))
      group.cancelAll()
    }
    #expect(!before.isAlive)
    #expect(ServiceFixture.get(port, "/")?.body == "b")
  }
}
