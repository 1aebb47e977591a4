import Kernel

/// What each configured step of a policy shows, and which steps are blind: `RampPlan` the other way round.
///
/// A step is *blind* when the worsening that it must show cannot be seen within the longest time that a step should
/// last: the time after which `when-scarce` goes on or asks, or, where it holds, `RampPlan.defaultLongestStep`. With
/// `hold` such a step waits longer than anybody expects; otherwise it lets pass what it never looked at.
package struct RampSight: Equatable, Sendable {
  package struct Step: Equatable, Sendable {
    /// 0 to 100; of the last step what a holdback leaves.
    package let percent: Int
    /// What the policy lets it last at least; of the last step the watch after it.
    package let least: Span
    /// When nothing is seen by then, the step is blind.
    package let longest: Span
    package let view: View
  }

  package enum View: Equatable, Sendable {
    /// Nobody but preview requests reaches the version at 0 %.
    case unjudged
    case expected(Outlook)
    /// Nobody said what traffic to expect.
    case unknown(Limits)
  }

  /// What a step shows at the expected traffic.
  package struct Outlook: Equatable, Sendable {
    /// The worsening that the step must show.
    package let wantedRatio: Double
    /// On the canary.
    package let requestsPerSecond: Double
    /// Until it is seen; nil when never.
    package let wait: Span?
    /// The smallest worsening that is seen within the step's longest time; nil when none is.
    package let smallest: Double?
  }

  /// The traffic, in requests/s of both versions together, that a step needs; nil when none suffices.
  package struct Limits: Equatable, Sendable {
    package let wantedRatio: Double
    /// Below, the step is blind.
    package let blindBelow: Double?
    /// From there on it is seen within the least time.
    package let promptFrom: Double?
  }

  /// One for each step of the policy.
  package let steps: [Step]

  /// Traffic that is looked for: a request in 17 minutes to a million a second.
  private static let rates = 0.001...1e6
  /// Halvings of that range on a logarithmic scale: the rate to 0.5 %.
  private static let halvings = 12
  /// Thirty years: "never" without overflow.
  private static let longestSeconds = 1e9

  /// - Parameters:
  ///   - baselineRate: the usual share of errors, 0 to 1.
  ///   - expectedRate: requests/s of old and new version together, above 0; nil when nobody said what to expect.
  package init(of policy: Rollout.Policy, baselineRate: Double, expectedRate: Double?) {
    let last = policy.steps.count - 1
    steps = policy.steps.enumerated().map { index, step in
      let least = index == last ? policy.finalWatch : step.minimum ?? policy.stepMinimum
      let percent = index == last ? step.percent - policy.holdback : step.percent
      let eye = Eye(
        ratio: max(step.detect ?? policy.judge.mustDetectRatio, policy.judge.errorRatio), share: Double(percent) / 100,
        baselineRate: baselineRate, judge: policy.judge)
      let longest = max(least, policy.scarcity.patience)
      let view: View =
        percent == 0
        ? .unjudged
        : expectedRate.map { .expected(eye.outlook(at: $0, within: longest)) }
          ?? .unknown(eye.limits(within: longest, least))
      return Step(percent: percent, least: least, longest: longest, view: view)
    }
  }

  /// One share's eye for one worsening.
  private struct Eye {
    let ratio: Double
    let share: Double
    let baselineRate: Double
    let judge: JudgePolicy

    private func plan(at rate: Double) -> JudgePlan {
      JudgePlan(policy: judge, baseline: .history(requestsPerSecond: rate, errorRate: baselineRate))
    }

    /// Until half of all canaries that are worse by `ratio` are convicted, and *good* may be said; nil when never.
    private func wait(at rate: Double) -> Span? {
      guard let needed = plan(at: rate).requests(toSee: ratio) else { return nil }
      return .seconds(min(Double(max(needed, judge.minimumRequests)) / (rate * share), RampSight.longestSeconds))
    }

    func outlook(at rate: Double, within longest: Span) -> Outlook {
      let requests = min(rate * share * longest.seconds, Double(Int32.max))
      return Outlook(
        wantedRatio: ratio, requestsPerSecond: rate * share, wait: wait(at: rate),
        smallest: plan(at: rate).detectableRatio(within: Int(requests)))
    }

    func limits(within longest: Span, _ least: Span) -> Limits {
      Limits(wantedRatio: ratio, blindBelow: leastRate(within: longest), promptFrom: leastRate(within: least))
    }

    /// The least rate at which it is seen within `span`: what is seen at some traffic is seen at more.
    private func leastRate(within span: Span) -> Double? {
      func isSeen(_ rate: Double) -> Bool { wait(at: rate).map { $0 <= span } ?? false }
      var (low, high) = (RampSight.rates.lowerBound, RampSight.rates.upperBound)
      guard isSeen(high) else { return nil }
      for _ in 0..<RampSight.halvings {
        let middle = (low * high).squareRoot()
        if isSeen(middle) { high = middle } else { low = middle }
      }
      return high
    }
  }
}

extension Baseline {
  /// How far it looks back before a rollout.
  package static let window = Span.minutes(10)

  /// What `window` is expected to hold.
  ///
  /// - Parameters:
  ///   - requestsPerSecond: above 0.
  ///   - errorRate: 0 to 1.
  package static func history(requestsPerSecond: Double, errorRate: Double) -> Baseline {
    let requests = min((requestsPerSecond * window.seconds).rounded(.up), Double(Int32.max))
    return Baseline(requests: Int(requests), errors: Int((requests * errorRate).rounded()), slow: 0)
  }
}

extension Rollout.WhenScarce {
  /// How long a step may go on without enough evidence before it is called blind.
  var patience: Span {
    switch self {
    case .hold: RampPlan.defaultLongestStep
    case .advance(let after), .ask(let after): after
    }
  }
}

// MARK: In words

extension RampSight.Step {
  /// At the expected traffic; false when nothing is judged or expected.
  package var isBlind: Bool {
    guard case .expected(let outlook) = view else { return false }
    return outlook.wait.map { $0 > longest } ?? true
  }

  /// "10 %: at 4 requests/s a 20x worsening is seen in about 48 s, within its 60 s." Ends with a full stop.
  package var sentence: String {
    switch view {
    case .unjudged: "\(percent) %: only preview requests reach it; it is never judged."
    case .expected(let outlook): "\(percent) %: \(words(outlook))."
    case .unknown(let limits): "\(percent) %: \(words(limits))."
    }
  }

  private func words(_ outlook: RampSight.Outlook) -> String {
    let ratio = JudgeWords.times(outlook.wantedRatio)
    let rate = "at \(JudgeWords.rate(outlook.requestsPerSecond)) requests/s"
    guard let wait = outlook.wait, wait <= longest else {
      let instead = outlook.smallest.map { "\(JudgeWords.times($0)) and worse is" } ?? "nothing less than an outage is"
      let takes =
        outlook.wait.map { "would take \(JudgeWords.about($0))" } ?? "is never told from chance by so short a history"
      return "blind: \(rate) a \(ratio) worsening \(takes); within \(JudgeWords.about(longest)) \(instead) seen"
    }
    let seen = "\(rate) a \(ratio) worsening is seen in about \(JudgeWords.about(wait))"
    return wait <= least ? "\(seen), within its \(JudgeWords.about(least))" : "\(seen); it lasts until then"
  }

  private func words(_ limits: RampSight.Limits) -> String {
    let ratio = JudgeWords.times(limits.wantedRatio)
    guard let blindBelow = limits.blindBelow else {
      return "blind at any traffic: a \(ratio) worsening leaves no room above the usual rate"
    }
    let blind = """
      below \(JudgeWords.rate(blindBelow)) requests/s in all it is blind, as a \(ratio) worsening would not be seen \
      within \(JudgeWords.about(longest))
      """
    guard least > .zero, least < longest, let promptFrom = limits.promptFrom else { return blind }
    return "\(blind); from \(JudgeWords.rate(promptFrom)) on it is seen within its \(JudgeWords.about(least))"
  }
}

extension JudgeWords {
  /// Requests a second, with two digits that mean something: "0.07", "3.2", "320".
  fileprivate static func rate(_ perSecond: Double) -> String {
    decimal(perSecond, places: perSecond < 1 ? 2 : perSecond < 10 ? 1 : 0)
  }
}
