import MergeQueues
import Testing

struct SuspicionTests {
  private func check(_ what: String, _ found: Double, is expected: Double, within: Double = 1e-4) {
    #expect(abs(found - expected) <= within, "\(what): \(found), expected \(expected)")
  }

  @Test func oneRedAloneIsWeighedAgainstAFlake() {
    let suspicion = Suspicion(batchSituation(2, [failed(1)]))
    check("once red", suspicion.badness(1), is: 0.05 / (0.05 + 0.95 * 0.02))
    check("not built", suspicion.badness(2), is: 0.05)
    let again = Suspicion(batchSituation(2, [failed(1, times: 2)]))
    check("twice red", again.badness(1), is: 0.05 / (0.05 + 0.95 * 0.0004))
  }

  /// Every set of bad items weighed by hand.
  @Test func overlappingRedsEqualTheSumOverAllSets() {
    let reds: [Set<Int>] = [[1, 2, 3], [2, 3, 4], [4, 5]]
    let situation = batchSituation(6, [failed(1, 2, 3), failed(2, 3, 4), failed(4, 5)], failure: 0.2, flake: 0.05)
    let suspicion = Suspicion(situation)
    var all = 0.0
    var bad = Array(repeating: 0.0, count: 7)
    for choice in 0..<32 {
      let set = Set((1...5).filter { choice >> ($0 - 1) & 1 == 1 })
      var weight = 1.0
      for item in 1...5 { weight *= set.contains(item) ? 0.2 : 0.8 }
      for red in reds where red.isDisjoint(with: set) { weight *= 0.05 }
      all += weight
      for item in set { bad[item] += weight }
    }
    for item in 1...5 { check("\(item)", suspicion.badness(item), is: bad[item] / all, within: 1e-3) }
    check("not in a red", suspicion.badness(6), is: 0.2)
    let shares = suspicion.firstBad([1, 2, 3, 4, 5])
    check("first bad ones and none", shares.reduce(0, +) + suspicion.allGood([1, 2, 3, 4, 5]), is: 1, within: 1e-9)
  }

  @Test func greensClearAndLeaveTheRestToExplainTheRed() {
    let suspicion = Suspicion(batchSituation(4, [failed(1, 2, 3, 4), passed(1, 2), passed(3, isOnTrunk: false)]))
    #expect(suspicion.clean == [1, 2, 3])
    check("the last suspect", suspicion.badness(4), is: 0.05 / (0.05 + 0.95 * 0.02))
  }

  @Test func withoutOptimismOnlyItsOwnGreenAnswersARed() {
    let builds = [failed(1), passed(1, 2)]
    #expect(Suspicion(batchSituation(2, builds)).clean == [1, 2])
    #expect(Suspicion(batchSituation(2, builds, isOptimistic: false)).clean == [2])
  }

  @Test func thoseThatFailOnlyTogetherAreSuspectsAgain() {
    let apart = [passed(1, isOnTrunk: false), passed(2, isOnTrunk: false)]
    let clash = Suspicion(batchSituation(2, apart + [failed(1, 2, times: 3)]))
    #expect(clash.isSuspect(2))
  }
}
