import Kernel
import Testing

@testable import Rollouts

@Suite("Rollout: freeze and floor") struct RolloutFreezeTests {
  typealias Facts = RolloutFacts

  private func serving(_ policy: Rollout.Policy = Facts.policy()) -> RolloutStory {
    var story = RolloutStory(policy)
    story.deliver("a", 1)
    return story
  }

  @Test("offers wait, the newest one only, and go when it thaws")
  func offers() {
    var story = serving()
    #expect(story.freeze() == ["frozen"])
    #expect(story.freeze() == [], "the same again")
    #expect(story.offer("b", 2) == ["offered"])
    #expect(story.phase == "idle")
    #expect(
      Rollout.waitReason(story.state)?.contains("waits, because this place is frozen (ada: the sale is on)") == true)
    #expect(story.offer("c", 3) == ["superseded", "offered"])
    #expect(story.thaw() == ["thawed"])
    #expect(story.phase == "sealing" && story.keys.contains("seal/3"))
    #expect(story.refusal(of: .thaw(actor: "ada", reason: "again"))?.sentence.contains("is not frozen") == true)
    #expect(story.replayed == story.state)
  }

  @Test("an override passes, also one for the version that waits, and is not held by what comes later")
  func override() {
    var story = serving()
    story.freeze()
    story.offer("b", 2)
    #expect(story.offer("b", 2) == [])
    #expect(story.offer("b", 2, override: true) == ["offered"])
    #expect(story.phase == "sealing")
    #expect(story.offer("c", 3) == ["offered"], "the override is not superseded by what is held")
    story.seal(2)
    story.ready()
    story.measure()
    story.finish()
    #expect(story.state.knownGood.first?.deployment.digest == Facts.digest("b"))
    #expect(story.phase == "idle" && story.state.pending == Facts.offer("c", 3))
    story.thaw()
    #expect(story.phase == "sealing")
  }

  @Test("what is sealed or waits behind an override goes to nobody unsaid")
  func overrideReplaced() {
    var story = serving()
    story.deliver("b", 2)
    story.freeze()
    story.offer("c", 3, override: true)
    story.offer("d", 4)
    #expect(story.rollBack() == ["superseded", "started"])
    story.freeze()
    #expect(story.state.pending == Facts.offer("d", 4))
  }

  @Test("a freeze during the sealing puts the offer back")
  func sealing() {
    var story = serving()
    story.offer("b", 2)
    story.freeze()
    #expect(story.phase == "idle" && story.seal(2) == [])
    story.thaw()
    #expect(story.seal(2) == ["started"])
  }

  @Test("a rollout that is placed begins no step, and its start limit does not run")
  func placing() {
    var story = serving()
    story.offer("b", 2)
    story.seal(2)
    story.freeze()
    #expect(story.state.timer == nil)
    story.pass(.minutes(30))
    story.thaw()
    #expect(story.wake() == ["startExtended"])
    story.freeze()
    story.ready()
    story.measure()
    #expect(story.phase == "placing" && story.shares == "a=100")
    #expect(Rollout.waitReason(story.state)?.contains("goes no further, because this place is frozen") == true)
    #expect(story.thaw() == ["thawed", "stepEntered"])
  }

  @Test("shares that are wanted are confirmed; no step passes, nobody is asked, nobody can approve")
  func steps() {
    var story = serving(Facts.policy(holdback: 5, scarcity: .ask(after: .minutes(1))))
    story.place("b", 2)
    for (step, phase) in ["watching 0", "watching 1", "finalWatch"].enumerated() {
      story.freeze()
      story.route()
      #expect(story.phase == phase)
      story.pass(.minutes(10))
      story.judge(Facts.good)
      #expect(story.phase == phase && story.state.timer == nil)
      #expect(story.refusal(of: .approve(Facts.approval(2, step)))?.sentence.contains("thaw it first") == true)
      #expect(Rollout.waitReason(story.state)?.contains("stays at") == true)
      story.thaw()
      story.judge(Facts.good)
    }
    #expect(story.phase == "finishing")
    story.freeze()
    #expect(story.route() == ["routed", "completed"], "what began ends")
  }

  @Test("without judging, a frozen step waits, and a gate stays shut for evidence")
  func unjudged() {
    var story = serving(Facts.policy(judged: false))
    story.place("b", 2)
    story.route()
    let timer = story.state.timer
    story.freeze()
    story.pass(.minutes(1))
    #expect(story.give(.woke(timer?.key ?? EffectKey(""))) == [])
    story.thaw()
    #expect(story.wake() == ["stepPassed", "stepEntered"])
    var gated = serving(Facts.policy(scarcity: .ask(after: .minutes(1))))
    gated.place("b", 2)
    gated.route()
    gated.wake()
    gated.freeze()
    gated.judge(Facts.good)
    #expect(gated.phase == "gated 0 evidence")
    gated.thaw()
    gated.judge(Facts.good)
    #expect(gated.phase == "stepping 1")
  }

  @Test("instances become ready, and the step that wants them waits")
  func scaling() {
    var story = serving(Facts.policy(steps: [Rollout.Step(10, instances: 1), 50, 100]))
    story.place("b", 2)
    story.route()
    story.approve(0)
    story.freeze()
    #expect(story.ready() == ["scaled"] && story.phase == "scaling 1")
    #expect(story.ready() == [], "once")
    #expect(story.thaw() == ["thawed", "stepEntered"])
  }

  @Test("what makes it safe goes on")
  func safety() {
    var story = serving()
    story.place("b", 2)
    story.route()
    story.freeze()
    story.judge(Facts.bad())
    #expect(story.route() == ["routed", "restored"])
    story.collect()
    var back = serving()
    back.deliver("b", 2)
    back.freeze()
    #expect(back.rollBack() == ["started"])
    #expect(back.ready() == ["placed", "condemned", "stepEntered"])
    #expect(back.route().contains("completed"))
  }

  @Test("a freeze with an end thaws by itself, the latest one counts, and none has begun in the past")
  func until() {
    var story = serving()
    story.freeze(until: story.now + .minutes(1))
    let first = story.state.frozen?.timer?.key ?? EffectKey("")
    #expect(story.keys.contains(first.text))
    #expect(story.freeze(until: story.now + .minutes(2)) == ["frozen"])
    story.pass(.minutes(1))
    #expect(story.give(.woke(first)) == [])
    story.offer("b", 2)
    #expect(story.wake() == ["thawed"])
    #expect(story.phase == "sealing" && story.state.frozen == nil)
    guard case .thawed(let actor, reason: _, at: _)? = story.events.last else { return }
    #expect(actor == "plimsoll")
    let past = Rollout.Freeze(reason: "sale", actor: "ada", until: story.now)
    #expect(story.refusal(of: .freeze(past))?.kind == .malformed)
    #expect(story.refusal(of: .freeze(Rollout.Freeze(reason: "", actor: "ada", until: nil)))?.kind == .malformed)
  }

  @Test("a place that left and came back is as frozen as before")
  func leaving() {
    var story = serving()
    story.freeze(until: story.now + .minutes(1))
    story.give(.unconfigure)
    story.give(.closed(at: story.now))
    story.retireAll()
    #expect(story.keys.isEmpty)
    #expect(story.refusal(of: .thaw(actor: "ada", reason: "over"))?.kind == .notNow)
    story.give(.configure(Facts.policy()))
    story.offer("b", 2)
    #expect(story.phase == "idle" && story.wake() == ["thawed"] && story.phase == "sealing")
  }

  // MARK: Floor

  private func floor(_ letter: String) -> Rollout.Input {
    .setFloor(Rollout.Floor(digest: Facts.digest(letter), reason: "the table is new", actor: "ada"))
  }

  @Test("no rollback goes below the floor, by hand or by itself")
  func floor() {
    var story = serving()
    story.deliver("b", 2)
    story.deliver("c", 3)
    #expect(story.give(floor("b")) == ["floorRaised"])
    #expect(story.give(floor("b")) == [], "the same again")
    #expect(story.state.knownGood.map(\.deployment.digest) == [Facts.digest("c"), Facts.digest("b")])
    let toA = Rollout.RollBackRequest(to: Facts.digest("a"), reason: "orders are lost", actor: "ada")
    #expect(story.refusal(of: .rollBack(toA))?.sentence.contains("nothing older than the floor") == true)
    #expect(story.refusal(of: floor("a"))?.kind == .unknown, "a floor is only raised")
    story.rollBack()
    story.ready()
    #expect(story.refusal(of: floor("b"))?.sentence.contains("may have to go back") == true)
    // The target crashes after the version that it replaced was condemned: a would be next, but is below the floor.
    story.crash()
    #expect(story.shares == "b=0 c=0")
    #expect(story.route().prefix(2) == ["routed", "restored"])
  }

  @Test("a floor above what serves is refused")
  func floorAbove() {
    var story = serving()
    story.deliver("b", 2)
    story.deliver("c", 3)
    story.give(.rollBack(Rollout.RollBackRequest(to: Facts.digest("a"), reason: "orders are lost", actor: "ada")))
    story.ready()
    story.route()
    #expect(story.refusal(of: floor("b"))?.sentence.contains("newer than") == true)
    #expect(story.refusal(of: floor("9"))?.kind == .unknown)
    #expect(RolloutStory().refusal(of: floor("a"))?.sentence.contains("none is kept") == true)
  }
}
