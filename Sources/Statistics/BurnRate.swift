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
    /// Bad requests in the long window.
    package let longErrors: Double
    /// Without a request in a window nothing burns, nor with fewer than `leastErrors` bad ones in the long window.
    package var burns: Bool {
      guard let longRate, let shortRate, longErrors >= BurnRate.leastErrors else { return false }
      return longRate > factor && shortRate > factor
    }
  }

  package struct Finding: Codable, Equatable, Sendable {
    /// One for each pair, fastest first.
    package let pairs: [PairFinding]
    /// The share of the budget that is left over the objective's window: 1 untouched, 0 spent, below 0 overspent. Nil
    /// without a request.
    package let budgetLeft: Double?
    /// Bad requests over the objective's window.
    package let errors: Double

    /// The fastest pair that burns.
    package var burning: PairFinding? { pairs.first { $0.burns } }
    /// The fastest pair that burns and is worth waking a person for.
    package var paging: PairFinding? { pairs.first { $0.pair.severity == .page && $0.burns } }
    /// Whether promotions must wait. Not knowing closes no gate, nor do fewer than `leastErrors` bad requests.
    package var isBudgetSpent: Bool { budgetLeft.map { $0 <= 0 } ?? false && errors >= BurnRate.leastErrors }

    /// Whether a gate that closed may open again; not knowing opens none. Every fast pair's short window must be calm:
    /// a half hour after an outage of minutes, which the long windows remember for hours.
    package var isRecovered: Bool {
      guard let budgetLeft, budgetLeft >= BurnRate.recoveredShare else { return false }
      return pairs.filter { $0.pair.severity == .page }.allSatisfy { pair in
        pair.shortRate.map { $0 < pair.factor * BurnRate.calmFraction } ?? false
      }
    }
  }

  /// The least share of the budget with which a spent one counts as recovered: what the fast page lets an incident spend
  /// before it is noticed (`pairs`), so that the next one pages before it closes the gate.
  package static let recoveredShare = pairs.map(\.budgetShare).min() ?? 0
  /// Of a pair's factor. Counts that stay about the threshold cross it again and again, and by half they do not; the
  /// workbook's short windows alone would open and close a gate every few minutes.
  package static let calmFraction = 0.5
  /// Bad requests with fewer of which nothing is spent and nothing burns. One among the first 400 of a young server is
  /// 2.5 times the budget of 99.9 %, and one in a quiet hour pages: the workbook's chapter 5, "Low-Traffic Services and
  /// Error Budget Alerting", names the trouble and leaves the number open. Ten tell a rate to about a third, as a Poisson
  /// count's standard error is its root; a service that spends half of its budget evenly has ten where five are expected
  /// in 3 of 100 windows, and one where a half is expected in 39. At 99.9 % and 0.2 requests/s or more total failure
  /// pages as soon as without it.
  package static let leastErrors = 10.0

  /// - Parameters:
  ///   - target: the share of requests that must be good, above 0 and below 1: 0.999.
  ///   - counts: over `windows(objectiveWindow:)`, in any order; a window that is absent is one without requests.
  package static func finding(target: Double, objectiveWindow: Span, counts: [BudgetWindow]) -> Finding {
    let budget = budget(target)
    func counted(_ window: Span) -> BudgetWindow? { counts.first { $0.window == window } }
    func rate(_ window: Span) -> Double? {
      guard let counts = counted(window), counts.requests > 0 else { return nil }
      return counts.errors / counts.requests / budget
    }
    return Finding(
      pairs: pairs.map { pair in
        PairFinding(
          pair: pair, longRate: rate(pair.long), shortRate: rate(pair.short),
          factor: pair.factor(objectiveWindow: objectiveWindow), longErrors: counted(pair.long)?.errors ?? 0)
      }, budgetLeft: rate(objectiveWindow).map { 1 - $0 }, errors: counted(objectiveWindow)?.errors ?? 0)
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
