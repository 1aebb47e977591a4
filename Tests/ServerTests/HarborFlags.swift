import ControlPlane
import Kernel
import Ramps

@testable import Server

/// Flags over the real machine: what people asked, what judges saw, who has heard.
struct HarborFlags {
  let backend: ScriptedBackend

  static func key(_ text: String) -> FlagKey { Harbor.parsed(FlagKey(rawValue: text)) }
  static let production = Harbor.production
  static let ann = FeatureFlag.Signature(actor: "ann", reason: "the new checkout is ready")

  func tell(_ key: String, _ input: FeatureFlag.Input) async throws {
    try await backend.tell(.flag(Self.key(key)), .flag(input))
  }

  func state(_ key: String) async -> FeatureFlag.State? {
    guard case .flag(let state)? = await backend.state(of: .flag(Self.key(key))) else { return nil }
    return state
  }

  /// - Parameter definition: without an expiry it has thirty days from now.
  func create(
    _ key: String, _ definition: String = "{}", on environments: [EnvironmentName] = [Harbor.production],
    by: FeatureFlag.Signature = HarborFlags.ann
  ) async throws {
    var others: [FlagKey: FeatureFlag.State] = [:]
    for standing in await backend.states(.flag) {
      if case .flag(let state) = standing.state, let known = state.key { others[known] = state }
    }
    let now = await backend.harbor.now
    let draft = try FlagDraft(definition, of: Self.key(key), among: others, owner: by.actor, now: now)
    try await tell(
      key,
      .create(
        FeatureFlag.Creation(
          key: Self.key(key), definition: draft.definition,
          environments: environments.map { FeatureFlag.Switch(environment: $0, isOn: true) }, by: by)))
  }

  static let policy = RampPolicy(
    guardrails: [Guardrail("errors", .errors), Guardrail("latency", .latency(slowerThan: .seconds(0.5)))])
  static let traffic: [UsualTraffic?] = [
    UsualTraffic(trialsPerSecond: 1000, rate: 0.005), UsualTraffic(trialsPerSecond: 1000, rate: 0.005),
  ]

  /// Begins a ramp of `on` in production and tells what its stages will see.
  func ramp(_ key: String, traffic: [UsualTraffic?] = HarborFlags.traffic, announceTargets: Int = 0) async throws {
    let number = await state(key)?.nextRamp ?? 1
    let plan = RampPlan(
      environment: Self.production, variant: "on", policy: Self.policy, announceTargets: announceTargets)
    try await tell(key, .startRamp(plan, Self.ann))
    try await tell(key, .trafficTold(Self.production, ramp: number, traffic))
  }

  static func standing(lacking: Int, of all: Int, at: Instant) -> FlagStanding {
    FlagStanding(
      delivered: all / 2, refetched: all - all / 2 - lacking, evaluated: 0, lackingCount: lacking,
      lacking: (0..<lacking).map { .init(client: "10.0.0.\(7 + $0) (python)", seenAt: at - .seconds(40)) })
  }

  /// Clients have the stage, and the judge sees so many seconds of it.
  ///
  /// - Parameter worse: how many times as often the variant fails.
  func watch(_ key: String, seconds: Int64, worse: Int = 1) async throws {
    guard let placement = await state(key)?.placement(in: Self.production), let course = placement.course else {
      return
    }
    let now = await backend.harbor.now
    try await tell(
      key,
      .acknowledged(Self.production, epoch: placement.epoch, Self.standing(lacking: 0, of: 40, at: now), at: now))
    var judge = RampJudge(course.plan.policy, resuming: course.note?.record)
    let began = now - .seconds(Double(seconds))
    judge.begin(epoch: placement.epoch, percent: course.percent, at: began)
    judge.settle(epoch: placement.epoch, at: began)
    let treatment = Int(course.percent * 10)
    for number in 0..<seconds {
      let second = began + .seconds(Double(number))
      for index in course.plan.policy.guardrails.indices {
        // One failure in two hundred, told where they fall: every so many seconds for a small cohort.
        let failing = index == 0 ? treatment * worse : treatment
        let before = Int(number) * failing / 200
        let events = Cohorts(
          treatment: min(treatment, (Int(number) + 1) * failing / 200 - before), control: (1000 - treatment) / 200)
        judge.absorb(
          CohortSecond(
            second: second, epoch: placement.epoch,
            trials: Cohorts(treatment: treatment, control: 1000 - treatment), events: events), for: index, now: second)
      }
    }
    try await tell(
      key, .judged(Self.production, epoch: placement.epoch, judge.verdict(at: now), judge.record, at: now))
  }

  /// A table of flags in every phase.
  func tellAll() async throws {
    try await create("new-basket", on: [Harbor.staging, Harbor.production])
    try await create(
      "new-checkout",
      #"""
      {"owner": "payments", "service": "harbor",
       "variants": {"on": true, "off": false}, "defaultVariant": "off",
       "prerequisites": [{"flag": "new-basket", "variants": ["on", "off"]}],
       "targeting": {"if": [{"in": [{"var": "country"}, ["SE", "NO"]]}, "on"]}}
      """#, on: [Harbor.staging, Harbor.production])
    try await ramp("new-checkout")
    try await watch("new-checkout", seconds: 30)
    // The server under test is five seconds ahead.
    let soon = FlagDraft.timestamp(await backend.harbor.now + .seconds(2))
    try await create("old-banner", #"{"expiry": "\#(soon)", "owner": "marketing"}"#)
    try await create("fast-search", #"{"owner": "search", "type": "experiment"}"#)
    try await ramp("fast-search", announceTargets: 1)
    try await watch("fast-search", seconds: 120, worse: 9)
    try await prove("fast-search", lacking: 2)
    try await create("price-engine", #"{"owner": "pricing", "type": "operational"}"#)
    try await ramp("price-engine", traffic: [])
    try await tell("price-engine", .hold(Self.production, .init(actor: "bob", reason: "the campaign begins at noon")))
    try await create("payments-fallback", #"{"owner": "payments", "type": "kill-switch"}"#)
    try await tell(
      "payments-fallback",
      .kill(
        FeatureFlag.KillRequest(
          environment: Self.production, by: .init(actor: "bob", reason: "the bank answers with the wrong sums"))))
    try await create("beta-docs", #"{"owner": "docs", "type": "permission"}"#, on: [])
  }

  func prove(_ key: String, lacking: Int) async throws {
    guard let proof = await state(key)?.placement(in: Self.production)?.proof else { return }
    let now = await backend.harbor.now
    try await tell(
      key,
      .proofTold(
        Self.production, epoch: proof.epoch, Self.standing(lacking: lacking, of: 1000, at: now), shownAt: nil, at: now))
  }
}
