import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// People, and misfortune: what happens of itself in one seed's world.
final class SimulatedOperators {
  private let simulation: Simulation
  private var world: World { simulation.world }
  private let until: Span
  private var branches = 0
  private var variant = 0
  private var plan = SimulatedSettings.Plan.canary
  private var absence: SimulatedSettings.Absence?

  init(_ simulation: Simulation, until: Span) {
    self.simulation = simulation
    self.until = until
  }

  /// Puts the whole of the seed's misfortunes and the first action on the agenda.
  func begin() {
    drawPlan()
    apply()
    attend()
    let plan = world.faults
    let length = until.seconds
    for _ in 0..<plan.crashes {
      sometime(length) { [world, simulation] in
        if let boundary = world.chance.pick(Boundary.allCases) { simulation.arm(boundary) }
      }
    }
    if plan.zombie { sometime(length) { [simulation] in simulation.fork() } }
    for _ in 0..<plan.diskFull {
      sometime(length) { [world, simulation] in
        simulation.ledger.refuses = true
        world.agenda.after(world.chance.span(1, 15)) { [simulation] in simulation.ledger.refuses = false }
      }
    }
    for _ in 0..<plan.kills { sometime(length) { [world] in world.platform.killOne() } }
    for _ in 0..<plan.routerLosses { sometime(length) { [world] in world.loseRouter() } }
    for _ in 0..<plan.runnerLosses { sometime(length) { [world] in world.loseRunner(for: world.chance.span(40, 240)) } }
    for _ in 0..<plan.blackouts {
      sometime(length) { [world] in world.traffic.breakSource(for: world.chance.span(5, 60)) }
    }
    for _ in 0..<plan.trafficStops {
      sometime(length) { [world] in world.traffic.stop(for: world.chance.span(20, 90)) }
    }
    for _ in 0..<plan.incidents {
      sometime(length) { [world] in world.traffic.beginIncident(for: world.chance.span(5, 40)) }
    }
    for _ in 0..<plan.externalPushes {
      sometime(length) { [world] in
        world.forge.pushFromOutside(SimulatedChange(id: world.forge.changes.count))
      }
    }
    for _ in 0..<plan.forcedBack {
      sometime(length) { [world] in
        if let past = world.chance.pick(world.forge.pastTrunks) { world.forge.forceBack(to: past) }
      }
    }
    for _ in 0..<plan.absences { sometime(length) { [self] in leaveForAWhile() } }
    next()
  }

  private func sometime(_ length: Double, _ action: @escaping () -> Void) {
    world.agenda.after(world.chance.span(length * 0.05, length * 0.95), action)
  }

  private func next() {
    world.agenda.after(world.chance.span(12, 90)) { [self] in
      guard simulation.elapsed < until else { return }
      act()
      next()
    }
  }

  /// A file is read again at each start, so it is in force in the end.
  private func apply() {
    var topology = SimulatedSettings.topology(variant: variant, plan: plan, without: absence)
    // Who leaves the file takes the folder along.
    if absence != .service { topology.flagFolders = world.flagFolders }
    if simulation.process?.engine.topology == topology { return }
    _ = simulation.request(.settings(.apply(topology)), to: .settings)
    world.agenda.after(.seconds(1)) { [self] in apply() }
  }

  private func leaveForAWhile() {
    guard absence == nil else { return }
    absence = world.chance.pick(SimulatedSettings.Absence.allCases)
    apply()
    world.agenda.after(world.chance.span(5, 120)) { [self] in
      absence = nil
      apply()
    }
  }

  private func act() {
    switch world.chance.below(100) {
    case 0..<42: submit(drawChange())
    // Together, so that there are batches.
    case 42..<54: for _ in 0..<3 { submit(drawChange()) }
    case 54..<57: edit()
    case 57..<60: hold()
    case 60..<65:
      ask(
        .queue(.withdraw(entry: 1 + world.chance.below(branches + 1), reason: "second thoughts")), SimulatedNames.queue)
    case 65..<74: promote()
    case 74..<81: rollBack()
    case 81..<86: lift()
    case 86..<90: freeze()
    case 90..<94: drill()
    default:
      variant = world.chance.below(20)
      drawPlan()
      apply()
    }
  }

  private func ask(_ input: StreamInput, _ stream: StreamID, lane: Lane = .progress) {
    _ = simulation.request(input, to: stream, lane: lane)
  }

  func submit(_ change: SimulatedChange) {
    branches += 1
    let branch: BranchName = SimulatedNames.name("change-\(branches)")
    let head = world.forge.push(change, as: branch)
    let priority: MergeQueue.Priority =
      world.chance.happens(75) ? .normal : world.chance.pick(MergeQueue.Priority.allCases) ?? .normal
    let submission = MergeQueue.Submission(
      branch: branch, head: head, author: "ada", title: "Change \(branches)", priority: priority,
      after: world.chance.happens(15) && branches > 1 ? [branches - 1] : [])
    ask(.queue(.submit(submission)), SimulatedNames.queue)
  }

  /// Somebody pushes to a branch in line.
  private func edit() {
    guard branches > 0 else { return }
    _ = world.forge.push(
      SimulatedChange(id: world.forge.changes.count),
      as: SimulatedNames.name("change-\(1 + world.chance.below(branches))"))
  }

  private func hold() {
    let kind = world.chance.pick(MergeQueue.Hold.Kind.allCases) ?? .paused
    ask(.queue(.hold(kind, reason: "an incident", by: "ada")), SimulatedNames.queue)
    world.agenda.after(world.chance.span(5, 60)) { [self] in
      ask(.queue(.resume(reason: "it is over", by: "ada")), SimulatedNames.queue)
    }
  }

  private func drawChange() -> SimulatedChange {
    var change = SimulatedChange(id: world.forge.changes.count)
    let faults = world.forge.faultsOnTrunk
    if !faults.isEmpty, world.chance.happens(75) {
      change.mends = faults
      return change
    }
    switch world.chance.below(100) {
    case 0..<52: break
    case 52..<60: change.failsTests = true
    case 60..<63: change.failsBuild = true
    case 63..<66: change.failsChecks = true
    case 66..<80: change.behaviour = .failing
    case 80..<85: change.behaviour = .slow
    case 85..<89: change.behaviour = .hanging
    case 89..<94: change.behaviour = .crashing
    case 94..<97: change.behaviour = .neverReady
    default: change.behaviour = .outOfMemory
    }
    return change
  }

  private var artifacts: [(CommitID, Digest)] {
    world.runner.artifacts.map { ($0.key.commit, $0.value) }.sorted { $0.0 < $1.0 }
  }

  private func promote() {
    guard let (commit, digest) = world.chance.pick(artifacts) else { return }
    if world.plant == .olderOfferRenumbered {
      let offer = Rollout.Offer(
        digest: digest, commit: commit, ordinal: 1_000_000 + Int64(simulation.turns), title: "old", author: "eve",
        landedAt: world.now, override: true)
      return ask(.delivery(.offer(offer)), SimulatedNames.productionDelivery)
    }
    let request = Promotion.PromoteRequest(
      environment: world.chance.happens(50) ? nil : SimulatedNames.production, override: world.chance.happens(30),
      reason: "please")
    ask(.build(.promote(request)), .build(SimulatedNames.service, commit))
  }

  private func rollBack() {
    let environment = world.chance.happens(70) ? SimulatedNames.production : SimulatedNames.staging
    ask(
      .delivery(.rollBack(Rollout.RollBackRequest(to: nil, reason: "orders are lost", actor: "ada"))),
      .delivery(SimulatedNames.service, environment), lane: .protect)
  }

  private func drawPlan() { plan = world.chance.pick(SimulatedSettings.Plan.allCases) ?? .canary }

  /// Somebody looks for gates now and then.
  private func attend() {
    world.agenda.after(world.chance.span(3, 40)) { [self] in
      guard simulation.elapsed < until else { return }
      simulation.attend()
      attend()
    }
  }

  private var somewhere: StreamID {
    world.chance.happens(80) ? SimulatedNames.productionDelivery : SimulatedNames.deliveries[0]
  }

  /// For a while, by the clock or until somebody thaws it.
  private func freeze() {
    let stream = somewhere
    let span = world.chance.span(3, 90)
    let isTimed = world.chance.happens(50)
    let freeze = Rollout.Freeze(reason: "a sale", actor: "ada", until: isTimed ? world.wallClock + span : nil)
    ask(.delivery(.freeze(freeze)), stream)
    if isTimed { return }
    world.agenda.after(span) { [self] in ask(.delivery(.thaw(actor: "ada", reason: "it is over")), stream) }
  }

  private func drill() { ask(.delivery(.drill(actor: "ada", reason: "to be sure")), somewhere) }

  private func lift() {
    guard let (_, digest) = world.chance.pick(artifacts) else { return }
    ask(.delivery(.lift(digest, reason: "it was the network")), SimulatedNames.productionDelivery)
  }
}
