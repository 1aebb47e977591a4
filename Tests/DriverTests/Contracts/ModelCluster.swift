import Kernel
import Synchronization

@testable import Drivers

/// An in-memory model of a cluster that runs one Deployment object a version: a test double, not a driver.
///
/// An object says how many pods there should be and carries the fence as an annotation. A controller follows it one small
/// step at a time, whenever anybody looks; pods that end are started again by it, not by us.
final class ModelCluster: Sendable {
  struct Pod: Equatable, Sendable {
    let number: Int
    let port: Int
    var starts = 1
    /// Looks until it is ready: long enough for everybody to see that it is not.
    var looksLeft = 2
    var isReady: Bool { looksLeft == 0 }
  }
  private struct Version {
    var replicas: Int
    var fence: Fence
    /// Rises with every accepted write: a supervision with an older one is over.
    var generation = 0
    var pods: [Pod] = []
  }
  private struct State {
    var versions: [DeploymentID: Version] = [:]
    var nextPort = 20_000
    mutating func step(_ id: DeploymentID) {
      guard var version = versions[id] else { return }
      defer { versions[id] = version }
      if let unready = version.pods.firstIndex(where: { !$0.isReady }) {
        version.pods[unready].looksLeft -= 1
      } else if version.pods.count > version.replicas {
        version.pods.removeLast()
      } else if version.pods.count < version.replicas {
        nextPort += 1
        version.pods.append(Pod(number: version.pods.count, port: nextPort))
      }
    }
  }
  private let state = Mutex(State())

  /// - Returns: the generation; nil when a higher fence was there.
  func write(_ id: DeploymentID, replicas: Int, fence: Fence) -> Int? {
    state.withLock { state in
      var version = state.versions[id] ?? Version(replicas: 0, fence: fence)
      guard fence >= version.fence else { return nil }
      (version.replicas, version.fence) = (replicas, fence)
      version.generation += 1
      state.versions[id] = version
      return version.generation
    }
  }

  func look(_ id: DeploymentID) -> (pods: [Pod], generation: Int) {
    state.withLock { state in
      state.step(id)
      let version = state.versions[id]
      return (version?.pods ?? [], version?.generation ?? 0)
    }
  }

  /// A pod's program ends; its controller starts it again.
  func fail(_ id: DeploymentID, _ number: Int) {
    state.withLock { state in
      guard var version = state.versions[id], version.pods.indices.contains(number) else { return }
      version.pods[number].starts += 1
      version.pods[number].looksLeft = 2
      state.versions[id] = version
    }
  }
}

/// The platform over the model: what a driver for such a cluster would do.
struct ModelPlatform: Platform {
  let cluster: ModelCluster

  func keepRunning(
    _ deployment: Deployment, _ specification: RunSpecification, limit: Int?, configuration: [EnvironmentVariable],
    fence: Fence, report: @escaping @Sendable (PlatformReport) async -> Void
  ) async throws(Outage) {
    let wanted = min(limit ?? specification.instances, specification.instances)
    guard let generation = cluster.write(deployment.id, replicas: wanted, fence: fence) else { return }
    var starts: [Int: Int] = [:]
    var told: [Endpoint] = []
    var saidReady = false
    while !Task.isCancelled {
      let (pods, current) = cluster.look(deployment.id)
      guard current == generation else { return }
      let ours = pods.filter { $0.number < wanted }
      for pod in ours {
        for inRow in 1..<max(1, pod.starts - starts[pod.number, default: pod.starts] + 1) {
          await report(
            .ended(instance: pod.number, end: .exited(code: 1), inRow: inRow, logTail: "", at: .now))
        }
        starts[pod.number] = pod.starts
      }
      let ready = ours.filter(\.isReady).map { Endpoint(instance: $0.number, port: $0.port) }
      if ready != told {
        told = ready
        let isAll = !saidReady && ready.count == wanted
        saidReady = saidReady || isAll
        await report(isAll ? .ready(endpoints: ready, digest: deployment.digest) : .endpoints(ready))
      }
      try? await Task.sleep(for: .milliseconds(1))
    }
  }

  func retire(_ deployment: Deployment, fence: Fence) async throws(Outage) {
    guard let generation = cluster.write(deployment.id, replicas: 0, fence: fence) else { return }
    while true {
      let (pods, current) = cluster.look(deployment.id)
      guard !pods.isEmpty, current == generation else { return }
      if Task.isCancelled { throw Outage("model", "retiring was cut short; retire it again") }
      await Task.yield()
    }
  }

  /// Pods of a model use nothing that could be measured.
  func usage(of deployments: [DeploymentID]) async -> [InstanceUsage] { [] }
}
