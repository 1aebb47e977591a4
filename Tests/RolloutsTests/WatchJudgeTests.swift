import Foundation
import Kernel
import RealModule
import Testing

@testable import Rollouts

@Suite("One watch, one verdict")
struct WatchJudgeTests {
  private static let orders = WatchCheck(
    name: CheckName(rawValue: "orders-total") ?? { preconditionFailure() }(),
    question: .query(QueryCheck(query: "sum(orders)", mustBe: .above, threshold: 5, lookback: nil)),
    every: .seconds(10))

  private func watch(
    _ policy: JudgePolicy = GuardWorld.policy([], checks: [orders]), resuming: JudgeCheckpoint? = nil
  ) -> WatchJudge {
    WatchJudge(
      policy: policy, baseline: Baseline(requests: 100_000, errors: 10, slow: 10), canary: JudgeWorld.canary,
      control: JudgeWorld.control, resuming: resuming)
  }

  private func bin(_ second: Int64, errors: Int = 0, source: SourceHealth = .sound) -> EvidenceBin {
    JudgeWorld.bin(
      fromMs: second * 1000, toMs: second * 1000 + 1000, canary: RequestCounts(requests: 100, errors: errors),
      control: RequestCounts(requests: 100), source: source)
  }

  private func kind(_ verdict: Verdict) -> String {
    switch verdict {
    case .good: "good"
    case .bad(let conviction): "bad: \(conviction.rule.rawValue)"
    case .notEnoughEvidence: "wait"
    case .sourceBroken: "broken"
    }
  }

  /// A second a letter: g good, b bad, u unknown, - no answer. The verdicts after each second.
  private func check(
    _ answers: String, expecting verdicts: [String], _ location: SourceLocation = #_sourceLocation
  ) {
    var judge = watch()
    // Enough for a good verdict by requests alone.
    for second in 0..<30 as Range<Int64> { _ = judge.absorb(bin(second)) }
    var seen: [String] = []
    for (index, letter) in answers.enumerated() {
      let second = Int64(30 + index)
      let answer: CheckAnswer? =
        switch letter {
        case "g": .good
        case "b": .bad("it gives 3 where above 5 is good")
        case "u": .unknown("503")
        default: nil
        }
      if let answer { judge.answered(Self.orders.name, answer, at: Instant(milliseconds: second * 1000)) }
      seen.append(kind(judge.absorb(bin(second))))
    }
    #expect(seen == verdicts, "\(answers)", sourceLocation: location)
  }

  @Test("a check that says nothing holds, two bad answers in a row condemn, an unknown one is neither")
  func checks() {
    check("-", expecting: ["broken"])
    check("g-", expecting: ["good", "good"])
    check("gbg", expecting: ["good", "wait", "good"])
    check("gbb", expecting: ["good", "wait", "bad: check"])
    check("gugu", expecting: ["good", "broken", "good", "broken"])
    check("bub", expecting: ["wait", "broken", "bad: check"])
    check("uuuuu", expecting: Array(repeating: "broken", count: 5))
    check("bgbgbg", expecting: ["wait", "good", "wait", "good", "wait", "good"])
    check("bbg", expecting: ["wait", "bad: check", "bad: check"])
  }

  @Test("what is missing and what failed is said with its name")
  func words() {
    var judge = watch()
    for second in 0..<30 as Range<Int64> { _ = judge.absorb(bin(second)) }
    #expect(
      judge.verdict
        == .sourceBroken(
          reason: "the check 'orders-total' has said neither good nor bad for 30 s: it has not answered yet"))
    judge.answered(Self.orders.name, .unknown("prometheus: 503"), at: Instant(milliseconds: 30_000))
    #expect(
      judge.verdict
        == .sourceBroken(reason: "the check 'orders-total' has said neither good nor bad for 30 s: prometheus: 503"))
    for second in 31...32 as ClosedRange<Int64> {
      let query = QueryCheck(query: "q", mustBe: .above, threshold: 5, lookback: nil)
      judge.answered(
        Self.orders.name, CheckAnswer(.violated(3), of: query), at: Instant(milliseconds: second * 1000))
    }
    guard case .bad(let conviction) = judge.verdict else {
      Issue.record("\(judge.verdict)")
      return
    }
    #expect(
      conviction.sentence
        == "The check 'orders-total' failed 2 times in a row: 'q' gives 3.0 where above 5.0 is good.")
    #expect(CauseClass(conviction.rule) == .logic && conviction.observed.requests == 3000)
  }

  @Test("a command is good by 0, bad by 1 and unknown by anything else")
  func commands() {
    func answer(_ end: RunEnd, _ tail: String = "3 rows differ\n") -> CheckAnswer {
      CheckAnswer(end, logTail: tail, timeLimit: .seconds(30))
    }
    #expect(answer(.exited(code: 0)) == .good)
    #expect(answer(.exited(code: 1)) == .bad("it ended with 1 where 0 is good; it said: 3 rows differ"))
    #expect(answer(.exited(code: 1), "") == .bad("it ended with 1 where 0 is good; it said nothing"))
    for end in [RunEnd.exited(code: 2), .exited(code: 127), .signalled(number: 9), .timedOut, .cancelled] {
      guard case .unknown(let why) = answer(end) else {
        Issue.record("\(end) is \(answer(end))")
        continue
      }
      #expect(why.hasPrefix("it "))
    }
  }

  @Test("whoever is convinced first decides, and it stays decided")
  func first() {
    var judge = watch(GuardWorld.policy())
    for second in 0..<20 as Range<Int64> { _ = judge.absorb(bin(second, errors: 30)) }
    #expect(kind(judge.verdict) == "bad: errorRate")
    judge.routed(GuardShares(canary: 90, control: 10, since: Instant(milliseconds: 20_000)))
    for second in 20..<120 as Range<Int64> { _ = judge.absorb(bin(second)) }
    #expect(kind(judge.verdict) == "bad: errorRate")

    var other = watch(GuardWorld.policy())
    other.routed(GuardShares(canary: 90, control: 10, since: Instant(milliseconds: 0)))
    for second in 0..<40 as Range<Int64> { _ = other.absorb(bin(second)) }
    #expect(kind(other.verdict) == "bad: throughput")
    for second in 40..<60 as Range<Int64> { _ = other.absorb(bin(second, errors: 30)) }
    #expect(kind(other.verdict) == "bad: throughput")
  }

  @Test("a guard that is told nothing is inconclusive and says of what, since when")
  func blind() throws {
    /// - Parameter seen: versions whose instances are looked at.
    func sentence(
      _ rules: [Rule], _ seen: [DeploymentID], seconds: Int64 = 60, limit: Int64? = GuardWorld.limit
    ) -> String? {
      var judge = watch(GuardWorld.policy(rules))
      for second in 0..<seconds {
        let at = Instant(milliseconds: second * 1000)
        let usages = seen.map {
          InstanceUsage(deployment: $0, instance: 0, run: 1, residentBytes: 200_000_000, processorSeconds: 0)
        }
        judge.measured(usages, limit: limit, at: at)
        _ = judge.absorb(bin(second))
      }
      guard case .notEnoughEvidence(let scarcity) = judge.verdict else { return nil }
      return scarcity.sentence
    }
    let both = [JudgeWorld.canary, JudgeWorld.control]
    #expect(sentence(Rule.guards, both) == nil, "all figures come")
    #expect(sentence(Rule.guards, [], seconds: 25) == nil, "two windows have not passed")
    #expect(sentence([.throughput], []) == nil, "it needs none")
    #expect(sentence([.memory], [], limit: nil) == nil, "without a limit it has nothing to say")
    #expect(sentence([.memory], [])?.contains("the guard 'memory' cannot judge") == true, "a limit and no figures")
    #expect(
      sentence(Rule.guards, [])
        == "The platform has told nothing of what the new version's instances use for 50 s: the guards 'memory' and "
        + "'processor' cannot judge. Turn them off under 'guards' where it never does.")
    #expect(sentence([.memory], [JudgeWorld.canary])?.contains("the old version's instances") == true)
  }

  @Test("a broken source is no evidence for guards either")
  func broken() {
    var judge = watch(GuardWorld.policy())
    judge.routed(GuardShares(canary: 90, control: 10, since: Instant(milliseconds: 0)))
    for second in 0..<60 as Range<Int64> {
      #expect(kind(judge.absorb(bin(second, source: .broken(reason: "cut")))) == "broken")
    }
  }

  @Test("a restart at any second changes nothing")
  func resumes() throws {
    var whole = watch(GuardWorld.policy())
    var restarted = whole
    let shares = GuardShares(canary: 50, control: 50, since: Instant(milliseconds: 0))
    whole.routed(shares)
    for second in 0..<200 as Range<Int64> {
      let usages = [(JudgeWorld.canary, 200e6 + 2e6 * Double(second)), (JudgeWorld.control, 200e6)].map {
        InstanceUsage(deployment: $0.0, instance: 0, run: 1, residentBytes: Int64($0.1), processorSeconds: 0)
      }
      restarted = watch(
        GuardWorld.policy(),
        resuming: second == 0
          ? nil : try JSONDecoder().decode(JudgeCheckpoint.self, from: JSONEncoder().encode(restarted.checkpoint)))
      restarted.routed(shares)
      let at = Instant(milliseconds: second * 1000)
      whole.measured(usages, limit: GuardWorld.limit, at: at)
      restarted.measured(usages, limit: GuardWorld.limit, at: at)
      #expect(whole.absorb(bin(second)) == restarted.absorb(bin(second)), "second \(second)")
    }
    #expect(kind(whole.verdict) == "bad: memory" && whole.checkpoint == restarted.checkpoint)
  }

  @Test("events of before there were guards mean none, and are written as they were")
  func wire() throws {
    let plain = JudgePolicy(sloP99: .seconds(0.3))
    let wire = try JSONEncoder().encode(plain)
    #expect(!String(decoding: wire, as: UTF8.self).contains("guards"))
    #expect(try JSONDecoder().decode(JudgePolicy.self, from: wire) == plain)
    let guarded = GuardWorld.policy(checks: [Self.orders])
    #expect(try JSONDecoder().decode(JudgePolicy.self, from: JSONEncoder().encode(guarded)) == guarded)
    #expect(watch(plain).checkpoint.guards == nil)
    #expect(
      Rule.allCases.map(\.rawValue).joined(separator: " ")
        == "errorRate latency ceiling throughput memory processor check")
  }

  @Test("rules and guards spend one budget")
  func budget() {
    for rules in [[Rule](), [.memory], Rule.guards] {
      let policy = GuardWorld.policy(rules)
      let plan = JudgePlan(policy: policy, baseline: Baseline(requests: 100, errors: 0, slow: 0))
      let guards = Guards(policy.guards ?? GuardPolicy(), of: policy)
      let spent = plan.lines.map(\.threshold) + guards.evidence.map(\.threshold)
      #expect(abs(spent.reduce(0) { $0 + 1 / Double.exp($1) } - policy.falseRollbackBudget) < 1e-12)
    }
  }
}
