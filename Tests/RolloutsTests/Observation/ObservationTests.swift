import Kernel
import Testing

@testable import Rollouts

private typealias Story = ObservationStory

@Suite("An observed place") struct ObservationTests {
  @Test("a bad version that the team takes back: both agree, and the minutes between are saved")
  func agreesOnBad() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    try story.see("v1", "v2", at: 60)
    try story.judge(1, Story.scarce, at: 61)
    try story.judge(1, Story.bad(at: 72), at: 72)
    try story.judge(1, Story.bad(at: 72), at: 73)
    #expect(story.state.watch?.conviction?.decidedAt == Story.at(72))
    try story.see("v1", gone: ["v2": 372], at: 375)
    #expect(story.comparisons == [.bothWentBack(saved: .seconds(300))])
    #expect(story.state.serving == Story.version("v1"))
    #expect(story.names.filter { $0 == "wouldHaveRolledBack" }.count == 1)
    #expect(story.state.score.saved == .seconds(300))
  }

  @Test("a good version that stays: both keep it when the bake ends")
  func agreesOnGood() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    try story.see("v2", at: 60)
    for second in stride(from: 61.0, through: 659, by: 1) { try story.judge(1, Story.good, at: second) }
    #expect(story.state.watch != nil)
    try story.judge(1, Story.good, at: 660)
    #expect(story.comparisons == [.bothKept])
    // A minute apart: the ledger holds no second of it.
    #expect(story.names.filter { $0 == "evidenceNoted" }.count == 10)
  }

  @Test("without evidence nothing is known: a broken source, silence, too little, a team that was faster")
  func couldNotTell() throws {
    func check(_ words: String, _ tell: (inout Story) throws -> Void) throws {
      var story = try Story()
      try story.see("v1", at: 0)
      try story.see("v1", "v2", at: 60)
      try tell(&story)
      #expect(story.comparisons == [.untold], "\(words)")
      #expect(!story.names.contains("wouldHaveRolledBack"), "\(words)")
    }
    try check("broken") { story in
      try story.judge(1, Story.broken, at: 70)
      try story.judge(1, Story.broken, at: 700)
    }
    try check("good before, broken at the end") { story in
      try story.judge(1, Story.good, at: 70)
      try story.judge(1, Story.broken, at: 700)
    }
    try check("silence") { try $0.take(.woke(Observation.wakeKey(1)), at: 700) }
    try check("too little") { try $0.judge(1, Story.scarce, at: 700) }
    try check("faster") { story in
      try story.judge(1, Story.scarce, at: 62)
      try story.see("v1", at: 65)
    }
  }

  @Test("where they differ: needless, missed, undecided")
  func differs() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    try story.see("v2", at: 60)
    try story.judge(1, Story.bad(at: 80), at: 80)
    try story.judge(1, Story.bad(at: 80), at: 660)
    #expect(story.comparisons == [.needless])

    // The team goes back long after the bake: what we kept was missed.
    try story.see("v3", at: 700)
    try story.judge(2, Story.good, at: 1300)
    #expect(story.comparisons == [.bothKept, .needless])
    try story.see("v2", "v3", at: 5000)
    #expect(story.comparisons == [.bothKept, .needless])
    try story.see("v2", gone: ["v3": 5040], at: 5041)
    #expect(story.comparisons == [.missed, .needless])
    #expect(story.state.records[0].team == .rolledBack(at: Story.at(5040)))

    try story.see("v4", at: 6000)
    try story.judge(3, Story.bad(at: 6010), at: 6010)
    try story.see("v5", at: 6100)
    #expect(story.comparisons == [.undecided, .missed, .needless])
    #expect(story.state.watch?.deployed.previous == Story.version("v4"))
  }

  @Test("a person corrects what the team did, never what the judge said")
  func corrections() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    #expect(throws: Refusal.self) { try story.correct(.kept, at: 1) }
    try story.see("v2", at: 60)
    try story.judge(1, Story.bad(at: 80), at: 80)
    #expect(throws: Refusal.self) { try story.correct(.kept, at: 90) }
    try story.judge(1, Story.bad(at: 80), at: 660)
    try story.correct(.rolledBack(at: Story.at(200)), at: 900)
    #expect(story.comparisons == [.bothWentBack(saved: .seconds(120))])
    #expect(story.state.records[0].correctedBy == "ada")
    try story.correct(.kept, deployment: 1, at: 901)
    #expect(story.comparisons == [.needless])
    let repeated = story.events.count
    try story.correct(.kept, deployment: 1, at: 902)
    #expect(story.events.count == repeated)
    #expect(throws: Refusal.self) { try story.correct(.kept, deployment: 9, at: 903) }
  }

  @Test("a version that was told and does not show yet is not gone")
  func toldBeforeSeen() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    try story.tell("v2", at: 60)
    try story.see("v1", at: 61)
    #expect(story.state.watch?.deployed.source == .webhook)
    try story.see("v1", "v2", at: 70)
    try story.see("v2", at: 80)
    #expect(story.state.watch?.id == 1)
    // Nothing on any page is silence.
    try story.see(at: 90)
    #expect(story.state.watch?.id == 1)
  }

  @Test("where versions are only reported, one arm is judged before and after")
  func reported() throws {
    var story = try Story(versions: .reported)
    #expect(Observation.effects(of: story.state).isEmpty)
    try story.tell("v1", at: 0)
    try story.tell("v1", at: 1)
    try story.tell("v2", of: 50, at: 60)
    let effects = Observation.effects(of: story.state)
    guard case .watch(let order)? = effects.first else {
      Issue.record("no watch among \(effects)")
      return
    }
    #expect(order.control == nil)
    #expect(order.canary == order.previous)
    #expect(order.since == Story.at(50))
    try story.tell("v1", at: 90)
    #expect(story.comparisons == [.untold])
    #expect(story.state.serving == Story.version("v1"))
    // After the outcome, a person's word is all there is.
    try story.tell("v3", at: 100)
    try story.judge(2, Story.good, at: 700)
    try story.correct(.rolledBack(at: nil), at: 800)
    #expect(story.comparisons == [.missed, .untold])
    #expect(story.state.serving == Story.version("v1"))
  }

  @Test("what cannot be is refused: the future, the forgotten, the wrong order")
  func refusals() throws {
    var story = try Story(versions: .reported)
    try story.tell("v1", at: 1000)
    #expect(throws: Refusal.self) { try story.tell("v2", of: 2000, at: 1100) }
    #expect(throws: Refusal.self) { try story.tell("v2", of: 10, at: 1100) }
    #expect(throws: Refusal.self) { try story.tell("v2", of: 900, at: 1100) }
    try story.tell("v2", at: 1100)
    #expect(story.state.watch?.id == 1)
  }

  @Test("a place that is named no more is looked at no more, and keeps its score")
  func closing() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    try story.see("v2", at: 60)
    try story.judge(1, Story.good, at: 660)
    try story.see("v3", at: 700)
    try story.take(.unconfigure, at: 710)
    #expect(Observation.effects(of: story.state).isEmpty)
    #expect(throws: Refusal.self) { try story.tell("v4", at: 720) }
    try story.see("v4", at: 721)
    try story.take(.configure(Story.policy()), at: 730)
    #expect(story.state.phase == .unseen)
    #expect(story.state.score.bothKept == 1)
    try story.see("v4", at: 740)
    #expect(story.state.serving == Story.version("v4"))
    #expect(story.state.nextDeployment == 3)
  }

  @Test("people are told at the moment of the verdict, at every target, and once")
  func announces() throws {
    var story = try Story()
    func wanted() -> [EffectKey] {
      Observation.effects(of: story.state).map(\.key).filter { $0.text.hasPrefix("announce/") }
    }
    try story.see("v1", at: 0)
    try story.see("v1", "v2", at: 60)
    try story.judge(1, Story.scarce, at: 61)
    #expect(wanted().isEmpty)
    try story.judge(1, Story.bad(at: 72), at: 72)
    try story.judge(1, Story.bad(at: 72), at: 73)
    #expect(wanted().count == 2)
    try story.take(.announced(id: "shop/production/observed/1", target: 0), at: 74)
    try story.take(.announced(id: "shop/production/observed/1", target: 0), at: 75)
    #expect(wanted() == [Observation.announceKey("shop/production/observed/1", 1)])
    // It goes on although nobody looks any more.
    try story.take(.unconfigure, at: 76)
    try story.take(Observation.exhausted(wanted()[0], why: "the receiver answers 404"), at: 77)
    #expect(wanted().isEmpty)
    #expect(story.names.suffix(3) == ["announced", "unconfigured", "announcementAbandoned"])
  }

  @Test("evidence of another deployment, or of before what is known, changes nothing")
  func lateEvidence() throws {
    var story = try Story()
    try story.see("v1", at: 0)
    try story.see("v2", at: 60)
    try story.judge(2, Story.bad(at: 70), at: 70)
    #expect(story.state.watch?.note == nil)
    try story.judge(1, Story.good, at: 80)
    try story.judge(1, Story.bad(at: 75), at: 75)
    #expect(story.state.watch?.conviction == nil)
  }

  @Test("whatever comes in whatever order, nothing impossible follows")
  func anyOrder() throws {
    var seed: UInt64 = 7
    func next(_ count: UInt64) -> UInt64 {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (seed >> 33) % count
    }
    var outcomes = 0
    for _ in 0..<300 {
      var story = try Story(versions: next(3) == 0 ? .reported : .label("version"))
      var now = 0.0
      for _ in 0..<60 {
        now += Double(next(200))
        let id = ObservedID(max(Int(story.state.nextDeployment) - 1 - Int(next(2)), 1))
        do {
          switch next(8) {
          case 0, 1: try story.see("v\(next(4))", at: now)
          case 2: try story.see("v\(next(4))", "v\(next(4) + 4)", at: now)
          case 3: try story.tell("v\(next(5))", at: now)
          case 4: try story.judge(id, Story.bad(at: now), at: now)
          case 5: try story.judge(id, [Story.good, Story.scarce, Story.broken][Int(next(3))], at: now)
          case 6: try story.take(.woke(Observation.wakeKey(id)), at: now)
          default: try story.correct(next(2) == 0 ? .kept : .rolledBack(at: nil), deployment: id, at: now)
          }
        } catch is Refusal {}
      }
      outcomes += story.state.score.deployments
      var folded = Observation.initial
      for event in story.events { Observation.evolve(&folded, event) }
      #expect(folded == story.state)
    }
    #expect(outcomes > 1000)
  }

  @Test("the score of a long history outlives its outcomes")
  func longHistory() throws {
    var story = try Story(versions: .reported, bake: .seconds(5))
    try story.tell("v0", at: 0)
    let all = Observation.recordLimit + 7
    for number in 1...all {
      try story.tell("v\(number)", at: Double(number) * 10)
      try story.judge(number, Story.good, at: Double(number) * 10 + 6)
    }
    #expect(story.state.records.count == Observation.recordLimit)
    #expect(story.state.score.bothKept == all)
  }
}
