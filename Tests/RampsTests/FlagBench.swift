import Kernel
import Testing

@testable import Ramps

let checkout = FlagKey(rawValue: "new-checkout")!
let basket = FlagKey(rawValue: "new-basket")!
let production = EnvironmentName(rawValue: "production")!
let staging = EnvironmentName(rawValue: "staging")!
let harbor = ServiceName(rawValue: "harbor")!
let ada = FeatureFlag.Signature(actor: "Ada", reason: "the new page is ready")

func hash(_ letter: String) -> Digest { Digest(rawValue: "sha256:" + String(repeating: letter, count: 64))! }
func commit(_ letter: String) -> CommitID { CommitID(rawValue: String(repeating: letter, count: 40))! }
func at(_ seconds: Double) -> Instant { Instant(milliseconds: 1_750_000_000_000) + .seconds(seconds) }

func definition(
  _ letter: String = "a", variants: [String] = ["on", "off"], needs prerequisites: [FlagKey] = [], unit: String? = nil,
  expiry: Instant = at(30 * 86_400)
) -> FlagDefinition {
  FlagDefinition(
    members: [
      .init(name: "variants", json: "{" + variants.map { "\"\($0)\":\($0 == "on")" }.joined(separator: ",") + "}"),
      .init(name: "defaultVariant", json: "\"off\""),
    ], hash: hash(letter), variants: variants, prerequisites: prerequisites, owner: "payments", expiry: expiry,
    unit: unit, service: harbor)
}

func plan(
  _ variant: String = "on", stages: [Double] = [1, 25, 100], least: Span = .minutes(1), guardrails: Int = 1,
  patience: Span = .minutes(60), targets: Int = 1
) -> RampPlan {
  let names = ["errors", "slow answers"]
  return RampPlan(
    environment: production, variant: variant,
    policy: RampPolicy(
      stages: stages.map { .init(percent: $0, least: least) },
      guardrails: names.prefix(guardrails).map { Guardrail($0, .errors) }),
    patience: patience, announceTargets: targets)
}

let everybody = FlagStanding(delivered: 3)
let nearly = FlagStanding(delivered: 2, lackingCount: 1, lacking: [.init(client: "10.0.0.7", seenAt: at(1))])
let conviction = RampConviction(
  guardrail: 0, name: "errors", percent: 1, epoch: 1, trials: Cohorts(treatment: 100, control: 9900),
  events: Cohorts(treatment: 20, control: 50), ratio: 40, lower: 20, upper: 80, logEvidence: 9, threshold: 4.7,
  since: at(2), decidedAt: at(30), sentence: "errors at 1 %: 20 of 100 failed.")
let good = RampVerdict.good(StagePower(sentence: "errors: at most 1.4x."))
let bad = RampVerdict.bad(conviction)
let undecided = RampVerdict.undecided(
  StageLack(guardrail: 0, forecast: nil, sentence: "errors: 2x would not have been seen yet."))
func untrusted(_ reason: RampMistrust.Reason) -> RampVerdict {
  .untrusted(RampMistrust(reason: reason, suspicion: nil, sentence: "errors: nothing has been told for 61 s."))
}
/// Enough to see twice the errors within minutes.
let busy = UsualTraffic(trialsPerSecond: 10_000, rate: 0.02)

/// One flag, a clock, and what was recorded.
struct FlagBench {
  var state = FeatureFlag.initial
  var events: [FeatureFlag.Event] = []
  var clock = 0.0

  /// Made, on in production and off in staging.
  init(_ made: FlagDefinition? = definition()) throws {
    guard let made else { return }
    try take(
      .create(
        .init(
          key: checkout, definition: made,
          environments: [.init(environment: staging, isOn: false), .init(environment: production, isOn: true)], by: ada)
      ))
  }

  var now: Instant { at(clock) }
  var placement: FeatureFlag.Placement { state.placement(in: production)! }
  var epoch: Int { placement.epoch }
  var share: Int { placement.allocation.size(of: "on") }
  var keys: [String] { FeatureFlag.effects(of: state).map(\.key.text) }

  @discardableResult
  mutating func take(_ input: FeatureFlag.Input) throws -> [String] {
    clock += 1
    let next = try FeatureFlag.decide(input, in: state, TurnContext(now: now, chance: 0xC0FFEE))
    for event in next { FeatureFlag.evolve(&state, event) }
    events += next
    #expect(FeatureFlag.violations(in: state) == [])
    return next.map(\.name)
  }

  mutating func ramp(_ plan: RampPlan = plan(), traffic: [UsualTraffic?] = [busy]) throws {
    try take(.startRamp(plan, ada))
    try take(.trafficTold(production, ramp: state.nextRamp - 1, traffic))
  }
  mutating func settle() throws {
    try take(.acknowledged(production, epoch: epoch, everybody, at: now))
  }
  @discardableResult
  mutating func judge(_ verdict: RampVerdict, after seconds: Double = 1, epoch: Int? = nil) throws -> [String] {
    clock += seconds - 1
    return try take(
      .judged(production, epoch: epoch ?? self.epoch, verdict, RampRecord(), at: at(clock + 1)))
  }
  @discardableResult
  mutating func prove(_ standing: FlagStanding = everybody, shownAt: Instant? = nil, after seconds: Double = 1) throws
    -> [String]
  {
    clock += seconds - 1
    return try take(
      .proofTold(
        production, epoch: placement.proof?.epoch ?? 0, standing, shownAt: shownAt, at: at(clock + 1)))
  }

  var phase: String {
    switch placement.phase {
    case .still: "still"
    case .sighting: "sighting"
    case .placing(let course): "placing \(course.stage)"
    case .watching(let course): "watching \(course.stage)"
    case .asking(let course, _): "asking \(course.stage)"
    case .holding(let course, _): "holding \(course.stage)"
    case .stopping: "stopping"
    case .stopped: "stopped"
    case .rolledOut: "rolledOut"
    }
  }
}
