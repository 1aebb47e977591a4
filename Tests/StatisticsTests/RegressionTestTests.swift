import RealModule
import Statistics
import Testing

struct RegressionTestTests {
  private static let alternatives = Alternatives(from: 2)

  private func counted(_ events: Int, _ trials: Int, tolerance: Double = 1.3, spread: Double = 0) -> RegressionTest {
    RegressionTest(
      earlierEvents: Double(events), earlierTrials: Double(trials), tolerance: tolerance, spread: spread,
      alternatives: Self.alternatives)
  }

  @Test func evidenceAgainstAKnownRateIsThePoissonLikelihoodRatio() {
    let one = Alternatives(from: 300)
    let test = RegressionTest(knownRate: 0.01, alternatives: one)
    for (events, trials) in [(0, 0), (0, 500), (3, 40), (40, 4000)] {
      let direct = Double(events) * Double.log(300) - Double(trials) * 0.01 * 299
      #expect(abs(test.logEvidence(events: events, trials: trials) - direct) < 1e-9)
    }
  }

  /// Given all events of both streams, those of the new one are binomial under either claim.
  @Test func evidenceAgainstCountsIsTheConditionalBinomials() {
    let test = RegressionTest(
      earlierEvents: 11, earlierTrials: 5000, tolerance: 1.3, alternatives: Alternatives(from: 300))
    for (events, trials) in [(0, 10), (4, 100), (9, 3000)] {
      func logLikelihood(_ ratio: Double) -> Double {
        let share = ratio * Double(trials) / (ratio * Double(trials) + 5000)
        return Binomial.logProbability(events: events, trials: events + 12, rate: share)
      }
      let direct = logLikelihood(300) - logLikelihood(1.3)
      #expect(abs(test.logEvidence(events: events, trials: trials) - direct) < 1e-6)
    }
  }

  @Test func aLongHistoryIsAKnownRate() {
    let known = RegressionTest(knownRate: 0.013, alternatives: Alternatives(from: 300))
    let counted = RegressionTest(
      earlierEvents: 1e9, earlierTrials: 1e11, tolerance: 1.3, alternatives: Alternatives(from: 390))
    // 390 times 0.01 is 300 times 0.013.
    #expect(abs(known.logEvidence(events: 7, trials: 20) - counted.logEvidence(events: 7, trials: 20)) < 1e-4)
  }

  @Test func withoutFluctuationClosingWindowsChangesNothing() {
    for test in [counted(12, 9000), RegressionTest(knownRate: 0.002, alternatives: Self.alternatives)] {
      var course = RegressionTest.Course()
      var events = 0
      var trials = 0
      for (more, requests) in [(0, 300), (4, 50), (1, 2000), (0, 7), (9, 400)] {
        events += more
        trials += requests
        let apart = test.logEvidence(after: course, events: events, trials: trials)
        #expect(abs(apart - test.logEvidence(events: events, trials: trials)) < 1e-9)
        test.close(&course, events: events, trials: trials)
      }
    }
  }

  @Test func whereTheRateFluctuatesOneBadWindowSaysLessThanMany() {
    let test = counted(600, 60_000, spread: 1)
    var crowded = RegressionTest.Course()
    test.close(&crowded, events: 50, trials: 1000)
    var spread = RegressionTest.Course()
    for window in 1...10 { test.close(&spread, events: 5 * window, trials: 100 * window) }
    let one = test.logEvidence(after: crowded, events: 50, trials: 1000)
    let many = test.logEvidence(after: spread, events: 50, trials: 1000)
    #expect(one < 2 && many > 2 * one, "\(one), \(many)")
    #expect(counted(600, 60_000).logEvidence(events: 50, trials: 1000) > 20)
  }

  /// One client's run in a history of ten errors: a spread of 15. A version that then fails in every window is not what
  /// has become usual.
  @Test func windowsThatAllFailDoNotBecomeTheUsualRate() {
    let test = counted(10, 60_000, spread: 15)
    var course = RegressionTest.Course()
    var evidence: [Double] = []
    for window in 1...12 {
      test.close(&course, events: 10 * window, trials: 1000 * window)
      evidence.append(test.logEvidence(after: course, events: 10 * window, trials: 1000 * window))
    }
    #expect(zip(evidence, evidence.dropFirst()).allSatisfy { $0 < $1 }, "\(evidence)")
    #expect(evidence[11] > 10, "\(evidence)")
  }

  @Test func moreErrorsNeverHelpACanaryAndMoreRequestsNeverHurtIt() {
    for test in [counted(5, 6000), counted(5, 6000, spread: 0.7)] {
      for trials in [20, 200, 2000, 50_000] {
        for events in 0..<20 {
          let here = test.logEvidence(events: events, trials: trials)
          #expect(test.logEvidence(events: events + 1, trials: trials) >= here)
          #expect(test.logEvidence(events: events, trials: trials + 100) <= here)
        }
      }
    }
  }

  @Test func aLongerHistoryMakesTheSameErrorsMoreTelling() {
    let evidence = [(0, 100), (0, 1000), (0, 10_000)].map {
      counted($0.0, $0.1).logEvidence(events: 3, trials: 60)
    }
    #expect(evidence[0] < evidence[1] && evidence[1] < evidence[2], "\(evidence)")
  }

  @Test func driftUpToTheToleranceIsNoEvidenceHoweverLong() {
    let test = counted(10_000, 1_000_000)
    #expect(test.logEvidence(events: 13_000, trials: 1_000_000) < 0)
    #expect(test.logEvidence(events: 20_000, trials: 1_000_000) > 40)
  }

  @Test func oneEventIsNeverMoreThanItsBound() {
    for earlier in [(0, 1), (0, 1_000_000), (50, 60)] {
      #expect(counted(earlier.0, earlier.1).logEvidence(events: 1, trials: 1) < Self.alternatives.mostOfOne)
    }
  }

  /// The new stream at the very edge of what is tolerated, the earlier one only counted.
  @Test(arguments: [(0.0005, 3000), (0.001, 6000), (0.003, 1000), (0.02, 6000), (0.02, 300), (0.0002, 2000)])
  func streamsAtTheToleranceAlarmWithinTheBudget(rate: Double, earlierTrials: Int) {
    let runs = 600
    let budget = 0.01
    var chance = Seeded(UInt64(earlierTrials))
    var alarms = 0
    for _ in 0..<runs {
      let test = counted(chance.events(among: earlierTrials, rate: rate), earlierTrials)
      let crossing = firstCrossing(
        rate: 1.3 * rate, requests: 6000, threshold: -Double.log(budget), &chance,
        evidence: test.logEvidence(events:trials:))
      if crossing != nil { alarms += 1 }
    }
    #expect(Double(alarms) / Double(runs) <= slack(budget, runs: runs), "\(alarms) alarms in \(runs) healthy runs")
  }

  /// Windows of a hundred requests whose rate has an exponential factor: steady only on average.
  @Test func fluctuatingStreamsAlarmWithinTheBudget() {
    let runs = 500
    let budget = 0.01
    var chance = Seeded(71)
    let test = counted(60, 6000, spread: 1)
    var alarms = 0
    for _ in 0..<runs {
      var course = RegressionTest.Course()
      var events = 0
      for window in 1...60 {
        let factor = -Double.log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &chance))
        events += chance.events(among: 100, rate: min(0.01 * factor, 0.9))
        let evidence = test.logEvidence(after: course, events: events, trials: 100 * window)
        if evidence >= -Double.log(budget) {
          alarms += 1
          break
        }
        test.close(&course, events: events, trials: 100 * window)
      }
    }
    #expect(Double(alarms) / Double(runs) <= slack(budget, runs: runs), "\(alarms) alarms in \(runs) healthy runs")
  }
}
