/// Flagger's loop (research §2.2): at every tick it rolls back if enough checks have failed before, and only then
/// checks again; a check fails when the success rate of the last minute is too low or there is none. Failed checks are
/// counted for good. So a rollback comes one tick after the last failure.
package struct FlaggerLoop: Sendable {
  package struct Settings: Equatable, Sendable {
    package let intervalSeconds: Int
    package let threshold: Int
    /// Interval 60 s and threshold 1 are what is not stated; `request-success-rate` of 99 is what its documents show.
    package static let documented = Settings(intervalSeconds: 60, threshold: 1)
    /// Shorter intervals are read as 10 s.
    package static let fastest = Settings(intervalSeconds: 10, threshold: 1)
  }
  package static let leastSuccessRate = 0.99
  /// Of the built-in metric.
  package static let windowSeconds = 60

  private let settings: Settings
  private var window = SlidingCounts(seconds: windowSeconds)
  private var second = 0
  private var failedChecks = 0

  package init(_ settings: Settings) { self.settings = settings }

  /// True when the loop rolls back after this second.
  package mutating func rollsBack(after counts: Deploy.Counts) -> Bool {
    window.add(counts)
    second += 1
    guard second % settings.intervalSeconds == 0 else { return false }
    if failedChecks >= settings.threshold { return true }
    if (window.successRate ?? 0) < FlaggerLoop.leastSuccessRate { failedChecks += 1 }
    return false
  }
}
