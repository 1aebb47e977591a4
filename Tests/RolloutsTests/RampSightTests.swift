import Kernel
import Testing

@testable import Rollouts

@Suite("What configured steps show")
struct RampSightTests {
  private func policy(
    _ steps: [Rollout.Step] = [Rollout.Step(10), Rollout.Step(50), Rollout.Step(100)], holdback: Int = 5,
    preview: PreviewMatch? = nil, drill: Bool = false, scarcity: Rollout.WhenScarce = .hold,
    strategy: Rollout.Strategy = .canary
  ) throws -> Rollout.Policy {
    Rollout.Policy(
      service: try #require(ServiceName(rawValue: "harbor")),
      environment: try #require(EnvironmentName(rawValue: "production")), strategy: strategy, steps: steps,
      stepMinimum: .seconds(60), finalWatch: .minutes(5), holdback: holdback, preview: preview, drill: drill,
      judged: true, judge: JudgePolicy(sloP99: .seconds(0.25)), scarcity: scarcity, startLimit: .minutes(2),
      announceTargets: 0)
  }

  private func sight(_ policy: Rollout.Policy, at rate: Double?) -> RampSight {
    RampSight(of: policy, baselineRate: 0.001, expectedRate: rate)
  }

  private func limits(_ step: RampSight.Step) throws -> RampSight.Limits {
    guard case .unknown(let limits) = step.view else {
      Issue.record("no limits in \(step)")
      throw CancellationError()
    }
    return limits
  }
  private func outlook(_ step: RampSight.Step) throws -> RampSight.Outlook {
    guard case .expected(let outlook) = step.view else {
      Issue.record("no outlook in \(step)")
      throw CancellationError()
    }
    return outlook
  }

  @Test("below its limit a step is blind, above it is not", arguments: [0, 1, 2])
  func blindBelow(_ index: Int) throws {
    let policy = try policy()
    let limit = try #require(limits(sight(policy, at: nil).steps[index]).blindBelow)
    #expect(sight(policy, at: limit * 0.95).steps[index].isBlind)
    #expect(!sight(policy, at: limit * 1.05).steps[index].isBlind)
  }

  @Test("from its prompt rate on a step shows it within the least time", arguments: [0, 1, 2])
  func promptFrom(_ index: Int) throws {
    let policy = try policy()
    let prompt = try #require(limits(sight(policy, at: nil).steps[index]).promptFrom)
    let step = sight(policy, at: prompt * 1.05).steps[index]
    #expect(try #require(outlook(step).wait) <= step.least)
    let slower = sight(policy, at: prompt * 0.95).steps[index]
    #expect(try #require(outlook(slower).wait) > slower.least)
  }

  @Test("a larger share sees with less traffic, a smaller worsening needs more")
  func order() throws {
    let rates = try sight(policy(), at: nil).steps.map { try #require(limits($0).blindBelow) }
    #expect(rates == rates.sorted(by: >) && Set(rates).count == 3)
    let finer = try policy([Rollout.Step(10, detect: 5), Rollout.Step(100)])
    #expect(try #require(limits(sight(finer, at: nil).steps[0]).blindBelow) > rates[0])
  }

  @Test("the longest time is when-scarce's, or ten minutes, and never less than the least")
  func longest() throws {
    #expect(try sight(policy(), at: nil).steps.map(\.longest) == [.minutes(10), .minutes(10), .minutes(10)])
    #expect(
      try sight(policy(scarcity: .ask(after: .minutes(2))), at: 1).steps.map(\.longest)
        == [.minutes(2), .minutes(2), .minutes(5)])
    let long = try policy([Rollout.Step(10, minimum: .minutes(30)), Rollout.Step(100)])
    #expect(sight(long, at: nil).steps[0].longest == .minutes(30))
  }

  @Test("the last step is what a holdback leaves, for the final watch")
  func last() throws {
    let step = try #require(sight(policy(holdback: 20), at: 10).steps.last)
    #expect(step.percent == 80 && step.least == .minutes(5))
    #expect(try outlook(step).requestsPerSecond == 8)
  }

  @Test("2x is never seen after a short history, whatever the patience")
  func never() throws {
    let policy = try policy([Rollout.Step(10, minimum: .minutes(9999), detect: 2), Rollout.Step(100)])
    let step = sight(policy, at: 5).steps[0]
    #expect(try outlook(step).wait == nil)
    #expect(step.isBlind)
    #expect(step.sentence.contains("is never told from chance by so short a history"))
  }

  @Test("in words")
  func words() throws {
    func check(_ rate: Double?, _ index: Int, _ expected: String) throws {
      let sentence = try sight(policy(), at: rate).steps[index].sentence
      #expect(sentence == expected, "\(sentence)")
    }
    try check(4, 0, "10 %: at 0.40 requests/s a 20x worsening is seen in about 8 min; it lasts until then.")
    try check(4, 2, "95 %: at 3.8 requests/s a 20x worsening is seen in about 50 s, within its 5 min.")
    try check(
      2, 0,
      """
      10 %: blind: at 0.20 requests/s a 20x worsening would take 14 min; within 10 min 24x and worse \
      is seen.
      """)
    try check(
      nil, 0,
      """
      10 %: below 2.5 requests/s in all it is blind, as a 20x worsening would not be seen within 10 min; \
      from 29 on it is seen within its 60 s.
      """)
    let blueGreen = try policy([Rollout.Step(0), Rollout.Step(100)], holdback: 0, strategy: .blueGreen)
    #expect(
      sight(blueGreen, at: 4).steps[0].sentence == "0 %: only preview requests reach it; it is never judged.")
  }

  @Test("a strategy is one sentence")
  func strategies() throws {
    #expect(
      try policy(drill: true).strategySentence == """
        canary: 10 % for 60 s or more, then 50 % for 60 s or more, then 95 % while the old version keeps 5 % for 5 min \
        or more and then all. Before the first step the way back is drilled.
        """)
    let one = Rollout.Step(10, instances: 1, minimum: .minutes(5), approval: true)
    #expect(
      try policy([one, Rollout.Step(100)], holdback: 0).strategySentence
        == "canary: 10 % on 1 instance for 5 min or more until a person approves, then all traffic for 5 min or more.")
    let header = PreviewMatch.header(name: "X-Preview", value: "yes")
    #expect(
      try policy([Rollout.Step(0), Rollout.Step(100)], holdback: 0, preview: header, strategy: .blueGreen)
        .strategySentence == """
          blue/green: no traffic but requests with the header 'X-Preview: yes' for 60 s, then all traffic for 5 min or more.
          """)
    #expect(
      try policy([Rollout.Step(100)], holdback: 0, strategy: .allAtOnce).strategySentence
        == "all at once: all traffic for 5 min or more.")
  }

  @Test("without a version beside it, only the weaker promise is made")
  func guarantee() throws {
    #expect(try policy().guaranteeSentence.hasPrefix("The old version beside the new"))
    let alone = try policy([Rollout.Step(100)], holdback: 0, strategy: .allAtOnce).guaranteeSentence
    #expect(alone.contains("judged by the history alone") && alone.contains("more than 1.3x"))
  }
}
