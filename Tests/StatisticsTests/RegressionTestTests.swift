import RealModule
import Statistics
import Testing

struct RegressionTestTests {
  private static let ratios: [Double] = [2, 3, 5, 10, 20, 50, 100, 300]

  @Test func withoutEarlierCountsOnlyTheToleratedRateCounts() {
    let test = RegressionTest(tolerated: 0.05, earlierEvents: 0, earlierTrials: 0, ratios: Self.ratios)
    let plain = MixtureTest(nullRate: 0.05, ratios: [1] + Self.ratios)
    for (events, trials) in [(0, 0), (3, 4), (10, 40), (1, 500)] {
      #expect(test.logEvidence(events: events, trials: trials) == plain.logEvidence(events: events, trials: trials))
    }
  }

  /// The infimum over earlier rates, on a grid twenty times finer than the test's own.
  private func bruteForce(_ events: Int, _ trials: Int, earlier: (Int, Int), tolerated: Double) -> Double {
    func likelihood(_ rate: Double) -> Double {
      Binomial.logProbability(events: earlier.0, trials: earlier.1, rate: rate)
    }
    var prior: [Double] = []
    var rate = 1e-5
    while rate < 0.95 {
      prior.append(likelihood(rate))
      rate *= 1.1
    }
    prior.append(likelihood(0.95))
    let marginal = logSumExp(prior) - Double.log(Double(prior.count))
    let observed = Double(earlier.0) / Double(earlier.1)
    var least = MixtureTest(nullRate: tolerated, ratios: [1] + Self.ratios).logEvidence(events: events, trials: trials)
    rate = tolerated
    while rate < 0.95 {
      let new = MixtureTest(nullRate: rate, ratios: [1] + Self.ratios).logEvidence(events: events, trials: trials)
      least = min(least, new + marginal - likelihood(max(rate, observed)))
      rate *= 1.005
    }
    return least
  }

  @Test func suspicionEqualsTheLeastProductOverAllEarlierRates() {
    for earlier in [(0, 3000), (3, 6000), (6, 6000), (60, 6000), (2, 40), (900, 3000)] {
      let test = RegressionTest(
        tolerated: 0.001, earlierEvents: earlier.0, earlierTrials: earlier.1, ratios: Self.ratios)
      for (events, trials) in [(3, 60), (5, 100), (40, 60), (12, 5000), (60, 60)] {
        let direct = bruteForce(events, trials, earlier: earlier, tolerated: 0.001)
        let found = test.logEvidence(events: events, trials: trials)
        // Below zero only the sign counts; beyond the most evidence nothing does.
        let expected = min(direct, RegressionTest.mostEvidence)
        let isRight = direct <= 0.01 ? found <= 0.01 : abs(found - expected) < 0.02
        #expect(isRight, "\(events) of \(trials) after \(earlier): \(found), direct \(direct)")
      }
    }
  }

  @Test func moreErrorsNeverHelpACanaryAndMoreRequestsNeverHurtIt() {
    let test = RegressionTest(tolerated: 0.001, earlierEvents: 5, earlierTrials: 6000, ratios: Self.ratios)
    for trials in [20, 200, 2000, 50_000] {
      for events in 0..<20 {
        let here = test.logEvidence(events: events, trials: trials)
        #expect(test.logEvidence(events: events + 1, trials: trials) >= here - 0.001)
        #expect(test.logEvidence(events: events, trials: trials + 100) <= here + 0.001)
      }
    }
  }

  @Test func aLargerBaselineMakesTheSameErrorsMoreTelling() {
    let evidence = [(0, 100), (0, 1000), (1, 10_000)].map { earlier in
      RegressionTest(tolerated: 0.001, earlierEvents: earlier.0, earlierTrials: earlier.1, ratios: Self.ratios)
        .logEvidence(events: 3, trials: 60)
    }
    #expect(evidence[0] < evidence[1] && evidence[1] < evidence[2], "\(evidence)")
  }

  @Test func aLongDriftBelowTheRatioIsNoEvidence() {
    // 1.3 times a well-known 1 %, for a million requests.
    let test = RegressionTest(tolerated: 0.001, earlierEvents: 10_000, earlierTrials: 1_000_000, ratios: Self.ratios)
    #expect(test.logEvidence(events: 13_000, trials: 1_000_000) <= 0)
    #expect(test.logEvidence(events: 22_000, trials: 1_000_000) == RegressionTest.mostEvidence, "and 2.2 times is")
  }

  /// Both streams at one rate, the earlier one only counted: at every size of baseline the alarms keep to the budget.
  @Test(arguments: [(0.0005, 3000), (0.001, 6000), (0.003, 1000), (0.02, 6000), (0.02, 300)])
  func healthyStreamsAlarmWithinTheBudget(rate: Double, earlierTrials: Int) {
    let runs = 1000
    let budget = 0.01
    var chance = Seeded(UInt64(earlierTrials))
    var alarms = 0
    for _ in 0..<runs {
      let earlier = chance.events(among: earlierTrials, rate: rate)
      let test = RegressionTest(
        tolerated: 0.001, earlierEvents: earlier, earlierTrials: earlierTrials, ratios: Self.ratios)
      let crossing = firstCrossing(
        rate: rate, requests: 6000, threshold: -Double.log(budget), &chance,
        evidence: test.logEvidence(events:trials:))
      if crossing != nil { alarms += 1 }
    }
    #expect(Double(alarms) / Double(runs) <= slack(budget, runs: runs), "\(alarms) alarms in \(runs) healthy runs")
  }
}
