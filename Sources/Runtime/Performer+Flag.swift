import ControlPlane
import Kernel
import Ramps
import Synchronization

/// Where no clients are known.
package struct NoFlagAudience: FlagAudience {
  package init() {}
  package func standing(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async throws(Outage)
    -> FlagStanding
  {
    FlagStanding()
  }
  package func version(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async -> Int? { nil }
}

/// Where nobody gathers evidence: a ramp goes by its stages' least times where it has no guardrails, and asks where it
/// has some.
package struct NoRampEvidence: RampEvidence {
  package init() {}
  package func tellings(of ramp: RampSource) async throws(Outage) -> AsyncStream<[RampTelling]> {
    AsyncStream { continuation in
      let beat = Task {
        while !Task.isCancelled {
          continuation.yield([])
          await sleep(until: .now + .seconds(1))
        }
      }
      continuation.onTermination = { _ in beat.cancel() }
    }
  }
  package func allocated(_ allocation: RampAllocation, of ramp: RampSource) async {}
  package func usual(of ramp: RampSource) async throws(Outage) -> [UsualTraffic?] { [] }
  package func shown(
    _ flag: FlagKey, in environment: EnvironmentName, variant: String?, since: Instant
  ) async throws(Outage) -> Instant? { nil }
}

extension Performer {
  /// Clients on a stream have a change within milliseconds, and a stage is judged anew from when they all have it.
  static let settleInterval = Span.seconds(0.25)
  /// As often as evidence comes.
  static let proofInterval = Span.seconds(1)

  func perform(_ effect: FeatureFlag.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .sight(let source):
      let traffic = try await ports.ramps.usual(of: source)
      await errand.observe(.flag(.trafficTold(source.environment, ramp: source.ramp, traffic)))
    case .watch(let order): try await watch(order, errand)
    case .prove(let order): try await prove(order, errand)
    case .wake(let at, let key):
      await sleep(until: at)
      if !Task.isCancelled { await errand.observe(.flag(.woke(key))) }
    case .announce(let announcement, let target):
      try await ports.announcer.announce(announcement, to: target)
      await errand.observe(.flag(.announced(id: announcement.id, target: target)))
    }
  }

  /// One long effect a stage: evidence through the pure judge. The machine hears of every batch and records few of them.
  private func watch(_ order: FeatureFlag.WatchOrder, _ errand: Errand) async throws(Outage) {
    let environment = order.source.environment
    var judge = RampJudge(order.source.policy, resuming: order.record)
    judge.begin(epoch: order.epoch, percent: order.percent, at: order.began)
    let settling = SettlingInbox(order.settled)
    var isVersionKnown = await tell(order, settled: order.settled)
    let settler = order.settled == nil ? Task { await self.settle(order, errand, settling) } : nil
    defer { settler?.cancel() }
    for await batch in try await ports.ramps.tellings(of: order.source) {
      if Task.isCancelled { break }
      let now = Instant.now
      if let settled = settling.value { judge.settle(epoch: order.epoch, at: settled) }
      // After a restart the watch may be up before what it watches is served.
      if !isVersionKnown { isVersionKnown = await tell(order, settled: settling.value) }
      for telling in batch {
        switch telling {
        case .second(let second, let guardrail): judge.absorb(second, for: guardrail, now: now)
        case .units(let units, let epoch, let second):
          judge.absorb(units: units, epoch: epoch, second: second, now: now)
        }
      }
      await errand.observe(
        .flag(
          .judged(environment, epoch: order.epoch, judge.verdict(at: now), judge.record, at: now)))
    }
    if !Task.isCancelled { throw Outage("evidence", "the evidence of \(errand.stream) ended; it is opened again") }
  }

  /// Whose evidence belongs to the epoch.
  ///
  /// - Returns: whether the epoch is served, so that its version is known.
  @discardableResult
  private func tell(_ order: FeatureFlag.WatchOrder, settled: Instant?) async -> Bool {
    let version = await ports.audience.version(
      of: order.source.flag, in: order.source.environment, epoch: order.epoch)
    await ports.ramps.allocated(
      RampAllocation(epoch: order.epoch, version: version, began: order.began, settled: settled), of: order.source)
    return version != nil
  }

  /// Until clients have the epoch, or are waited for no longer. Who cannot be asked is not waited for beyond that either.
  private func settle(_ order: FeatureFlag.WatchOrder, _ errand: Errand, _ inbox: SettlingInbox) async {
    let environment = order.source.environment
    var told: FlagStanding?
    while !Task.isCancelled {
      var standing: FlagStanding?
      do throws(Outage) {
        standing = try await ports.audience.standing(of: order.source.flag, in: environment, epoch: order.epoch)
      } catch {
        // The machine's own clock ends the wait.
      }
      let now = Instant.now
      let known = standing ?? FlagStanding()
      let isSettled = RampPlanning.isSettled(known, by: order.settlesBy, at: now)
      if isSettled { inbox.put(now) }
      // The version is known once the epoch is served, which may be after the watch began.
      if isSettled || standing != told { await tell(order, settled: isSettled ? now : nil) }
      if let standing, isSettled || standing != told, !Task.isCancelled {
        told = standing
        await errand.observe(.flag(.acknowledged(environment, epoch: order.epoch, standing, at: now)))
      }
      if isSettled { return }
      await sleep(until: now + Self.settleInterval)
    }
  }

  /// Until the machine wants it no more: who has not heard is asked about for as long as it takes.
  private func prove(_ order: FeatureFlag.ProofOrder, _ errand: Errand) async throws(Outage) {
    while !Task.isCancelled {
      let standing = try await ports.audience.standing(of: order.flag, in: order.environment, epoch: order.epoch)
      let shownAt = try await ports.ramps.shown(
        order.flag, in: order.environment, variant: order.variant, since: order.since)
      let now = Instant.now
      if Task.isCancelled { return }
      await errand.observe(
        .flag(.proofTold(order.environment, epoch: order.epoch, standing, shownAt: shownAt, at: now)))
      await sleep(until: now + Self.proofInterval)
    }
  }
}

/// When a stage was settled, from the task that asks to the task that judges.
private final class SettlingInbox: Sendable {
  private let at: Mutex<Instant?>
  init(_ at: Instant?) { self.at = Mutex(at) }
  func put(_ instant: Instant) { at.withLock { $0 = $0 ?? instant } }
  var value: Instant? { at.withLock { $0 } }
}
