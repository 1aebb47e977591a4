import Kernel
import Testing

/// A router under contract, and the world around it: what clients see, and what may befall it. Deployments `old` and
/// `new` run elsewhere and answer.
protocol RouterSite: Sendable {
  var router: any Router { get }
  /// As a Plimsoll that was killed and started again would have it.
  func restarted() -> any Router
  func endpoints(of deployment: DeploymentID) -> [Endpoint]
  /// Who answered so many requests with these headers; nil counts those that nobody answered.
  func ask(_ count: Int, headers: [String]) async -> [DeploymentID?: Int]
  /// The router's own program dies.
  func loseRouter() async throws
  /// Someone moves requests by hand to `new`.
  func alter() async throws
  /// While the body runs, what the router is told is done but its answers are lost.
  func withoutReplies(_ body: () async -> Void) async throws
}

/// What every `Router` promises, in terms of the port alone: the machine leans on nothing more. The rollout of a service
/// holds with any router that keeps it.
struct RouterContract {
  let site: any RouterSite
  let service = Site.shop
  let environment = Site.production
  let old = Site.old
  let new = Site.new
  let match = PreviewMatch.header(name: "X-Version", value: "next")

  private func routes(_ oldPercent: Int, _ newPercent: Int) -> [RoutedDeployment] {
    [(old, oldPercent), (new, newPercent)].map {
      RoutedDeployment($0, percent: $1, endpoints: site.endpoints(of: $0))
    }
  }

  @discardableResult
  private func apply(
    _ oldPercent: Int, _ newPercent: Int, preview: Bool = false, fence: Int64, through router: (any Router)? = nil
  ) async throws -> RouteOutcome {
    try await (router ?? site.router).apply(
      routes(oldPercent, newPercent), preview: preview ? PreviewRoute(match, to: new) : nil, service: service,
      environment: environment, fence: Fence(fence))
  }

  private func answers(_ what: Comment, only deployment: DeploymentID?, preview: Bool = false) async {
    let found = await site.ask(20, headers: preview ? ["X-Version: next"] : [])
    #expect(found == [deployment: 20], what)
  }

  /// When `apply` returns, requests go as said: at once, not soon.
  func shares() async throws {
    #expect(await site.router.port(of: service, in: environment) == nil)
    for (step, percent) in [0, 10, 50, 100, 0].enumerated() {
      try await apply(100 - percent, percent, fence: Int64(1 + step))
      let found = await site.ask(100, headers: [])
      #expect(found[old, default: 0] + found[new, default: 0] == 100, "shares sum")
      #expect(abs(found[new, default: 0] - percent) <= 5, "\(percent) %: \(found)")
    }
    #expect(await site.router.port(of: service, in: environment) != nil)
    try await apply(0, 0, fence: 9)
    await answers("nobody has a share", only: nil)
  }

  func fences() async throws {
    try await apply(100, 0, fence: 5)
    #expect(try await apply(0, 100, fence: 4) == .stale)
    #expect(try await apply(0, 100, preview: true, fence: 4) == .stale)
    await answers("late shares move nothing", only: old)
    await answers("a late preview begins nothing", only: old, preview: true)
    guard case .applied = try await apply(0, 100, fence: 5) else {
      Issue.record("the same fence was refused")
      return
    }
    await answers("the same fence may come again", only: new)
    try await site.router.close(service: service, environment: environment, fence: Fence(4))
    await answers("a late call closes nothing", only: new)
  }

  /// The reply is killed, the call is made again: the same as one call.
  func lostReplies() async throws {
    try await apply(100, 0, fence: 1)
    for (fence, percent) in [(2, 100), (3, 50), (4, 0)] as [(Int64, Int)] {
      try await site.withoutReplies {
        _ = try? await apply(100 - percent, percent, preview: percent == 50, fence: fence)
      }
      try await apply(100 - percent, percent, preview: percent == 50, fence: fence)
      let found = await site.ask(100, headers: [])
      #expect(abs(found[new, default: 0] - percent) <= 5, "\(percent) %: \(found)")
      #expect(found[nil] == nil)
    }
    await answers("the preview is over", only: old, preview: true)
  }

  func previews() async throws {
    try await apply(100, 0, preview: true, fence: 1)
    await answers("who asks gets it at 0 %", only: new, preview: true)
    await answers("nobody else does", only: old)
    let other = await site.ask(20, headers: ["X-Version: nex"])
    #expect(other == [old: 20], "another value asks for nothing")
    _ = try await site.router.apply(
      [routes(100, 0)[0], RoutedDeployment(new, percent: 0, endpoints: [])], preview: PreviewRoute(match, to: new),
      service: service, environment: environment, fence: Fence(2))
    await answers("without an endpoint it goes the ordinary way", only: old, preview: true)
    try await apply(0, 100, preview: true, fence: 3)
    try await apply(100, 0, fence: 4)
    await answers("a rollback ends it", only: old, preview: true)
    await #expect(throws: Outage.self) {
      _ = try await site.router.apply(
        routes(0, 100), preview: PreviewRoute(.header(name: "a", value: "b\nc"), to: new), service: service,
        environment: environment, fence: Fence(5))
    }
    await answers("what cannot be said safely changes nothing", only: old)
  }

  func closing() async throws {
    try await site.router.close(service: service, environment: environment, fence: Fence(1))
    try await apply(100, 0, fence: 2)
    let port = await site.router.port(of: service, in: environment)
    for _ in 0..<2 { try await site.router.close(service: service, environment: environment, fence: Fence(3)) }
    await answers("closed", only: nil)
    #expect(try await apply(100, 0, fence: 2) == .stale)
    await answers("a late route opens nothing", only: nil)
    try await apply(0, 100, fence: 4)
    await answers("offered again", only: new)
    #expect(await site.router.port(of: service, in: environment) == port)
  }

  func adoption() async throws {
    try await apply(50, 50, preview: true, fence: 1)
    let port = await site.router.port(of: service, in: environment)
    let restarted = site.restarted()
    #expect(await restarted.port(of: service, in: environment) == port)
    await answers("what was there goes on", only: new, preview: true)
    try await apply(100, 0, fence: 2, through: restarted)
    await answers("and is told anew", only: old)
    await answers("without the preview", only: old, preview: true)
  }

  func loss() async throws {
    try await apply(100, 0, preview: true, fence: 1)
    func lost(_ happening: () async throws -> Void) async throws -> RouteLoss {
      let waiting = Task { try await site.router.waitForLoss(service: service, environment: environment) }
      try await happening()
      let loss = try await waiting.value
      // What has just died may be an outage once.
      do { try await apply(100, 0, preview: true, fence: 1) } catch {
        try await apply(100, 0, preview: true, fence: 1)
      }
      await answers("as before", only: old)
      await answers("as before", only: new, preview: true)
      return loss
    }
    #expect(try await lost { try await site.loseRouter() } == .gone)
    guard case .altered(let sentence) = try await lost({ try await site.alter() }) else {
      Issue.record("a change by someone else was not told")
      return
    }
    #expect(sentence.contains("\(service)") && !sentence.hasSuffix("."))
  }
}
