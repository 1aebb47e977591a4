import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// The story of one service, told by answering every effect that the real machines want.
struct Harbor: Sendable {
  static let service = parsed(ServiceName(rawValue: "harbor"))
  static let repository = parsed(RepositoryName(rawValue: "harbor"))
  static let trunk = parsed(BranchName(rawValue: "main"))
  static let integration = parsed(EnvironmentName(rawValue: "integration"))
  static let staging = parsed(EnvironmentName(rawValue: "staging"))
  static let production = parsed(EnvironmentName(rawValue: "production"))
  static let queue = StreamID.queue(repository, trunk)
  static let inProduction = StreamID.delivery(service, production)

  var topology: Topology
  private(set) var states: [StreamID: StreamState] = [:]
  private(set) var events: [RecordedEvent<StreamEvent>] = []
  private(set) var versions: [StreamID: Version] = [:]
  private(set) var series: [StreamID: [EvidenceSeries]] = [:]
  var branches: [ResolvedBranch] = []
  var now = Instant(milliseconds: 1_767_258_000_000)
  /// Shares of errors, by the title of the change whose version makes them; 0.0004 for others.
  var errorRates: [String: Double] = [:]
  /// Branches whose test fails whenever this many others are ahead of it.
  var failing: Set<BranchName> = []
  /// Effects that are left under way.
  var isHeld: @Sendable (StreamEffect, Harbor) -> Bool = { _, _ in false }
  private var judges: [StreamID: (rollout: RolloutID, judge: Judge, shown: Int)] = [:]
  private var chance = Chance(state: 42)
  /// Requests a second, of all versions together.
  private let rate: Int

  static func parsed<Name>(_ name: Name?) -> Name {
    guard let name else { preconditionFailure("a test names something illegal") }
    return name
  }
  /// FNV-1a (Fowler, Noll, Vo), repeated to the length wanted: equal words, equal digits.
  static func hex(_ words: String, _ length: Int) -> String {
    var text = ""
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    while text.count < length {
      for byte in words.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      hash = (hash ^ (hash >> 29)) &* 0xbf58_476d_1ce4_e5b9
      text += String(String(hash | (1 << 63), radix: 16))
    }
    return String(text.prefix(length))
  }
  static func commit(_ words: String) -> CommitID { parsed(CommitID(rawValue: hex(words, 40))) }
  static func digest(_ words: String) -> Digest { parsed(Digest(rawValue: "sha256:" + hex(words, 64))) }

  /// - Parameter steps: of production, the only place that is judged.
  init(
    steps: [Rollout.Step] = [10, 50, 100], holdback: Int = 0, preview: PreviewMatch? = nil,
    scarcity: Rollout.WhenScarce = .advance(after: .seconds(20)), requestsPerSecond: Int = 100,
    objectives: [Objective] = []
  ) {
    rate = requestsPerSecond
    let checks = [
      Promotion.Check(
        name: Self.parsed(CheckName(rawValue: "smoke")), command: "./check-integration", timeLimit: .minutes(1))
    ]
    let places: [(EnvironmentName, Bool, [Promotion.Check])] = [
      (Self.integration, false, checks), (Self.staging, false, checks), (Self.production, true, []),
    ]
    let environments = places.map { name, judged, checks in
      Topology.Environment(
        stage: Promotion.Stage(environment: name, checks: checks, soak: .zero),
        rollout: Rollout.Policy(
          service: Self.service, environment: name, strategy: judged ? .canary : .allAtOnce,
          steps: judged ? steps : [100], stepMinimum: .seconds(10), finalWatch: .seconds(judged ? 30 : 2),
          holdback: judged ? holdback : 0, preview: judged ? preview : nil, judged: judged,
          judge: JudgePolicy(sloP99: .seconds(0.2)), scarcity: scarcity, startLimit: .seconds(60), announceTargets: 0,
          objectives: judged ? objectives : []))
    }
    topology = Topology(
      queues: [
        MergeQueue.Policy(
          repository: Self.repository, trunk: Self.trunk, method: .mergeCommit, messageTemplate: "{title}",
          command: "./test", timeLimit: .minutes(10), capacity: 20)
      ],
      services: [
        Topology.Service(
          name: Self.service, repository: Self.repository, trunk: Self.trunk,
          build: Promotion.BuildStep(command: "./build", output: "out", timeLimit: .minutes(5)),
          environments: environments)
      ])
  }

  /// From nothing to the first version in production.
  mutating func open() throws {
    try tell(.settings, .settings(.apply(topology)))
    try tell(Self.queue, .queue(.trunkObserved(Self.commit("first"))))
    try settle()
  }

  mutating func submit(
    _ branch: String, _ title: String, author: String = "Ada Lovelace", priority: MergeQueue.Priority = .normal,
    team: String? = nil, after: [Int] = []
  ) throws {
    pass(.seconds(4))
    let name = Self.parsed(BranchName(rawValue: branch))
    branches.append(ResolvedBranch(branch: name, head: Self.commit(branch), author: author, title: title))
    try tell(
      Self.queue,
      .queue(
        .submit(
          MergeQueue.Submission(
            branch: name, head: Self.commit(branch), author: author, title: title, priority: priority, team: team,
            after: after))))
  }

  mutating func pass(_ span: Span) { now = now + span }

  /// One turn, and the turns that its events lead to.
  mutating func tell(
    _ stream: StreamID, _ input: StreamInput, cause: Cause = .pulse, actor: String = "plimsoll"
  ) throws {
    let state = states[stream] ?? StreamState.initial(stream.kind)
    let turn = try Turn.take(input, in: state, TurnContext(now: now, chance: 7))
    states[stream] = turn.state
    var routed: [(RoutedInput, Position)] = []
    for event in turn.events {
      versions[stream, default: 0] += 1
      let position = Position(events.count + 1)
      events.append(
        RecordedEvent(
          position: position,
          NewEvent(
            stream: stream, version: versions[stream, default: 0], at: now, cause: cause, actor: actor, event: event)))
      routed += Wiring.route(event, of: stream, at: position, on: now, topology).map { ($0, position) }
    }
    for (input, position) in routed {
      try tell(input.stream, input.input, cause: .routed(position: position, index: 0))
    }
  }

  /// Answers what is wanted until nothing is, or all that is wanted is held.
  mutating func settle() throws {
    var isMoving = true
    while isMoving {
      isMoving = false
      for stream in states.keys.sorted() {
        guard let state = states[stream] else { continue }
        let wanted = Turn.effects(of: state)
        // A watch can always be answered, so a timer that is due must come before it.
        for effect in wanted.filter(isDue) + wanted.filter({ !isDue($0) }) where !isHeld(effect, self) {
          guard let input = answer(effect, of: stream) else { continue }
          try tell(stream, input, cause: .observed(effect: effect.key))
          isMoving = true
          break
        }
      }
    }
  }

  private func isDue(_ effect: StreamEffect) -> Bool {
    if case .delivery(.wake(let at, _)) = effect { at <= now } else { false }
  }

  func knows(log digest: Digest) -> Bool { digest.hex.hasPrefix(Self.hex("log", 8)) || digest == Self.digest("log") }

  // MARK: The world

  private mutating func answer(_ effect: StreamEffect, of stream: StreamID) -> StreamInput? {
    switch effect {
    case .queue(let effect): answer(effect).map(StreamInput.queue)
    case .build(let effect): .build(answer(effect))
    case .delivery(let effect): answer(effect, of: stream).map(StreamInput.delivery)
    case .observation, .schema, .flag, .flagFolder: nil
    }
  }

  private mutating func answer(_ effect: MergeQueue.Effect) -> MergeQueue.Input? {
    let began = now
    switch effect {
    case .watchTrunk, .watchChanges, .watchClock, .watchRunner: return nil
    case .trace(let old, let new, _):
      return .traced(from: old, to: new, how: .advanced, paths: ChangedPaths(paths: [], isComplete: false))
    case .comment(let note, _): return .commented(note: note.number)
    case .plan(let order): return .planned(Planner.plan(order.situation(at: now)), version: order.version)
    case .survey(let entry, _, _, _): return .surveyed(entry: entry, paths: ChangedPaths(bounding: []))
    case .prepare(let order, let recipe):
      pass(.seconds(0.3))
      let commit = Self.commit("\(order.base)+\(order.head)")
      return .prepared(
        entry: order.entry, base: order.base,
        outcome: .prepared(commit: commit, tree: Self.parsed(TreeID(rawValue: commit.rawValue))), recipe: recipe)
    case .test(let build, let run, let commit, _, _, _, let recipe):
      pass(.seconds(7))
      let members = queueState.build(build)?.members ?? []
      let fails = members.contains { queueState.entry($0).map { failing.contains($0.facts.branch) } ?? false }
      return .tested(
        build: build, run: run, commit: commit,
        report: MergeQueue.TestReport(
          end: .exited(code: fails ? 1 : 0), log: Self.digest("log"),
          summary: fails ? "FAIL: test_tariff_of_the_new_berth" : "Ran 12 tests: OK", startedAt: began, endedAt: now,
          recipe: recipe))
    case .land(let build, let commit, _, _, _): return .landed(build: build, commit: commit)
    }
  }

  private var queueState: MergeQueue.State {
    guard case .queue(let state)? = states[Self.queue] else { return MergeQueue.initial }
    return state
  }

  private mutating func answer(_ effect: Promotion.Effect) -> Promotion.Input {
    let began = now
    switch effect {
    case .build(_, _, let commit, _):
      pass(.seconds(3))
      return .built(
        Promotion.BuildResult(
          artifact: StoredArtifact(
            digest: Self.digest("artifact of \(commit)"), provenance: Self.digest("statement of \(commit)"), files: 9,
            bytes: 41_250), log: Self.digest("log"), startedAt: began, endedAt: now))
    case .verifyProvenance(let environment, _, _, _):
      return .provenanceFound(environment: environment, finding: .verified(builder: "plimsoll"))
    case .check(let environment, let check, _, _, _, _):
      pass(.seconds(2))
      return .checked(
        environment: environment, name: check.name,
        report: Promotion.CheckReport(
          passed: true, reason: "", log: Self.digest("log"), startedAt: began, endedAt: now))
    case .wake(let at, let key):
      now = max(now, at)
      return .woke(key: key)
    }
  }

  private mutating func answer(_ effect: Rollout.Effect, of stream: StreamID) -> Rollout.Input? {
    guard case .delivery(let state)? = states[stream] else { return nil }
    switch effect {
    case .seal(let offer, _, _):
      return .sealed(
        ordinal: offer.ordinal, configuration: Self.digest("configuration"),
        sealedConfiguration: Self.digest("sealed"))
    case .run(let deployment, let limit):
      guard let live = state.live, live.canary == deployment, live.endpoints == nil || state.isScaling else {
        return nil
      }
      pass(.seconds(1.5))
      return .ready(deployment.id, digest: deployment.digest, endpoints: limit ?? 2, limit: limit)
    case .route(let routing):
      guard state.routed?.shares != routing.shares else { return nil }
      pass(.seconds(0.12))
      return .routed(routing, at: now)
    case .measureBaseline(let id, _, _):
      return .baselineMeasured(id, Baseline(requests: 30_000, errors: 12, slow: 40))
    case .watch(let order): return watch(order, of: stream, in: state)
    case .wake(let at, let key):
      now = max(now, at)
      return .woke(key)
    case .collectAftermath(let order): return aftermath(order, of: stream)
    case .countServed(let id, _, let since, slowerThan: _):
      return .served(id, RequestCounts(requests: Int(max(now - since, .zero).seconds * Double(rate)) / 10))
    case .retire(let deployment): return .retired(deployment.id)
    case .close: return .closed(at: now)
    // Looks never end: stories look when they want to.
    case .watchBudget: return nil
    case .announce(let announcement, let target): return .announced(id: announcement.id, target: target)
    }
  }

  /// One bin of 250 ms, judged.
  private mutating func watch(
    _ order: Rollout.WatchOrder, of stream: StreamID, in state: Rollout.State
  ) -> Rollout.Input? {
    if judges[stream]?.rollout != order.rollout {
      judges[stream] = (
        order.rollout,
        Judge(policy: order.policy, baseline: order.baseline, canary: order.canary, control: order.control), 0
      )
      series[stream, default: []].append(
        EvidenceSeries(
          stream: stream, rollout: order.rollout, canary: order.canary, control: order.control,
          slowerThan: order.policy.slowerThan))
    }
    let percent = state.wantedShares.first { $0.deployment == order.canary }?.percent ?? 0
    let rate = errorRates[state.live?.start.offer.title ?? ""] ?? 0.0004
    let bin = bin(order.canary, percent: percent, rate: rate, order.control)
    guard var judge = judges[stream]?.judge else { return nil }
    let verdict = judge.absorb(bin)
    judges[stream]?.judge = judge
    if let index = series[stream]?.lastIndex(where: { $0.rollout == order.rollout }) {
      series[stream]?[index].points = judge.path
    }
    return .judged(order.rollout, verdict: verdict, checkpoint: judge.checkpoint, at: now)
  }

  private mutating func bin(
    _ canary: DeploymentID, percent: Int, rate: Double, _ control: DeploymentID?
  ) -> EvidenceBin {
    let from = now
    pass(.seconds(0.25))
    let new = counts(self.rate * percent / 4, rate: rate)
    let old = counts(self.rate * (100 - percent) / 4, rate: 0.0004)
    let isBad = new.errors > 0
    var arms = [
      ArmEvidence(
        deployment: canary, counts: new, firstBadAt: isBad ? from + .seconds(0.1) : nil,
        lastBadAt: isBad ? from + .seconds(0.2) : nil)
    ]
    if let control { arms.append(ArmEvidence(deployment: control, counts: old)) }
    return EvidenceBin(
      from: from, to: now, arms: arms.sorted { $0.deployment < $1.deployment }, source: .sound)
  }

  /// `hundredths` of a request, rounded by chance.
  private mutating func counts(_ hundredths: Int, rate: Double) -> RequestCounts {
    let requests = hundredths / 100 + (chance.next(100) < hundredths % 100 ? 1 : 0)
    let errors = (0..<requests).count { _ in Double(chance.next(1_000_000)) < rate * 1_000_000 }
    return RequestCounts(requests: requests, errors: errors)
  }

  /// The picture goes on for a while after traffic came back.
  private mutating func aftermath(_ order: Rollout.AftermathOrder, of stream: StreamID) -> Rollout.Input {
    guard var judge = judges[stream]?.judge else { preconditionFailure("an aftermath without a watch") }
    let canary = judge.checkpoint.canaryCounts
    let conviction = judge.checkpoint.conviction
    for _ in 0..<40 { _ = judge.absorb(bin(order.canary, percent: 0, rate: 0, order.control)) }
    if let index = series[stream]?.lastIndex(where: { $0.rollout == order.rollout }) {
      series[stream]?[index].points = judge.path
    }
    return .aftermath(
      order.rollout,
      Rollout.Aftermath(
        firstBadAt: conviction?.firstBadAt, lastBadAt: conviction?.lastBadAt, canary: canary, control: .zero,
        clientMinutesHurt: canary.errors, evidence: Self.digest("evidence")))
  }
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same seed, the same story.
struct Chance: Sendable {
  var state: UInt64
  mutating func next(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
  }
}

extension Harbor {
  /// A title that would be a script if any page forgot to escape it.
  static let hostileTitle = "<script>alert(1)</script> & \"tides\""

  /// First version, a good change, a bad one rolled back in production, an ejected one, one under way, three waiting.
  static func rich() throws -> Harbor {
    var harbor = Harbor()
    harbor.errorRates = ["Cache the tide table": 0.05]
    try harbor.open()
    harbor.pass(.minutes(20))
    try harbor.submit("tide-table", "Show the tide table on the quay page")
    try harbor.settle()
    harbor.pass(.minutes(12))
    try harbor.submit("tide-cache", "Cache the tide table", author: "Grace Hopper")
    try harbor.settle()
    harbor.pass(.minutes(9))
    harbor.failing = [parsed(BranchName(rawValue: "tariff-rounding"))]
    try harbor.submit("tariff-rounding", "Round the tariff per berth", author: "Edsger Dijkstra")
    try harbor.settle()
    harbor.pass(.minutes(2))
    // The next one stays at its first step, and what is submitted after it stays in the queue.
    harbor.isHeld = { effect, harbor in
      if case .delivery(.watch(let order)) = effect, order.rollout == 4 {
        return (harbor.series[Harbor.inProduction]?.last?.points.count ?? 0) >= 7
          && harbor.series[Harbor.inProduction]?.last?.rollout == 4
      }
      return false
    }
    try harbor.submit("berth-list", "List free berths by size", author: "Barbara Liskov")
    try harbor.settle()
    harbor.pass(.seconds(3))
    let under = harbor.isHeld
    harbor.isHeld = { effect, harbor in
      if case .queue(.test) = effect { return true }
      return under(effect, harbor)
    }
    try harbor.submit("hostile", hostileTitle, author: "Mallory")
    try harbor.submit("lighthouse", "Blink the lighthouse in its own rhythm")
    try harbor.submit("pilot", "Ask the pilot before a ship of more than 200 m", author: "Grace Hopper")
    try harbor.settle()
    return harbor
  }
}
