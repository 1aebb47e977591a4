import MergeQueues
import Testing

struct BatchesTests {
  private func check(_ what: String, _ situation: Situation, plans expected: [[Int]]) {
    let members = Batches.plan(situation).builds.map(\.members)
    #expect(members == expected, "\(what): \(members)")
  }

  @Test func sizeFallsWithTheRateOfFailures() {
    let sizes = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].map { Batches.size(failure: $0, flake: 0.02, limit: 64) }
    #expect(sizes == sizes.sorted(by: >), "\(sizes)")
    #expect(sizes.last == 1, "one at a time where every other change is bad")
    #expect(Batches.size(failure: 0.01, flake: 0, limit: 16) == 16)
  }

  @Test func fewChangesStandOnThoseAhead() {
    check("idle", batchSituation(3), plans: [[1], [1, 2], [1, 2, 3]])
  }

  @Test func manyChangesAreTestedApart() {
    let plan = Batches.plan(batchSituation(60)).builds.map(\.members)
    #expect(plan.count == 4)
    #expect(plan.flatMap { $0 } == Array(1...plan.flatMap { $0 }.count), "each change in one batch: \(plan)")
  }

  @Test func aRedBatchIsHalvedWhereSlotsAreScarce() {
    let situation = batchSituation(8, [failed(1, 2, 3, 4, 5, 6, 7, 8)], slots: 1)
    let first = Batches.plan(situation).builds[0]
    #expect(first.purpose == .search)
    #expect((3...5).contains(first.members.count), "\(first.members)")
  }

  @Test func aRedBatchIsIsolatedAtOnceWhereSlotsAreIdle() {
    let situation = batchSituation(4, [failed(1, 2, 3, 4)], slots: 8)
    let plan = Batches.plan(situation).builds.map(\.members)
    for item in 1...4 { #expect(plan.contains { $0.last == item }, "\(item) in \(plan)") }
  }

  @Test func whatIsKnownIsNotTestedAgain() {
    // The red was 1 to 4; 1 and 2 are green: only 3 and 4 are left to explain it, and 1 and 2 go along.
    let situation = batchSituation(4, [failed(1, 2, 3, 4), passed(1, 2, isOnTrunk: false)], slots: 2)
    check("half is known", situation, plans: [[1, 2], [1, 2, 3]])
  }

  @Test func suspectsDoNotHoldUpThoseBehind() {
    let situation = batchSituation(3, [failed(1), passed(2, 3)])
    #expect(Conclusions.of(situation) == [.land(members: [2, 3])])
    #expect(Conclusions.of(batchSituation(3, [running(1), passed(2, 3)])).isEmpty, "an innocent ahead does")
  }

  @Test func whoWasRedOnlyWithThoseBehindIsTestedWithoutThem() {
    // 2 would pass 1, but only together they were red: 1 may be innocent.
    let situation = batchSituation(2, [failed(1, 2), passed(2)], slots: 1)
    #expect(Conclusions.of(situation).isEmpty)
    check("without them", situation, plans: [[1]])
    let guilty = batchSituation(2, [failed(1, 2), passed(2), failed(1, times: 2)], slots: 1)
    #expect(Conclusions.of(guilty) == [.land(members: [2])])
    let innocent = batchSituation(2, [failed(1, 2), passed(2), passed(1)], slots: 1)
    #expect(Conclusions.of(innocent) == [.land(members: [1])], "and 2 has to pass with it")
  }

  @Test func greenElsewhereLandsNothingUntilTestedTogether() {
    let situation = batchSituation(2, [passed(1, 2, isOnTrunk: false)])
    #expect(Conclusions.of(situation).isEmpty)
    check("landing", situation, plans: [[1, 2]])
  }

  @Test func oneRedOfABatchEjectsNobody() {
    #expect(Conclusions.of(batchSituation(3, [failed(1, 2, 3)])).isEmpty)
    #expect(Conclusions.of(batchSituation(3, [failed(1)])).isEmpty, "one red alone may be a flake")
    guard case .eject(1, _, _, _)? = Conclusions.of(batchSituation(3, [failed(1, times: 2)])).first else {
      Issue.record("two reds alone are enough")
      return
    }
  }

  @Test func runningBuildsGoOnUnlessAnswered() {
    let alive = Batches.plan(batchSituation(4, [running(1, 2), running(3, 4, isOnTrunk: false)], slots: 2))
    #expect(alive.builds.map(\.members) == [[1, 2], [3, 4]])
    #expect(alive.builds.map(\.isOnTrunk) == [true, false])
    // 1 is bad beyond doubt, so what stands on it cannot pass.
    let refuted = Batches.plan(batchSituation(4, [failed(1, times: 2), running(1, 2)], slots: 2))
    #expect(!refuted.builds.map(\.members).contains([1, 2]))
  }

  @Test func aHotfixTakesTheNextSlot() {
    let situation = batchSituation(9, [running(1, 2, 3, 4, 5, 6, 7, 8)], slots: 2, hotfixes: [9])
    #expect(Batches.plan(situation).builds.map(\.purpose).contains(.hotfix))
  }
}
