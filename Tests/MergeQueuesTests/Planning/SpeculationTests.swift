import Kernel
import Testing

@testable import MergeQueues

struct SpeculationTests {
  private static func item(_ id: Int, after: [Int], minutes: Double = 20, pass: Double = 0.95) -> Situation.Item {
    Situation.Item(
      id: id, after: after, passProbability: pass, medianDuration: minutes * 60, logDeviation: 0.1,
      submittedAt: Instant(milliseconds: 0))
  }

  private static func situation(
    _ items: [Situation.Item], _ builds: [Situation.KnownBuild] = [], slots: Int = 8, threshold: Double = 0.1,
    proof: SchedulingRules.Proof = .tree, agreement: SchedulingRules.Agreement = .every, reserve: Double = 0,
    mode: SchedulingRules.Mode = .speculate
  ) -> Situation {
    Situation(
      items: items, builds: builds, slots: slots, rates: FailureRates(change: 0.05, flake: 0, conflict: 0.03),
      rules: SchedulingRules(
        mode: mode, batchLimit: 1, threshold: threshold, bypassDepth: 3, isOptimistic: false,
        ejectionConfidence: 0.98, proof: proof, agreement: agreement, bypassSeconds: 300, bypassReserve: reserve),
      now: Instant(milliseconds: 3_600_000))
  }

  private static func chain(_ count: Int, pass: Double = 0.95) -> [Situation.Item] {
    (0..<count).map { item($0, after: Array(0..<$0), pass: pass) }
  }

  private func check(
    _ what: Comment, _ situation: Situation, expecting: [[Int]], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(Planner.plan(situation).builds.map(\.members) == expecting, what, sourceLocation: sourceLocation)
  }

  private static func running(_ members: Int..., sinceMinutes: Double = 0) -> Situation.KnownBuild {
    Situation.KnownBuild(
      members: members, state: .running(since: Instant(milliseconds: 3_600_000 - Int64(sinceMinutes * 60_000))))
  }

  @Test("The likeliest builds come first, those below the threshold not at all")
  func bestFirst() {
    check("nothing waits", Self.situation([]), expecting: [])
    check("each on those ahead", Self.situation(Self.chain(3)), expecting: [[0], [0, 1], [0, 1, 2]])
    check(
      "the branch without a doubtful one too",
      Self.situation([Self.item(0, after: [], pass: 0.6), Self.item(1, after: [0])], threshold: 0.3),
      expecting: [[0], [0, 1], [1]])
    check("too unlikely", Self.situation(Self.chain(3, pass: 0.6), threshold: 0.5), expecting: [[0], [0, 1]])
    check(
      "without one that failed",
      Self.situation(Self.chain(2), [Situation.KnownBuild(members: [0], state: .failed, redRuns: 1)]),
      expecting: [[1]])
    check("one at a time", Self.situation(Self.chain(3), mode: .fifo), expecting: [[0]])
  }

  @Test("Running builds stay while they can be needed, and make way only for what is certain")
  func sticky() {
    let apart = (0..<3).map { Self.item($0, after: []) } + [Self.item(3, after: [0], pass: 0.9)]
    check(
      "a running build first", Self.situation(apart, [Self.running(2)], slots: 2),
      expecting: [[2], [0], [1], [0, 3]])
    let doubtful = [Self.item(0, after: [], pass: 0.6), Self.item(1, after: [0])]
    check(
      "all slots taken by what may not be needed: the head's build outbids one",
      Self.situation(doubtful, [Self.running(1)], slots: 1), expecting: [[0], [0, 1]])
  }

  @Test("A slow item ahead is passed over where that saves more than the builds are worth")
  func bypass() {
    func line(_ minutes: Double) -> [Situation.Item] {
      [Self.item(0, after: [], minutes: minutes), Self.item(1, after: [0], minutes: 10)]
    }
    for agreement in [SchedulingRules.Agreement.every, .extremes] {
      func situation(_ minutes: Double, since: Double, reserve: Double = 0) -> Situation {
        Self.situation(
          line(minutes), [Self.running(0, sinceMinutes: since)], proof: .tip, agreement: agreement, reserve: reserve)
      }
      check("much slower", situation(60, since: 0), expecting: [[0], [0, 1], [1]])
      check("nearly done", situation(60, since: 55), expecting: [[0], [0, 1]])
      check("faster", situation(8, since: 0), expecting: [[0], [0, 1]])
      // Between two builds, the one with all ahead can wait too.
      check(
        "no slot is idle", situation(60, since: 0, reserve: 0.9),
        expecting: agreement == .every ? [[0], [0, 1]] : [[0]])
    }
  }

  @Test("Ten thousand items are looked at no deeper than the slots go")
  func deep() {
    let line = (0..<10_000).map { Self.item($0, after: $0 == 0 ? [] : Array(max(0, $0 - 20)..<$0)) }
    let plan = Planner.plan(Self.situation(line, slots: 10))
    #expect(plan.builds.count <= 10 + Speculation.lookahead)
    #expect(plan.builds.first?.members == [0])
    #expect(plan.builds.allSatisfy { ($0.members.last ?? 0) < 100 })
  }
}
