import Rollouts

/// What the judge would have said of a recorded deploy. Seconds are those of the recording; a verdict of second s was
/// reached at its end.
package struct ReplayReport: Codable, Equatable, Sendable {
  package enum Kind: String, Codable, Sendable {
    case good, bad, notEnoughEvidence, sourceBroken
  }

  /// The verdict from this second on.
  package struct Entry: Codable, Equatable, Sendable {
    package var second: Int64
    package var sinceDeploySeconds: Int64
    package var verdict: Kind
    package var sentence: String
    /// `errorRate`, `latency`, `ceiling`, `crash loop`, `out of memory`, `failed readiness`; nil unless bad.
    package var rule: String? = nil
    /// `infrastructure`, `logic`, `performance`; nil unless bad.
    package var cause: String? = nil
    /// What keeps the next one of this cause from coming so far; nil unless bad.
    package var remedy: String? = nil
    /// Requests of the new version that it rests on.
    package var requests: Int? = nil
    /// The smallest worsening of the error rate that would have been seen by now; nil when none would.
    package var detectableRatio: Double? = nil
    /// Natural logarithm of the e-value, and what it had to reach; nil unless a test convicted.
    package var logEvidence: Double? = nil
    package var threshold: Double? = nil
    /// Of the new version, over the last 30 s at most.
    package var requestsPerSecond: Double
    /// What could be seen at that traffic, in words.
    package var detectable: String
  }

  /// The old version until the deploy.
  package struct Before: Codable, Equatable, Sendable {
    package var seconds: Int64
    package var requests: Int
    package var errors: Int
    package var slow: Int
  }

  package struct Outcome: Codable, Equatable, Sendable {
    package var verdict: Kind
    /// When it was called bad; nil when it never was.
    package var second: Int64?
    package var sinceDeploySeconds: Int64?
    package var firstBadSecond: Int64?
    package var sinceFirstBadSeconds: Int64?
    /// Failed or slow requests of the new version in the whole recording, and those after the second of the verdict: what a
    /// rollback then would have spared, if it takes no time.
    package var badRequests: Int
    package var badRequestsAfter: Int
  }

  package var file: String
  package var newVersion: String
  /// Nil when nothing served before.
  package var oldVersion: String?
  package var deploySecond: Int64
  package var baseline: Before
  /// Each change of the verdict, the first one included.
  package var verdicts: [Entry]
  package var outcome: Outcome
  package var notes: [String]

  /// "Would it have caught our last incident?", in one or two sentences.
  package var answer: String {
    let last = verdicts.last?.sentence ?? ""
    switch outcome.verdict {
    case .bad:
      let reason = verdicts.last { $0.verdict == .bad }
      let since = outcome.sinceFirstBadSeconds.map { ", \($0 + 1) s after the first bad response" } ?? ""
      let spared =
        outcome.badRequests == 0
        ? "" : " \(outcome.badRequestsAfter) of \(outcome.badRequests) bad requests came after that."
      return "Yes: rolled back \((outcome.sinceDeploySeconds ?? 0) + 1) s after the deploy\(since) "
        + "(\(reason?.cause ?? "")). \(reason?.sentence ?? "")\(spared) \(reason?.remedy ?? "")"
    case .good: return "No: '\(newVersion)' would have been kept. \(last)"
    case .notEnoughEvidence: return "Undecided: the rollout would have held for want of evidence. \(last)"
    case .sourceBroken: return "Undecided: the rollout would have held because its evidence was broken: \(last)."
    }
  }
}
