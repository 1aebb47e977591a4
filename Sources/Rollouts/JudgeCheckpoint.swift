import Kernel
import Statistics

/// Counts of one rule on the canary over one window of time.
package struct WindowCounts: Codable, Equatable, Sendable {
  package var requests: Int
  package var events: Int
  /// The most events that one bin brought; see "one burst never convicts" (`Judge`).
  package var worstBin: Int
  /// Where the rate fluctuates by itself: number of the window that is now, and what the ones before it say, one
  /// course a test. Nil where it does not.
  package var window: Int64?
  package var courses: [RegressionTest.Course]?
  /// What the worst bin's burst brought beyond one event.
  package var leftOut: Int { max(worstBin - 1, 0) }
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

/// What the comparison with the control says so far (`ConcurrentTest`), one number an alternative; empty before there
/// is a control.
package struct ControlLogs: Codable, Equatable, Sendable {
  package var errors: [Double] = []
  package var slow: [Double] = []
  /// What both arms did since nothing spoke for a worsening. Nil where there is no control, and in events of before it
  /// was kept.
  package var explainedErrors: Explained? = nil
  package var explainedSlow: Explained? = nil
  package var isEmpty: Bool { errors.isEmpty }

  /// A suspicion as both arms bear it: calm time before it would hide that the control has no part in it.
  package struct Explained: Codable, Equatable, Sendable {
    /// Mean and variance of how many of the bad requests the canary would have if it were like the control: each stretch
    /// of time with the share that it had, because a share that moves amid an incident is no worsening.
    package var mean = 0.0
    package var variance = 0.0
    /// The bad requests of both, and all of the control's. Nil in events of before they were kept, where they are those
    /// of the whole window.
    package var canaryEvents: Int? = nil
    package var controlEvents: Int? = nil
    package var controlRequests: Int? = nil
    static let begun = Explained(canaryEvents: 0, controlEvents: 0, controlRequests: 0)
  }

  mutating func beginIfEmpty() {
    guard isEmpty else { return }
    errors = JudgeVeto.test.begin
    slow = errors
    (explainedErrors, explainedSlow) = (.begun, .begun)
  }
}

/// What both arms did over one window of time.
package struct WindowTotals: Codable, Equatable, Sendable {
  package var since: Instant?
  package var canary: RequestCounts
  package var control: RequestCounts
  package var firstBadAt: Instant?
  package var lastBadAt: Instant?
  package var beside = ControlLogs()
  package static let empty = WindowTotals()

  private init() {
    canary = .zero
    control = .zero
  }

  private enum CodingKeys: String, CodingKey { case since, canary, control, firstBadAt, lastBadAt, beside }
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    since = try values.decodeIfPresent(Instant.self, forKey: .since)
    canary = try values.decode(RequestCounts.self, forKey: .canary)
    control = try values.decode(RequestCounts.self, forKey: .control)
    firstBadAt = try values.decodeIfPresent(Instant.self, forKey: .firstBadAt)
    lastBadAt = try values.decodeIfPresent(Instant.self, forKey: .lastBadAt)
    // Events of before the comparison was kept have none.
    beside = try values.decodeIfPresent(ControlLogs.self, forKey: .beside) ?? ControlLogs()
  }
  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(since, forKey: .since)
    try values.encode(canary, forKey: .canary)
    try values.encode(control, forKey: .control)
    try values.encodeIfPresent(firstBadAt, forKey: .firstBadAt)
    try values.encodeIfPresent(lastBadAt, forKey: .lastBadAt)
    if !beside.isEmpty { try values.encode(beside, forKey: .beside) }
  }
}

/// The arms' shares of the traffic now: of the last few hundred requests, so that neither a bin of a few requests nor a
/// step long ago decides what a fair share is.
package struct TrafficMix: Codable, Equatable, Sendable {
  private var canary = 0.0
  private var control = 0.0

  /// A share of one in ten is then known to a fifth of itself, and a moved one within seconds at 50 requests/s.
  private static let remembered = 400.0
  /// A control with at least this share must bear a conviction out: at a half it takes about twice as long as the
  /// history, below a third many times.
  private static let askedShare = 1.0 / 3
  /// So many requests of before weigh as much as a stretch's own: enough that a bad request does not explain itself
  /// where a stretch has hardly another, and too few to hide that the share has just moved.
  private static let believed = 10.0
  /// A control with less is no holdback, and nothing is heard from it in time.
  private static let leastHeard = 0.02

  mutating func add(canary: Int, control: Int) {
    self.canary += Double(canary)
    self.control += Double(control)
    while self.canary + self.control > TrafficMix.remembered {
      self.canary /= 2
      self.control /= 2
    }
  }

  /// The canary's share of the requests of one stretch of time.
  func share(canary: Int, control: Int) -> Double {
    let known = Double(canary + control) + TrafficMix.believed
    return (Double(canary) + TrafficMix.believed * canaryShare) / known
  }

  var hasControl: Bool { control > 0 }
  var canaryShare: Double { canary + control > 0 ? canary / (canary + control) : 1 }
  var asksControl: Bool { hasControl && 1 - canaryShare >= TrafficMix.askedShare }
  /// The control is too small to be asked, and large enough to be listened to.
  var hearsControl: Bool { hasControl && !asksControl && 1 - canaryShare >= TrafficMix.leastHeard }
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
  /// Nil in events of before it was kept.
  package var mix: TrafficMix? = nil
  /// Since when a small control is waited for (`JudgeVeto.patience`); nil when it is not.
  package var suspectedAt: Instant? = nil
  /// Nil where nothing is watched beside requests, and in events of before anything was.
  package var guards: Guards? = nil
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
