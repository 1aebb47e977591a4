import Kernel

@testable import MergeQueues

/// One seeded world around the machine: effects are carried out late, twice or never, observations are lost, repeated
/// and reordered, runs lie red, people submit, withdraw, approve, pause and push past the queue, planners propose
/// nonsense, and the process crashes.
struct Explorer {
  private var random: SplitMix64
  private var forge: ToyForge
  private var state = MergeQueue.initial
  private var history: [MergeQueue.Event] = []
  /// Observations on their way.
  private var mail: [MergeQueue.Input] = []
  /// Effects that were wanted once: any of them may still start, late.
  private var orders: [MergeQueue.Effect] = []
  private var tested: Set<TreeID> = []
  private var landed: Set<Int> = []
  private var notes: [CommitID: String] = [:]
  private var branches = 0
  private var clock: Int64 = 0
  private var isCalm = false
  /// Whether people push past the queue, withdraw and reconfigure, and the process crashes; else queues grow deep.
  private let isRough: Bool
  /// Whether runs are red without cause, in percent of runs.
  private let flakes: Double
  private var needsApproval = false
  /// What databases will say, each once, whenever they get to it: their streams lose nothing.
  private var reviews: [MergeQueue.Input] = []
  /// Heads that a database would not let pass.
  private var refused: Set<CommitID> = []
  /// Pushed while lanes were allowed to differ: nobody calls a push back when that is forbidden.
  private var pushedLoosely: Set<CommitID> = []
  private let isWide: Bool
  /// A runner that calls every test passed; the checks must notice.
  private let runnerLies: Bool
  private(set) var failure: String?
  /// Changes sent away by runs that lied twice.
  private(set) var wronged = 0

  var eventNames: Set<String> { Set(history.map(\.name)) }
  var turns: Int { Int(clock) }
  /// Whether anything came to the trunk that is red there.
  var hasLandedRed: Bool {
    history.contains { if case .landed(let landing) = $0 { !forge.isGreen(landing.commit) } else { false } }
  }

  init(seed: UInt64, runnerLies: Bool = false) {
    random = SplitMix64(state: seed)
    forge = ToyForge(salt: random.next())
    isRough = random.happens(50)
    flakes = random.happens(50) ? 12 : 0
    isWide = random.happens(30)
    self.runnerLies = runnerLies
  }

  /// Runs `steps` in a faulty world, then lets it calm down.
  /// - Returns: what went wrong first, or nil.
  mutating func run(steps: Int) -> String? {
    take(.configure(draw()))
    for _ in 0..<steps where failure == nil { step() }
    calm()
    return failure
  }

  private mutating func draw() -> MergeQueue.Policy {
    var rules = [atOnce, careful, .usual].randomElement(using: &random)!
    rules.mode = SchedulingRules.Mode.allCases.randomElement(using: &random)!
    rules.isOptimistic = random.happens(30)
    needsApproval = random.happens(15)
    return policy(
      slots: Int.random(in: 1...3, using: &random), method: MergeMethod.allCases.randomElement(using: &random)!,
      command: random.happens(50) ? "make test" : "make check", capacity: isWide ? 12 : 6, scheduling: rules,
      strict: random.happens(60), lanes: LaneRules(division: .directories(depth: 1)),
      requirements: MergeQueue.Policy.Requirements(
        approvals: needsApproval ? 1 : 0, schemas: Self.places.filter { _ in random.happens(12) }),
      longestWait: random.happens(10)
        ? MergeQueue.Policy.LongestWait(span: .seconds(60), ejects: random.happens(50)) : nil,
      reusedCheck: "ci", hotfixesPreempt: random.happens(50), notes: random.happens(50))
  }

  private mutating func step() {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<12: submitSomething()
    case 12..<54: startSomething()
    case 54..<88: deliverSomething()
    case 88..<96 where !isRough: random.happens(20) ? sayOrLook() : startSomething()
    case 88..<90: take(.withdraw(entry: anyEntry(), reason: "no"))
    case 90: reconfigure()
    case 91: sayOrLook()
    case 92..<94: forge.pushFromOutside()
    case 94: if random.happens(30) { forge.rewind(to: Int.random(in: 0..<forge.history.count, using: &random)) }
    case 95: if random.happens(50) { mail = [] }
    case 96: if let effect = MergeQueue.effects(of: state).randomElement(using: &random) { exhaust(effect) }
    case 97: holdOrResume()
    default: random.happens(10) ? take(.recall(services: [ServiceName(rawValue: "harbor")!])) : talkNonsense()
    }
  }

  private mutating func submitSomething() {
    var name = "b\(branches)"
    var head = forge.newHead()
    if random.happens(20), let entry = state.entries.randomElement(using: &random) {
      // Another head of a queued branch, or the very same.
      name = entry.facts.branch.rawValue
      if random.happens(30) { head = entry.facts.head }
    } else {
      branches += 1
      if random.happens(10), let facts = state.entries.randomElement(using: &random)?.facts { head = facts.head }
    }
    let priority = random.happens(70) ? .normal : MergeQueue.Priority.allCases.randomElement(using: &random)!
    var after: [Int] = []
    if random.happens(15), let parent = state.entries.randomElement(using: &random) { after = [parent.id] }
    take(
      .submit(
        MergeQueue.Submission(
          branch: branch(name), head: head, author: "Ada", title: name, priority: priority, after: after)))
  }

  private mutating func startSomething() {
    if random.happens(8), let late = orders.randomElement(using: &random) { return carryOut(late) }
    if let effect = MergeQueue.effects(of: state).randomElement(using: &random) { carryOut(effect) }
  }

  private static let places = ["production/orders", "staging/orders"]

  private mutating func deliverSomething() {
    if let index = reviews.indices.randomElement(using: &random), random.happens(40) {
      return take(reviews.remove(at: index))
    }
    guard let index = mail.indices.randomElement(using: &random) else { return }
    let input = mail[index]
    if !random.happens(10) { mail.remove(at: index) }
    if !random.happens(5) { take(input) }
  }

  private mutating func reconfigure() {
    if random.happens(15) { take(.retire) }
    if case .retired = state.phase, random.happens(50) { return }
    take(.configure(draw()))
  }

  private mutating func holdOrResume() {
    if state.hold != nil, random.happens(70) { return take(.resume(reason: "over", by: "Ada")) }
    take(.hold(random.happens(50) ? .paused : .draining, reason: "an incident", by: "Ada"))
  }

  /// People and other CI say something of an entry, or its branch turns out to be different.
  private mutating func sayOrLook() {
    guard let entry = state.entries.randomElement(using: &random) else { return }
    let facts = entry.facts
    switch Int.random(in: 0..<8, using: &random) {
    case 0...3: take(.report(entry: facts.id, .approved(by: "Grace")))
    case 4: take(.report(entry: facts.id, .approvalWithdrawn(by: "Grace")))
    case 5:
      let result = CheckResult(name: "ci", state: .passed, commit: facts.head, reporter: "jenkins")
      let known = tested.sorted { $0.rawValue < $1.rawValue }.randomElement(using: &random)
      take(.report(entry: facts.id, .checked(result, tree: known)))
    case 6: take(.report(entry: facts.id, .affects(["//a"])))
    default:
      let head = random.happens(50) ? facts.head : random.happens(50) ? forge.newHead() : nil
      take(.changeObserved(entry: facts.id, ChangeState(branch: facts.branch, head: head)))
    }
  }

  private mutating func exhaust(_ effect: MergeQueue.Effect) {
    take(MergeQueue.exhausted(effect.key, why: random.happens(50) ? "disk full" : "no route"))
  }

  /// Observations that no effect of this state could make.
  private mutating func talkNonsense() {
    let stray = c("stray")
    let known = state.builds.compactMap(\.tip?.commit).randomElement(using: &random) ?? stray
    let entry = anyEntry()
    switch Int.random(in: 0..<7, using: &random) {
    case 0: take(.landed(build: 1, commit: stray))
    case 1: take(.landingRefused(build: 1, commit: stray, trunk: known))
    case 2: take(passed(state.nextBuild + 9).input(state))
    case 3: take(.surveyed(entry: entry, paths: ChangedPaths(bounding: ["x/y"])))
    case 4:
      let members = (0..<Int.random(in: 0...3, using: &random)).map { _ in anyEntry() }
      let proposal = Plan.Proposal(members: members, purpose: .alternative, worth: 2)
      take(.planned(Plan(builds: [proposal, proposal]), version: state.planVersion))
    // A database that changed says another thing than before, at any time.
    case 5:
      guard let facts = state.entry(entry)?.facts else { return }
      take(review(entry, at: random.happens(80) ? facts.head : stray, by: Self.places[0], true))
    default: take(made(entry, "stray", "other", recipe: state.recipe).input(state))
    }
  }

  private mutating func anyEntry() -> Int { Int.random(in: 1...max(state.nextEntry, 1), using: &random) }

  private mutating func carryOut(_ effect: MergeQueue.Effect) {
    orders.append(effect)
    switch effect {
    case .watchTrunk:
      if !isRough { mail.removeAll { if case .trunkObserved = $0 { true } else { false } } }
      mail.append(.trunkObserved(forge.trunk))
    case .watchChanges(let order):
      for facts in order.entries.prefix(2) {
        mail.append(.changeObserved(entry: facts.id, ChangeState(branch: facts.branch, head: facts.head)))
      }
    case .watchClock: mail.append(.ticked)
    case .watchRunner:
      let isAway = !isCalm && random.happens(10)
      let now = Instant(milliseconds: clock * 1000)
      mail.append(
        .runnerObserved(
          RunnerHealth(
            running: 0, slots: nil, queued: 0, lastSeenAt: isAway ? now - .minutes(1) : now, problem: nil)))
    case .trace(let from, let to, _):
      mail.append(.traced(from: from, to: to, how: forge.move(from: from, to: to), paths: forge.paths(from, to)))
    case .comment(let note, _):
      notes[note.head] = note.text
      mail.append(.commented(note: note.number))
    case .survey(let entry, _, let head, _):
      mail.append(.surveyed(entry: entry, paths: ChangedPaths(bounding: [forge.path(of: head)])))
    case .plan(let order):
      let plan = Planner.plan(order.situation(at: Instant(milliseconds: clock * 1000)))
      mail.append(.planned(plan, version: order.version))
    case .prepare(let order, let recipe):
      let outcome = forge.prepare(order)
      mail.append(.prepared(entry: order.entry, base: order.base, outcome: outcome, recipe: recipe))
    case .test(let build, let run, let commit, _, _, _, let recipe): test(build, run, commit, recipe)
    case .land(let build, let commit, _, _, let expecting):
      switch forge.land(commit, expecting: expecting) {
      case .landed: mail.append(.landed(build: build, commit: commit))
      case .moved(let trunk): mail.append(.landingRefused(build: build, commit: commit, trunk: trunk))
      }
    }
  }

  private mutating func test(_ build: Int, _ run: Int, _ commit: CommitID, _ recipe: Int) {
    let isGreen = forge.isGreen(commit)
    var end = RunEnd.exited(code: isGreen || runnerLies ? 0 : 1)
    if !isCalm {
      if isGreen, random.happens(flakes) { end = .exited(code: 1) }
      if random.happens(flakes / 5) { end = .timedOut }
      if random.happens(3) { end = .cancelled }
    }
    if end == .exited(code: 0), isGreen { tested.insert(forge.tree(of: commit)) }
    let at = Instant(milliseconds: clock * 1000)
    mail.append(
      .tested(
        build: build, run: run, commit: commit,
        report: MergeQueue.TestReport(
          end: end, log: digest("log"), summary: "", startedAt: at, endedAt: at + .seconds(3), recipe: recipe)))
  }

  private mutating func take(_ input: MergeQueue.Input) {
    guard failure == nil else { return }
    clock += 1
    let turn = TurnContext(now: Instant(milliseconds: clock * 1000), chance: random.next())
    guard let events = try? MergeQueue.decide(input, in: state, turn) else { return }
    for event in events {
      if let wrong = fault(in: event) { return fail(wrong) }
      MergeQueue.evolve(&state, event)
      history.append(event)
      if case .landed(let landing) = event { landed.insert(landing.entry) }
      review(event)
      if case .noteWritten(let note, _) = event, notes[note.head] == nil {
        return fail("a note on #\(note.entry) is told to be there, and is not")
      }
    }
    if let violation = MergeQueue.violations(in: state).first { fail(violation) }
    if !isRough, !isCalm {
      // Without configurations, which have no time, every cause is told when it turns.
      for (id, now) in state.waitCauses(of: EntrySet(state.entries.map(\.id)), at: turn.now)
      where state.entry(id)?.waits(for: now.0, detail: now.1) == false {
        fail("#\(id) waits for \(now), and its book says \(state.entry(id)?.waits.cause.rawValue ?? "nothing")")
      }
    }
    for entry in state.entries where entry.waits.parts(at: turn.now).whole != turn.now - entry.facts.submittedAt {
      fail("the waits of #\(entry.id) do not sum to its whole wait")
    }
    if !forge.isGreen(forge.trunk) { fail("the trunk is red at \(name(forge.trunk))") }
  }

  /// Every database is asked about who comes, and those that became required about who was there.
  private mutating func review(_ event: MergeQueue.Event) {
    switch event {
    case .submitted(let facts): review(facts.id, at: facts.head, by: Self.places)
    case .reviewsAsked(let entry, let head, let places, _): review(entry, at: head, by: places)
    default: break
    }
  }

  private mutating func review(_ entry: Int, at head: CommitID, by places: [String]) {
    for place in places { reviews.append(review(entry, at: head, by: place, forge.isRefused(forge.change(at: head)))) }
  }

  private mutating func review(
    _ entry: Int, at head: CommitID, by place: String, _ isRefused: Bool
  ) -> MergeQueue.Input {
    if isRefused { refused.insert(head) }
    return .schemaReviewed(
      entry: entry, head: head, place: place,
      verdict: SchemaReview(
        fit: isRefused ? .breaks : .compatible, passes: !isRefused, why: isRefused ? "a column is gone" : "",
        report: nil))
  }

  /// What the world knows to be wrong with a decided fact.
  private mutating func fault(in event: MergeQueue.Event) -> String? {
    switch event {
    case .landingBegan(_, let members, let commit, _, _):
      if state.policy?.strict == false { pushedLoosely.insert(commit) }
      let needed = state.policy?.requirements.schemas ?? []
      let unreviewed = members.first { id in needed.contains { state.entry(id)?.review(by: $0)?.passes != true } }
      return unreviewed.map { "#\($0) is pushed without its reviews" }
    case .landed(let landing):
      let isStrict = (state.policy?.strict ?? true) && !pushedLoosely.contains(landing.commit)
      if landing.isTip, isStrict, !tested.contains(forge.tree(of: landing.commit)) {
        return "#\(landing.entry) landed without a test that passed"
      }
      let expected = (forge.contents[landing.previousTrunk] ?? []) + [forge.change(at: landing.head)]
      return forge.contents[landing.commit] == expected ? nil : "#\(landing.entry) landed with other contents"
    case .ejected(let ejection):
      if ejection.reason.isGuilty || ejection.reason == .conflict,
        let other = ejection.against.first(where: { !landed.contains($0) })
      {
        return "#\(ejection.entry) was ejected against #\(other), which has not landed"
      }
      let change = forge.change(at: ejection.head)
      let trunk = state.trunk.flatMap { forge.contents[$0] } ?? []
      let isRetired = if case .retired = state.phase { true } else { false }
      let isGuilty =
        switch ejection.reason {
        case .conflict: trunk.contains { forge.clash($0, change) }
        case .testFailed: !forge.isGreen(trunk + [change])
        case .alreadyLanded: trunk.contains(change)
        case .timedOut, .killed, .waitedTooLong: true
        case .migrationRefused:
          refused.contains(ejection.head) && !(state.policy?.requirements.schemas.isEmpty ?? true)
        case .queueRetired: isRetired
        case .predecessorLeft:
          !state.entries.contains { entry in
            state.entry(ejection.entry)?.facts.after.allSatisfy { $0 == entry.id } ?? false
          }
        }
      if isGuilty { return nil }
      wronged += 1
      // Runs that lie twice are believed; those of a world without flakes never.
      return ejection.reason == .testFailed && flakes > 0
        ? nil : "#\(ejection.entry) was ejected for \(ejection.reason), but is innocent"
    default:
      return nil
    }
  }

  /// Enough rounds for every entry to be rebuilt behind every other.
  private static let calmRounds = 500

  private mutating func calm() {
    isCalm = true
    var rules = careful
    rules.isOptimistic = random.happens(50)
    let reviewed = MergeQueue.Policy.Requirements(schemas: random.happens(20) ? Self.places : [])
    take(.configure(policy(capacity: 12, scheduling: rules, requirements: reviewed)))
    if state.hold != nil { take(.resume(reason: "calm", by: "Ada")) }
    mail.shuffle(using: &random)
    for _ in 0..<Self.calmRounds where failure == nil {
      for input in mail + reviews { take(input) }
      (mail, reviews) = ([], [])
      if state.entries.isEmpty, state.notes.isEmpty, state.trunk == forge.trunk { break }
      for effect in MergeQueue.effects(of: state) { carryOut(effect) }
    }
    if failure != nil { return }
    if !state.entries.isEmpty {
      return fail("\(state.entries.map(\.id)) never left the queue; wanted: \(work(of: state)); builds: \(builds)")
    }
    if let note = state.notes.first { return fail("a note on #\(note.entry) was never written") }
    if state.trunk != forge.trunk { return fail("the trunk is not where the queue thinks") }
    var replayed = MergeQueue.initial
    for event in history { MergeQueue.evolve(&replayed, event) }
    if replayed != state { return fail("replay differs from the state") }
    balance()
  }

  private var builds: [String] { state.builds.map { "\($0.id)=\($0.members) \($0.phase)" } }

  /// Whoever came has left once.
  private mutating func balance() {
    let submitted = history.compactMap { event -> Int? in
      if case .submitted(let facts) = event { facts.id } else { nil }
    }
    let left = history.compactMap { event -> Int? in
      switch event {
      case .landed(let landing): landing.entry
      case .ejected(let ejection): ejection.entry
      case .withdrawn(let entry, _, _, _): entry
      default: nil
      }
    }
    if submitted != left.sorted() { fail("submitted \(submitted), but left \(left.sorted())") }
  }

  private mutating func fail(_ words: String) {
    if failure == nil {
      let tail = history.suffix(25).map(brief).joined(separator: "\n  ")
      failure = "turn \(clock): \(words); before it:\n  \(tail)"
    }
  }
}
