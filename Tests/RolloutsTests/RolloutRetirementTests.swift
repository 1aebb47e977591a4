import Kernel
import Testing

@testable import Rollouts

/// What follows when plimsoll.yaml no longer names a place, and names it again.
@Suite("Rollout: a place that left plimsoll.yaml") struct RolloutRetirementTests {
  typealias Facts = RolloutFacts
  private let a = Facts.deployment("a", 1).id
  private let b = Facts.deployment("b", 2).id

  private func serving() -> RolloutStory {
    var story = RolloutStory()
    story.deliver("a", 1)
    return story
  }

  @Test("traffic first, then what runs, then nothing at all")
  func order() {
    var story = serving()
    #expect(story.give(.unconfigure) == ["unconfigured"])
    #expect(story.keys == ["close"], "instances run on while the router may still send")
    #expect(story.give(.closed(at: story.now)) == ["closed"])
    #expect(story.keys == ["retire/\(a)"])
    story.retireAll()
    #expect(story.keys.isEmpty)
    #expect(story.give(.unconfigure) == [] && story.give(.closed(at: story.now)) == [], "once is enough")
    #expect(story.replayed == story.state)
    let words = Rollout.waitReason(story.state)
    #expect(words == "Closed: no longer in plimsoll.yaml; add it again, and 0001cccccc comes back.")
  }

  @Test("known-good and condemned versions are kept, and serve and stay out again")
  func back() {
    var story = serving()
    story.place("b", 2)
    story.route()
    story.judge(Facts.bad())
    story.route()
    story.collect()
    story.retireAll()
    story.give(.unconfigure)
    story.give(.closed(at: story.now))
    story.retireAll()
    #expect(story.give(.configure(Facts.policy())) == ["configured"], "also when nothing of the policy changed")
    #expect(story.shares == "a=100")
    #expect(story.keys.prefix(2) == ["route/\(a)=100", "run/\(a)"])
    #expect(story.offer("b", 3) == ["refusedCondemned"])
  }

  @Test("named again before the clean-up was over, nothing that serves is stopped")
  func backEarly() {
    var story = serving()
    story.give(.unconfigure)
    story.give(.configure(Facts.policy()))
    #expect(story.keys == ["route/\(a)=100", "run/\(a)"])
    #expect(story.give(.closed(at: story.now)) == [], "a late answer")
    story.give(.unconfigure)
    story.give(.closed(at: story.now))
    story.give(.configure(Facts.policy()))
    #expect(story.keys == ["route/\(a)=100", "run/\(a)"])
  }

  @Test("named again before the router confirmed, with nothing known good: what may still get requests runs on")
  func backEarlyWithoutKnownGood() {
    for next in ["nothing", "another", "one that never starts"] {
      var story = RolloutStory()
      story.place("a", 1)
      story.route()
      story.give(.unconfigure)
      #expect(story.keys == ["close"])
      story.give(.configure(Facts.policy()))
      #expect(story.keys == ["route/\(a)=0"], "and the router is told that it gets nothing")
      if next != "nothing" {
        story.offer("b", 2)
        story.seal(2)
        #expect(story.shares == "a=0")
      }
      if next == "another" {
        story.ready()
        #expect(story.shares == "b=100")
      }
      if next == "one that never starts" {
        #expect(story.crash().contains("condemned"))
        #expect(story.phase == "restoring" && story.shares == "a=0")
      }
      #expect(!story.keys.contains("retire/\(a)"), "\(next)")
      story.route()
      if next == "one that never starts" {
        #expect(story.shares == "a=0 b=0", "it is to be stopped too")
        story.route()
      }
      #expect(story.keys.contains("retire/\(a)"), "\(next)")
      story.retireAll()
      #expect(!story.keys.contains { $0.hasPrefix("retire/") }, "\(next)")
      #expect(story.replayed == story.state)
    }
  }

  @Test("a running rollout ends unfinished, and neither of its versions goes on running", arguments: 0..<4)
  func running(stage: Int) {
    var story = serving()
    story.offer("b", 2)
    if stage > 0 { story.seal(2) }
    if stage > 1 {
      story.ready()
      story.measure()
    }
    if stage > 2 { story.route() }
    story.offer("c", 3)
    #expect(story.give(.unconfigure) == ["unconfigured"])
    guard case .unconfigured(let event)? = story.events.last else { return }
    #expect(event.rollout == (stage > 0 ? 2 : nil))
    // Sealing, the newer offer has taken the older one's place.
    let waiting = stage > 0 ? [Facts.commit(3), Facts.commit(2)] : [Facts.commit(3)]
    #expect(event.commits == waiting + [Facts.commit(1)])
    story.give(.closed(at: story.now))
    #expect(story.keys.sorted() == (stage > 0 ? ["retire/\(a)", "retire/\(b)"] : ["retire/\(a)"]))
    #expect(story.state.history.first?.outcome == (stage > 0 ? .abandoned : .completed))
    story.retireAll()
    story.give(.configure(Facts.policy()))
    #expect(story.keys == ["route/\(a)=100", "run/\(a)"], "what was known good, not what was on its way")
  }

  @Test("a rollback under way is reported as far as it is known, and stays condemned", arguments: [false, true])
  func rollingBack(isRestored: Bool) {
    var story = serving()
    story.place("b", 2)
    story.route()
    story.judge(Facts.bad())
    if isRestored { story.route() }
    #expect(story.give(.unconfigure) == ["reported", "unconfigured"])
    #expect(story.keys.contains("announce/harbor/production/2/rolled-back/0"))
    story.give(.closed(at: story.now))
    let runs = story.keys.filter { $0.hasPrefix("retire/") }.sorted()
    #expect(runs == ["retire/\(a)", "retire/\(b)"])
    #expect(story.state.condemned.map(\.digest) == [Facts.digest("b")])
    guard case .condemned? = story.state.history.first?.outcome else {
      Issue.record("the rollout ended as \(String(describing: story.state.history.first?.outcome))")
      return
    }
  }

  @Test("what asks for the place is told so")
  func refusals() {
    var story = serving()
    story.give(.unconfigure)
    #expect(story.offer("b", 2) == ["refusedUnconfigured"])
    let back = Rollout.Input.rollBack(Rollout.RollBackRequest(to: nil, reason: "orders are lost", actor: "ada"))
    #expect(story.refusal(of: back)?.sentence.contains("plimsoll.yaml no longer names it") == true)
    #expect(story.seal(2) == [] && story.judge(Facts.good, rollout: 1) == [], "what comes late is ignored")
    #expect(story.give(.ready(a, digest: Facts.digest("a"), endpoints: 2)) == [])
  }

  @Test("a place where nothing was ever placed is retired at once")
  func empty() {
    var story = RolloutStory(nil)
    story.offer("a", 1)
    #expect(story.give(.unconfigure) == ["unconfigured"])
    #expect(story.phase == "closed" && story.keys.isEmpty)
    story.give(.configure(Facts.policy()))
    #expect(story.phase == "idle", "the offer that waited was given back to its promotion")
  }
}
