import Foundation
import Kernel
import Testing

@testable import Drivers

private let shop = Site.shop
private let production = Site.production
private let match = PreviewMatch.cookie(name: "version", value: "next")

/// HAProxy's state edited by hand under us.
@Suite("HAProxy altered", .serialized)
struct HAProxyAlteredTests {
  @Test("a change through the admin socket is noticed, named, and put right by the next route")
  func altered() async throws {
    let site = try await Site()
    let folder = site.haproxyFolder
    let admin = HAProxyAdmin(path: folder.admin)
    let (first, second) = ("b-shop/\(Site.old)-0-\(site.ports[0])", "b-shop/\(Site.old)-1-\(site.ports[1])")
    let canary = "\(Site.new)-0-\(site.ports[2])"
    var fence: Int64 = 1
    try await site.apply(90, 10, preview: match, fence: fence)
    let port = try await site.port()
    let process = try #require(HAProxyProcess.answering(folder))

    func check(_ what: Comment, _ commands: [String], says words: String) async throws {
      fence += 1
      let waiting = Task { try await site.router.waitForLoss(service: shop, environment: production) }
      let began = ContinuousClock.now
      _ = try admin.ask(commands)
      guard case .altered(let sentence) = try await waiting.value else {
        Issue.record("\(what) was taken for a lost HAProxy")
        return
      }
      // A close look comes every second; the rest is for whatever else runs on the same cores.
      #expect(ContinuousClock.now - began < .seconds(10), what)
      #expect(sentence.contains(words) && sentence.contains("shop in prod"), "\(what): \(sentence)")
      do {
        try await site.apply(90, 10, preview: match, fence: fence)
      } catch {
        // A frontend that was shut for good needs another process: an outage once.
        try await site.apply(90, 10, preview: match, fence: fence)
      }
      let held = HeldRoutes(try admin.ask(HeldRoutes.questions(shop, folder)), of: shop)
      #expect(held.listens && held.rules.count == 1, what)
      #expect(held.servers.filter(\.serves).map(\.server.weight).sorted() == [2, 9, 9], what)
      #expect(held.previewServers.filter(\.serves).map(\.server.name) == [canary], what)
      #expect(ServiceFixture.get(port, "/", headers: ["Cookie: version=next"])?.body == "b", what)
      #expect((0..<10).allSatisfy { _ in ServiceFixture.get(port, "/")?.status == 200 }, what)
    }
    try await check("a weight", ["set server \(first) weight 1"], says: "has weight 1, not 9")
    try await check("maintenance", ["disable server \(first)"], says: "is out of service")
    try await check("drain", ["set server b-shop/\(canary) state drain"], says: "is out of service")
    try await check("a deleted server", ["disable server \(second)", "del server \(second)"], says: "is missing")
    try await check("another address", ["set server \(first) addr 127.0.0.9 port 9"], says: "leads to 127.0.0.9:9")
    try await check(
      "a server of nobody", ["add server b-shop/x 127.0.0.1:9 weight 5", "enable server b-shop/x"],
      says: "x, which is not wanted, has weight 5")
    try await check("a preview's server", ["set server p-shop/\(canary) weight 0"], says: "p-shop")
    try await check("no preview rule", ["clear map \(folder.previews(shop))"], says: "no preview rule")
    try await check("a second rule", ["add map \(folder.previews(shop)) Host me"], says: "another preview rule")
    try await check("a paused frontend", ["disable frontend f-shop"], says: "f-shop takes no requests")
    try await check(
      "everything at once",
      ["set server \(first) weight 0", "disable frontend f-shop", "disable server \(second)"]
        + ["disable server b-shop/\(canary)"], says: "and 1 more")
    #expect(HAProxyProcess.answering(folder) == process, "until here nothing needed another process")
    try await check("a shut frontend", ["shutdown frontend f-shop"], says: "f-shop takes no requests")
    #expect(HAProxyProcess.answering(folder) != process)
  }

  @Test("what we did ourselves is never taken for someone else's change")
  func own() async throws {
    let site = try await Site()
    try await site.apply(100, 0, preview: match, fence: 1)
    let waiting = Task { try await site.router.waitForLoss(service: shop, environment: production) }
    for step in 0..<20 {
      try await site.apply(
        100 - 5 * step, 5 * step, preview: step.isMultiple(of: 3) ? match : nil, fence: Int64(2 + step))
    }
    try await site.apply(100, 0, fence: 50)
    let admin = HAProxyAdmin(path: site.haproxyFolder.admin)
    await eventually("swept") { (try? admin.ask(["show servers state p-shop"]).contains("\(Site.new)")) == false }
    waiting.cancel()
    #expect(try await waiting.value == .gone, "it ended because it was told to")
  }
}
