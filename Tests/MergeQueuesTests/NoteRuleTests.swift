import Kernel
import Testing

@testable import MergeQueues

/// Told `seconds` after the queue's beginning, whatever was told before.
private func after(_ seconds: Int, _ told: [Told], _ input: Told) -> MergeQueue.State {
  var state = play(told)
  tell(input, to: &state, at: seconds)
  return state
}

@discardableResult
private func tell(_ told: Told, to state: inout MergeQueue.State, at seconds: Int) -> [String] {
  let events = (try? MergeQueue.decide(told.input(state), in: state, turn(seconds))) ?? []
  for event in events { MergeQueue.evolve(&state, event) }
  #expect(MergeQueue.violations(in: state) == [])
  return events.map(brief)
}

private let tick = Told(.ticked)
private let talking = open(policy(notes: true))
private let running =
  talking + [
    submit("a"), submit("b"), plan([1], [1, 2]), made(1, "t0", "t0+a"), made(2, "t0+a", "t0+a+b"),
  ]

@Suite struct NoteRules {
  @Test func whoLeavesIsToldSo() throws {
    check(
      "a landing", given: running + [passed(1)], when: landed("t0+a"),
      then: ["landed 1 t0+a on t0"],
      wants: ["comment 1 left", "plan", "test 2 t0+a+b"])
    let ejected = play(talking + [submit("a"), plan([1]), made(1, "t0", "t0+a"), failed(1)])
    let note = try #require(ejected.notes.first)
    #expect(note.head == c("a") && note.branch == branch("a"))
    #expect(note.text.contains("The test of #1 (a) on main exited with 1: 1 test"))
    #expect(note.text.contains("plimsoll queue --log sha256:"))
    #expect(note.text.contains("In the queue for"))
    check(
      "a withdrawal", given: talking + [submit("a")], when: Told(.withdraw(entry: 1, reason: "no")),
      then: ["withdrawn 1"], wants: ["comment 1 left"])
    #expect(
      play(open + [submit("a"), Told(.withdraw(entry: 1, reason: "no"))]).notes.isEmpty,
      "notes are off")
  }

  @Test func aNoteIsWantedUntilItIsWritten() {
    let left = talking + [submit("a"), Told(.withdraw(entry: 1, reason: "no"))]
    check(
      "written", given: left, when: Told(.commented(note: 1)), then: ["written 1 left"], wants: [])
    check(
      "written twice", given: left + [Told(.commented(note: 1))], when: Told(.commented(note: 1)),
      then: [], wants: [])
    let key = EffectKey("comment/1/1")
    check(
      "given up", given: left, when: Told(.exhausted(key: key, why: "it is protected")),
      then: ["abandoned 1: it is protected"], wants: [])
    check(
      "a queue that leaves wants nothing", given: left, when: Told(.retire), then: ["retired"],
      wants: [])
    #expect(play(talking + [submit("a"), Told(.retire)]).notes.isEmpty)
  }

  @Test func oneHeadHasOneNote() {
    let again =
      talking + [
        submit("a"), Told(.withdraw(entry: 1, reason: "no")), submit("a"),
        Told(.withdraw(entry: 2, reason: "no, really")),
      ]
    #expect(work(of: play(again)) == ["comment 2 left"])
    let many = (1...70).flatMap { [submit("a\($0)"), Told(.withdraw(entry: $0, reason: "no"))] }
    let state = play(talking + many)
    #expect(
      state.notes.count == MergeQueue.noteLimit && state.notes.last?.entry == 70
        && state.notes.first?.entry == 7)
  }

  /// Pages ask; "not written yet" is said only of what is still wanted.
  @Test func whatBecameOfANoteIsKnown() throws {
    let away = RunnerHealth(running: 1, slots: 1, queued: 0, lastSeenAt: turn(10).now, problem: nil)
    var state = after(41, running, Told(.runnerObserved(away)))
    tell(tick, to: &state, at: 60)
    let note = try #require(state.notes.first)
    #expect(state.fate(of: note) == nil, "it waits")
    var written = state
    tell(Told(.commented(note: note.number)), to: &written, at: 61)
    #expect(written.fate(of: note) == .written(at: turn(61).now))
    var silent = state
    tell(Told(.configure(policy())), to: &silent, at: 61)
    #expect(silent.fate(of: note) == .abandoned(why: "notes were switched off", at: note.at))
    tell(Told(.withdraw(entry: note.entry, reason: "no")), to: &state, at: 61)
    #expect(state.fate(of: note) == .abandoned(why: "it was dropped before the forge had it", at: note.at))
    let last = try #require(state.notes.last)
    #expect(last.entry == note.entry && state.fate(of: last) == nil, "the note on its end took its place")
  }

  @Test func aStandstillIsSaidOnceAndTakenBack() throws {
    let away = RunnerHealth(running: 1, slots: 1, queued: 0, lastSeenAt: turn(10).now, problem: nil)
    var state = after(41, running, Told(.runnerObserved(away)))
    #expect(tell(tick, to: &state, at: 50) == [], "a moment is not worth a note")
    #expect(tell(tick, to: &state, at: 60) == ["noted 1 runnerGone", "noted 2 runnerGone"])
    #expect(
      work(of: state).filter { $0.hasPrefix("comment") } == [
        "comment 1 runnerGone", "comment 2 runnerGone",
      ])
    #expect(state.notes[0].text.contains("The runner of #1 has not been heard of for 50 s"))
    #expect(
      state.notes[0].text.hasPrefix("#1 waits in the merge queue, as of 1970-01-01 00:01 UTC."))
    #expect(tell(Told(.commented(note: 1)), to: &state, at: 61) == ["written 1 runnerGone"])
    #expect(state.entry(1)?.noteFate == .written(at: turn(61).now))
    #expect(tell(tick, to: &state, at: 70) == [], "the same again")
    let back = RunnerHealth(running: 1, slots: 1, queued: 0, lastSeenAt: turn(75).now, problem: nil)
    #expect(tell(Told(.runnerObserved(back)), to: &state, at: 75) == ["runner found"])
    #expect(tell(tick, to: &state, at: 80) == ["noted 1 moves", "noted 2 moves"])
    #expect(state.notes.map(\.entry) == [1, 2], "what was not written yet is not worth writing")
    #expect(state.notes[0].text.contains("It goes on. Its build on main"))
  }

  @Test func aLostRunnerIsWatchedUntilItIsFound() throws {
    func health(_ seen: Int) -> RunnerHealth {
      RunnerHealth(running: 1, slots: 1, queued: 0, lastSeenAt: turn(seen).now, problem: "no answer")
    }
    var state = after(41, running, Told(.runnerObserved(health(10))))
    for entry in 1...2 { tell(Told(.withdraw(entry: entry, reason: "no")), to: &state, at: 50) }
    #expect(state.entries.isEmpty && MergeQueue.effects(of: state).contains { $0.key == EffectKey("watch-runner") })
    #expect(tell(Told(.runnerObserved(health(10))), to: &state, at: 90) == [], "lost as before")
    #expect(tell(Told(.runnerObserved(health(60))), to: &state, at: 150) == ["runner lost, silent"])
    #expect(state.runnerLoss?.since == turn(60).now, "heard of in between, and silent again")
    #expect(tell(Told(.runnerObserved(health(155))), to: &state, at: 160) == ["runner lost, idle"])
    let back = RunnerHealth(running: 0, slots: 1, queued: 0, lastSeenAt: turn(170).now, problem: nil)
    #expect(tell(Told(.runnerObserved(back)), to: &state, at: 170) == ["runner found"])
    #expect(!MergeQueue.effects(of: state).contains { $0.key == EffectKey("watch-runner") })
  }

  @Test func aLongWaitSaysWhatWouldHelp() throws {
    let needy =
      open(
        policy(requirements: MergeQueue.Policy.Requirements(approvals: 1), notes: true)) + [
        submit("a")
      ]
    var state = play(needy)
    #expect(tell(tick, to: &state, at: 1790) == [])
    #expect(tell(tick, to: &state, at: 1810) == ["noted 1 moves long 0"])
    #expect(
      try #require(state.notes.first).text.contains(
        "It may not be built yet: 1 more person must approve of it."))
    #expect(
      try #require(state.notes.first).text.contains("Neither faster CI nor more slots would help"))
    #expect(tell(tick, to: &state, at: 3500) == [])
    #expect(tell(tick, to: &state, at: 3610) == ["noted 1 moves long 1"])
  }

  @Test func aLineThatStandsStillSaysSoFromItsHeadOn() {
    let waiting = open(policy(capacity: 30, notes: true)) + (1...20).map { submit("a\($0)") }
    var state = play(waiting)
    let first = tell(tick, to: &state, at: 600)
    #expect(first == (1...MergeQueue.noteBurst).map { "noted \($0) planMissing" })
    #expect(
      tell(tick, to: &state, at: 610).first == "noted \(MergeQueue.noteBurst + 1) planMissing")
  }

  @Test(
    arguments: [
      (0, "1970-01-01 00:00 UTC"), (951_782_399_000, "2000-02-28 23:59 UTC"),
      (951_782_400_000, "2000-02-29 00:00 UTC"),
      (1_709_251_199_000, "2024-02-29 23:59 UTC"), (1_767_225_599_000, "2025-12-31 23:59 UTC"),
      (4_107_542_400_000, "2100-03-01 00:00 UTC"),
    ] as [(Int64, String)])
  func datesAreThoseOfTheCalendar(at: Int64, words: String) {
    #expect(Instant(milliseconds: at).plainly == words)
  }
}

@Suite struct RunnerRules {
  private func health(seen: Int, _ problem: String? = nil) -> Told {
    Told(
      .runnerObserved(
        RunnerHealth(
          running: 0, slots: nil, queued: 0, lastSeenAt: turn(seen).now, problem: problem)))
  }
  private func stalls(_ state: MergeQueue.State, at seconds: Int) -> [String] {
    Watchdog.stalls(in: state.sight(at: turn(seconds).now), at: turn(seconds).now)
      .filter { $0.cause == .runnerGone }.map(\.sentence)
  }

  @Test func aSilentRunnerIsNamedWithinAMinute() throws {
    var state = play(two)
    #expect(tell(health(seen: 10), to: &state, at: 10) == [], "all is well")
    #expect(tell(health(seen: 12), to: &state, at: 40) == [], "a word may be missing")
    #expect(tell(health(seen: 12), to: &state, at: 50) == ["runner lost, silent"])
    #expect(tell(health(seen: 12), to: &state, at: 60) == [], "told once")
    #expect(stalls(state, at: 60).first == "The runner of #1 has not been heard of for 48 s.")
    #expect(tell(health(seen: 61), to: &state, at: 61) == ["runner found"])
    #expect(stalls(state, at: 61) == [])
  }

  @Test func aRunnerThatStartsNothingIsNamedAtOnce() {
    var state = play(open + [submit("a")])
    #expect(tell(health(seen: 20, "the disk is full"), to: &state, at: 20) == ["runner lost, idle"])
    #expect(tell(health(seen: 30, "the disk is full, 3 bytes are left"), to: &state, at: 30) == [])
    #expect(
      stalls(state, at: 35) == [
        "The runner has been able to start no run for 15 s: the disk is full."
      ])
    #expect(tell(health(seen: 30, "no route"), to: &state, at: 65) == ["runner lost, silent"])
    #expect(stalls(state, at: 65) == ["The runner has not been heard of for 35 s: no route."])
  }
}

@Suite struct OvertakingRules {
  /// `a` in lane api runs, `b` in lane web passed behind it.
  private let lanes =
    open(policy(strict: false, lanes: LaneRules(division: .directories(depth: 1)))) + [
      submit("a"), submit("b"), Told(.surveyed(entry: 1, paths: ChangedPaths(bounding: ["api/x"]))),
      Told(.surveyed(entry: 2, paths: ChangedPaths(bounding: ["web/x"]))), plan([1], [2]),
      made(1, "t0", "t0+a"),
      made(2, "t0", "t0+b"),
    ]
  private func traced(_ how: HeadMove, _ paths: [String], complete: Bool = true) -> Told {
    Told(
      .traced(
        from: c("t0"), to: c("x"), how: how, paths: ChangedPaths(paths: paths, isComplete: complete)
      ))
  }

  @Test func aPushIsLookedIntoFirst() {
    check(
      "it is looked up what changed", given: lanes, when: seen("x"), then: ["sighted x"],
      wants: ["trace t0 to x", "test 1 t0+a", "test 2 t0+b"])
    check("told again", given: lanes + [seen("x")], when: seen("x"), then: [])
    check("further on", given: lanes + [seen("x")], when: seen("y"), then: ["sighted y"])
    check(
      "taken back", given: lanes + [seen("x")], when: seen("t0"), then: ["sighted t0"],
      wants: ["test 1 t0+a", "test 2 t0+b"])
    check(
      "a look at what is past", given: lanes + [seen("x"), seen("y")], when: traced(.advanced, []),
      then: [])
    check(
      "a line of one lane is moved at once", given: two, when: seen("x"),
      then: ["trunk t0 > x", "dropped 1, trunk at x", "dropped 2, trunk at x"])
  }

  @Test func whatIsDisjointGoesOn() {
    let pushed = lanes + [seen("x"), traced(.advanced, ["api/y"])]
    check(
      "what it meets is built anew, what it does not goes on", given: lanes + [seen("x")],
      when: traced(.advanced, ["api/y"]),
      then: [
        "traced advanced [\"api\"]", "trunk t0 > x", "dropped 1, trunk at x",
        "carried 2 over [\(MergeQueue.pastTheQueue)] to x",
      ], wants: ["plan", "prepare 2 on x", "test 2 t0+b"])
    let state = play(pushed)
    #expect(
      state.entry(1)?.waits.parts(at: turn(30).now).contains { $0.cause == .externalReset } == true)
    #expect(
      state.entry(2)?.waits.parts(at: turn(30).now).contains { $0.cause == .externalReset } == false
    )
    check(
      "it lands on what was pushed, by its own run",
      given: pushed + [made(2, "x", "x+b"), passed(2)],
      when: landed("x+b"), then: ["landed 2 x+b on x"])
  }

  @Test func whatMayMeetAnythingIsBuiltAnew() {
    let all = ["trunk t0 > x", "dropped 1, trunk at x", "dropped 2, trunk at x"]
    for (how, paths, complete) in [
      (HeadMove.advanced, ["api/y", "web/y"], true), (.advanced, ["docs/y"], false),
      (.rewound, ["docs/y"], true),
      (.rewritten, ["docs/y"], true),
    ] {
      let events = try? MergeQueue.decide(
        traced(how, paths, complete: complete).input(play(lanes + [seen("x")])),
        in: play(lanes + [seen("x")]),
        turn(20)
      ).map(brief)
      #expect(events.map { Array($0.dropFirst()) } == all, "\(how) \(paths)")
    }
    let key = EffectKey("trace/\(c("t0"))/\(c("x"))")
    check(
      "nobody can say what changed", given: lanes + [seen("x")],
      when: Told(.exhausted(key: key, why: "no route")),
      then: all)
  }

  @Test func ourOwnLandingsAreStillTold() {
    let pushing = lanes + [passed(2)]
    check(
      "the push went through before theirs", given: pushing + [seen("x")], when: landed("t0+b"),
      then: ["landed 2 t0+b on t0", "carried 1 over [2] to t0+b"],
      wants: ["trace t0+b to x", "plan", "prepare 1 on t0+b", "test 1 t0+a"])
    check(
      "theirs was taken back, and ours is there", given: pushing + [seen("x")], when: seen("t0+b"),
      then: ["landed 2 t0+b on t0", "sighted t0+b", "carried 1 over [2] to t0+b"])
  }
}
