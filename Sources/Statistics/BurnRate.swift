import Kernel

/// Requests and errors of a service over one window before now.
package struct BudgetWindow: Codable, Equatable, Sendable {
  package let window: Span
  package let requests: Double
  package let errors: Double
  /// Counts below zero are read as zero, more errors than requests as all of them.
  package init(window: Span, requests: Double, errors: Double) {
    self.window = window
    self.requests = max(requests, 0)
    self.errors = min(max(errors, 0), self.requests)
  }
}

/// How fast a service spends its error budget: the backstop behind the judge, and what closes the gate for promotions.
///
/// Multi-window, multi-burn-rate alerting of the Site Reliability Workbook, chapter 5 ("Alerting on SLOs", table 5-8),
/// with the windows of Sloth's `google-30d.yaml`. A burn rate of 1 spends exactly the budget in the objective's window.
package enum BurnRate {
  package enum Severity: String, Codable, Comparable, Sendable {
    case ticket, page
    package static func < (left: Self, right: Self) -> Bool { left == .ticket && right == .page }
  }

  /// A long window, which says that the budget is really being spent, and a short one, which says that it still is.
  package struct Pair: Codable, Equatable, Sendable {
    package let severity: Severity
    package let long: Span
    package let short: Span
    /// The share of the whole budget that is spent when the long window burns just so fast, 0 to 1.
    package let budgetShare: Double

    /// How many times faster than even the budget must be spent in both windows: the share times the objective's
    /// window over the long one. 14.4, 6, 3 and 1 for 30 days.
    package func factor(objectiveWindow: Span) -> Double { budgetShare * objectiveWindow.seconds / long.seconds }
  }

  /// Fastest first.
  package static let pairs = [
    Pair(severity: .page, long: .minutes(60), short: .minutes(5), budgetShare: 0.02),
    Pair(severity: .page, long: .minutes(6 * 60), short: .minutes(30), budgetShare: 0.05),
    Pair(severity: .ticket, long: .minutes(24 * 60), short: .minutes(2 * 60), budgetShare: 0.1),
    Pair(severity: .ticket, long: .minutes(3 * 24 * 60), short: .minutes(6 * 60), budgetShare: 0.1),
  ]

  /// The windows to count over for an objective, ascending, its own included, each once.
  package static func windows(objectiveWindow: Span) -> [Span] {
    let all = (pairs.flatMap { [$0.long, $0.short] } + [objectiveWindow]).sorted()
    return all.enumerated().filter { $0.offset == 0 || all[$0.offset - 1] != $0.element }.map(\.element)
  }

  /// What one pair of windows says.
  package struct PairFinding: Codable, Equatable, Sendable {
    package let pair: Pair
    /// Times faster than even; nil without a request in that window.
    package let longRate: Double?
    package let shortRate: Double?
    /// What both must exceed.
    package let factor: Double
    /// Without a request in a window nothing burns.
    package var burns: Bool {
      guard let longRate, let shortRate else { return false }
      return longRate > factor && shortRate > factor
    }
  }

  package struct Finding: Codable, Equatable, Sendable {
    /// One for each pair, fastest first.
    package let pairs: [PairFinding]
    /// The share of the budget that is left over the objective's window: 1 untouched, 0 spent, below 0 overspent. Nil
    /// without a request.
    package let budgetLeft: Double?

    /// The fastest pair that burns.
    package var burning: PairFinding? { pairs.first { $0.burns } }
    /// Whether promotions must wait. Not knowing closes no gate.
    package var isBudgetSpent: Bool { budgetLeft.map { $0 <= 0 } ?? false }
  }

  /// - Parameters:
  ///   - target: the share of requests that must be good, above 0 and below 1: 0.999.
  ///   - counts: over `windows(objectiveWindow:)`, in any order; a window that is absent is one without requests.
  package static func finding(target: Double, objectiveWindow: Span, counts: [BudgetWindow]) -> Finding {
    let budget = budget(target)
    func rate(_ window: Span) -> Double? {
      guard let counts = counts.first(where: { $0.window == window }), counts.requests > 0 else { return nil }
      return counts.errors / counts.requests / budget
    }
    return Finding(
      pairs: pairs.map { pair in
        PairFinding(
          pair: pair, longRate: rate(pair.long), shortRate: rate(pair.short),
          factor: pair.factor(objectiveWindow: objectiveWindow))
      }, budgetLeft: rate(objectiveWindow).map { 1 - $0 })
  }

  /// How long errors at a steady rate last, after a time without any, until a pair burns; nil when it never does. The
  /// long window decides: the short one exceeds the factor sooner. Traffic is taken as even.
  package static func time(
    untilBurning pair: Pair, errorRate: Double, target: Double, objectiveWindow: Span
  ) -> Span? {
    let limit = pair.factor(objectiveWindow: objectiveWindow) * budget(target)
    guard errorRate > limit else { return nil }
    return .seconds(pair.long.seconds * limit / errorRate)
  }

  /// The share of requests that may be bad. A target of 1 leaves none, and every error would burn infinitely fast;
  /// the least budget is one request in a thousand million.
  private static func budget(_ target: Double) -> Double { min(max(1 - target, 1e-9), 1) }
}
