import Foundation
import Kernel
import Rollouts
import Testing

@testable import Measures

@Suite("The book of measures") struct BookTests {
  /// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
  struct SeededChance: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var mixed = state
      mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
      mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
      return mixed ^ (mixed >> 31)
    }
  }

  @Test("facts in any order, and twice, make the same book", arguments: [nil, 3])
  func order(capacity: Int?) {
    let told = StoryTests.story().told
    let capacity = capacity ?? Book.defaultCapacity
    let book = Book(told, capacity: capacity)
    for seed in 0..<200 as Range<UInt64> {
      var chance = SeededChance(state: seed)
      let shuffled = (told + told.prefix(20)).shuffled(using: &chance)
      #expect(Book(shuffled, capacity: capacity) == book, "seed \(seed)")
    }
  }

  @Test("a book that was put down and taken up again is the book read in one go")
  func resumed() throws {
    let told = StoryTests.story().told
    for cut in 0...told.count {
      let encoded = try JSONEncoder().encode(Book(Array(told.prefix(cut))))
      var book = try JSONDecoder().decode(Book.self, from: encoded)
      for one in told.dropFirst(cut) { book.record(one.fact, position: one.position, at: one.at) }
      #expect(book == Book(told), "cut at \(cut)")
    }
  }

  @Test("a trunk that came back to a change delivers it again, and its promotion is measured once")
  func renewed() throws {
    var teller = Teller()
    teller.begun(1, 1, ordinal: 1, landed: 0)
    teller.served(1, 2, at: 10)
    teller.renewed(1, 3, ordinal: 3, landed: 100)
    teller.served(1, 4, at: 160)
    let time = try #require(Book(teller.told).report(window: day).promotionTime.value)
    #expect(time.count == 1 && time.longest == minutes(10))
  }

  @Test("a full book forgets its oldest facts and says since when it knows")
  func forgetting() {
    var teller = Teller()
    teller.begun(1, 1, ordinal: 1, landed: 0)
    for number in 1...50 {
      let position = Position(number * 10)
      teller.started(number, number, ordinal: position, position, at: Double(number))
      teller.completed(number, number, position + 1, at: Double(number))
    }
    let full = Book(teller.told).report(window: day)
    #expect(full.deployments.value == 50)
    #expect(full.knownSince == minute(0))
    let forgetful = Book(teller.told, capacity: 21)
    #expect(forgetful.deliveries.rows.count == 21)
    #expect(forgetful.deliveries.forgottenThrough == 400)
    let report = forgetful.report(window: day)
    // Rollout 40's start is forgotten: its completion may have been a rollback, so it is not counted.
    #expect(report.deployments.value == 10)
    #expect(report.deployments.unmeasured == 1)
    #expect(report.knownSince == minute(40))
  }

  @Test("an empty book measures nothing, which is not zero")
  func empty() {
    let report = Book().report(window: day)
    #expect(report.deployments.value == nil)
    #expect(report.deploymentsPerDay.value == nil)
    #expect(report.changeFailureRate.value == nil)
    #expect(report.velocity.value == nil)
    #expect(report.leadTime.value == nil)
    #expect(report.queueWait.value == nil)
    #expect(report.rollbacks.map(\.share) == [nil, nil, nil, nil])
    #expect(report.knownSince == nil)
  }

  @Test("a quiet day after a busy one has no deployments, which is zero")
  func quiet() {
    let report = Book(StoryTests.story().told).report(window: minute(24 * 60)..<minute(48 * 60))
    #expect(report.deployments.value == 0)
    #expect(report.deploymentsPerDay.value == 0)
    #expect(report.changeFailureRate.value == nil)
    #expect(report.velocity.value == nil)
  }

  /// `count` deployments at even distances over `days`, the last `failures` of them condemned.
  func velocity(of count: Int, failing failures: Int, over days: Int) -> Velocity? {
    var teller = Teller()
    teller.begun(1, 1, ordinal: 1, landed: 0)
    let gap = Double(days * 24 * 60) / Double(count)
    for number in 1...count {
      let position = Position(number * 10)
      let at = gap * (Double(number) - 0.5)
      teller.started(number, number, ordinal: position, position, at: at)
      if number > count - failures {
        teller.condemned(number, number, .logic, position + 1, at: at)
      } else {
        teller.completed(number, number, position + 1, at: at)
      }
    }
    return Book(teller.told).report(window: minute(0)..<minute(Double(days * 24 * 60))).velocity.value
  }

  @Test("the article's teams: ten a day at 2 % is fast, ten a day at 15 % is on fire")
  func articlesTeams() throws {
    #expect(velocity(of: 100, failing: 2, over: 10) == .ratio(500))
    guard case .ratio(let onFire)? = velocity(of: 100, failing: 15, over: 10) else {
      Issue.record("no ratio")
      return
    }
    #expect(abs(onFire - 66.67) < 0.01)
    #expect(velocity(of: 100, failing: 0, over: 10) == .noFailuresYet)
  }

  @Test("the same deployment again is no new one")
  func retries() {
    var teller = Teller()
    teller.begun(1, 1, ordinal: 1, landed: 0)
    teller.started(1, 1, ordinal: 1, 2, at: 1)
    teller.condemned(1, 1, .performance, 3, at: 2)
    teller.started(2, 1, ordinal: 1, 4, at: 3)
    teller.completed(2, 1, 5, at: 4)
    let report = Book(teller.told).report(window: day)
    #expect(report.deployments.positions == [3])
    #expect(report.changeFailureRate.value == 1)
  }

  @Test("a commit that changes no byte of the artifact arrives without a deployment")
  func confirmed() {
    var teller = Teller()
    teller.begun(1, 1, ordinal: 1, landed: 0)
    teller.started(1, 1, ordinal: 1, 2, at: 1)
    teller.completed(1, 1, 3, at: 4)
    teller.landed(2, 4, submitted: 3, at: 5)
    teller.committed(4, at: [2])
    teller.begun(2, 5, ordinal: 4, landed: 5)
    teller.confirmed(2, serving: 1, ordinal: 4, 6, at: 9)
    let report = Book(teller.told).report(window: day)
    #expect(report.deployments.positions == [3])
    #expect(report.leadTime.value?.p50 == minutes(7))
  }

  @Test("taken out of traffic with nobody to return to is not recovered")
  func firstDeployment() {
    var teller = Teller()
    teller.begun(1, 1, ordinal: 1, landed: 0)
    teller.started(1, 1, ordinal: 1, 2, at: 1)
    teller.condemned(1, 1, .infrastructure, 3, at: 2)
    teller.reported(1, 1, to: nil, .infrastructure, 4, detected: 2, decided: 2, restored: 3)
    let report = Book(teller.told).report(window: day)
    #expect(report.failedDeploymentRecoveryTime.value == nil)
    #expect(report.failedDeploymentRecoveryTime.unmeasured == 1)
    #expect(report.detectionToRestoredAutomated.value == nil)
    #expect(report.rollbacks[0].share == 1)
  }

  @Test("services are measured apart, and together when none is named")
  func services() {
    var other = Teller(ferry)
    other.landed(9, 110, submitted: 0, at: 31)
    other.committed(110, at: [0])
    other.begun(9, 111, ordinal: 110, landed: 31)
    other.started(1, 9, ordinal: 110, 112, at: 32)
    other.completed(1, 9, 113, at: 33)
    let book = Book(StoryTests.story().told + other.told)
    let apart = book.report(window: day, service: ferry)
    #expect(apart.deployments.positions == [113])
    #expect(apart.queueWait.value?.p50 == minutes(31))
    #expect(apart.queueWait.mark == .flagged("CI speed or the queue's slots need attention."))
    #expect(apart.velocity.value == .noFailuresYet)
    #expect(book.report(window: day, service: harbor).deployments.value == 4)
    let together = book.report(window: day)
    #expect(together.deployments.value == 5)
    // Ferry's landing lies between none of harbor's, and harbor's between none of ferry's.
    #expect(together.leadTime.facts == 3)
  }

  @Test("a drill-down keeps the newest hundred positions")
  func drillDown() {
    var teller = Teller()
    for number in 1...150 { teller.landed(number, Position(number), submitted: 0, at: 1) }
    let wait = Book(teller.told).report(window: day).queueWait
    #expect(wait.facts == 150)
    #expect(wait.positions == Array(51...150))
  }

  @Test(
    "nearest-rank percentiles",
    arguments: [
      ([7.0], [7.0, 7, 7, 7, 7]),
      ([1, 100], [1, 100, 100, 100, 100]),
      (Array(stride(from: 100.0, through: 1, by: -1)), [50, 75, 90, 95, 99]),
    ])
  func percentiles(values: [Double], expected: [Double]) throws {
    let spread = try #require(Spread(values.map(minutes)))
    #expect([spread.p50, spread.p75, spread.p90, spread.p95, spread.p99] == expected.map(minutes))
  }

  @Test(
    "promotion time is marked as the article says",
    arguments: [
      (9.99, Mark.elite), (10, .good), (29.99, .good), (30, nil), (60, nil),
      (60.01, .flagged("Manual gates or flaky tests block the pipeline.")),
    ] as [(Double, Mark?)])
  func promotionMarks(length: Double, mark: Mark?) throws {
    #expect(Threshold.markPromotion(try #require(Spread([minutes(length)]))) == mark)
  }

  @Test("rollbacks and queue waits are flagged above their limit, not at it")
  func limits() throws {
    let five = try #require(Spread([minutes(4), minutes(6)]))
    let more = try #require(Spread([minutes(4), minutes(6.01)]))
    #expect(Threshold.markRollback(Threshold.automatedRollback)(five) == nil)
    #expect(Threshold.markRollback(Threshold.automatedRollback)(more) != nil)
    #expect(Threshold.markQueueWait(try #require(Spread([minutes(30)]))) == nil)
    #expect(Threshold.markQueueWait(try #require(Spread([minutes(30.01)]))) != nil)
  }
}
