import ControlPlane
import Kernel
import Testing

@testable import Rollouts
@testable import Runtime

@Suite("A watch tells guards what routes, runs and checks say", .timeLimit(.minutes(2)))
struct WatchGuardTests {
  private let bench: Bench
  private let bins: AsyncStream<EvidenceBin>.Continuation
  private let new = Facts.deployment("b")
  private let old = Facts.deployment("a")

  init() throws {
    bench = try Bench()
    let (stream, continuation) = AsyncStream.makeStream(of: EvidenceBin.self)
    bench.telemetry.bins.now(.gives(stream))
    bins = continuation
  }

  private func watch(_ guards: GuardPolicy) {
    var policy = JudgePolicy(sloP99: .seconds(0.2))
    policy.guards = guards
    bench.start(
      .delivery(
        .watch(
          Rollout.WatchOrder(
            rollout: 1, canary: new.id, control: old.id, policy: policy,
            baseline: Baseline(requests: 1000, errors: 0, slow: 0), checkpoint: nil, began: Facts.start))),
      of: Facts.delivery)
  }

  /// Quarters of a second, one after the other, until `holds`.
  private func watched(_ what: String, canary: Int = 10, control: Int = 10, _ holds: () -> Bool) async throws {
    var number: Int64 = 0
    try await eventually(what) {
      let from = Facts.start + Performer.binWidth * number
      number += 1
      bins.yield(
        EvidenceBin(
          from: from, to: from + Performer.binWidth,
          arms: [
            ArmEvidence(deployment: new.id, counts: RequestCounts(requests: canary)),
            ArmEvidence(deployment: old.id, counts: RequestCounts(requests: control)),
          ], source: .sound))
      return holds()
    }
  }

  private var verdicts: [Verdict] {
    bench.posted.inputs.compactMap { input in
      guard case .delivery(.judged(1, let verdict, checkpoint: _, at: _)) = input else { return nil }
      return verdict
    }
  }
  private var convicted: Rule? {
    for case .bad(let conviction) in verdicts { return conviction.rule }
    return nil
  }

  private func check(_ question: WatchCheck.Question) -> GuardPolicy {
    GuardPolicy(
      rules: [],
      checks: [WatchCheck(name: Facts.parsed(CheckName(rawValue: "orders")), question: question, every: .seconds(1))])
  }

  @Test("a query that is unknown holds, and one that fails twice condemns")
  func query() async throws {
    let query = QueryCheck(query: "sum(orders)", mustBe: .above, threshold: 5, lookback: nil)
    bench.queries.outcome.now(.gives(.unknown("503")), .gives(.violated(3)))
    watch(check(.query(query)))
    try await watched("the check condemns") { convicted == .check }
    #expect(Set(bench.queries.outcome.asked.map(\.query)) == ["sum(orders)"])
    #expect(
      verdicts.contains { if case .sourceBroken(let reason) = $0 { reason.hasSuffix(": 503") } else { false } },
      "unknown is told as what is missing")
    await bench.performer.stopAll()
  }

  @Test("a command runs in the new version's checkout, anew each time, and leaves nothing")
  func command() async throws {
    bench.runner.run.now(.gives(Facts.report(.exited(code: 1), tail: "3 rows differ\n")))
    watch(check(.command("./orders", timeLimit: .seconds(9))))
    try await watched("an unplaced version is unknown") {
      verdicts.contains {
        if case .sourceBroken(let reason) = $0 { reason.hasSuffix("the new version is not placed yet") } else { false }
      }
    }
    try await bench.place(new, ports: 1)
    try await watched("the check condemns") { convicted == .check }
    let orders = bench.runner.run.asked
    #expect(orders.count >= 2 && Set(orders.map(\.key)).count == orders.count)
    let first = try #require(orders.first)
    #expect(first.command == "./orders" && first.commit == new.commit && first.timeLimit == .seconds(9))
    #expect(first.environment.map(\.name).contains("PLIMSOLL_URL"))
    try await eventually("its folder is released") { bench.runner.release.asked.contains(first.key) }
    guard case .bad(let conviction)? = verdicts.last else {
      Issue.record("\(verdicts.last.debugDescription)")
      return
    }
    #expect(conviction.sentence.hasSuffix("it ended with 1 where 0 is good; it said: 3 rows differ."))
    await bench.performer.stopAll()
  }

  @Test("a runner that cannot run is no evidence")
  func runnerAway() async throws {
    bench.runner.run.now(.fails(Outage("disk", "is full")))
    try await bench.place(new, ports: 1)
    watch(check(.command("./orders", timeLimit: .seconds(9))))
    try await watched("it is told") {
      verdicts.contains { if case .sourceBroken(let reason) = $0 { reason.contains("is full") } else { false } }
    }
    #expect(convicted == nil)
    await bench.performer.stopAll()
  }

  @Test("shares count from the router's confirmation")
  func shares() async throws {
    try await bench.place(old, ports: 1)
    try await bench.place(new, ports: 2)
    watch(GuardPolicy(rules: [.throughput]))
    try await watched("bins are judged", canary: 0, control: 100) { verdicts.count > 400 }
    #expect(convicted == nil, "nothing is confirmed")
    bench.start(Facts.route((old, 50), (new, 50)), of: Facts.delivery)
    try await watched("what is missing is noticed", canary: 0, control: 100) { convicted == .throughput }
    await bench.performer.stopAll()
  }

  @Test("a version without any instance has lost no throughput")
  func noInstance() async throws {
    try await bench.place(old, ports: 1)
    try await bench.place(new, ports: 2)
    bench.start(Facts.route((old, 50), (new, 50)), of: Facts.delivery)
    try await eventually("shares are confirmed") {
      bench.performer.guardBoard.shares(of: Facts.delivery, canary: new.id, control: old.id) != nil
    }
    await bench.platform.say(.endpoints([]), of: new)
    try await eventually("they are no more") {
      bench.performer.guardBoard.shares(of: Facts.delivery, canary: new.id, control: old.id) == nil
    }
    await bench.performer.stopAll()
  }

  @Test("instances of both versions are looked at")
  func usage() async throws {
    watch(GuardPolicy(rules: [.memory]))
    try await watched("the platform is asked") { !bench.platform.usage.asked.isEmpty }
    #expect(bench.platform.usage.asked.first == [new.id, old.id])
    await bench.performer.stopAll()
  }
}
