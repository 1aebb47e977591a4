import ControlPlane
import Foundation
import Kernel
import Rollouts

extension Performer {
  /// The pre-deploy baseline looks back this far, or as far as the telemetry remembers.
  static let baselineWindow = Span.minutes(10)
  /// Evidence comes in bins of this width: the judge's reaction time.
  static let binWidth = Span(milliseconds: 250)
  /// The picture is at most this much behind the judge.
  static let evidenceInterval = Span.seconds(1)
  /// Between two looks for a lost router, so that bringing it back has time.
  static let lossPause = Duration.milliseconds(100)
  /// How long a route whose receivers have no endpoint waits for them before it takes the others' shares away anyway.
  static let adoptionPatience = Span.seconds(3)
  /// After the last share moved, requests under way at the bad version may still end badly for this long.
  static let aftermathPause = Span.seconds(2)

  func perform(_ effect: Rollout.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .seal(let offer, let service, let environment):
      let (hash, sealed) = try ports.sealer.seal(
        SealedConfiguration.entries(
          try ports.catalog.variables(of: service, in: environment),
          try ports.catalog.specification(of: service, in: environment)))
      await errand.observe(
        .delivery(.sealed(ordinal: offer.ordinal, configuration: hash, sealedConfiguration: sealed)))
    case .run(let deployment): try await keepRunning(deployment, errand)
    case .route(let shares): try await keepRouting(shares, errand)
    case .measureBaseline(let rollout, let deployment, let slowerThan):
      let windows = try await ports.telemetry.historyWindows(
        of: deployment, slowerThan: slowerThan, window: Self.baselineWindow, width: Judge.window)
      let baseline =
        windows.isEmpty
        ? Baseline(
          try await ports.telemetry.history(of: deployment, slowerThan: slowerThan, window: Self.baselineWindow))
        : Baseline(windows: windows)
      await errand.observe(.delivery(.baselineMeasured(rollout, baseline)))
    case .watch(let order): try await watch(order, errand)
    case .wake(let instant, let key):
      await sleep(until: instant)
      if !Task.isCancelled { await errand.observe(.delivery(.woke(key))) }
    case .collectAftermath(let order): try await collectAftermath(order, errand)
    case .retire(let deployment):
      try await ports.platform.retire(deployment, fence: errand.fence)
      await board.set([], for: deployment.id)
      await errand.observe(.delivery(.retired(deployment.id)))
    case .close(let service, let environment):
      try await ports.router.close(service: service, environment: environment, fence: errand.fence)
      await errand.observe(.delivery(.closed(at: .now)))
    case .announce(let announcement, let target):
      try await ports.announcer.announce(announcement, to: target)
      await errand.observe(.delivery(.announced(id: announcement.id, target: target)))
    }
  }

  private func keepRunning(_ deployment: Deployment, _ errand: Errand) async throws(Outage) {
    let id = deployment.id
    let (configuration, specification) = try SealedConfiguration.open(
      try ports.sealer.open(deployment.sealedConfiguration), of: id)
    try await ports.platform.keepRunning(
      deployment, specification, configuration: configuration, fence: errand.fence
    ) { [board] report in
      switch report {
      case .ready(let endpoints, let digest):
        await board.set(endpoints, for: id)
        await errand.observe(.delivery(.ready(id, digest: digest, endpoints: endpoints.count)))
      case .endpoints(let endpoints): await board.set(endpoints, for: id)
      case .ended(let instance, let end, let inRow, _, let at):
        await errand.observe(.delivery(.instanceEnded(id, instance: instance, end: end, inRow: inRow, at: at)))
      }
    }
  }

  /// Applies the shares, again whenever the endpoints change or the router lost its state.
  private func keepRouting(_ shares: [TrafficShare], _ errand: Errand) async throws(Outage) {
    guard let (service, environment) = Wiring.place(of: errand.stream) else { return }
    let changes = await board.changes()
    let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let onChange = Task { for await _ in changes { signal.yield() } }
    let onLoss = Task { [ports] in
      while !Task.isCancelled {
        do throws(Outage) {
          try await ports.router.waitForLoss(service: service, environment: environment)
        } catch {
          // Not there to be watched: applying it again is what brings it back.
          try? await Task.sleep(for: .seconds(1))
        }
        signal.yield()
        try? await Task.sleep(for: Self.lossPause)
      }
    }
    defer {
      onChange.cancel()
      onLoss.cancel()
    }
    let hurry = Task {
      await sleep(until: .now + Self.adoptionPatience)
      signal.yield()
    }
    defer { hurry.cancel() }
    let began = Instant.now
    for await _ in signals {
      if Task.isCancelled { return }
      let routes = await board.routes(for: shares)
      let missing = routes.filter { $0.percent > 0 && $0.endpoints.isEmpty }
      let serving = routes.filter { $0.percent > 0 && !$0.endpoints.isEmpty }
      // After a restart the platform needs a moment to find its instances again: until then the router, which outlived
      // us, is left as it is rather than emptied.
      if !missing.isEmpty, serving.isEmpty, .now - began < Self.adoptionPatience { continue }
      switch try await ports.router.apply(routes, service: service, environment: environment, fence: errand.fence) {
      case .applied(let at):
        if missing.isEmpty { await errand.observe(.delivery(.routed(shares: shares, at: at))) }
      case .stale: return
      }
    }
  }

  /// One long effect: evidence through the pure judge. The machine hears of every bin and records few of them.
  private func watch(_ order: Rollout.WatchOrder, _ errand: Errand) async throws(Outage) {
    guard let (service, environment) = Wiring.place(of: errand.stream) else { return }
    await evidence.begin(
      EvidenceSeries(
        stream: errand.stream, rollout: order.rollout, canary: order.canary, control: order.control,
        slowerThan: order.policy.slowerThan))
    var judge = Judge(
      policy: order.policy, baseline: order.baseline, canary: order.canary, control: order.control,
      resuming: order.checkpoint)
    var flushedAt = Instant(milliseconds: 0)
    let bins = try await ports.telemetry.bins(
      service: service, environment: environment, slowerThan: order.policy.slowerThan, width: Self.binWidth)
    for await bin in bins {
      if Task.isCancelled { break }
      let verdict = judge.absorb(bin)
      let now = Instant.now
      await errand.observe(
        .delivery(.judged(order.rollout, verdict: verdict, checkpoint: judge.checkpoint, at: now)))
      if now - flushedAt >= Self.evidenceInterval {
        await evidence.append(judge.path, to: errand.stream, rollout: order.rollout, now: now)
        flushedAt = now
      }
    }
    await evidence.append(judge.path, to: errand.stream, rollout: order.rollout, now: .now)
    await evidence.close(errand.stream, rollout: order.rollout, now: .now)
    if !Task.isCancelled { throw Outage("telemetry", "the evidence stream of \(errand.stream) ended; it is reopened") }
  }

  private func collectAftermath(_ order: Rollout.AftermathOrder, _ errand: Errand) async throws(Outage) {
    await sleep(until: order.restoredAt + Self.aftermathPause)
    if Task.isCancelled { return }
    let harm = try await ports.telemetry.harm(by: order.canary, slowerThan: order.slowerThan, since: order.since)
    var control = RequestCounts.zero
    if let id = order.control {
      control = try await ports.telemetry.harm(by: id, slowerThan: order.slowerThan, since: order.since).counts
    }
    guard let series = await evidence.end(errand.stream, rollout: order.rollout, now: .now) else {
      throw Outage("evidence", "the series of \(errand.stream) is gone; the report is made without it")
    }
    let digest: Digest
    do {
      digest = try ports.blobs.put(Array(JSONEncoder().encode(series)))
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("evidence", "the series of \(errand.stream) cannot be coded", sources: ["\(error)"])
    }
    await errand.observe(
      .delivery(
        .aftermath(
          order.rollout,
          Rollout.Aftermath(
            firstBadAt: harm.firstBadAt, lastBadAt: harm.lastBadAt, canary: harm.counts, control: control,
            clientMinutesHurt: harm.clientMinutes, evidence: digest))))
  }
}
