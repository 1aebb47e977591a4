import ControlPlane
import Kernel
import MergeQueues
import Migrations
import Promotions
import Rollouts

/// People who change code and schema, mostly in the right order and sometimes in the wrong one, and whoever alters a
/// database past everyone.
final class SchemaOperators {
  private let simulation: Simulation
  private var world: World { simulation.world }
  private let until: Span
  private var branches = 0
  private var settings: SchemaSettings
  private var recordings: UInt64 = 0
  /// Something new each second, for ever.
  private lazy var isBusy = world.chance.happens(25)
  /// In calm: what was tried to see that what is right passes.
  private var probes = 0
  private var isProbing = false
  /// Columns that changes name; the first are the services' own.
  private static let columns = 9
  private var probeLimit: Int {
    switch habits {
    case .all: 6
    case .orderly: 2
    }
  }

  /// What people do.
  enum Habits {
    /// Everything, also what nobody should.
    case all
    /// They deploy, go back and contract, so many changes at most. Nobody takes a risk by name or alters a database.
    case orderly(changes: Int)
  }
  private let habits: Habits

  init(_ simulation: Simulation, until: Span, habits: Habits = .all) {
    self.simulation = simulation
    self.until = until
    self.habits = habits
    settings = SchemaSettings(
      plans: [.canary, .allAtOnce], reviews: simulation.world.chance.happens(50),
      databases: simulation.world.databases)
  }

  func begin() {
    drawPlans()
    apply()
    attend()
    if world.schemas.hasSidecars { listen() }
    let plan = world.faults
    for _ in 0..<plan.crashes {
      sometime { [world, simulation] in
        if let boundary = world.chance.pick(Boundary.allCases) { simulation.arm(boundary) }
      }
    }
    if plan.zombie { sometime { [simulation] in simulation.fork() } }
    for _ in 0..<plan.diskFull {
      sometime { [world, simulation] in
        simulation.ledger.refuses = true
        world.agenda.after(world.chance.span(1, 15)) { [simulation] in simulation.ledger.refuses = false }
      }
    }
    for _ in 0..<plan.kills { sometime { [world] in world.platform.killOne() } }
    for _ in 0..<plan.routerLosses { sometime { [world] in world.loseRouter() } }
    next()
  }

  private func sometime(_ action: @escaping () -> Void) {
    world.agenda.after(world.chance.span(until.seconds * 0.05, until.seconds * 0.95), action)
  }

  private func next() {
    world.agenda.after(world.chance.span(6, 36)) { [self] in
      guard simulation.elapsed < until else { return }
      switch habits {
      case .all: act()
      case .orderly(let changes): act(changes: changes)
      }
      next()
    }
  }

  private func drawPlans() {
    settings.plans = SimulatedNames.services.map { _ in
      world.chance.pick(SimulatedSettings.Plan.allCases) ?? .canary
    }
  }

  private func apply() {
    let topology = settings.topology
    if simulation.process?.engine.topology == topology { return }
    _ = simulation.request(.settings(.apply(topology)), to: .settings)
    world.agenda.after(.seconds(1)) { [self] in apply() }
  }

  /// Somebody looks for gates now and then.
  private func attend() {
    world.agenda.after(world.chance.span(3, 40)) { [self] in
      guard simulation.elapsed < until else { return }
      simulation.attend()
      attend()
    }
  }

  private func ask(_ input: StreamInput, _ stream: StreamID, lane: Lane = .progress) {
    _ = simulation.request(input, to: stream, lane: lane)
  }

  private var place: SchemaPlace {
    if world.databases.count == 1 { return world.databases[0] }
    return SimulatedNames.orders(world.chance.happens(65) ? SimulatedNames.production : SimulatedNames.staging)
  }
  private var delivery: StreamID { world.chance.pick(world.deliveries) ?? SimulatedNames.productionDelivery }

  private func act() {
    switch world.chance.below(100) {
    case 0..<50: submit(world.chance.happens(75) ? drawStep() : drawSlip())
    case 50..<58: submit(nil)
    case 58..<68: rollBack()
    case 68..<73: raiseFloor()
    case 73..<81: promoteRefused(override: false)
    case 81..<88: promoteRefused(override: true)
    case 88..<93: alter()
    case 93..<95: mend()
    case 95..<97: applyByHand()
    default:
      drawPlans()
      apply()
    }
  }

  private func act(changes: Int) {
    switch world.chance.below(100) {
    case 0..<64:
      if branches < changes { submit(world.chance.happens(80) ? drawStep() : drawSlip()) } else { rollBack() }
    case 64..<80: rollBack()
    case 80..<86: raiseFloor()
    case 86..<96: promoteRefused(override: false)
    default:
      drawPlans()
      apply()
    }
  }

  // MARK: Changes

  private func submit(_ schema: SimulatedSchemaChange?) {
    branches += 1
    var change = SimulatedChange(id: world.forge.changes.count)
    change.schema = schema
    let faults = world.forge.faultsOnTrunk
    if !faults.isEmpty, world.chance.happens(75) {
      change.mends = faults
    } else if !isProbing, world.chance.happens(schema == nil ? 35 : 6) {
      change.behaviour = world.chance.happens(60) ? .failing : .crashing
    }
    let branch: BranchName = SimulatedNames.name("change-\(branches)")
    let head = world.forge.push(change, as: branch)
    ask(
      .queue(.submit(MergeQueue.Submission(branch: branch, head: head, author: "ada", title: "Change \(branches)"))),
      SimulatedNames.queue)
  }

  /// The trunk as it would be alone on a fresh database.
  private var design: (schema: SimulatedSchema, code: [(ServiceName, SimulatedStatements)])? {
    let content = world.forge.content(of: world.forge.trunk)
    let steps = world.forge.migrations(of: content).flatMap(world.forge.steps)
    guard let schema = SimulatedSchema.base.after(steps) else { return nil }
    return (schema, SimulatedNames.services.map { ($0, world.forge.statements(of: $0, with: content)) })
  }

  /// One step of expand and contract, each in a change of its own.
  private func drawStep() -> SimulatedSchemaChange? {
    guard let (schema, code) = design else { return nil }
    var steps: [SimulatedSchemaChange] = []
    var contracts: [SimulatedSchemaChange] = []
    func edit(_ service: ServiceName, _ column: Int, _ use: SimulatedSchemaChange.Use) {
      steps.append(SimulatedSchemaChange(edits: [.init(service: service, column: column, use: use)]))
    }
    for column in 3..<Self.columns {
      guard schema.columns.contains(column) else {
        if schema.columns.count < 7 { steps.append(SimulatedSchemaChange(steps: [.add(column)])) }
        continue
      }
      let isRequired = schema.required.contains(column)
      for (service, statements) in code {
        let (reads, writes) = (statements.reads.contains(column), statements.writes.contains(column))
        if !writes { edit(service, column, .write) }
        if writes, !reads { edit(service, column, .read) }
        if reads { edit(service, column, .stopReading) }
        if writes, !reads, !isRequired { edit(service, column, .stopWriting) }
      }
      if isRequired {
        contracts.append(SimulatedSchemaChange(steps: [.relax(column)]))
      } else {
        if code.allSatisfy({ $0.1.writes.contains(column) }) {
          contracts.append(SimulatedSchemaChange(steps: [.require(column)]))
        }
        if !code.contains(where: { $0.1.writes.contains(column) || $0.1.reads.contains(column) }) {
          contracts.append(SimulatedSchemaChange(steps: [.drop(column)]))
        }
      }
    }
    if !contracts.isEmpty, world.chance.happens(40) { return world.chance.pick(contracts) }
    return world.chance.pick(steps)
  }

  /// What goes wrong in life: a contract too early, code before its column, both in one change.
  private func drawSlip() -> SimulatedSchemaChange? {
    guard let (schema, code) = design else { return nil }
    let column = 1 + world.chance.below(Self.columns - 1)
    let others = schema.columns.filter { $0 > 0 }
    let present = world.chance.pick(others) ?? column
    switch world.chance.below(5) {
    case 0: return SimulatedSchemaChange(steps: [.drop(present)])
    case 1: return SimulatedSchemaChange(steps: [.require(present)])
    case 2:
      return SimulatedSchemaChange(
        edits: [.init(service: world.chance.happens(50) ? code[0].0 : code[1].0, column: column, use: .write)])
    // The column goes, and the code that used it, in one deployment.
    case 3:
      return SimulatedSchemaChange(
        steps: [.drop(present)],
        edits: code.flatMap { service, _ in
          [
            .init(service: service, column: present, use: .stopReading),
            .init(service: service, column: present, use: .stopWriting),
          ]
        })
    // A column that no row may lack, and the code that writes it.
    default:
      let steps: [SimulatedSchema.Step] = schema.columns.contains(column) ? [] : [.add(column)]
      return SimulatedSchemaChange(
        steps: steps + [.require(column)], edits: code.map { .init(service: $0.0, column: column, use: .write) })
    }
  }

  // MARK: Deliveries

  private func rollBack() {
    let stream = delivery
    let targets = world.checkers.schemas.targets(of: stream)
    let to = world.chance.happens(35) ? world.chance.pick(targets) : nil
    ask(
      .delivery(.rollBack(Rollout.RollBackRequest(to: to, reason: "orders are lost", actor: "ada"))), stream,
      lane: .protect)
  }

  /// Nobody wants to go back further.
  private func raiseFloor() {
    let stream = delivery
    guard let target = world.chance.pick(Array(world.checkers.schemas.targets(of: stream).prefix(2))) else { return }
    ask(.delivery(.setFloor(Rollout.Floor(digest: target, reason: "the contract comes", actor: "ada"))), stream)
  }

  private func promoteRefused(override: Bool) {
    let place = place
    guard case .schema(let state)? = simulation.process?.engine.state(of: .schema(place)), let refused = state.refused
    else { return }
    if override {
      let request = DatabaseSchema.OverrideRequest(
        commit: refused.ask.commit, actor: "ada", reason: "nobody uses the old form")
      ask(.schema(.override(request)), .schema(place))
    }
    world.agenda.after(world.chance.span(0.5, 5)) { [self] in promote(refused.ask.service, refused.ask.commit) }
  }

  private func promote(_ service: ServiceName, _ commit: CommitID) {
    ask(
      .build(.promote(Promotion.PromoteRequest(environment: nil, override: false, reason: "again"))),
      .build(service, commit))
  }

  // MARK: By hand

  private func alter() {
    let place = place
    let schema = world.schemas.schema(place)
    let step: SimulatedSchema.Step
    switch world.chance.below(4) {
    case 0: step = .drop(world.chance.pick(schema.columns.filter { $0 > 2 }) ?? 2)
    case 1: step = .require(world.chance.pick(schema.columns) ?? 0)
    case 2: step = .relax(world.chance.pick(schema.required) ?? 0)
    // Something that no version knows of.
    default: step = .add(20 + world.chance.below(4))
    }
    if let altered = schema.after(step) { world.schemas.alter(place, to: altered) }
    if world.chance.happens(60) {
      world.agenda.after(world.chance.span(5, 150)) { [self] in mend(place) }
    }
  }

  /// As the book says it should be.
  private func mend(_ chosen: SchemaPlace? = nil) {
    let place = chosen ?? place
    let steps = world.schemas.database(place).names.flatMap(world.forge.steps)
    if let schema = SimulatedSchema.base.after(steps) { world.schemas.alter(place, to: schema) }
  }

  /// Somebody runs the next migration at a console, and tells the book later.
  private func applyByHand() {
    let place = place
    let trunk = world.forge.trunk
    let book = world.schemas.database(place).names
    guard let change = world.forge.migrations(of: trunk).first(where: { !book.contains($0) }),
      let altered = world.schemas.schema(place).after(world.forge.steps(of: change))
    else { return }
    world.schemas.alter(place, to: altered)
    world.agenda.after(world.chance.span(5, 60)) { [self] in
      let adoption = DatabaseSchema.Adoption(
        commit: trunk, through: "m\(change)", actor: "ada", reason: "it was applied by hand")
      ask(.schema(.adopt(adoption)), .schema(place))
    }
  }

  // MARK: Sidecars

  /// In calm only what is missing.
  private func listen() {
    let isCalm = simulation.elapsed >= until
    let pause = isCalm ? .seconds(5) : isBusy ? world.chance.span(0.2, 1.2) : world.chance.span(3, 30)
    world.agenda.after(pause) { [self] in
      for place in world.databases { tell(place) }
      listen()
    }
  }

  private func tell(_ place: SchemaPlace) {
    guard case .schema(let state)? = simulation.process?.engine.state(of: .schema(place)) else { return }
    let asks = (state.waiting + [state.current].compactMap(\.self)).compactMap { errand -> DatabaseSchema.Ask? in
      if case .ask(let ask) = errand { ask } else { nil }
    }
    var clients = state.versions.map(\.client)
    clients += (asks + [state.refused?.ask].compactMap(\.self)).map {
      SchemaClient(service: $0.service, digest: $0.digest, commit: $0.commit, statements: nil)
    }
    let missing = clients.filter { client in
      state.upload(of: client.service, client.digest) == nil
        && world.schemas.known(of: SimulatedVersion(service: client.service, commit: client.commit), nil) == nil
    }
    if simulation.elapsed >= until {
      for client in missing { tell(place, client, over: state.upload(of: client.service, client.digest)) }
    } else if let client = world.chance.pick(world.chance.happens(50) && !missing.isEmpty ? missing : clients) {
      // Two that send at once know the same, and one of them tells it again later.
      let known = world.chance.happens(10) ? nil : state.upload(of: client.service, client.digest)
      tell(place, client, over: known)
    }
  }

  private func tell(_ place: SchemaPlace, _ client: SchemaClient, over known: Digest?) {
    recordings += 1
    let upload = DatabaseSchema.Upload(
      service: client.service, digest: client.digest, statements: SimulatedNames.digest(900_000 + recordings))
    ask(.schema(.record(upload, over: known)), .schema(place))
  }

  // MARK: Calm

  /// When everything is at rest: what waits for a person is asked again, and proper steps are taken, so that whatever
  /// breaks nobody is seen to pass.
  func probe() -> Bool {
    guard world.checkers.schemas.isSettled else { return false }
    isProbing = true
    probes += 1
    if probes > probeLimit { return true }
    let refused = SimulatedNames.services.filter { service in
      guard case .build(let state)? = simulation.process?.engine.state(of: .build(service, world.forge.trunk)),
        case .halted = state.phase
      else { return false }
      return true
    }
    for service in refused { promote(service, world.forge.trunk) }
    if probes.isMultiple(of: 2) { submit(drawStep()) }
    return false
  }
}
