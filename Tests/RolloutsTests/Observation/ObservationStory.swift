import Kernel
import Testing

@testable import Rollouts

/// One observed place, told step by step; times are seconds after its beginning.
struct ObservationStory {
  static let begin = Instant(milliseconds: 1_800_000_000_000)
  private(set) var state = Observation.initial
  private(set) var events: [Observation.Event] = []

  init(versions: VersionSource = .label("version"), bake: Span = .minutes(10)) throws {
    try take(.configure(Self.policy(versions, bake)))
  }

  static func policy(_ versions: VersionSource = .label("version"), _ bake: Span = .minutes(10)) -> Observation.Policy {
    Observation.Policy(
      service: Self.service, environment: Self.environment, versions: versions,
      judge: JudgePolicy(sloP99: Span(milliseconds: 200)), bake: bake, announceTargets: 2)
  }
  static let service = name(ServiceName.init(rawValue:), "shop")
  static let environment = name(EnvironmentName.init(rawValue:), "production")
  static func version(_ text: String) -> ObservedVersion { name(ObservedVersion.init(rawValue:), text) }
  static func at(_ seconds: Double) -> Instant { begin + .seconds(seconds) }

  private static func name<Name>(_ make: (String) -> Name?, _ text: String) -> Name {
    guard let name = make(text) else { preconditionFailure("\(text) is no name") }
    return name
  }

  /// What it led to; checked as after every turn.
  @discardableResult mutating func take(
    _ input: Observation.Input, at seconds: Double = 0
  ) throws -> [Observation.Event] {
    let new = try Observation.decide(input, in: state, TurnContext(now: Self.at(seconds), chance: 0))
    for event in new { Observation.evolve(&state, event) }
    events += new
    #expect(Observation.violations(in: state) == [])
    return new
  }

  // MARK: Words

  mutating func see(_ versions: String..., gone: [String: Double] = [:], at seconds: Double) throws {
    let departures = gone.sorted { $0.key < $1.key }
      .map { VersionSighting.Departure(Self.version($0.key), lastSeenAt: Self.at($0.value)) }
    try take(.seen(VersionSighting(versions.map(Self.version), gone: departures, at: Self.at(seconds))), at: seconds)
  }
  mutating func tell(_ version: String, of when: Double? = nil, at seconds: Double) throws {
    try take(
      .tell(Observation.Telling(Self.version(version), at: when.map(Self.at), source: .webhook)), at: seconds)
  }
  mutating func judge(_ id: ObservedID, _ verdict: Verdict, at seconds: Double) throws {
    try take(.judged(id, verdict: verdict, checkpoint: Self.checkpoint, at: Self.at(seconds)), at: seconds)
  }
  mutating func correct(_ act: Observation.Correction.Act, deployment: ObservedID? = nil, at seconds: Double) throws {
    try take(
      .correct(Observation.Correction(deployment: deployment, did: act, actor: "ada", reason: "it was ours")),
      at: seconds)
  }

  var comparisons: [Observation.Comparison] { state.records.map(\.comparison) }
  var names: [String] { events.map(\.name) }

  // MARK: Verdicts

  static let good = Verdict.good(
    Power(requests: 5000, needed: 900, detectableRatio: 4, sentence: "A worsening by 4x would have been seen."))
  static let scarce = Verdict.notEnoughEvidence(
    Scarcity(requests: 40, needed: 900, detectableRatio: nil, sentence: "40 of 900 requests were seen."))
  static let broken = Verdict.sourceBroken(reason: "the page does not answer")
  static func bad(at seconds: Double) -> Verdict { .bad(conviction(at: seconds)) }
  static func conviction(at seconds: Double) -> Conviction {
    Conviction(
      rule: .errorRate, observed: RequestCounts(requests: 812, errors: 41), rate: 0.05, baselineRate: 0.0005,
      logEvidence: 12, threshold: 9, firstBadAt: at(seconds - 3), lastBadAt: at(seconds - 1), decidedAt: at(seconds),
      sentence: "41 of 812 requests failed.")
  }
  // Of fixed numbers, so that no change of a threshold changes a golden.
  static let checkpoint = JudgeCheckpoint(
    tests: [
      TestState(
        rule: .errorRate, whole: WindowCounts(requests: 812, events: 41, worstBin: 3), recent: .zero, logEvidence: 9.25,
        threshold: 6.5, peak: 9.25)
    ],
    baseline: Baseline(requests: 10_000, errors: 5, slow: 20), whole: .empty, recent: .empty, recentWindows: 1,
    through: Instant(milliseconds: 5_000), conviction: nil)
}
