import Kernel

/// A service that an environment's HAProxy offers on loopback.
package struct PublicService: Equatable, Sendable {
  package let service: ServiceName
  package let environment: EnvironmentName
  /// Nil: a free port is found at the first route and remembered in the state folder.
  package let port: Int?
  package init(_ service: ServiceName, _ environment: EnvironmentName, port: Int?) {
    self.service = service
    self.environment = environment
    self.port = port
  }
}

/// Sends requests to deployments through one HAProxy per environment, which Plimsoll starts, owns and finds again.
/// Kind: *by content*; the fence lives in `HAProxySite`.
///
/// HAProxy outlives Plimsoll and is adopted by asking its admin socket who it is. Adding a service or changing a port
/// replaces it without refusing a connection (the old one hands its listening sockets over).
package struct HAProxyRouter: Router {
  /// A killed HAProxy is noticed within this.
  private static let look = Duration.milliseconds(100)
  /// How often HAProxy's state is read back and idle servers are swept: well under a millisecond of it for a service.
  private static let closeLook = Duration.seconds(1)

  private let folder: String
  private let program: String
  private let sites: [EnvironmentName: HAProxySite]

  /// - Parameters:
  ///   - folder: state folder; one folder an environment inside it. Short, because sockets lie there.
  ///   - program: `haproxy`, or a path to it.
  package init(folder: String, program: String, services: [PublicService]) {
    self.folder = folder
    self.program = program
    sites = Dictionary(grouping: services, by: \.environment).reduce(into: [:]) { sites, entry in
      sites[entry.key] = HAProxySite(
        folder: HAProxyFolder(root: folder, environment: entry.key), program: program, environment: entry.key,
        services: entry.value.map { ($0.service, $0.port) })
    }
  }

  package func apply(
    _ routes: [RoutedDeployment], preview: PreviewRoute?, service: ServiceName, environment: EnvironmentName,
    fence: Fence
  ) async throws(Outage) -> RouteOutcome {
    try await site(environment).apply(routes, preview: preview, service: service, fence: fence)
  }

  package func close(service: ServiceName, environment: EnvironmentName, fence: Fence) async throws(Outage) {
    // An environment without any service has no other writer, so a site of this moment keeps the fence as well.
    let site =
      sites[environment]
      ?? HAProxySite(
        folder: HAProxyFolder(root: folder, environment: environment), program: program, environment: environment,
        services: [])
    try await site.close(service, fence: fence)
  }

  package func port(of service: ServiceName, in environment: EnvironmentName) async -> Int? {
    await sites[environment]?.port(of: service)
  }

  package func waitForLoss(service: ServiceName, environment: EnvironmentName) async throws(Outage) -> RouteLoss {
    let site = try site(environment)
    var nextCloseLook = ContinuousClock.now + Self.closeLook
    while !Task.isCancelled {
      let isClose = .now >= nextCloseLook
      if isClose { nextCloseLook = .now + Self.closeLook }
      if let loss = await site.loss(of: service, closely: isClose) { return loss }
      try? await Task.sleep(for: Self.look)
    }
    return .gone
  }

  private func site(_ environment: EnvironmentName) throws(Outage) -> HAProxySite {
    guard let site = sites[environment] else {
      throw Outage("haproxy", "knows no environment \(environment); add it to plimsoll.yaml and restart")
    }
    return site
  }
}
