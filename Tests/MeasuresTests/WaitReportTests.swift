import Kernel
import MergeQueues
import Testing

@testable import Measures

@Suite("Wait analytics") struct WaitReportTests {
  private static let queue = StreamID.queue(
    RepositoryName(rawValue: "harbor")!, BranchName(rawValue: "main")!)

  /// Change `number` landed at that minute after waiting `slot` minutes for a slot and ten in CI.
  private static func landed(
    _ number: Int, slot: Double, lanes: [String] = [], team: String? = nil, build: Int? = nil,
    isTip: Bool = true,
    hasWaits: Bool = true
  ) -> Told {
    let parts = [
      WaitPart(cause: .waitingForSlot, span: .minutes(slot)),
      WaitPart(cause: .runningCI, span: .minutes(10)),
    ].filter { $0.span > .zero }
    let landing = MergeQueue.Landing(
      entry: number, branch: BranchName(rawValue: "change")!, head: commit(number), author: "ada",
      title: "Change",
      commit: commit(number), tree: TreeID(rawValue: String(repeating: "1", count: 40))!,
      previousTrunk: commit(0),
      submittedAt: minute(Double(number) - slot - 10), at: minute(Double(number)), isTip: isTip,
      build: build, team: team,
      waits: hasWaits ? parts : [], lanes: lanes)
    return Told(
      fact: .queue(queue, .landed(landing)), position: Position(number * 10),
      at: minute(Double(number)))
  }

  @Test("percentiles and parts by lane and team; the parts sum to the whole")
  func groups() throws {
    let told = (1...100).map { number in
      Self.landed(
        number, slot: Double(number % 10) * 2, lanes: number % 2 == 0 ? ["api"] : ["api", "web"],
        team: number % 4 == 0 ? nil : "crew \(number % 4)")
    }
    let report = Book(told).waits(window: day)
    let all = try #require(report.all.wait.value)
    #expect(
      all.count == 100 && all.p50 == minutes(18) && all.p95 == minutes(28) && all.p99 == minutes(28)
    )
    #expect(report.all.parts.map(\.cause) == [.waitingForSlot, .runningCI])
    #expect(report.all.parts.reduce(Span.zero) { $0 + $1.total } == minutes(1_900))
    #expect(abs(report.all.parts.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    #expect(report.all.parts[0].spread.p50 == minutes(8))
    #expect(report.byLane.map { "\($0.name) \($0.wait.facts)" } == ["api 100", "web 50"])
    #expect(
      report.byTeam.map { "\($0.name) \($0.wait.facts)" } == [
        "crew 1 25", "crew 2 25", "crew 3 25",
      ])
    // The odd ones waited 2, 6, 10, 14 or 18 minutes for a slot.
    #expect(report.byLane[1].wait.value?.p50 == minutes(20))
  }

  @Test("a change that was pushed with others belongs to the services that build their tip")
  func batches() {
    var teller = Teller()
    teller.begun(3, 31, ordinal: 30, landed: 3)
    let told = [
      Self.landed(1, slot: 1, build: 7, isTip: false),
      Self.landed(2, slot: 2, build: 7, isTip: false),
      Self.landed(3, slot: 3, build: 7), Self.landed(4, slot: 4, build: 8),
    ]
    let book = Book(told + teller.told)
    #expect(book.waits(window: day).byService.map { "\($0.name) \($0.wait.facts)" } == ["harbor 3"])
    #expect(book.waits(window: day, service: harbor).all.wait.value?.longest == minutes(13))
    #expect(book.waits(window: day, service: ferry).all.wait.value == nil)
    #expect(book.report(window: day, service: harbor).queueWait.facts == 3)
  }

  @Test(
    "what was not recorded is unmeasured, not nothing; what lies outside of the window is not looked at"
  )
  func unmeasured() {
    let told = [
      Self.landed(1, slot: 3, hasWaits: false), Self.landed(2, slot: 3), Self.landed(50, slot: 3),
    ]
    let report = Book(told).waits(window: minute(0)..<minute(50))
    #expect(report.all.wait.facts == 1 && report.all.wait.unmeasured == 1)
    #expect(
      Book().waits(window: day).all.wait.value == nil && Book().waits(window: day).byLane.isEmpty)
  }

  /// Change `number` left at that minute, after waiting `slot` minutes for a slot.
  private static func left(_ number: Int, slot: Double, isEjected: Bool = true, isCounted: Bool = true) -> Told {
    let stay = MergeQueue.Stay(
      submittedAt: minute(Double(number) - slot), waits: [WaitPart(cause: .waitingForSlot, span: .minutes(slot))],
      lanes: ["api"], team: "crew")
    let ejection = MergeQueue.Ejection(
      entry: number, branch: BranchName(rawValue: "change")!, head: commit(number), author: "ada", title: "Change",
      reason: .testFailed, log: nil, sentence: "The test failed.", against: [], at: minute(Double(number)),
      stay: isCounted ? stay : nil)
    let withdrawn = MergeQueue.Event.withdrawn(
      entry: number, reason: "no", at: minute(Double(number)), stay: isCounted ? stay : nil)
    return Told(
      fact: .queue(queue, isEjected ? .ejected(ejection) : withdrawn), position: Position(number * 10),
      at: minute(Double(number)))
  }

  @Test("who was ejected or withdrawn has waited, too: by lane, team and the services of the branch")
  func leavings() {
    var teller = Teller()
    teller.begun(3, 31, ordinal: 30, landed: 3)
    let told = [
      Self.landed(3, slot: 3, lanes: ["api"], team: "crew", build: 8), Self.left(4, slot: 40),
      Self.left(5, slot: 50, isEjected: false), Self.left(6, slot: 60, isCounted: false), Self.left(2_000, slot: 70),
    ]
    let book = Book(told + teller.told)
    let report = book.waits(window: day)
    #expect(report.all.wait.facts == 3 && report.all.wait.value?.p50 == minutes(40))
    #expect(report.all.wait.value?.p99 == minutes(50) && report.all.wait.unmeasured == 0)
    #expect((report.byLane + report.byTeam).map { "\($0.name) \($0.wait.facts)" } == ["api 3", "crew 3"])
    #expect(report.byService.map { "\($0.name) \($0.wait.facts)" } == ["harbor 3"])
    #expect(book.waits(window: day, service: ferry).all.wait.value == nil)
    #expect(book.report(window: day, service: nil).queueWait.facts == 1, "the wait to land is of those that did")
  }

  @Test("no more than fifty lanes are told, those with the most changes")
  func bounded() {
    let told = (1...120).map { Self.landed($0, slot: 1, lanes: ["often", "lane \($0 % 60)"]) }
    let report = Book(told).waits(window: day)
    #expect(
      report.byLane.count == 50 && report.byLane[0].name == "often"
        && report.byLane[0].wait.facts == 120)
  }
}
