import RealModule
import Statistics
import Testing

struct MixtureTestTests {
  /// The e-value by multiplying request by request.
  private func naive(_ events: Int, _ trials: Int, null: Double, ratios: [Double]) -> Double {
    var total = 0.0
    for ratio in ratios {
      let rate = ratio <= 1 ? null : min(ratio * null, MixtureTest.highestRate)
      var product = 1.0
      for request in 0..<trials { product *= request < events ? rate / null : (1 - rate) / (1 - null) }
      total += product
    }
    return total / Double(ratios.count)
  }

  @Test func evidenceEqualsTheDirectProduct() {
    for null in [0.001, 0.01, 0.05, 0.4] {
      let test = MixtureTest(nullRate: null)
      for trials in [0, 1, 5, 20, 60] {
        for events in 0...min(trials, 6) {
          let direct = Double.log(naive(events, trials, null: null, ratios: MixtureTest.standardRatios))
          let found = test.logEvidence(events: events, trials: trials)
          #expect(abs(found - direct) < 1e-9, "\(events) of \(trials) against \(null): \(found), direct \(direct)")
        }
      }
    }
  }

  @Test func evidenceStaysFiniteForHugeCounts() {
    let test = MixtureTest(nullRate: 0.001)
    for (events, trials) in [(0, 1_000_000_000), (1_000_000, 1_000_000), (1_000_000, 1_000_000_000)] {
      #expect(test.logEvidence(events: events, trials: trials).isFinite, "\(events) of \(trials)")
    }
    #expect(MixtureTest(nullRate: 0.99).logEvidence(events: 50, trials: 50) == 0, "nothing is worse than nearly all")
  }

  @Test func anotherErrorNeverLowersTheEvidenceAndThePeakNeverFalls() {
    var chance = Seeded(7)
    let test = MixtureTest(nullRate: 0.01)
    var process = EvidenceProcess(test)
    var peak = process.peak
    for _ in 0..<2000 {
      let bad = chance.events(among: 5, rate: 0.02)
      let calm = test.logEvidence(events: process.events, trials: process.trials + 5)
      process.absorb(events: bad, trials: 5)
      #expect(process.logEvidence >= calm)
      #expect(process.peak >= peak && process.peak >= process.logEvidence)
      peak = process.peak
    }
  }

  @Test(arguments: [(0.001, 10), (0.001, 100), (0.01, 10)])
  func healthyStreamsAlarmNoMoreOftenThanVilleAllows(null: Double, perSecond: Int) {
    let runs = 2000
    let budget = 0.01
    var chance = Seeded(UInt64(perSecond))
    let test = MixtureTest(nullRate: null)
    var alarms = 0
    for _ in 0..<runs {
      let crossing = firstCrossing(
        rate: null, requests: 600 * perSecond, threshold: -Double.log(budget), &chance,
        evidence: test.logEvidence(events:trials:))
      if crossing != nil { alarms += 1 }
    }
    #expect(Double(alarms) / Double(runs) <= slack(budget, runs: runs), "\(alarms) alarms in \(runs) healthy runs")
  }

  /// Medians of the published simulation (α 0.01, looked at once a second), within a quarter and a second.
  @Test(arguments: [
    (0.001, 5.0, 20.0, 27.0), (0.001, 20, 20, 7), (0.001, 100, 5, 15), (0.001, 100, 20, 2), (0.01, 20, 5, 8),
    (0.01, 5, 5, 30), (0.0005, 20, 20, 13), (0.001, 500, 2, 31),
  ])
  func medianDetectionIsTheSimulatedOne(null: Double, perSecond: Double, ratio: Double, seconds: Double) {
    var chance = Seeded(99)
    let test = MixtureTest(nullRate: null)
    let times = (0..<600).map { _ in
      let crossing = firstCrossing(
        rate: null * ratio, requests: Int(perSecond * 600), threshold: -Double.log(0.01), &chance,
        evidence: test.logEvidence(events:trials:))
      return crossing.map { Double($0) / perSecond } ?? .infinity
    }
    let median = times.sorted()[300]
    #expect(abs(median - seconds) <= seconds / 4 + 1, "median \(median) s, simulated \(seconds) s")
  }

  @Test func joinedWindowsNeverExceedTheirShares() {
    let all = MixtureWindows.combined(whole: 0, recent: 0)
    #expect(all <= 0)
    #expect(MixtureWindows.combined(whole: 10, recent: -5) >= 10 - MixtureWindows.wholeCost)
    #expect(MixtureWindows.recentDominates(whole: -2, recent: 12))
    #expect(!MixtureWindows.recentDominates(whole: 3, recent: 3))
  }
}
