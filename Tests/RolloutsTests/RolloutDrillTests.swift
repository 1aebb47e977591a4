import Kernel
import Testing

@testable import Rollouts

@Suite("Rollout: drills") struct RolloutDrillTests {
  typealias Facts = RolloutFacts
  private let a = Facts.deployment("a", 1).id
  private let b = Facts.deployment("b", 2).id

  private func delivered(_ letters: [String], policy: Rollout.Policy = Facts.policy()) -> RolloutStory {
    var story = RolloutStory(policy)
    for (index, letter) in letters.enumerated() { story.deliver(letter, Int64(index + 1)) }
    return story
  }

  @Test("before the first step: there, held, back and counted, each with its time")
  func forward() {
    var story = delivered(["a"], policy: Facts.policy(drill: true))
    story.place("b", 2)
    #expect(story.phase == "drilling there" && story.shares == "a=90 b=10")
    #expect(story.keys.contains("watch/2"), "these are users too")
    story.pass(.seconds(0.3))
    #expect(story.route() == ["routed", "drillMoved"])
    #expect(story.phase == "drilling held")
    #expect(story.give(.woke(EffectKey("wake/drill/2"))) == [], "too early")
    story.pass(.seconds(5))
    #expect(story.wake() == ["drillMoved"])
    #expect(story.phase == "drilling back" && story.shares == "a=100 b=0")
    story.pass(.seconds(0.2))
    #expect(story.route() == ["routed", "drillMoved"])
    #expect(story.keys.contains("served/2"))
    #expect(story.route() == [], "again after the router was lost")
    #expect(story.count() == ["drilled", "stepEntered"])
    guard case .drilled(2, let report, at: _)? = story.events.dropLast().last else { return }
    #expect(report.there == .seconds(0.3) && report.held == .seconds(5) && report.back == .seconds(0.2))
    #expect(report.percent == 10 && report.counts == RequestCounts(requests: 50, errors: 1))
    #expect(report.sentence.contains("50 requests, 1 with an error"))
    #expect(story.count() == [], "twice")
    story.finish()
    #expect(story.state.knownGood.first?.deployment.id == b)
    #expect(story.replayed == story.state)
  }

  @Test("a person orders it for a rollout whose instances start")
  func ordered() {
    var story = delivered(["a"])
    story.offer("b", 2)
    story.seal(2)
    #expect(story.drill() == ["drillOrdered"])
    #expect(story.drill() == [], "twice")
    story.ready()
    #expect(story.measure() == ["baselineMeasured", "drillMoved"])
  }

  @Test("of its own: to the version that a rollback would return to, and back; it rests again")
  func own() {
    var story = delivered(["a", "b"], policy: Facts.policy(steps: [0, 20, 100]))
    #expect(story.drill() == ["started"])
    #expect(story.state.live?.canary.id == a && story.state.live?.start.steps == [20])
    #expect(story.state.leaving?.id == b, "a rollback would still leave what serves")
    #expect(story.ready() == ["placed", "drillMoved"])
    #expect(story.shares == "a=20 b=80" && !story.keys.contains("watch/3"))
    story.route()
    story.wake()
    story.route()
    #expect(story.count() == ["drilled"])
    #expect(story.phase == "idle" && story.shares == "b=100" && story.state.nextRollout == 4)
    guard case .drilled? = story.state.history.first?.outcome else {
      Issue.record("it ended as \(String(describing: story.state.history.first?.outcome))")
      return
    }
    #expect(!story.keys.contains("retire/\(a)"))
    story.route()
    #expect(story.keys.contains("retire/\(a)"))
    #expect(story.state.knownGood.map(\.deployment.id) == [b, a], "still kept")
    #expect(story.replayed == story.state)
  }

  @Test("a plan without a share to spare drills with the usual one", arguments: [[100], [0, 100]] as [[Rollout.Step]])
  func share(steps: [Rollout.Step]) {
    var story = delivered(["a"], policy: Facts.policy(steps: steps, drill: true))
    story.place("b", 2)
    #expect(story.shares == "a=90 b=10")
    story.route()
    story.wake()
    story.route()
    story.count()
    // With a preview step the shares are those of the way back: confirmed already.
    #expect(story.phase == (steps.count == 1 ? "stepping 0" : "watching 0"))
  }

  @Test("what cannot be counted is no reason to wait")
  func uncounted() {
    var story = delivered(["a"], policy: Facts.policy(drill: true))
    story.place("b", 2)
    story.route()
    story.wake()
    story.route()
    #expect(
      story.give(.exhausted(EffectKey("served/2"), why: "no log")) == ["troubled", "drilled", "stepEntered"])
  }

  @Test("a version that cannot be returned to is found out before it is needed", arguments: ["late", "crash", "bytes"])
  func found(_ how: String) {
    var story = delivered(["a", "b"])
    story.drill()
    switch how {
    case "late": story.wake()
    case "bytes": story.ready(measured: Facts.digest("9"))
    default:
      story.ready()
      story.route()
      story.crash()
      #expect(story.shares == "a=0 b=100")
      story.route()
      story.collect()
    }
    #expect(story.phase == "idle" && story.shares == "b=100")
    #expect(story.state.condemned.map(\.digest) == [Facts.digest("a")])
    #expect(
      story.state.condemned.first?.sentence.hasPrefix("The drill found that 0001cccccc cannot be returned to") == true)
    #expect(story.state.knownGood.map(\.deployment.id) == [b])
    let told = story.state.announcements.first?.announcement
    #expect(told?.headline == "harbor in production cannot be rolled back to 0001cccccc: a drill found it")
    #expect(told?.kind == "drill-failed")
  }

  @Test("a rollback by hand is more urgent than a drill of its own", arguments: [false, true])
  func givesWay(isThere: Bool) {
    var story = delivered(["a", "b"])
    story.drill()
    if isThere {
      story.ready()
      story.route()
    }
    // Ready is said once, so a drill that has heard it places the rollback at once.
    let placed = ["placed", "condemned", "stepEntered"]
    #expect(story.rollBack() == ["drillAbandoned", "started"] + (isThere ? placed : []))
    #expect(story.state.live?.start.kind == .rollback && !story.state.retiring.contains { $0.id == a })
    if !isThere {
      #expect(story.shares == "b=100")
      story.ready()
    }
    #expect(story.shares == "a=100 b=0")
    story.route()
    #expect(story.state.knownGood.first?.deployment.id == a)
    #expect(story.replayed == story.state)
  }

  @Test("a freeze: what is there comes back, what is not gives way, and no drill begins")
  func freeze() {
    var story = delivered(["a", "b"])
    story.drill()
    #expect(story.freeze() == ["frozen", "drillAbandoned"])
    let order = Rollout.Input.drill(actor: "ada", reason: "before the sale")
    #expect(story.refusal(of: order)?.sentence.contains("thaw it before a drill") == true)
    var forward = delivered(["a"], policy: Facts.policy(drill: true))
    forward.place("b", 2)
    forward.freeze()
    forward.route()
    #expect(forward.wake() == ["drillMoved"], "the way back goes on")
    forward.route()
    #expect(forward.count() == ["drilled"] && forward.phase == "drilling done")
    #expect(forward.thaw() == ["thawed", "stepEntered"])
  }

  @Test("where a drill does not fit, the refusal says when it does")
  func refusals() {
    let order = Rollout.Input.drill(actor: "ada", reason: "before the sale")
    func refused(_ story: RolloutStory, _ words: String) {
      let refusal = story.refusal(of: order)
      #expect(refusal?.sentence.contains(words) == true, "\(String(describing: refusal))")
    }
    refused(RolloutStory(nil), "Nothing is configured")
    refused(RolloutStory(), "nothing to drill")
    refused(delivered(["a"]), "no older known-good version")
    var story = RolloutStory()
    story.offer("a", 1)
    refused(story, "order it when nothing runs")
    story.seal(1)
    refused(story, "no version to come back to")
    story.ready()
    refused(story, "a rollout is under way")
  }
}
