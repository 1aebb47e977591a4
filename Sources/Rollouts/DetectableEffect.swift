import Kernel
import Statistics

/// What a watch can see at given traffic, before it begins: the minimum detectable effect as seconds to wait.
package struct DetectableEffect: Codable, Equatable, Sendable {
  /// One worsening of the error rate and the time after which it is expected to convict.
  package struct Row: Codable, Equatable, Sendable {
    package let ratio: Double
    package let requests: Int?
    /// Nil when it cannot be seen: no traffic, or no room above the baseline.
    package let wait: Span?
  }

  /// The worsenings that people ask about: the article's 2x, and what is found in a minute and in seconds.
  package static let ratios: [Double] = [2, 5, 20]

  /// On the canary.
  package let requestsPerSecond: Double
  package let baselineRate: Double
  /// One row for each of `ratios`.
  package let rows: [Row]

  /// - Parameters:
  ///   - requestsPerSecond: on the canary, at least 0.
  ///   - baseline: what was counted before; without requests the ceiling is planned with.
  package init(requestsPerSecond: Double, baseline: Baseline, policy: JudgePolicy) {
    let plan = JudgePlan(policy: policy, baseline: baseline)
    self.requestsPerSecond = requestsPerSecond
    baselineRate = baseline.errorRate
    rows = DetectableEffect.ratios.map { ratio in
      let requests =
        ratio < policy.errorRatio ? nil : plan.requests(toSee: ratio, requestsPerSecond: requestsPerSecond)
      let wait = requests.flatMap { needed -> Span? in
        guard requestsPerSecond > 0 else { return nil }
        return .seconds(min(Double(needed) / requestsPerSecond, DetectableEffect.longestWaitSeconds))
      }
      return Row(ratio: ratio, requests: requests, wait: wait)
    }
  }

  /// Thirty years: "never" without overflow.
  private static let longestWaitSeconds = 1e9

  /// For a baseline known as a rate only, 0 to 1.
  package init(requestsPerSecond: Double, baselineRate: Double, policy: JudgePolicy) {
    self.init(requestsPerSecond: requestsPerSecond, baseline: .known(errorRate: baselineRate), policy: policy)
  }

  /// "At 10 requests/s a 20x worsening is seen in about 20 s; 5x would take 2 min, 2x would take 48 min."
  package var sentence: String {
    guard requestsPerSecond > 0 else { return "Without traffic no worsening can be seen." }
    let rate = decimal(requestsPerSecond, places: requestsPerSecond < 10 ? 1 : 0)
    let seen = rows.reversed().compactMap { row in
      row.wait.map { (JudgeWords.times(row.ratio), JudgeWords.about($0)) }
    }
    guard let first = seen.first else {
      return "At \(rate) requests/s no worsening can be seen: the baseline leaves no room above it."
    }
    let rest = seen.dropFirst().map { "\($0.0) would take \($0.1)" }.joined(separator: ", ")
    let head = "At \(rate) requests/s a \(first.0) worsening is seen in about \(first.1)"
    return rest.isEmpty ? "\(head)." : "\(head); \(rest)."
  }
}
