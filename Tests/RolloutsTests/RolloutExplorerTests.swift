import Foundation
import Kernel
import Testing

@testable import Rollouts

/// One seed's world: it answers wanted effects well, badly, late, twice or never, and people interfere.
private struct RolloutExplorer {
  typealias Facts = RolloutFacts
  var chance: Seeded
  var state = Rollout.initial
  var events: [Rollout.Event] = []
  var now = Instant(milliseconds: 1_000_000)
  var given: [Rollout.Input] = []
  var faults: [String] = []
  var newestOrdinal: Int64 = 1
  /// When the freeze in force began.
  var frozenFrom: Instant?
  /// Kept apart from the machine's own list: what events said is condemned.
  var condemned: [Condemnation] = []

  init(seed: UInt64) { chance = Seeded(seed) }

  mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &chance) }
  mutating func letter() -> String { ["a", "b", "c", "d", "1", "2"][roll(6)] }
  /// Some of what is kept, and something that is not.
  mutating func bars() -> [SchemaBar] {
    var digests = state.knownGood.map(\.deployment.digest).filter { _ in roll(2) == 0 }
    if roll(4) == 0 { digests.append(Facts.digest(letter())) }
    return digests.map { SchemaBar(digest: $0, why: "It reads a column that is gone.") }
  }
  mutating func configuration() -> Digest { Facts.digest(roll(4) == 0 ? "3" : "f") }

  mutating func give(_ input: Rollout.Input) {
    let decided: [Rollout.Event]
    do throws(Refusal) {
      decided = try Rollout.decide(input, in: state, TurnContext(now: now, chance: chance.next()))
    } catch {
      switch input {
      case .configure, .rollBack, .lift, .approve, .freeze, .thaw, .drill, .setFloor: break
      case .offer, .sealed, .baselineMeasured, .ready, .instanceEnded, .routed, .judged, .aftermath, .woke, .retired,
        .announced, .exhausted, .unconfigure, .closed, .served, .budgetLooked, .schemaBars:
        faults.append("the observation \(input) was refused: \(error)")
      }
      return
    }
    given.append(input)
    for event in decided {
      Rollout.evolve(&state, event)
      switch event {
      case .condemned(let condemnation): condemned.append(condemnation)
      case .lifted(let digest, reason: _): condemned.removeAll { $0.deployment.digest == digest }
      default: break
      }
    }
    events += decided
    faults += Rollout.violations(in: state).map { "after \(input): \($0)" }
    if let preview = state.wantedPreview?.deployment, condemned.contains(where: { $0.deployment.id == preview }) {
      faults.append("after \(input): \(preview) is previewed after it was condemned")
    }
    for event in decided { accuse(event) }
    for share in state.wantedShares where share.percent > 0 {
      if let found = condemned.first(where: { $0.deployment.id == share.deployment }) {
        faults.append("after \(input): \(found.deployment.id) has \(share.percent) % after it was condemned")
      }
    }
  }

  /// What no event may tell, whatever the state says of itself.
  mutating func accuse(_ event: Rollout.Event) {
    switch event {
    case .started(let start):
      if start.kind == .forward, state.frozen != nil, !start.offer.override {
        faults.append("rollout \(start.id) started in a freeze")
      }
      if start.kind != .forward, let floor = state.raisedFloor, start.offer.ordinal < floor.ordinal {
        faults.append("\(start.kind) \(start.id) goes below the floor")
      }
      if start.kind != .forward, let bar = state.bars.first(where: { $0.digest == start.deployment.digest }) {
        faults.append("\(start.kind) \(start.id) goes to what the schema would fail: \(bar.why)")
      }
    case .stepEntered(let id, let index, percent: _, at: _):
      if let frozenFrom, let live = state.live, live.id == id, live.start.kind == .forward, state.frozen != nil,
        live.start.at < frozenFrom || !live.start.offer.override
      {
        faults.append("rollout \(id) entered step \(index) in a freeze")
      }
    case .frozen(_, let at): frozenFrom = at
    case .retired(let deployment):
      if let share = state.routed?.shares.first(where: { $0.deployment == deployment }) {
        faults.append("\(deployment) was stopped with \(share.percent) %")
      }
    default: break
    }
  }

  mutating func interfere() {
    if roll(4) == 0 { return decideByHand() }
    if roll(8) == 0 { return give(.schemaBars(bars())) }
    if case .placing(let course) = state.phase, course.start.kind != .forward, roll(2) == 0 {
      return give(.schemaBars([SchemaBar(digest: course.canary.digest, why: "It reads a column that is gone.")]))
    }
    switch roll(12) {
    case 0...4:
      let isNew = roll(3) > 0
      if isNew { newestOrdinal += 1 }
      let ordinal = isNew ? newestOrdinal : Int64.random(in: 1...newestOrdinal, using: &chance)
      give(.offer(Facts.offer(letter(), ordinal, override: roll(4) == 0)))
    case 5, 6:
      let to = roll(2) == 0 ? nil : Facts.digest(letter())
      give(.rollBack(Rollout.RollBackRequest(to: to, reason: "orders are lost", actor: "ada")))
    case 7:
      // plimsoll.yaml changes between two lives of the process: now and then the place leaves it, and comes back.
      if state.isRetired { return give(.configure(Facts.policy())) }
      roll(3) == 0 ? give(.unconfigure) : give(.lift(Facts.digest(letter()), reason: "it was the network"))
    case 8:
      give(
        .configure(
          Facts.policy(
            strategy: roll(4) == 0 ? .blueGreen : .canary, steps: Self.plans[roll(Self.plans.count)],
            holdback: [0, 5][roll(2)], preview: roll(3) == 0 ? .header(name: "X-Next", value: "1") : nil,
            drill: roll(4) == 0, judged: roll(3) > 0,
            scarcity: [.hold, .advance(after: .seconds(20)), .ask(after: .seconds(20))][roll(3)], keep: 1 + roll(3),
            announceTargets: roll(3), objectives: roll(3) == 0 ? [] : [Facts.objective],
            database: roll(3) == 0 ? nil : Facts.orders)))
    default: if let old = given.randomElement(using: &chance) { give(old) }
    }
  }

  static let plans: [[Rollout.Step]] = [
    [100], [10, 50, 100], [1, 100], [0, 100], [0, 0, 98, 100],
    [Rollout.Step(10, instances: 1), Rollout.Step(10, instances: 2), 50, 100],
    [
      Rollout.Step(0, approval: true), Rollout.Step(20, minimum: .seconds(2), detect: 4),
      Rollout.Step(100, approval: true),
    ],
  ]

  /// Two versions are known good: one can go back, and drill it.
  mutating func serveTwo() {
    for letter in ["a", "b"] {
      newestOrdinal += 1
      give(.offer(Facts.offer(letter, newestOrdinal)))
      calm()
    }
  }

  mutating func decideByHand() {
    if state.live?.start.kind == .drill, roll(2) == 0 {
      return give(.rollBack(Rollout.RollBackRequest(to: nil, reason: "orders are lost", actor: "ada")))
    }
    switch roll(8) {
    case 0...2:
      let index = roll(4) == 0 ? roll(3) : state.step ?? 0
      give(.approve(Facts.approval(state.live?.id ?? 1, index)))
    case 3: give(.freeze(Rollout.Freeze(reason: "sale", actor: "ada", until: roll(2) == 0 ? nil : now + .seconds(20))))
    case 4: give(.thaw(actor: "ada", reason: "the sale is over"))
    case 5, 6: give(.drill(actor: "ada", reason: "to know"))
    default:
      let digest = state.knownGood.randomElement(using: &chance)?.deployment.digest ?? Facts.digest(letter())
      give(.setFloor(Rollout.Floor(digest: digest, reason: "the table is new", actor: "ada")))
    }
  }

  mutating func observe() {
    guard let effect = Rollout.effects(of: state).randomElement(using: &chance) else { return }
    now = now + Span(milliseconds: Int64(roll(8_000)))
    if roll(20) == 0 { return give(.exhausted(effect.key, why: "the disk is full")) }
    switch effect {
    case .seal(let offer, service: _, environment: _):
      give(.sealed(ordinal: offer.ordinal, configuration: configuration(), sealedConfiguration: Facts.sealed))
    case .run(let deployment, let limit):
      if roll(6) == 0 {
        let end: InstanceEnd = roll(2) == 0 ? .outOfMemory : .exited(code: 1)
        return give(.instanceEnded(deployment.id, instance: 0, end: end, inRow: 1 + roll(5), at: now))
      }
      give(
        .ready(
          deployment.id, digest: roll(15) == 0 ? Facts.digest("9") : deployment.digest, endpoints: limit ?? 2,
          limit: limit))
    case .route(let routing): give(.routed(routing, at: now))
    case .measureBaseline(let id, _, slowerThan: _):
      give(.baselineMeasured(id, Baseline(requests: 100, errors: 1, slow: 1)))
    case .watch(let order):
      let verdict =
        switch roll(7) {
        case 0...2: Facts.good
        case 6: Facts.good(seeing: 3)
        case 3: Facts.scarce
        case 4: Facts.broken
        default: Facts.bad([.latency, .ceiling][roll(2)], at: now)
        }
      give(.judged(order.rollout, verdict: verdict, checkpoint: Facts.checkpoint, at: now))
    case .wake(let at, let key):
      if roll(3) > 0 { now = max(now, at) }
      if roll(10) == 0 { now = now + .minutes(1) }
      give(.woke(key))
    case .collectAftermath(let order): give(.aftermath(order.rollout, Facts.aftermath))
    case .countServed(let id, _, since: _, slowerThan: _): give(.served(id, RequestCounts(requests: 50)))
    case .retire(let deployment): give(.retired(deployment.id))
    case .close: give(.closed(at: now))
    case .watchBudget(let order):
      let errors = [0, 1, 1e9][roll(3)]
      give(Facts.looked(order, errors: roll(4) == 0 ? nil : errors, at: now))
    case .announce(let announcement, let target): give(.announced(id: announcement.id, target: target))
    }
  }

  /// The world is well again and nobody asks for anything: every wanted effect is answered, and every gate opened.
  mutating func calm() {
    if state.frozen != nil { give(.thaw(actor: "ada", reason: "all is well")) }
    // Each rollout needs at most a few answers a step, and at most one offer waits.
    for _ in 0..<60 {
      let before = events.count
      now = now + .minutes(1)
      if case .gated(let course, let index, _, since: _) = state.phase {
        give(.approve(Facts.approval(course.id, index)))
      }
      for effect in Rollout.effects(of: state) {
        switch effect {
        case .seal(let offer, service: _, environment: _):
          give(.sealed(ordinal: offer.ordinal, configuration: Facts.configuration, sealedConfiguration: Facts.sealed))
        case .run(let deployment, let limit):
          give(.ready(deployment.id, digest: deployment.digest, endpoints: limit ?? 2, limit: limit))
        case .route(let routing): give(.routed(routing, at: now))
        case .countServed(let id, _, since: _, slowerThan: _): give(.served(id, .zero))
        case .measureBaseline(let id, _, slowerThan: _): give(.baselineMeasured(id, .none))
        case .watch(let order):
          give(.judged(order.rollout, verdict: Facts.good(seeing: 3), checkpoint: Facts.checkpoint, at: now))
        case .wake(let at, let key):
          now = max(now, at)
          give(.woke(key))
        case .collectAftermath(let order): give(.aftermath(order.rollout, Facts.aftermath))
        case .retire(let deployment): give(.retired(deployment.id))
        case .close: give(.closed(at: now))
        case .watchBudget(let order): give(Facts.looked(order, errors: 0, at: now))
        case .announce(let announcement, let target): give(.announced(id: announcement.id, target: target))
        }
      }
      if events.count == before { break }
    }
    let left = Rollout.effects(of: state).map(\.key.text).filter { key in
      !["run/", "route/", "budget/"].contains { key.hasPrefix($0) }
    }
    if !left.isEmpty { faults.append("when calm, still wanted: \(left)") }
    if state.running != nil || state.pending != nil { faults.append("when calm, something still moves") }
    if state.routed == nil, !state.wantedShares.isEmpty { faults.append("when calm, the shares are not confirmed") }
  }

  /// Every rollout that started has ended, exactly once.
  mutating func settleAccounts() {
    var started: [RolloutID] = []
    var ended: [RolloutID] = []
    var isDrill: Set<RolloutID> = []
    for event in events {
      switch event {
      case .started(let start):
        started.append(start.id)
        if start.kind == .drill { isDrill.insert(start.id) }
      case .completed(let id, deployment: _, at: _), .drillAbandoned(let id, why: _, at: _),
        .rollbackAbandoned(let id, why: _, at: _):
        ended.append(id)
      case .drilled(let id, _, at: _) where isDrill.contains(id): ended.append(id)
      case .reported(let report) where !ended.contains(report.rollout): ended.append(report.rollout)
      case .unconfigured(let event):
        if let id = event.rollout, !ended.contains(id) { ended.append(id) }
      default: break
      }
    }
    if started != ended { faults.append("started \(started), ended \(ended)") }
    if started != Array(1..<(started.count + 1)) { faults.append("rollout numbers have gaps: \(started)") }
    var replayed = Rollout.initial
    for event in events { Rollout.evolve(&replayed, event) }
    if replayed != state { faults.append("replay differs from the state") }
  }
}

@Suite("Rollout: any world") struct RolloutExplorerTests {
  /// Enough for every rule to be met many times; a second or two in a debug build.
  static let seeds: UInt64 = 2_000

  @Test("whatever happens, the invariants hold, replay equals state, and when calm every rollout ends")
  func explore() throws {
    var seen: [String: Int] = [:]
    for seed in 0..<Self.seeds {
      var world = RolloutExplorer(seed: seed)
      world.give(.configure(RolloutFacts.policy(database: seed.isMultiple(of: 3) ? nil : RolloutFacts.orders)))
      if seed.isMultiple(of: 4) { world.serveTwo() }
      for _ in 0..<50 {
        if world.roll(6) == 0 { world.interfere() } else { world.observe() }
        if case .idle = world.state.phase { world.interfere() }
      }
      if seed.isMultiple(of: 20) {
        let coded = try JSONEncoder().encode(world.state)
        #expect(try JSONDecoder().decode(Rollout.State.self, from: coded) == world.state, "seed \(seed)")
      }
      world.calm()
      world.settleAccounts()
      for event in world.events { seen[event.name, default: 0] += 1 }
      #expect(world.faults.isEmpty, "seed \(seed): \(world.faults.prefix(3))")
      if !world.faults.isEmpty { break }
    }
    #expect(seen.count == 43, "some events were never met: \(seen.keys.sorted())")
    #expect(seen.filter { $0.value < 20 } == [:], "hardly ever met")
  }

  /// States that no rule makes: each must be found out, or the exploration proves nothing.
  @Test("the invariants find a planted fault")
  func planted() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    story.route()
    let sound = story.state
    func check(
      _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ plant: (inout Rollout.State) -> Void
    ) {
      var state = sound
      plant(&state)
      let found = Rollout.violations(in: state)
      #expect(found.contains { $0.contains(words) }, "\(words): \(found)", sourceLocation: sourceLocation)
    }
    let canary = RolloutFacts.deployment("b", 2)
    let condemnation = Condemnation(
      rollout: 2, deployment: canary, scope: .digest, cause: .logic, rule: "errorRate", sentence: "bad",
      conviction: nil, decidedAt: story.now)
    check("is condemned and has 10 %") { $0.condemned.append(CondemnedDigest(condemnation)) }
    check("is condemned and wanted to run") { $0.condemned.append(CondemnedDigest(condemnation)) }
    check("while it is retired") { $0.retiring.append(canary) }
    check("to run and to be retired") { $0.retiring.append(canary) }
    check("there is no database, and something is said of one") { state in
      state.bars = [SchemaBar(digest: canary.digest, why: "It reads a column that is gone.")]
    }
    let fitted = RolloutFacts.policy(database: RolloutFacts.orders)
    check("the schema was not told of what is held here") { $0.policy = fitted }
    check("has a share, and the schema does not know of it") { state in
      state.policy = fitted
      state.saidVersions = []
    }
    check("a version below the floor is kept") { state in
      let floor = Rollout.Floor(digest: canary.digest, reason: "new table", actor: "ada")
      state.raisedFloor = Rollout.RaisedFloor(floor: floor, ordinal: 2, at: story.now)
    }
    check("drills with nothing to come back to") { state in
      guard let course = state.live else { return }
      let start = Rollout.RolloutStart(
        id: course.id, kind: .forward, offer: course.start.offer, deployment: course.canary, knownGood: nil,
        steps: [10, 100], at: story.now)
      state.phase = .drilling(Course(start: start, policy: course.policy), .there(since: story.now))
    }
    check("finishes, and nothing was held back") { state in
      if let course = state.live { state.phase = .finishing(course) }
    }
    check("a person is asked about a rollback") { state in
      guard let course = state.live else { return }
      let start = Rollout.RolloutStart(
        id: course.id, kind: .rollback, offer: course.start.offer, deployment: course.canary,
        knownGood: course.start.knownGood, steps: [100], at: story.now)
      state.phase = .gated(Course(start: start, policy: course.policy), index: 0, .approval, since: story.now)
    }
    check("an offer is being sealed in a freeze") { state in
      state.phase = .sealing(RolloutFacts.offer("c", 3))
      let freeze = Rollout.Freeze(reason: "sale", actor: "ada", until: nil)
      state.frozen = Rollout.Frozen(freeze: freeze, since: story.now)
    }
    check("are not the wanted ones") { $0.routed = RoutedShares(shares: [], at: story.now) }
    check("known-good versions are kept") { state in
      state.knownGood += Array(repeating: state.knownGood[0], count: 3)
    }
    check("there is no step 7") { state in
      if case .watching(let course, index: _, let since) = state.phase {
        state.phase = .watching(course, index: 7, since: since)
      }
    }
    check("two effects have the key") { $0.retiring = Array(repeating: RolloutFacts.deployment("c", 3), count: 2) }
    check("an offer waits although nothing runs") { state in
      state.phase = .idle
      state.pending = RolloutFacts.offer("c", 3)
    }
  }
}
