import Kernel
import MergeQueues

/// One seeded world around the machine: effects are carried out late, twice or never, observations are lost, repeated
/// and reordered, people submit, withdraw and push past the queue, and the process crashes.
struct Explorer {
  private var random: SplitMix64
  private var forge: ToyForge
  private var state = MergeQueue.initial
  private var history: [MergeQueue.Event] = []
  /// Observations on their way.
  private var mail: [MergeQueue.Input] = []
  /// Effects that were wanted once: any of them may still start, late.
  private var orders: [MergeQueue.Effect] = []
  private var tested: Set<CommitID> = []
  private var landed: Set<Int> = []
  private var branches = 0
  private var clock: Int64 = 0
  private var isCalm = false
  /// Whether people push past the queue, withdraw and reconfigure, and the process crashes; else queues grow deep.
  private let isRough: Bool
  /// A runner that calls every test passed; the checks must notice.
  private let runnerLies: Bool
  private(set) var failure: String?

  var eventNames: Set<String> { Set(history.map(\.name)) }
  var turns: Int { Int(clock) }

  init(seed: UInt64, runnerLies: Bool = false) {
    random = SplitMix64(state: seed)
    forge = ToyForge(salt: random.next())
    isRough = random.happens(50)
    self.runnerLies = runnerLies
  }

  /// Runs `steps` in a faulty world, then lets it calm down.
  /// - Returns: what went wrong first, or nil.
  mutating func run(steps: Int) -> String? {
    take(.configure(policy(slots: Int.random(in: 1...3, using: &random), capacity: 6)))
    for _ in 0..<steps where failure == nil { step() }
    calm()
    return failure
  }

  private mutating func step() {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<12: submitSomething()
    case 12..<52: startSomething()
    case 52..<88: deliverSomething()
    case 88..<96 where !isRough: startSomething()
    case 88..<90: take(.withdraw(entry: anyEntry(), reason: "no"))
    case 90..<92: reconfigure()
    case 92..<94: forge.pushFromOutside()
    case 94: if random.happens(30) { forge.rewind(to: Int.random(in: 0..<forge.history.count, using: &random)) }
    case 95: if random.happens(50) { mail = [] }
    case 96..<98: if let effect = MergeQueue.effects(of: state).randomElement(using: &random) { exhaust(effect) }
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
    take(.submit(MergeQueue.Submission(branch: branch(name), head: head, author: "Ada", title: name)))
  }

  private mutating func startSomething() {
    if random.happens(8), let late = orders.randomElement(using: &random) { return carryOut(late) }
    if let effect = MergeQueue.effects(of: state).randomElement(using: &random) { carryOut(effect) }
  }

  private mutating func deliverSomething() {
    guard let index = mail.indices.randomElement(using: &random) else { return }
    let input = mail[index]
    if !random.happens(10) { mail.remove(at: index) }
    if !random.happens(5) { take(input) }
  }

  private mutating func reconfigure() {
    if random.happens(15) { take(.retire) }
    if case .retired = state.phase, random.happens(50) { return }
    take(
      .configure(
        policy(
          slots: Int.random(in: 1...3, using: &random), method: MergeMethod.allCases.randomElement(using: &random)!,
          command: random.happens(50) ? "make test" : "make check", capacity: 6)))
  }

  private mutating func exhaust(_ effect: MergeQueue.Effect) {
    take(MergeQueue.exhausted(effect.key, why: random.happens(50) ? "disk full" : "no route"))
  }

  /// Observations that no effect of this state could make.
  private mutating func talkNonsense() {
    let stray = c("stray")
    let known = state.entries.compactMap(\.candidate?.commit).randomElement(using: &random) ?? stray
    let entry = anyEntry()
    switch Int.random(in: 0..<5, using: &random) {
    case 0: take(.landed(entry: entry, commit: stray))
    case 1: take(.landingRefused(entry: entry, commit: stray, trunk: known))
    case 2: take(passed(entry + 100, name(known)))
    case 3: take(passed(entry, "stray", recipe: state.recipe))
    default: take(made(entry, "stray", "other", recipe: state.recipe))
    }
  }

  private mutating func anyEntry() -> Int { Int.random(in: 1...max(state.nextEntry, 1), using: &random) }

  private mutating func carryOut(_ effect: MergeQueue.Effect) {
    orders.append(effect)
    switch effect {
    case .watchTrunk:
      if !isRough { mail.removeAll { if case .trunkObserved = $0 { true } else { false } } }
      mail.append(.trunkObserved(forge.trunk))
    case .prepare(let order, let recipe):
      let outcome = forge.prepare(order)
      mail.append(.prepared(entry: order.entry, base: order.base, outcome: outcome, recipe: recipe))
    case .test(let entry, let commit, _, _, _, let recipe):
      let isGreen = forge.isGreen(commit)
      var end = RunEnd.exited(code: isGreen || runnerLies ? 0 : 1)
      if !isCalm, random.happens(2) { end = .timedOut }
      if !isCalm, random.happens(3) { end = .cancelled }
      if end == .exited(code: 0), isGreen { tested.insert(commit) }
      mail.append(ended(entry, name(commit), end, recipe: recipe))
    case .land(let entry, let commit, _, _, let expecting):
      switch forge.land(commit, expecting: expecting) {
      case .landed: mail.append(.landed(entry: entry, commit: commit))
      case .moved(let trunk): mail.append(.landingRefused(entry: entry, commit: commit, trunk: trunk))
      }
    }
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
    }
    if let violation = MergeQueue.violations(in: state).first { fail(violation) }
    if !forge.isGreen(forge.trunk) { fail("the trunk is red at \(name(forge.trunk))") }
  }

  /// What the world knows to be wrong with a decided fact.
  private func fault(in event: MergeQueue.Event) -> String? {
    switch event {
    case .landed(let landing):
      if !tested.contains(landing.commit) { return "#\(landing.entry) landed without a test that passed" }
      let expected = (forge.contents[landing.previousTrunk] ?? []) + [forge.change(at: landing.head)]
      return forge.contents[landing.commit] == expected ? nil : "#\(landing.entry) landed with other contents"
    case .ejected(let ejection):
      if let other = ejection.against.first(where: { !landed.contains($0) }) {
        return "#\(ejection.entry) was ejected against #\(other), which has not landed"
      }
      let change = forge.change(at: ejection.head)
      let trunk = state.trunk.flatMap { forge.contents[$0] } ?? []
      let isGuilty =
        switch ejection.reason {
        case .conflict: trunk.contains { forge.clash($0, change) }
        case .testFailed: !forge.isGreen(trunk + [change])
        case .alreadyLanded: trunk.contains(change)
        case .timedOut, .killed: true
        case .queueRetired: if case .retired = state.phase { true } else { false }
        }
      return isGuilty ? nil : "#\(ejection.entry) was ejected for \(ejection.reason), but is innocent"
    case .configured, .trunkMoved, .submitted, .withdrawn, .prepared, .conflicted, .contained, .testPassed,
      .testFailed, .candidateDropped, .troubled, .recovered, .retired, .recalled:
      return nil
    }
  }

  /// Enough rounds for every entry to be rebuilt behind every other.
  private static let calmRounds = 500

  private mutating func calm() {
    isCalm = true
    if case .retired = state.phase { take(.configure(policy(capacity: 6))) }
    mail.shuffle(using: &random)
    for _ in 0..<Self.calmRounds where failure == nil {
      for input in mail { take(input) }
      mail = []
      if state.entries.isEmpty, state.trunk == forge.trunk { break }
      for effect in MergeQueue.effects(of: state) { carryOut(effect) }
    }
    if failure != nil { return }
    if !state.entries.isEmpty { return fail("\(state.entries.map(\.id)) never left the queue") }
    if state.trunk != forge.trunk { return fail("the trunk is not where the queue thinks") }
    var replayed = MergeQueue.initial
    for event in history { MergeQueue.evolve(&replayed, event) }
    if replayed != state { return fail("replay differs from the state") }
    let submitted = history.compactMap { event -> Int? in
      if case .submitted(let facts) = event { facts.id } else { nil }
    }
    let left = history.compactMap { event -> Int? in
      switch event {
      case .landed(let landing): landing.entry
      case .ejected(let ejection): ejection.entry
      case .withdrawn(let entry, _, _): entry
      default: nil
      }
    }
    if submitted != left.sorted() { fail("submitted \(submitted), but left \(left.sorted())") }
  }

  private mutating func fail(_ words: String) {
    if failure == nil {
      let tail = history.suffix(12).map(brief).joined(separator: "\n  ")
      failure = "turn \(clock): \(words); before it:\n  \(tail)"
    }
  }
}
