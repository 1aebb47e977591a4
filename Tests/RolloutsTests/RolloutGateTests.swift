import Kernel
import Testing

@testable import Rollouts

@Suite("Rollout: gates") struct RolloutGateTests {
  typealias Facts = RolloutFacts
  private let asking = Facts.policy(scarcity: .ask(after: .minutes(2)))

  private func watching(_ policy: Rollout.Policy) -> RolloutStory {
    var story = RolloutStory(policy)
    story.deliver("a", 1)
    story.place("b", 2)
    story.route()
    return story
  }

  @Test("a step that asks: good is not enough, a person is", arguments: [true, false])
  func approval(judged: Bool) {
    var story = watching(Facts.policy(steps: [Rollout.Step(10, approval: true), 100], judged: judged))
    story.pass(.seconds(10))
    #expect((judged ? story.judge(Facts.good) : story.wake()).last == "gated")
    #expect(story.phase == "gated 0 approval" && story.shares == "a=90 b=10")
    let words = Rollout.waitReason(story.state) ?? ""
    #expect(words.contains("A person must approve step 1 of rollout 2, 10 %"))
    #expect(words.contains("plimsoll rollout approve harbor production"))
    #expect(story.keys.contains("watch/2") == judged)
    if judged { #expect(!story.judge(Facts.good).contains("stepPassed"), "also when it stays good") }
    #expect(story.approve(0) == ["approved", "stepPassed", "stepEntered"])
    guard case .approved(2, index: 0, let approval, let verdict, at: _)? = story.events.suffix(3).first else { return }
    #expect(approval.actor == "ada" && verdict == (judged ? Facts.good : nil))
    #expect(story.replayed == story.state)
  }

  @Test("people are told of a gate, each gate once, with what they can do; not of one that is open")
  func announced() {
    var story = watching(
      Facts.policy(steps: [Rollout.Step(10, approval: true), 50, 100], scarcity: .ask(after: .minutes(2))))
    func told() -> [String] { story.state.announcements.map(\.id) }
    let before = told()
    story.pass(.seconds(10))
    story.judge(Facts.good)
    #expect(told() == before + ["harbor/production/2/gate-1-approval"])
    #expect(story.keys.contains("announce/harbor/production/2/gate-1-approval/0"))
    let first = story.state.announcements.last?.announcement
    #expect(first?.kind == "gate" && first?.path == "/rollouts/harbor/production/2")
    #expect(first?.headline == "harbor in production waits for a person: may 0002cccccc go on from 10 %?")
    #expect(first?.facts.map(\.value).contains("plimsoll rollout approve harbor production --reason TEXT") == true)
    story.pass(.seconds(20))
    story.judge(Facts.scarce)
    #expect(told() == before + ["harbor/production/2/gate-1-approval"], "not again while it stands")
    #expect(story.give(.announced(id: "harbor/production/2/gate-1-approval", target: 0)) == ["announced"])
    story.approve(0)
    story.route()
    story.wake()
    #expect(told() == before + ["harbor/production/2/gate-2-evidence"])
    let why = story.state.announcements.last?.announcement.reason
    #expect(why?.hasPrefix("The time to wait for evidence is over at step 2 of rollout 2, 50 %: ") == true)
    story.stumble()
    #expect(told() == before, "the gate is closed: nobody is asked now")
    story.wake()
    #expect(told() == before + ["harbor/production/2/gate-2-evidence"])
    story.judge(Facts.good)
    #expect(told() == before, "it opened by itself")
    #expect(story.replayed == story.state)
  }

  @Test("the last step may ask too, before the holdback moves", arguments: [0, 5])
  func last(holdback: Int) {
    var story = watching(Facts.policy(steps: [50, Rollout.Step(100, approval: true)], holdback: holdback))
    story.approve(0)
    story.route()
    story.pass(.seconds(30))
    story.judge(Facts.good)
    #expect(story.phase == "gated 1 approval" && story.shares == "a=\(holdback) b=\(100 - holdback)")
    #expect(story.approve(1) == ["approved", "stepPassed", holdback == 0 ? "completed" : "finishing"])
  }

  @Test("no evidence in time: a person is asked, also when no verdict came at all")
  func evidence() {
    for verdict in [nil, Facts.scarce, Facts.broken, Facts.good(seeing: nil)] {
      var story = watching(
        Facts.policy(steps: [Rollout.Step(10, detect: 5), 100], scarcity: .ask(after: .minutes(2))))
      story.pass(.seconds(119))
      if let verdict { story.judge(verdict) }
      #expect(story.give(.woke(EffectKey("wake/ask/2/0"))) == [], "too early")
      #expect(story.wake() == ["gated"])
      #expect(story.phase == "gated 0 evidence")
      #expect(Rollout.waitReason(story.state)?.contains("'plimsoll rollout approve harbor production'") == true)
      #expect(story.state.timer == nil)
    }
  }

  @Test("evidence that comes after all opens the gate by itself, and asks again where the step does")
  func lateEvidence() {
    for approval in [false, true] {
      var story = watching(
        Facts.policy(
          steps: [Rollout.Step(10, detect: 5, approval: approval), 100], scarcity: .ask(after: .minutes(2))))
      story.wake()
      #expect(story.judge(Facts.good(seeing: 6)) == ["evidenceNoted"], "not what the step asks for")
      #expect(story.judge(Facts.scarce) == ["evidenceNoted"])
      story.judge(Facts.good(seeing: 4))
      #expect(story.phase == (approval ? "gated 0 approval" : "stepping 1"))
    }
  }

  @Test("the final watch asks as well")
  func finalWatch() {
    var story = watching(asking)
    story.approve(0)
    story.route()
    story.approve(1)
    story.route()
    #expect(story.phase == "finalWatch")
    #expect(story.wake() == ["gated"])
    #expect(story.approve(2).suffix(2) == ["stepPassed", "completed"])
  }

  @Test("an instance that ends closes the gate, and the step begins anew", arguments: [0, 1])
  func ended(step: Int) {
    var story = watching(Facts.policy(steps: [50, 100], scarcity: .ask(after: .minutes(2))))
    for index in 0..<step {
      story.approve(index)
      story.route()
    }
    story.wake()
    let asked = story.now
    story.pass(.minutes(1))
    story.stumble()
    #expect(story.phase == (step == 0 ? "watching 0" : "finalWatch"))
    #expect(story.state.timer?.at == asked + .minutes(3))
  }

  @Test("a person goes on without waiting, and what the evidence said then is kept")
  func early() {
    var story = watching(asking)
    story.judge(Facts.scarce)
    story.approve(0)
    #expect(story.phase == "stepping 1")
    #expect(
      story.events.contains { event in
        if case .approved(2, index: 0, _, verdict: Facts.scarce, at: _) = event { true } else { false }
      })
  }

  @Test("an approval of what does not wait is refused with what does")
  func refusals() {
    var story = watching(asking)
    func refused(_ rollout: RolloutID, _ step: Int, _ words: String, reason: String = "seen by hand") {
      let refusal = story.refusal(of: .approve(Facts.approval(rollout, step, reason: reason)))
      #expect(refusal?.sentence.contains(words) == true, "\(String(describing: refusal))")
    }
    refused(1, 0, "rollout 2 is at step 1, 10 %")
    refused(2, 1, "rollout 2 is at step 1, 10 %")
    refused(2, 0, "needs a reason", reason: "")
    story.approve(0)
    refused(2, 0, "rollout 2 is at step 2, 50 %")
    refused(2, 1, "not confirmed")
    story.judge(Facts.bad())
    refused(2, 1, "rollout 2 is not at a step")
    story.route()
    story.collect()
    refused(2, 1, "no rollout runs")
    #expect(RolloutStory(nil).refusal(of: .approve(Facts.approval(1, 0)))?.kind == .notNow)
  }
}
