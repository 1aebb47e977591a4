import RealModule
import Statistics
import Testing

struct CohortTestTests {
  /// Seconds until the evidence reaches 1/alpha; the share and both rates move as in a ramp through a wave.
  private func stopped(
    _ direction: CohortTest.Direction, worsening: Double, from onset: Int = 0, seconds: Int, alpha: Double,
    _ chance: inout Seeded
  ) -> Int? {
    let test = CohortTest(direction)
    var evidence = CohortTest.Evidence()
    test.beginStage(&evidence)
    for second in 0..<seconds {
      let treated = second < seconds / 2 ? 5 : 40
      let rate = 0.02 * (1 + 0.5 * Double.sin(Double(second) / 20))
      let own = second >= onset ? rate * (direction == .more ? worsening : 1 / worsening) : rate
      let events = chance.events(among: treated, rate: own)
      let beside = chance.events(among: 160 - treated, rate: rate)
      if second == seconds / 2 { test.beginStage(&evidence) }
      test.absorb(
        events: Double(events), all: Double(events + beside), share: Double(treated) / 160, label: Int64(second),
        into: &evidence)
      if test.value(evidence) >= 1 / alpha { return second }
    }
    return nil
  }

  @Test(arguments: [CohortTest.Direction.more, .fewer])
  func cohortsThatAreAlikeAreToldApartWithinTheBudgetThroughWavesAndStages(_ direction: CohortTest.Direction) {
    var chance = Seeded(41)
    let alarms = (0..<300).count { _ in
      stopped(direction, worsening: 1, seconds: 300, alpha: 0.05, &chance) != nil
    }
    #expect(Double(alarms) / 300 <= slack(0.05, runs: 300), "\(alarms) of 300")
  }

  @Test func theMeanOfTheEValueNeverExceedsOne() {
    var chance = Seeded(43)
    let test = CohortTest(.more)
    var sum = 0.0
    for _ in 0..<4000 {
      var evidence = CohortTest.Evidence()
      test.beginStage(&evidence)
      for second in 0..<10 {
        let events = chance.events(among: 30, rate: 0.02)
        let beside = chance.events(among: 70, rate: 0.02)
        test.absorb(
          events: Double(events), all: Double(events + beside), share: 0.3, label: Int64(second), into: &evidence)
      }
      sum += test.value(evidence)
    }
    #expect(sum / 4000 < 1.1, "\(sum / 4000)")
  }

  @Test func aFaultIsFoundInBothDirectionsAndSoonAfterALateBegin() {
    func median(_ direction: CohortTest.Direction, _ worsening: Double, from onset: Int) -> Int {
      var chance = Seeded(47)
      return (0..<60).map { _ in
        stopped(direction, worsening: worsening, from: onset, seconds: 2000, alpha: 0.01, &chance) ?? .max
      }.sorted()[30]
    }
    #expect(median(.more, 5, from: 0) < 60)
    #expect(median(.fewer, 5, from: 0) < 1200)
    #expect(median(.more, 5, from: 1500) < 1530)
  }

  @Test func itTellsSinceWhen() throws {
    var chance = Seeded(53)
    let test = CohortTest(.more)
    var evidence = CohortTest.Evidence()
    test.beginStage(&evidence)
    #expect(test.since(evidence) == nil)
    for second in 0..<400 {
      let events = chance.events(among: 50, rate: second < 300 ? 0.01 : 0.1)
      let beside = chance.events(among: 50, rate: 0.01)
      test.absorb(
        events: Double(events), all: Double(events + beside), share: 0.5, label: Int64(second), into: &evidence)
    }
    let since = try #require(test.since(evidence))
    #expect((290...310).contains(since), "\(since)")
  }

  @Test func aCohortAloneTellsNothing() {
    let test = CohortTest(.more)
    var evidence = CohortTest.Evidence()
    test.beginStage(&evidence)
    let before = test.value(evidence)
    for share in [0.0, 1] { test.absorb(events: 9, all: 9, share: share, label: 0, into: &evidence) }
    #expect(test.value(evidence) < before + 0.01)
  }

  @Test func upToTheLimitNothingIsEvidence() {
    var chance = Seeded(59)
    let test = CohortTest(.more, limit: 2)
    let alarms = (0..<100).count { _ in
      var evidence = CohortTest.Evidence()
      test.beginStage(&evidence)
      return (0..<200).contains { second in
        let events = chance.events(among: 100, rate: 0.04)
        let beside = chance.events(among: 100, rate: 0.02)
        test.absorb(
          events: Double(events), all: Double(events + beside), share: 0.5, label: Int64(second), into: &evidence)
        return test.value(evidence) >= 20
      }
    }
    #expect(Double(alarms) / 100 <= slack(0.05, runs: 100), "\(alarms)")
  }

  @Test func theWeightsOfAllBeginningsAreAtMostOne() {
    let stages = (0..<500).reduce(0) { $0 + StartWeights.stage($1) }
    let seconds = (0..<2_000_000).reduce(0) { $0 + StartWeights.second($1) }
    #expect(stages + seconds <= 1 && stages + seconds > 0.99, "\(stages) + \(seconds)")
  }

  /// The plan against ramps.
  @Test(arguments: [(2.0, 0.3), (5.0, 0.1)])
  func plansSayWhenHalfOfAllFaultsAreFound(ratio: Double, share: Double) throws {
    let test = CohortTest(.more)
    let threshold = Double.log(100)
    let second = CohortTest.Stretch(usual: 1 * share, other: 1 * (1 - share))
    let planned = try #require(test.folds(of: second, toSee: ratio, for: .median, threshold: threshold))
    let nearly = try #require(test.folds(of: second, toSee: ratio, for: .p95, threshold: threshold))
    var chance = Seeded(61)
    let found = (0..<200).map { _ -> Double in
      var evidence = CohortTest.Evidence()
      test.beginStage(&evidence)
      for second in 0..<5000 {
        let events = chance.events(among: Int(1000 * share), rate: 0.001 * ratio)
        let beside = chance.events(among: Int(1000 * (1 - share)), rate: 0.001)
        test.absorb(
          events: Double(events), all: Double(events + beside), share: share, label: Int64(second), into: &evidence)
        if test.value(evidence) >= 100 { return Double(second + 1) }
      }
      return .infinity
    }.sorted()
    #expect(abs(found[100] / planned - 1) < 0.25, "found \(found[100]), planned \(planned)")
    #expect(abs(found[190] / nearly - 1) < 0.3, "found \(found[190]), planned \(nearly)")
  }
}

struct RatioBoundsTests {
  @Test(arguments: [1.0, 3, 0.4])
  func boundsHoldTheRatioAtAllTimes(ratio: Double) {
    var chance = Seeded(67)
    let missed = (0..<200).count { _ in
      var bounds = RatioBounds()
      return (0..<60).contains { _ in
        let events = chance.events(among: 200, rate: 0.01 * ratio)
        let beside = chance.events(among: 300, rate: 0.01)
        bounds.absorb(events: Double(events), all: Double(events + beside), share: 0.4)
        let (lower, upper) = bounds.bounds(confidence: 0.9)
        return lower.map { $0 > ratio } ?? false || upper.map { $0 < ratio } ?? false
      }
    }
    #expect(Double(missed) / 200 <= slack(0.1, runs: 200), "\(missed) of 200")
  }

  @Test func theyNarrowWithEventsAndAreOpenWithout() throws {
    var bounds = RatioBounds()
    #expect(bounds.bounds(confidence: 0.95).upper == nil && bounds.likeliest == nil)
    for _ in 0..<50 { bounds.absorb(events: 6, all: 10, share: 0.5) }
    let (lower, upper) = bounds.bounds(confidence: 0.95)
    #expect(try #require(lower) > 1 && #require(upper) < 2.4)
    #expect(abs(try #require(bounds.likeliest) - 1.5) < 0.1)
  }
}

struct SampleRatioTestTests {
  private func alarm(_ truth: Double, planned: Double, units: Int, _ chance: inout Seeded) -> Bool {
    var first = 0
    for step in 1...(units / 100) {
      first += chance.events(among: 100, rate: truth)
      let told = SampleRatioTest.logEvidence(first: first, other: step * 100 - first, share: planned)
      if told >= SampleRatioTest.alarm { return true }
    }
    return false
  }

  @Test(arguments: [0.01, 0.25, 0.5]) func whatIsPlannedGivesNoAlarm(share: Double) {
    var chance = Seeded(71)
    #expect((0..<300).count { _ in alarm(share, planned: share, units: 20_000, &chance) } <= 3)
  }

  @Test(arguments: [(0.02, 0.01), (0.2, 0.25), (0.005, 0.01)])
  func anotherShareIsSeen(truth: Double, planned: Double) {
    var chance = Seeded(73)
    #expect((0..<20).count { _ in alarm(truth, planned: planned, units: 20_000, &chance) } >= 19)
  }
}
