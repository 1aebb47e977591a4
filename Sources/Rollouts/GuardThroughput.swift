import Kernel
import Statistics

/// Whether a canary finishes fewer requests than its confirmed share gives it: refused connections are handed to the
/// other version and are missing here, not counted as errors.
///
/// HAProxy deals requests out one by one (`balance roundrobin`), so of all requests that either version finishes, the
/// canary's share is the confirmed one. Tolerated is a fifth less, in odds; `ConcurrentTest` asks whether the old
/// version has more than that explains. It is fed a window at a time, and each alternative leaves out the two neighbours that
/// speak most for it, so that no single stall of a window's length convicts. Leaving out only lowers an e-value, so validity
/// holds.
///
/// Not counted: the time in which shares move and requests that began before may still end.
struct ThroughputGuard: Codable, Equatable, Sendable {
  /// Shares are dealt out exactly, or to a few percent of a canary's (`ServerWeights`); a fifth is a loss that people
  /// feel.
  static let tolerance = 0.2
  static let window = Span.seconds(5)
  /// For the router's and the log's own delay.
  private static let margin = Span.seconds(2)
  /// A minute without suspicion begins the view of recent time anew.
  private static let recentLength = Span.minutes(1)
  private static let test = ConcurrentTest()

  private struct View: Codable, Equatable, Sendable {
    /// ln of the likelihood ratios of all windows, of the last, and of the two neighbours that say most; at least 0.
    var logs: [Double] = ThroughputGuard.test.begin
    var last: [Double] = ThroughputGuard.test.begin
    var worst: [Double] = ThroughputGuard.test.begin
    var since: Instant?
    /// For the sentence.
    var canary = 0
    var control = 0
    var expected = 0.0

    var evidence: Double {
      ThroughputGuard.test.logEvidence(zip(logs, worst).map { $0 - $1 })
    }

    mutating func add(_ window: [Double]) {
      for index in logs.indices {
        logs[index] += window[index]
        worst[index] = max(worst[index], window[index], last[index] + window[index])
      }
      last = window
    }
  }

  private var shares: GuardShares?
  private var from: Instant?
  private var canary = 0
  private var control = 0
  private var whole = View()
  private var recent = View()
  private var recentWindows = 1

  /// - Parameter settle: how long a request may be on its way before it is counted at the latest.
  mutating func absorb(
    canary: Int, control: Int, _ shares: GuardShares?, settle: Span, from: Instant, to: Instant
  ) {
    if self.shares != shares {
      self.shares = shares
      self.from = nil
    }
    guard let shares, shares.canary > 0, shares.control > 0,
      from >= shares.since + settle + ThroughputGuard.margin
    else { return }
    let begin = self.from ?? from
    if self.from == nil { (self.from, self.canary, self.control) = (from, 0, 0) }
    self.canary += canary
    self.control += control
    guard to - begin >= ThroughputGuard.window else { return }
    close(shares, at: to)
    self.from = nil
  }

  private mutating func close(_ shares: GuardShares, at now: Instant) {
    let share = Double(shares.canary) / Double(shares.canary + shares.control)
    // The old version's share if the canary loses just what is tolerated.
    let odds = (1 - share) / (share * (1 - ThroughputGuard.tolerance))
    var told = ThroughputGuard.test.begin
    var unused = told
    ThroughputGuard.test.absorb(
      events: control, besideEvents: canary, share: odds / (1 + odds), into: &told, &unused)
    for view in [\ThroughputGuard.whole, \ThroughputGuard.recent] {
      if self[keyPath: view].since == nil { self[keyPath: view].since = now }
      self[keyPath: view].add(told)
      self[keyPath: view].canary += canary
      self[keyPath: view].control += control
      self[keyPath: view].expected += share * Double(canary + control)
    }
    if let since = recent.since, now - since >= ThroughputGuard.recentLength, recent.evidence <= 0,
      recentWindows < MixtureWindows.mostRecentWindows
    {
      recentWindows += 1
      recent = View()
    }
  }

  /// ln of the e-value.
  var logEvidence: Double { MixtureWindows.combined(whole: whole.evidence, recent: recent.evidence) }

  /// What the view that says more saw: requests that the canary finished, that both did, and that its share is.
  var seen: (canary: Int, all: Int, expected: Double) {
    let view =
      MixtureWindows.recentDominates(whole: whole.evidence, recent: recent.evidence) ? recent : whole
    return (view.canary, view.canary + view.control, view.expected)
  }
}

/// Which percents the router has confirmed, and since when.
package struct GuardShares: Codable, Equatable, Sendable {
  package let canary: Int
  package let control: Int
  package let since: Instant
  package init(canary: Int, control: Int, since: Instant) {
    self.canary = canary
    self.control = control
    self.since = since
  }
}
