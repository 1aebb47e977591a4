import QueueTrials
import Testing

/// Small lines by hand: all may conflict, and do so pairwise or not at all.
struct CoveringPolicyTests {
  private struct Change {
    let at: Double
    let takes: Double
    var isBad = false
  }

  private func check(
    _ words: Comment, _ changes: [Change], conflict: Bool, threshold: Double = 0, landed: Int, builds: Int,
    waits: [Double], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let trace = Trace(
      changes: changes.map { Trace.Change(arrivalSeconds: $0.at, durationSeconds: $0.takes, isBad: $0.isBad) },
      overlap: .everything, conflictRate: conflict ? 1 : 0, flakeRate: 0, seed: 1)
    let policy = CoveringPolicy(changes: changes.count, expected: .model1(threshold: threshold))
    let outcome = PolicyRun.run(policy, on: CIFarm(trace: trace, slots: 10, measured: 0...1))
    #expect(outcome.landed == landed, words, sourceLocation: sourceLocation)
    #expect(outcome.landed + outcome.ejected == changes.count, words, sourceLocation: sourceLocation)
    #expect(outcome.builds == builds, words, sourceLocation: sourceLocation)
    #expect(outcome.waits == waits, words, sourceLocation: sourceLocation)
    #expect(outcome.brokenLandings == 0 && outcome.falseEjections == 0, words, sourceLocation: sourceLocation)
  }

  private let slow = Change(at: 0, takes: 1_000)
  private let slowAndBad = Change(at: 0, takes: 1_000, isBad: true)
  private let quick = Change(at: 10, takes: 100)

  @Test func passesOthersByWithOneBuildAndKeepsTheirOrder() {
    check(
      "green with the slow one in lands before it", [slow, quick], conflict: false, landed: 2, builds: 2,
      waits: [100, 1_000])
    check(
      "red with the slow one in is ejected once that has landed, without another build", [slow, quick], conflict: true,
      landed: 1, builds: 2, waits: [1_000, 990])
    check(
      "red because of one that was ejected is built again", [slowAndBad, quick], conflict: true, landed: 1, builds: 3,
      waits: [1_000, 1_090])
    check(
      "bad by itself is ejected only when those ahead cannot be to blame",
      [slow, Change(at: 10, takes: 100, isBad: true)], conflict: false, landed: 1, builds: 2, waits: [1_000, 990])
    check("alone and bad is ejected by its own red", [slowAndBad], conflict: true, landed: 0, builds: 1, waits: [1_000])
  }

  @Test func buildsThatAreUnlikelyToSettleAnythingWait() {
    // Two ahead: green with .95 x .9686^2 = .891.
    let three = [slow, Change(at: 5, takes: 1_000), quick]
    check(
      "worth its price", three, conflict: false, threshold: 0.89, landed: 3, builds: 3, waits: [100, 1_000, 1_000])
    check(
      "above the price of .95 x .9686, each waits for those ahead", three, conflict: false, threshold: 0.93, landed: 3,
      builds: 3, waits: [1_000, 1_995, 2_090])
  }
}
