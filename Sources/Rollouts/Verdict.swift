import Kernel

/// What the evidence says of a canary. *No evidence* and *no source* are never *bad*: a metrics outage rolls nothing
/// back.
package enum Verdict: Codable, Equatable, Sendable {
  /// A worsening of the policy's `mustDetectRatio` would have been seen by now, and was not.
  case good(Power)
  /// Worse than the policy allows, beyond its false-rollback budget. Final: the judge never takes it back.
  case bad(Conviction)
  /// Too few requests to say, or a suspicion that is neither confirmed nor gone.
  case notEnoughEvidence(Scarcity)
  /// The evidence cannot be believed now; what was counted before is kept.
  case sourceBroken(reason: String)
}

/// What a version is convicted by. The order is that of `JudgeCheckpoint.tests`.
package enum Rule: String, Codable, CaseIterable, Sendable, Comparable {
  /// "error rate above 2x the pre-deploy baseline"
  case errorRate
  /// "P99 latency exceeding 3x the SLO target": more than 1 % of requests slower than that
  case latency
  /// "any 5xx rate above an absolute ceiling"
  case ceiling
  /// Finishes fewer requests than its share gives it (`ThroughputGuard`).
  case throughput
  /// Grows towards its memory limit (`MemoryGuard`).
  case memory
  /// Takes more processor time per request (`ProcessorGuard`).
  case processor
  /// A check of the user's own (`WatchCheck`).
  case check

  /// The article's three, tested request by request (`JudgePlan`).
  package static let ofRequests: [Rule] = [.errorRate, .latency, .ceiling]
  /// Beyond the article, with shares of the same budget.
  package static let guards: [Rule] = [.throughput, .memory, .processor]

  package static func < (left: Rule, right: Rule) -> Bool { left.order < right.order }
  private var order: Int {
    switch self {
    case .errorRate: 0
    case .latency: 1
    case .ceiling: 2
    case .throughput: 3
    case .memory: 4
    case .processor: 5
    case .check: 6
    }
  }
}

/// Why a canary is believed good.
package struct Power: Codable, Equatable, Sendable {
  /// Requests judged on the canary.
  package let requests: Int
  /// Requests after which the policy's `mustDetectRatio` is expected to be seen.
  package let needed: Int
  /// The smallest worsening of the error rate that is expected to have been seen; nil when none would.
  package let detectableRatio: Double?
  package let sentence: String
  package init(requests: Int, needed: Int, detectableRatio: Double?, sentence: String) {
    self.requests = requests
    self.needed = needed
    self.detectableRatio = detectableRatio
    self.sentence = sentence
  }
}

/// Why a canary is bad, with all that is needed to check it by hand.
package struct Conviction: Codable, Equatable, Sendable {
  package let rule: Rule
  /// The canary's requests in the window that convicted it.
  package let observed: RequestCounts
  /// The share of them that broke the rule, 0 to 1. For guards what was measured: the canary's share of the finished
  /// requests (`throughput`), bytes (`memory`), seconds a request (`processor`), bad answers in a row (`check`).
  package let rate: Double
  /// What was usual before for `errorRate` and `latency` (0 without a baseline); the ceiling for `ceiling`. For guards
  /// what that is compared with: the confirmed share, the old version's highest, its seconds a request, how many condemn.
  package let baselineRate: Double
  /// Natural logarithm of the e-value, and what it had to reach; 0 for `check`, which is no test.
  package let logEvidence: Double
  package let threshold: Double
  /// The canary's first and last bad response in that window, as the source told them; nil for guards.
  package let firstBadAt: Instant?
  package let lastBadAt: Instant?
  /// The end of the bin that decided.
  package let decidedAt: Instant
  /// "41 of 812 requests failed (5.0 %) against 0.05 % before: ..."
  package let sentence: String
  package init(
    rule: Rule, observed: RequestCounts, rate: Double, baselineRate: Double, logEvidence: Double, threshold: Double,
    firstBadAt: Instant?, lastBadAt: Instant?, decidedAt: Instant, sentence: String
  ) {
    self.rule = rule
    self.observed = observed
    self.rate = rate
    self.baselineRate = baselineRate
    self.logEvidence = logEvidence
    self.threshold = threshold
    self.firstBadAt = firstBadAt
    self.lastBadAt = lastBadAt
    self.decidedAt = decidedAt
    self.sentence = sentence
  }
}

/// Why nothing can be said yet.
package struct Scarcity: Codable, Equatable, Sendable {
  /// Requests judged on the canary so far.
  package let requests: Int
  /// Requests after which the policy's `mustDetectRatio` is expected to be seen.
  package let needed: Int
  /// The smallest worsening of the error rate that is expected to have been seen; nil when none would.
  package let detectableRatio: Double?
  package let sentence: String
  package init(requests: Int, needed: Int, detectableRatio: Double?, sentence: String) {
    self.requests = requests
    self.needed = needed
    self.detectableRatio = detectableRatio
    self.sentence = sentence
  }
}
