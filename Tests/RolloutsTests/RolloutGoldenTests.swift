import Foundation
import Kernel
import Testing

@testable import Rollouts

private typealias Facts = RolloutFacts
private let at = Instant(milliseconds: 1_700_000_000_000)

/// One of every case, in the order of the enumeration.
private let goldenEvents: [Rollout.Event] = {
  let old = Facts.deployment("a", 1)
  let new = Facts.deployment("b", 2)
  let condemnation = Condemnation(
    rollout: 2, deployment: new, scope: .digest, cause: .logic, rule: "errorRate",
    sentence: "41 of 812 requests failed.", conviction: conviction, decidedAt: at + .seconds(0.1))
  return [
    .configured(Facts.policy(scarcity: .advance(after: .minutes(10)))),
    .offered(Facts.offer("b", 2)),
    .superseded(Facts.offer("b", 2), by: Facts.commit(3)),
    .refusedCondemned(Facts.offer("b", 2)),
    .confirmed(Facts.offer("a", 2), deployment: old, at: at),
    .started(
      Rollout.RolloutStart(
        id: 2, kind: .rollback, offer: Facts.offer("b", 2), deployment: new, knownGood: old, steps: [100],
        reason: "ada rolled it back: orders are lost", at: at)),
    .startExtended(2, until: at),
    .baselineMeasured(2, Baseline(requests: 10_000, errors: 5, slow: 20)),
    .placed(2, digest: new.digest, endpoints: 2),
    .stepEntered(2, index: 0, percent: 10, at: at),
    .routed(shares: [TrafficShare(old.id, percent: 90), TrafficShare(new.id, percent: 10)], at: at),
    .evidenceNoted(2, verdict: Facts.bad(at: at), checkpoint: Facts.checkpoint, at: at),
    .stepPassed(2, index: 0, verdict: Facts.good),
    .condemned(condemnation),
    .restored(2, to: old, at: at),
    .reported(
      RollbackReport(
        condemnation, to: old, restoredAt: at + .seconds(0.6),
        aftermath: Facts.aftermath(endingAt: at + .seconds(0.4)))),
    .completed(2, deployment: new, at: at),
    .retired(old.id),
    .lifted(new.digest, reason: "it was the network"),
    .instanceEnded(new.id, end: .signalled(number: 9), inRow: 3, at: at),
    .announced(id: "harbor/production/2/rolled-back", target: 0),
    .announcementAbandoned(id: "harbor/production/2/rolled-back", target: 0, why: "the receiver answers 404"),
    .troubled(EffectKey("seal/2"), why: "disk full"),
    .unconfigured(Rollout.Unconfiguration(rollout: 2, commits: [new.commit, old.commit], at: at)),
    .closed(at: at),
    .refusedUnconfigured(Facts.offer("b", 2)),
    .gated(2, index: 0, .approval, at: at),
    .approved(2, index: 0, Facts.approval(2, 0), verdict: Facts.scarce, at: at),
    .scalingBegan(2, index: 1, readyBy: at + .minutes(1)),
    .scaled(2, index: 1, endpoints: 3),
    .finishing(2, at: at),
    .drillOrdered(2, actor: "ada", at: at),
    .drillMoved(2, .held(there: .seconds(0.2), since: at), at: at),
    .drilled(2, drilled, at: at),
    .drillAbandoned(2, why: "ada rolled it back: orders are lost", at: at),
    .frozen(Rollout.Freeze(reason: "the sale is on", actor: "ada", until: at + .minutes(60)), at: at),
    .thawed(actor: "plimsoll", reason: "the freeze was for so long", at: at),
    .floorRaised(Rollout.Floor(digest: old.digest, reason: "the table is new", actor: "ada"), ordinal: 1, at: at),
    .budgetNoted(
      [
        BudgetStanding(
          objective: "orders", gate: .burning, since: at, left: 0.75, sentence: "It burns.",
          missing: BudgetStanding.Missing(reason: "the server is away", since: at + .minutes(1)))
      ], at: at),
    .troubleEnded(EffectKey("run/harbor.production.aaaaaaaaaaaa.ffffffff")),
    .versionsHeld([
      HeldVersion(digest: old.digest, commit: old.commit, ordinal: 1, standing: .serving),
      HeldVersion(digest: new.digest, commit: new.commit, ordinal: 2, standing: .rollingOut),
      HeldVersion(digest: Facts.digest("c"), commit: Facts.commit(3), ordinal: 3, standing: .target),
    ]),
    .barsNoted([SchemaBar(digest: old.digest, why: "It reads orders.note.")]),
    .rollbackAbandoned(2, why: "orders would fail 0001cccccc by now: It reads orders.note", at: at),
  ]
}()

/// Cases whose payload has more shapes than the one above.
private let goldenShapes: [Rollout.Event] = [
  .configured(Facts.policy(objectives: [Facts.objective])),
  .budgetNoted(
    [BudgetStanding(objective: "orders", gate: .open, since: nil, left: nil, sentence: nil, missing: nil)], at: at),
  .configured(
    Facts.policy(
      strategy: .blueGreen,
      steps: [
        Rollout.Step(0, instances: 1, approval: true), Rollout.Step(10, minimum: .seconds(30), detect: 5), 50, 100,
      ], holdback: 5, preview: .header(name: "X-Next", value: "1"), drill: true, scarcity: .ask(after: .minutes(20)))),
  .configured(Facts.policy(preview: .cookie(name: "next", value: "1"), scarcity: .hold)),
  .gated(2, index: 1, .evidence("3 of 800 requests have come."), at: at),
  .drillMoved(2, .there(since: at), at: at),
  .drillMoved(2, .back(there: .seconds(0.2), held: .seconds(5), since: at), at: at),
  .drillMoved(2, .counting(drilled), at: at),
  .drillMoved(2, .done(drilled), at: at),
  .frozen(Rollout.Freeze(reason: "the sale is on", actor: "ada", until: nil), at: at),
  .reported(
    RollbackReport(
      rollout: 2, condemned: Facts.deployment("b", 2), to: nil, cause: .logic, sentence: "41 of 812 requests failed.",
      firstBadAt: nil, detectedAt: at, decidedAt: at, lastBadAt: nil, restoredAt: nil, closedAt: at + .seconds(2),
      isDrill: true, requestsHurt: 0, clientMinutesHurt: 0, evidence: nil)),
  .configured(Facts.policy(database: Facts.orders)),
  .versionsHeld([]),
  .barsNoted([]),
]

private let drilled = Drill.Report(
  there: .seconds(0.2), held: .seconds(5), back: .seconds(0.1), percent: 10,
  counts: RequestCounts(requests: 50, errors: 1))

private let conviction: Conviction? = {
  guard case .bad(let conviction) = Facts.bad(at: at) else { return nil }
  return conviction
}()

@Suite("Rollout on the wire") struct RolloutGoldenTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens")

  static func encode(_ event: Rollout.Event) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(event), as: UTF8.self)
  }

  @Test("every event is written as it always was, and read back")
  func goldens() throws {
    try compare(goldenEvents, with: "rollout-events.jsonl")
    #expect(Set(goldenEvents.map(\.name)).count == goldenEvents.count)
  }

  @Test("and so is every shape of what they hold")
  func shapes() throws { try compare(goldenShapes, with: "rollout-shapes.jsonl") }

  private func compare(_ events: [Rollout.Event], with name: String) throws {
    let file = Self.folder.appending(path: name)
    let lines = try events.map(Self.encode)
    if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
      try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
      try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
    }
    let stored = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(stored.count == events.count)
    for (event, (line, golden)) in zip(events, zip(lines, stored)) {
      #expect(line == golden, "\(event.name)")
      #expect(try JSONDecoder().decode(Rollout.Event.self, from: Data(golden.utf8)) == event)
      #expect(golden.hasPrefix("{\"\(event.name)\":"))
    }
  }

  /// As they stand in ledgers of before there were plans: steps are numbers, a policy has none of the newer keys, and
  /// what was closed while it was restored has an instant all the same.
  @Test("events of before decode")
  func before() throws {
    let lines = try String(
      contentsOf: Self.folder.appending(path: "rollout-events-before-plans.jsonl"), encoding: .utf8
    )
    .split(separator: "\n").map { try JSONDecoder().decode(Rollout.Event.self, from: Data($0.utf8)) }
    try #require(lines.count == 3)
    guard case .configured(let policy) = lines[0], case .started(let start) = lines[1],
      case .reported(let report) = lines[2]
    else {
      Issue.record("other events: \(lines)")
      return
    }
    #expect(policy == Facts.policy(scarcity: .advance(after: .minutes(10))))
    #expect(policy.steps == [10, 50, 100] && policy.strategy == .canary && policy.holdback == 0)
    #expect(policy.preview == nil && !policy.drill)
    #expect(start.steps == [Rollout.Step(100)])
    #expect(report.restoredAt == at + .seconds(0.6) && report.closedAt == nil && !report.isDrill)
  }

  @Test("an announcement reads as it always did")
  func announcement() throws {
    let file = Self.folder.appending(path: "rollout-announcement.txt")
    let reports = goldenEvents.compactMap { event -> RollbackReport? in
      if case .reported(let report) = event { report } else { nil }
    }
    let announcement = try #require(reports.first).announcement
    let facts = announcement.facts.map { "- \($0.label): \($0.value)" }
    let text = ([announcement.headline, announcement.reason, announcement.path] + facts).joined(separator: "\n") + "\n"
    if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
      try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(text == (try String(contentsOf: file, encoding: .utf8)))
  }

  @Test(
    "spans are told in two units",
    arguments: [
      (0, "0.0 s"), (450, "0.4 s"), (9_999, "9.9 s"), (12_345, "12 s"), (60_000, "1 min"), (200_000, "3 min 20 s"),
      (7_500_000, "2 h 5 min"), (-5, "0.0 s"),
    ])
  func spans(_ milliseconds: Int64, _ words: String) {
    #expect(Span(milliseconds: milliseconds).words == words)
  }
}
