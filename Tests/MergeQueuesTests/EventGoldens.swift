import Foundation
import Kernel
import MergeQueues
import Testing

/// One JSON file per event case in `Goldens/`: the ledger's wire. `PLIMSOLL_UPDATE=1` writes them; review them as code.
@Suite struct EventGoldens {
  static let samples: [MergeQueue.Event] = {
    let at = Instant(milliseconds: 1_700_000_000_000)
    let later = Instant(milliseconds: 1_700_000_060_000)
    let passedTree = MergeQueue.PassedTree(
      tree: tree("tree"), source: .run(build: 1, number: 2, log: digest("log")), at: at)
    let note = MergeQueue.Note(
      number: 1, entry: 2, branch: branch("b"), head: c("b"),
      standing: MergeQueue.Note.Standing(stall: .runnerGone, doublings: 1), text: "#2 waits.", at: at)
    return [
      .configured(policy(scheduling: .usual)),
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
      .planned(
        MergeQueue.Event.Planned(
          version: 7, builds: [MergeQueue.PlannedBuild(id: 3, members: [1, 2], purpose: .speculation, worth: 0.9)],
          dropped: [1], reruns: [2], order: [2, 3], at: at)),
      .runBegan(build: 3, run: 1, subject: MergeQueue.Subject(commit: c("t0+a"), tree: tree("tree")), at: at),
      .runEnded(
        build: 3,
        MergeQueue.Run(
          number: 1, end: .exited(code: 1), reason: "exited with 1: 1 test", log: digest("log"), startedAt: at,
          endedAt: later), at: later),
      .runStopped(build: 3, run: 1, because: .outranked(by: 4), at: at),
      .recognised(build: 3, passedTree, at: at),
      .buildDropped(build: 3, because: .landed(4), at: at),
      .buildCarried(build: 3, over: [4], to: c("t1"), at: at),
      .landingBegan(build: 3, members: [1, 2], commit: c("t0+a+b"), expecting: c("t0"), at: at),
      .flakeFound(MergeQueue.Event.Flake(red: 2, redRuns: 1, members: [1], green: 3, at: at)),
      .stackLoosened(unit: 1, members: [1, 2], at: at),
      .reported(
        entry: 1, approvals: ["Grace"],
        checks: [CheckResult(name: "ci", state: .passed, commit: c("a"), reporter: "jenkins")], at: at),
      .treePassed(passedTree),
      .surveyed(entry: 1, lanes: .folders(["api"]), at: at),
      .targetsReported(entry: 1, targets: ["//api"], at: at),
      .held(MergeQueue.Hold(kind: .paused, reason: "an incident", by: "Ada", since: at)),
      .resumed(reason: "it is over", by: "Ada", at: later),
      .frozen(MergeQueue.Freeze(reason: "a sale", since: at, until: later, sparesHotfixes: true)),
      .thawed(at: later),
      .overdue(entry: 1, since: at, at: later),
      .noted(note), .noteWritten(note, at: later), .noteAbandoned(note, why: "it is protected", at: later),
      .runnerLost(MergeQueue.RunnerLoss(since: at, isSilent: true, why: "no answer"), at: later),
      .runnerFound(at: later),
      .trunkSighted(to: c("x"), at: at),
      .trunkTraced(
        MergeQueue.Overtaking(from: c("t0"), to: c("x"), how: .advanced, lanes: .folders(["api"])), at: at),
      .reviewsAsked(entry: 2, head: c("b"), places: ["production/orders"], at: at),
      .schemaReviewed(
        entry: 2, head: c("b"), place: "production/orders",
        verdict: SchemaReview(
          fit: .breaks, passes: false, why: "a column is gone", report: digest("report")), at: at),
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
        == #"["conflict","testFailed","timedOut","killed","alreadyLanded","queueRetired","predecessorLeft","waitedTooLong","migrationRefused"]"#
    )
    let causes: [MergeQueue.DropCause] = [.trunkMoved(to: c("x")), .culprit(1), .withdrawn(2), .recipeChanged]
    #expect(
      try wire(causes)
        == #"[{"trunkMoved":{"to":"\#(c("x"))"}},{"culprit":{"_0":1}},{"withdrawn":{"_0":2}},{"recipeChanged":{}}]"#)
  }

  /// What of a configuration and a submission was not there before is written only where it says something.
  @Test func newerKeysAreReadAndWritten() throws {
    let calendar = FreezeWindow(
      period: .weekly(days: [.saturday, .sunday], fromMinute: 0, toMinute: 1440, offsetMinutes: 0), reason: "weekend")
    let stay = MergeQueue.Stay(
      submittedAt: Instant(milliseconds: 1), waits: [WaitPart(cause: .runningCI, span: .seconds(1))], lanes: ["api"],
      team: "harbor")
    let full: [MergeQueue.Event] = [
      .configured(
        policy(
          scheduling: careful, strict: false, lanes: LaneRules(division: .directories(depth: 2)), freezes: [calendar],
          requirements: MergeQueue.Policy.Requirements(approvals: 1, checks: ["ci"], schemas: ["production/orders"]),
          longestWait: MergeQueue.Policy.LongestWait(span: .minutes(60), ejects: true), reusedCheck: "ci",
          hotfixesPreempt: true, notes: true)),
      .submitted(
        MergeQueue.EntryFacts(
          id: 3, branch: branch("a"), head: c("a"), author: "Ada", title: "Change a",
          submittedAt: Instant(milliseconds: 1), priority: .hotfix, team: "harbor", after: [1, 2])),
      .landed(
        MergeQueue.Landing(
          entry: 1, branch: branch("a"), head: c("a"), author: "Ada", title: "Change a", commit: c("t0+a"),
          tree: tree("tree"), previousTrunk: c("t0"), submittedAt: Instant(milliseconds: 1),
          at: Instant(milliseconds: 2), isTip: false, build: 4, team: "harbor")),
      .withdrawn(entry: 1, reason: "not yet", at: Instant(milliseconds: 2), stay: stay),
      .ejected(
        MergeQueue.Ejection(
          entry: 2, branch: branch("b"), head: c("b"), author: "Ada", title: "Change b", reason: .migrationRefused,
          log: nil, sentence: "It would break.", against: [], at: Instant(milliseconds: 2), report: digest("report"),
          stay: stay)),
    ]
    for event in full {
      #expect(try JSONDecoder().decode(MergeQueue.Event.self, from: Self.encoder.encode(event)) == event)
    }
  }

  /// A history of before there were builds folds: who landed or left is gone, and who waits is planned anew.
  @Test func olderHistoriesFold() {
    let at = Instant(milliseconds: 5)
    func facts(_ id: Int, _ name: String) -> MergeQueue.Event {
      .submitted(
        MergeQueue.EntryFacts(id: id, branch: branch(name), head: c(name), author: "Ada", title: name, submittedAt: at))
    }
    let events: [MergeQueue.Event] = [
      .configured(policy()), .trunkMoved(from: nil, to: c("t0"), at: at), facts(1, "a"), facts(2, "b"), facts(3, "c"),
      .prepared(entry: 1, base: c("t0"), assumed: [], commit: c("1"), tree: tree("1"), at: at),
      .conflicted(entry: 2, base: c("1"), assumed: [1], paths: ["a"], detail: "", at: at),
      .prepared(entry: 3, base: c("1"), assumed: [1], commit: c("3"), tree: tree("3"), at: at),
      .testPassed(entry: 1, commit: c("1"), log: digest("log"), startedAt: at, endedAt: at),
      .landed(
        MergeQueue.Landing(
          entry: 1, branch: branch("a"), head: c("a"), author: "Ada", title: "a", commit: c("1"), tree: tree("1"),
          previousTrunk: c("t0"), submittedAt: at, at: at)),
      .ejected(
        MergeQueue.Ejection(
          entry: 2, branch: branch("b"), head: c("b"), author: "Ada", title: "b", reason: .conflict, log: nil,
          sentence: "It did not merge.", against: [1], at: at)),
      .testFailed(
        entry: 3, commit: c("3"), end: .timedOut, reason: "", log: digest("log"), startedAt: at, endedAt: at),
      .candidateDropped(entry: 3, commit: c("3"), because: .culprit(2), at: at),
    ]
    var state = MergeQueue.initial
    for event in events { MergeQueue.evolve(&state, event) }
    #expect(MergeQueue.violations(in: state) == [])
    #expect(state.entries.map(\.id) == [3])
    #expect(work(of: state) == ["plan"])
    #expect(state.trunk == c("1"))
  }

  @Test func stateAndInputsSurviveTheirJournal() throws {
    let away = RunnerHealth(
      running: 0, slots: nil, queued: 0, lastSeenAt: Instant(milliseconds: 0), problem: "no answer")
    let told: [Told] =
      open(policy(notes: true)) + [
        submit("a"), submit("b", .high), submit("c"), submit("d", after: [3]), submit("e"),
        plan([2], [2, 1], [2, 1, 3]),
        made(2, "t0", "2"), made(1, "2", "12"), clash(3, "12"), failed(2), plan([2, 1]), passed(2), landed("12"),
        Told(.landingRefused(build: 2, commit: c("12"), trunk: c("y"))), Told(.withdraw(entry: 5, reason: "no")),
        Told(.exhausted(key: EffectKey("watch-trunk"), why: "disk full")), seen("x"), submit("f"),
        Told(.hold(.paused, reason: "an incident", by: "Ada")), Told(.resume(reason: "", by: "Ada")),
        Told(.report(entry: 6, .approved(by: "Grace"))), reviewed(6, "f"),
        Told(.configure(policy(requirements: MergeQueue.Policy.Requirements(schemas: ["production/orders"])))),
        reviewed(6, "f"), reviewed(6, "f", refusing: "a column is gone"), Told(.configure(policy(notes: true))),
        submit("g"),
        Told(.surveyed(entry: 7, paths: ChangedPaths(bounding: ["a"]))),
        Told(
          .changeObserved(entry: 7, ChangeState(branch: branch("g"), head: c("g2")))), Told(.ticked),
        Told(.runnerObserved(away)), Told(.commented(note: 1)),
        Told(.traced(from: c("x"), to: c("y"), how: .advanced, paths: ChangedPaths(bounding: ["a"]))),
        Told(.recall(services: [ServiceName(rawValue: "harbor")!])), Told(.retire), Told(.configure(policy())),
        seen("x"),
      ]
    var inputs: [MergeQueue.Input] = []
    for count in told.indices { inputs.append(told[count].input(play(Array(told.prefix(count))))) }
    for input in inputs {
      #expect(try JSONDecoder().decode(MergeQueue.Input.self, from: Self.encoder.encode(input)) == input)
    }
    for count in 0...told.count {
      let state = play(Array(told.prefix(count)))
      let encoded = try Self.encoder.encode(state)
      let decoded = try JSONDecoder().decode(MergeQueue.State.self, from: encoded)
      #expect(decoded == state)
      #expect(try Self.encoder.encode(decoded) == encoded)
    }
  }
}
