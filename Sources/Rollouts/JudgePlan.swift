import Kernel
import Statistics

/// The tests that a policy and a baseline call for, and how the false-rollback budget is split among them: what guards
/// leave of it (`GuardPolicy.budgetLeft`).
///
/// All three of the article's rules are one kind of test, "is the share of bad requests worse than tolerated?":
///
/// | rule | bad request | never worse up to | or, if more, up to |
/// |---|---|---|---|
/// | `errorRate` | error | `errorFloor` | the policy's `tolerance` (1.3) times the baseline's rate |
/// | `latency` | slower than `slowerThan` | 1 %, which is what P99 means | the same of the baseline's rate |
/// | `ceiling` | error | the policy's ceiling | |
///
/// The evidence is the least of the two tests': an e-process against either claim. Alternatives below `errorRatio` get
/// no weight. Without a baseline (first deployment) there is no `errorRate` rule and the others share its budget.
package struct JudgePlan: Equatable, Sendable {
  /// Error rates up to one in two thousand are never called worse: it keeps a few errors after a spotless baseline from
  /// deciding. The usual availability target of 99.9 % cannot be the floor: 5x of 0.05 % must be seen (research §2.6).
  package static let errorFloor = 0.0005
  /// Worsenings are planned and told as multiples of the baseline, but of no less than this, the usual availability
  /// target (99.9 %): below it a canary would wait for proof of what hardly hurts.
  package static let planningFloor = 0.001
  /// P99 above T means that more than one request in a hundred is slower than T.
  package static let slowFloor = 0.01
  /// Twentieths of the budget. Nearly every bad release fails requests; a slow or failing canary gives the other two
  /// their 0.7 more nats than at a tenth within one bad request.
  private static let shares: [Rule: Double] = [.errorRate: 18, .latency: 1, .ceiling: 1]

  /// How one rule is tested.
  package struct Line: Equatable, Sendable {
    package let rule: Rule
    /// All must be convinced.
    package let tests: [RegressionTest]
    /// ln(1 / the rule's share of the budget).
    package let threshold: Double
    /// The rate to plan with: the baseline's, but at least `planningFloor`; the ceiling for `ceiling`.
    package let planningRate: Double
    package let smallestRatio: Double
    /// What the old version may have at most without an incident: the baseline's rate with its tolerance, or what is
    /// tolerated without one.
    let usualRate: Double
    /// Whether the rate fluctuates by itself, so that windows of time are told apart.
    package var isFluctuating: Bool { tests.contains { $0.spread > 0 } }
    /// No single bad request is more evidence than this.
    package var mostOfOne: Double { tests[0].alternatives.mostOfOne }
  }

  /// Sorted by rule.
  package let lines: [Line]

  package init(policy: JudgePolicy, baseline: Baseline) {
    let rules = Rule.ofRequests.filter { $0 != .errorRate || baseline.requests > 0 }
    let total = rules.reduce(0.0) { $0 + JudgePlan.shares[$1, default: 0] }
    let budget = policy.budget * (policy.guards?.budgetLeft ?? 1)
    lines = rules.map { rule in
      let share = budget * JudgePlan.shares[rule, default: 0] / total
      return JudgePlan.line(rule, policy, baseline, threshold: MixtureWindows.threshold(budget: share))
    }
  }

  private static func line(_ rule: Rule, _ policy: JudgePolicy, _ baseline: Baseline, threshold: Double) -> Line {
    let alternatives = Alternatives(from: rule == .errorRate ? policy.errorRatio : Alternatives.smallestRatio)
    let usual = rule == .latency ? baseline.usualSlowness : baseline.usualErrors
    let tolerated =
      switch rule {
      case .errorRate: errorFloor
      case .latency: slowFloor
      case .ceiling, .throughput, .memory, .processor, .check:
        min(max(policy.ceiling, JudgePolicy.ceilings.lowerBound), JudgePolicy.ceilings.upperBound)
      }
    let tolerance = min(max(policy.tolerance, JudgePolicy.tolerances.lowerBound), JudgePolicy.tolerances.upperBound)
    // The spread was learnt at the usual rate. Crowds as large as the history's, and more of them, make a rate of
    // `tolerated` fluctuate less by the same factor: gamma variables of one scale grow with their shape, so a history
    // that keeps below `tolerated` is dominated by windows of that mean and its own scale. With the whole spread one
    // second of slow requests in the history hid a version that was slow for minutes.
    let counted = usual.requests > 0 ? usual.events / usual.requests : 0
    let spread = usual.spread * min(counted / tolerated, 1)
    var tests = [RegressionTest(knownRate: tolerated, spread: spread, alternatives: alternatives)]
    if rule != .ceiling, usual.requests > 0 {
      tests.append(
        RegressionTest(
          earlierEvents: usual.events, earlierTrials: usual.requests, tolerance: min(tolerance, policy.errorRatio),
          spread: usual.spread, alternatives: alternatives))
    }
    let usualRate = usual.requests > 0 ? tolerance * (usual.events + 1) / usual.requests : tolerated
    // The one that is harder to convince first: it is mostly the only one asked.
    tests.sort { $0.nullRate > $1.nullRate }
    return Line(
      rule: rule, tests: tests, threshold: threshold,
      planningRate: min(tests.reduce(planningFloor) { max($0, $1.usualRate) }, 1),
      smallestRatio: alternatives.ratios[0], usualRate: usualRate)
  }

  /// The line that power is planned for: errors against the baseline, or against the ceiling without one.
  private var planned: Line? { lines.first { $0.rule == .errorRate } ?? lines.first { $0.rule == .ceiling } }

  /// Nats that the share of one window of recent time costs.
  static let recentCost = -MixtureWindows.combined(whole: -.infinity, recent: 0)

  /// Requests after which half of all canaries with a steady worsening by `ratio` are convicted; nil when there is no
  /// room above the rate.
  ///
  /// - Parameters:
  ///   - viewCost: what the share of the view that is to convict costs, in nats.
  ///   - requestsPerSecond: on the canary, where a rate that fluctuates is to be reckoned with; without, it is read as
  ///     steady.
  package func requests(
    toSee ratio: Double, viewCost: Double = MixtureWindows.wholeCost, requestsPerSecond: Double? = nil
  ) -> Int? {
    guard let planned else { return nil }
    guard planned.isFluctuating, let requestsPerSecond else {
      return requests(toSee: ratio, planned, planned.tests.map(\.asIfSteady), viewCost)
    }
    var most = 0
    for test in planned.tests {
      guard
        let needed = SampleSize.requests(
          at: min(ratio * planned.planningRate, 1), test: test, threshold: planned.threshold + viewCost,
          perWindow: requestsPerSecond * Judge.window.seconds)
      else { return nil }
      most = max(most, needed)
    }
    return most
  }

  /// Requests that *good* needs. Where the history fluctuates too much to show a worsening by `ratio` ever, as many as
  /// would if it were steady, and where it is too short, as many as would if it were exactly known: waiting longer tells
  /// no more. A worsening of less than `errorRatio` is not looked for.
  ///
  /// - Parameter requestsPerSecond: as of `requests(toSee:)`.
  func requestsForGood(toSee ratio: Double, viewCost: Double, requestsPerSecond: Double? = nil) -> Int? {
    guard let planned else { return nil }
    let ratio = max(ratio, planned.smallestRatio)
    return requests(toSee: ratio, viewCost: viewCost, requestsPerSecond: requestsPerSecond)
      ?? requests(toSee: ratio, planned, planned.tests.map(\.asIfSteady), viewCost)
      ?? requests(toSee: ratio, planned, planned.tests.map(\.asIfKnown), viewCost)
  }

  private func requests(
    toSee ratio: Double, _ planned: Line, _ tests: [RegressionTest], _ viewCost: Double
  ) -> Int? {
    let rate = min(ratio * planned.planningRate, 1)
    var most = 0
    for test in tests {
      guard let needed = SampleSize.requests(at: rate, test: test, threshold: planned.threshold + viewCost)
      else { return nil }
      most = max(most, needed)
    }
    return most
  }

  /// The smallest worsening that half of all canaries show within `requests`; nil when none would.
  ///
  /// - Parameter windows: of `Judge.window`, in which the requests came; 0 reads a fluctuating rate as steady.
  package func detectableRatio(
    within requests: Int, viewCost: Double = MixtureWindows.wholeCost, windows: Int = 0
  ) -> Double? {
    guard let planned else { return nil }
    return SampleSize.detectableRatio(
      within: requests, of: planned.planningRate,
      tests: windows == 0 ? planned.tests.map(\.asIfSteady) : planned.tests,
      threshold: planned.threshold + viewCost, smallest: planned.smallestRatio, windows: windows)
  }
}
