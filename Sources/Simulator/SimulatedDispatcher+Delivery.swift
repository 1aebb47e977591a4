import ControlPlane
import Kernel
import Rollouts
import Statistics

extension SimulatedDispatcher {
  /// One bin of evidence and one look at whether a route holds.
  static let binWidth = Span.seconds(1)
  /// The pre-deploy baseline looks back so far, seconds.
  static let baselineSeconds = 120.0

  func perform(_ effect: Rollout.Effect, _ errand: Errand) {
    switch effect {
    case .seal(let offer, _, let environment):
      call(errand, at: { true }) { _ in
        let configuration = SimulatedNames.digest(UInt64(environment.rawValue.utf8.count) &* 1000)
        return .delivery(
          .sealed(
            ordinal: offer.ordinal, configuration: configuration, sealedConfiguration: SimulatedNames.digest(9)))
      }
    case .run(let deployment, let limit): keepRunning(deployment, limit, errand)
    case .route(let routing): route(routing, errand)
    case .measureBaseline(let rollout, let deployment, slowerThan: _):
      call(
        errand,
        at: { [world] in
          world.traffic.counts(
            of: deployment, percent: world.router.percent(deployment, in: errand.stream),
            seconds: Self.baselineSeconds)
        }
      ) { .delivery(.baselineMeasured(rollout, Baseline($0))) }
    case .watch(let order): watch(order, errand)
    case .wake(let instant, let key):
      sleep(errand, until: instant) { [self] in
        observe(errand, .delivery(.woke(key)), isNear: true)
        end(errand)
      }
    case .collectAftermath(let order):
      sleep(errand, until: order.restoredAt + .seconds(2)) { [self] in collect(order, errand) }
    case .countServed(let rollout, let deployment, since: _, slowerThan: _):
      call(
        errand,
        at: { [world] in
          world.traffic.counts(of: deployment, percent: Rollout.drillPercent, seconds: Rollout.drillSpan.seconds)
        }
      ) { .delivery(.served(rollout, $0)) }
    case .retire(let deployment):
      world.platform.leaves(deployment.id)
      arriveAgain { [world] in _ = world.platform.retire(deployment, fence: errand.fence) }
      call(errand, at: { [world] in world.platform.retire(deployment, fence: errand.fence) ? true : nil }) { _ in
        .delivery(.retired(deployment.id))
      }
    case .close:
      arriveAgain { [world] in _ = world.router.close(errand.stream, fence: errand.fence) }
      call(
        errand, at: { [world] in world.router.close(errand.stream, fence: errand.fence) ? true : nil },
        then: { [world] _ in .delivery(.closed(at: world.wallClock)) })
    case .watchBudget(let order): watchBudget(order, errand)
    case .announce(let announcement, let target):
      call(
        errand,
        at: { [world] () -> Bool? in
          if world.faults.refused > 0, world.chance.happens(SimulatedAnnouncer.failing) { return nil }
          if world.plant != .announcerAcknowledgesOnly { world.announcer.deliver(announcement.id, to: target) }
          return true
        }
      ) { _ in .delivery(.announced(id: announcement.id, target: target)) }
    }
  }

  /// A call on its way may arrive a second time, long after what it asked for was wanted: the fence must stop it.
  func arriveAgain(_ peer: @escaping () -> Void) {
    guard world.chance.happens(world.faults.duplicated) else { return }
    world.agenda.after(world.chance.span(1, FaultPlan.longestDelay), peer)
  }

  // MARK: Standing

  /// Budgets that are spent, spared and unknown by chance: whatever they do, nothing unsafe may come of it.
  private func watchBudget(_ order: Rollout.BudgetOrder, _ errand: Errand) {
    world.agenda.after(world.chance.span(1, 60)) { [self] in
      guard errand.isWanted else { return }
      let readings = order.objectives.map { objective in
        let errors = world.chance.happens(world.faults.refused) ? objective.window.seconds : 0
        let windows = BurnRate.windows(objectiveWindow: objective.window)
        let answer: WindowAnswer =
          world.chance.happens(world.faults.refused)
          ? .unknown("the server is away")
          : .counts(windows.map { WindowRatio(window: $0, requests: $0.seconds, errors: min(errors, $0.seconds)) })
        return BudgetReading(objective: objective.name, answer: answer)
      }
      observe(errand, .delivery(.budgetLooked(number: order.number, readings, at: world.wallClock)))
      watchBudget(order, errand)
    }
  }

  private func keepRunning(_ deployment: Deployment, _ limit: Int?, _ errand: Errand) {
    world.agenda.after(world.chance.span(0.02, 0.2)) { [self] in
      let isRestart = isRestart
      let supervisor = SimulatedPlatform.Supervisor(isWatching: { errand.isWanted }) { [self] report in
        switch report {
        case .ready(let endpoints, let digest):
          observe(errand, .delivery(.ready(deployment.id, digest: digest, endpoints: endpoints.count, limit: limit)))
        case .endpoints, .altered: break
        case .ended(let instance, let end, let inRow, _, let at):
          observe(
            errand, .delivery(.instanceEnded(deployment.id, instance: instance, end: end, inRow: inRow, at: at)))
        }
      }
      let isTaken = world.platform.keepRunning(
        deployment, limit: limit, fence: errand.fence, isRestart: isRestart, for: supervisor)
      onBoundary(.unacknowledged)
      if !isTaken { fail(errand, "a later call has been here") }
    }
  }

  /// Applies the shares, again when an endpoint was missing and when the router lost its state.
  private func route(_ routing: Rollout.Routing, _ errand: Errand) {
    let (shares, preview) = (routing.shares, routing.preview)
    if world.plant == .restorationDropped,
      shares.contains(where: { world.checkers.isCondemned($0.deployment, in: errand.stream) })
    {
      return
    }
    if world.chance.happens(world.faults.refused) {
      return world.agenda.after(.seconds(0.1)) { [self] in fail(errand, "the router refuses") }
    }
    var pause = world.chance.span(0.01, 0.2)
    if world.chance.happens(world.faults.stalled) { pause = pause + world.chance.span(0.5, 2) }
    world.agenda.after(pause) { [self] in
      let losses = world.router.losses
      var sent = shares
      if world.plant == .condemnedReturns {
        sent = shares.map { share in
          let isOut = world.checkers.isCondemned(share.deployment, in: errand.stream)
          return isOut ? TrafficShare(share.deployment, percent: 100) : share
        }
      }
      arriveAgain { [world] in _ = world.router.apply(sent, preview, to: errand.stream, fence: errand.fence) }
      let answer = world.router.apply(sent, preview, to: errand.stream, fence: errand.fence)
      onBoundary(.unacknowledged)
      guard errand.isWanted else { return }
      switch answer {
      case .stale: end(errand)
      case .applied(isComplete: false):
        world.agenda.after(.seconds(1)) { [self] in if errand.isWanted { route(routing, errand) } }
      case .applied(isComplete: true):
        observe(errand, .delivery(.routed(routing, at: world.wallClock)), isNear: !world.chance.happens(20))
        lookForLoss(routing, errand, losses)
      }
    }
  }

  private func lookForLoss(_ routing: Rollout.Routing, _ errand: Errand, _ losses: Int) {
    world.onRouterLoss { [self] in if errand.isWanted { route(routing, errand) } }
  }

  /// Evidence through the pure judge, bin by bin.
  private func watch(_ order: Rollout.WatchOrder, _ errand: Errand) {
    let judge = Judge(
      policy: order.policy, baseline: order.baseline, canary: order.canary, control: order.control,
      resuming: order.checkpoint)
    look(order, errand, judge)
  }

  private func look(_ order: Rollout.WatchOrder, _ errand: Errand, _ before: Judge) {
    world.agenda.after(Self.binWidth) { [self] in
      guard errand.isWanted else { return }
      if world.chance.happens(world.faults.refused / 10) { return fail(errand, "the evidence stream ended") }
      var judge = before
      let bin = world.traffic.bin(
        errand.stream, (order.canary, order.control), to: world.wallClock, width: Self.binWidth)
      var verdict = judge.absorb(bin)
      if case .bad = verdict, world.plant == .judgeNeverConvicts {
        verdict = .good(Power(requests: 1000, needed: 100, detectableRatio: nil, sentence: "all is well"))
      }
      observe(
        errand,
        .delivery(
          .judged(order.rollout, verdict: verdict, checkpoint: judge.checkpoint, at: world.wallClock)),
        isNear: true)
      look(order, errand, judge)
    }
  }

  private func collect(_ order: Rollout.AftermathOrder, _ errand: Errand) {
    call(errand, at: { true }) { [world] _ in
      let counts = RequestCounts(requests: 100, errors: 5)
      return .delivery(
        .aftermath(
          order.rollout,
          Rollout.Aftermath(
            firstBadAt: order.since, lastBadAt: order.restoredAt, canary: counts, control: .zero,
            clientMinutesHurt: 3, evidence: SimulatedNames.digest(world.salt))))
    }
  }
}
