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

  /// Until *good* is first said of calm traffic.
  private static func firstGood(
    after history: Baseline, requestsPerSecond: Int, _ policy: JudgePolicy
  ) throws -> Power {
    var judge = Judge(policy: policy, baseline: history, canary: JudgeWorld.canary, control: nil)
    for second in 0..<Int64(1800) {
      let bin = JudgeWorld.bin(
        fromMs: second * 1000, toMs: (second + 1) * 1000, canary: RequestCounts(requests: requestsPerSecond))
      if case .good(let power) = judge.absorb(bin) { return power }
    }
    throw NeverGood()
  }
  private struct NeverGood: Error {}

  private static func history(_ errors: (Int) -> Int) -> Baseline {
    Baseline(windows: (0..<60).map { RequestCounts(requests: 2000, errors: errors($0)) })
  }

  /// A worsening hides in windows that are bad by themselves.
  @Test(arguments: [(3.0, 100), (5, 20), (5, 100), (5, 500), (20, 100), (20, 500)])
  func goodTakesLongerWhereErrorsCrowd(ratio: Double, requestsPerSecond: Int) throws {
    let policy = JudgePolicy(sloP99: .seconds(0.3), mustDetectRatio: ratio)
    let crowded = Self.history { $0.isMultiple(of: 2) ? 4 : 0 }
    let ifSteady = try #require(JudgePlan(policy: policy, baseline: crowded).requests(toSee: ratio))
    let power = try Self.firstGood(after: crowded, requestsPerSecond: requestsPerSecond, policy)
    #expect(power.requests >= power.needed && power.needed > ifSteady)
    // What is said of the worsening that was seen is reckoned with requests rounded down by up to a twentieth.
    #expect(try #require(power.detectableRatio) <= ratio * 1.1)
  }

  /// Nothing tells 2x from such a history, however long one waits; then it is waited as for a steady one.
  @Test func goodDoesNotWaitForWhatIsNeverSeen() throws {
    let policy = JudgePolicy(sloP99: .seconds(0.3), mustDetectRatio: 2)
    let wild = Self.history { $0 == 7 ? 120 : 0 }
    let power = try Self.firstGood(after: wild, requestsPerSecond: 100, policy)
    #expect(power.detectableRatio.map { $0 > 2 } ?? true)
  }

  /// One crowded second in ten minutes of history, far below what is tolerated, is no licence to be slow for minutes.
  @Test(arguments: [0, 5, 20])
  func aHiccupInTheHistoryHidesNoSlowVersion(crowd: Int) {
    let history = Baseline(
      windows: (0..<60).map { RequestCounts(requests: 960, errors: 0, slow: $0 == 30 ? crowd : 0) })
    var judge = Judge(policy: Self.policy, baseline: history, canary: JudgeWorld.canary, control: nil)
    for second in 0..<Int64(120) {
      let counts = RequestCounts(requests: 10, errors: 0, slow: 1)
      let bin = JudgeWorld.bin(fromMs: second * 1000, toMs: (second + 1) * 1000, canary: counts)
      if case .bad = judge.absorb(bin) { return }
    }
    Issue.record("10 % slow were not found in two minutes after a crowd of \(crowd)")
  }
}
