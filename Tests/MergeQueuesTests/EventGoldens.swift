import Foundation
import Kernel
import MergeQueues
import Testing

/// One JSON file per event case in `Goldens/`: the ledger's wire. `PLIMSOLL_UPDATE=1` writes them; review them as code.
@Suite struct EventGoldens {
  static let samples: [MergeQueue.Event] = {
    let at = Instant(milliseconds: 1_700_000_000_000)
    let later = Instant(milliseconds: 1_700_000_060_000)
    return [
      .configured(policy()),
      .trunkMoved(from: c("t0"), to: c("x"), at: at),
      .submitted(
        MergeQueue.EntryFacts(
          id: 1, branch: branch("a"), head: c("a"), author: "Ada", title: "Change a", submittedAt: at)),
      .withdrawn(entry: 1, reason: "not yet", at: at),
      .prepared(entry: 2, base: c("t0+a"), assumed: [1], commit: c("t0+a+b"), tree: tree("tree"), at: at),
      .conflicted(entry: 2, base: c("t0+a"), assumed: [1], paths: ["a.txt"], detail: "CONFLICT (content)", at: at),
      .contained(entry: 2, base: c("t0+a"), assumed: [1], at: at),
      .testPassed(entry: 1, commit: c("t0+a"), log: digest("log"), startedAt: at, endedAt: later),
      .testFailed(
        entry: 1, commit: c("t0+a"), end: .exited(code: 1), reason: "exited with 1: 1 test", log: digest("log"),
        startedAt: at, endedAt: later),
      .candidateDropped(entry: 2, commit: c("t0+a+b"), because: .culprit(1), at: at),
      .landed(
        MergeQueue.Landing(
          entry: 1, branch: branch("a"), head: c("a"), author: "Ada", title: "Change a", commit: c("t0+a"),
          tree: tree("tree"), previousTrunk: c("t0"), submittedAt: at, at: later)),
      .ejected(
        MergeQueue.Ejection(
          entry: 2, branch: branch("b"), head: c("b"), author: "Ada", title: "Change b", reason: .testFailed,
          log: digest("log"), sentence: "The test failed.", against: [1], at: later)),
      .troubled(entry: 1, key: EffectKey("land/\(c("t0+a"))"), why: "no route", at: at),
      .recovered(key: EffectKey("watch-trunk"), at: at),
      .retired(at: at),
      .recalled(trunk: c("t0"), services: [ServiceName(rawValue: "harbor")!], at: at),
    ]
  }()

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return encoder
  }

  @Test("the wire of every event is as it was", arguments: samples)
  func wire(sample: MergeQueue.Event) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Goldens/\(sample.name).json")
    let encoded = try Self.encoder.encode(sample)
    if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
      try (encoded + Data("\n".utf8)).write(to: file)
    }
    let golden = try Data(contentsOf: file)
    #expect(String(decoding: encoded, as: UTF8.self) + "\n" == String(decoding: golden, as: UTF8.self))
    #expect(try JSONDecoder().decode(MergeQueue.Event.self, from: golden) == sample)
  }

  /// Payload enums inside events: their cases are wire, too.
  @Test func payloadsKeepTheirNames() throws {
    func wire(_ value: some Encodable) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    #expect(
      try wire(MergeQueue.EjectionReason.allCases)
        == #"["conflict","testFailed","timedOut","killed","alreadyLanded","queueRetired"]"#)
    let causes: [MergeQueue.DropCause] = [.trunkMoved(to: c("x")), .culprit(1), .withdrawn(2), .recipeChanged]
    #expect(
      try wire(causes)
        == #"[{"trunkMoved":{"to":"\#(c("x"))"}},{"culprit":{"_0":1}},{"withdrawn":{"_0":2}},{"recipeChanged":{}}]"#)
  }

  @Test func stateAndInputsSurviveTheirJournal() throws {
    let inputs: [MergeQueue.Input] =
      open + [
        submit("a"), submit("b"), submit("c"), submit("d"), submit("e"), made(1, "t0", "1"), made(2, "1", "2"),
        clash(3, "2"), contained(4, "2"), passed(2, "2"), failed(1, "x"), landed(1, "x"),
        .landingRefused(entry: 1, commit: c("x"), trunk: c("y")), .withdraw(entry: 5, reason: "no"),
        .exhausted(key: EffectKey("test/1/\(c("1"))/1"), why: "disk full"), passed(1, "1"), landed(1, "1"),
        .trunkObserved(c("x")), submit("f"), made(2, "x", "9"), ended(2, "9", .timedOut),
        .recall(services: [ServiceName(rawValue: "harbor")!]), .retire, .configure(policy()), .trunkObserved(c("x")),
      ]
    for input in inputs {
      #expect(try JSONDecoder().decode(MergeQueue.Input.self, from: Self.encoder.encode(input)) == input)
    }
    for count in 0...inputs.count {
      let state = play(Array(inputs.prefix(count)))
      let encoded = try Self.encoder.encode(state)
      let decoded = try JSONDecoder().decode(MergeQueue.State.self, from: encoded)
      #expect(decoded == state)
      #expect(try Self.encoder.encode(decoded) == encoded)
    }
  }
}
