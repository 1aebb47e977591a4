import Kernel
import Testing

@testable import Rollouts

/// Every phase of a plan, and what may happen in any of them.
@Suite("Rollout: whatever happens in whichever phase") struct RolloutPhaseTests {
  typealias Facts = RolloutFacts

  enum Place: String, CaseIterable, Sendable {
    case drillThere, drillHeld, drillBack, drillCounting, drillDone, preview, scaling, approval, evidence, lastGate
    case finishing

    /// A rollout of b over a that stands there.
    var story: RolloutStory {
      let steps: [Rollout.Step]
      switch self {
      case .drillThere, .drillHeld, .drillBack, .drillCounting, .drillDone: steps = [10, 100]
      case .preview: steps = [0, 100]
      case .scaling: steps = [Rollout.Step(10, instances: 1), 100]
      case .approval: steps = [Rollout.Step(10, approval: true), 100]
      case .evidence, .finishing: steps = [10, 100]
      case .lastGate: steps = [Rollout.Step(100, approval: true)]
      }
      let isDrill = rawValue.hasPrefix("drill")
      var story = RolloutStory(
        Facts.policy(
          steps: steps, holdback: 5, preview: .header(name: "X-Next", value: "1"), scarcity: .ask(after: .minutes(1))))
      story.deliver("a", 1)
      story.offer("b", 2)
      story.seal(2)
      if isDrill { story.drill() }
      story.ready()
      story.measure()
      if self == .drillThere { return story }
      if self == .drillDone { story.freeze() }
      story.route()
      switch self {
      case .drillThere, .drillHeld, .preview: break
      case .drillBack: story.wake()
      case .drillCounting, .drillDone:
        story.wake()
        story.route()
        if self == .drillDone { story.count() }
      case .scaling: story.approve(0)
      case .approval, .lastGate:
        story.pass(.seconds(30))
        story.judge(Facts.good)
      case .evidence: story.wake()
      case .finishing:
        story.approve(0)
        story.route()
        story.approve(1)
      }
      return story
    }

    var phase: String {
      switch self {
      case .drillThere: "drilling there"
      case .drillHeld: "drilling held"
      case .drillBack: "drilling back"
      case .drillCounting: "drilling counting"
      case .drillDone: "drilling done"
      case .preview: "watching 0"
      case .scaling: "scaling 1"
      case .approval: "gated 0 approval"
      case .evidence: "gated 0 evidence"
      case .lastGate: "gated 0 approval"
      case .finishing: "finishing"
      }
    }
  }

  /// The old version serves again, and the new one is reached by nobody.
  private func restores(_ story: RolloutStory, sourceLocation: SourceLocation = #_sourceLocation) {
    var story = story
    #expect(["restoring", "reporting"].contains(story.phase), sourceLocation: sourceLocation)
    #expect(
      story.state.wantedShares.allSatisfy { $0.percent == ($0.deployment == Facts.deployment("a", 1).id ? 100 : 0) })
    #expect(story.state.wantedPreview == nil && story.state.limit(of: Facts.deployment("b", 2).id) == nil)
    #expect(story.effects.filter { $0.lane != .protect }.allSatisfy { $0.key.text.hasPrefix("wake/freeze") })
    if story.phase == "restoring" { #expect(story.state.routed == nil, "what was confirmed before is another matter") }
    story.route()
    if story.phase == "reporting" { story.collect() }
    #expect(story.phase == "idle" && story.shares == "a=100", sourceLocation: sourceLocation)
    #expect(story.replayed == story.state, sourceLocation: sourceLocation)
  }

  @Test("it stands there, says why, and is what it was after a restart", arguments: Place.allCases)
  func stands(place: Place) {
    let story = place.story
    #expect(story.phase == place.phase)
    #expect(Rollout.waitReason(story.state)?.hasSuffix(".") == true)
    #expect(story.replayed == story.state)
    #expect(story.effects.contains { $0.lane == .protect && $0.key.text.hasPrefix("route/") })
  }

  @Test("a bad verdict restores", arguments: Place.allCases)
  func bad(place: Place) {
    var story = place.story
    story.judge(Facts.bad())
    // Nobody was sent to a preview: what is said of it is about nothing.
    if place == .preview {
      #expect(story.phase == place.phase)
    } else {
      restores(story)
    }
  }

  @Test("a crash loop restores", arguments: Place.allCases)
  func crash(place: Place) {
    var story = place.story
    story.crash()
    // A preview that nobody was sent to leaves nothing to collect.
    restores(story)
  }

  @Test("a person's rollback restores, frozen or not", arguments: Place.allCases, [false, true])
  func rollBack(place: Place, isFrozen: Bool) {
    var story = place.story
    if isFrozen { story.freeze() }
    // After the way back of a drill the router has confirmed already what is wanted now.
    let isBack = place == .drillCounting || place == .drillDone
    #expect(story.rollBack() == ["condemned"] + (isBack ? ["restored"] : []))
    restores(story)
  }

  @Test("frozen, it moves no further up; thawed, it ends well", arguments: Place.allCases)
  func freeze(place: Place) {
    var story = place.story
    story.freeze()
    for _ in 0..<3 {
      story.ready()
      story.route()
      story.pass(.minutes(2))
      if let timer = story.state.timer { story.give(.woke(timer.key)) }
      if case .drilling(_, .counting) = story.state.phase { story.count() }
      story.judge(Facts.good)
    }
    let isDrill = place.rawValue.hasPrefix("drill")
    #expect(story.phase == (isDrill ? "drilling done" : place == .finishing ? "idle" : place.phase))
    story.thaw()
    story.finish()
    #expect(story.state.knownGood.first?.deployment.digest == Facts.digest("b"))
    #expect(story.replayed == story.state)
  }

  @Test("a place that leaves takes it along", arguments: Place.allCases)
  func unconfigure(place: Place) {
    var story = place.story
    #expect(story.give(.unconfigure) == ["unconfigured"])
    #expect(story.keys == ["close"])
    story.give(.closed(at: story.now))
    #expect(story.keys.filter { $0.hasPrefix("retire/") }.count == 2)
    story.give(.configure(Facts.policy()))
    #expect(story.shares == "a=100")
    #expect(story.replayed == story.state)
  }

  @Test("a newer offer waits for its end", arguments: Place.allCases)
  func newer(place: Place) {
    var story = place.story
    #expect(story.offer("c", 3) == ["offered"])
    #expect(story.phase == place.phase && story.state.pending == Facts.offer("c", 3))
    story.rollBack()
    story.route()
    if story.phase == "reporting" { story.collect() }
    #expect(story.phase == (place == .drillDone ? "idle" : "sealing"))
  }

  @Test("more instances that are not ready in time condemn it, unless nobody looked")
  func scalingLate() {
    var story = Place.scaling.story
    let key = story.state.timer?.key ?? EffectKey("")
    story.pass(.seconds(66))
    #expect(story.give(.woke(key)) == ["startExtended"])
    #expect(story.wake() == ["condemned"])
    #expect(story.state.condemned.first?.sentence.contains("with the instances of step 2") == true)
    restores(story)
  }
}
