import Kernel
import RealModule
import Rollouts
import Testing

struct JudgePlanTests {
  private static let policy = JudgePolicy(sloP99: .seconds(0.3))

  @Test func slownessIsThreeTimesTheTarget() {
    #expect(Self.policy.slowerThan == Span(milliseconds: 900))
  }

  @Test func theBudgetIsSplitWithoutRemainder() {
    for (baseline, rules) in [
      (Baseline(requests: 100, errors: 0, slow: 0), [Rule.errorRate, .latency, .ceiling]),
      (.none, [.latency, .ceiling]),
    ] {
      let plan = JudgePlan(policy: Self.policy, baseline: baseline)
      #expect(plan.lines.map(\.rule) == rules)
      let spent = plan.lines.reduce(0.0) { $0 + Double.exp(-$1.threshold) }
      #expect(abs(spent - Self.policy.falseRollbackBudget) < 1e-12)
    }
  }

  @Test func extremePoliciesNeitherConvictTheCalmNorBreak() {
    for (budget, ceiling, ratio) in [(0.0, 0.0, 0.0), (5, 1, 2), (-1, 7, 1e9), (0.005, 0.05, 1)] {
      let policy = JudgePolicy(sloP99: .zero, errorRatio: ratio, ceiling: ceiling, falseRollbackBudget: budget)
      for baseline in [Baseline.none, Baseline(requests: 50, errors: 50, slow: 50)] {
        var judge = Judge(policy: policy, baseline: baseline, canary: JudgeWorld.canary, control: nil)
        let verdict = judge.absorb(JudgeWorld.bin(fromMs: 0, toMs: 250, canary: RequestCounts(requests: 10)))
        if case .bad = verdict { Issue.record("\(policy) convicts a calm canary: \(verdict)") }
        #expect(judge.checkpoint.tests.allSatisfy { $0.logEvidence.isFinite && $0.threshold > 0 })
      }
    }
  }

  @Test func baselinesAreReadWithinTheirBounds() {
    #expect(Baseline(requests: 10, errors: 20, slow: -1) == Baseline(requests: 10, errors: 10, slow: 0))
    #expect(Baseline(requests: -5, errors: 1, slow: 1) == .none)
    #expect(Baseline.none.errorRate == 0 && Baseline.none.errorRateUpperBound == 1)
    let known = Baseline(requests: 6000, errors: 3, slow: 60)
    #expect(known.errorRateUpperBound > known.errorRate && known.errorRateUpperBound < 0.0015)
    #expect(known.slowRateUpperBound > known.slowRate)
  }

  @Test func theDetectableEffectIsSaidInWords() {
    let effect = DetectableEffect(requestsPerSecond: 10, baselineRate: 0.001, policy: Self.policy)
    #expect(
      effect.sentence
        == "At 10 requests/s a 20x worsening is seen in about 19 s; 5x would take 4 min, 2x would take 94 min.")
    let none = DetectableEffect(requestsPerSecond: 0, baselineRate: 0.001, policy: Self.policy)
    #expect(none.sentence == "Without traffic no worsening can be seen.")
    #expect(none.rows.allSatisfy { $0.wait == nil })
    let hopeless = DetectableEffect(requestsPerSecond: 10, baselineRate: 0.97, policy: Self.policy)
    #expect(hopeless.rows.allSatisfy { $0.wait == nil })
    #expect(hopeless.sentence.hasSuffix("no worsening can be seen: the baseline leaves no room above it."))
  }

  @Test func moreTrafficNeverMakesTheWaitLonger() {
    for ratioIndex in 0..<3 {
      let waits = [0.1, 1, 10, 100, 1000].compactMap { rps in
        DetectableEffect(requestsPerSecond: rps, baselineRate: 0.002, policy: Self.policy).rows[ratioIndex].wait
      }
      #expect(waits.count == 5 && waits == waits.sorted(by: >))
    }
  }

  @Test func aHistoryTellsHowErrorsCrowd() throws {
    func windows(_ errors: (Int) -> Int, repeats: Int = 0) -> [RequestCounts] {
      (0..<60).map { RequestCounts(requests: 1000, errors: errors($0), repeats: repeats) }
    }
    let even = Baseline(windows: windows { _ in 10 })
    let crowded = Baseline(windows: windows { $0 % 10 == 0 ? 100 : 0 })
    #expect(try #require(even.dispersion).errors == 1)
    #expect(try #require(crowded.dispersion).errors > 50)
    #expect(even.errors == 600 && crowded.errors == 600)
    #expect(Baseline(windows: windows({ _ in 10 }, repeats: 9)).errors == 60)
    #expect(Baseline(windows: Array(windows { _ in 10 }.prefix(11))).dispersion == nil)
    let isFluctuating = [even, crowded].map { JudgePlan(policy: Self.policy, baseline: $0).lines[0].isFluctuating }
    #expect(isFluctuating == [false, true])
  }

  /// Six earlier errors can never tell 2x from the tolerance; that makes *good* no cheaper.
  @Test func goodIsNotCheapWhereTheHistoryIsTooShort() {
    let baseline = Baseline(requests: 6000, errors: 6, slow: 0)
    #expect(JudgePlan(policy: Self.policy, baseline: baseline).requests(toSee: 2) == nil)
    for ratio in [1.5, 2] {
      let policy = JudgePolicy(sloP99: .seconds(0.3), mustDetectRatio: ratio)
      let judge = Judge(policy: policy, baseline: baseline, canary: JudgeWorld.canary, control: nil)
      guard case .notEnoughEvidence(let scarcity) = judge.verdict else {
        Issue.record("\(judge.verdict)")
        continue
      }
      #expect(scarcity.needed > 20_000)
    }
  }
}
