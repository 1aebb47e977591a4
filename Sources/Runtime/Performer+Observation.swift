import ControlPlane
import Kernel
import Rollouts

/// Where no place is observed.
package struct NothingObserved: ObservedTelemetry {
  package init() {}
  private static let nothing = Outage(
    "metrics", "no place is observed; add it to 'observe' in plimsoll.yaml and restart")

  package func sightings(_ service: ServiceName, _ environment: EnvironmentName) async throws(Outage)
    -> AsyncStream<VersionSighting>
  {
    throw Self.nothing
  }
  package func bins(_ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span, since: Instant)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  {
    throw Self.nothing
  }
  package func windows(
    of arm: DeploymentID, _ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span, from: Instant,
    until: Instant, width: Span
  ) async throws(Outage) -> [RequestCounts] {
    throw Self.nothing
  }
}

extension Performer {
  func perform(_ effect: Observation.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .observeVersions(let service, let environment):
      for await sighting in try await ports.observed.sightings(service, environment) {
        if Task.isCancelled { return }
        await errand.observe(.observation(.seen(sighting)))
      }
      if !Task.isCancelled { throw Outage("metrics", "the pages of \(errand.stream) are no longer read; begun anew") }
    case .watch(let order): try await observe(order, errand)
    case .wake(let instant, let key):
      await sleep(until: instant)
      if !Task.isCancelled { await errand.observe(.observation(.woke(key))) }
    case .announce(let announcement, let target):
      try await ports.announcer.announce(announcement, to: target)
      await errand.observe(.observation(.announced(id: announcement.id, target: target)))
    }
  }

  /// Evidence through the pure judge, as for a rollout of ours. What is remembered since the deployment comes first, so
  /// that one told late is judged from its beginning.
  private func observe(_ order: Observation.WatchOrder, _ errand: Errand) async throws(Outage) {
    guard let (service, environment) = Wiring.place(of: errand.stream) else { return }
    let slowerThan = order.policy.slowerThan
    let before = try await ports.observed.windows(
      of: order.previous, service, environment, slowerThan: slowerThan, from: order.since - Self.baselineWindow,
      until: order.since, width: Judge.window)
    await evidence.begin(
      EvidenceSeries(
        stream: errand.stream, rollout: order.deployment, canary: order.canary, control: order.control,
        slowerThan: slowerThan))
    var judge = Judge(
      policy: order.policy, baseline: Baseline(windows: before), canary: order.canary, control: order.control,
      resuming: order.checkpoint)
    var flushedAt = Instant(milliseconds: 0)
    for await bin in try await ports.observed.bins(service, environment, slowerThan: slowerThan, since: order.since) {
      if Task.isCancelled { break }
      let verdict = judge.absorb(bin)
      await errand.observe(
        .observation(.judged(order.deployment, verdict: verdict, checkpoint: judge.checkpoint, at: bin.to)))
      if bin.to - flushedAt >= Self.evidenceInterval {
        await evidence.append(judge.path, to: errand.stream, rollout: order.deployment, now: bin.to)
        flushedAt = bin.to
      }
    }
    await evidence.append(judge.path, to: errand.stream, rollout: order.deployment, now: .now)
    await evidence.close(errand.stream, rollout: order.deployment, now: .now)
    if !Task.isCancelled { throw Outage("metrics", "the evidence of \(errand.stream) ended; it is reopened") }
  }
}
