import ControlPlane
import Kernel
import Ramps

/// People who make, edit, switch, plan, ramp, kill and archive flags, and what befalls the clients that hold them.
final class FlagOperators {
  private let simulation: Simulation
  private var world: World { simulation.world }
  private let until: Span
  /// Numbers what people ask for, so that each reason is one request's alone.
  private var asks = 0
  /// Whether clients have troubles of their own.
  private lazy var clientsFail = world.chance.happens(75)

  init(_ simulation: Simulation, until: Span) {
    self.simulation = simulation
    self.until = until
  }

  func begin() {
    simulation.onAttend = { [weak self] in self?.attend() }
    create(SimulatedNames.basket)
    create(SimulatedNames.checkout)
    next()
    if clientsFail { trouble() }
  }

  private func next() {
    world.agenda.after(world.chance.span(3, 20)) { [self] in
      guard simulation.elapsed < until else { return }
      act()
      next()
    }
  }

  private func trouble() {
    world.agenda.after(world.chance.span(5, 40)) { [self] in
      guard simulation.elapsed < until, let client = world.chance.pick(world.flags.clients) else { return }
      switch world.chance.below(4) {
      case 0: world.flags.deafen(client, for: world.chance.span(10, 200))
      case 1: world.flags.restart(client, after: world.chance.span(0.5, 20))
      default: world.flags.cut(client, for: world.chance.span(1, 20))
      }
      trouble()
    }
  }

  // MARK: What people do

  private var someFlag: FlagKey { world.chance.pick(SimulatedNames.flags) ?? SimulatedNames.checkout }
  private var somewhere: EnvironmentName {
    world.chance.happens(65) ? SimulatedNames.production : SimulatedNames.staging
  }
  private func signature(_ words: String) -> FeatureFlag.Signature {
    asks += 1
    let reason = "\(words) (\(asks))"
    world.checkers.flags.asks(reason)
    return FeatureFlag.Signature(actor: "ada", reason: reason)
  }

  private func ask(_ key: FlagKey, _ input: FeatureFlag.Input, lane: Lane = .progress) {
    _ = simulation.request(.flag(input), to: .flag(key), lane: lane)
  }

  private func state(of key: FlagKey) -> FeatureFlag.State? {
    guard case .flag(let state)? = simulation.process?.engine.state(of: .flag(key)) else { return nil }
    return state
  }

  private func act() {
    let (key, environment) = (someFlag, somewhere)
    switch world.chance.below(100) {
    case 0..<4: create(world.chance.happens(50) ? SimulatedNames.basket : SimulatedNames.checkout)
    case 4..<36: ask(key, .startRamp(plan(in: environment), signature("try it")))
    case 36..<44: kill(key, environment)
    case 44..<62: ask(key, .place(.init(environment: environment, isOn: true, by: signature("switch it on"))))
    case 62..<66: ask(key, .place(.init(environment: environment, isOn: false, by: signature("not now"))))
    case 66..<72: edit(key)
    case 72..<75: ask(key, .restore(revision: 1 + world.chance.below(3), signature("it was better")))
    case 75..<85: schedule(key, environment)
    case 85..<87: ask(key, .unschedule(number: 1 + world.chance.below(6), signature("second thoughts")))
    case 87..<90: ask(key, .hold(environment, signature("wait")))
    case 90..<93: ask(key, .resume(environment, signature("go on")))
    case 93..<96: ask(key, .stopRamp(environment, signature("orders are lost")), lane: .protect)
    case 96..<99: ask(key, .advance(environment, signature("looks well")))
    default: ask(key, .archive(signature("nobody needs it")))
    }
  }

  private func create(_ key: FlagKey) {
    let environments = [SimulatedNames.production, SimulatedNames.staging].map {
      FeatureFlag.Switch(environment: $0, isOn: true)
    }
    let creation = FeatureFlag.Creation(
      key: key, definition: FlagSettings.definition(of: key, text: 0), environments: environments,
      by: signature("a new flag"))
    ask(key, .create(creation))
  }

  private func plan(in environment: EnvironmentName) -> RampPlan {
    FlagSettings.plan(
      world.chance.pick(FlagSettings.rampable) ?? "on", in: environment, isGuarded: world.chance.happens(80))
  }

  /// One in three is blamed on the version that serves.
  private func kill(_ key: FlagKey, _ environment: EnvironmentName) {
    var attributed: FeatureFlag.Attribution?
    if world.chance.happens(33),
      case .delivery(let delivery)? = simulation.process?.engine.state(of: SimulatedNames.productionDelivery),
      let serving = delivery.knownGood.first?.deployment
    {
      attributed = FeatureFlag.Attribution(service: SimulatedNames.service, digest: serving.digest)
    }
    let request = FeatureFlag.KillRequest(
      environment: world.chance.happens(70) ? environment : nil, attributed: attributed,
      announceTargets: SimulatedSettings.announceTargets, by: signature("it fails"))
    ask(key, .kill(request), lane: .protect)
  }

  private func edit(_ key: FlagKey) {
    guard let state = state(of: key), state.isLive else { return }
    let needs = key == SimulatedNames.checkout && world.chance.happens(40) ? [SimulatedNames.basket] : []
    // Now and then somebody edits what has changed since.
    let over = world.chance.happens(85) ? state.revision : state.revision - 1
    let definition = FlagSettings.definition(of: key, text: world.chance.below(5), needs: needs)
    ask(key, .edit(.init(definition: definition, over: over, by: signature("say it better"))))
  }

  private func schedule(_ key: FlagKey, _ environment: EnvironmentName) {
    let change: FeatureFlag.ScheduledChange =
      world.chance.happens(40)
      ? .ramp(plan(in: environment)) : .place(environment, isOn: world.chance.happens(75))
    let at = world.wallClock + world.chance.span(2, 100)
    ask(key, .schedule(.init(at: at, change: change, by: signature("later"))))
  }

  // MARK: Who looks after them

  /// What asks is answered, and in calm nothing is held and no client is deaf.
  private func attend() {
    let isCalm = simulation.elapsed >= until
    if isCalm { world.flags.healAll() }
    for key in SimulatedNames.flags {
      for placement in state(of: key)?.placements ?? [] {
        let environment = placement.environment
        switch placement.phase {
        case .asking:
          let input: FeatureFlag.Input =
            world.chance.happens(50)
            ? .advance(environment, signature("looks well")) : .stopRamp(environment, signature("nobody can tell"))
          ask(key, input)
        case .holding(_, let hold):
          if case .person = hold.cause, isCalm { ask(key, .resume(environment, signature("it is calm"))) }
        case .still, .sighting, .placing, .watching, .stopping, .stopped, .rolledOut: break
        }
      }
    }
  }
}
