import Kernel
import Ramps
import Testing

/// A book and a clock.
private struct Scene {
  static let began = Instant(milliseconds: 1_750_000_000_000)
  static let errors = GuardedMeasure(Guardrail("errors", .errors))
  static let slow = GuardedMeasure(Guardrail("slow", .latency(slowerThan: .seconds(1))))
  static let bought = GuardedMeasure(Guardrail("purchase", .conversion(within: .seconds(10))), event: "purchase")
  static let counted = GuardedMeasure(Guardrail("errors", .errors, counting: .requests))

  var book: ExposureBook
  init(_ measures: [GuardedMeasure] = [errors], capacity: Int = ExposureBook.defaultCapacity) {
    book = ExposureBook(measures, capacity: capacity)
    begin(1, at: 0)
  }
  func at(_ seconds: Double) -> Instant { Scene.began + .seconds(seconds) }

  mutating func begin(_ epoch: Int, version: Int? = nil, at seconds: Double) {
    book.begin(epoch: epoch, version: version, at: at(seconds))
    book.settle(epoch: epoch, at: at(seconds))
  }
  mutating func show(
    _ cohort: Cohort, _ unit: UInt64?, _ seconds: Double, trace: UInt64? = nil, version: Int? = nil, now: Double? = nil
  ) {
    book.came(
      Exposure(cohort: cohort, unit: unit, trace: trace, version: version, at: at(seconds)), now: at(now ?? seconds))
  }
  mutating func end(
    _ unit: UInt64?, _ seconds: Double, fails: Bool = true, took: Span? = nil, trace: UInt64? = nil,
    cohort: Cohort? = nil, now: Double? = nil
  ) {
    book.came(
      Outcome(unit: unit, trace: trace, cohort: cohort, isFailure: fails, duration: took, at: at(seconds)),
      now: at(now ?? seconds))
  }
  mutating func buy(_ unit: UInt64, _ seconds: Double, _ event: String? = "purchase", now: Double? = nil) {
    book.came(Conversion(unit: unit, event: event, at: at(seconds)), now: at(now ?? seconds))
  }
  /// What all seconds up to now came to.
  mutating func sum(at seconds: Double, _ guardrail: Int = 0) -> (trials: Cohorts, events: Cohorts) {
    book.close(now: at(seconds)).told.filter { $0.guardrail == guardrail }.reduce((.zero, .zero)) {
      ($0.0 + $1.counts.trials, $0.1 + $1.counts.events)
    }
  }
}

private func cohorts(_ treatment: Int, _ control: Int) -> Cohorts { Cohorts(treatment: treatment, control: control) }

struct ExposureBookTests {
  @Test func anOutcomeIsInTheCohortOfItsUnitWhicheverCameFirst() {
    var scene = Scene()
    scene.show(.treatment, 1, 0.1)
    scene.end(1, 0.2)
    scene.end(2, 0.3)
    scene.show(.control, 2, 0.4, now: 1.5)
    scene.end(3, 0.5)
    let (trials, events) = scene.sum(at: 4)
    #expect(trials == cohorts(1, 1) && events == cohorts(1, 1))
    #expect(scene.book.tally.unknownUnits == 1 && scene.book.tally.joined == 2)
  }

  @Test func aTraceJoinsToo() {
    var scene = Scene()
    scene.show(.treatment, 1, 0.1, trace: 77)
    scene.end(nil, 0.2, trace: 77)
    #expect(scene.sum(at: 4).events == cohorts(1, 0))
  }

  @Test func whoTellsItsVariantNeedsNoExposure() {
    var scene = Scene()
    scene.end(9, 0.2, cohort: .control)
    #expect(scene.sum(at: 4).events == cohorts(0, 1))
  }

  @Test func withoutAUnitOnlyRequestsAreCounted() {
    var scene = Scene([Scene.errors, Scene.counted])
    scene.end(nil, 0.2, cohort: .treatment)
    scene.show(.control, nil, 0.3, trace: 5)
    scene.end(nil, 0.4, trace: 5)
    let whole = scene.book.close(now: scene.at(4))
    #expect(whole.told.allSatisfy { $0.guardrail == 1 } && !whole.isEmpty)
    #expect(whole.units.isEmpty, "a trace is no unit")
  }

  @Test func countsOfASourceAreTakenWhereRequestsAre() {
    var scene = Scene([Scene.errors, Scene.counted])
    let counts = CountedOutcomes(cohort: .treatment, kind: .failed, trials: 100, events: 3, at: scene.at(0.5))
    scene.book.came(counts, now: scene.at(0.6))
    let (trials, events) = scene.sum(at: 4, 1)
    #expect(trials == cohorts(100, 0) && events == cohorts(3, 0))
    #expect(scene.book.tally.withoutUnit == 100)
  }

  @Test func slownessIsTheRequestsOwn() {
    var scene = Scene([Scene.errors, Scene.slow])
    scene.show(.treatment, 1, 0.1)
    scene.end(1, 0.2, fails: false, took: .seconds(2))
    scene.end(1, 0.3, fails: false, took: .seconds(1))
    scene.end(1, 0.4, fails: false)
    let (trials, events) = scene.sum(at: 4, 1)
    #expect(trials == cohorts(2, 0) && events == cohorts(1, 0))
  }

  @Test func aUnitsBurstIsOneFailure() {
    var scene = Scene()
    scene.show(.treatment, 1, 0)
    for tenth in 1...9 { scene.end(1, Double(tenth) / 10) }
    let (trials, events) = scene.sum(at: 4)
    #expect(trials == cohorts(9, 0) && events == cohorts(1, 0))
  }

  @Test func eachSecondIsToldOnceAndSilenceIsSilence() {
    var scene = Scene()
    scene.show(.treatment, 1, 0)
    scene.end(1, 0.5)
    var seconds: [Instant] = []
    for second in 1...80 { seconds += scene.book.close(now: scene.at(Double(second))).told.map(\.counts.second) }
    #expect(seconds == (0...30).map { scene.at(Double($0)) })
  }

  @Test func whatComesLateOrFromTheFutureIsCountedAndNotUsed() {
    var scene = Scene()
    _ = scene.book.close(now: scene.at(100))
    scene.end(1, 90, cohort: .treatment, now: 100)
    scene.end(1, 200, cohort: .treatment, now: 100)
    scene.show(.treatment, 1, 200, now: 100)
    #expect(scene.sum(at: 110).trials == .zero)
    #expect(scene.book.tally.late == 1 && scene.book.tally.ahead == 2)
    #expect(scene.book.tally.remarks.count == 2, "\(scene.book.tally.remarks)")
  }

  @Test func anExposureIsForgottenInTime() {
    var scene = Scene()
    scene.show(.treatment, 1, 0)
    scene.end(1, 1900, now: 1900)
    #expect(scene.sum(at: 1905).trials == .zero)
  }
}

struct ExposedUnitTests {
  @Test func aUnitIsOneOfTheSampleOnceAnEpoch() {
    var scene = Scene()
    for second in 0..<5 { scene.show(.control, 1, Double(second)) }
    #expect(scene.book.close(now: scene.at(10)).units.map(\.units) == [cohorts(0, 1)])
    scene.begin(2, at: 10)
    scene.show(.treatment, 1, 11)
    let units = scene.book.close(now: scene.at(20)).units
    #expect(units.map(\.epoch) == [2] && units.map(\.units) == [cohorts(1, 0)])
    #expect(scene.book.tally.inBoth == 0)
  }

  @Test func aUnitInBothCohortsIsNobodysEvidence() {
    var scene = Scene()
    for unit in 1...500 { scene.show(.control, UInt64(unit), 0) }
    for unit in 1...12 { scene.show(.treatment, UInt64(unit), 1) }
    scene.end(1, 1.5)
    scene.end(400, 1.5)
    #expect(scene.sum(at: 5).trials == cohorts(0, 1))
    #expect(scene.book.tally.inBoth == 12 && scene.book.tally.excluded == 1)
    #expect(scene.book.tally.alarm != nil)
    scene.begin(2, at: 6)
    #expect(scene.book.tally.alarm == nil)
  }

  @Test func anOldClientsAnswerIsNoSecondExposure() {
    var scene = Scene()
    scene.begin(2, version: 7, at: 10)
    scene.show(.treatment, 1, 11, version: 7)
    scene.show(.control, 1, 12, version: 6)
    scene.end(1, 12.5)
    #expect(scene.sum(at: 16).trials == cohorts(1, 0))
    #expect(scene.book.tally.inBoth == 0 && scene.book.tally.outdated == 1)
  }

  @Test func untilAShareIsSettledTheNewerAnswerCounts() {
    var scene = Scene()
    scene.book.begin(epoch: 2, version: nil, at: scene.at(10))
    scene.show(.control, 1, 10.1)
    scene.show(.treatment, 1, 10.2)
    scene.end(1, 10.15)
    scene.end(1, 10.3)
    #expect(scene.sum(at: 14).trials == cohorts(1, 1))
    #expect(scene.book.tally.inBoth == 0 && scene.book.tally.units == .zero)
    scene.book.settle(epoch: 2, at: scene.at(14))
    scene.show(.treatment, 1, 15)
    #expect(scene.book.close(now: scene.at(20)).units.map(\.units) == [cohorts(1, 0)])
  }

  @Test func thereIsRoomForSoManyUnitsAndTheOldestGo() {
    var scene = Scene(capacity: 100)
    for unit in 0..<1000 {
      scene.show(.control, UInt64(unit), Double(unit) / 1000)
      // One that keeps coming stays.
      scene.show(.treatment, 5000, Double(unit) / 1000)
    }
    scene.end(1, 0.9995)
    scene.end(999, 0.9995)
    scene.end(5000, 0.9995)
    #expect(scene.sum(at: 4).trials == cohorts(1, 1))
    #expect(scene.book.tally.evicted == 901 && scene.book.tally.unknownUnits == 1)
    scene.show(.control, 1, 5)
    #expect(scene.book.close(now: scene.at(9)).units.isEmpty, "it may have been counted before it was forgotten")
  }

  @Test func aBookThatBeginsAnewCountsNoUnitTwice() {
    var scene = Scene()
    scene.book.begin(epoch: 2, version: nil, at: scene.at(10), isResumed: true)
    scene.book.settle(epoch: 2, at: scene.at(10))
    scene.show(.treatment, 1, 11)
    scene.end(1, 11.5)
    let whole = scene.book.close(now: scene.at(15))
    #expect(whole.units.isEmpty && whole.told.contains { $0.counts.trials == cohorts(1, 0) })
  }

  @Test func thereIsRoomForSoManyOutcomes() {
    var scene = Scene()
    for index in 0..<140_000 { scene.end(UInt64(index), 0.5, cohort: .control) }
    #expect(scene.sum(at: 4).trials.control == 131_072)
    #expect(scene.book.tally.overflowed == 140_000 - 131_072)
  }
}

struct ConversionWindowTests {
  @Test func aConversionCountsForItsExposureWhenTheWindowIsOver() {
    var scene = Scene([Scene.bought])
    scene.show(.treatment, 1, 0.5)
    scene.show(.control, 2, 0.6)
    scene.buy(1, 3)
    scene.buy(1, 4)
    scene.buy(2, 4, "page view")
    #expect(scene.book.close(now: scene.at(12)).told.isEmpty)
    let told = scene.book.close(now: scene.at(13)).told
    #expect(told.map(\.counts.second) == [scene.at(0)])
    #expect(told.map(\.counts.trials) == [cohorts(1, 1)] && told.map(\.counts.events) == [cohorts(1, 0)])
    #expect(scene.book.close(now: scene.at(40)).told.isEmpty)
  }

  @Test func afterTheWindowItIsTooLate() {
    var scene = Scene([Scene.bought])
    scene.show(.treatment, 1, 0)
    scene.buy(1, 11)
    #expect(scene.sum(at: 20).events == .zero)
  }

  @Test func aLateMessageOfAnEarlyConversionCounts() {
    var scene = Scene([Scene.bought])
    scene.show(.treatment, 1, 0)
    _ = scene.book.close(now: scene.at(9))
    scene.buy(1, 3, now: 9)
    #expect(scene.sum(at: 13).events == cohorts(1, 0))
  }

  @Test func whoChangesCohortStaysWhereItWasUntilTheWindowIsOver() {
    var scene = Scene([Scene.bought])
    scene.show(.control, 1, 0)
    scene.begin(2, at: 5)
    scene.show(.treatment, 1, 6)
    scene.buy(1, 7)
    let first = scene.sum(at: 13)
    #expect(first.trials == cohorts(0, 1) && first.events == cohorts(0, 1))
    scene.show(.treatment, 1, 14)
    let second = scene.sum(at: 30)
    #expect(second.trials == cohorts(1, 0) && second.events == .zero)
  }

  @Test func aUnitInBothCohortsLeavesItsWindow() {
    var scene = Scene([Scene.bought])
    scene.show(.control, 1, 0)
    scene.show(.control, 2, 0)
    scene.buy(1, 0.5)
    _ = scene.book.close(now: scene.at(4))
    scene.show(.treatment, 1, 5)
    let (trials, events) = scene.sum(at: 13)
    #expect(trials == cohorts(0, 1) && events == .zero)
  }

  @Test(arguments: [1000.0, -1000])
  func aClockThatJumpsVoidsOpenWindowsAndGoesOn(jump: Double) {
    var scene = Scene([Scene.errors, Scene.bought])
    scene.show(.control, 1, 0)
    _ = scene.book.close(now: scene.at(5))
    scene.begin(2, at: jump)
    _ = scene.book.close(now: scene.at(jump + 6))
    #expect(scene.book.tally.jumps == 1)
    scene.show(.treatment, 2, jump + 7.5)
    scene.end(2, jump + 7.6)
    let told = (0..<20).flatMap { scene.book.close(now: scene.at(jump + 8 + Double($0))).told }
    #expect(told.filter { $0.guardrail == 0 }.reduce(.zero) { $0 + $1.counts.trials } == cohorts(1, 0))
  }
}

struct SourceClockTests {
  private let zero = Instant(milliseconds: 1_750_000_000_000)

  @Test func aClockAheadIsSetRightAtOnce() {
    var clocks = SourceClocks()
    #expect(clocks.shift(of: "a", newest: zero + .seconds(40), now: zero) == .seconds(-40))
    #expect(clocks.shift(of: "a", newest: zero + .seconds(4), now: zero) == .zero)
  }

  @Test func aClockBehindIsSetRightWhenNoBatchWasEverOfNow() {
    var clocks = SourceClocks()
    let shifts = (0..<9).map { index in
      let now = zero + .seconds(Double(index))
      return clocks.shift(of: "a", newest: now - .seconds(30), now: now)
    }
    #expect(shifts == Array(repeating: .zero, count: 7) + [.seconds(30), .seconds(30)])
  }

  @Test func whatIsOnlyLateIsNotShifted() {
    var clocks = SourceClocks()
    let shifts = (0..<20).map { index in
      clocks.shift(of: "a", newest: zero - .seconds(index % 5 == 0 ? 1 : 60), now: zero)
    }
    #expect(shifts.allSatisfy { $0 == .zero })
  }

  @Test func thereAreOnlySoManySources() {
    var clocks = SourceClocks()
    for source in 0..<5000 { _ = clocks.shift(of: "\(source)", newest: zero - .seconds(30), now: zero) }
    let shifts = (0..<20).map { _ in clocks.shift(of: "4999", newest: zero - .seconds(30), now: zero) }
    #expect(shifts.allSatisfy { $0 == .zero })
  }
}
