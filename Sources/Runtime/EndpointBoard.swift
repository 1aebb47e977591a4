import Kernel

/// Which endpoints each deployment has now: written by the effects that keep deployments running, read and awaited by
/// the effects that route to them.
actor EndpointBoard {
  private var endpoints: [DeploymentID: [Endpoint]] = [:]
  private var generation: UInt64 = 0
  private var watchers: [UInt64: AsyncStream<UInt64>.Continuation] = [:]
  private var nextWatcher: UInt64 = 0

  func set(_ new: [Endpoint], for deployment: DeploymentID) {
    let new = new.sorted()
    guard endpoints[deployment, default: []] != new else { return }
    endpoints[deployment] = new.isEmpty ? nil : new
    generation += 1
    for (_, watcher) in watchers { watcher.yield(generation) }
  }

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

  /// Yields at once and then after every change; only the newest change waits.
  func changes() -> AsyncStream<UInt64> {
    nextWatcher += 1
    let id = nextWatcher
    let (stream, continuation) = AsyncStream.makeStream(of: UInt64.self, bufferingPolicy: .bufferingNewest(1))
    watchers[id] = continuation
    continuation.onTermination = { [weak self] _ in
      guard let self else { return }
      Task { await self.forget(id) }
    }
    continuation.yield(generation)
    return stream
  }

  private func forget(_ watcher: UInt64) { watchers[watcher] = nil }
}
