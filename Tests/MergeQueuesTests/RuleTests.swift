import Kernel
import MergeQueues
import Testing

/// `a` and `b` queued; builds 1 of `a` and 2 of both, assembled and running.
let two =
  open + [
    submit("a"), submit("b"), plan([1], [1, 2]), made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b"),
  ]

@Suite struct PlanningRules {
  @Test func aPlanIsAskedForAndCheckedAndBuilt() {
    check(
      "someone in line is something to plan", given: open, when: submit("a"), then: ["submitted 1 a"],
      wants: ["plan"])
    check(
      "before the trunk was seen nothing is planned", given: [Told(.configure(policy())), submit("a")],
      when: seen("t0"), then: ["trunk - > t0"], wants: ["plan"])
    check(
      "a build is merged step by step", given: open + [submit("a"), submit("b")], when: plan([1, 2]),
      then: ["planned 1=[1, 2]"], wants: ["prepare 1 on t0"])
    check(
      "builds share their beginnings", given: open + [submit("a"), submit("b"), plan([1], [1, 2])],
      when: made(1, "t0", "t0+a"), then: ["prepared 1 t0+a on t0 assuming []", "run 1 of 1 t0+a"],
      wants: ["test 1 t0+a", "prepare 2 on t0+a"])
    check(
      "only the tip is tested", given: open + [submit("a"), submit("b"), plan([1, 2]), made(1, "t0", "t0+a")],
      when: made(2, "t0+a", "t0+a+b"), then: ["prepared 2 t0+a+b on t0+a assuming [1]", "run 1 of 1 t0+a+b"],
      wants: ["test 1 t0+a+b"])
    check(
      "what is no longer proposed ends", given: two, when: submit("c"), then: ["submitted 3 c"])
    check(
      "and what is goes on", given: two + [submit("c")], when: plan([1, 2], [1, 2, 3]),
      then: ["planned 3=[1, 2, 3] drop 1"], wants: ["test 2 t0+a+b", "prepare 3 on t0+a+b"])
  }

  @Test func whatAPlannerMayNotPropose() {
    let three = open + [submit("a"), submit("b"), submit("c")]
    check("who is not in line", given: three, when: plan([1], [1, 9]), then: ["planned 1=[1]"])
    check("out of order", given: three, when: plan([1], [2, 1]), then: ["planned 1=[1]"])
    check("nobody", given: three, when: plan([1], []), then: ["planned 1=[1]"])
    check("the same twice", given: three, when: plan([1], [1]), then: ["planned 1=[1]"])
    check(
      "more than two beyond the slots", given: open(policy(slots: 1)) + Array(three.dropFirst(2)),
      when: plan([1], [1, 2], [1, 2, 3], [2]), then: ["planned 1=[1] 2=[1, 2] 3=[1, 2, 3]"])
    check("nothing of the head", given: three, when: plan([2], [3]), then: ["planned 1=[2] 2=[3] 3=[1]"])
    check(
      "the head only with others, passing somebody", given: three, when: plan([1, 3]),
      then: ["planned 1=[1, 3] 2=[1]"])
    check(
      "what was red with the head, instead of the head", given: two + [failed(2)], when: plan([1, 2]),
      then: ["planned again 2", "run 2 of 2 t0+a+b"], wants: ["test 2 t0+a+b", "test 1 t0+a"])
    check(
      "for another state", given: three, when: Told { .planned(Plan(builds: []), version: $0.planVersion - 1) },
      then: [])
    check("twice for the same", given: three + [plan([1])], when: plan([1, 2]), then: [])
  }

  @Test func slotsAreGivenOutInOrder() {
    let narrow = open(policy(slots: 1)) + [submit("a"), submit("b"), plan([1], [1, 2])]
    check(
      "one has the slot", given: narrow + [made(1, "t0", "t0+a")], when: made(2, "t0+a", "t0+a+b"),
      then: ["prepared 2 t0+a+b on t0+a assuming [1]"], wants: ["test 1 t0+a"])
    check(
      "the next has it after that", given: narrow + [made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b")],
      when: passed(1), then: ["ended 1 exited with 0: 1 test", "pushing [1] t0+a on t0", "run 1 of 2 t0+a+b"])
  }
}

@Suite struct LandingRules {
  @Test func landsExactlyWhatWasTested() {
    check(
      "the head's tested commit is pushed", given: two, when: passed(1),
      then: ["ended 1 exited with 0: 1 test", "pushing [1] t0+a on t0"],
      wants: ["plan", "land t0+a on t0", "test 2 t0+a+b"])
    check(
      "a batch lands at once, and only its tip is to be built", given: two, when: passed(2),
      then: ["ended 2 exited with 0: 1 test", "pushing [1, 2] t0+a+b on t0"])
    check(
      "with an event for each", given: two + [passed(2)], when: landed("t0+a+b"),
      then: ["landed 1 t0+a on t0 inside", "landed 2 t0+a+b on t0+a"], wants: [])
    check(
      "landing keeps those behind, whose base is the trunk now", given: two + [passed(1)], when: landed("t0+a"),
      then: ["landed 1 t0+a on t0"], wants: ["plan", "test 2 t0+a+b"])
    check(
      "and they land without another run", given: two + [passed(1), landed("t0+a")], when: passed(2),
      then: ["ended 2 exited with 0: 1 test", "pushing [2] t0+a+b on t0+a"])
    check(
      "the trunk seen at the pushed commit is a landing whose reply was lost", given: two + [passed(1)],
      when: seen("t0+a"), then: ["landed 1 t0+a on t0"])
    check(
      "so is a refusal that names it", given: two + [passed(1)],
      when: Told(.landingRefused(build: 1, commit: c("t0+a"), trunk: c("t0+a"))), then: ["landed 1 t0+a on t0"])
    check(
      "the late reply is then nothing new", given: two + [passed(1), seen("t0+a")], when: landed("t0+a"), then: [])
    check("nothing lands that is not pushed", given: two, when: landed("t0+a"), then: [])
  }

  @Test func aKnownTreeNeedsNoRun() {
    let reordered =
      open + [
        submit("a"), submit("b"), plan([2], [1, 2]), made(2, "t0", "t0+b"), made(1, "t0", "t0+a"),
        made(2, "t0+a", "t0+a+b", tree: "ab"), passed(2),
      ]
    check(
      "the batch lands", given: Array(reordered.dropLast()), when: reordered.last!,
      then: [
        "ended 2 exited with 0: 1 test", "pushing [1, 2] t0+a+b on t0",
      ])
    let again =
      open + [
        submit("a"), plan([1]), made(1, "t0", "t0+a"), failed(1), submit("a", at: "a2"), plan([2]),
      ]
    check(
      "a red tree is no evidence", given: again, when: made(2, "t0", "t0+a2"),
      then: ["prepared 2 t0+a2 on t0 assuming []", "run 1 of 2 t0+a2"])
    let withdrawn = two + [passed(1), seen("x"), Told(.withdraw(entry: 2, reason: "")), plan([1])]
    check(
      "a passed tree is: the push past us left it as it was", given: withdrawn,
      when: made(1, "x", "x+a", tree: "t0+a"),
      then: ["prepared 1 x+a on x assuming []", "recognised 3 by run of 1", "pushing [1] x+a on x"])
    let elsewhere = CheckResult(name: "ci", state: .passed, commit: c("a"), reporter: "jenkins")
    check(
      "and so is one that a trusted check saw",
      given: open(policy(reusedCheck: "ci")) + [
        submit("a"), Told(.report(entry: 1, .checked(elsewhere, tree: tree("same")))), plan([1]),
      ], when: made(1, "t0", "t0+a", tree: "same"),
      then: ["prepared 1 t0+a on t0 assuming []", "recognised 1 by check ci", "pushing [1] t0+a on t0"])
  }
}

@Suite struct FailureRules {
  @Test func theGuiltyLeaveAndTheirBuildsWithThem() {
    check(
      "by a failed test", given: two, when: failed(1),
      then: [
        "ended 1 exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 1, without 1",
        "dropped 2, without 1",
      ],
      wants: ["plan"])
    check(
      "by running out of time", given: two, when: ended(1, .timedOut),
      then: [
        "ended 1 ran out of time: 1 test", "ejected 1 timedOut against []", "dropped 1, without 1",
        "dropped 2, without 1",
      ])
    check(
      "a cancelled run says nothing", given: two, when: ended(1, .cancelled), then: [],
      wants: ["test 1 t0+a", "test 2 t0+a+b"])
    check(
      "red together is nobody's fault yet", given: two, when: failed(2), then: ["ended 2 exited with 1: 1 test"],
      wants: ["plan", "test 1 t0+a"])
    check(
      "it is the second's when the first has landed", given: two + [failed(2), passed(1)], when: landed("t0+a"),
      then: ["landed 1 t0+a on t0", "ejected 2 testFailed against [1]", "dropped 2, without 2"])
    check(
      "it is forgotten when the first has not", given: two + [failed(2)], when: failed(1),
      then: [
        "ended 1 exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 1, without 1",
        "dropped 2, without 1",
      ])
  }

  @Test func aFlakeIsToldFromAFault() {
    let once = open(policy(scheduling: careful)) + [submit("a"), plan([1]), made(1, "t0", "t0+a"), failed(1)]
    check(
      "red once is not enough", given: Array(once.dropLast()), when: failed(1), then: ["ended 1 exited with 1: 1 test"])
    check("it runs again", given: once, when: plan([1]), then: ["planned again 1", "run 2 of 1 t0+a"])
    check(
      "green is the tree's own word", given: once + [plan([1])], when: passed(1),
      then: ["ended 1 exited with 0: 1 test", "flake [1] red 1 green 1", "pushing [1] t0+a on t0"])
    check(
      "red twice is its fault", given: once + [plan([1])], when: failed(1),
      then: ["ended 1 exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 1, without 1"])
    let state = play(once + [plan([1]), passed(1)])
    #expect((state.tally.red, state.tally.flakes, state.tally.green) == (0, 1, 1))
  }

  @Test func theUsualRulesSendAwayWhoIsRedTwice() {
    let lone =
      open(policy(scheduling: .usual)) + [submit("a"), planned(), made(1, "t0", "t0+a"), failed(1)]
    check("one red is not enough", given: lone, when: planned(), then: ["planned again 1", "run 2 of 1 t0+a"])
    check(
      "two are", given: lone + [planned()], when: failed(1),
      then: ["ended 1 exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 1, without 1"])
    check(
      "a green after a red lands the tree that was green", given: lone + [planned()], when: passed(1),
      then: ["ended 1 exited with 0: 1 test", "flake [1] red 1 green 1", "pushing [1] t0+a on t0"])
  }

  /// A green counts for those in it that were red elsewhere; what lands is nothing but the green build's own tree.
  @Test func theUsualRulesLandOnlyWhatPassed() {
    let pair =
      open(policy(scheduling: .usual)) + [
        submit("a"), submit("b"), plan([1], [1, 2]), made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b"), failed(1),
      ]
    check(
      "both, by their own run", given: pair, when: passed(2),
      then: ["ended 2 exited with 0: 1 test", "flake [1] red 1 green 2", "pushing [1, 2] t0+a+b on t0"])
    check("red, they stay", given: pair, when: failed(2), then: ["ended 2 exited with 1: 1 test"])
  }

  @Test func whatDoesNotMerge() {
    let pair = open + [submit("a"), submit("b"), plan([1], [1, 2])]
    check(
      "onto the trunk", given: pair, when: clash(1, "t0"),
      then: [
        "conflicted 1 on t0 assuming []", "ejected 1 conflict against []", "dropped 1, without 1",
        "dropped 2, without 1",
      ])
    check(
      "nothing left to land", given: pair, when: contained(1, "t0"),
      then: ["contained 1 in t0", "ejected 1 alreadyLanded against []", "dropped 1, without 1", "dropped 2, without 1"])
    let clashing = pair + [made(1, "t0", "t0+a"), clash(2, "t0+a")]
    check(
      "onto those ahead is undecided", given: Array(clashing.dropLast()), when: clashing.last!,
      then: ["conflicted 2 on t0+a assuming [1]"], wants: ["plan", "test 1 t0+a"])
    check(
      "until they land", given: clashing + [passed(1)], when: landed("t0+a"),
      then: ["landed 1 t0+a on t0", "ejected 2 conflict against [1]", "dropped 2, without 2"])
    check(
      "or not", given: clashing, when: failed(1),
      then: [
        "ended 1 exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 1, without 1",
        "dropped 2, without 1",
      ],
      wants: ["plan"])
    check(
      "and nobody is built with it", given: clashing + [submit("c")], when: plan([1], [1, 2], [1, 3]),
      then: [
        "planned 3=[1, 3] drop 2"
      ])
  }
}

@Suite struct TrunkRules {
  @Test func anExternalPushRebuildsAll() {
    check(
      "all builds stood on the old trunk", given: two, when: seen("x"),
      then: ["trunk t0 > x", "dropped 1, trunk at x", "dropped 2, trunk at x"], wants: ["plan"])
    check(
      "a refused push tells of it", given: two + [passed(1)],
      when: Told(.landingRefused(build: 1, commit: c("t0+a"), trunk: c("x"))),
      then: ["trunk t0 > x", "dropped 1, trunk at x", "dropped 2, trunk at x"])
    check("the trunk seen where it is says nothing", given: two, when: seen("t0"), then: [])
    check(
      "a landing told after a push on top of it still counts", given: two + [passed(1), seen("x")],
      when: landed("t0+a"), then: ["landed 1 t0+a on t0", "trunk t0+a > x"])
    check(
      "a late refusal of an older push says nothing", given: two + [passed(1), seen("x")],
      when: Told(.landingRefused(build: 1, commit: c("t0+a"), trunk: c("y"))), then: [])
  }

  @Test func whoAssumedOtherwiseIsRefuted() {
    let without =
      open + [
        submit("a"), submit("b"), plan([1], [2]), made(1, "t0", "t0+a"), made(2, "t0", "t0+b"), passed(1),
      ]
    check(
      "the build without the landed one", given: without, when: landed("t0+a"),
      then: [
        "landed 1 t0+a on t0", "dropped 2, landed 1",
      ])
  }

  @Test func whatIsOfAnotherTimeChangesNothing() {
    check("a candidate on an old base", given: open + [submit("a"), plan([1])], when: made(1, "x", "x+a"), then: [])
    check("a candidate a second time", given: two, when: made(1, "t0", "t0+a"), then: [])
    check("a run a second time", given: two + [passed(1)], when: failed(1), then: [])
    check("a build that never was", given: two, when: passed(7), then: [])
    check("a run of the old command", given: two, when: passed(1, recipe: 0), then: [])
    check("before any configuration", given: [], when: seen("t0"), then: [])
  }
}

@Suite struct RequestRules {
  @Test func submissions() {
    check("not configured", given: [], when: submit("a"), refused: .notNow, saying: "not configured")
    check("the trunk itself", given: open, when: submit("main"), refused: .malformed, saying: "trunk itself")
    check("the same again", given: two, when: submit("b"), refused: .notNow, saying: "#2, in place 2")
    check(
      "the same branch at another head takes a new place at the end", given: two, when: submit("a", at: "a2"),
      then: ["withdrawn 1", "submitted 3 a", "dropped 1, withdrawn 1", "dropped 2, withdrawn 1"])
    check(
      "but not while it lands", given: two + [passed(1)], when: submit("a", at: "a2"), refused: .notNow,
      saying: "is landing")
    check(
      "a full queue", given: [Told(.configure(policy(capacity: 1))), submit("a")], when: submit("b"),
      refused: .notNow, saying: "full with 1")
  }

  @Test func withdrawals() {
    check(
      "builds go with it", given: two, when: Told(.withdraw(entry: 1, reason: "not yet")),
      then: ["withdrawn 1", "dropped 1, withdrawn 1", "dropped 2, withdrawn 1"], wants: ["plan"])
    check(
      "those without it stay", given: two, when: Told(.withdraw(entry: 2, reason: "not yet")),
      then: ["withdrawn 2", "dropped 2, withdrawn 2"], wants: ["plan", "test 1 t0+a"])
    check(
      "unknown", given: two, when: Told(.withdraw(entry: 9, reason: "")), refused: .unknown, saying: "#9 is not")
    check(
      "already landed", given: two + [passed(1), landed("t0+a")], when: Told(.withdraw(entry: 1, reason: "")),
      refused: .unknown, saying: "#1 landed as")
    check(
      "while it lands", given: two + [passed(1)], when: Told(.withdraw(entry: 1, reason: "")), refused: .notNow,
      saying: "is landing")
    let push = EffectKey("land/\(c("t0+a"))")
    check(
      "a push that keeps failing may be given up",
      given: two + [passed(1), Told(.exhausted(key: push, why: "no route"))],
      when: Told(.withdraw(entry: 1, reason: "")),
      then: ["withdrawn 1", "dropped 1, withdrawn 1", "dropped 2, withdrawn 1"])
  }

  @Test func configurations() {
    check(
      "another command makes all anew", given: two, when: Told(.configure(policy(command: "make check"))),
      then: ["configured make check"], wants: ["plan"])
    check(
      "but not what is landing", given: two + [passed(1)], when: Told(.configure(policy(method: .squash))),
      then: ["configured make test"], wants: ["plan", "land t0+a on t0"])
    check(
      "what landed so counts", given: two + [passed(1), Told(.configure(policy(method: .squash)))],
      when: landed("t0+a"), then: ["landed 1 t0+a on t0"])
    check(
      "more slots drop nothing", given: two, when: Told(.configure(policy(slots: 3))), then: ["configured make test"],
      wants: ["plan", "test 1 t0+a", "test 2 t0+a+b"])
    check("the same again says nothing", given: two, when: Told(.configure(policy())), then: [])
    check(
      "another branch", given: two, when: Told(.configure(policy(trunk: "next"))), refused: .malformed,
      saying: "harbor/main")
    for (bad, word) in [
      (policy(slots: 0), "slots"), (policy(command: " "), "command"), (policy(timeLimit: .zero), "time limit"),
      (policy(capacity: 0), "capacity"),
      (policy(requirements: MergeQueue.Policy.Requirements(approvals: -1)), "approvals"),
      (policy(longestWait: MergeQueue.Policy.LongestWait(span: .zero, ejects: true)), "longest wait"),
    ] {
      check("a number that cannot work", given: [], when: Told(.configure(bad)), refused: .malformed, saying: word)
    }
  }
}

@Suite struct TroubleRules {
  private let testing = EffectKey("test/1/1/\(c("t0+a"))/1")

  @Test func theWorldsFaultNeverEjects() {
    check(
      "it is told and tried again", given: two, when: Told(.exhausted(key: testing, why: "disk\nfull")),
      then: ["troubled 1: disk full"], wants: ["test 1 t0+a", "test 2 t0+a+b"])
    check(
      "once", given: two + [Told(.exhausted(key: testing, why: "disk full"))],
      when: Told(.exhausted(key: testing, why: "disk full")), then: [])
    check("not for what is no longer wanted", given: open, when: Told(.exhausted(key: testing, why: "x")), then: [])
    check(
      "the watch recovers when the trunk is seen",
      given: two + [Told(.exhausted(key: MergeQueue.Effect.watchKey, why: "gone"))], when: seen("t0"),
      then: ["recovered watch-trunk"])
    #expect(play(two + [Told(.exhausted(key: testing, why: "disk full"))]).tally.infrastructure == 1)
  }

  @Test func troubleEndsWithItsWant() {
    let troubled = two + [Told(.exhausted(key: testing, why: "disk full"))]
    #expect(play(troubled).troubles.map(\.key) == [testing])
    #expect(play(troubled + [passed(1)]).troubles == [])
  }
}

@Suite struct HistoryRules {
  @Test func keepsTheLastFifty() {
    var told = open
    for id in 1...60 { told += [submit("b\(id)"), Told(.withdraw(entry: id, reason: "no"))] }
    #expect(play(told).finished.map(\.facts.id) == Array(11...60))
  }

  @Test func longTextsAreCut() {
    let flood = String(repeating: "word ", count: 10_000)
    let state = play(open + [submit("a"), Told(.withdraw(entry: 1, reason: flood))])
    guard case .withdrawn(let reason)? = state.finished.first?.outcome else {
      Issue.record("not withdrawn")
      return
    }
    #expect(reason.count <= MergeQueue.reasonLimit && reason.hasSuffix("…"))
  }

  @Test func ejectionsSayWhatToDo() {
    let state = play(two + [failed(2), passed(1), landed("t0+a")])
    #expect(
      state.finished.last?.sentence
        == "The test of #2 (b) together with #1, which landed before it exited with 1: 1 test. "
        + "Read the log, mend the change and submit it again.")
  }
}

@Suite struct RetirementRules {
  private let harbor = ServiceName(rawValue: "harbor")!

  @Test func aBranchThatLeavesTheFileLeavesNothingWanted() {
    check(
      "who waits is told, in order of the line", given: two, when: Told(.retire),
      then: ["retired", "ejected 1 queueRetired against []", "ejected 2 queueRetired against []"])
    let retired = two + [passed(1), Told(.retire)]
    #expect(MergeQueue.effects(of: play(retired)).isEmpty)
    check("leaving again is nothing new", given: retired, when: Told(.retire), then: [])
    check("a queue that never was has nothing to leave", given: [], when: Told(.retire), then: [])
    for late in [
      landed("t0+a"), passed(2), seen("x"), made(1, "t0", "t0+a"), plan([1]), Told(.ticked),
      Told(.landingRefused(build: 1, commit: c("t0+a"), trunk: c("x"))),
    ] { check("what comes late is ignored", given: retired, when: late, then: []) }
    check("nobody can submit", given: retired, when: submit("z"), refused: .notNow, saying: "no longer names it")
    check(
      "nor withdraw", given: retired, when: Told(.withdraw(entry: 1, reason: "x")), refused: .notNow, saying: "closed")
    let headline = MergeQueue.explanation(of: play(retired)).headline
    #expect(headline == "The queue is closed: plimsoll.yaml no longer names main of harbor.")
    let sentences = play(retired).finished.map(\.sentence)
    #expect(sentences.first?.contains("It was being pushed at that moment") == true)
    #expect(sentences.last?.contains("being pushed") == false)
  }

  @Test func itComesBackByLookingAgain() {
    let back = two + [Told(.retire), Told(.configure(policy()))]
    check("the trunk is seen as for the first time", given: back, when: seen("y"), then: ["trunk - > y"])
    check("and the line begins anew, with the next number", given: back, when: submit("a"), then: ["submitted 3 a"])
  }

  @Test func aNewServiceIsToldOfTheTrunk() {
    check("at once", given: open, when: Told(.recall(services: [harbor])), then: [#"recalled t0 for ["harbor"]"#])
    check(
      "by the first sight, when that is still to come", given: [Told(.configure(policy()))],
      when: Told(.recall(services: [harbor])), then: [])
    check(
      "where it is, for who is no service", given: open, when: Told(.recall(services: [])),
      then: ["recalled t0 for []"])
    check("nor of a queue that left", given: open + [Told(.retire)], when: Told(.recall(services: [harbor])), then: [])
  }
}
