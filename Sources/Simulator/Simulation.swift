import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Ramps
import Rollouts

/// The real engine, machines and wiring against a simulated world, on one agenda, from one seed.
final class Simulation {
  /// Every open stream is looked at again this often. The product does so every 5 s; a minute leaves more to the
  /// messages alone.
  static let pulseInterval = Span.minutes(1)
  /// After the faults stop, everything must be at rest within this.
  static let calmLimit = Span.minutes(45)
  /// A watch that cannot make up its mind stays "until there is evidence or a person decides": after so much calm, a
  /// person does.
  static let patience = Span.minutes(20)
  /// How often a person had to.
  private(set) var decidedByHand = 0
  /// Observations sent before may arrive so much later.
  static let leastCalm = Span.seconds(35)
  /// While the ledger is full, or after a zombie's conflict, a turn is tried again after this.
  private static let retryPause = Span.seconds(0.3)

  let world: World
  let ledger: MemoryLedger
  private(set) var process: SimulatedProcess?
  private var zombie: SimulatedProcess?
  /// Every life so far: what a dead one sent still arrives, and looks whether it is alive.
  private var lives: [SimulatedProcess] = []
  private var engineChance: Chance
  private var processes = 0
  private var nextReply: UInt64 = 0
  private var isCalm = false
  private(set) var transcript = Transcript()
  private(set) var turns = 0
  /// Told of every boundary; what it says happens to the process there.
  var strikesAt: (Boundary) -> Strike? = { _ in nil }
  /// Told of the state of production's delivery after each turn that changed it.
  var onDelivery: ((Rollout.State) -> Void)?
  /// Told whenever somebody looks for what waits for a person.
  var onAttend: () -> Void = {}
  /// Nothing stays dead for ever; the exhaustive mode fixes the pause.
  var restartPause: Span?

  init(
    seed: UInt64, faults: FaultPlan, plant: Plant?, deliveries: [StreamID] = SimulatedNames.deliveries,
    flagFolders: [FlagFolder.Policy] = []
  ) {
    world = World(
      seed: seed, faults: faults, plant: plant, deliveries: deliveries, flagFolders: flagFolders)
    ledger = MemoryLedger(plant: plant)
    engineChance = Chance(seed: seed ^ 0xe9)
    world.checkers.upSince = { [unowned self] in zombie == nil ? process?.startedAt : nil }
  }

  var elapsed: Span { world.now - Agenda.beginning }

  // MARK: Life and death

  func start() {
    processes += 1
    let session = ledger.open()
    let process = SimulatedProcess(
      world: world, session: session, isRestart: processes > 1, chance: { [unowned self] in engineChance.next() },
      onViolation: { [unowned self] stream, found in
        world.checkers.report(.machinesHold, "\(stream): \(found.joined(separator: "; "))")
      })
    process.dispatcher.post = { [unowned self, unowned process] parcel in
      if case .letter(let letter) = parcel { onLetter(letter, world.wallClock) }
      process.engine.post(parcel)
      scheduleTurn(process, after: Span(milliseconds: 1))
    }
    process.dispatcher.onEffect = { [unowned process] sign, key, stream in
      process.effects.append((sign, key, stream))
    }
    let boundary: (Boundary) -> Void = { [unowned self, unowned process] boundary in
      guard process.isAlive, !process.isZombie, let strike = strike(at: boundary) else { return }
      successorSees = strike.seen
      switch strike.ending {
      case .killed: kill(process)
      case .replaced: fork()
      }
    }
    session.onBoundary = boundary
    process.dispatcher.onBoundary = boundary
    self.process = process
    lives.append(process)
    transcript.note("the process starts", at: elapsed)
    do throws(Outage) {
      try process.engine.recover(now: world.wallClock)
    } catch {
      world.checkers.report(.machinesHold, "it cannot recover: \(error)")
    }
    if hasFlags { world.flags.begin(flags(of: process)) }
    flush(process, [])
    scheduleTurn(process, after: .zero)
    if processes > 1 { lookBack(process) }
  }

  /// What the one that comes back sees of the world at first; see `Strike.Seen`.
  private func lookBack(_ process: SimulatedProcess) {
    let seen = successorSees
    successorSees = .fresh
    switch seen {
    case .fresh: break
    case .stale:
      let old = lives.flatMap(\.dispatcher.lastSeen).suffix(Strike.staleObservations)
      for pause in Strike.stalePauses {
        world.agenda.after(pause) { [unowned process] in
          for letter in old where process.isAlive { process.dispatcher.post(letter) }
        }
      }
    case .missed: process.dispatcher.missesFirst = true
    }
  }
  private var successorSees = Strike.Seen.fresh

  /// Kills the process at the next moment of this kind, where it hurts most.
  func arm(_ boundary: Boundary) { armed = boundary }
  private var armed: Boundary?

  private func strike(at boundary: Boundary) -> Strike? {
    if let strike = strikesAt(boundary) { return strike }
    guard armed == boundary else { return nil }
    armed = nil
    return Strike(.killed, .fresh)
  }

  /// `kill -9`; it comes back after a while.
  func kill(_ victim: SimulatedProcess) {
    guard victim.isAlive else { return }
    victim.dispatcher.isAlive = false
    if victim === zombie {
      zombie = nil
      return
    }
    transcript.note("the process is killed", at: elapsed)
    process = nil
    // What a turn in flight had not kept yet is compared by the next life's end.
    ledger.crash()
    world.platform.supervisorsDied()
    if hasFlags { world.flags.end() }
    let pause = restartPause ?? (isCalm ? .seconds(1) : world.chance.span(0, 20))
    let reach = world.faults.skew
    world.agenda.after(pause) { [self] in
      guard process == nil else { return }
      if reach > 0 { world.skew = world.skew + world.chance.span(-reach, reach) }
      start()
    }
  }

  /// The successor starts while the old one goes on, for a few seconds.
  func fork() {
    guard zombie == nil, let old = process else { return }
    transcript.note("a second process starts beside the first", at: elapsed)
    old.isZombie = true
    zombie = old
    start()
    world.agenda.after(world.chance.span(2, 8)) { [self] in kill(old) }
  }

  // MARK: Turns

  private func scheduleTurn(_ process: SimulatedProcess, after span: Span) {
    guard !process.isTurnDue, process.isAlive else { return }
    process.isTurnDue = true
    world.agenda.after(span) { [self] in
      process.isTurnDue = false
      turn(process)
    }
  }

  private func turn(_ process: SimulatedProcess) {
    guard process.isAlive else { return }
    turns += 1
    let engine = process.engine
    let (replies, appended) = engine.run(now: world.wallClock)
    flush(process, appended)
    for reply in replies { onReply(reply) }
    guard process.isAlive else { return }
    if engine.hasWork {
      let mustWait = engine.outage != nil || process.isZombie
      scheduleTurn(process, after: mustWait ? Self.retryPause : Span(milliseconds: 1))
    } else if let due = engine.nextDue {
      if let alarm = process.alarmAt, alarm <= due, alarm > world.wallClock { return }
      process.alarmAt = due
      world.agenda.after(max(due - world.wallClock, .seconds(0.05))) { [self] in
        if process.isAlive { scheduleTurn(process, after: .zero) }
      }
    }
  }

  private func flush(_ process: SimulatedProcess, _ appended: [RecordedEvent<StreamEvent>]) {
    for event in appended {
      world.checkers.recorded(event)
      if world.plant == .landingsToldTwice, case .queue(.landed) = event.event { world.checkers.recorded(event) }
    }
    if hasFlags { serve(process, appended) }
    if world.plant == .gateOpensItself { openGates(process, appended) }
    if world.plant == .barsDenied { denyBars(process, appended) }
    if let onDelivery, appended.contains(where: { $0.stream == SimulatedNames.productionDelivery }),
      case .delivery(let state)? = process.engine.state(of: SimulatedNames.productionDelivery)
    {
      onDelivery(state)
    }
    if !appended.isEmpty || !process.effects.isEmpty {
      transcript.note(appended, effects: process.effects, at: elapsed)
      process.effects = []
    }
  }

  private var hasFlags: Bool { !world.flagFolders.isEmpty }

  /// Every flag, with the position of its last event.
  private func flags(of process: SimulatedProcess) -> [(key: FlagKey, state: FeatureFlag.State, position: Int64)] {
    process.engine.streams.compactMap { stream in
      guard case .flag(let state)? = process.engine.state(of: stream), let key = state.key,
        let last = ledger.events.last(where: { $0.stream == stream })
      else { return nil }
      return (key, state, last.position)
    }
  }

  /// What was decided is served at once, by the process that has the lease.
  private func serve(_ process: SimulatedProcess, _ appended: [RecordedEvent<StreamEvent>]) {
    guard process.isAlive, !process.isZombie, let newest = appended.last?.position else { return }
    var last: [StreamID: Int64] = [:]
    for event in appended {
      guard case .flag(let inner) = event.event else { continue }
      last[event.stream] = event.position
      if let planted = presumed(inner) {
        world.agenda.after(.seconds(1)) {
          process.dispatcher.post(.letter(Letter(to: event.stream, .flag(planted), cause: .request(id: "planted"))))
        }
      }
    }
    for (stream, position) in last.sorted(by: { $0.key < $1.key }) {
      guard case .flag(let state)? = process.engine.state(of: stream), let key = state.key else { continue }
      world.flags.publish(key, state, at: position, version: newest)
    }
  }

  /// The plants: nobody was asked.
  private func presumed(_ event: FeatureFlag.Event) -> FeatureFlag.Input? {
    let by = FeatureFlag.Signature(actor: "plimsoll", reason: "why not")
    switch (world.plant, event) {
    case (.killUndone, .killed(let environment, _, _, _)):
      return .place(FeatureFlag.PlaceRequest(environment: environment, isOn: true, by: by))
    case (.rampAdvancesItself, .settled(let environment, _, _)): return .advance(environment, by)
    default: return nil
    }
  }

  /// The plant: nobody was asked.
  private func openGates(_ process: SimulatedProcess, _ appended: [RecordedEvent<StreamEvent>]) {
    for event in appended {
      guard case .delivery(.gated(let id, let index, .approval, at: _)) = event.event else { continue }
      let approval = Rollout.Approval(rollout: id, step: index, actor: "plimsoll", reason: "why not")
      process.dispatcher.post(
        .letter(Letter(to: event.stream, .delivery(.approve(approval)), cause: .request(id: "planted"))))
    }
  }

  /// The plant: whoever says what is barred is not believed.
  private func denyBars(_ process: SimulatedProcess, _ appended: [RecordedEvent<StreamEvent>]) {
    for event in appended {
      guard case .delivery(.barsNoted(let bars)) = event.event, !bars.isEmpty else { continue }
      process.dispatcher.post(
        .letter(Letter(to: event.stream, .delivery(.schemaBars([])), cause: .request(id: "planted"))))
    }
  }

  var onReply: (Reply) -> Void = { _ in }
  /// Told of every letter that reaches a mailbox.
  var onLetter: (Letter, Instant) -> Void = { _, _ in }

  /// Posts a request; nil when no process is there to take it.
  func request(_ input: StreamInput, to stream: StreamID, lane: Lane = .progress) -> ReplyID? {
    guard let process else { return nil }
    nextReply += 1
    let reply = ReplyID(nextReply)
    process.dispatcher.post(
      .letter(
        Letter(
          to: stream, input, cause: .request(id: "r\(nextReply)"), actor: "ada", lane: lane, reply: reply)))
    return reply
  }

  private func pulse() {
    world.agenda.after(Self.pulseInterval) { [self] in
      if let process {
        process.engine.pulse(now: world.wallClock)
        flush(process, [])
        scheduleTurn(process, after: .zero)
      }
      pulse()
    }
  }

  // MARK: The whole run

  /// Runs for `active` with faults and people, then without, until everything is at rest or the limit has passed.
  func run(active: Span, isDone: @escaping () -> Bool = { true }) {
    start()
    pulse()
    while elapsed < active, world.checkers.violations.isEmpty, world.agenda.step() {}
    guard world.checkers.violations.isEmpty else { return finish() }
    isCalm = true
    armed = nil
    world.faults = .none
    ledger.refuses = false
    transcript.note("calm", at: elapsed)
    let calmSince = elapsed
    if world.checkers.hasSchemas { world.checkers.schemas.calmSince = world.now }
    var looked = elapsed
    while world.checkers.violations.isEmpty, world.agenda.step() {
      if elapsed > active + Self.calmLimit {
        world.checkers.report(.comesToRest, "still moving: \(movement.prefix(6).joined(separator: ", "))")
        break
      }
      if Span(milliseconds: elapsed.milliseconds - looked.milliseconds) < .seconds(5) { continue }
      looked = elapsed
      let calm = Span(milliseconds: elapsed.milliseconds - calmSince.milliseconds)
      if calm > Self.leastCalm, movement.isEmpty, isDone() { break }
      attend()
      if calm > Self.patience, decidedByHand == 0 { decideByHand() }
    }
    if world.checkers.violations.isEmpty, let process {
      world.checkers.settleAccounts(ledger)
      world.checkers.compare(ledger, process.engine.streams.map { ($0, process.engine.state(of: $0)) })
    }
    finish()
  }

  /// Somebody looks: what waits for a person does not wait for ever.
  func attend() {
    onAttend()
    if case .queue(let state)? = process?.engine.state(of: SimulatedNames.queue) { attend(state) }
    for stream in world.deliveries {
      guard case .delivery(let state)? = process?.engine.state(of: stream) else { continue }
      if case .gated(let course, let index, _, since: _) = state.phase { approve(course.id, index, in: stream) }
      if let frozen = state.frozen, frozen.freeze.until == nil, isCalm {
        _ = request(.delivery(.thaw(actor: "ada", reason: "it is calm")), to: stream)
      }
    }
  }

  private func attend(_ queue: MergeQueue.State) {
    if queue.hold != nil, isCalm {
      _ = request(.queue(.resume(reason: "it is calm", by: "ada")), to: SimulatedNames.queue)
    }
    guard let needed = queue.policy?.requirements.approvals, needed > 0 else { return }
    for entry in queue.entries where entry.approvals.count < needed {
      _ = request(.queue(.report(entry: entry.id, .approved(by: "grace"))), to: SimulatedNames.queue)
    }
  }

  private func approve(_ rollout: RolloutID, _ step: Int, in stream: StreamID) {
    let approval = Rollout.Approval(rollout: rollout, step: step, actor: "ada", reason: "looks well")
    world.checkers.asks(approval)
    _ = request(.delivery(.approve(approval)), to: stream)
  }

  private func decideByHand() {
    for stream in world.deliveries {
      guard Wiring.place(of: stream)?.1 == SimulatedNames.production,
        case .delivery(let state)? = process?.engine.state(of: stream), case .watching = state.phase
      else { continue }
      decidedByHand += 1
      transcript.note("a person loses patience", at: elapsed)
      let input = Rollout.Input.rollBack(Rollout.RollBackRequest(to: nil, reason: "no verdict comes", actor: "ada"))
      _ = request(.delivery(input), to: stream, lane: .protect)
    }
  }

  private func finish() {
    process?.dispatcher.isAlive = false
    world.agenda.clear()
  }

  /// What is not at rest yet, in words: standing work that does not hold in the world, and all other work.
  private var movement: [String] {
    guard let process, zombie == nil else { return ["the process"] }
    if process.engine.hasWork { return ["the mailbox"] }
    var found: [String] = []
    for stream in process.engine.streams {
      guard let state = process.engine.state(of: stream) else { continue }
      for effect in Turn.effects(of: state) where !isAtRest(effect, stream) { found.append("\(stream) \(effect.key)") }
      if !hasEnded(state) { found.append("\(stream) waits for something that nobody does") }
    }
    return found
  }

  /// No change, promotion or rollout is under way.
  private func hasEnded(_ state: StreamState) -> Bool {
    switch state {
    case .settings: true
    case .queue(let state): state.entries.isEmpty
    case .build(let state): state.isAtRest
    case .delivery(let state): state.running == nil && state.pending == nil
    case .observation(let state): state.watch == nil
    case .schema(let state): state.phase == .idle && state.waiting.isEmpty
    case .flag(let state): state.placements.allSatisfy { $0.course == nil && $0.proof == nil }
    case .flagFolder(let state):
      switch state.phase {
      case .closed, .settled, .faulty: true
      case .waiting, .reading: false
      }
    }
  }

  /// Standing work is at rest when the world is as it wants it.
  private func isAtRest(_ effect: StreamEffect, _ stream: StreamID) -> Bool {
    switch effect {
    case .queue(.watchTrunk):
      guard case .queue(let state)? = process?.engine.state(of: stream) else { return false }
      return state.trunk == world.forge.trunk
    case .delivery(.route(let routing)):
      let sent = world.router.shares(of: stream)
      return routing.shares.allSatisfy { wanted in
        wanted.percent == (sent.first { $0.deployment == wanted.deployment }?.percent ?? 0)
          || isBroken(wanted.deployment)
      }
    case .delivery(.watchBudget):
      guard case .delivery(let state)? = process?.engine.state(of: stream) else { return false }
      return state.budget?.closed == nil && state.freeze?.actor != Rollout.budgetActor
    case .delivery(.run(let deployment, limit: _)):
      return world.platform.readyInstances(of: deployment.id) > 0 || isBroken(deployment.id)
    case .schema(.watch(let place)):
      guard case .schema(let state)? = process?.engine.state(of: stream) else { return false }
      return state.survey?.schema == world.schemas.digest(place)
    case .queue, .build, .delivery, .observation, .schema, .flag, .flagFolder: return false
    }
  }

  /// A version that cannot stay up, whatever anyone does.
  private func isBroken(_ deployment: DeploymentID) -> Bool {
    switch world.platform.running[deployment]?.behaviour {
    case .crashing, .neverReady, .outOfMemory: true
    case .good, .failing, .slow, .hanging, nil: false
    }
  }
}
