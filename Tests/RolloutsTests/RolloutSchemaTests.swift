import Foundation
import Kernel
import Testing

@testable import Rollouts

@Suite("Rollout: on a database") struct RolloutSchemaTests {
  typealias Facts = RolloutFacts

  private func delivered(_ letters: [String], keep: Int = 3) -> RolloutStory {
    var story = RolloutStory(Facts.policy(keep: keep, database: Facts.orders))
    for (index, letter) in letters.enumerated() { story.deliver(letter, Int64(index + 1)) }
    return story
  }
  private func bars(_ letters: String...) -> Rollout.Input {
    .schemaBars(letters.map { SchemaBar(digest: Facts.digest($0), why: "It reads orders.note, which is gone.") })
  }
  private func back(to letter: String? = nil) -> Rollout.Input {
    .rollBack(Rollout.RollBackRequest(to: letter.map(Facts.digest), reason: "orders are lost", actor: "ada"))
  }
  /// `c serving, d rollingOut, b target`, as said last.
  private func said(_ story: RolloutStory) -> String {
    (story.state.saidVersions ?? []).map { "\($0.digest.hex.prefix(1)) \($0.standing.rawValue)" }
      .joined(separator: ", ")
  }

  // MARK: What is held

  @Test("every version is said from its start until the router confirmed that it gets nothing") func held() {
    var story = delivered([])
    #expect(story.events.map(\.name) == ["configured", "versionsHeld"] && said(story) == "")
    story.offer("a", 1)
    #expect(said(story) == "a rollingOut", "what is granted and sealed will run")
    #expect(story.seal(1) == ["started"])
    #expect(said(story) == "a rollingOut")
    story.ready()
    story.finish()
    #expect(said(story) == "a serving")
    story.deliver("b", 2)
    story.place("c", 3)
    #expect(said(story) == "b serving, c rollingOut, a target")
    #expect(story.offer("d", 4) == ["offered", "versionsHeld"], "and so will what waits")
    story.route()
    story.judge(Facts.bad())
    #expect(story.phase == "restoring" && said(story) == "b serving, c rollingOut, d rollingOut, a target")
    story.route()
    #expect(story.collect() == ["reported", "versionsHeld"])
    #expect(said(story) == "b serving, d rollingOut, c rollingOut, a target", "the router may still send to it")
    #expect(story.route() == ["routed", "versionsHeld"])
    #expect(said(story) == "b serving, d rollingOut, a target")
    #expect(story.state.saidVersions?.map(\.ordinal) == [2, 4, 1])
    #expect(story.state.saidVersions?.map(\.commit) == [Facts.commit(2), Facts.commit(4), Facts.commit(1)])
    #expect(story.replayed == story.state)
  }

  @Test("what is not kept is said until it is out of traffic") func unkept() {
    var story = delivered(["a"], keep: 1)
    story.place("b", 2)
    #expect(said(story) == "a serving, b rollingOut")
    story.finish()
    #expect(said(story) == "b serving, a rollingOut")
    #expect(story.route() == ["routed", "versionsHeld"])
    #expect(said(story) == "b serving")
  }

  @Test("a rollback's target moves, and the version that it leaves is said until it is left") func rollback() {
    var story = delivered(["a", "b"])
    #expect(story.give(back()) == ["started", "versionsHeld"])
    #expect(said(story) == "b serving, a rollingOut")
    #expect(story.ready() == ["placed", "condemned", "stepEntered", "versionsHeld"])
    #expect(said(story) == "a serving, b rollingOut")
    #expect(story.route() == ["routed", "stepPassed", "completed", "restored", "reported"])
    #expect(said(story) == "a serving, b rollingOut")
    story.route()
    #expect(said(story) == "a serving")
  }

  @Test("a turn says it once, however much happens in it, and not when nothing changed") func once() {
    var story = delivered(["a", "b"])
    for event in [story.drill(), story.ready(), story.route(), story.wake(), story.route(), story.count()] {
      #expect(event.filter { $0 == "versionsHeld" }.count <= 1)
      #expect(event.last == "versionsHeld" || !event.contains("versionsHeld"))
    }
    #expect(story.phase == "idle" && said(story).hasPrefix("b serving"))
    story.route()
    #expect(said(story) == "b serving, a target")
    #expect(story.give(.configure(Facts.policy(database: Facts.orders))) == [])
    #expect(story.freeze() == ["frozen"])
  }

  @Test("a digest is said once, as the most that it is") func sameDigest() {
    var story = delivered(["a"])
    story.offer("a", 2)
    story.seal(2, configuration: Facts.digest("d"))
    #expect(said(story) == "a serving")
    story.ready()
    story.measure()
    story.finish()
    #expect(said(story) == "a serving" && story.state.saidVersions?.map(\.ordinal) == [2])
    story.offer("a", 3)
    #expect(story.seal(3, configuration: Facts.digest("d")) == ["confirmed", "versionsHeld"])
    #expect(story.state.saidVersions?.map(\.ordinal) == [3], "the newest commit of these bytes")
  }

  @Test("a place that closes holds nothing once the router forgot it, and what comes back is said") func closing() {
    var story = delivered(["a", "b"])
    story.place("c", 3)
    story.route()
    #expect(story.give(.unconfigure) == ["unconfigured", "versionsHeld"])
    #expect(said(story) == "c rollingOut, b rollingOut")
    #expect(story.give(.closed(at: story.now)) == ["closed", "versionsHeld"])
    #expect(said(story) == "")
    let again = Rollout.Input.configure(Facts.policy(database: Facts.orders))
    #expect(story.give(again) == ["configured", "versionsHeld"])
    #expect(said(story) == "b serving, a target")
  }

  @Test("another database is told from the beginning, and what the one before said is void") func moved() throws {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.deliver("b", 2)
    #expect(!story.events.contains { $0.name == "versionsHeld" })
    #expect(story.give(bars("a")) == [], "no database, no bars")
    let coded = String(decoding: try JSONEncoder().encode(story.state), as: UTF8.self)
    #expect(!coded.contains("saidVersions") && !coded.contains("notedBars") && !coded.contains("database"))
    #expect(story.give(.configure(Facts.policy(database: Facts.orders))) == ["configured", "versionsHeld"])
    #expect(said(story) == "b serving, a target")
    story.give(bars("a"))
    let tides = DatabaseName(rawValue: "tides")
    #expect(story.give(.configure(Facts.policy(database: tides))) == ["configured", "versionsHeld"])
    #expect(story.state.bars.isEmpty)
    story.give(bars("a"))
    #expect(story.give(.configure(Facts.policy())) == ["configured"])
    #expect(story.state.bars.isEmpty && story.state.saidVersions == nil)
    #expect(story.replayed == story.state)
  }

  // MARK: What may come back

  @Test("bars are noted when they change, each list in the place of the one before") func noted() throws {
    var story = delivered(["a", "b"])
    #expect(story.give(bars()) == [])
    #expect(story.give(bars("a")) == ["barsNoted"])
    #expect(story.give(bars("a")) == [])
    let coded = try JSONEncoder().encode(story.state)
    #expect(try JSONDecoder().decode(Rollout.State.self, from: coded) == story.state)
    #expect(story.give(bars()) == ["barsNoted"])
    #expect(story.state.bars.isEmpty && story.replayed == story.state)
    #expect(story.give(back()) == ["started", "versionsHeld"])
  }

  @Test("a rollback that names nothing goes to the nearest older version that fits, and says what it passed")
  func nearest() {
    var story = delivered(["a", "b", "c"])
    story.give(bars("b"))
    #expect(story.give(back()) == ["started", "versionsHeld"])
    let start = story.state.live?.start
    #expect(start?.deployment == Facts.deployment("a", 1))
    #expect(
      start?.reason
        == "ada rolled it back: orders are lost (past 0002cccccc, which orders would fail: It reads orders.note, which "
        + "is gone)")
    story.ready()
    story.route()
    #expect(story.shares == "a=100")
    #expect(story.state.knownGood.map(\.deployment.digest) == [Facts.digest("a"), Facts.digest("b")])
  }

  @Test("a drill goes where a rollback would") func drilling() {
    var story = delivered(["a", "b", "c"])
    story.give(bars("b"))
    story.drill()
    #expect(story.state.live?.canary == Facts.deployment("a", 1))
    #expect(story.state.live?.start.reason?.contains("past 0002cccccc") == true)
    #expect(story.give(back()).contains("drillAbandoned"))
    #expect(story.state.live?.start.kind == .rollback && story.state.live?.canary == Facts.deployment("a", 1))
  }

  @Test("a drill that is not there yet gives way to a bar, and one that is there comes back by itself")
  func drillingBarred() {
    var story = delivered(["a", "b"])
    story.drill()
    #expect(story.give(bars("a")) == ["barsNoted", "drillAbandoned", "versionsHeld"])
    #expect(story.phase == "idle" && story.shares == "b=100")
    guard case .drillAbandoned(_, let why, at: _)? = story.events.dropLast().last else { return }
    #expect(why == "orders would fail 0001cccccc by now: It reads orders.note, which is gone")
    story.give(bars())
    story.drill()
    story.ready()
    #expect(story.phase == "drilling there")
    #expect(story.give(bars("a")) == ["barsNoted"])
    story.route()
    story.wake()
    story.route()
    #expect(story.count().contains("drilled"))
  }

  @Test("a rollback on which nothing was sent yet goes to the nearest that still fits") func turned() {
    var story = delivered(["a", "b", "c"])
    story.give(back())
    #expect(story.state.live?.canary == Facts.deployment("b", 2) && story.phase == "placing")
    #expect(story.give(bars("b")) == ["barsNoted", "rollbackAbandoned", "started", "versionsHeld"])
    let start = story.state.live?.start
    #expect(start?.deployment == Facts.deployment("a", 1) && start?.kind == .rollback && start?.id == 5)
    #expect(start?.knownGood == Facts.deployment("c", 3), "what serves goes on until the other is ready")
    #expect(
      start?.reason
        == "ada rolled it back: orders are lost (not to 0002cccccc: orders would fail 0002cccccc by now: It reads "
        + "orders.note, which is gone)")
    #expect(story.shares == "c=100")
    story.ready()
    story.route()
    #expect(story.shares == "a=100" && story.state.condemned.map(\.digest) == [Facts.digest("c")])
    #expect(story.replayed == story.state)
  }

  @Test("never to a version that was passed over") func passedOver() {
    var story = delivered(["a", "b", "c", "d"])
    story.give(back(to: "b"))
    #expect(story.state.live?.canary == Facts.deployment("b", 2) && story.phase == "placing")
    #expect(story.give(bars("b")) == ["barsNoted", "rollbackAbandoned", "versionsHeld"])
    #expect(story.phase == "idle" && story.shares == "d=100" && story.state.condemned.isEmpty)
  }

  @Test("where nothing fits any more a rollback is given up, and what waits goes on") func given() {
    var story = delivered(["a", "b"])
    story.give(back())
    #expect(story.give(bars("a")) == ["barsNoted", "rollbackAbandoned", "versionsHeld"])
    let told = story.state.announcements.map(\.announcement)
    #expect(told.map(\.kind) == ["rollback-abandoned"] && told.first?.path.hasSuffix("/3") == true)
    #expect(told.first?.headline.hasSuffix("was given up before anything was sent there") == true)
    #expect(told.first?.reason.contains("orders would fail 0001cccccc by now: It reads orders.note") == true)
    #expect(story.phase == "idle" && story.shares == "b=100" && story.state.condemned.isEmpty)
    story.give(bars())
    story.give(back())
    story.offer("c", 3)
    #expect(story.give(bars("a")).prefix(2) == ["barsNoted", "rollbackAbandoned"])
    #expect(story.phase == "sealing", "and the fix that waited for it comes")
    #expect(story.replayed == story.state)
  }

  @Test("a rollback that requests are on their way to goes on") func goesOn() {
    var story = delivered(["a", "b", "c"])
    story.give(back())
    #expect(story.ready().contains("stepEntered"))
    #expect(story.give(bars("b")) == ["barsNoted"])
    story.route()
    #expect(story.shares == "b=100" && story.phase == "idle")
  }

  @Test("which kept versions are barred is said in a sentence each") func words() {
    var story = delivered(["a", "b", "c"])
    #expect(Rollout.barReason(story.state) == nil)
    story.give(bars("c"))
    #expect(Rollout.barReason(story.state) == nil, "what serves is not gone back to")
    story.give(bars("a", "b"))
    #expect(
      Rollout.barReason(story.state)
        == "No rollback goes to 0002cccccc, which orders would fail: It reads orders.note, which is gone. "
        + "No rollback goes to 0001cccccc, which orders would fail: It reads orders.note, which is gone.")
  }

  @Test("a barred version is refused with its reason and the nearest that fits") func refused() {
    func check(
      _ barred: [String], to letter: String?, _ sentence: String, _ kind: Refusal.Kind = .notNow,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      var story = delivered(["a", "b", "c"])
      story.give(.schemaBars(barred.map { SchemaBar(digest: Facts.digest($0), why: "It reads orders.note.") }))
      let before = story.state
      let refusal = story.refusal(of: back(to: letter))
      #expect(refusal?.kind == kind, sourceLocation: sourceLocation)
      #expect(refusal?.sentence == sentence, sourceLocation: sourceLocation)
      #expect(story.state == before, sourceLocation: sourceLocation)
    }
    let lost = "may not come back to harbor in production, because orders would fail it: It reads orders.note"
    let (a, b) = (Facts.digest("a"), Facts.digest("b"))
    check(["b"], to: "b", "\(b.short) \(lost); roll back to \(a.rawValue) instead, the nearest that fits.")
    check(["a"], to: "a", "\(a.short) \(lost); roll back to \(b.rawValue) instead, the nearest that fits.")
    check(["a", "b"], to: "a", "\(a.short) \(lost); nothing else that is kept fits, so land a fix that does.")
    check(["a", "b"], to: nil, "\(b.short) \(lost); nothing else that is kept fits, so land a fix that does.")
    check(
      ["b"], to: "9",
      "\(Facts.digest("9").rawValue) is no kept known-good version of harbor in production: name one of \(a.rawValue).",
      .unknown)
    check(
      ["a", "b"], to: "c",
      "\(Facts.digest("c").short) serves harbor in production now, so there is nothing to roll back: orders would fail "
        + "all that are kept.")
  }

  @Test("back must not mean forward: a newer kept version is named, not taken") func newer() {
    var story = delivered(["a", "b", "c"])
    story.give(back(to: "b"))
    story.ready()
    story.route()
    story.retireAll()
    story.place("d", 4)
    story.finish()
    story.route()
    story.give(back(to: "a"))
    story.ready()
    story.route()
    #expect(story.refusal(of: back())?.sentence.contains("no older known-good version") == true)
    story.give(bars("b"))
    #expect(story.refusal(of: back())?.sentence.contains("no older known-good version") == true)
  }

  @Test("what serves is restored to, barred or not") func serving() {
    var story = delivered(["a", "b"])
    story.give(bars("b", "a"))
    story.place("c", 3)
    story.route()
    #expect(story.judge(Facts.bad()).contains("condemned"))
    #expect(story.shares == "b=100 c=0")
  }

  @Test("who takes over from a rollback's target that crashes is one that the schema allows, if there is one")
  func takesOver() {
    var story = delivered(["a", "b", "c", "d"], keep: 4)
    story.give(bars("b"))
    story.give(back())
    #expect(story.state.live?.canary == Facts.deployment("c", 3))
    story.ready()
    story.crash()
    #expect(story.shares == "a=100 c=0 d=0")
    var only = delivered(["a", "b", "c"])
    only.give(bars("a"))
    only.give(back())
    only.ready()
    only.crash()
    #expect(only.shares == "a=100 b=0 c=0", "rather some requests fail than all")
  }
}
