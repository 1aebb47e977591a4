import Kernel
import Testing

@testable import Ramps

@Suite("The rules of a flag") struct FlagRuleTests {
  // MARK: A ramp

  @Test("a ramp says what it will see, waits for clients, goes on when the evidence is good, and ends with everybody")
  func wholeWay() throws {
    var flag = try FlagBench()
    try flag.take(.startRamp(plan(), ada))
    #expect(flag.phase == "sighting" && flag.share == 0 && flag.keys == ["sight/production/1"])
    try flag.take(.trafficTold(production, ramp: 1, [busy]))
    #expect(flag.phase == "placing 0" && flag.share == 1_000)
    #expect(flag.placement.course?.sights.map(\.sentences.count) == [1, 1, 1])
    #expect(flag.keys == ["watch/production/1", "settle/production/1"])
    // Good before clients have it counts for nothing.
    try flag.judge(good)
    #expect(flag.phase == "placing 0")
    try flag.take(.acknowledged(production, epoch: 1, nearly, at: flag.now))
    #expect(flag.phase == "placing 0")
    try flag.settle()
    #expect(flag.phase == "watching 0" && flag.keys == ["watch/production/1"])
    #expect(try flag.judge(good) == ["evidenceNoted", "stageBegan"])
    #expect(flag.phase == "placing 1" && flag.share == 25_000 && flag.epoch == 2)
    try flag.settle()
    try flag.judge(good)
    try flag.settle()
    #expect(flag.phase == "watching 2" && flag.share == 100_000)
    #expect(try flag.judge(good) == ["evidenceNoted", "rolledOut"])
    #expect(flag.phase == "rolledOut" && flag.keys == [])
  }

  @Test(
    "a bad verdict withdraws the variant at once, in every phase of a ramp",
    arguments: [
      "placing 0", "watching 0", "asking 0", "holding 0", "watching 2",
    ])
  func badStops(phase: String) throws {
    var flag = try FlagBench()
    try flag.ramp(plan(patience: .minutes(2)))
    if phase != "placing 0" { try flag.settle() }
    if phase == "asking 0" { try flag.judge(undecided, after: 7200) }
    if phase == "holding 0" { try flag.take(.hold(production, ada)) }
    if phase == "watching 2" {
      try flag.judge(good)
      try flag.settle()
      try flag.judge(good)
      try flag.settle()
    }
    #expect(flag.phase == phase)
    let before = flag.epoch
    #expect(try flag.judge(bad) == ["evidenceNoted", "rampStopped"])
    #expect(flag.phase == "stopping" && flag.share == 0 && flag.epoch == before + 1 && flag.placement.isOn)
    #expect(flag.keys == ["prove/production/\(before + 1)", "announce/flag/new-checkout/production/ramp-1/0"])
    #expect(FeatureFlag.effects(of: flag.state).first?.lane == .protect)
    // A verdict of the stage before changes nothing any more.
    #expect(try flag.judge(good, epoch: before) == [])
    #expect(flag.share == 0)
  }

  @Test("a withdrawal counts when every client has it and nobody was seen with the variant for a while")
  func proof() throws {
    var flag = try FlagBench()
    try flag.ramp()
    try flag.judge(bad)
    #expect(try flag.prove(nearly) == ["proofNoted"])
    #expect(try flag.prove(nearly, after: 3600) == [])
    #expect(flag.placement.proof?.standing?.sentence == "2 of 3 clients have it; not 10.0.0.7")
    let shown = at(flag.clock - 2)
    #expect(try flag.prove(everybody, shownAt: shown) == ["proofNoted"])
    #expect(flag.phase == "stopping")
    #expect(try flag.prove(everybody, shownAt: shown, after: 20) == ["proved"])
    #expect(flag.phase == "stopped" && flag.placement.proof == nil)
    #expect(try flag.prove() == [])
  }

  @Test("who hears last is given time to say what it evaluated until then")
  func proofOfTheLast() throws {
    var flag = try FlagBench()
    try flag.ramp()
    try flag.judge(bad)
    #expect(try flag.prove(nearly) == ["proofNoted"])
    #expect(try flag.prove(nearly, after: 60) == [])
    // It was cut off, so nobody saw what it gave out.
    #expect(try flag.prove(everybody) == ["proofNoted"])
    #expect(try flag.prove(everybody, after: 9) == [])
    // One that comes and has not heard begins the wait anew.
    #expect(try flag.prove(nearly) == ["proofNoted"])
    #expect(try flag.prove(everybody) == ["proofNoted"])
    #expect(try flag.prove(everybody, after: 9) == [])
    #expect(try flag.prove(everybody) == ["proved"])
  }

  @Test("a stage that cannot see what is promised asks; a person goes on or stops, and evidence that comes goes on too")
  func asking() throws {
    for traffic in [UsualTraffic(trialsPerSecond: 1, rate: 0.001), nil] {
      var flag = try FlagBench()
      try flag.ramp(traffic: [traffic])
      try flag.settle()
      #expect(try flag.judge(undecided, after: 30) == ["evidenceNoted"])
      #expect(try flag.judge(undecided, after: 31) == ["evidenceNoted", "asked"])
      #expect(flag.phase == "asking 0")
      #expect(try flag.judge(undecided) == [])
      var patient = flag
      #expect(try flag.take(.advance(production, ada)) == ["stageBegan"])
      #expect(flag.phase == "placing 1")
      #expect(try patient.judge(good) == ["evidenceNoted", "stageBegan"])
    }
  }

  @Test("a stage that can see it does not ask before its patience is over")
  func patience() throws {
    var flag = try FlagBench()
    try flag.ramp(plan(patience: .minutes(30)))
    try flag.settle()
    try flag.judge(undecided, after: 29 * 60)
    #expect(flag.phase == "watching 0")
    try flag.judge(undecided, after: 60)
    #expect(flag.phase == "asking 0")
  }

  @Test("evidence that is not believed holds the stage and never stops it; it goes on when it is believed")
  func mistrust() throws {
    var flag = try FlagBench()
    try flag.ramp()
    try flag.settle()
    #expect(try flag.judge(untrusted(.telemetry)) == ["evidenceNoted", "held"])
    #expect(flag.phase == "holding 0" && flag.share == 1_000)
    #expect(try flag.judge(untrusted(.telemetry)) == [])
    #expect(try flag.judge(untrusted(.controlSilent)) == ["evidenceNoted", "held"])
    #expect(try flag.judge(good) == ["evidenceNoted", "resumed"])
    #expect(flag.phase == "watching 0")
    #expect(try flag.judge(good) == ["evidenceNoted", "stageBegan"])
  }

  @Test("a stage whose sample was wrong begins anew when a person says so")
  func wrongSample() throws {
    var flag = try FlagBench()
    try flag.ramp()
    try flag.settle()
    try flag.judge(untrusted(.sampleRatio))
    #expect(try flag.take(.resume(production, ada)) == ["stageBegan"])
    #expect(flag.phase == "placing 0" && flag.epoch == 2 && flag.share == 1_000)
  }

  @Test("what a person holds goes on when a person says so")
  func held() throws {
    var flag = try FlagBench()
    try flag.ramp()
    #expect(try flag.take(.hold(production, ada)) == ["held"])
    #expect(try flag.take(.hold(production, ada)) == [])
    try flag.settle()
    try flag.judge(good)
    #expect(flag.phase == "holding 0")
    #expect(try flag.take(.resume(production, ada)) == ["resumed"])
    #expect(flag.phase == "watching 0")
  }

  @Test("clients that never answer are waited for no longer than the plan says, also when nobody can tell")
  func settleLimit() throws {
    var flag = try FlagBench()
    try flag.ramp()
    #expect(try flag.take(.woke(EffectKey("settle/production/1"))) == [])
    flag.clock += 60
    #expect(try flag.take(.woke(EffectKey("settle/production/1"))) == ["settled"])
    #expect(flag.phase == "watching 0" && flag.placement.course?.settled?.standing == nil)
    var told = try FlagBench()
    try told.ramp()
    told.clock += 60
    #expect(try told.take(.acknowledged(production, epoch: 1, nearly, at: told.now)) == ["settled"])
    #expect(told.placement.course?.settled?.standing == nearly)
  }

  @Test("a person stops a ramp: what was before is in force again")
  func stopped() throws {
    var flag = try FlagBench(definition(variants: ["on", "off", "blue"]))
    try flag.ramp(plan("blue", stages: [100], guardrails: 0), traffic: [])
    try flag.settle()
    try flag.judge(good)
    #expect(flag.phase == "rolledOut")
    try flag.ramp(plan("on", stages: [40, 100]))
    #expect(flag.share == 40_000 && flag.placement.allocation.size(of: "blue") == 60_000)
    #expect(try flag.take(.stopRamp(production, ada)) == ["rampStopped"])
    #expect(flag.share == 0 && flag.placement.allocation.size(of: "blue") == 100_000)
    #expect(try flag.take(.stopRamp(production, ada)) == [])
    #expect(flag.state.announcements.isEmpty)
  }

  @Test("a ramp that had no stage yet ends without anything to prove")
  func stoppedEarly() throws {
    var flag = try FlagBench()
    try flag.take(.startRamp(plan(), ada))
    try flag.take(.stopRamp(production, ada))
    #expect(flag.phase == "stopped" && flag.keys == [])
  }

  @Test("where nobody can say what is usual, the ramp begins all the same")
  func sightExhausted() throws {
    var flag = try FlagBench()
    try flag.take(.startRamp(plan(), ada))
    let names = try flag.take(.exhausted(EffectKey("sight/production/1"), why: "no route"))
    #expect(names == ["troubled", "sighted", "stageBegan"])
    #expect(flag.placement.course?.sights.first?.holds == nil)
  }

  // MARK: The switch

  @Test("a kill is off at once, ends a ramp, and is proved for every variant")
  func kill() throws {
    var flag = try FlagBench()
    try flag.ramp()
    let kill = FeatureFlag.KillRequest(
      environment: nil, attributed: .init(service: harbor, digest: hash("d")), announceTargets: 2, by: ada)
    #expect(try flag.take(.kill(kill)) == ["rampStopped", "killed"])
    #expect(!flag.placement.isOn && flag.share == 0 && flag.epoch == 3)
    #expect(flag.placement.proof == FeatureFlag.Proof(epoch: 3, variant: nil, since: flag.now))
    #expect(flag.keys.first == "prove/production/3" && flag.state.announcements.first?.targets == [0, 1])
    #expect(try flag.take(.kill(kill)) == [])
    try flag.prove()
    try flag.prove(after: 20)
    #expect(flag.phase == "stopped")
    #expect(flag.state.served(in: production)?.hasPrefix(#"{"state":"DISABLED""#) == true)
    try flag.take(.place(.init(environment: production, isOn: true, by: ada)))
    #expect(flag.phase == "still" && flag.share == 0 && flag.placement.killed == nil)
  }

  @Test("a kill of what is rolled out keeps what it was, for a person to switch on again")
  func killRolledOut() throws {
    var flag = try FlagBench()
    try flag.ramp(plan(stages: [100], guardrails: 0), traffic: [])
    try flag.settle()
    try flag.judge(good)
    try flag.take(.kill(.init(environment: production, by: ada)))
    #expect(flag.phase == "rolledOut" && !flag.placement.isOn)
    try flag.take(.place(.init(environment: production, isOn: true, by: ada)))
    #expect(flag.phase == "rolledOut" && flag.share == 100_000 && flag.placement.proof == nil)
  }

  @Test("switching off withdraws a ramp")
  func off() throws {
    var flag = try FlagBench()
    try flag.ramp()
    #expect(try flag.take(.place(.init(environment: production, isOn: false, by: ada))) == ["rampStopped", "placed"])
    #expect(flag.phase == "stopping" && flag.epoch == 3)
  }

  @Test("a change to come is made at its time, or says why not")
  func schedule() throws {
    var flag = try FlagBench()
    let later = at(3600)
    try flag.take(.schedule(.init(at: later, change: .place(staging, isOn: true), by: ada)))
    try flag.take(.schedule(.init(at: later + .seconds(1), change: .ramp(plan()), by: ada)))
    try flag.take(.schedule(.init(at: later + .seconds(2), change: .ramp(plan()), by: ada)))
    #expect(flag.keys == ["due/1"])
    #expect(try flag.take(.woke(EffectKey("due/1"))) == [])
    flag.clock = 4000
    #expect(try flag.take(.woke(EffectKey("due/1"))) == ["fellDue", "placed"])
    #expect(flag.state.placement(in: staging)?.isOn == true)
    #expect(try flag.take(.woke(EffectKey("due/2"))) == ["fellDue", "rampStarted"])
    try flag.take(.trafficTold(production, ramp: 1, [busy]))
    try flag.take(.hold(production, ada))
    // The third asks for what runs already.
    #expect(try flag.take(.woke(EffectKey("due/3"))) == ["fellDue"])
    try flag.take(.schedule(.init(at: at(9000), change: .place(staging, isOn: false), by: ada)))
    #expect(try flag.take(.unschedule(number: 4, ada)) == ["unscheduled"])
    #expect(try flag.take(.unschedule(number: 4, ada)) == [])
  }

  @Test("an hour that cannot be kept is recorded")
  func dueRefused() throws {
    var flag = try FlagBench()
    try flag.take(.schedule(.init(at: at(100), change: .ramp(plan()), by: ada)))
    try flag.take(.kill(.init(environment: nil, by: ada)))
    flag.clock = 200
    #expect(try flag.take(.woke(EffectKey("due/1"))) == ["fellDue", "dueRefused"])
    #expect(flag.keys == ["prove/production/1"])
  }

  // MARK: What it is

  @Test("revisions rise, may be restored, and two who edit do not overwrite each other")
  func revisions() throws {
    var flag = try FlagBench()
    #expect(try flag.take(.edit(.init(definition: definition("b"), over: 1, by: ada))) == ["revised"])
    #expect(try flag.take(.edit(.init(definition: definition("b"), over: 2, by: ada))) == [])
    try refused(.edit(.init(definition: definition("c"), over: 1, by: ada)), in: flag, "is at revision 2 by now, not 1")
    #expect(try flag.take(.restore(revision: 1, ada)) == ["revised"])
    #expect(flag.state.revision == 3 && flag.state.definition == definition())
    for round in 0..<30 {
      try flag.take(
        .edit(.init(definition: definition(round.isMultiple(of: 2) ? "d" : "e"), over: flag.state.revision, by: ada)))
    }
    #expect(flag.state.revisions.count == FeatureFlag.revisionLimit)
    try refused(.restore(revision: 1, ada), in: flag, "at hand, not 1")
  }

  @Test("what a repository declares is edited there, and switched, ramped and killed here")
  func declared() throws {
    var flag = try FlagBench(nil)
    func declare(_ letter: String, _ file: String = "flags/checkout.json") -> FeatureFlag.Input {
      .declare(
        .init(
          key: checkout, definition: definition(letter), file: file, commit: commit(letter), author: "Grace",
          environments: [.init(environment: production, isOn: true)]))
    }
    #expect(try flag.take(declare("a")) == ["created"])
    #expect(try flag.take(declare("a")) == [])
    #expect(try flag.take(declare("b")) == ["revised", "declared"])
    try refused(
      .edit(.init(definition: definition("c"), over: 2, by: ada)), in: flag, "is declared in flags/checkout.json")
    try refused(.archive(ada), in: flag, "is declared in flags/checkout.json")
    try flag.ramp()
    #expect(try flag.take(.kill(.init(environment: nil, by: ada))) == ["rampStopped", "killed"])
    #expect(try flag.take(.undeclare(commit: commit("e"))) == ["declared"])
    #expect(try flag.take(.edit(.init(definition: definition("c"), over: 2, by: ada))) == ["revised"])
  }

  @Test("a flag that others need is not archived; one that was is served to nobody, and keeps its name")
  func archive() throws {
    var flag = try FlagBench(definition(needs: [basket]))
    let other = FlagKey(rawValue: "other")!
    try flag.take(.claimed(by: other))
    #expect(try flag.take(.claimed(by: other)) == [])
    try refused(.archive(ada), in: flag, "is a prerequisite of other")
    try flag.take(.unclaimed(by: other))
    try flag.take(.archive(ada))
    #expect(flag.events.last == .archived(.init(actor: "Ada", reason: ada.reason, at: flag.now), releases: [basket]))
    #expect(flag.state.served(in: production) == nil && flag.keys == [])
    #expect(try flag.take(.archive(ada)) == [])
    try refused(
      .create(.init(key: checkout, definition: definition(), environments: [], by: ada)), in: flag,
      "exists already, archived")
    // Who claimed it in the same instant finds it off, and not missing.
    try flag.take(.claimed(by: other))
    #expect(flag.state.served(in: production)?.hasPrefix(#"{"state":"DISABLED""#) == true)
  }

  @Test("times that no instant could be added to are refused, now and for later; the longest one is carried out")
  func times() throws {
    func ramp(
      least: Span = .minutes(1), patience: Span = .minutes(60), settleLimit: Span = .seconds(45),
      measure: Guardrail.Measure = .errors, limit: Double = 1
    ) -> RampPlan {
      RampPlan(
        environment: production, variant: "on",
        policy: RampPolicy(
          stages: [.init(percent: 50, least: least)], guardrails: [Guardrail("errors", measure, limit: limit)]),
        patience: patience, settleLimit: settleLimit)
    }
    let flag = try FlagBench()
    let endless = Span(milliseconds: .max)
    let above = RampPlanning.longest + Span(milliseconds: 1)
    let before = Span(milliseconds: -1)
    let cases: [(RampPlan, String)] = [
      (ramp(least: endless), "more than 365 days"), (ramp(least: above), "more than 365 days"),
      (ramp(patience: endless), "more than 365 days"), (ramp(settleLimit: endless), "more than 365 days"),
      (ramp(measure: .conversion(within: endless)), "more than 365 days"),
      (ramp(measure: .conversion(within: .minutes(7 * 24 * 60 + 1))), "within 7 days at most"),
      (ramp(measure: .latency(slowerThan: endless)), "more than 365 days"),
      (ramp(measure: .conversion(within: before)), "cannot be negative"),
      (ramp(measure: .latency(slowerThan: before)), "cannot be negative"),
      (ramp(settleLimit: before), "cannot be negative"), (ramp(limit: 1e308), "factors are at most"),
    ]
    for (plan, words) in cases {
      try refused(.startRamp(plan, ada), in: flag, words)
      try refused(.schedule(.init(at: at(3600), change: .ramp(plan), by: ada)), in: flag, words)
    }
    for late in [at(3) + RampPlanning.longest, Instant(milliseconds: .max)] {
      try refused(
        .schedule(.init(at: late, change: .place(production, isOn: false), by: ada)), in: flag, "days ahead")
    }
    var longest = flag
    let most = RampPlanning.longest
    try longest.ramp(ramp(least: most, patience: most, settleLimit: most))
    #expect(longest.placement.course?.settlesBy == longest.now + most)
    try longest.settle()
    let course = try #require(longest.placement.course)
    let settled = try #require(course.settled)
    #expect(course.asksAt == settled.at + most)
  }

  @Test("what may not be says who, why and what next")
  func refusals() throws {
    let flag = try FlagBench()
    var ramping = flag
    try ramping.ramp()
    var rolledOut = flag
    try rolledOut.ramp(plan(stages: [100], guardrails: 0), traffic: [])
    try rolledOut.settle()
    try rolledOut.judge(good)
    var killed = flag
    try killed.take(.kill(.init(environment: nil, by: ada)))
    let anonymous = FeatureFlag.Signature(actor: "", reason: "x")
    let cases: [(FeatureFlag.Input, FlagBench, String)] = [
      (.create(.init(key: checkout, definition: definition("b"), environments: [], by: ada)), flag, "exists already:"),
      (
        .create(.init(key: basket, definition: definition(expiry: at(0)), environments: [], by: ada)),
        try FlagBench(nil), "would have expired on 2025-06-15T15:06:40Z"
      ),
      (
        .create(.init(key: basket, definition: definition(needs: [basket]), environments: [], by: ada)),
        try FlagBench(nil), "has itself as a prerequisite"
      ),
      (.edit(.init(definition: definition("b"), over: 1, by: anonymous)), flag, "needs a name, and a reason"),
      (.edit(.init(definition: definition("b"), over: 0, by: ada)), try FlagBench(nil), "There is no such flag"),
      (
        .edit(.init(definition: definition("b", variants: ["off"]), over: 1, by: ada)), ramping,
        "on of flag new-checkout"
      ),
      (.edit(.init(definition: definition("b", unit: "team"), over: 1, by: ada)), ramping, "would move every subject"),
      (.startRamp(plan(), .init(actor: "Ada", reason: "again")), ramping, "is being ramped in production"),
      (.startRamp(plan(), ada), rolledOut, "Everybody in production has on"),
      (.startRamp(plan(), ada), killed, "is off in production, since Ada killed it"),
      (.startRamp(plan("onn"), ada), flag, "did you mean on"),
      (.startRamp(plan(stages: [5, 1]), ada), flag, "stages that rise"),
      (.startRamp(plan(stages: []), ada), flag, "stages that rise"),
      (.advance(production, ada), flag, "No ramp of flag new-checkout is under way"),
      (.hold(staging, ada), ramping, "No ramp of flag new-checkout is under way in staging"),
      (.stopRamp(EnvironmentName(rawValue: "prodution")!, ada), flag, "did you mean production"),
      (.kill(.init(environment: EnvironmentName(rawValue: "nowhere")!, by: ada)), flag, "is not placed in nowhere"),
      (
        .place(.init(environment: production, isOn: nil, override: [.init(name: "variants", json: "{}")], by: ada)),
        flag, "is the same everywhere"
      ),
      (.schedule(.init(at: at(0), change: .place(production, isOn: false), by: ada)), flag, "has passed"),
      (.unschedule(number: 9, ada), flag, "no scheduled change 9"),
      (.archive(ada), ramping, "is ramped in production"),
    ]
    for (input, bench, words) in cases { try refused(input, in: bench, words) }
  }

  private func refused(_ input: FeatureFlag.Input, in bench: FlagBench, _ words: String) throws {
    let turn = TurnContext(now: at(bench.clock + 1), chance: 1)
    let refusal = #expect(throws: Refusal.self) { try FeatureFlag.decide(input, in: bench.state, turn) }
    let sentence = refusal?.sentence ?? ""
    #expect(sentence.contains(words), "\(sentence)")
    #expect(sentence.contains(":") || sentence.contains(". "), "no next step: \(sentence)")
  }
}
