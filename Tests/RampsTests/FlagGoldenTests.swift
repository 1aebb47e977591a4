import Foundation
import Kernel
import Testing

@testable import Ramps

private let signed = FeatureFlag.Signed(actor: "Ada", reason: "the new page is ready", at: at(1))
private let revision = FeatureFlag.Revision(
  number: 1, definition: definition(needs: [basket], unit: "team"), by: signed)
private let declared = FeatureFlag.DeclaredIn(file: "flags/checkout.json", commit: commit("c"))
private let ramp = RampPlan(
  environment: production, variant: "on",
  policy: RampPolicy(
    stages: [.init(percent: 1, least: .minutes(1)), .init(percent: 100, least: .minutes(10))],
    guardrails: [
      Guardrail("errors", .errors), Guardrail("slow", .latency(slowerThan: .seconds(0.3)), counting: .requests),
      Guardrail("orders", .conversion(within: .minutes(5))),
    ]), service: harbor, announceTargets: 1)
private let folder = StreamID(.flagFolder, "harbor/main")
private let allocation = FlagAllocation.none.growing("on", toPercent: 1)

/// One of every case, in the order of the enumeration.
private let goldenEvents: [FeatureFlag.Event] = [
  .created(
    checkout, revision, salt: "00c0ffee", environments: [.init(environment: production, isOn: true)], declared: declared
  ),
  .revised(
    .init(number: 2, definition: definition("b"), by: signed, restored: 1), claims: [basket], releases: [checkout]),
  .declared(nil),
  .placed(
    production, isOn: true, override: [.init(name: "defaultVariant", json: "\"on\"")], epoch: 3, by: signed),
  .scheduled(.init(number: 1, at: at(60), change: .ramp(ramp), by: signed)),
  .unscheduled(number: 1, by: signed),
  .fellDue(number: 2, at: at(61)),
  .dueRefused(number: 2, why: "it is off", at: at(61)),
  .rampStarted(ramp, number: 1, by: signed),
  .sighted(
    production, ramp: 1, [.init(percent: 1, sentences: ["1 % sees 5x errors in about 28 s."], holds: .minutes(14))]),
  .stageBegan(
    production,
    .init(
      ramp: 1, stage: 0, percent: 1, epoch: 4, allocation: allocation, passed: nil, by: nil, at: at(62))),
  .settled(production, epoch: 4, .init(at: at(63), standing: nearly)),
  .evidenceNoted(production, epoch: 4, .init(verdict: untrusted(.telemetry), record: RampRecord(), at: at(64))),
  .asked(production, ramp: 1, .init(why: "it cannot be seen", at: at(65))),
  .held(production, ramp: 1, .init(cause: .untrusted(.sampleRatio), why: "units are missing", at: at(66))),
  .resumed(production, ramp: 1, by: signed, at: at(67)),
  .rampStopped(
    production,
    .init(
      ramp: 1, variant: "on", cause: .bad(conviction), why: conviction.sentence, allocation: .none, epoch: 5,
      service: harbor, at: at(68))),
  .rolledOut(production, ramp: 2, why: "nothing spoke against it", by: nil, at: at(69)),
  .killed(
    production, .init(by: signed, attributed: .init(service: harbor, digest: hash("d"))), epoch: 6, announceTargets: 1),
  .proofNoted(production, epoch: 6, nearly, shownAt: at(70), at: at(71)),
  .proved(production, epoch: 6, everybody, at: at(80)),
  .archived(signed, releases: [basket]),
  .claimed(by: basket),
  .unclaimed(by: basket),
  .announced(id: "flag/new-checkout/production/ramp-1", target: 0),
  .announcementAbandoned(id: "flag/new-checkout/production/ramp-1", target: 0, why: "no answer"),
  .troubled(EffectKey("sight/production/1"), why: "no route"),
  .declarationRefused(
    .init(
      declaration: .init(
        key: checkout, definition: definition("b"), file: "flags/checkout.json", line: 3, commit: commit("c"),
        folder: folder, author: "Grace"), why: "it is archived", at: at(90))),
  .declarationMet(folder: folder),
  .declarationDropped(folder: folder),
]

@Suite("A flag on the wire") struct FlagGoldenTests {
  static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens/flag-events.jsonl")

  @Test("every event is written as it always was, and read back")
  func goldens() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = try goldenEvents.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
      try (lines.joined(separator: "\n") + "\n").write(to: Self.file, atomically: true, encoding: .utf8)
    }
    let stored = try String(contentsOf: Self.file, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(stored.count == goldenEvents.count)
    for (event, (line, golden)) in zip(goldenEvents, zip(lines, stored)) {
      #expect(line == golden, "\(event.name)")
      #expect(try JSONDecoder().decode(FeatureFlag.Event.self, from: Data(golden.utf8)) == event)
      #expect(golden.hasPrefix("{\"\(event.name)\":"))
    }
  }
}
