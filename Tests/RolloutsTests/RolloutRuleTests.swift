import Kernel
import Testing

@testable import Rollouts

@Suite("Rollout: the way up") struct RolloutForwardTests {
  typealias Facts = RolloutFacts

  @Test("a first deployment goes to 100 % at once, judged without a baseline")
  func first() {
    var story = RolloutStory()
    #expect(story.offer("a", 1) == ["offered"])
    #expect(story.keys == ["seal/1"])
    #expect(story.seal(1) == ["started"])
    #expect(story.keys == ["run/\(Facts.deployment("a", 1).id)", "wake/start/1/0"])
    #expect(story.ready() == ["placed", "stepEntered"])
    #expect(story.shares == "a=100")
    #expect(story.keys.contains("watch/1"))
    #expect(story.route() == ["routed"])
    #expect(story.phase == "finalWatch")
    story.pass(.seconds(30))
    #expect(story.judge(Facts.good) == ["evidenceNoted", "stepPassed", "completed"])
    #expect(story.state.knownGood.map(\.deployment) == [Facts.deployment("a", 1)])
    #expect(story.replayed == story.state)
  }

  @Test("a next one takes its steps, and the old one is retired only after it completed")
  func steps() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.offer("b", 2)
    story.seal(2)
    let old = Facts.deployment("a", 1).id
    let new = Facts.deployment("b", 2).id
    #expect(story.keys == ["route/\(old)=100", "run/\(old)", "run/\(new)", "baseline/2", "wake/start/2/0"])
    #expect(story.ready() == ["placed"])
    #expect(story.measure() == ["baselineMeasured", "stepEntered"])
    for (index, shares) in ["a=90 b=10", "a=50 b=50"].enumerated() {
      #expect(story.phase == "stepping \(index)")
      #expect(story.shares == shares)
      #expect(story.route() == ["routed"])
      #expect(story.phase == "watching \(index)")
      story.pass(.seconds(9))
      story.judge(Facts.good)
      #expect(story.phase == "watching \(index)", "the minimum is 10 s")
      story.pass(.seconds(1))
      #expect(story.judge(Facts.good) == ["stepPassed", "stepEntered"])
    }
    #expect(story.shares == "a=0 b=100")
    story.route()
    #expect(story.phase == "finalWatch")
    #expect(story.keys.contains("run/\(old)"), "the old version stays warm")
    story.pass(.seconds(29))
    story.judge(Facts.good)
    #expect(story.phase == "finalWatch")
    story.pass(.seconds(1))
    #expect(story.judge(Facts.good) == ["stepPassed", "completed"])
    #expect(story.keys == ["route/\(new)=100", "run/\(new)"], "the router may still know the old one")
    story.route()
    #expect(story.keys == ["route/\(new)=100", "run/\(new)", "retire/\(old)"])
    #expect(story.state.knownGood.map(\.deployment.id) == [new, old])
    #expect(story.state.history.map(\.id) == [2, 1])
  }

  @Test("placing waits for both, whichever comes first", arguments: [true, false])
  func placing(readyFirst: Bool) {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.offer("b", 2)
    story.seal(2)
    if readyFirst { story.ready() } else { story.measure() }
    #expect(story.phase == "placing")
    if readyFirst { story.measure() } else { story.ready() }
    #expect(story.phase == "stepping 0")
  }

  @Test("only exactly the wanted shares count as routed")
  func exactShares() {
    var story = RolloutStory()
    story.deliver("a", 1)
    let late = story.routing
    story.place("b", 2)
    #expect(story.give(.routed(late, at: story.now)) == [])
    let wanted = story.routing
    #expect(story.give(.routed(Rollout.Routing([], number: wanted.number), at: story.now)) == [])
    #expect(
      story.give(.routed(Rollout.Routing(wanted.shares, number: wanted.number - 1), at: story.now)) == [],
      "an earlier want of the same shares")
    #expect(story.route() == ["routed"])
    #expect(story.route() == [], "again after the router was lost")
  }

  @Test("without judging, steps pass by time")
  func unjudged() {
    var story = RolloutStory(Facts.policy(judged: false))
    story.deliver("a", 1)
    story.offer("b", 2)
    story.seal(2)
    #expect(!story.keys.contains("baseline/2"))
    story.ready()
    story.route()
    let key = EffectKey("wake/step/2/0")
    #expect(story.keys.contains(key.text))
    #expect(!story.keys.contains("watch/2"))
    story.pass(.seconds(9))
    #expect(story.give(.woke(key)) == [], "too early")
    story.pass(.seconds(1))
    #expect(story.give(.woke(key)) == ["stepPassed", "stepEntered"])
    #expect(story.give(.woke(key)) == [], "twice")
  }

  /// What a verdict does to a canary at 10 % once the step's minimum is over.
  static let holds: [(String, Rollout.WhenScarce, Verdict, Span, String)] = [
    ("good goes on", .hold, Facts.good, .seconds(10), "stepping 1"),
    ("no evidence holds", .hold, Facts.scarce, .minutes(600), "watching 0"),
    ("no evidence before its time", .advance(after: .seconds(60)), Facts.scarce, .seconds(59), "watching 0"),
    ("no evidence, but time", .advance(after: .seconds(60)), Facts.scarce, .seconds(60), "stepping 1"),
    ("the minimum counts too", .advance(after: .zero), Facts.scarce, .seconds(9), "watching 0"),
    ("a broken source holds", .advance(after: .zero), Facts.broken, .minutes(600), "watching 0"),
    ("bad at once", .hold, Facts.bad(), .zero, "restoring"),
  ]
  @Test("verdicts", arguments: holds)
  func verdicts(_ name: String, _ scarcity: Rollout.WhenScarce, _ verdict: Verdict, _ span: Span, _ phase: String) {
    var story = RolloutStory(Facts.policy(scarcity: scarcity))
    story.deliver("a", 1)
    story.place("b", 2)
    story.route()
    story.pass(span)
    story.judge(verdict)
    #expect(story.phase == phase, "\(name)")
  }

  @Test("evidence is noted when the kind of verdict changes, and every 15 s")
  func notes() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    story.route()
    #expect(story.judge(Facts.scarce) == ["evidenceNoted"])
    story.pass(.seconds(14))
    #expect(story.judge(Facts.scarce) == [])
    #expect(story.judge(Facts.broken) == ["evidenceNoted"])
    story.pass(.seconds(15))
    #expect(story.judge(Facts.broken) == ["evidenceNoted"])
    guard case .watch(let order)? = story.effects.first(where: { $0.key.text == "watch/2" }) else {
      Issue.record("no watch")
      return
    }
    #expect(order.checkpoint == Facts.checkpoint)
    #expect(order.baseline.requests == 10_000)
  }

  @Test("a policy applies to the next rollout, never to the running one")
  func policyChange() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    #expect(story.give(.configure(Facts.policy(steps: [100]))) == ["configured"])
    #expect(story.give(.configure(Facts.policy(steps: [100]))) == [])
    story.route()
    story.pass(.seconds(10))
    story.judge(Facts.good)
    #expect(story.shares == "a=50 b=50")
    story.finish()
    story.place("c", 3)
    #expect(story.shares == "b=0 c=100")
  }

  @Test(
    "policies that contradict themselves are refused",
    arguments: [
      [], [10, 50], [50, 10, 100], [10, 10, 100], [-1, 100], [10, 101], [10, Rollout.Step(100, instances: 1)],
      [10, Rollout.Step(100, minimum: .seconds(1))], [Rollout.Step(10, instances: 0), 100], [10, 0, 100],
      [10, Rollout.Step(50, instances: 1), 100], [Rollout.Step(10, detect: 1), 100],
      [Rollout.Step(10, detect: .nan), 100],
      [Rollout.Step(10, minimum: .seconds(-1)), 100],
    ])
  func badPolicies(_ steps: [Rollout.Step]) {
    let story = RolloutStory()
    #expect(story.refusal(of: .configure(Facts.policy(steps: steps)))?.kind == .malformed)
    #expect(story.refusal(of: .configure(Facts.policy(keep: 0)))?.kind == .malformed)
    #expect(story.refusal(of: .configure(Facts.policy(holdback: 50)))?.kind == .malformed)
    #expect(story.refusal(of: .configure(Facts.policy(scarcity: .ask(after: .seconds(-1)))))?.kind == .malformed)
  }

  @Test(
    "plans that are not percents alone are taken",
    arguments: [
      [0, 100], [0, 0, 100], [100], [Rollout.Step(0, instances: 1), 0, 10, 100],
      [Rollout.Step(10, instances: 1), Rollout.Step(10, instances: 2), 10, 100],
      [Rollout.Step(10, minimum: .seconds(5), detect: 5, approval: true), Rollout.Step(100, approval: true)],
    ])
  func goodPolicies(_ steps: [Rollout.Step]) {
    #expect(RolloutStory().refusal(of: .configure(Facts.policy(steps: steps))) == nil)
  }

  @Test("other code that builds to the serving deployment needs no rollout")
  func sameBytes() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.offer("a", 2)
    #expect(story.seal(2) == ["confirmed"])
    #expect(story.phase == "idle")
    #expect(story.offer("a", 2) == ["confirmed"], "offered again")
    #expect(story.offer("a", 1) == ["superseded"])
    #expect(story.state.knownGood.count == 1)
  }
}

@Suite("Rollout: why it waits") struct RolloutWaitTests {
  typealias Facts = RolloutFacts

  @Test("every phase says in one sentence what it waits for")
  func sentences() {
    var story = RolloutStory(nil)
    func says(_ words: String, sourceLocation: SourceLocation = #_sourceLocation) {
      let reason = Rollout.waitReason(story.state) ?? "nothing"
      #expect(reason.contains(words), "\(reason)", sourceLocation: sourceLocation)
    }
    says("nothing")
    story.offer("a", 1)
    says("waits for this environment to be configured")
    story.give(.configure(Facts.policy()))
    says("is being sealed")
    story.seal(1)
    says("are not ready yet; they may take 1 min")
    story.ready()
    story.finish()
    story.offer("b", 2)
    story.seal(2)
    story.ready()
    says("The baseline of the serving version")
    story.measure()
    says("has not confirmed 10 %")
    story.route()
    says("no evidence has come yet")
    story.judge(Facts.scarce)
    says("holds until there is evidence: 3 of 800 requests")
    story.judge(Facts.broken)
    says("the evidence cannot be believed: the log stream was cut")
    story.judge(Facts.good)
    says("until its minimum time is up")
    story.judge(Facts.bad())
    says("is being taken out of traffic: 41 of 812")
    story.route()
    says("is being collected for the report")
    story.collect()
    says("nothing")
  }
}

@Suite("Rollout: newer wins") struct RolloutOfferTests {
  typealias Facts = RolloutFacts

  @Test("an older offer is superseded, the newest waits while a rollout runs")
  func newerWins() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("c", 3)
    #expect(story.offer("b", 2) == ["superseded"])
    #expect(story.offer("c", 3) == [], "running already")
    #expect(story.offer("d", 4) == ["offered"])
    #expect(story.offer("d", 4) == [], "waiting already")
    #expect(story.offer("9", 9) == ["superseded", "offered"])
    #expect(story.state.pending == Facts.offer("9", 9))
    story.finish()
    #expect(story.phase == "sealing")
    #expect(story.keys.contains("seal/9"))
    #expect(story.offer("8", 8) == ["superseded"])
    #expect(story.offer("b", 11) == ["superseded", "offered"], "while sealing, the newer one takes over")
    #expect(story.seal(9) == [], "late")
    #expect(story.seal(11) == ["started"])
  }

  @Test("an offer before the first configuration waits for it")
  func unconfigured() {
    var story = RolloutStory(nil)
    #expect(story.offer("a", 1) == ["offered"])
    #expect(story.effects.isEmpty)
    story.give(.configure(Facts.policy()))
    #expect(story.phase == "sealing")
  }

  @Test("a condemned digest does not return without an override")
  func condemned() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    story.route()
    story.judge(Facts.bad())
    #expect(story.offer("b", 2) == ["refusedCondemned"])
    #expect(story.offer("b", 3) == ["refusedCondemned"], "a newer commit with the same digest")
    story.route()
    story.collect()
    #expect(story.offer("b", 2, override: true) == ["lifted", "offered"])
    story.seal(2)
    #expect(!story.keys.contains { $0.hasPrefix("retire/") }, "what is placed is not retired")
    story.ready()
    story.measure()
    #expect(story.shares == "a=90 b=10")
  }

  @Test("an override covers no later condemnation")
  func laterCondemnation() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    story.offer("b", 3, override: true)
    story.route()
    story.judge(Facts.bad())
    story.route()
    #expect(story.collect() == ["reported", "refusedCondemned"])
    #expect(story.phase == "idle")
  }

  @Test("a bad configuration of good bytes condemns the configuration only")
  func configuration() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.offer("a", 2)
    story.seal(2, configuration: Facts.digest("1"))
    story.ready()
    story.measure()
    story.route()
    #expect(story.judge(Facts.bad()) == ["evidenceNoted", "condemned"])
    #expect(story.state.condemned.map(\.configuration) == [Facts.digest("1")])
    story.route()
    story.collect()
    story.offer("a", 3)
    #expect(story.seal(3, configuration: Facts.digest("1")) == ["refusedCondemned"])
    story.offer("a", 4)
    #expect(story.seal(4) == ["confirmed"])
  }

  @Test("lifting names the nearest when the digest is unknown")
  func lift() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    story.give(.rollBack(Rollout.RollBackRequest(to: nil, reason: "wrong", actor: "ada")))
    let near = RolloutFacts.parsed(Digest(rawValue: "sha256:" + String(repeating: "b", count: 63) + "c"))
    let refusal = story.refusal(of: .lift(near, reason: "fixed"))
    #expect(refusal?.kind == .unknown)
    #expect(refusal?.sentence.contains("did you mean \(Facts.digest("b"))") == true)
    #expect(story.give(.lift(Facts.digest("b"), reason: "it was the network")) == ["lifted"])
    #expect(story.refusal(of: .lift(Facts.digest("b"), reason: "again"))?.kind == .unknown)
    #expect(story.refusal(of: .lift(Facts.digest("b"), reason: ""))?.kind == .malformed)
  }
}
