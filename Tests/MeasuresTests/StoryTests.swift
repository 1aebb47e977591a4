import Kernel
import Rollouts
import Testing

@testable import Measures

/// Four changes land in a day. The first two go well, the third is rolled back by the judge, the fourth by a person,
/// hours after it was complete. Every expected number is worked out by hand beside it.
@Suite("A day, measured") struct StoryTests {
  static func story() -> Teller {
    var teller = Teller()
    teller.landed(1, 10, submitted: 0, at: 12)
    teller.committed(10, at: [-30, 12])
    teller.begun(1, 11, ordinal: 10, landed: 12)
    teller.started(1, 1, ordinal: 10, 13, at: 14)
    teller.completed(1, 1, 15, at: 20)
    teller.served(1, 16, at: 20)

    teller.landed(2, 20, submitted: 60, at: 105)
    teller.committed(20, at: [50, 105])
    teller.begun(2, 21, ordinal: 20, landed: 105)
    teller.started(1, 2, ordinal: 20, in: staging, 22, at: 108)
    teller.started(2, 2, ordinal: 20, 23, at: 110)
    teller.completed(2, 2, 25, at: 150)
    teller.served(2, in: staging, 24, at: 109)
    teller.served(2, 26, at: 150)

    teller.landed(3, 30, submitted: 120, at: 129)
    teller.committed(30, at: [129])
    teller.begun(3, 31, ordinal: 30, landed: 129)
    teller.completed(1, 2, in: staging, 32, at: 140)
    teller.started(3, 3, ordinal: 30, 33, at: 155)
    teller.condemned(3, 3, .logic, 34, at: 160)
    teller.started(4, as: .rollback, 2, ordinal: 20, 35, at: 160)
    teller.reported(
      3, 3, to: 2, .logic, 36, firstBad: 158, detected: 159, decided: 160, lastBad: 160.5, restored: 161,
      requests: 40, clientMinutes: 7)
    teller.completed(4, 2, 37, at: 165)

    teller.landed(4, 40, submitted: 200, at: 240)
    teller.begun(4, 41, ordinal: 40, landed: 240)
    teller.started(5, 4, ordinal: 40, 43, at: 250)
    teller.completed(5, 4, 45, at: 300)
    teller.served(4, 46, at: 300)
    teller.condemned(5, 4, .operator, 47, at: 400)
    teller.reported(5, 4, to: 2, .operator, 48, detected: 400, decided: 400, restored: 416, requests: 5)
    return teller
  }
  let report = Book(story().told).report(window: day)

  @Test("deployments: four, of which two were taken back; the rollback itself is none")
  func deployments() {
    #expect(report.deployments.value == 4)
    #expect(report.deployments.positions == [15, 25, 34, 45])
    #expect(report.deploymentsPerDay.value == 4)
    #expect(report.changeFailureRate.value == 0.5)
    #expect(report.changeFailureRate.facts == 4)
    #expect(report.changeFailureRate.positions == [34, 47])
    // 4 a day divided by 0.5.
    #expect(report.velocity.value == .ratio(8))
  }

  @Test("lead time: the third change reaches production with the fourth; the first has no known predecessor")
  func leadTime() {
    // Change 2: 150 - 50 and 150 - 105. Change 3, carried by 4: 300 - 129.
    #expect(report.leadTime.facts == 3)
    #expect(report.leadTime.value?.p50 == minutes(100))
    #expect(report.leadTime.value?.p90 == minutes(171))
    #expect(report.leadTime.value?.mean == Span(milliseconds: 316 * 60_000 / 3))
    // Two commits of change 1, and change 4, whose commits nobody told.
    #expect(report.leadTime.unmeasured == 3)
    #expect(report.leadTime.positions == [25, 45])
  }

  @Test("queue wait: 9, 12, 40 and 45 minutes")
  func queueWait() throws {
    let wait = try #require(report.queueWait.value)
    #expect([wait.p50, wait.p75, wait.p90, wait.p95, wait.p99] == [12, 40, 45, 45, 45].map(minutes))
    #expect(wait.mean == minutes(26.5))
    #expect(report.queueWait.mark == nil)
    #expect(report.queueWait.positions == [10, 20, 30, 40])
  }

  @Test("promotion time: 8, 45 and 60 minutes; the condemned one never got there, and staging is not the end")
  func promotionTime() throws {
    let time = try #require(report.promotionTime.value)
    #expect(time.count == 3)
    #expect([time.p50, time.p75, time.longest] == [45, 60, 60].map(minutes))
    #expect(report.promotionTime.mark == nil)
  }

  @Test("recovery: 3 minutes from the first bad response, and 16 from the detection where none was seen")
  func recovery() throws {
    let time = try #require(report.failedDeploymentRecoveryTime.value)
    #expect([time.p50, time.p99, time.mean] == [3, 16, 9.5].map(minutes))
  }

  @Test("rollbacks by cause, with their share of deployments and whom they hurt")
  func rollbacks() {
    #expect(report.rollbacks.map(\.cause) == [.infrastructure, .logic, .performance, .operator])
    #expect(report.rollbacks.map(\.count.value) == [0, 1, 0, 1])
    #expect(report.rollbacks.map(\.share) == [0, 0.25, 0, 0.25])
    #expect(report.requestsHurt.value == 45)
    #expect(report.clientMinutesHurt.value == 7)
    #expect(report.clientMinutesHurt.unmeasured == 1)
  }

  @Test("the chain from the first bad response to restored")
  func chain() {
    let means = report.chain.map { $0.span.value?.mean }
    #expect(report.chain.map(\.link) == ChainLink.allCases)
    #expect(means == [1, 0.5, 0.5, 0.5, 3].map(minutes))
    #expect(report.chain.map(\.span.facts) == [1, 2, 1, 1, 1])
    #expect(report.chain.map(\.span.unmeasured) == [1, 0, 1, 1, 1])
    #expect(report.detectionToRestoredAutomated.value?.mean == minutes(2))
    #expect(report.detectionToRestoredAutomated.mark == nil)
    #expect(report.detectionToRestoredManual.value?.mean == minutes(16))
    #expect(report.detectionToRestoredManual.mark == .flagged("The rollback mechanism itself needs engineering."))
  }

  @Test("what no fact tells is not guessed, and says so")
  func rework() {
    #expect(report.reworkRate.value == nil)
    #expect(report.reworkRate.definition.contains("Not measured"))
  }

  @Test("the end of a window belongs to the next one")
  func windows() {
    let book = Book(Self.story().told)
    let morning = book.report(window: minute(0)..<minute(150))
    let rest = book.report(window: minute(150)..<minute(24 * 60))
    #expect(morning.deployments.positions == [15])
    #expect(rest.deployments.positions == [25, 34, 45])
    // What is before the window still is the predecessor of what is in it.
    #expect(rest.leadTime.facts == 3)
    #expect(rest.leadTime.unmeasured == 1)
  }

  @Test("another environment by name")
  func environments() {
    let staged = Book(Self.story().told).report(window: day, environment: staging)
    #expect(staged.deployments.positions == [32])
    #expect(staged.velocity.value == .noFailuresYet)
    #expect(staged.promotionTime.value?.p50 == minutes(4))
    #expect(staged.requestsHurt.value == nil)
  }
}
