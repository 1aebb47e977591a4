import Kernel
import Testing

@testable import Promotions

@Suite("Promotion rules") struct RuleTests {
  /// After `given`, `when` decides events of these names and leaves these effects wanted.
  func check(
    _ words: String, given: [Promotion.Input], when input: Promotion.Input, decides names: [String],
    wants keys: [String]? = nil, halting reason: String? = nil, at location: SourceLocation = #_sourceLocation
  ) throws {
    var story = try Story(given)
    let events = try story.tell(input)
    #expect(events.map(\.name) == names, "\(words)", sourceLocation: location)
    if let keys {
      #expect(Promotion.effects(of: story.state).map(\.key.text) == keys, "\(words)", sourceLocation: location)
    }
    if let reason {
      #expect(events.last == .halted(reason: reason), "\(words)", sourceLocation: location)
    }
  }

  /// After `given`, the request is refused with this sentence.
  func refuses(
    _ words: String, given: [Promotion.Input], when input: Promotion.Input, _ kind: Refusal.Kind, saying part: String,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    var story = try Story(given)
    let before = story.state
    do {
      let events = try story.tell(input)
      Issue.record("\(words): \(events) instead of a refusal", sourceLocation: location)
    } catch let refusal as Refusal {
      #expect(refusal.kind == kind, "\(words)", sourceLocation: location)
      #expect(refusal.sentence.contains(part), "\(words): \(refusal.sentence)", sourceLocation: location)
    }
    #expect(story.state == before, sourceLocation: location)
  }

  @Test("a landed commit is built once, and that digest goes through every environment in order")
  func straightThrough() throws {
    let story = try Story(inEveryEnvironment)
    #expect(
      story.events.map(\.name) == [
        "begun", "built",
        "provenanceVerified", "requested", "taken", "served", "checkPassed", "passed",
        "provenanceVerified", "requested", "taken", "served", "checkPassed", "checkPassed", "soakBegan", "passed",
        "provenanceVerified", "requested", "taken", "served", "passed", "completed",
      ])
    let requests = story.events.compactMap { event -> Promotion.Request? in
      if case .requested(let request) = event { request } else { nil }
    }
    #expect(requests.map(\.environment) == [integration, staging, production])
    #expect(requests.allSatisfy { $0.artifact == build().artifact && !$0.override })
    let stages = try #require(story.state.course).stages
    for stage in stages {
      let instants = try [
        #require(stage.requestedAt), #require(stage.takenAt), #require(stage.passedAt),
      ]
      #expect(instants == instants.sorted())
      #expect(stage.servedAt == at(100))
    }
  }

  @Test("building") func building() throws {
    try check("landing wants a build", given: [], when: .begin(order()), decides: ["begun"], wants: ["build"])
    try check("landing again is late", given: [.begin(order())], when: .begin(order()), decides: [])
    try check(
      "a build that fails ends it", given: [.begin(order())],
      when: .buildFailed(reason: "the build wrote nothing", log: log), decides: ["buildFailed"], wants: [])
    try check(
      "a build that cannot be run halts", given: [.begin(order())],
      when: .exhausted(key: Promotion.buildKey, why: "the disk is full"), decides: ["halted"], wants: [],
      halting: "the build could not be run: the disk is full; promote to try again")
    try check(
      "promoting then builds again",
      given: [.begin(order()), .exhausted(key: Promotion.buildKey, why: "the disk is full")], when: promote(),
      decides: ["resumed"], wants: ["build"])
    try check("the same build again is late", given: begunAndBuilt, when: .built(build()), decides: [])
    try check(
      "a failure after success is late", given: begunAndBuilt, when: .buildFailed(reason: "x", log: nil),
      decides: [])
    try check(
      "another digest is not reproducible and is never used", given: begunAndBuilt, when: .built(build("9")),
      decides: ["buildFailed", "halted"], wants: [])
    try check(
      "also when all is over", given: inEveryEnvironment, when: .built(build("9")),
      decides: ["buildFailed", "halted"])
    try check(
      "saying it twice changes nothing", given: begunAndBuilt + [.built(build("9"))],
      when: .built(build("8")), decides: [])
    try refuses(
      "what is not reproducible is not promoted", given: begunAndBuilt + [.built(build("9"))],
      when: promote(override: true), .notNow, saying: "not reproducible")
    try check(
      "without environments it is complete when built", given: [.begin(order(stages: []))],
      when: .built(build()), decides: ["built", "completed"], wants: [])
  }

  @Test("the gate fails closed") func gate() throws {
    try check(
      "a built digest is verified for its first environment", given: [.begin(order())], when: .built(build()),
      decides: ["built"], wants: ["provenance/integration"])
    try check(
      "verified provenance asks the environment", given: begunAndBuilt,
      when: .provenanceFound(environment: integration, finding: verified),
      decides: ["provenanceVerified", "requested"], wants: [])
    try check(
      "rejected provenance halts", given: begunAndBuilt,
      when: .provenanceFound(environment: integration, finding: .rejected(reason: "it is not signed")),
      decides: ["provenanceRejected", "halted"], wants: [],
      halting: "harbor aaaaaaaaaa may not go to integration: its provenance was rejected: it is not signed")
    try check(
      "provenance that cannot be read halts", given: begunAndBuilt,
      when: .exhausted(key: Promotion.provenanceKey(integration), why: "the disk failed"), decides: ["halted"])
    try check(
      "provenance for another environment opens nothing", given: begunAndBuilt,
      when: .provenanceFound(environment: production, finding: verified), decides: [])
    try check(
      "every environment verifies for itself", given: begunAndBuilt + through(integration),
      when: .checked(environment: integration, name: smoke, report: report()), decides: ["checkPassed", "passed"],
      wants: ["provenance/staging"])
  }

  @Test("an environment answers") func environment() throws {
    let asked = begunAndBuilt + [.provenanceFound(environment: integration, finding: verified)]
    try check("taken", given: asked, when: .taken(environment: integration), decides: ["taken"], wants: [])
    try check("taken elsewhere is late", given: asked, when: .taken(environment: staging), decides: [])
    try check(
      "served before taken was heard", given: asked,
      when: .served(environment: integration, digest: digest("1"), at: at(9)), decides: ["taken", "served"],
      wants: ["check/integration/smoke/1"])
    try check(
      "another digest runs there", given: asked,
      when: .served(environment: integration, digest: digest("9"), at: at(9)), decides: ["halted"])
    try check(
      "superseded", given: asked, when: .superseded(environment: integration, by: newer, below: 8),
      decides: ["superseded", "halted"], halting: "superseded in integration by bbbbbbbbbb")
    try check(
      "superseded from under a running check", given: begunAndBuilt + through(integration),
      when: .superseded(environment: integration, by: newer, below: 8), decides: ["superseded", "halted"], wants: [])
    try check(
      "superseded where it passed already changes nothing", given: inStaging,
      when: .superseded(environment: integration, by: newer, below: 8), decides: [])
    try check(
      "condemned", given: asked, when: .condemned(environment: integration, reason: "5.2 % errors"),
      decides: ["condemned", "halted"], halting: "condemned in integration: 5.2 % errors")
    try check(
      "condemned while it soaks", given: inStaging + through(staging, checks: [smoke, load]),
      when: .condemned(environment: staging, reason: "crash loop"), decides: ["condemned", "halted"], wants: [])
    try check(
      "condemned behind us stops it here", given: inProduction,
      when: .condemned(environment: integration, reason: "crash loop"), decides: ["condemned", "halted"], wants: [])
    try check(
      "condemned after all is over", given: inEveryEnvironment,
      when: .condemned(environment: production, reason: "crash loop"), decides: ["condemned", "halted"])
    try check(
      "condemned twice", given: inEveryEnvironment + [.condemned(environment: production, reason: "crash")],
      when: .condemned(environment: production, reason: "crash"), decides: [])
    try check(
      "condemned ahead waits until it gets there", given: inStaging,
      when: .condemned(environment: production, reason: "crash loop"), decides: ["condemned"],
      wants: ["provenance/staging"])
    try check(
      "and stops before it",
      given: inStaging + [.condemned(environment: production, reason: "crash loop")]
        + through(staging, checks: [smoke, load]),
      when: soaked, decides: ["passed", "halted"], wants: [],
      halting: "condemned in production: crash loop; promote it to production with an override")
  }

  @Test("checks run one after another, then it soaks") func checks() throws {
    let serving = inStaging + through(staging)
    try check(
      "the first", given: inStaging + Array(through(staging).dropLast()),
      when: .served(environment: staging, digest: digest("1"), at: at(9)), decides: ["served"],
      wants: ["check/staging/smoke/1"])
    try check(
      "then the second", given: serving, when: .checked(environment: staging, name: smoke, report: report()),
      decides: ["checkPassed"], wants: ["check/staging/load/1"])
    try check(
      "not out of order", given: serving, when: .checked(environment: staging, name: load, report: report()),
      decides: [])
    try check(
      "the first failure halts, with its reason and log", given: serving,
      when: .checked(environment: staging, name: smoke, report: report(passed: false, reason: "2 of 9 failed\nmore")),
      decides: ["checkFailed", "halted"], wants: [],
      halting: "check smoke failed in staging: 2 of 9 failed; its log is \(log.short)")
    try check(
      "a report from before this attempt is late", given: serving,
      when: .checked(environment: staging, name: smoke, report: report(passed: false, reason: "x", startedAt: at(1))),
      decides: [])
    try check(
      "a check that cannot be run halts", given: serving,
      when: .exhausted(key: EffectKey("check/staging/smoke/1"), why: "the disk is full"), decides: ["halted"],
      halting: "check smoke could not be run in staging: the disk is full; promote to try again")
    try check(
      "another check's exhaustion is late", given: serving,
      when: .exhausted(key: EffectKey("check/staging/load/1"), why: "x"), decides: [])
    try check(
      "after the last it soaks", given: serving + [.checked(environment: staging, name: smoke, report: report())],
      when: .checked(environment: staging, name: load, report: report()), decides: ["checkPassed", "soakBegan"],
      wants: ["wake/soak/staging"])
    let soaking = inStaging + through(staging, checks: [smoke, load])
    try check(
      "and goes on when it has soaked", given: soaking, when: soaked, decides: ["passed"],
      wants: ["provenance/production"])
    try check(
      "another alarm wakes nothing", given: soaking, when: .woke(key: Promotion.soakKey(production)), decides: [])
  }

  @Test("a soak is not cut short") func earlyWake() throws {
    let story = try Story(inStaging + through(staging, checks: [smoke, load]))
    let early = TurnContext(now: story.now + .seconds(59), chance: 0)
    #expect(try Promotion.decide(soaked, in: story.state, early) == [])
    let due = TurnContext(now: story.now + .seconds(60), chance: 0)
    #expect(try Promotion.decide(soaked, in: story.state, due).map(\.name) == ["passed"])
  }

  @Test("promoting by hand") func promoting() throws {
    let failed =
      inStaging + through(staging) + [
        .checked(environment: staging, name: smoke, report: report(passed: false, reason: "2 of 9 failed"))
      ]
    try check(
      "after a failed check it goes again, through the gate", given: failed, when: promote(),
      decides: ["resumed"], wants: ["provenance/staging"])
    try check(
      "the second attempt's check is another check",
      given: failed + [promote()] + Array(through(staging).dropLast()),
      when: .served(environment: staging, digest: digest("1"), at: at(9)), decides: ["served"],
      wants: ["check/staging/smoke/2"])
    try refuses(
      "not past a failed check", given: failed, when: promote(production), .notNow,
      saying: "staging has not passed: check smoke failed: 2 of 9 failed; promote to production after it passes.")
    try refuses(
      "not even with an override", given: failed, when: promote(production, override: true), .notNow,
      saying: "staging has not passed")
    try refuses(
      "not where it has passed", given: failed, when: promote(integration), .notNow,
      saying: "already passed integration")
    try refuses("before it landed", given: [], when: promote(), .unknown, saying: "has not landed")
    try refuses("before it is built", given: [.begin(order())], when: promote(), .notNow, saying: "not built yet")
    try refuses(
      "when the build failed", given: [.begin(order()), .buildFailed(reason: "make: error 2", log: log)],
      when: promote(), .notNow, saying: "was not built: make: error 2; land a fix")
    try refuses(
      "a name that is not there", given: failed, when: promote(EnvironmentName(rawValue: "stagin")!),
      .unknown, saying: "did you mean staging?")
    try refuses(
      "while it is on its way", given: inStaging, when: promote(staging), .notNow,
      saying: "already on its way to staging: Its provenance is being verified")
    try refuses(
      "when there is nowhere left", given: inEveryEnvironment, when: promote(), .notNow,
      saying: "none left")
    let condemned = inEveryEnvironment + [.condemned(environment: production, reason: "5.2 % errors")]
    try refuses(
      "a condemned one", given: condemned, when: promote(production), .notNow,
      saying: "condemned in production: 5.2 % errors")
    try check(
      "unless one knows better", given: condemned, when: promote(production, override: true),
      decides: ["resumed"], wants: ["provenance/production"])
    var story = try Story(condemned + [promote(override: true)])
    let events = try story.tell(.provenanceFound(environment: production, finding: verified))
    guard case .requested(let request)? = events.last else {
      Issue.record("\(events)")
      return
    }
    #expect(request.override)
    try check(
      "superseded may be promoted again",
      given: begunAndBuilt + [
        .provenanceFound(environment: integration, finding: verified),
        .superseded(environment: integration, by: newer, below: 8),
      ], when: promote(override: true), decides: ["resumed"], wants: ["provenance/integration"])
  }

  @Test("an override holds for the environment it was given for") func overrideIsNotInherited() throws {
    let story = try Story(
      inEveryEnvironment + [
        .condemned(environment: production, reason: "bad"), promote(production, override: true),
        .condemned(environment: staging, reason: "bad too"), promote(staging, override: true),
      ] + through(staging, checks: []))
    let production = try #require(story.state.course).stages[2]
    #expect(production.setback == nil)
    var on = story
    for check in [smoke, load] {
      try on.tell(.checked(environment: staging, name: check, report: report(startedAt: on.now)))
    }
    try on.tell(soaked)
    let events = try on.tell(.provenanceFound(environment: production.environment, finding: verified))
    guard case .requested(let request)? = events.last else {
      Issue.record("\(events)")
      return
    }
    #expect(!request.override)
  }

  @Test("it says in a sentence why it waits") func waitReasons() throws {
    func check(_ given: [Promotion.Input], _ sentence: String, at location: SourceLocation = #_sourceLocation) throws {
      #expect(try Promotion.waitReason(Story(given).state) == sentence, sourceLocation: location)
    }
    try check([], "Its commit has not landed yet.")
    try check([.begin(order())], "It is being built.")
    try check(begunAndBuilt, "Its provenance is being verified for integration.")
    try check(
      begunAndBuilt + through(integration).prefix(1),
      "It waits for integration to take it; rollouts there go one at a time.")
    try check(begunAndBuilt + through(integration).prefix(2), "It is being rolled out in integration.")
    try check(inStaging + through(staging, checks: [smoke]), "Check load runs in staging, 2 of 2.")
    try check(
      inStaging + through(staging, checks: [smoke, load]),
      "It serves in staging and soaks there for 60 s before it goes on.")
    try check(inEveryEnvironment, "It has passed every environment.")
    try check(
      inProduction + [.condemned(environment: production, reason: "bad")],
      "It halted: condemned in production: bad.")
  }

  @Test("a reason that enters the ledger is one line of at most 300 characters") func clipping() throws {
    let story = try Story([.begin(order()), .buildFailed(reason: String(repeating: "x", count: 9000), log: nil)])
    guard case .unbuilt(_, let failure) = story.state.phase else {
      Issue.record("\(story.state.phase)")
      return
    }
    #expect(failure.reason.count == Promotion.longestReason)
  }

  @Test("a trunk that comes back to a commit sends it again, with the digest that it has") func renewed() throws {
    let again = Promotion.Input.begin(order(ordinal: 9))
    let from = ["provenance/integration"]
    try check("after it passed everywhere", given: inEveryEnvironment, when: again, decides: ["renewed"], wants: from)
    try check("on its way", given: inStaging, when: again, decides: ["renewed"], wants: from)
    let halted = inStaging + [.condemned(environment: integration, reason: "5 % errors")]
    try check("after a halt", given: halted, when: again, decides: ["renewed"], wants: from)
    try check("while it is built", given: [.begin(order())], when: again, decides: ["renewed"], wants: ["build"])
    let stuck: [Promotion.Input] = [.begin(order()), .exhausted(key: Promotion.buildKey, why: "the disk is full")]
    try check("when it could not be built", given: stuck, when: again, decides: ["renewed"], wants: ["build"])
    try check(
      "not when its build failed: a fix is another commit",
      given: [.begin(order()), .buildFailed(reason: "no", log: nil)],
      when: again, decides: [])
    try check(
      "not when its digest may not be used", given: inStaging + [.built(build("9"))], when: again, decides: [])
    try check("the same sighting twice is late", given: inStaging + [again], when: again, decides: [])
    try check("an earlier one too", given: inStaging + [again], when: .begin(order(ordinal: 8)), decides: [])
    try check(
      "without environments there is nothing to send", given: begunAndBuilt,
      when: .begin(order(stages: [], ordinal: 9)), decides: ["renewed", "completed"], wants: [])
    let story = try Story(inEveryEnvironment + [again, .provenanceFound(environment: integration, finding: verified)])
    guard case .requested(let request)? = story.events.last else {
      Issue.record("it was not offered again: \(story.events.map(\.name))")
      return
    }
    #expect(request.ordinal == 9 && request.artifact == build().artifact && request.title == "Add the tide table")
    #expect(story.events.filter { $0.name == "built" }.count == 1)
  }

  @Test("what was superseded before the trunk came back says nothing of the new offer") func renewedAndSuperseded()
    throws
  {
    let again =
      inStaging + [
        .begin(order(ordinal: 9)), .provenanceFound(environment: integration, finding: verified),
      ]
    try check(
      "the earlier offer", given: again, when: .superseded(environment: integration, by: newer, below: 8), decides: [])
    try check(
      "the new one", given: again, when: .superseded(environment: integration, by: newer, below: 12),
      decides: ["superseded", "halted"])
  }

  @Test("an environment that leaves plimsoll.yaml halts who waits there, and nobody else") func withdrawn() throws {
    let gone = Promotion.Input.withdrawn(environment: integration)
    let reason =
      "plimsoll.yaml no longer names integration for harbor; add it again and promote, or land a change, which goes the "
      + "new way"
    let asked = begunAndBuilt + [.provenanceFound(environment: integration, finding: verified)]
    for given in [begunAndBuilt, asked, asked + [.taken(environment: integration)]] {
      try check("on its way there", given: given, when: gone, decides: ["halted"], wants: [], halting: reason)
    }
    try check(
      "while it soaks", given: inStaging + through(staging, checks: [smoke, load]),
      when: .withdrawn(environment: staging), decides: ["halted"], wants: [])
    try check("not when it is past it", given: inStaging, when: gone, decides: [])
    try check("nor when it is through", given: inEveryEnvironment, when: gone, decides: [])
    try check(
      "a later sighting of the trunk sends it the new way", given: begunAndBuilt + [gone],
      when: .begin(order(stages: [Promotion.Stage(environment: production, checks: [], soak: .zero)], ordinal: 9)),
      decides: ["renewed"], wants: ["provenance/production"])
  }
}
