import QueueTrials
import Testing

/// What each rival's rule comes to where that can be counted by hand: all changes arrive at once, take equally long, may
/// meet all others, fail only by themselves, and workers are never short. Waits are in build times.
struct ClosedFormTests {
  private static let seconds = 600.0
  /// From 0: 3 and 4 side by side, then two apart.
  private static let bad: Set<Int> = [3, 4, 11, 17]
  private static let count = 24

  private func check(
    _ policy: Model1Policy, count: Int = Self.count, bad: Set<Int> = Self.bad,
    waits: (_ change: Int, _ badAhead: Int) -> Int, builds: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let changes = (0..<count).map {
      Trace.Change(arrivalSeconds: 0, durationSeconds: Self.seconds, isBad: bad.contains($0))
    }
    let trace = Trace(changes: changes, overlap: .everything, conflictRate: 0, flakeRate: 0, seed: 1)
    let outcome = policy.run(on: CIFarm(trace: trace, slots: count * 8, measured: 0...1))
    let expected = (0..<count).map { change in Double(waits(change, bad.count { $0 < change })) }
    #expect(
      outcome.waits.sorted() == expected.sorted().map { $0 * Self.seconds }, sourceLocation: sourceLocation)
    #expect(outcome.builds == builds, sourceLocation: sourceLocation)
    #expect(outcome.ejected == bad.count && outcome.landed == count - bad.count, sourceLocation: sourceLocation)
    #expect(outcome.falseEjections + outcome.brokenLandings == 0, sourceLocation: sourceLocation)
  }

  private static let badAhead = (0..<count).map { change in bad.count { $0 < change } }

  @Test("The Oracle builds each once, on those that will land")
  func oracle() { check(.oracle, waits: { _, _ in 1 }, builds: Self.count) }

  @Test("Single queue: each waits for all ahead, one after the other")
  func single() { check(.singleQueue, waits: { change, _ in change + 1 }, builds: Self.count) }

  @Test("Optimistic: all behind the first bad one are built anew at once, without all that were seen red")
  func optimistic() {
    check(
      .optimistic, waits: { $1 == 0 ? 1 : 2 }, builds: Self.count + Self.badAhead.count { $0 > 0 })
  }

  /// With a prior of .95 no second path of a change is needed with .1 or more: p^(k-1) (1 - p) is .05 at most. So each has
  /// one build at a time, which is refuted by each bad one ahead in turn.
  @Test("Best-first with threshold: one build, and one more for each bad one ahead")
  func bestFirstThreshold() {
    check(
      .bestFirstThreshold, waits: { 1 + $1 }, builds: Self.count + Self.badAhead.reduce(0, +))
  }

  @Test("Speculate on all: n that may meet need 2^n - 1 builds at once (SubmitQueue, EuroSys 2019), and one build time")
  func speculateAll() { check(.speculateAll, count: 3, bad: [1], waits: { _, _ in 1 }, builds: 7) }
}
