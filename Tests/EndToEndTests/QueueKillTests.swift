import Foundation
import Kernel
import Runtime
import Testing

@testable import plimsoll

/// The small sisters of what `plimsoll accept` repeats: real git, a real server, CI that keeps a book of its own.
@Suite("A queue on real git", .timeLimit(.minutes(10))) struct QueueKillTests {
  @Test("a server killed again and again loses no change, lands none twice and nothing untested")
  func kills() async throws {
    try await withFolder { folder in
      let world = try await QueueWorld(
        folder: folder.appending(path: "world").path,
        options: QueueWorld.Options(ciSeconds: 0.3, slots: 2, program: Binary.path))
      let plan = QueueKills.Plan(kills: 2, killsAtPush: 1, changes: 6, seed: 7, longestWaitMs: 2000)
      let outcome: QueueKills.Outcome
      do {
        outcome = try await QueueKills(world: world, plan: plan, say: { _ in }).run()
      } catch {
        await world.stopServer()
        throw error
      }
      #expect(outcome.faults.isEmpty, "\(outcome.faults)")
      #expect(outcome.kills == 3)
      #expect(outcome.landed == 3 && outcome.ejected == 3, "one is bad, and of each two rivals one: \(outcome)")
      #expect(outcome.landedByPush.reduce(0, +) == 3)
    }
  }

  @Test("what CI tested elsewhere, or the queue before, lands without a run") func tested() async throws {
    try await withFolder { folder in
      let trial = QueueLandings(folder: folder.path, say: { _ in }, program: Binary.path)
      var outcome = QueueLandings.Outcome()
      try await trial.testedElsewhere(2, into: &outcome)
      try await trial.lowLoad(2, ciSeconds: 0.2, seed: 3, into: &outcome)
      #expect(outcome.testedElsewhereMs.count == 2)
      #expect(outcome.testedHereMs.count == 2)
      #expect(outcome.needlessRuns == 0)
      #expect(outcome.waitMs.count == 2 && outcome.ciMs.count >= 2)
    }
  }
}

@Suite("The audit of a killed queue") struct QueueAuditTests {
  /// A good change landed and a bad one was ejected.
  private let sound = QueueAudit(
    changes: [
      QueueAudit.Change(branch: "good", head: "a1", kind: .good),
      QueueAudit.Change(branch: "bad", head: "b1", kind: .bad),
      QueueAudit.Change(branch: "left", head: "c1", kind: .rival("pair")),
      QueueAudit.Change(branch: "right", head: "c2", kind: .rival("pair")),
    ],
    fates: [
      QueueAudit.Fate(branch: "good", outcome: "landed"), QueueAudit.Fate(branch: "bad", outcome: "ejected"),
      QueueAudit.Fate(branch: "left", outcome: "landed"), QueueAudit.Fate(branch: "right", outcome: "ejected"),
    ],
    moves: [
      QueueAudit.Move(from: "m0", to: "m1", tree: "t1", second: 100, isForward: true),
      QueueAudit.Move(from: "m1", to: "m2", tree: "t2", second: 200, isForward: true),
    ], mergedHeads: ["a1", "c1"],
    checked: [
      QueueAudit.CheckedTree(word: .passed, tree: "t1", atMs: 100_999),
      QueueAudit.CheckedTree(word: .passed, tree: "t2", atMs: 150_000),
    ])

  private func check(_ words: String, _ spoil: (inout QueueAudit) -> Void) {
    var audit = sound
    spoil(&audit)
    #expect(audit.faults.contains { $0.contains(words) }, "\(words): \(audit.faults)")
  }

  @Test("each way to break the promise is told, and only those") func faults() {
    #expect(sound.faults.isEmpty, "\(sound.faults)")
    check("CI had not passed") { $0.checked[1].tree = "t3" }
    check("CI had not passed") { $0.checked[1].word = .failed }
    check("CI had not passed") { $0.checked[0].atMs = 101_000 }
    check("left commits behind") { $0.moves[1].isForward = false }
    check("who brought the trunk to x") { $0.moves[1].from = "x" }
    check("good was submitted and is lost") { $0.fates.removeFirst() }
    check("good ended more than once") { $0.fates.append(QueueAudit.Fate(branch: "good", outcome: "landed")) }
    check("good was merged 2 times") { $0.mergedHeads.append("a1") }
    check("good is landed and was merged 0 times") { $0.mergedHeads.removeFirst() }
    check("good is good and did not land") { $0.fates[0].outcome = "ejected" }
    check("bad is bad and landed") { $0.mergedHeads.append("b1") }
    check("x was merged and never submitted") { $0.mergedHeads.append("x") }
    check("'pair' there landed 2") { $0.mergedHeads.append("c2") }
    check("'pair' there landed 0") { $0.mergedHeads.removeLast() }
  }

  @Test("CI's book is read line by line") func book() {
    #expect(
      QueueAudit.CheckedTree(line: "passed abc 12") == QueueAudit.CheckedTree(word: .passed, tree: "abc", atMs: 12))
    for line in ["", "passed abc", "gone abc 12", "passed abc 12 x", "passed abc soon"] {
      #expect(QueueAudit.CheckedTree(line: line) == nil, "\(line)")
    }
  }

  @Test("of waits and runs the medians are compared") func ratio() {
    var outcome = QueueLandings.Outcome()
    #expect(outcome.timesOfCI == nil)
    outcome.waitMs = [3000, 2000, 2200, 9000]
    outcome.ciMs = [2000]
    #expect(outcome.timesOfCI == 1.3)
  }
}
