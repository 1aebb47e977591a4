import Kernel
import Rollouts
import Testing

@testable import PlimsollFile

/// Production, judged unless `lines` say otherwise.
private func policy(_ lines: String...) throws -> Rollout.Policy {
  let text = file("instances: 4", then: production(lines))
  return try #require(parse(text).topology.services.first?.environments.first?.rollout)
}

private func production(_ lines: [String]) -> String {
  (["environments:", "  - name: production"] + lines.map { "    \($0)" }).joined(separator: "\n")
}

/// The one problem stands in the first of `lines` (line 11), at `column`.
private func check(
  _ lines: String..., at column: Int, _ expected: String, _ location: SourceLocation = #_sourceLocation
) {
  let found = problems(file("instances: 4", then: production(lines)))
  #expect(found.count == 1, "\(found)", sourceLocation: location)
  #expect(found.first?.line == 11 && found.first?.column == column, "\(found)", sourceLocation: location)
  #expect(found.first?.sentence.contains(expected) == true, "\(found)", sourceLocation: location)
}

/// The one warning begins so.
private func check(
  _ lines: String..., warns expected: String, _ location: SourceLocation = #_sourceLocation
) throws {
  let found = try parse(file("instances: 4\nslo: { p99: 1s }", then: production(lines))).warnings.map(\.description)
  #expect(found.count == 1 && found.first?.hasPrefix(expected) == true, "\(found)", sourceLocation: location)
}

@Suite("Strategies in plimsoll.yaml") struct StrategyTests {
  @Test("each strategy has its steps")
  func defaults() throws {
    func check(_ lines: String, _ strategy: Rollout.Strategy, _ steps: [Rollout.Step], holdback: Int) throws {
      let policy = try policy(lines)
      #expect(policy.strategy == strategy && policy.steps == steps && policy.holdback == holdback, "\(lines)")
      #expect(policy.fault == nil)
    }
    let canary = [Rollout.Step(10), Rollout.Step(50), Rollout.Step(100)]
    try check("judged: true", .canary, canary, holdback: 5)
    try check("judged: false", .allAtOnce, [Rollout.Step(100)], holdback: 0)
    try check("strategy: canary", .canary, canary, holdback: 5)
    try check("strategy: blue-green", .blueGreen, [Rollout.Step(0, minimum: .zero), Rollout.Step(100)], holdback: 0)
    try check("strategy: all-at-once", .allAtOnce, [Rollout.Step(100)], holdback: 0)
    try check("steps: [100]", .allAtOnce, [Rollout.Step(100)], holdback: 0)
    try check("steps: [0, 100]", .blueGreen, [Rollout.Step(0), Rollout.Step(100)], holdback: 0)
    try check("steps: [20%, 100]", .canary, [Rollout.Step(20), Rollout.Step(100)], holdback: 5)
    try check("steps: [97, 100]", .canary, [Rollout.Step(97), Rollout.Step(100)], holdback: 2)
  }

  @Test("blue-green waits at 0 % only for those who preview it")
  func previewTime() throws {
    let policy = try policy("strategy: blue-green", "preview: { cookie: preview=yes }")
    #expect(policy.steps == [Rollout.Step(0), Rollout.Step(100)])
  }

  @Test("a step says what it needs")
  func steps() throws {
    let policy = try policy(
      "steps:", "  - { share: 10%, instances: 1, minimum: 5m, detect: 5, approve: true }",
      "  - { share: 10, detect: 2.5 }",
      "  - 50%", "  - 100")
    #expect(
      policy.steps == [
        Rollout.Step(10, instances: 1, minimum: .minutes(5), detect: 5, approval: true), Rollout.Step(10, detect: 2.5),
        Rollout.Step(50), Rollout.Step(100),
      ])
    #expect(policy.fault == nil)
  }

  @Test("who says strategy or steps nearer says both")
  func nearer() throws {
    func policy(_ environment: String, _ place: String) throws -> Rollout.Policy {
      let text = file("environments:\n  production: { \(place) }", then: production([environment]))
      return try #require(parse(text).topology.services.first?.environments.first?.rollout)
    }
    #expect(try policy("steps: [5, 100]", "strategy: all-at-once").steps == [Rollout.Step(100)])
    #expect(try policy("strategy: blue-green", "steps: [5, 100]").strategy == .canary)
    #expect(try policy("strategy: blue-green", "keep: 2").strategy == .blueGreen)
    #expect(try policy("holdback: 20%", "holdback: 0").holdback == 0)
    #expect(try policy("rollback: { needless: 1% }", "rollback: { costs: {} }").judge.falseRollbackBudget < 0.005)
    #expect(try policy("rollback: { costs: {} }", "rollback: { needless: 1% }").judge.falseRollbackBudget == 0.01)
  }

  @Test("holdback, preview, drill and asking")
  func others() throws {
    let full = try policy(
      "holdback: 20%", "preview: { header: 'X-Preview: to all' }", "drill: true", "when-scarce: ask after 30m")
    #expect(full.holdback == 20 && full.drill)
    #expect(full.preview == .header(name: "X-Preview", value: "to all"))
    #expect(full.scarcity == .ask(after: .minutes(30)))
    #expect(try policy("preview: { cookie: 'a=b=c' }").preview == .cookie(name: "a", value: "b=c"))
    #expect(try policy("holdback: 3").holdback == 3)
    #expect(try policy("when-scarce: advance after 0").scarcity == .advance(after: .zero))
  }

  @Test("strategy and steps, as they should not be")
  func wrongSteps() {
    check(
      "strategy: blue-gren", at: 15,
      "strategy: expected one of canary, blue-green, all-at-once, found 'blue-gren'; did you mean 'blue-green'?")
    check("stratgy: canary", at: 5, "unknown key 'stratgy'; did you mean 'strategy'?")
    check(
      "steps: [50, 10, 100]", at: 17,
      "expected rising percents that end with 100, for example [10, 50, 100], found 10% after 50%")
    check("steps: [10, 50]", at: 12, "expected rising percents that end with 100")
    check("steps: []", at: 12, "expected rising percents that end with 100")
    check("steps: 10", at: 12, "steps: expected a list, found '10'")
    check("steps: [101]", at: 13, "expected a whole percent from 0 to 100, such as 10 or 10%, found '101'")
    check("steps: [12.5%, 100]", at: 13, "expected a whole percent from 0 to 100, such as 10 or 10%, found '12.5%'")
    check("steps: [10, 10, 100]", at: 17, "10% stands here twice; a step may repeat a share only with more instances")
    check(
      "steps: [{ share: 10%, instances: 2 }, { share: 20%, instances: 1 }, 100]", at: 43,
      "a step may not have fewer instances than the one before")
    check("steps: [{ shar: 10% }, 100]", at: 15, "unknown key 'shar'; did you mean 'share'?")
    check("steps: [{ minimum: 5m }, 100]", at: 13, "a step needs its share, for example")
    check("steps: [{ share: 10%, instances: 0 }, 100]", at: 38, "expected a whole number from 1 to 32, found '0'")
    check("steps: [{ share: 10%, minimum: soon }, 100]", at: 36, "expected a duration such as 250ms")
    check("steps: [{ share: 10%, detect: 1 }, 100]", at: 35, "expected a number from 1.5 to 1000.0, found '1'")
    check("steps: [{ share: 10%, approve: maybe }, 100]", at: 36, "expected true or false, found 'maybe'")
    check("steps: [{ share: 0%, detect: 5 }, 100]", at: 34, "a step of 0% is never judged")
    check("steps: [10, { share: 100%, instances: 2 }]", at: 17, "the last step has all traffic and needs all instances")
    check("steps: [10, { share: 100%, minimum: 5m }]", at: 17, "the last step's time is 'final-watch'")
    check("steps: [\(String(repeating: "10, ", count: 20))100]", at: 12, "expected at most 20 steps, found 21")
    check(
      "steps: [10, 100]", "strategy: blue-green", at: 12, "blue-green goes from 0% to 100% and knows no share between")
    check(
      "steps: [10, 100]", "strategy: all-at-once", at: 12,
      "all-at-once has one step, so expected [100%], found [10%, 100%]")
    check("steps: [100]", "strategy: canary", at: 12, "a canary needs a step between 0% and 100%")
  }

  @Test("a holdback that cannot be kept is refused, and says why")
  func wrongHoldback() {
    check("holdback: 50%", at: 15, "expected a whole percent from 0% to 49%, such as 5%, found '50%'")
    check("holdback: some", at: 15, "expected a whole percent from 0% to 49%")
    check(
      "holdback: 5%", "strategy: blue-green", at: 15,
      "services.harbor in production: a holdback of 5% leaves requests with the old version, and blue-green moves all")
    check("holdback: 5%", "strategy: all-at-once", at: 15, "and all-at-once has no version beside the new one")
    check("holdback: 5%", "judged: false", "strategy: canary", at: 15, "and nothing is judged here")
    check("holdback: 5%", "steps: [95, 100]", at: 15, "leaves 95% for the last step, which is no more than the 95%")
  }

  @Test("previews that no proxy should be told")
  func wrongPreview() {
    check("preview: yes", at: 14, "preview: expected keys and values, found 'yes'")
    check("preview: {}", at: 14, "expected either 'header:")
    check("preview: { header: 'A: b', cookie: a=b }", at: 14, "expected either 'header:")
    check("preview: { heder: 'A: b' }", at: 16, "unknown key 'heder'; did you mean 'header'?")
    check("preview: { header: X-Preview }", at: 24, "expected a name, ':' and a value such as 'X-Preview: yes'")
    check("preview: { cookie: preview }", at: 24, "expected a name, '=' and a value such as 'preview=yes'")
    check("preview: { header: { X-Preview: yes } }", at: 24, "expected a text, found keys and values")
    check("preview: { header: 'X Preview: yes' }", at: 24, "the header's name 'X Preview' is not 1 to 64 letters")
    check("preview: { header: ': yes' }", at: 24, "the header's name '' is not")
    check("preview: { header: 'X-Preview: ' }", at: 24, "the value of header X-Preview has 0 bytes")
    check("preview: { header: \"X-Preview: a\\nHost: b\" }", at: 24, "the value of header X-Preview may hold visible")
    check("preview: { header: \"X-Pre\\nview: a\" }", at: 24, "the header's name 'X-Pre?view'")
    check("preview: { header: 'X-Preview: \u{e9}' }", at: 24, "the value of header X-Preview may hold visible ASCII")
    check("preview: { header: 'X-Preview: a\\b' }", at: 24, "expected no quotes and backslashes within")
    check("preview: { header: 'X-Preview: \"a\"' }", at: 24, "expected no quotes and backslashes within")
    check("preview: { cookie: 'preview=a b' }", at: 24, "the value of cookie preview may hold")
    check("preview: { cookie: 'preview=a;b' }", at: 24, "the value of cookie preview may hold")
    check("preview: { header: 'Cookie: a=b' }", at: 24, "write 'cookie: \"NAME=VALUE\"'")
    check("preview: { header: 'X-Preview: \(String(repeating: "a", count: 300))' }", at: 24, "has 300 bytes")
  }

  @Test("other keys, as they should not be")
  func wrongOthers() {
    check("drill: often", at: 12, "drill: expected true or false, found 'often'")
    check("when-scarce: never", at: 18, "expected 'hold', 'advance after 30m' or 'ask after 30m', found 'never'")
    check("when-scarce: ask after tea", at: 18, "expected 'hold', 'advance after 30m' or 'ask after 30m'")
    check("traffic: some", at: 14, "traffic: expected a number from 0.001 to 1000000.0, found 'some'")
    check("traffic: 0", at: 14, "traffic: expected a number from 0.001")
    check("baseline: often", at: 15, "baseline: expected a share such as 5% or 0.05, found 'often'")
    check("trafic: 4", at: 5, "unknown key 'trafic'; did you mean 'traffic'?")
  }

  @Test("what is legal and probably not meant")
  func warnings() throws {
    try check(
      "steps: [{ share: 10%, instances: 4 }, 100]",
      warns: "plimsoll.yaml:12:13: warning: services.harbor in production: the step of 10% asks for 4 of 4 instances")
    try check(
      "judged: false", "steps: [{ share: 10%, detect: 5 }, 100]",
      warns: "plimsoll.yaml:13:13: warning: services.harbor in production: nothing is judged here, so 'detect'")
    try check(
      "strategy: all-at-once", "preview: { cookie: a=b }",
      warns: "plimsoll.yaml:13:14: warning: services.harbor in production: a preview needs a step before 100%")
    try check(
      "strategy: blue-green", "drill: true",
      warns: "plimsoll.yaml:12:15: warning: services.harbor in production: the drill moves all traffic")
  }

  @Test("a blind step is a warning where it stands, when the traffic is told")
  func blind() throws {
    try check(
      "steps: [10, 50, 100]", "traffic: 2",
      warns:
        "plimsoll.yaml:12:13: warning: services.harbor in production: step 1, 10 %: blind: at 0.20 requests/s a 20x")
    try check(
      "traffic: 2", warns: "plimsoll.yaml:2:3: warning: services.harbor in production: step 1, 10 %: blind")
    try check(
      "traffic: 40", "baseline: 0.1%", "steps: [{ share: 10%, detect: 2 }, 100]",
      warns: "plimsoll.yaml:14:13: warning: services.harbor in production: step 1, 10 %: blind: at 4.0 requests/s a 2x")
    #expect(try parse(file("slo: { p99: 1s }", then: production(["traffic: 40"]))).warnings.isEmpty)
    #expect(try parse(file("slo: { p99: 1s }", then: production([]))).warnings.isEmpty)
  }
}
