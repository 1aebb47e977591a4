/// The share of requests that a deployment should get: 0 to 100; shares of one service and environment sum to 100,
/// or to 0 when nothing is in traffic.
package struct TrafficShare: Codable, Hashable, Sendable, Comparable {
  package let deployment: DeploymentID
  package let percent: Int
  package init(_ deployment: DeploymentID, percent: Int) {
    self.deployment = deployment
    self.percent = percent
  }
  package static func < (left: TrafficShare, right: TrafficShare) -> Bool {
    (left.deployment, left.percent) < (right.deployment, right.percent)
  }
}

/// Which endpoints stand behind a deployment now.
package struct RoutedDeployment: Equatable, Sendable {
  package let deployment: DeploymentID
  package let percent: Int
  package let endpoints: [Endpoint]
  package init(_ deployment: DeploymentID, percent: Int, endpoints: [Endpoint]) {
    self.deployment = deployment
    self.percent = percent
    self.endpoints = endpoints
  }
}

/// Sends requests to deployments. Kind: *by content*. The peer can hold no fence, so it lives in the one serialised
/// writer: a call with a lower fence than one already applied is refused with `.stale`.
package protocol Router: Sendable {
  /// Makes the router send exactly these shares; deployments not named get nothing and are removed when idle.
  /// Returns after the router confirmed it by reading its state back.
  func apply(_ routes: [RoutedDeployment], service: ServiceName, environment: EnvironmentName, fence: Fence)
    async throws(Outage) -> RouteOutcome
  /// Makes the router offer the service no more: its port refuses connections, requests under way may end. Returns after
  /// the router showed that. What is not offered, or whose router does not run, is closed already. The next `apply` with
  /// a higher fence offers it again. A call with a lower fence than one already applied changes nothing.
  func close(service: ServiceName, environment: EnvironmentName, fence: Fence) async throws(Outage)
  /// By lookup: the public port on loopback where the service answers in this environment; nil before the first route.
  func port(of service: ServiceName, in environment: EnvironmentName) async -> Int?
  /// Waits until the router lost its state (killed, restarted), then returns: the caller applies again.
  func waitForLoss(service: ServiceName, environment: EnvironmentName) async throws(Outage)
}

package enum RouteOutcome: Equatable, Sendable {
  case applied(at: Instant)
  case stale
}
