import Kernel

/// Moving real requests to another version and back, to know that it works before it is needed, and how long it takes.
package enum Drill: Codable, Equatable, Sendable {
  /// The canary's share is wanted since then.
  /// Leaves to: `held` (confirmed).
  case there(since: Instant)
  /// The canary has its share since then.
  /// Leaves to: `back` (after `Rollout.drillSpan`).
  case held(there: Span, since: Instant)
  /// The canary is to have nothing since then.
  /// Leaves to: `counting` (confirmed).
  case back(there: Span, held: Span, since: Instant)
  /// What the canary answered is being counted. No share hangs on it.
  /// Leaves to: `done` (counted, or given up).
  case counting(Report)
  /// The rollout's first step follows; a freeze may keep it waiting.
  case done(Report)

  /// How long each part took.
  package struct Report: Codable, Equatable, Sendable {
    /// From the wanted share to the router's confirmation.
    package let there: Span
    /// With the share.
    package let held: Span
    /// From the wanted way back to the router's confirmation: what a rollback of shares would take.
    package let back: Span
    /// 1 to 99.
    package let percent: Int
    /// What the canary answered; nil when it could not be counted.
    package let counts: RequestCounts?
    package init(there: Span, held: Span, back: Span, percent: Int, counts: RequestCounts?) {
      self.there = there
      self.held = held
      self.back = back
      self.percent = percent
      self.counts = counts
    }

    package var sentence: String {
      let answered =
        counts.map {
          "; it answered \($0.requests) request\($0.requests == 1 ? "" : "s"), \($0.errors) with an error"
        } ?? ""
      return "\(percent) % of the requests went there in \(JudgeWords.exact(there)) and came back in "
        + "\(JudgeWords.exact(back))\(answered)."
    }
  }

  /// Whether the canary is to have a share now.
  var isThere: Bool {
    switch self {
    case .there, .held: true
    case .back, .counting, .done: false
    }
  }
}
