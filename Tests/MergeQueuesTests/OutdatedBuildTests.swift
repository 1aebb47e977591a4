import Kernel
import Testing

@testable import MergeQueues

/// Evidence of builds that do not hold everything that landed.
@Suite struct OutdatedBuildRules {
  private static let optimistic: SchedulingRules = {
    var rules = careful
    rules.isOptimistic = true
    return rules
  }()

  private let first = Told { state in
    let proposals = [
      Plan.Proposal(members: [1], purpose: .head, worth: 1),
      Plan.Proposal(members: [2, 3], purpose: .search, worth: 0.5),
    ]
    return .planned(Plan(builds: proposals), version: state.planVersion)
  }

  /// 1 is being pushed; 2 with 3 runs beside it, on the same trunk.
  private func apart(_ rules: SchedulingRules) -> [Told] {
    open(policy(slots: 3, scheduling: rules)) + [
      submit("a"), submit("b"), submit("d"), first, made(1, "t0", "t0+a"), made(2, "t0", "t0+b"),
      made(3, "t0+b", "t0+b+d"), passed(1),
    ]
  }

  @Test func aRunOnAnOlderTrunkGoesOn() {
    check(
      "where a later green counts", given: apart(Self.optimistic), when: landed("t0+a"), then: ["landed 1 t0+a on t0"],
      wants: ["plan", "test 2 t0+b+d"])
    check(
      "else it is stopped", given: apart(careful), when: landed("t0+a"),
      then: ["landed 1 t0+a on t0", "dropped 2, landed 1"], wants: ["plan"])
    check(
      "after somebody else's push it is stopped", given: apart(Self.optimistic) + [landed("t0+a")], when: seen("x"),
      then: ["trunk t0+a > x", "dropped 2, trunk at x"], wants: ["plan"])
    let kept = Told { state in
      let proposal = Plan.Proposal(members: [2, 3], purpose: .search, worth: 1, isOnTrunk: false)
      return .planned(Plan(builds: [proposal]), version: state.planVersion)
    }
    check(
      "a plan may keep it, and the head waits for what it says", given: apart(Self.optimistic) + [landed("t0+a")],
      when: kept, then: ["planned"], wants: ["test 2 t0+b+d"])
    check(
      "or end it", given: apart(Self.optimistic) + [landed("t0+a")], when: plan([2, 3]),
      then: ["planned 3=[2, 3] drop 2"], wants: ["prepare 2 on t0+a"])
  }

  @Test func itsGreenLandsNothing() {
    let green = apart(Self.optimistic) + [landed("t0+a"), passed(2)]
    check("by itself", given: Array(green.dropLast()), when: passed(2), then: ["ended 2 exited with 0: 1 test"])
    let state = play(green)
    #expect(state.push == nil && state.builds.map(\.isPast) == [true])
    let situation = state.situation(at: Instant(milliseconds: 0))
    #expect(situation.builds.map(\.isOnTrunk) == [false] && situation.builds.map(\.state) == [.passed])
    check(
      "both are tested together on the trunk", given: green, when: planned(), then: ["planned 3=[2, 3]"],
      wants: ["prepare 2 on t0+a"])
    let together = green + [plan([2, 3]), made(2, "t0+a", "t0+a+b"), made(3, "t0+a+b", "t0+a+b+d"), passed(3)]
    check(
      "and land so", given: together, when: landed("t0+a+b+d"),
      then: ["landed 2 t0+a+b on t0+a inside", "landed 3 t0+a+b+d on t0+a+b"], wants: [])
    #expect(play(together + [landed("t0+a+b+d")]).builds.isEmpty)
  }

  @Test func itsRedSendsNobodyAwayByItself() {
    let red = apart(Self.optimistic) + [landed("t0+a"), failed(2)]
    check("it is known", given: Array(red.dropLast()), when: failed(2), then: ["ended 2 exited with 1: 1 test"])
    let alone = red + [plan([2]), made(2, "t0+a", "t0+a+b")]
    check(
      "one red alone with it is enough of both", given: alone, when: failed(3),
      then: [
        "ended 3 exited with 1: 1 test", "ejected 2 testFailed against []", "dropped 3, without 2",
        "dropped 2, without 2",
      ])
    check(
      "a later green on the trunk answers it",
      given: red + [plan([2], [2, 3]), made(2, "t0+a", "t0+a+b"), made(3, "t0+a+b", "t0+a+b+d")], when: passed(4),
      then: [
        "ended 4 exited with 0: 1 test", "flake [2, 3] red 2 green 4", "pushing [2, 3] t0+a+b+d on t0+a",
      ])
  }

  @Test func aHotfixEndsItForGood() {
    let full =
      open(policy(slots: 2, scheduling: Self.optimistic, hotfixesPreempt: true))
      + Array(apart(Self.optimistic).dropFirst(2))
      + [landed("t0+a"), submit("z"), submit("h", .hotfix)]
    let state = play(full)
    #expect(state.builds.map(\.isOutdated) == [true])
    let more =
      full + [
        Told { state in
          let proposals = [
            Plan.Proposal(members: [5], purpose: .hotfix, worth: 1),
            Plan.Proposal(members: [4], purpose: .head, worth: 1),
            Plan.Proposal(members: [2, 3], purpose: .search, worth: 0.1, isOnTrunk: false),
          ]
          return .planned(Plan(builds: proposals), version: state.planVersion)
        }, made(4, "t0+a", "t0+a+z"),
      ]
    check(
      "it is not begun again", given: more, when: made(5, "t0+a", "t0+a+h"),
      then: ["prepared 5 t0+a+h on t0+a assuming []", "dropped 2, outranked by 5", "run 1 of 3 t0+a+h"])
  }
}
