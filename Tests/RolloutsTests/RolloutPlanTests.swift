import Kernel
import Testing

@testable import Rollouts

/// Each strategy is a plan of steps: its whole way, from the offer to known-good.
@Suite("Rollout: strategies") struct RolloutPlanTests {
  typealias Facts = RolloutFacts
  private let a = Facts.deployment("a", 1).id
  private let b = Facts.deployment("b", 2).id

  private func serving(_ policy: Rollout.Policy) -> RolloutStory {
    var story = RolloutStory(policy)
    story.deliver("a", 1)
    return story
  }

  @Test("all at once: one step, judged against the minutes before")
  func allAtOnce() {
    var story = serving(Facts.policy(strategy: .allAtOnce, steps: Rollout.Strategy.allAtOnce.defaultSteps, holdback: 5))
    story.place("b", 2)
    #expect(story.shares == "a=0 b=100", "no holdback without a canary")
    story.route()
    #expect(story.phase == "finalWatch")
    #expect(story.state.live?.comparison == .before)
    story.pass(.seconds(30))
    #expect(story.judge(Facts.good) == ["evidenceNoted", "stepPassed", "completed"])
  }

  @Test("blue/green: all beside without traffic, then all of it")
  func blueGreen() {
    var story = serving(Facts.policy(strategy: .blueGreen, steps: Rollout.Strategy.blueGreen.defaultSteps, holdback: 5))
    story.place("b", 2)
    #expect(story.shares == "a=100 b=0")
    #expect(!story.keys.contains("watch/2"), "nothing reaches it, so nothing is judged")
    story.route()
    #expect(story.phase == "watching 0")
    #expect(Rollout.waitReason(story.state)?.contains("no request can reach it, so nothing is judged") == true)
    story.pass(.minutes(5))
    #expect(story.judge(Facts.good) == [], "not before its first request")
    #expect(story.wake() == ["stepPassed", "stepEntered"])
    #expect(story.shares == "a=0 b=100")
    #expect(story.keys.contains("watch/2"))
    story.finish()
    #expect(story.state.knownGood.first?.deployment.id == b)
  }

  @Test("a canary with a holdback: the old version is compared with to the end, and its share moves last")
  func holdback() {
    var story = serving(Facts.policy(holdback: 5))
    story.place("b", 2)
    for shares in ["a=90 b=10", "a=50 b=50"] {
      #expect(story.shares == shares)
      story.route()
      story.pass(.seconds(10))
      story.judge(Facts.good)
    }
    #expect(story.shares == "a=5 b=95")
    story.route()
    #expect(story.phase == "finalWatch" && story.state.live?.comparison(at: 2) == .beside)
    #expect(Rollout.waitReason(story.state)?.contains("has 95 % of the traffic") == true)
    story.pass(.seconds(30))
    #expect(story.judge(Facts.good) == ["evidenceNoted", "stepPassed", "finishing"])
    #expect(story.shares == "a=0 b=100" && story.phase == "finishing")
    #expect(story.keys.contains("watch/2"), "the watch goes on until it is over")
    #expect(story.route() == ["routed", "completed"])
    #expect(!story.keys.contains("retire/\(a)"), "the router still names it")
    story.route()
    #expect(story.keys == ["route/\(b)=100", "run/\(b)", "retire/\(a)"])
    #expect(story.replayed == story.state)
  }

  @Test("no holdback where nothing is compared", arguments: [true, false])
  func noHoldback(isFirst: Bool) {
    var story = isFirst ? RolloutStory(Facts.policy(holdback: 5)) : serving(Facts.policy(holdback: 5, judged: false))
    story.place("b", 2)
    story.finish()
    #expect(story.state.knownGood.first?.deployment.id == b)
    #expect(!story.events.contains { $0.name == "finishing" })
  }

  @Test("a step above what the holdback leaves is one without a move")
  func holdbackAbove() {
    var story = serving(Facts.policy(steps: [98, 100], holdback: 5))
    story.place("b", 2)
    #expect(story.shares == "a=5 b=95")
    story.route()
    story.pass(.seconds(10))
    #expect(story.judge(Facts.good) == ["evidenceNoted", "stepPassed", "stepEntered", "routed"])
    #expect(story.phase == "finalWatch")
  }

  @Test("one instance first: more are started before more comes")
  func oneInstance() {
    var story = serving(Facts.policy(steps: [Rollout.Step(10, instances: 1), 10, 100]))
    story.offer("b", 2)
    story.seal(2)
    #expect(story.keys.contains("run/\(b)#1"))
    let canary = Facts.deployment("b", 2)
    #expect(story.give(.ready(b, digest: canary.digest, endpoints: 2)) == [], "of another limit")
    story.ready()
    story.measure()
    story.route()
    story.pass(.seconds(10))
    #expect(story.judge(Facts.good) == ["evidenceNoted", "stepPassed", "scalingBegan"])
    #expect(story.phase == "scaling 1" && story.shares == "a=90 b=10")
    #expect(story.keys.contains("run/\(b)") && story.keys.contains("watch/2"))
    #expect(story.give(.ready(b, digest: canary.digest, endpoints: 1, limit: 1)) == [], "late")
    #expect(Rollout.waitReason(story.state)?.contains("asks for all instances") == true)
    #expect(story.ready() == ["scaled", "stepEntered", "routed"], "the shares are confirmed already")
    #expect(story.phase == "watching 1" && story.state.live?.endpoints == 2)
    story.finish()
    #expect(story.state.knownGood.first?.deployment.id == b)
    #expect(story.replayed == story.state)
  }

  @Test("a preview: some people reach it before anybody is sent there, and they are no evidence")
  func preview() throws {
    let match = PreviewMatch.header(name: "X-Next", value: "1")
    var story = serving(
      Facts.policy(steps: [Rollout.Step(0, minimum: .seconds(20)), 50, 100], preview: match))
    #expect(story.state.wantedPreview == nil)
    story.place("b", 2)
    #expect(story.shares == "a=100 b=0")
    #expect(story.state.wantedPreview == PreviewRoute(match, to: b))
    let bare = Rollout.Routing(story.state.wantedShares, number: story.state.routings)
    #expect(story.give(.routed(bare, at: story.now)) == [], "the preview is not confirmed")
    story.route()
    #expect(Rollout.waitReason(story.state)?.contains("only preview requests can reach it") == true)
    #expect(!story.keys.contains("watch/2"))
    story.pass(.seconds(19))
    #expect(story.give(.woke(EffectKey("wake/step/2/0"))) == [], "its own minimum")
    story.wake()
    #expect(story.shares == "a=50 b=50" && story.state.wantedPreview != nil)
    story.route()
    story.judge(Facts.bad())
    #expect(story.state.wantedPreview == nil && story.shares == "a=100 b=0")
    let late = Rollout.Routing(story.state.wantedShares, PreviewRoute(match, to: b), number: story.state.routings)
    #expect(story.give(.routed(late, at: story.now)) == [])
    #expect(story.route() == ["routed", "restored"])
  }

  @Test("a preview that crashes leaves before the router has confirmed that nobody reaches it")
  func previewCrashes() {
    var story = serving(Facts.policy(steps: [0, 100], preview: .cookie(name: "next", value: "1")))
    story.place("b", 2)
    story.route()
    story.crash()
    #expect(story.phase == "restoring" && story.state.routed == nil)
    #expect(story.route() == ["routed", "restored", "reported"], "no share, so nothing to collect")
  }

  @Test("a step's own detect: good that would not have seen enough is not good enough")
  func detect() {
    var story = serving(Facts.policy(steps: [Rollout.Step(10, detect: 5), 100]))
    story.place("b", 2)
    story.route()
    story.pass(.seconds(10))
    for seen in [nil, 5.5] {
      // The latest word is noted now and then.
      story.pass(Rollout.noteInterval)
      story.judge(Facts.good(seeing: seen))
      #expect(story.phase == "watching 0")
    }
    #expect(Rollout.waitReason(story.state)?.contains("5.5x would have been seen, and this step asks for 5x") == true)
    #expect(story.judge(Facts.good(seeing: 5)).suffix(2) == ["stepPassed", "stepEntered"])
  }

  @Test("what each plan is compared with, in words")
  func comparison() {
    func of(_ policy: Rollout.Policy, isFirst: Bool = false) -> String? {
      var story = isFirst ? RolloutStory(policy) : serving(policy)
      story.place("b", 2)
      return story.state.live?.comparison.words
    }
    #expect(of(Facts.policy()) == "beside the old version")
    for steps in [[100], [0, 100]] as [[Rollout.Step]] {
      #expect(of(Facts.policy(steps: steps)) == "against the last ten minutes only: the weaker comparison")
    }
    #expect(of(Facts.policy(), isFirst: true)?.contains("nothing served here before") == true)
  }

  @Test("steps say themselves")
  func words() {
    #expect(Rollout.Step(10).description == "10 %")
    let whole = Rollout.Step(5, instances: 1, minimum: .minutes(2), detect: 2.5, approval: true)
    #expect(whole.description == "5 % on 1 instance, at least 2 min, seeing 2.5x, approved by a person")
  }
}
