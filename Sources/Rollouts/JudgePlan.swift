import Kernel
import Statistics

/// The tests that a policy and a baseline call for, and how the false-rollback budget is split among them.
///
/// All three of the article's rules are one kind of test, "is the share of bad requests worse than tolerated?":
///
/// | rule | bad request | tolerated | or, if more, |
/// |---|---|---|---|
/// | `errorRate` | error | `errorFloor` | the baseline's rate |
/// | `latency` | slower than `slowerThan` | 1 %, which is what P99 means | the baseline's rate |
/// | `ceiling` | error | the policy's ceiling | |
///
/// Alternatives below `errorRatio` get no weight, so a mere 1.2x drift, however long, rolls nothing back: at the
/// default 2x the evidence begins to grow at 1 / ln 2 = 1.44 times the tolerated rate. Without a baseline (first
/// deployment) there is no `errorRate` rule and the others share its budget.
package struct JudgePlan: Equatable, Sendable {
  /// Error rates up to one in a thousand are never called worse: it keeps one error after a spotless baseline from
  /// deciding, and is the usual availability target (99.9 %).
  package static let errorFloor = 0.001
  /// P99 above T means that more than one request in a hundred is slower than T.
  package static let slowFloor = 0.01
  /// Tenths of the budget. Nearly every bad release fails requests; the other two lose 0.7 more nats at a tenth than
  /// at a fifth, which a slow or failing canary gives within one bad request.
  private static let shares: [Rule: Double] = [.errorRate: 8, .latency: 1, .ceiling: 1]

  /// How one rule is tested.
  package struct Line: Equatable, Sendable {
    package let rule: Rule
    package let test: RegressionTest
    /// ln(1 / the rule's share of the budget).
    package let threshold: Double
    /// The rate to plan with: tolerated or, if more, the baseline's upper bound.
    package let planningRate: Double
    package let smallestRatio: Double
  }

  /// Sorted by rule.
  package let lines: [Line]

  package init(policy: JudgePolicy, baseline: Baseline) {
    let rules = Rule.allCases.filter { $0 != .errorRate || baseline.requests > 0 }
    let total = rules.reduce(0.0) { $0 + JudgePlan.shares[$1, default: 0] }
    let budget = min(max(policy.falseRollbackBudget, JudgePolicy.budgets.lowerBound), JudgePolicy.budgets.upperBound)
    lines = rules.map { rule in
      let share = budget * JudgePlan.shares[rule, default: 0] / total
      return JudgePlan.line(rule, policy, baseline, threshold: MixtureWindows.threshold(budget: share))
    }
  }

  private static func line(_ rule: Rule, _ policy: JudgePolicy, _ baseline: Baseline, threshold: Double) -> Line {
    let smallest = rule == .errorRate ? policy.errorRatio : MixtureTest.standardRatios[0]
    let ratios = [smallest] + MixtureTest.standardRatios.filter { $0 > smallest }
    let tolerated: Double
    let events: Int
    let bound: Double
    switch rule {
    case .errorRate: (tolerated, events, bound) = (errorFloor, baseline.errors, baseline.errorRateUpperBound)
    case .latency: (tolerated, events, bound) = (slowFloor, baseline.slow, baseline.slowRateUpperBound)
    case .ceiling:
      let ceiling = min(max(policy.ceiling, JudgePolicy.ceilings.lowerBound), JudgePolicy.ceilings.upperBound)
      (tolerated, events, bound) = (ceiling, 0, 0)
    }
    let trials = rule == .ceiling ? 0 : baseline.requests
    return Line(
      rule: rule,
      test: RegressionTest(tolerated: tolerated, earlierEvents: events, earlierTrials: trials, ratios: ratios),
      threshold: threshold, planningRate: max(tolerated, trials == 0 ? 0 : bound), smallestRatio: smallest)
  }

  /// The line that power is planned for: errors against the baseline, or against the ceiling without one.
  private var planned: Line? { lines.first { $0.rule == .errorRate } ?? lines.first { $0.rule == .ceiling } }

  /// Nats that the share of one window of recent time costs.
  static let recentCost = -MixtureWindows.combined(whole: -.infinity, recent: 0)

  /// Requests after which a worsening by `ratio` is expected to convict; nil when there is no room above the rate.
  ///
  /// - Parameter viewCost: what the share of the view that is to convict costs, in nats.
  package func requests(toSee ratio: Double, viewCost: Double = MixtureWindows.wholeCost) -> Int? {
    guard let planned else { return nil }
    return SampleSize.requests(
      toSee: ratio, nullRate: planned.planningRate, threshold: planned.threshold + viewCost,
      alternatives: planned.test.alternatives)
  }

  /// The smallest worsening expected to have convicted after `requests`; nil when none would.
  package func detectableRatio(within requests: Int, viewCost: Double = MixtureWindows.wholeCost) -> Double? {
    guard let planned else { return nil }
    return SampleSize.detectableRatio(
      within: requests, nullRate: planned.planningRate, threshold: planned.threshold + viewCost,
      alternatives: planned.test.alternatives, smallest: planned.smallestRatio)
  }
}
