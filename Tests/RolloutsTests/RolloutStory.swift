import Kernel
import Statistics
import Testing

@testable import Rollouts

/// Names that every rollout test uses.
enum RolloutFacts {
  static let service = parsed(ServiceName(rawValue: "harbor"))
  static let environment = parsed(EnvironmentName(rawValue: "production"))
  static let orders = parsed(DatabaseName(rawValue: "orders"))
  static let sealed = digest("e")
  /// The configuration hash that the sealer gives unless a test says otherwise.
  static let configuration = digest("f")

  static func parsed<Name>(_ name: Name?) -> Name {
    guard let name else { preconditionFailure("a test names something illegal") }
    return name
  }
  /// `letter` is a hexadecimal digit.
  static func digest(_ letter: String) -> Digest {
    parsed(Digest(rawValue: "sha256:" + String(repeating: letter, count: 64)))
  }
  static func commit(_ ordinal: Int64) -> CommitID {
    let hex = String(ordinal, radix: 16)
    let four = String(repeating: "0", count: 4 - hex.utf8.count) + hex
    return parsed(CommitID(rawValue: four + String(repeating: "c", count: 36)))
  }
  static func offer(_ letter: String, _ ordinal: Int64, override: Bool = false) -> Rollout.Offer {
    Rollout.Offer(
      digest: digest(letter), commit: commit(ordinal), ordinal: ordinal, title: "Count ships", author: "ada",
      landedAt: Instant(milliseconds: ordinal), override: override)
  }
  static func deployment(
    _ letter: String, _ ordinal: Int64, configuration: Digest = RolloutFacts.configuration
  ) -> Deployment {
    Deployment(
      service: service, environment: environment, digest: digest(letter), commit: commit(ordinal),
      configuration: configuration, sealedConfiguration: sealed)
  }
  static func policy(
    strategy: Rollout.Strategy = .canary, steps: [Rollout.Step] = [10, 50, 100], holdback: Int = 0,
    preview: PreviewMatch? = nil, drill: Bool = false, judged: Bool = true, scarcity: Rollout.WhenScarce = .hold,
    keep: Int = 3, announceTargets: Int = 1, objectives: [Objective] = [], database: DatabaseName? = nil
  ) -> Rollout.Policy {
    Rollout.Policy(
      service: service, environment: environment, strategy: strategy, steps: steps, stepMinimum: .seconds(10),
      finalWatch: .seconds(30), holdback: holdback, preview: preview, drill: drill, judged: judged,
      judge: JudgePolicy(sloP99: .seconds(0.2)), scarcity: scarcity, startLimit: .seconds(60),
      crashLimit: 3, keep: keep, announceTargets: announceTargets, objectives: objectives,
      database: database)
  }

  static let objective = Objective(
    name: "orders", title: "Orders are taken", service: "shop", target: 0.999, window: .minutes(30 * 1440),
    indicator: .bad(query: "bad", total: "all", areCounters: true))
  /// As many errors, at most all requests, in each window of a request a second; nil for no evidence.
  static func looked(_ order: Rollout.BudgetOrder, errors: Double?, at: Instant) -> Rollout.Input {
    .budgetLooked(
      number: order.number,
      order.objectives.map { objective in
        let windows = BurnRate.windows(objectiveWindow: objective.window)
        let counts = errors.map { errors in
          windows.map { WindowRatio(window: $0, requests: $0.seconds, errors: min(errors, $0.seconds)) }
        }
        return BudgetReading(
          objective: objective.name, answer: counts.map { .counts($0) } ?? .unknown("the server is away"))
      }, at: at)
  }

  static let good = Verdict.good(
    Power(requests: 900, needed: 800, detectableRatio: 4.5, sentence: "4.5x would have been seen."))
  /// Good, but only because so little is asked for.
  static func good(seeing ratio: Double?) -> Verdict {
    .good(Power(requests: 900, needed: 800, detectableRatio: ratio, sentence: "enough."))
  }
  static let scarce = Verdict.notEnoughEvidence(
    Scarcity(requests: 3, needed: 800, detectableRatio: nil, sentence: "3 of 800 requests have come."))
  static let broken = Verdict.sourceBroken(reason: "the log stream was cut")
  static func bad(_ rule: Rule = .errorRate, at: Instant = Instant(milliseconds: 5_000)) -> Verdict {
    .bad(
      Conviction(
        rule: rule, observed: RequestCounts(requests: 812, errors: 41, slow: 2), rate: 0.0505, baselineRate: 0.0005,
        logEvidence: 9.25, threshold: 6.5, firstBadAt: at - .seconds(3), lastBadAt: at - .seconds(1), decidedAt: at,
        sentence: "41 of 812 requests failed."))
  }
  static let checkpoint = JudgeCheckpoint(
    tests: [
      TestState(
        rule: .errorRate, whole: WindowCounts(requests: 812, events: 41, worstBin: 3), recent: .zero,
        logEvidence: 9.25, threshold: 6.5, peak: 9.25)
    ],
    baseline: Baseline(requests: 10_000, errors: 5, slow: 20), whole: .empty, recent: .empty, recentWindows: 1,
    through: Instant(milliseconds: 5_000), conviction: nil)
  static func approval(_ rollout: RolloutID, _ step: Int, reason: String = "seen by hand") -> Rollout.Approval {
    Rollout.Approval(rollout: rollout, step: step, actor: "ada", reason: reason)
  }
  static let aftermath = aftermath(endingAt: Instant(milliseconds: 5_400))
  static func aftermath(endingAt end: Instant) -> Rollout.Aftermath {
    Rollout.Aftermath(
      firstBadAt: end - .seconds(3.4), lastBadAt: end, canary: RequestCounts(requests: 900, errors: 44, slow: 3),
      control: RequestCounts(requests: 8_000, errors: 4), clientMinutesHurt: 12, evidence: digest("9"))
  }
}

/// A delivery told input by input; every turn is checked against the invariants, and the whole against its replay.
struct RolloutStory {
  typealias Facts = RolloutFacts
  private(set) var state = Rollout.initial
  private(set) var events: [Rollout.Event] = []
  var now = Instant(milliseconds: 1_000)

  init(_ policy: Rollout.Policy? = RolloutFacts.policy()) {
    if let policy { give(.configure(policy)) }
  }

  /// - Returns: the events' names, in order.
  @discardableResult
  mutating func give(_ input: Rollout.Input, sourceLocation: SourceLocation = #_sourceLocation) -> [String] {
    do {
      let decided = try Rollout.decide(input, in: state, TurnContext(now: now, chance: 0))
      for event in decided { Rollout.evolve(&state, event) }
      events += decided
      let violations = Rollout.violations(in: state)
      #expect(violations.isEmpty, "after \(input)", sourceLocation: sourceLocation)
      return decided.map(\.name)
    } catch {
      Issue.record("\(input) was refused: \(error)", sourceLocation: sourceLocation)
      return []
    }
  }

  func refusal(of input: Rollout.Input) -> Refusal? {
    do throws(Refusal) {
      _ = try Rollout.decide(input, in: state, TurnContext(now: now, chance: 0))
      return nil
    } catch {
      return error
    }
  }

  mutating func pass(_ span: Span) { now = now + span }

  var replayed: Rollout.State {
    var state = Rollout.initial
    for event in events { Rollout.evolve(&state, event) }
    return state
  }
  var effects: [Rollout.Effect] { Rollout.effects(of: state) }
  /// Without the numbers of routings.
  var keys: [String] { effects.map { String($0.key.text.prefix { $0 != "@" }) } }
  /// What the router should confirm now.
  var routing: Rollout.Routing {
    Rollout.Routing(state.wantedShares, state.wantedPreview, number: state.routings)
  }
  /// `b=10 a=90`, with the digest's letter for the deployment.
  var shares: String {
    state.wantedShares.map { "\($0.deployment.rawValue.split(separator: ".")[2].prefix(1))=\($0.percent)" }
      .joined(separator: " ")
  }
  var phase: String {
    switch state.phase {
    case .idle: "idle"
    case .sealing: "sealing"
    case .placing: "placing"
    case .drilling(_, let drill):
      switch drill {
      case .there: "drilling there"
      case .held: "drilling held"
      case .back: "drilling back"
      case .counting: "drilling counting"
      case .done: "drilling done"
      }
    case .stepping(_, let index): "stepping \(index)"
    case .scaling(_, let index): "scaling \(index)"
    case .watching(_, let index, since: _): "watching \(index)"
    case .gated(_, let index, .approval, since: _): "gated \(index) approval"
    case .gated(_, let index, .evidence, since: _): "gated \(index) evidence"
    case .finalWatch: "finalWatch"
    case .finishing: "finishing"
    case .restoring: "restoring"
    case .reporting: "reporting"
    case .closing: "closing"
    case .closed: "closed"
    }
  }

  // MARK: Shorthands

  @discardableResult mutating func offer(_ letter: String, _ ordinal: Int64, override: Bool = false) -> [String] {
    give(.offer(Facts.offer(letter, ordinal, override: override)))
  }
  @discardableResult mutating func seal(_ ordinal: Int64, configuration: Digest = Facts.configuration) -> [String] {
    give(.sealed(ordinal: ordinal, configuration: configuration, sealedConfiguration: Facts.sealed))
  }
  @discardableResult mutating func ready(measured: Digest? = nil) -> [String] {
    guard let canary = state.live?.canary else { return [] }
    let limit = state.limit(of: canary.id)
    return give(.ready(canary.id, digest: measured ?? canary.digest, endpoints: limit ?? 2, limit: limit))
  }
  @discardableResult mutating func measure() -> [String] {
    guard let course = state.live else { return [] }
    return give(.baselineMeasured(course.id, Baseline(requests: 10_000, errors: 5, slow: 20)))
  }
  @discardableResult mutating func route() -> [String] {
    give(.routed(routing, at: now))
  }
  @discardableResult mutating func wake() -> [String] {
    guard let timer = state.timer ?? state.frozen?.timer else { return [] }
    now = max(now, timer.at)
    return give(.woke(timer.key))
  }
  @discardableResult mutating func approve(_ step: Int) -> [String] {
    give(.approve(Facts.approval(state.live?.id ?? 0, step)))
  }
  @discardableResult mutating func freeze(until: Instant? = nil) -> [String] {
    give(.freeze(Rollout.Freeze(reason: "the sale is on", actor: "ada", until: until)))
  }
  @discardableResult mutating func thaw() -> [String] { give(.thaw(actor: "ada", reason: "the sale is over")) }
  @discardableResult mutating func drill() -> [String] { give(.drill(actor: "ada", reason: "before the sale")) }
  @discardableResult mutating func count() -> [String] {
    give(.served(state.live?.id ?? 0, RequestCounts(requests: 50, errors: 1)))
  }
  @discardableResult mutating func rollBack() -> [String] {
    give(.rollBack(Rollout.RollBackRequest(to: nil, reason: "orders are lost", actor: "ada")))
  }
  @discardableResult mutating func crash() -> [String] {
    guard let canary = state.live?.canary else { return [] }
    return give(.instanceEnded(canary.id, instance: 0, end: .exited(code: 1), inRow: 3, at: now))
  }
  /// Once, after a stable run.
  @discardableResult mutating func stumble() -> [String] {
    guard let canary = state.live?.canary else { return [] }
    return give(.instanceEnded(canary.id, instance: 0, end: .exited(code: 1), inRow: 1, at: now))
  }
  @discardableResult mutating func judge(_ verdict: Verdict, rollout: RolloutID? = nil) -> [String] {
    give(.judged(rollout ?? state.running?.id ?? 0, verdict: verdict, checkpoint: Facts.checkpoint, at: now))
  }
  @discardableResult mutating func collect() -> [String] {
    give(.aftermath(state.running?.id ?? 0, Facts.aftermath))
  }
  /// Offers, seals, places and measures: the first share is wanted, not yet routed.
  mutating func place(_ letter: String, _ ordinal: Int64) {
    offer(letter, ordinal)
    seal(ordinal)
    ready()
    if state.live?.needsBaseline == true { measure() }
  }
  /// From the first share to known-good; a person approves what asks.
  mutating func finish() {
    for _ in 0..<20 where state.live != nil {
      if case .scaling = state.phase { ready() }
      route()
      pass(.seconds(31))
      if let timer = state.timer { give(.woke(timer.key)) }
      if case .drilling(_, .counting) = state.phase { count() }
      if state.live?.isJudged == true { judge(Facts.good) }
      if case .gated(_, let index, _, since: _) = state.phase { approve(index) }
    }
  }
  /// A version that completes its rollout; what it replaces is retired.
  mutating func deliver(_ letter: String, _ ordinal: Int64) {
    place(letter, ordinal)
    finish()
    route()
    retireAll()
  }
  /// What may be stopped now.
  mutating func retireAll() { for deployment in state.stoppable { give(.retired(deployment.id)) } }
}
