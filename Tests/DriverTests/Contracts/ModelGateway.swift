import Kernel
import Synchronization

@testable import Drivers

/// An in-memory model of a gateway whose routes have weights, as a cluster has them: a test double, not a driver.
///
/// A route is an object with a version, written on condition of it; the fence is an annotation of the object. What
/// serves follows the object later and says how far it got, so whoever writes must read back.
final class ModelGateway: Sendable {
  struct Route: Equatable, Sendable {
    var weights: [DeploymentID: Int] = [:]
    var preview: PreviewRoute?
    var isOffered = true
    var fence = Fence(0)
  }
  /// So many looks pass before what was written is served.
  private static let lag = 3

  private struct State {
    var route: Route?
    var version = 0
    var served: Route?
    var servedVersion = 0
    var looksLeft = 0
    var losesReplies = false
    var port: Int?
    mutating func pass() {
      looksLeft = max(0, looksLeft - 1)
      if looksLeft == 0 { (served, servedVersion) = (route, version) }
    }
  }
  private let state = Mutex(State())

  func read() -> (route: Route?, version: Int, servedVersion: Int) {
    state.withLock {
      $0.pass()
      return ($0.route, $0.version, $0.servedVersion)
    }
  }

  var port: Int? { state.withLock { $0.port } }

  /// - Returns: the new version; nil when somebody else wrote meanwhile.
  func write(_ route: Route, onto version: Int) throws(Outage) -> Int? {
    let (written, isLost) = state.withLock { state -> (Int?, Bool) in
      guard state.version == version else { return (nil, false) }
      state.version += 1
      state.route = route
      state.looksLeft = Self.lag
      if state.port == nil, route.isOffered { state.port = 8080 }
      return (state.version, state.losesReplies)
    }
    if isLost { throw Outage("model", "the reply was lost") }
    return written
  }

  func loseReplies(_ losesReplies: Bool) { state.withLock { $0.losesReplies = losesReplies } }

  /// Someone else writes, without any fence.
  func alter(_ change: (inout Route) -> Void) {
    state.withLock { state in
      guard var route = state.route else { return }
      change(&route)
      (state.route, state.version) = (route, state.version + 1)
      state.looksLeft = 0
      state.pass()
    }
  }

  func lose() {
    state.withLock { state in
      (state.route, state.served) = (nil, nil)
      state.version += 1
      state.servedVersion = state.version
    }
  }

  /// Who serves a request, the `number`th of its kind.
  func serve(_ number: Int, headers: [String]) -> DeploymentID? {
    let route = state.withLock {
      $0.pass()
      return $0.served
    }
    guard let route, route.isOffered else { return nil }
    if let preview = route.preview, case .header(let name, let value) = preview.match,
      headers.contains("\(name): \(value)"), route.weights[preview.deployment] != nil
    {
      return preview.deployment
    }
    // 37 and 100 have no common divisor: a hundred requests meet each per cent once.
    var place = number * 37 % 100
    for (deployment, weight) in route.weights.sorted(by: { $0.key < $1.key }) {
      place -= weight
      if place < 0 { return deployment }
    }
    return nil
  }
}

/// The router over the model: what a driver for weighted routes would do.
final class ModelRouter: Router {
  private let gateway: ModelGateway
  /// What this process wrote and saw served; others' changes are told against it.
  private let applied = Mutex<ModelGateway.Route?>(nil)
  init(_ gateway: ModelGateway) { self.gateway = gateway }

  func apply(
    _ routes: [RoutedDeployment], preview: PreviewRoute?, service: ServiceName, environment: EnvironmentName,
    fence: Fence
  ) async throws(Outage) -> RouteOutcome {
    if let flaw = preview?.match.flaw { throw Outage("model", flaw) }
    let there = routes.filter { !$0.endpoints.isEmpty }
    let route = ModelGateway.Route(
      weights: Dictionary(there.map { ($0.deployment, $0.percent) }, uniquingKeysWith: { first, _ in first }),
      preview: preview, fence: fence)
    return try await put(route) ? .applied(at: .now) : .stale
  }

  func close(service: ServiceName, environment: EnvironmentName, fence: Fence) async throws(Outage) {
    _ = try await put(ModelGateway.Route(isOffered: false, fence: fence))
  }

  func port(of service: ServiceName, in environment: EnvironmentName) async -> Int? { gateway.port }

  func waitForLoss(service: ServiceName, environment: EnvironmentName) async throws(Outage) -> RouteLoss {
    while !Task.isCancelled {
      let route = gateway.read().route
      if let applied = applied.withLock({ $0 }), route != applied {
        guard route != nil else { return .gone }
        self.applied.withLock { $0 = nil }
        return .altered("someone else wrote the route of \(service)")
      }
      try? await Task.sleep(for: .milliseconds(1))
    }
    return .gone
  }

  /// False when a higher fence was there.
  private func put(_ route: ModelGateway.Route) async throws(Outage) -> Bool {
    applied.withLock { $0 = nil }
    var written: Int?
    repeat {
      let (present, version, _) = gateway.read()
      if let present, present.fence > route.fence { return false }
      written = present == route ? version : try gateway.write(route, onto: version)
    } while written == nil
    while gateway.read().servedVersion < written ?? 0 { await Task.yield() }
    applied.withLock { $0 = route }
    return true
  }
}
