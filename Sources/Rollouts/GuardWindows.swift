import Kernel
import Statistics

/// How often a guard's windows were suspicious.
///
/// Each window of ten seconds is a bet against "given all before it, a window is suspicious with probability of at most
/// one in ten", which allows for collections of garbage, caches that fill and neighbours on the machine. The bet is a
/// `MixtureTest`: for k suspicious windows of n the e-value is the mean over q of (q/0.1)^k · ((1-q)/0.9)^(n-k) with
/// q = 0.3, 0.6 and 0.95, an e-process under that claim (Ville's inequality; Lindon, Sanden, Shirikian, KDD 2022,
/// arXiv 2205.14762). Five suspicious windows in a row decide at the default budget, eight after a calm minute. The claim
/// is a model, not a law: memory looks back over several windows, so suspicion comes in runs. What a window must show is
/// chosen so that ordinary life shows it rarely (`MemoryGuard`, `ProcessorGuard`); the simulations in
/// `GuardResourceTests` count how many healthy versions are convicted all the same.
struct GuardWindows: Codable, Equatable, Sendable {
  private var whole = Count()
  private var recent = Count()
  private var recentWindows = 1

  private struct Count: Codable, Equatable, Sendable {
    var suspicious = 0
    var all = 0
  }

  /// Of a window; the same for all guards about resources.
  static let length = Span.seconds(10)
  /// What a healthy version is allowed.
  static let tolerated = 0.1
  private static let test = MixtureTest(nullRate: tolerated, ratios: [3, 6, 9.5])
  /// Half a minute without suspicion begins the view of recent time anew, as the judge's (`Judge.recentSpan`). After an
  /// hour the last one never ends, and what begins later takes longer to be seen.
  private static let recentLength = 3

  mutating func close(isSuspicious: Bool) {
    whole.suspicious += isSuspicious ? 1 : 0
    whole.all += 1
    recent.suspicious += isSuspicious ? 1 : 0
    recent.all += 1
    if recent.all >= GuardWindows.recentLength, GuardWindows.evidence(recent) <= 0,
      recentWindows < MixtureWindows.mostRecentWindows
    {
      recentWindows += 1
      recent = Count()
    }
  }

  /// ln of the e-value.
  var logEvidence: Double {
    MixtureWindows.combined(whole: GuardWindows.evidence(whole), recent: GuardWindows.evidence(recent))
  }

  private static func evidence(_ count: Count) -> Double {
    test.logEvidence(events: count.suspicious, trials: count.all)
  }
}
