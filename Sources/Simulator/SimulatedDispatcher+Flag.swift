import ControlPlane
import Kernel
import Ramps

extension SimulatedDispatcher {
  /// As often as evidence comes.
  private static let beat = Span.seconds(1)

  func perform(_ effect: FeatureFlag.Effect, _ errand: Errand) {
    switch effect {
    case .sight(let source):
      call(errand, at: { [world] in world.flags.usual(of: source) }) { traffic in
        .flag(.trafficTold(source.environment, ramp: source.ramp, traffic))
      }
    case .watch(let order):
      var judge = RampJudge(order.source.policy, resuming: order.record)
      judge.begin(epoch: order.epoch, percent: order.percent, at: order.began)
      if let settled = order.settled { judge.settle(epoch: order.epoch, at: settled) }
      watch(order, judge, isSettled: order.settled != nil, errand)
    case .prove(let order): prove(order, errand)
    case .wake(let at, let key):
      sleep(errand, until: at) { [self] in
        observe(errand, .flag(.woke(key)), isNear: true)
        end(errand)
      }
    case .announce(let announcement, let target):
      call(
        errand,
        at: { [world] () -> Bool? in
          if world.faults.refused > 0, world.chance.happens(SimulatedAnnouncer.failing) { return nil }
          world.announcer.deliver(announcement.id, to: target)
          return true
        }
      ) { _ in .flag(.announced(id: announcement.id, target: target)) }
    }
  }

  /// Standing: a second of evidence through the real judge, and who has the stage until they all have.
  private func watch(
    _ order: FeatureFlag.WatchOrder, _ judge: RampJudge, isSettled: Bool, _ errand: Errand
  ) {
    world.agenda.after(Self.beat) { [self] in
      guard errand.isWanted else { return }
      if !world.traffic.sourceIsSound { return fail(errand, "nobody tells of the ramp") }
      let (now, environment) = (world.wallClock, order.source.environment)
      let place = FlagPlace(order.source.flag, environment)
      var (judge, isSettled) = (judge, isSettled)
      if !isSettled, let standing = world.flags.standing(of: place, epoch: order.epoch) {
        isSettled = RampPlanning.isSettled(standing, by: order.settlesBy, at: now)
        if isSettled { judge.settle(epoch: order.epoch, at: now) }
        observe(errand, .flag(.acknowledged(environment, epoch: order.epoch, standing, at: now)))
      }
      let second = world.flags.second(of: order.source, epoch: order.epoch)
      for guardrail in order.source.policy.guardrails.indices { judge.absorb(second, for: guardrail, now: now) }
      let verdict = judge.verdict(at: now)
      world.checkers.flags.judged(place, epoch: order.epoch, verdict, at: now)
      let told = world.plant == .verdictsRenumbered ? world.checkers.flags.lastGood(place) ?? verdict : verdict
      observe(errand, .flag(.judged(environment, epoch: order.epoch, told, judge.record, at: now)))
      watch(order, judge, isSettled: isSettled, errand)
    }
  }

  /// Standing: who has heard of a withdrawal, and when somebody was last seen with what was withdrawn.
  private func prove(_ order: FeatureFlag.ProofOrder, _ errand: Errand) {
    world.agenda.after(Self.beat) { [self] in
      guard errand.isWanted else { return }
      let place = FlagPlace(order.flag, order.environment)
      guard let standing = world.flags.standing(of: place, epoch: order.epoch) else {
        return fail(errand, "clients are coming back, so nobody can say who has what")
      }
      let shownAt = world.flags.shown(place, variant: order.variant, since: order.since)
      observe(
        errand,
        .flag(.proofTold(order.environment, epoch: order.epoch, standing, shownAt: shownAt, at: world.wallClock)))
      prove(order, errand)
    }
  }

  /// By content: the same commit has the same definitions.
  func perform(_ effect: FlagFolder.Effect, _ errand: Errand) {
    switch effect {
    case .read(let commit, _):
      call(
        errand, within: 0.1...2,
        at: { [world] in
          // The plant: the folder as it was when the repository was made.
          let content = world.plant == .folderReadsOld ? [] : world.forge.content(of: commit)
          return FlagSettings.reading(of: commit, content)
        }
      ) { reading in
        switch reading {
        case .found(let found): .flagFolder(.found(found))
        case .faulty(let sentences): .flagFolder(.faulty(commit: commit, sentences: sentences))
        }
      }
    }
  }
}
