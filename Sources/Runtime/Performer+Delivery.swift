import ControlPlane
import Foundation
import Kernel
import Rollouts

extension Performer {
  /// The pre-deploy baseline looks back this far, or as far as the telemetry remembers.
  static let baselineWindow = Baseline.window
  /// Evidence comes in bins of this width: the judge's reaction time.
  static let binWidth = Span(milliseconds: 250)
  /// The picture is at most this much behind the judge.
  static let evidenceInterval = Span.seconds(1)
  /// Between two looks for a lost router, so that bringing it back has time.
  static let lossPause = Duration.milliseconds(100)
  /// How long a route whose receivers have no endpoint waits for them before it takes the others' shares away anyway.
  static let adoptionPatience = Span.seconds(3)
  /// After that a receiver without an endpoint no longer keeps the shares from being confirmed, as long as another one
  /// serves: a fix must get past an old version that cannot stay up.
  static let confirmationPatience = Span.seconds(7)
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
    case .run(let deployment, let limit): try await keepRunning(deployment, limit, errand)
    case .route(let routing): try await keepRouting(routing, errand)
    case .measureBaseline(let rollout, let deployment, let slowerThan):
      let baseline = try await baseline(of: deployment, slowerThan: slowerThan, errand)
      await errand.observe(.delivery(.baselineMeasured(rollout, baseline)))
    case .watch(let order): try await watch(order, errand)
    case .wake(let instant, let key):
      await sleep(until: instant)
      if !Task.isCancelled { await errand.observe(.delivery(.woke(key))) }
    case .collectAftermath(let order): try await collectAftermath(order, errand)
    case .countServed(let rollout, let deployment, let since, let slowerThan):
      let harm = try await ports.telemetry.harm(by: deployment, slowerThan: slowerThan, since: since)
      await errand.observe(.delivery(.served(rollout, harm.counts)))
    case .retire(let deployment):
      // Before it is stopped: a place that is configured again meanwhile must not route to what is about to end. After
      // it, too, because whoever watched its instances may have told of them until then.
      await board.forget(deployment.id)
      try await ports.platform.retire(deployment, fence: errand.fence)
      await board.forget(deployment.id)
      guardBoard.retired(deployment.id)
      await errand.observe(.delivery(.retired(deployment.id)))
    case .close(let service, let environment):
      try await ports.router.close(service: service, environment: environment, fence: errand.fence)
      await errand.observe(.delivery(.closed(at: .now)))
    case .watchBudget(let order): await watchBudget(order, errand)
    case .announce(let announcement, let target):
      try await ports.announcer.announce(announcement, to: target)
      await errand.observe(.delivery(.announced(id: announcement.id, target: target)))
    }
  }

  private func keepRunning(_ deployment: Deployment, _ limit: Int?, _ errand: Errand) async throws(Outage) {
    let id = deployment.id
    let (configuration, specification) = try SealedConfiguration.open(
      try ports.sealer.open(deployment.sealedConfiguration), of: id)
    guardBoard.running(deployment, memoryLimit: specification.memoryLimitBytes)
    try await ports.platform.keepRunning(
      deployment, specification, limit: limit, configuration: configuration, fence: errand.fence
    ) { [self, board] report in
      switch report {
      case .ready(let endpoints, let digest):
        await board.set(endpoints, for: id)
        await errand.observe(.delivery(.ready(id, digest: digest, endpoints: endpoints.count, limit: limit)))
      case .endpoints(let endpoints): await board.set(endpoints, for: id)
      case .altered(let digest, let sentence):
        await notice(.altered(errand.stream, sentence: sentence, at: .now))
        // What was there is told like what is: a canary that ran other bytes than were built was judged by them.
        guard let digest else { return }
        let count = await board.endpoints(of: id).count
        await errand.observe(.delivery(.ready(id, digest: digest, endpoints: count, limit: limit)))
      case .ended(let instance, let end, let inRow, _, let at):
        await errand.observe(.delivery(.instanceEnded(id, instance: instance, end: end, inRow: inRow, at: at)))
      }
    }
  }

  /// Applies the shares, again whenever the endpoints change or the router lost its state.
  private func keepRouting(_ routing: Rollout.Routing, _ errand: Errand) async throws(Outage) {
    guard let (service, environment) = Wiring.place(of: errand.stream) else { return }
    guardBoard.moving(errand.stream)
    let changes = await board.changes(of: Set(routing.shares.map(\.deployment)))
    let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let onChange = Task { for await _ in changes { signal.yield() } }
    let onLoss = Task { [self] in
      while !Task.isCancelled {
        do throws(Outage) {
          let loss = try await ports.router.waitForLoss(service: service, environment: environment)
          if case .altered(let what) = loss {
            await notice(.altered(errand.stream, sentence: what + ". It is put right", at: .now))
          }
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
      await sleep(until: .now + Self.confirmationPatience)
      signal.yield()
    }
    defer { hurry.cancel() }
    let began = Instant.now
    for await _ in signals {
      if Task.isCancelled { return }
      let routes = await board.routes(for: routing.shares)
      let missing = routes.filter {
        ($0.percent > 0 || $0.deployment == routing.preview?.deployment) && $0.endpoints.isEmpty
      }
      let serving = routes.filter { $0.percent > 0 && !$0.endpoints.isEmpty }
      // After a restart the platform needs a moment to find its instances again: until then the router, which outlived
      // us, is left as it is rather than emptied. Receivers that are known to have none are nothing to wait for: what
      // has no share any more would keep it so long.
      if serving.isEmpty, .now - began < Self.adoptionPatience {
        var unheard = false
        for route in missing where await !board.isHeard(of: route.deployment) { unheard = true }
        if unheard { continue }
      }
      let outcome = try await ports.router.apply(
        routes, preview: routing.preview, service: service, environment: environment, fence: errand.fence)
      switch outcome {
      case .applied(let at):
        // A version with a share and no instance is the crash loop's matter, not lost throughput.
        if missing.isEmpty {
          guardBoard.confirmed(routing.shares, of: errand.stream, at: at)
        } else {
          guardBoard.moving(errand.stream)
          if serving.isEmpty || .now - began < Self.adoptionPatience + Self.confirmationPatience { continue }
        }
        await errand.observe(.delivery(.routed(routing, at: at)))
      case .stale: return
      }
    }
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
