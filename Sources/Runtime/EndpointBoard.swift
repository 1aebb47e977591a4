import Kernel

/// Which endpoints each deployment has now: written by the effects that keep deployments running, read and awaited by
/// the effects that route to them.
actor EndpointBoard {
  private var endpoints: [DeploymentID: [Endpoint]] = [:]
  /// Whose endpoints were told: that one of them has none is known, not merely not found yet.
  private var heard: Set<DeploymentID> = []
  private var watchers: [UInt64: (of: Set<DeploymentID>, signal: AsyncStream<Void>.Continuation)] = [:]
  private var nextWatcher: UInt64 = 0

  func set(_ new: [Endpoint], for deployment: DeploymentID) {
    let new = new.sorted()
    guard heard.insert(deployment).inserted || endpoints[deployment, default: []] != new else { return }
    endpoints[deployment] = new.isEmpty ? nil : new
    for (_, watcher) in watchers where watcher.of.contains(deployment) { watcher.signal.yield() }
  }

  /// It is stopped for good.
  func forget(_ deployment: DeploymentID) {
    set([], for: deployment)
    heard.remove(deployment)
  }

  /// An instance that ended tells nothing of the others, which may not have been found yet.
  func isHeard(of deployment: DeploymentID) -> Bool { heard.contains(deployment) }

  func endpoints(of deployment: DeploymentID) -> [Endpoint] { endpoints[deployment] ?? [] }

  func routes(for shares: [TrafficShare]) -> [RoutedDeployment] {
    shares.map { RoutedDeployment($0.deployment, percent: $0.percent, endpoints: endpoints(of: $0.deployment)) }
  }

  /// Sorted by deployment and instance.
  func ready(of service: ServiceName, in environment: EnvironmentName)
    -> [(deployment: DeploymentID, endpoint: Endpoint)]
  {
    endpoints.filter { $0.key.rawValue.hasPrefix("\(service).\(environment).") }.sorted { $0.key < $1.key }
      .flatMap { entry in entry.value.map { (entry.key, $0) } }
  }

  /// Yields at once and then after every change of these deployments' endpoints; only the newest change waits. There
  /// and back again are two changes: whoever read in between has to read again.
  func changes(of deployments: Set<DeploymentID>) -> AsyncStream<Void> {
    nextWatcher += 1
    let id = nextWatcher
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    watchers[id] = (deployments, continuation)
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.dismiss(id) }
    }
    continuation.yield()
    return stream
  }

  private func dismiss(_ watcher: UInt64) { watchers[watcher] = nil }
}
