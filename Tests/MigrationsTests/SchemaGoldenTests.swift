import Foundation
import Kernel
import Testing

@testable import Migrations

private let examination = SchemaExamination(
  survey: survey("1", at: 10, unfinished: "0001.sql"), pending: [mark(2)], after: digest("2"), migration: .hazard,
  why: "It locks bookings.", verdicts: [bears("a"), fails("b")], coming: bears("c"), comingBefore: .breaks,
  report: digest("7"))
private let measured = SchemaExamination(
  survey: survey("1", at: 10), pending: [], after: digest("1"), migration: .compatible, why: "", verdicts: [],
  coming: nil, comingBefore: nil, report: digest("7"),
  coverage: SchemaCoverage(share: 0.5, least: 0.75, counted: 4, unrecorded: 2, examples: ["DELETE FROM bookings"]))
private let override = DatabaseSchema.Override(
  pending: [mark(2)], atRisk: [client("b")], read: nil, actor: "Ada", reason: "v42 is gone", at: at(12))
private let change = DatabaseSchema.Change(
  commit: commit("c"), title: "Add a column", marks: [mark(2)], before: digest("1"), after: digest("2"),
  report: digest("7"), override: override, at: at(13))
private let adoption = DatabaseSchema.Adoption(
  commit: commit("c"), through: "0001.sql", actor: "Ada", reason: "from before")

/// One of every case, in the order of the enumeration, then those that gained a field.
let goldenEvents: [DatabaseSchema.Event] = [
  .configured(policy(strict: true)),
  .closed,
  .versionsChanged([
    .init(service: harbor, version: lives("a", 1), statements: digest("5"), isGranted: false),
    .init(service: harbor, version: lives("b", 2, .serving), statements: nil, isGranted: false),
    .init(service: harbor, version: lives("c", 9, .rollingOut), statements: nil, isGranted: true),
  ]),
  .surveyed(survey("1", at: 1)),
  .drifted(.init(from: digest("1"), to: digest("3"), since: at(30)), survey("3", at: 30)),
  .queued(.review(review(7))),
  .examinationBegan(.audit, number: 2),
  .examined(number: 2, examination),
  .granted(ask("c")),
  .refused(.init(ask: ask("c"), examination: examination, why: "its migration breaks harbor", at: at(11))),
  .turnedAway(ask("c"), why: "0001.sql was changed"),
  .abandoned(ask("c")),
  .migrating(ask("c"), examination, migrations: digest("8"), number: 2),
  .migrated(change, survey("2", at: 13, applied: 2)),
  .migrationFailed(ask("c"), name: "0002.sql", why: "deadlock", survey("1", at: 14)),
  .reviewed(review(7), .init(fit: .breaks, passes: false, why: "its INSERT fails", report: digest("7"))),
  .reviewDropped(review(7)),
  .audited(number: 3),
  .barred(service: harbor, bars: [SchemaBar(digest: digest("a"), why: "its INSERT fails")]),
  .overridden(override),
  .adoptionOrdered(adoption, number: 4),
  .adopted(change, survey("1", at: 15)),
  .adoptionFailed(adoption, why: "there is no 0001.sql"),
  .troubled(EffectKey("examine/2"), why: "no route"),
  .recorded(.init(service: harbor, digest: digest("c"), statements: digest("5"))),
  .examined(number: 5, measured),
  .configured(policy(coverage: 0.9)),
  .reconsidered(ask("c")),
  .newsPostponed(number: 6, [.init(service: harbor, digest: digest("c"), statements: digest("5"))]),
  .overridden(
    .init(
      pending: [mark(2)], atRisk: [client("b")],
      read: .init(schema: digest("1"), migration: .hazard, breaks: [client("b")]), actor: "Ada", reason: "v42 is gone",
      at: at(12))),
]

@Suite("A schema on the wire") struct SchemaGoldenTests {
  static let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens/events.jsonl")

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
      #expect(try JSONDecoder().decode(DatabaseSchema.Event.self, from: Data(golden.utf8)) == event)
      #expect(golden.hasPrefix("{\"\(event.name)\":"))
    }
  }
}
