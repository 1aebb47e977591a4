import Kernel

/// Counts of one rule on the canary over one window of time.
package struct WindowCounts: Codable, Equatable, Sendable {
  package var requests: Int
  package var events: Int
  /// The most events that one bin brought: all of them but one are left out of the evidence (`Judge`).
  package var worstBin: Int
  package init(requests: Int = 0, events: Int = 0, worstBin: Int = 0) {
    self.requests = requests
    self.events = events
    self.worstBin = worstBin
  }
  package static let zero = WindowCounts()
}

/// One rule's test: integers that resume it, and what they say.
package struct TestState: Codable, Equatable, Sendable {
  package let rule: Rule
  /// Since the judge began; never restarts, so that small worsenings add up.
  package var whole: WindowCounts
  /// Since the window of recent time began, so that a late worsening is not drowned by an early calm.
  package var recent: WindowCounts
  /// Natural logarithm of the e-value now.
  package var logEvidence: Double
  /// The test convicts at `logEvidence >= threshold`.
  package let threshold: Double
  /// The highest `logEvidence` so far.
  package var peak: Double

  package var requests: Int { whole.requests }
  package var events: Int { whole.events }
}

/// What both arms did over one window of time.
package struct WindowTotals: Codable, Equatable, Sendable {
  package var since: Instant?
  package var canary: RequestCounts
  package var control: RequestCounts
  package var firstBadAt: Instant?
  package var lastBadAt: Instant?
  package static let empty = WindowTotals(
    since: nil, canary: .zero, control: .zero, firstBadAt: nil, lastBadAt: nil)
}

/// All that a judge needs to go on after a restart. The picture's path is not in it.
package struct JudgeCheckpoint: Codable, Equatable, Sendable {
  /// Sorted by rule; the rules that apply.
  package let tests: [TestState]
  package let baseline: Baseline
  package let whole: WindowTotals
  package let recent: WindowTotals
  /// Windows of recent time begun so far; each has its share of the budget.
  package let recentWindows: Int
  /// The end of the last bin taken in: bins that begin earlier are repeated or late.
  package let through: Instant?
  package let conviction: Conviction?
  /// Requests of the recent window before this one; nil when an incident ended it, and for the first window.
  package var calmBefore: Int? = nil
  /// The canary's and the control's counts since `since`.
  package var canaryCounts: RequestCounts { whole.canary }
  package var controlCounts: RequestCounts { whole.control }
  package var since: Instant? { whole.since }
}

/// One rule's evidence at one moment.
package struct RuleEvidence: Codable, Equatable, Sendable {
  package let rule: Rule
  package let logEvidence: Double
  package let threshold: Double
  package init(rule: Rule, logEvidence: Double, threshold: Double) {
    self.rule = rule
    self.logEvidence = logEvidence
    self.threshold = threshold
  }
}

/// One point of the picture: what both arms did since the point before, and where the tests stood then.
package struct EvidencePoint: Codable, Equatable, Sendable {
  package let at: Instant
  package let canary: RequestCounts
  package let control: RequestCounts
  /// Sorted by rule.
  package let evidence: [RuleEvidence]
  package init(at: Instant, canary: RequestCounts, control: RequestCounts, evidence: [RuleEvidence]) {
    self.at = at
    self.canary = canary
    self.control = control
    self.evidence = evidence
  }
}
