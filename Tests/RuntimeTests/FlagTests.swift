import ControlPlane
import Foundation
import Kernel
import Ramps
import Synchronization
import Testing

@testable import Runtime

private let key = Facts.parsed(FlagKey(rawValue: "new-checkout"))
private let stream = StreamID.flag(key)
private let source = RampSource(
  flag: key, environment: Facts.production, variant: "on", ramp: 1, service: nil,
  policy: RampPolicy(
    stages: [.init(percent: 25, least: .zero), .init(percent: 100, least: .zero)],
    guardrails: [Guardrail("errors", .errors)]))

/// Says who has what, as a test sets it.
private final class FakeAudience: FlagAudience {
  let standing = Mutex<FlagStanding?>(FlagStanding(delivered: 1, lackingCount: 1))
  func standing(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async throws(Outage) -> FlagStanding {
    guard let standing = standing.withLock({ $0 }) else { throw Outage("clients", "nobody can tell") }
    return standing
  }
  func version(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async -> Int? { 40 + epoch }
}

/// Tells what a test tells it.
private final class FakeEvidence: RampEvidence {
  let told = Mutex<AsyncStream<[RampTelling]>.Continuation?>(nil)
  let allocations = Mutex<[RampAllocation]>([])
  let shownAt = Mutex<Instant?>(nil)
  func tellings(of ramp: RampSource) async throws(Outage) -> AsyncStream<[RampTelling]> {
    let (batches, continuation) = AsyncStream.makeStream(of: [RampTelling].self)
    told.withLock { $0 = continuation }
    return batches
  }
  func allocated(_ allocation: RampAllocation, of ramp: RampSource) async {
    allocations.withLock { $0.append(allocation) }
  }
  func usual(of ramp: RampSource) async throws(Outage) -> [UsualTraffic?] {
    [UsualTraffic(trialsPerSecond: 100, rate: 0.01)]
  }
  func shown(_ flag: FlagKey, in environment: EnvironmentName, variant: String?, since: Instant) async throws(Outage)
    -> Instant?
  {
    shownAt.withLock { $0 }
  }
  func tell(_ batch: [RampTelling]) { _ = told.withLock { $0?.yield(batch) } }
  var isOpen: Bool { told.withLock { $0 != nil } }
  func end() { told.withLock { $0?.finish() } }
}

private struct Scene {
  let audience = FakeAudience()
  let evidence = FakeEvidence()
  let bench: Bench
  init() throws { bench = try Bench(audience: audience, ramps: evidence) }

  func order(settled: Instant? = nil, settlesBy: Instant = .now + .minutes(10), record: RampRecord? = nil)
    -> StreamEffect
  {
    .flag(
      .watch(
        FeatureFlag.WatchOrder(
          source: source, epoch: 2, percent: 25, began: .now, settled: settled, settlesBy: settlesBy, record: record)))
  }

  var verdicts: [RampVerdict] {
    bench.posted.inputs.compactMap { input in
      if case .flag(.judged(_, epoch: _, let verdict, _, at: _)) = input { verdict } else { nil }
    }
  }
  var records: [RampRecord] {
    bench.posted.inputs.compactMap { input in
      if case .flag(.judged(_, epoch: _, _, let record, at: _)) = input { record } else { nil }
    }
  }
  var standings: [FlagStanding] {
    bench.posted.inputs.compactMap { input in
      if case .flag(.acknowledged(_, epoch: _, let standing, at: _)) = input { standing } else { nil }
    }
  }

  /// Seconds of the stage in which the variant fails always and the control hardly ever.
  func harm(_ seconds: Int, from start: Instant = .now) -> [RampTelling] {
    (0..<seconds).map { second in
      .second(
        CohortSecond(
          second: start - .seconds(Double(seconds - second)), epoch: 2,
          trials: Cohorts(treatment: 250, control: 750), events: Cohorts(treatment: 100, control: 5)), guardrail: 0)
    }
  }
}

@Suite("Effects of a flag") struct FlagTests {
  @Test("what is usual is asked once")
  func sight() async throws {
    let scene = try Scene()
    try await scene.bench.carryOut(.flag(.sight(source)), of: stream)
    #expect(
      scene.bench.posted.inputs == [
        .flag(.trafficTold(Facts.production, ramp: 1, [UsualTraffic(trialsPerSecond: 100, rate: 0.01)]))
      ])
  }

  @Test("every batch is judged and told, also an empty one; harm becomes a bad verdict")
  func watch() async throws {
    let scene = try Scene()
    let order = scene.order()
    scene.bench.start(order, of: stream)
    try await eventually("the evidence is opened") { scene.evidence.isOpen }
    scene.evidence.tell([])
    try await eventually("a verdict comes") { scene.verdicts.count == 1 }
    if case .undecided = scene.verdicts[0] {} else { Issue.record("\(scene.verdicts[0])") }
    scene.evidence.tell(scene.harm(20))
    try await eventually("a second one comes") { scene.verdicts.count == 2 }
    if case .bad(let conviction) = scene.verdicts[1] {
      #expect(conviction.epoch == 2)
    } else {
      Issue.record("\(scene.verdicts[1])")
    }
    // Who attributes evidence is told which version gives out the epoch.
    #expect(scene.evidence.allocations.withLock { $0.first }?.version == 42)
    scene.bench.cancel(order, of: stream)
  }

  @Test("clients are asked until they have the stage, and then no more")
  func settling() async throws {
    let scene = try Scene()
    let order = scene.order()
    scene.bench.start(order, of: stream)
    try await eventually("who lacks it is told") { scene.standings.map(\.lackingCount) == [1] }
    scene.audience.standing.withLock { $0 = FlagStanding(delivered: 2) }
    try await eventually("that all have it is told") { scene.standings.map(\.lackingCount) == [1, 0] }
    try await eventually("it is told to who attributes evidence") {
      scene.evidence.allocations.withLock { $0.last }?.settled != nil
    }
    scene.bench.cancel(order, of: stream)
  }

  @Test("clients that never have it, and those that nobody can ask, are waited for as long as the plan says")
  func settlingEnds() async throws {
    for standing in [FlagStanding(lackingCount: 1), nil] {
      let scene = try Scene()
      scene.audience.standing.withLock { $0 = standing }
      let order = scene.order(settlesBy: .now)
      scene.bench.start(order, of: stream)
      try await eventually("it is settled") { scene.evidence.allocations.withLock { $0.last }?.settled != nil }
      try await eventually("it is told where it is known") { scene.standings.count == (standing == nil ? 0 : 1) }
      scene.bench.cancel(order, of: stream)
    }
  }

  @Test("a watch that is started again goes on from its record")
  func resuming() async throws {
    let first = try Scene()
    let before = first.order(settled: .now)
    first.bench.start(before, of: stream)
    try await eventually("the evidence is opened") { first.evidence.isOpen }
    first.evidence.tell(first.harm(20))
    try await eventually("it is bad") { first.records.last?.conviction != nil }
    first.bench.cancel(before, of: stream)
    let second = try Scene()
    let order = second.order(settled: .now, record: first.records.last)
    second.bench.start(order, of: stream)
    try await eventually("the evidence is opened") { second.evidence.isOpen }
    second.evidence.tell([])
    try await eventually("it is bad still") { second.records.last?.conviction != nil }
    second.bench.cancel(order, of: stream)
  }

  @Test("evidence that ends is an outage, and the effect is started again")
  func ended() async throws {
    let scene = try Scene()
    scene.bench.start(scene.order(), of: stream)
    try await eventually("the evidence is opened") { scene.evidence.isOpen }
    scene.evidence.end()
    try await eventually("the effect ends") { scene.bench.posted.ends.count == 1 }
    #expect(scene.bench.posted.ends.first?.failure?.subject == "evidence")
    #expect(scene.bench.posted.ends.first?.lane == .protect)
  }

  @Test("a withdrawal is asked about again and again, with who has heard and who was seen with it")
  func proof() async throws {
    let scene = try Scene()
    let order = FeatureFlag.ProofOrder(
      flag: key, environment: Facts.production, epoch: 3, variant: "on", since: Facts.start)
    scene.evidence.shownAt.withLock { $0 = Facts.start + .seconds(2) }
    scene.bench.start(.flag(.prove(order)), of: stream)
    try await eventually("it is asked twice") { scene.bench.posted.inputs.count >= 2 }
    guard
      case .flag(.proofTold(_, epoch: 3, let standing, shownAt: let shownAt, at: _))? = scene.bench.posted.inputs.first
    else {
      Issue.record("\(scene.bench.posted.inputs)")
      return
    }
    #expect(standing.lackingCount == 1 && shownAt == Facts.start + .seconds(2))
    scene.bench.cancel(.flag(.prove(order)), of: stream)
  }

  @Test("a change to come is told when its time has come")
  func wake() async throws {
    let scene = try Scene()
    try await scene.bench.carryOut(.flag(.wake(at: .now, EffectKey("due/1"))), of: stream)
    #expect(scene.bench.posted.inputs == [.flag(.woke(EffectKey("due/1")))])
  }
}
