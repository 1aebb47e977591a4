import Kernel

/// What the two mistakes about a deploy cost, and the false-rollback budget that makes both together cheapest.
///
/// With a budget α the e-value must reach 1/α before a version is taken back. Then, of all deploys,
///
/// - a healthy one is taken back with a chance of at most α, however long it is watched (Ville's inequality);
/// - a bad one is found after (ln(1/α) + c) · τ, where τ is the time that one nat of evidence takes and c what the
///   mixture costs (Wald, Annals of Mathematical Statistics 16, 1945: thresholds are reached after ln A / KL), and until
///   then does the share time / `handTime` of the harm that people would let it do.
///
/// So with b, the share of deploys that are bad, a deploy costs on average
///
///     R(α) = (1 − b) · needless · α  +  b · bad · (ln(1/α) + c) · τ / handTime,
///
/// which is convex and least at
///
///     α = b / (1 − b) · bad / needless · τ / handTime.
///
/// It is the known rule for sequential tests with a cost of waiting: the threshold is loss over cost of observation
/// (Chernoff, Annals of Mathematical Statistics 30, 1959; Lorden, Annals of Statistics 5, 1977). The minimum is flat: at
/// x times the best budget a deploy costs (1 − b) · needless · α · (x − 1 − ln x) more, with the article's figures 1.7 s
/// at five times.
///
/// Assumptions: bad deploys are as fast to find as those of `secondsPerNat`, on average over traffic and worsening;
/// harm grows evenly with time; α is the chance itself, not only its bound, so the true optimum is no stricter.
///
/// Rejected: "act as soon as posterior odds times `bad` exceed `needless`", α = b / (1 − b) · bad / needless, which is 26 %
/// for the article's figures. It prices every second without a conviction as a bad deploy that is never found, while it is
/// found seconds later: research rollout.md §2.6, "Strictness is cheap".
package struct MistakeCosts: Codable, Equatable, Sendable {
  /// Of taking back a healthy version; above zero. The article: "a false rollback … costs you 5 minutes of re-deploying".
  package let needless: Span
  /// Of a bad version that people must find and take back within `handTime`, in the same measure; above zero. The article:
  /// "A missed bad deploy costs you 25 minutes of user impact plus the engineering hours to investigate".
  package let bad: Span
  /// The share of deploys that are bad and can be found at all; in `badShares`.
  package let badDeploys: Double

  package init(
    needless: Span = standardNeedless, bad: Span = handTime, badDeploys: Double = standardBadDeploys
  ) {
    self.needless = needless
    self.bad = bad
    self.badDeploys = min(max(badDeploys, MistakeCosts.badShares.lowerBound), MistakeCosts.badShares.upperBound)
  }

  package static let standardNeedless = Span.minutes(5)
  /// From a bad deploy to its rollback by hand: the article's "Twenty-five minutes in, the rollback is complete".
  package static let handTime = Span.minutes(25)
  /// Between the article's 2 % ("genuinely fast") and 15 % ("on fire").
  package static let standardBadDeploys = 0.05
  /// Beyond one half, rolling back unseen would be right more often than not.
  package static let badShares = 0.0001...0.5

  /// By the judge's own plan, in the mean of the 27 cells of research rollout.md §2.6 (worsenings by 2x to 100x at 0.005 to
  /// 2 usual errors/s) that are found within ten minutes there. The test of that table, which knows the baseline and
  /// tolerates no drift, needs 5.9 s: 40 s in the mean for the ln 100 + ln 9 nats of its mixture.
  package static let secondsPerNat = 14.0

  /// The chance for a healthy deploy to be taken back at which all deploys together cost least, in `JudgePolicy.budgets`.
  package var budget: Double {
    // A cost of zero would be no cost: read as the least that can be said.
    let loss = max(needless.seconds, MistakeCosts.leastSeconds)
    let harm = max(bad.seconds, MistakeCosts.leastSeconds)
    let delay = MistakeCosts.secondsPerNat / MistakeCosts.handTime.seconds
    let best = badDeploys / (1 - badDeploys) * harm / loss * delay
    return min(max(best, JudgePolicy.budgets.lowerBound), JudgePolicy.budgets.upperBound)
  }

  private static let leastSeconds = 0.001
}
