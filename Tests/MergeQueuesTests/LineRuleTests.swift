import Kernel
import MergeQueues
import Testing

@Suite struct PriorityRules {
  @Test func theLineGoesByPriorityThenBySubmission() {
    let told =
      open + [
        submit("a", .low), submit("b"), submit("c", .high), submit("d"), submit("e", .hotfix), submit("f", .high),
      ]
    #expect(play(told).entries.map(\.id) == [5, 3, 6, 2, 4, 1])
  }

  @Test func aHotfixIsBuiltBesideTheOthers() {
    let busy = two + [submit("h", .hotfix)]
    check(
      "it has the next free slot", given: busy + [plan([3], [1], [1, 2], purpose: .hotfix)],
      when: made(3, "t0", "t0+h"),
      then: ["prepared 3 t0+h on t0 assuming []"], wants: ["test 1 t0+a", "test 2 t0+a+b"])
    let eager =
      open(policy(hotfixesPreempt: true)) + Array(two.dropFirst(2)) + [
        submit("h", .hotfix), plan([3], [1], [1, 2], purpose: .hotfix),
      ]
    check(
      "where policy wants it, it takes the least worthy's", given: eager, when: made(3, "t0", "t0+h"),
      then: ["prepared 3 t0+h on t0 assuming []", "stopped 2, outranked by 3", "run 1 of 3 t0+h"],
      wants: ["plan", "test 3 t0+h", "test 1 t0+a"])
    check(
      "it lands before the others", given: eager + [made(3, "t0", "t0+h")], when: passed(3),
      then: ["ended 3 exited with 0: 1 test", "pushing [3] t0+h on t0", "run 2 of 2 t0+a+b"])
  }
}

@Suite struct StackRules {
  /// `b` stands on `a`, `c` on `b`; `x` came between.
  private let stack = open + [submit("a"), submit("x"), submit("b", after: [1]), submit("c", after: [3])]

  @Test func membersStandTogether() {
    let state = play(stack)
    #expect(state.entries.map(\.id) == [1, 3, 4, 2])
    #expect(state.entries.map(\.unit) == [1, 1, 1, 2])
    #expect(play(stack + [submit("z", .high, after: [2])]).entries.map(\.id) == [2, 5, 1, 3, 4])
    check(
      "as a unit they are built", given: stack, when: plan([1], [1, 2]), then: ["planned 1=[1, 3, 4] 2=[1, 3, 4, 2]"])
    let joined = play(stack + [submit("y", after: [2, 3])])
    #expect(joined.entries.map(\.id) == [1, 2, 3, 4, 5] && joined.entries.allSatisfy { $0.unit == 1 })
  }

  @Test func theCulpritAndThoseAboveItLeave() {
    let red =
      stack + [
        plan([1]), made(1, "t0", "1"), made(3, "1", "13"), made(4, "13", "134"), failed(1),
      ]
    check(
      "a red stack is looked at one by one", given: Array(red.dropLast()), when: red.last!,
      then: [
        "ended 1 exited with 1: 1 test", "loosened [1, 3, 4]",
      ])
    let searched = red + [plan([1], [1, 3]), passed(2), landed("1"), failed(3)]
    check(
      "the first is innocent and lands", given: Array(searched.dropLast(3)), when: passed(2),
      then: [
        "ended 2 exited with 0: 1 test", "pushing [1] 1 on t0",
      ])
    check(
      "the second is guilty", given: Array(searched.dropLast()), when: failed(3),
      then: [
        "ended 3 exited with 1: 1 test", "ejected 3 testFailed against [1]", "ejected 4 predecessorLeft against []",
        "dropped 3, without 3", "dropped 1, without 3",
      ])
    check(
      "nothing is built without what it stands on", given: red, when: plan([1], [3], [1, 4]),
      then: ["planned 2=[1]", "run 1 of 2 1"])
  }

  @Test func whatItMayStandOn() {
    check("nobody", given: stack, when: submit("y", after: [9]), refused: .unknown, saying: "#9, which y stands on")
    check(
      "itself", given: stack, when: submit("x", at: "x2", after: [2]), refused: .malformed, saying: "which it replaces")
    check(
      "one that landed", given: two + [passed(1), landed("t0+a")], when: submit("y", after: [1]),
      then: ["submitted 3 y"])
    check(
      "one that left", given: two + [failed(1)], when: submit("y", after: [1]), refused: .unknown,
      saying: "mend the change")
    check(
      "whose parent leaves, leaves", given: stack, when: Told(.withdraw(entry: 1, reason: "")),
      then: [
        "withdrawn 1", "ejected 3 predecessorLeft against []", "ejected 4 predecessorLeft against []",
      ])
  }

  @Test func whatWasTakenApartStaysInOrder() {
    let apart =
      open + [submit("a"), submit("b", after: [1]), submit("x"), plan([1]), made(1, "t0", "1"), clash(2, "1")]
    #expect(play(apart).entries.map(\.unit) == [1, 2, 3])
    let urgent = apart + [submit("h", .hotfix, after: [2])]
    #expect(play(urgent).entries.map(\.id) == [1, 2, 4, 3], "not before what it stands on")
    #expect(play(urgent + [submit("z", after: [1])]).entries.map(\.id) == [1, 5, 2, 4, 3], "nor behind its children")
  }

  @Test func whoStandsBetweenTwoOfAStackJoinsIt() {
    let apart =
      open + [
        submit("a"), submit("b", after: [1]), submit("c", after: [2]), submit("x"), plan([1]), made(1, "t0", "1"),
        clash(2, "1"),
      ]
    #expect(play(apart).entries.map(\.unit) == [1, 2, 3, 4])
    let joined = play(apart + [submit("d", after: [1, 3])]).entries
    #expect(joined.map(\.id) == [1, 2, 3, 5, 4], "2 stands on 1 and under 3")
  }

  @Test func aStackThatDoesNotMergeOntoItself() {
    check(
      "is loosened", given: stack + [plan([1]), made(1, "t0", "1")], when: clash(3, "1"),
      then: [
        "conflicted 3 on 1 assuming [1]", "loosened [1, 3, 4]",
      ])
  }
}

@Suite struct HoldRules {
  private func pause(_ kind: MergeQueue.Hold.Kind) -> Told { Told(.hold(kind, reason: "an incident", by: "Ada")) }
  private let resume = Told(.resume(reason: "it is over", by: "Ada"))

  @Test func aPausedQueueBuildsAndLandsNothing() {
    check(
      "it goes on with what runs", given: two, when: pause(.paused), then: ["paused an incident"],
      wants: [
        "test 1 t0+a", "test 2 t0+a+b",
      ])
    check("but lands nothing", given: two + [pause(.paused)], when: passed(1), then: ["ended 1 exited with 0: 1 test"])
    check(
      "until somebody resumes it", given: two + [pause(.paused), passed(1)], when: resume,
      then: ["resumed", "pushing [1] t0+a on t0"])
    check("changes are taken", given: open + [pause(.paused)], when: submit("a"), then: ["submitted 1 a"], wants: [])
    check("a plan is not", given: open + [submit("a"), pause(.paused)], when: plan([1]), then: [])
    check(
      "what is being pushed lands", given: two + [passed(1), pause(.paused)], when: landed("t0+a"),
      then: [
        "landed 1 t0+a on t0"
      ])
    check("pausing again says nothing", given: two + [pause(.paused)], when: pause(.paused), then: [])
    check("nothing to resume", given: two, when: resume, refused: .notNow, saying: "neither paused nor drained")
    check(
      "a reason is needed", given: two, when: Told(.hold(.paused, reason: " ", by: "Ada")), refused: .malformed,
      saying: "name a reason")
  }

  @Test func aDrainedQueueTakesNothingNew() {
    check("submissions", given: two + [pause(.draining)], when: submit("c"), refused: .notNow, saying: "Ada drains it")
    check(
      "the rest lands", given: two + [pause(.draining)], when: passed(1),
      then: [
        "ended 1 exited with 0: 1 test", "pushing [1] t0+a on t0",
      ])
  }

  @Test func aFreezeHoldsAllButHotfixes() {
    // From the eighth second to the twentieth.
    let sale = FreezeWindow(
      period: .dated(from: Instant(milliseconds: 8000), to: Instant(milliseconds: 20_000)), reason: "a sale")
    let frozen = open(policy(freezes: [sale])) + Array(two.dropFirst(2)) + [Told(.ticked)]
    check(
      "it begins with the clock", given: Array(frozen), when: Told(.ticked), then: ["frozen a sale"],
      wants: [
        "plan", "test 1 t0+a", "test 2 t0+a+b",
      ])
    let within = frozen + [Told(.ticked)]
    check("nothing lands in it", given: within, when: passed(1), then: ["ended 1 exited with 0: 1 test"])
    check("nothing is built in it", given: within, when: plan([1], [1, 2]), then: ["planned drop 1 drop 2"])
    check(
      "hotfixes are", given: within + [submit("h", .hotfix)], when: plan([3]), then: ["planned 3=[3] drop 1 drop 2"])
    let long = within + [passed(1)] + Array(repeating: Told(.ticked), count: 10)
    check("it ends with the clock", given: long, when: Told(.ticked), then: ["thawed", "pushing [1] t0+a on t0"])
  }
}

@Suite struct RequirementRules {
  private let needy =
    open(policy(requirements: MergeQueue.Policy.Requirements(approvals: 1, checks: ["lint"]))) + [
      submit("a")
    ]
  private func lint(_ state: CheckResult.State, by reporter: String = "jenkins", at head: String = "a") -> Told {
    let result = CheckResult(name: "lint", state: state, commit: c(head), reporter: reporter)
    return Told(.report(entry: 1, .checked(result, tree: nil)))
  }
  private let approved = Told(.report(entry: 1, .approved(by: "Grace")))

  @Test func nothingIsBuiltThatLacksSomething() {
    check("at first", given: needy, when: plan([1]), then: ["planned"])
    check("it is told", given: needy, when: approved, then: [#"reported 1 ["Grace"] []"#])
    let whole = needy + [approved, lint(.passed)]
    check("with all of it", given: whole, when: plan([1]), then: ["planned 1=[1]"])
    check(
      "an approval is taken back before it lands",
      given: whole + [plan([1]), made(1, "t0", "1"), Told(.report(entry: 1, .approvalWithdrawn(by: "Grace")))],
      when: passed(1), then: ["ended 1 exited with 0: 1 test"])
    check(
      "nobody approves of himself", given: needy, when: Told(.report(entry: 1, .approved(by: "Ada"))),
      refused: .forbidden, saying: "somebody else")
  }

  @Test func twoChecksOfOneName() {
    let both = needy + [approved, lint(.passed), lint(.failed, by: "buildkite")]
    check("the red one counts", given: both, when: plan([1]), then: ["planned"])
    let line = MergeQueue.explanation(of: play(both)).entries[0]
    #expect(line.activity == .missing)
    #expect(line.reason.contains("the check 'lint' of buildkite failed on"))
    check(
      "the later word of the same reporter takes its place", given: both + [lint(.passed, by: "buildkite")],
      when: plan([1]), then: ["planned 1=[1]"])
    check(
      "one of another commit counts for nothing", given: needy + [approved, lint(.passed, at: "z")], when: plan([1]),
      then: ["planned"])
  }

  @Test func theForgeShowsWhatBecameOfAChange() {
    func look(_ state: ChangeState) -> Told { Told(.changeObserved(entry: 1, state)) }
    let a = branch("a")
    check("as it was", given: two, when: look(ChangeState(branch: a, head: c("a"))), then: [])
    check(
      "deleted", given: two, when: look(ChangeState(branch: a, head: nil)),
      then: [
        "withdrawn 1", "dropped 1, withdrawn 1", "dropped 2, withdrawn 1",
      ])
    check(
      "pushed to", given: two, when: look(ChangeState(branch: a, head: c("a2"))),
      then: ["withdrawn 1", "submitted 3 a", "dropped 1, withdrawn 1", "dropped 2, withdrawn 1"])
    check(
      "closed", given: [open[0], open[1], submit("a")],
      when: look(ChangeState(branch: a, head: c("a"), isClosed: true)),
      then: ["withdrawn 1"])
    check(
      "retargeted", given: [open[0], open[1], submit("a")],
      when: look(ChangeState(branch: a, head: c("a"), target: branch("next"))), then: ["withdrawn 1"])
    check("not while it lands", given: two + [passed(1)], when: look(ChangeState(branch: a, head: nil)), then: [])
    check(
      "approved", given: needy, when: look(ChangeState(branch: a, head: c("a"), approvals: ["Grace"])),
      then: [#"reported 1 ["Grace"] []"#])
    let reasons = play([open[0], open[1], submit("a"), look(ChangeState(branch: a, head: nil))]).finished.map(
      \.sentence)
    #expect(reasons == ["#1 was withdrawn: a was deleted; push it again and submit it."])
  }

  @Test func theLongestWait() {
    let told = MergeQueue.Policy.LongestWait(span: .seconds(3), ejects: false)
    let line = [submit("a"), Told(.ticked), Told(.ticked), Told(.ticked)]
    check("is told of once", given: open(policy(longestWait: told)) + line, when: Told(.ticked), then: ["overdue 1"])
    check(
      "and not again", given: open(policy(longestWait: told)) + line + [Told(.ticked)], when: Told(.ticked), then: [])
    let strict = MergeQueue.Policy.LongestWait(span: .seconds(3), ejects: true)
    check(
      "or ends it", given: open(policy(longestWait: strict)) + line, when: Told(.ticked),
      then: [
        "ejected 1 waitedTooLong against []"
      ])
    let crowd = open(policy(capacity: 40, longestWait: strict)) + (1...40).map { submit("b\($0)") } + [Told(.ticked)]
    #expect(play(crowd).entries.count == 40 - MergeQueue.overdueBurst, "a full line leaves by and by")
    #expect(play(crowd + Array(repeating: Told(.ticked), count: 4)).entries.isEmpty)
  }
}

@Suite struct LaneRuleTests {
  private func touches(_ entry: Int, _ path: String) -> Told {
    Told(.surveyed(entry: entry, paths: ChangedPaths(bounding: [path])))
  }
  private func lanes(strict: Bool) -> [Told] {
    open(policy(strict: strict, lanes: LaneRules(division: .directories(depth: 1)))) + [
      submit("a"), submit("b"), touches(1, "api/x"), touches(2, "web/x"), plan([1], [2]), made(1, "t0", "t0+a"),
      made(2, "t0", "t0+b"), passed(1),
    ]
  }

  @Test func changesAreLookedUp() {
    let asked = open(policy(strict: false, lanes: LaneRules(division: .directories(depth: 1))))
    check("where lanes are on", given: asked, when: submit("a"), then: ["submitted 1 a"], wants: ["plan", "survey 1"])
    check(
      "once", given: asked + [submit("a")], when: touches(1, "api/x"), then: [#"surveyed 1 ["api"]"#], wants: ["plan"])
  }

  @Test func aDisjointLandingRefutesNobody() {
    check(
      "the other is merged again", given: lanes(strict: false), when: landed("t0+a"),
      then: [
        "landed 1 t0+a on t0", "carried 2 over [1] to t0+a",
      ], wants: ["plan", "prepare 2 on t0+a", "test 2 t0+b"])
    check(
      "and lands by the run that did not see it",
      given: lanes(strict: false) + [landed("t0+a"), made(2, "t0+a", "ab")],
      when: passed(2), then: ["ended 2 exited with 0: 1 test", "pushing [2] ab on t0+a"])
    check(
      "strictly it is run again", given: lanes(strict: true), when: landed("t0+a"),
      then: [
        "landed 1 t0+a on t0", "dropped 2, landed 1",
      ])
    check(
      "what is being searched for counts for strict ones no more",
      given: lanes(strict: false) + [landed("t0+a"), made(2, "t0+a", "ab")], when: Told(.configure(policy())),
      then: ["configured make test"], wants: ["plan"])
  }

  @Test func anOverlappingLandingRefutes() {
    let near =
      open(policy(strict: false, lanes: LaneRules(division: .directories(depth: 1)))) + [
        submit("a"), submit("b"), touches(1, "api/x"), touches(2, "api/y"), plan([1], [2]), made(1, "t0", "t0+a"),
        made(2, "t0", "t0+b"), passed(1),
      ]
    check("the same lane", given: near, when: landed("t0+a"), then: ["landed 1 t0+a on t0", "dropped 2, landed 1"])
  }
}

@Suite struct ReorderRules {
  /// `b` is in another lane than the slow `a`, passed alone, and lands first; a build of both runs.
  private let passing =
    open(policy(strict: false, lanes: LaneRules(division: .directories(depth: 1)))) + [
      submit("a"), submit("b"), Told(.surveyed(entry: 1, paths: ChangedPaths(bounding: ["api/x"]))),
      Told(.surveyed(entry: 2, paths: ChangedPaths(bounding: ["web/x"]))), plan([2], [1, 2]), made(2, "t0", "t0+b"),
      made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b", tree: "both"), passed(1),
    ]

  @Test func aLandingOutOfOrderKeepsTheRunOfAnEqualTree() {
    check(
      "what held it is merged again, and runs on", given: passing, when: landed("t0+b"), then: ["landed 2 t0+b on t0"],
      wants: [
        "plan", "prepare 1 on t0+b", "test 2 t0+a+b",
      ])
    let again = passing + [landed("t0+b"), made(1, "t0+b", "t0+b+a", tree: "both")]
    check(
      "the equal tree lands by the run of the other order", given: again, when: passed(2),
      then: [
        "ended 2 exited with 0: 1 test", "pushing [1] t0+b+a on t0+b",
      ])
    check(
      "another tree is run itself", given: passing + [landed("t0+b")], when: made(1, "t0+b", "t0+b+a", tree: "other"),
      then: ["prepared 1 t0+b+a on t0+b assuming []", "run 2 of 2 t0+b+a"], wants: ["plan", "test 2 t0+b+a"])
  }
}

@Suite struct WaitRules {
  private func parts(_ told: [Told], of entry: Int) -> [String] {
    let state = play(told)
    let waits =
      state.entry(entry)?.waits.parts(at: turn(told.count - 1).now)
      ?? state.finished.last { $0.facts.id == entry }?.waits ?? []
    return waits.map { "\($0.cause) \($0.span.seconds)" }
  }

  @Test func everySecondHasACause() {
    // Submitted at 2 s, planned at 4, merged and given a slot at 5, looked at 6.
    #expect(parts(two, of: 1) == ["merging 1.0", "waitingForSlot 2.0", "runningCI 1.0"])
    let paused =
      open + [
        submit("a"), Told(.hold(.paused, reason: "an incident", by: "Ada")), Told(.ticked),
        Told(.resume(reason: "", by: "Ada")), Told(.ticked),
      ]
    #expect(parts(paused, of: 1) == ["paused 2.0", "waitingForSlot 2.0"])
    let needy =
      open(policy(requirements: MergeQueue.Policy.Requirements(approvals: 1))) + [
        submit("a"), Told(.ticked), Told(.report(entry: 1, .approved(by: "Grace"))), Told(.ticked),
      ]
    #expect(parts(needy, of: 1) == ["missingApproval 2.0", "waitingForSlot 1.0"])
  }

  @Test func theyGoWithTheLanding() {
    let state = play(two + [passed(1), landed("t0+a")])
    let waits = state.finished.last?.waits ?? []
    #expect(waits.whole == turn(8).now - turn(2).now)
    #expect(waits[.landing] == .seconds(1))
  }

  @Test func aRunnersClockIsNotOurs() {
    func ended(_ build: Int, from start: Int, to end: Int) -> Told {
      Told { state in
        let known = state.build(build)
        return .tested(
          build: build, run: known?.attempts ?? 1, commit: known?.subject?.commit ?? c("none"),
          report: MergeQueue.TestReport(
            end: .exited(code: 0), log: digest("log"), summary: "", startedAt: turn(start).now, endedAt: turn(end).now,
            recipe: state.recipe))
      }
    }
    // Told at 7 s, landed at 8.
    for (start, end, began, over) in [(5, 6, 5, 6), (5, 500, 5, 7), (400, 500, 7, 7)] {
      let run = play(two + [ended(2, from: start, to: end)]).build(2)?.runs.first
      #expect(run?.startedAt == turn(began).now && run?.endedAt == turn(over).now, "\(start) to \(end)")
      let state = play(two + [ended(1, from: start, to: end), landed("t0+a")])
      #expect(state.finished.last?.waits.whole == turn(8).now - turn(2).now, "\(start) to \(end)")
    }
  }

  @Test func aPushPastTheQueueIsToBlameForLostWork() {
    let lost = parts(two + [seen("x")], of: 1)
    #expect(lost == ["waitingForSlot 2.0", "externalReset 3.0"])
  }
}

@Suite struct SightRules {
  private func stalls(_ told: [Told], after seconds: Int) -> [Stall.Cause] {
    let now = turn(told.count - 1 + seconds).now
    return Watchdog.stalls(in: play(told).sight(at: now), at: now).map(\.cause)
  }

  @Test func theWatchdogSeesWhatTheStateKnows() {
    #expect(stalls(two, after: 30).isEmpty)
    #expect(stalls(open + [submit("a")], after: 11) == [.planMissing])
    let checked = open(policy(requirements: MergeQueue.Policy.Requirements(checks: ["lint"])))
    #expect(stalls(checked + [submit("a"), plan([])], after: 60) == [.missingCheck])
    let push = EffectKey("land/\(c("t0+a"))")
    #expect(
      stalls(two + [passed(1), plan([1]), Told(.exhausted(key: push, why: "protected"))], after: 60)
        == [.pushRefused])
    #expect(stalls(open + [submit("a"), Told(.hold(.paused, reason: "x", by: "Ada"))], after: 600).isEmpty)
  }
}
