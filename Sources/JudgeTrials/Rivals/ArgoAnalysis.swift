/// An AnalysisRun of Argo Rollouts as its documentation and code have it (research §2.1): every `interval` one
/// measurement of the success rate; one below the condition is a failure, and so is one without traffic, because NaN
/// satisfies nothing. Failures are counted for good, not in a row; more than `failureLimit` abort.
package struct ArgoAnalysis: Sendable {
  package struct Settings: Equatable, Sendable {
    package let intervalSeconds: Int
    package let windowSeconds: Int
    package let failureLimit: Int
    package let leastSuccessRate: Double
    /// docs/features/analysis.md: interval 5m, `result[0] >= 0.95` over 5m, failureLimit 3.
    package static let documented = Settings(
      intervalSeconds: 300, windowSeconds: 300, failureLimit: 3, leastSuccessRate: 0.95)
    /// failureLimit as when it is not stated, and no longer between two measurements than after an error.
    package static let fastest = Settings(
      intervalSeconds: 10, windowSeconds: 60, failureLimit: 0, leastSuccessRate: 0.95)
  }

  private let settings: Settings
  private var window: SlidingCounts
  private var second = 0
  package private(set) var failures = 0

  package init(_ settings: Settings) {
    self.settings = settings
    window = SlidingCounts(seconds: settings.windowSeconds)
  }

  /// True when the analysis aborts the rollout after this second.
  package mutating func rollsBack(after counts: Deploy.Counts) -> Bool {
    window.add(counts)
    second += 1
    guard second % settings.intervalSeconds == 0 else { return false }
    if (window.successRate ?? 0) < settings.leastSuccessRate { failures += 1 }
    return failures > settings.failureLimit
  }
}
