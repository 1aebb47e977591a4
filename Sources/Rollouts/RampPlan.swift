import Kernel

/// Steps and how long each must last so that a wanted worsening would be seen before the next: the other way round of
/// `DetectableEffect`.
///
/// How many requests the judge needs does not depend on the share, so a smaller first step hurts nobody less by a slow
/// regression; it hurts fewer by one that fails at once, and costs time. The plan therefore begins with the smallest
/// share of `shares` whose step fits into `longestStep`, and grows by at most `growth`.
package struct RampPlan: Codable, Equatable, Sendable {
  package struct Step: Codable, Equatable, Sendable {
    /// 1 to 100.
    package let percent: Int
    package let requestsPerSecond: Double
    /// From the router's confirmation.
    package let lasts: Span
    /// What this step alone would show by its end.
    package let detectable: DetectableEffect
  }

  package let wantedRatio: Double
  /// Empty when no step can show it in time.
  package let steps: [Step]
  /// The smallest worsening that one step with all traffic shows within `longestStep`; nil when none does.
  package let smallestRatio: Double?

  /// The article's ramp, and the shares between that people configure.
  package static let shares = [1, 2, 5, 10, 20, 25, 50, 100]
  /// From one step to the next at most: 1, 5, 25, 100 % of the article grows so.
  package static let growth = 5
  /// Long enough for most, short enough that a person does not wait for it.
  package static let defaultLongestStep = Span.minutes(10)

  /// - Parameters:
  ///   - ratio: the worsening of the error rate to be seen at every step; at least the policy's `errorRatio`, which is
  ///     the least that counts.
  ///   - totalRequestsPerSecond: of old and new together, above 0.
  ///   - baseline: as for the judge; without requests the ceiling is planned with.
  ///   - atLeast: no step is shorter.
  package init(
    toSee ratio: Double, totalRequestsPerSecond total: Double, baseline: Baseline, policy: JudgePolicy,
    atLeast: Span = .zero, longestStep: Span = defaultLongestStep
  ) {
    let plan = JudgePlan(policy: policy, baseline: baseline)
    wantedRatio = max(ratio, policy.errorRatio)
    smallestRatio = plan.detectableRatio(within: Int(min(total * longestStep.seconds, Double(Int32.max))))
    guard total > 0, let needed = plan.requests(toSee: wantedRatio) else {
      steps = []
      return
    }
    let requests = Double(max(needed, policy.minimumRequests))
    func step(_ percent: Int) -> Step {
      let rate = total * Double(percent) / 100
      // In whole seconds: nobody configures less.
      let lasts = max(Span.seconds(min((requests / rate).rounded(.up), 1e9)), atLeast)
      return Step(
        percent: percent, requestsPerSecond: rate, lasts: lasts,
        detectable: DetectableEffect(requestsPerSecond: rate, baseline: baseline, policy: policy))
    }
    guard let first = RampPlan.shares.first(where: { step($0).lasts <= longestStep }) else {
      steps = []
      return
    }
    var percents = [first]
    while let last = percents.last, last < 100 {
      let next = RampPlan.shares.last { $0 > last && $0 <= last * RampPlan.growth }
      percents.append(next ?? 100)
    }
    steps = percents.map(step)
  }

  /// All steps together.
  package var lasts: Span { steps.reduce(.zero) { $0 + $1.lasts } }
}

extension Baseline {
  /// As many earlier requests as leave no doubt about the rate, for planning with a rate alone.
  package static let wellKnownRequests = 1_000_000
  /// - Parameter errorRate: 0 to 1.
  package static func known(errorRate: Double) -> Baseline {
    Baseline(
      requests: wellKnownRequests, errors: Int((errorRate * Double(wellKnownRequests)).rounded()), slow: 0)
  }
}
