import ControlPlane
import Kernel
import Rollouts

/// The work behind "1,000 concurrent rollouts with one-second evidence" of `make bench-rollouts`: one engine with a
/// watched rollout in each of many places, and for each of them what `Performer.watch` does with a bin: the judge, its
/// checkpoint, the machine's decision, the diff of its wants. As in the product a bin is a letter of its own, and a
/// turn includes the machines' invariants. No world: what a driver does to make a bin is not in it.
package final class WatchBenchmark<Store: EventStore> where Store.Event == StreamEvent, Store.State == StreamState {
  /// Of both versions together in each place; a bin's size costs nothing, a bad request does.
  package static var requestsPerSecond: Int { 100 }
  /// 0.5 % of the new version's requests fail or are slow, so that evidence moves and tests are weighed.
  static var badRate: Double { 0.005 }
  /// Different bins drawn before anything is measured.
  private static var drawnBins: Int { 512 }
  /// Turns within which every place is watched; more are a defect in this benchmark.
  private static var mostTurnsToBegin: Int { 200 }

  private struct Watch {
    let stream: StreamID
    let order: Rollout.WatchOrder
    var judge: WatchJudge
    let key: EffectKey
  }

  private let engine: Engine<Store, WantsNoted>
  private let dispatcher = WantsNoted()
  private let width: Span
  private let counts: [(canary: RequestCounts, control: RequestCounts)]
  private var watches: [Watch] = []
  /// The world's time, which is the last bin's end.
  package private(set) var now = Agenda.beginning
  private var nextBin = 0

  /// - Parameters:
  ///   - store: new and empty.
  ///   - rollouts: 1 or more, as many as are watched at once.
  ///   - width: of a bin; a part of a second or one.
  /// - Throws: what the store throws when it cannot be written.
  package init(store: Store, rollouts: Int, width: Span) throws(Outage) {
    self.width = width
    var chance = Chance(seed: 17)
    let requests = max(Int(Double(Self.requestsPerSecond) * width.seconds), 2)
    counts = (0..<Self.drawnBins).map { _ in
      let canary = requests / 2
      let errors = chance.count(of: canary, rate: Self.badRate / 5)
      return (
        RequestCounts(requests: canary, errors: errors, slow: chance.count(of: canary - errors, rate: Self.badRate)),
        RequestCounts(requests: requests - canary, errors: chance.count(of: requests - canary, rate: Self.badRate / 5))
      )
    }
    var turnChance = Chance(seed: 5)
    engine = Engine(
      store: store, dispatcher: dispatcher, checksInvariants: true, chance: { turnChance.next() })
    try begin(rollouts)
  }

  package var rollouts: Int { watches.count }
  /// Letters that wait for a sick store; empty when all is well.
  package var outage: Outage? { engine.outage }

  // MARK: Beginning

  /// A first version without a judge, so that there is a known-good; then a judged one, up to its watch.
  private func begin(_ rollouts: Int) throws(Outage) {
    let places = (1...max(rollouts, 1)).map {
      StreamID.delivery(SimulatedNames.name("s\($0)"), SimulatedNames.production)
    }
    for (isJudged, ordinal) in [(false, Int64(1)), (true, 2)] {
      for (index, stream) in places.enumerated() {
        guard let (service, environment) = Wiring.place(of: stream) else { continue }
        post(.configure(Self.policy(service, environment, isJudged: isJudged)), to: stream)
        post(.offer(Self.offer(ordinal, UInt64(index))), to: stream)
      }
      try settle(untilWatched: isJudged ? places.count : 0)
    }
    guard watches.count == places.count else {
      throw Outage("benchmark", "only \(watches.count) of \(places.count) rollouts came to be watched")
    }
  }

  private static func policy(
    _ service: ServiceName, _ environment: EnvironmentName, isJudged: Bool
  ) -> Rollout.Policy {
    Rollout.Policy(
      service: service, environment: environment, stepMinimum: isJudged ? .minutes(24 * 60) : .zero,
      finalWatch: isJudged ? .minutes(24 * 60) : .zero, judged: isJudged, judge: JudgePolicy(sloP99: .seconds(0.3)),
      scarcity: .hold, startLimit: .minutes(2), announceTargets: 0)
  }

  private static func offer(_ ordinal: Int64, _ place: UInt64) -> Rollout.Offer {
    let number = UInt64(ordinal) * 1_000_003 + place
    return Rollout.Offer(
      digest: SimulatedNames.digest(number), commit: SimulatedNames.commit(number), ordinal: ordinal,
      title: "a change", author: "somebody", landedAt: Agenda.beginning, override: false)
  }

  /// Answers every want at once, as a world in which all goes well.
  private func settle(untilWatched count: Int) throws(Outage) {
    for _ in 0..<Self.mostTurnsToBegin {
      now = now + .seconds(1)
      repeat { _ = engine.run(now: now) } while engine.hasWork
      if let outage = engine.outage { throw outage }
      let wanted = dispatcher.takeAll()
      if wanted.isEmpty { return }
      for (effect, stream) in wanted {
        guard case .delivery(let effect) = effect else { continue }
        answer(effect, of: stream)
      }
    }
  }

  private func answer(_ effect: Rollout.Effect, of stream: StreamID) {
    switch effect {
    case .seal(let offer, service: _, environment: _):
      post(
        .sealed(
          ordinal: offer.ordinal, configuration: SimulatedNames.digest(7), sealedConfiguration: SimulatedNames.digest(9)
        ),
        to: stream)
    case .run(let deployment, let limit):
      post(.ready(deployment.id, digest: deployment.digest, endpoints: limit ?? 2, limit: limit), to: stream)
    case .route(let routing): post(.routed(routing, at: now), to: stream)
    case .measureBaseline(let rollout, _, slowerThan: _):
      post(.baselineMeasured(rollout, Baseline(requests: 60_000, errors: 60, slow: 240)), to: stream)
    case .watch(let order):
      watches.append(
        Watch(
          stream: stream, order: order,
          judge: WatchJudge(
            policy: order.policy, baseline: order.baseline, canary: order.canary, control: order.control,
            resuming: order.checkpoint), key: effect.key))
    case .wake(let instant, let key): if instant <= now { post(.woke(key), to: stream) }
    case .retire(let deployment): post(.retired(deployment.id), to: stream)
    case .collectAftermath, .countServed, .close, .watchBudget, .announce: break
    }
  }

  private func post(_ input: Rollout.Input, to stream: StreamID, because cause: Cause = .request(id: "benchmark")) {
    engine.post(.letter(Letter(to: stream, .delivery(input), cause: cause, lane: .protect)))
  }

  // MARK: Measured

  /// One bin through every judge, and every verdict through the machine.
  ///
  /// - Parameter between: called between the judge's part and the engine's, and at the end: for the clock.
  /// - Returns: events appended.
  package func bin(_ between: () -> Void) -> Int {
    let from = now
    now = now + width
    for index in watches.indices {
      let bin = evidence(for: watches[index].order, from: from, to: now)
      let verdict = watches[index].judge.absorb(bin)
      let watch = watches[index]
      post(
        .judged(watch.order.rollout, verdict: verdict, checkpoint: watch.judge.checkpoint, at: now), to: watch.stream,
        because: .observed(effect: watch.key))
    }
    between()
    var events = 0
    repeat { events += engine.run(now: now).1.count } while engine.hasWork
    _ = dispatcher.takeAll()
    between()
    return events
  }

  private func evidence(for order: Rollout.WatchOrder, from: Instant, to: Instant) -> EvidenceBin {
    nextBin = (nextBin + 1) % counts.count
    let (canary, control) = counts[nextBin]
    var arms = [
      ArmEvidence(
        deployment: order.canary, counts: canary, firstBadAt: canary.errors > 0 ? from : nil,
        lastBadAt: canary.errors > 0 ? to : nil, p99Ms: 40)
    ]
    if let id = order.control { arms.append(ArmEvidence(deployment: id, counts: control, p99Ms: 40)) }
    return EvidenceBin(from: from, to: to, arms: arms.sorted { $0.deployment < $1.deployment }, source: .sound)
  }

  /// The pictures' points, as the watches have them; for whoever keeps them.
  package func series() -> [(series: EvidenceSeries, points: [EvidencePoint])] {
    watches.map { watch in
      (
        EvidenceSeries(
          stream: watch.stream, rollout: watch.order.rollout, canary: watch.order.canary, control: watch.order.control,
          slowerThan: watch.order.policy.slowerThan), watch.judge.path
      )
    }
  }
}

/// Notes what is wanted, for whoever plays the world.
private final class WantsNoted: EffectDispatcher {
  private var wanted: [(StreamEffect, StreamID)] = []
  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) { wanted.append((effect, stream)) }
  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {}
  func takeAll() -> [(StreamEffect, StreamID)] {
    defer { wanted = [] }
    return wanted
  }
}
