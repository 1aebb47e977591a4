import Kernel
import Rollouts
import Testing

/// The judge's promises about time and false rollbacks, held by seeded simulation.
struct JudgeDetectionTests {
  private func judge(_ baseline: Baseline) -> Judge {
    Judge(
      policy: JudgePolicy(sloP99: .seconds(0.3)), baseline: baseline, canary: JudgeWorld.canary, control: nil)
  }

  private func convictions(
    _ runs: Int, seed: UInt64, baseline: Baseline, rps: Double, errorRate: Double, slowRate: Double = 0.002
  ) -> [Int64?] {
    var chance = Seeded(seed)
    return (0..<runs).map { _ in
      var judge = judge(baseline)
      let bins = JudgeWorld.bins(seconds: 120, rps: rps, errorRate: errorRate, slowRate: slowRate, &chance)
      return JudgeWorld.run(&judge, bins).convictedMs
    }
  }

  /// Five per cent of errors on a canary of 10 requests/s: the median from the first bad response.
  @Test(arguments: [
    (Baseline(requests: 3000, errors: 0, slow: 3), 5000.0), (Baseline(requests: 6000, errors: 3, slow: 6), 5000.0),
    (Baseline(requests: 6000, errors: 6, slow: 6), 6500.0),
  ])
  func aFailingCanaryIsFoundInSeconds(baseline: Baseline, withinMs: Double) {
    let times = convictions(300, seed: 11, baseline: baseline, rps: 10, errorRate: 0.05)
    #expect(JudgeWorld.median(times) <= withinMs)
    #expect(JudgeWorld.median(times, share: 0.9) <= 3 * withinMs)
  }

  @Test func aSlowCanaryIsFoundToo() {
    let baseline = Baseline(requests: 6000, errors: 3, slow: 6)
    let times = convictions(200, seed: 12, baseline: baseline, rps: 10, errorRate: 0.0005, slowRate: 0.2)
    #expect(JudgeWorld.median(times) <= 6000)
  }

  @Test func troubleAfterTenHealthyMinutesIsFoundWithinHalfAMinute() {
    var chance = Seeded(13)
    let times = (0..<60).map { _ in
      var judge = judge(Baseline(requests: 6000, errors: 3, slow: 6))
      let calm = JudgeWorld.bins(seconds: 600, rps: 10, errorRate: 0.0005, slowRate: 0.002, &chance)
      _ = JudgeWorld.run(&judge, calm)
      let bad = JudgeWorld.bins(seconds: 120, rps: 10, errorRate: 0.05, slowRate: 0.002, &chance).map { bin in
        JudgeWorld.bin(
          fromMs: bin.from.milliseconds + 600_000, toMs: bin.to.milliseconds + 600_000,
          canary: bin.counts(of: JudgeWorld.canary))
      }
      return JudgeWorld.run(&judge, bad).convictedMs
    }
    #expect(JudgeWorld.median(times) <= 30_000)
  }

  /// The baseline is estimated from 6,000 requests at the same rate; ten minutes of watching.
  @Test(arguments: [(10.0, 0.0005, 2000), (50.0, 0.001, 500), (100.0, 0.0005, 500)])
  func healthyReleasesAreNotRolledBack(rps: Double, rate: Double, runs: Int) {
    var chance = Seeded(UInt64(rps))
    var rolledBack = 0
    for _ in 0..<runs {
      let baseline = Baseline(
        requests: 6000, errors: chance.events(among: 6000, rate: rate), slow: chance.events(among: 6000, rate: 0.001))
      var judge = judge(baseline)
      let bins = JudgeWorld.bins(seconds: 600, rps: rps, errorRate: rate, slowRate: 0.001, &chance)
      if bins.contains(where: { judge.conviction(after: $0) != nil }) { rolledBack += 1 }
    }
    // The budget of 0.5 %, and four standard deviations of chance.
    let budget = JudgePolicy.defaultFalseRollbackBudget
    let slack = 4 * (budget * Double(runs)).squareRoot()
    #expect(Double(rolledBack) <= budget * Double(runs) + slack, "\(rolledBack) of \(runs)")
  }

  /// One bin's worth of requests fails once a minute, as when a peer restarts.
  @Test func singleBurstsAtTheUsualRateAreSurvived() {
    var chance = Seeded(17)
    var rolledBack = 0
    let runs = 400
    for _ in 0..<runs {
      var judge = judge(Baseline(requests: 6000, errors: 6, slow: 6))
      let burstAt = Int64.random(in: 0..<240, using: &chance)
      for index in 0..<Int64(240) {
        let counts = RequestCounts(requests: 5, errors: index == burstAt ? 5 : 0)
        let bin = JudgeWorld.bin(fromMs: index * 250, toMs: index * 250 + 250, canary: counts)
        if judge.conviction(after: bin) != nil { rolledBack += 1 }
      }
    }
    #expect(rolledBack == 0)
  }

  @Test func goodIsSaidOnlyWithPower() {
    for (rps, latestMs) in [(10.0, 25_000.0), (50, 6000), (100, 4000)] {
      var chance = Seeded(19)
      let times = (0..<100).map { _ in
        var judge = judge(Baseline(requests: 6000, errors: 3, slow: 6))
        let bins = JudgeWorld.bins(
          seconds: 60, rps: rps, errorRate: 0.0005, slowRate: 0.001, longest: 1, &chance)
        return JudgeWorld.run(&judge, bins).goodMs
      }
      #expect(JudgeWorld.median(times) <= latestMs, "at \(rps) requests/s")
      let needed = DetectableEffect(
        requestsPerSecond: rps, baseline: Baseline(requests: 6000, errors: 3, slow: 6),
        policy: JudgePolicy(sloP99: .seconds(0.3))
      ).rows.last?.wait
      #expect(times.compactMap(\.self).allSatisfy { Span(milliseconds: $0) >= needed ?? .zero })
    }
  }

  @Test func aFailingCanaryIsHardlyEverCalledGoodFirstAndAlwaysConvicted() {
    var chance = Seeded(23)
    var calledGood = 0
    var convicted = 0
    let runs = 400
    for _ in 0..<runs {
      var judge = judge(Baseline(requests: 6000, errors: 3, slow: 6))
      let bins = JudgeWorld.bins(seconds: 120, rps: 10, errorRate: 0.05, slowRate: 0.001, longest: 1, &chance)
      let found = JudgeWorld.run(&judge, bins)
      if found.goodMs != nil { calledGood += 1 }
      if found.convictedMs != nil { convicted += 1 }
    }
    #expect(calledGood <= runs / 50, "\(calledGood) of \(runs) called good")
    #expect(convicted == runs)
  }
}
