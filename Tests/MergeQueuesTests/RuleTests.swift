import Kernel
import MergeQueues
import Testing

/// `a` and `b` queued, both candidates made: `b` stands on `a`.
private let two = open + [submit("a"), submit("b"), made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b")]

@Suite struct SpeculationRules {
  @Test func candidatesFormAChain() {
    check(
      "the first entry is merged onto the trunk", given: open, when: submit("a"), then: ["submitted 1 a"],
      wants: ["prepare 1 on t0"])
    check(
      "before the trunk was seen nothing is built", given: [.configure(policy()), submit("a")],
      when: .trunkObserved(c("t0")), then: ["trunk - > t0"], wants: ["prepare 1 on t0"])
    check(
      "the second waits for the first's candidate", given: open + [submit("a")], when: submit("b"),
      then: ["submitted 2 b"], wants: ["prepare 1 on t0"])
    check(
      "and is merged onto it", given: open + [submit("a"), submit("b")], when: made(1, "t0", "t0+a"),
      then: ["prepared 1 t0+a on t0 assuming []"], wants: ["test 1 t0+a", "prepare 2 on t0+a"])
    check(
      "both are tested at once", given: Array(two.dropLast()), when: two.last!,
      then: ["prepared 2 t0+a+b on t0+a assuming [1]"], wants: ["test 1 t0+a", "test 2 t0+a+b"])
    check(
      "a third waits for a slot", given: two + [submit("c")], when: made(3, "t0+a+b", "t0+a+b+c"),
      then: ["prepared 3 t0+a+b+c on t0+a+b assuming [1, 2]"], wants: ["test 1 t0+a", "test 2 t0+a+b"])
    check(
      "a test that passed frees its slot, whichever it is",
      given: two + [submit("c"), made(3, "t0+a+b", "t0+a+b+c")], when: passed(2, "t0+a+b"),
      then: ["passed 2 t0+a+b"], wants: ["test 1 t0+a", "test 3 t0+a+b+c"])
    check(
      "candidates are made two beyond the slots, not for the whole line",
      given: [
        .configure(policy(slots: 1)), .trunkObserved(c("t0")), submit("a"), submit("b"), submit("c"), submit("d"),
        made(1, "t0", "1"), made(2, "1", "2"),
      ], when: made(3, "2", "3"), then: ["prepared 3 3 on 2 assuming [1, 2]"], wants: ["test 1 1"])
  }

  @Test func landsExactlyWhatWasTested() {
    check(
      "the head's tested commit is pushed", given: two, when: passed(1, "t0+a"), then: ["passed 1 t0+a"],
      wants: ["land 1 t0+a on t0", "test 2 t0+a+b"])
    check(
      "the second never lands before the first", given: two, when: passed(2, "t0+a+b"),
      then: ["passed 2 t0+a+b"], wants: ["test 1 t0+a"])
    check(
      "landing keeps those behind, whose base is the trunk now",
      given: two + [passed(2, "t0+a+b"), passed(1, "t0+a")], when: landed(1, "t0+a"),
      then: ["landed 1 t0+a on t0"], wants: ["land 2 t0+a+b on t0+a"])
    check(
      "the trunk seen at the pushed commit is a landing whose reply was lost", given: two + [passed(1, "t0+a")],
      when: .trunkObserved(c("t0+a")), then: ["landed 1 t0+a on t0"], wants: ["test 2 t0+a+b"])
    check(
      "so is a refusal that names it", given: two + [passed(1, "t0+a")],
      when: .landingRefused(entry: 1, commit: c("t0+a"), trunk: c("t0+a")), then: ["landed 1 t0+a on t0"])
    check(
      "the late reply is then nothing new", given: two + [passed(1, "t0+a"), .trunkObserved(c("t0+a"))],
      when: landed(1, "t0+a"), then: [])
    check("nothing lands that is not pushed", given: two, when: landed(1, "t0+a"), then: [])
  }
}

@Suite struct FailureRules {
  @Test func theHeadIsEjectedAndThoseBehindAreRebuilt() {
    check(
      "by a failed test", given: two, when: failed(1, "t0+a"),
      then: [
        "failed 1 t0+a: exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 2, without 1",
      ], wants: ["prepare 2 on t0"])
    check(
      "by running out of time", given: two, when: ended(1, "t0+a", .timedOut),
      then: [
        "failed 1 t0+a: ran out of time: 1 test", "ejected 1 timedOut against []", "dropped 2, without 1",
      ])
    check(
      "by a signal", given: Array(open + [submit("a"), made(1, "t0", "t0+a")]),
      when: ended(1, "t0+a", .signalled(number: 9)),
      then: ["failed 1 t0+a: was killed by signal 9: 1 test", "ejected 1 killed against []"])
    check(
      "by a conflict", given: open + [submit("a"), submit("b")], when: clash(1, "t0"),
      then: ["conflicted 1 on t0 assuming []", "ejected 1 conflict against []"], wants: ["prepare 2 on t0"])
    check(
      "by having nothing to land", given: open + [submit("a")], when: contained(1, "t0"),
      then: ["contained 1 in t0", "ejected 1 alreadyLanded against []"], wants: [])
    check(
      "a cancelled run says nothing", given: two, when: ended(1, "t0+a", .cancelled), then: [],
      wants: ["test 1 t0+a", "test 2 t0+a+b"])
  }

  @Test func aSpeculativeFailureWaitsForThoseAhead() {
    let waiting = two + [submit("c"), made(3, "t0+a+b", "t0+a+b+c"), failed(2, "t0+a+b")]
    check(
      "and those behind are rebuilt without it", given: Array(waiting.dropLast()), when: failed(2, "t0+a+b"),
      then: ["failed 2 t0+a+b: exited with 1: 1 test", "dropped 3, without 2"],
      wants: ["test 1 t0+a", "prepare 3 on t0+a"])
    check(
      "it stands when they landed", given: waiting + [passed(1, "t0+a")], when: landed(1, "t0+a"),
      then: ["landed 1 t0+a on t0", "ejected 2 testFailed against [1]"], wants: ["prepare 3 on t0+a"])
    check(
      "it is forgotten when they did not", given: waiting, when: failed(1, "t0+a"),
      then: [
        "failed 1 t0+a: exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 2, without 1",
      ], wants: ["prepare 2 on t0"])
    check(
      "likewise a conflict", given: open + [submit("a"), submit("b"), made(1, "t0", "t0+a"), clash(2, "t0+a")],
      when: failed(1, "t0+a"),
      then: [
        "failed 1 t0+a: exited with 1: 1 test", "ejected 1 testFailed against []", "dropped 2, without 1",
      ], wants: ["prepare 2 on t0"])
    check(
      "and a change contained in one ahead",
      given: open + [submit("a"), submit("b"), made(1, "t0", "t0+a"), contained(2, "t0+a"), passed(1, "t0+a")],
      when: landed(1, "t0+a"), then: ["landed 1 t0+a on t0", "ejected 2 alreadyLanded against [1]"], wants: [])
  }
}

@Suite struct TrunkRules {
  @Test func anExternalPushRebuildsAll() {
    check(
      "all candidates stood on the old trunk", given: two, when: .trunkObserved(c("x")),
      then: ["trunk t0 > x", "dropped 1, trunk at x", "dropped 2, trunk at x"], wants: ["prepare 1 on x"])
    check(
      "a refused push tells of it", given: two + [passed(1, "t0+a")],
      when: .landingRefused(entry: 1, commit: c("t0+a"), trunk: c("x")),
      then: ["trunk t0 > x", "dropped 1, trunk at x", "dropped 2, trunk at x"], wants: ["prepare 1 on x"])
    check("the trunk seen where it is says nothing", given: two, when: .trunkObserved(c("t0")), then: [])
    check(
      "a landing told after a push on top of it still counts",
      given: two + [passed(1, "t0+a"), .trunkObserved(c("x"))], when: landed(1, "t0+a"),
      then: ["landed 1 t0+a on t0", "trunk t0+a > x"], wants: ["prepare 2 on x"])
    check(
      "a late refusal of an older push says nothing",
      given: two + [passed(1, "t0+a"), .trunkObserved(c("x"))],
      when: .landingRefused(entry: 1, commit: c("t0+a"), trunk: c("y")), then: [])
  }

  @Test func whatIsOfAnotherTimeChangesNothing() {
    check("a candidate on an old base", given: open + [submit("a")], when: made(1, "x", "x+a"), then: [])
    check("a candidate a second time", given: two, when: made(1, "t0", "t0+a"), then: [])
    check("a test of another commit", given: two, when: passed(1, "t0+z"), then: [])
    check("a test a second time", given: two + [passed(1, "t0+a")], when: failed(1, "t0+a"), then: [])
    check("an entry that never was", given: two, when: passed(7, "t0+a"), then: [])
    check("before any configuration", given: [], when: .trunkObserved(c("t0")), then: [])
  }
}

@Suite struct RequestRules {
  @Test func submissions() {
    check("not configured", given: [], when: submit("a"), refused: .notNow, saying: "not configured")
    check("the trunk itself", given: open, when: submit("main"), refused: .malformed, saying: "trunk itself")
    check("the same again", given: two, when: submit("b"), refused: .notNow, saying: "#2, in place 2")
    check(
      "the same branch at another head takes a new place at the end", given: two, when: submit("a", at: "a2"),
      then: ["withdrawn 1", "submitted 3 a", "dropped 2, withdrawn 1"], wants: ["prepare 2 on t0"])
    check(
      "but not while it lands", given: two + [passed(1, "t0+a")], when: submit("a", at: "a2"), refused: .notNow,
      saying: "is landing")
    check(
      "a full queue", given: [.configure(policy(capacity: 1)), submit("a")], when: submit("b"), refused: .notNow,
      saying: "full with 1")
  }

  @Test func withdrawals() {
    check(
      "those behind are rebuilt", given: two, when: .withdraw(entry: 1, reason: "not yet"),
      then: ["withdrawn 1", "dropped 2, withdrawn 1"], wants: ["prepare 2 on t0"])
    check("unknown", given: two, when: .withdraw(entry: 9, reason: ""), refused: .unknown, saying: "#9 is not")
    check(
      "already landed", given: two + [passed(1, "t0+a"), landed(1, "t0+a")], when: .withdraw(entry: 1, reason: ""),
      refused: .unknown, saying: "#1 landed as")
    check(
      "while it lands", given: two + [passed(1, "t0+a")], when: .withdraw(entry: 1, reason: ""), refused: .notNow,
      saying: "is landing")
    let push = EffectKey("land/\(c("t0+a"))")
    check(
      "a push that keeps failing may be given up",
      given: two + [passed(1, "t0+a"), .exhausted(key: push, why: "no route")],
      when: .withdraw(entry: 1, reason: ""), then: ["withdrawn 1", "dropped 2, withdrawn 1"])
  }

  @Test func configurations() {
    check(
      "another command drops candidates and verdicts", given: two + [failed(2, "t0+a+b")],
      when: .configure(policy(command: "make check")),
      then: ["configured make check", "dropped 1, recipe", "dropped 2, recipe"], wants: ["prepare 1 on t0"])
    check(
      "but not what is landing", given: two + [passed(1, "t0+a")], when: .configure(policy(method: .squash)),
      then: ["configured make test", "dropped 2, recipe"], wants: ["land 1 t0+a on t0", "prepare 2 on t0+a"])
    check(
      "a result of the old command does not count for the new one",
      given: two + [.configure(policy(command: "make check")), made(1, "t0", "t0+a", recipe: 2)],
      when: passed(1, "t0+a", recipe: 1), then: [])
    check(
      "more slots drop nothing", given: two, when: .configure(policy(slots: 3)), then: ["configured make test"],
      wants: ["test 1 t0+a", "test 2 t0+a+b"])
    check("the same again says nothing", given: two, when: .configure(policy()), then: [])
    check(
      "another branch", given: two, when: .configure(policy(trunk: "next")), refused: .malformed,
      saying: "harbor/main")
    check("no slot", given: [], when: .configure(policy(slots: 0)), refused: .malformed, saying: "slots")
    check("no command", given: [], when: .configure(policy(command: " ")), refused: .malformed, saying: "command")
    check(
      "no time", given: [], when: .configure(policy(timeLimit: .zero)), refused: .malformed, saying: "time limit")
    check("no room", given: [], when: .configure(policy(capacity: 0)), refused: .malformed, saying: "capacity")
  }
}

@Suite struct TroubleRules {
  private let testing = EffectKey("test/1/\(c("t0+a"))/1")

  @Test func theWorldsFaultNeverEjects() {
    check(
      "it is told and tried again", given: two, when: .exhausted(key: testing, why: "disk\nfull"),
      then: ["troubled 1: disk full"], wants: ["test 1 t0+a", "test 2 t0+a+b"])
    check(
      "once", given: two + [.exhausted(key: testing, why: "disk full")],
      when: .exhausted(key: testing, why: "disk full"), then: [])
    check("not for what is no longer wanted", given: open, when: .exhausted(key: testing, why: "x"), then: [])
    check(
      "the watch recovers when the trunk is seen",
      given: two + [.exhausted(key: MergeQueue.Effect.watchKey, why: "gone")], when: .trunkObserved(c("t0")),
      then: ["recovered watch-trunk"])
  }

  @Test func troubleEndsWithItsWant() {
    let troubled = two + [.exhausted(key: testing, why: "disk full")]
    #expect(play(troubled).troubles.map(\.key) == [testing])
    #expect(play(troubled + [passed(1, "t0+a")]).troubles == [])
  }
}

@Suite struct HistoryRules {
  @Test func keepsTheLastFifty() {
    var inputs = open
    for id in 1...60 { inputs += [submit("b\(id)"), .withdraw(entry: id, reason: "no")] }
    let state = play(inputs)
    #expect(state.finished.map(\.facts.id) == Array(11...60))
  }

  @Test func longTextsAreCut() {
    let flood = String(repeating: "word ", count: 10_000)
    let state = play(open + [submit("a"), .withdraw(entry: 1, reason: flood)])
    guard case .withdrawn(let reason)? = state.finished.first?.outcome else {
      Issue.record("not withdrawn")
      return
    }
    #expect(reason.count <= MergeQueue.reasonLimit && reason.hasSuffix("…"))
  }

  @Test func ejectionsSayWhatToDo() {
    let state = play(two + [failed(2, "t0+a+b"), passed(1, "t0+a"), landed(1, "t0+a")])
    #expect(
      state.finished.last?.sentence
        == "The test of #2 (b) together with #1, which landed before it exited with 1: 1 test. "
        + "Read the log, mend the change and submit it again.")
  }
}

@Suite struct ExplanationRules {
  private func check(
    _ given: [MergeQueue.Input], _ entry: Int, _ activity: MergeQueue.Explanation.Activity, _ reason: String,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let state = play(given, location)
    let line = MergeQueue.explanation(of: state).entries.first { $0.entry == entry }
    #expect(line?.activity == activity, sourceLocation: location)
    #expect(MergeQueue.waitReason(of: entry, in: state) == reason, sourceLocation: location)
    #expect(line?.reason == reason && line?.place == state.place(of: entry), sourceLocation: location)
  }

  @Test func saysWhyEachEntryWaits() {
    let t0 = c("t0").short
    check([.configure(policy()), submit("a")], 1, .waiting, "The trunk has not been seen yet.")
    check(open + [submit("a")], 1, .merging, "It is being merged onto main at \(t0).")
    check(open + [submit("a"), submit("b")], 2, .waiting, "It waits for the candidate of #1 to stand on.")
    check(two, 2, .testing, "Its candidate on #1 is being tested.")
    check(
      two + [submit("c"), made(3, "t0+a+b", "t0+a+b+c")], 3, .awaitingSlot,
      "Its candidate on #1 and #2 waits for one of 2 test slots.")
    check(two + [passed(2, "t0+a+b")], 2, .passed, "Its test passed on top of #1; it lands when they have.")
    check(two + [passed(1, "t0+a")], 1, .landing, "Its test passed; it is being pushed to main.")
    check(
      two + [failed(2, "t0+a+b")], 2, .undecided,
      "Its test exited with 1: 1 test together with #1; if they land it is ejected, else it is rebuilt.")
    check(
      two + [.exhausted(key: EffectKey("test/1/\(c("t0+a"))/1"), why: "disk full")], 1, .testing,
      "The world keeps failing, and it is tried again: disk full.")
  }

  @Test func sumsUpTheQueue() {
    let t0 = c("t0").short
    #expect(MergeQueue.explanation(of: MergeQueue.initial).headline == "The queue is not configured.")
    #expect(MergeQueue.explanation(of: play(open)).headline == "The queue is empty; main is at \(t0).")
    #expect(
      MergeQueue.explanation(of: play(two + [passed(1, "t0+a")])).headline
        == "2 entries for main at \(t0): 1 landing, 1 testing.")
    #expect(MergeQueue.waitReason(of: 9, in: play(two)) == nil)
  }
}

@Suite struct RetirementRules {
  private let harbor = ServiceName(rawValue: "harbor")!

  @Test func aBranchThatLeavesTheFileLeavesNothingWanted() {
    check(
      "who waits is told, in order of the line", given: two, when: .retire,
      then: ["retired", "ejected 1 queueRetired against []", "ejected 2 queueRetired against []"])
    check(
      "before the trunk was seen too", given: [.configure(policy()), submit("a")], when: .retire,
      then: ["retired", "ejected 1 queueRetired against []"])
    let retired = two + [passed(1, "t0+a"), .retire]
    #expect(MergeQueue.effects(of: play(retired)).isEmpty)
    check("leaving again is nothing new", given: retired, when: .retire, then: [])
    check("a queue that never was has nothing to leave", given: [], when: .retire, then: [])
    for late: MergeQueue.Input in [
      landed(1, "t0+a"), passed(2, "t0+a+b"), .trunkObserved(c("x")), made(1, "t0", "t0+a"),
      .landingRefused(entry: 1, commit: c("t0+a"), trunk: c("x")),
    ] { check("what comes late is ignored", given: retired, when: late, then: []) }
    check("nobody can submit", given: retired, when: submit("z"), refused: .notNow, saying: "no longer names it")
    check("nor withdraw", given: retired, when: .withdraw(entry: 1, reason: "x"), refused: .notNow, saying: "closed")
    let headline = MergeQueue.explanation(of: play(retired)).headline
    #expect(headline == "The queue is closed: plimsoll.yaml no longer names main of harbor.")
    let sentences = play(retired).finished.map(\.sentence)
    #expect(sentences.first?.contains("It was being pushed at that moment") == true)
    #expect(sentences.last?.contains("being pushed") == false)
  }

  @Test func itComesBackByLookingAgain() {
    let back = two + [.retire, .configure(policy())]
    check("the trunk is seen as for the first time", given: back, when: .trunkObserved(c("y")), then: ["trunk - > y"])
    check("and the line begins anew, with the next number", given: back, when: submit("a"), then: ["submitted 3 a"])
  }

  @Test func aNewServiceIsToldOfTheTrunk() {
    check("at once", given: open, when: .recall(services: [harbor]), then: [#"recalled t0 for ["harbor"]"#])
    check(
      "by the first sight, when that is still to come", given: [.configure(policy())],
      when: .recall(services: [harbor]), then: [])
    check("nobody asks for nobody", given: open, when: .recall(services: []), then: [])
    check("nor of a queue that left", given: open + [.retire], when: .recall(services: [harbor]), then: [])
  }
}
