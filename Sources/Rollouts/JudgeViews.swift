import Kernel
import Statistics

/// What one rule's two views of time say, and which of them an incident of both arms explains.
///
/// An explained view is left out of the sum of e-values (`MixtureWindows`): leaving one out only lowers the sum, so
/// validity holds, and the view that is left can still convict a canary that goes on failing alone.
struct JudgeViews {
  let line: JudgePlan.Line
  /// ln e-values of the whole and of recent time.
  let whole: Double
  let recent: Double
  let isWholeExplained: Bool
  let isRecentExplained: Bool
  /// No burst was left out that would have convicted.
  private let hasQuietWhole: Bool
  private let hasQuietRecent: Bool

  init(
    _ line: JudgePlan.Line, _ state: TestState, whole: WindowTotals, recent: WindowTotals, followsIncident: Bool,
    at now: Instant
  ) {
    self.line = line
    self.whole = line.evidence(of: state.whole)
    self.recent = line.evidence(of: state.recent)
    let wholeWithBursts = line.evidenceWithBursts(of: state.whole)
    hasQuietWhole = wholeWithBursts < line.threshold
    hasQuietRecent = line.evidenceWithBursts(of: state.recent) < line.threshold
    isWholeExplained = wholeWithBursts > Judge.calm && JudgeVeto.holds(for: line.rule, in: whole)
    isRecentExplained =
      isWholeExplained || followsIncident
      ? JudgeVeto.holdsAfterIncident(for: line.rule, in: recent, at: now)
      : JudgeVeto.holds(for: line.rule, in: recent)
  }

  private var openWhole: Double { isWholeExplained ? -.infinity : whole }
  private var openRecent: Double { isRecentExplained ? -.infinity : recent }

  /// What is left against the canary.
  var openEvidence: Double { MixtureWindows.combined(whole: openWhole, recent: openRecent) }
  var convicts: Bool { openEvidence >= line.threshold }
  /// Which window the conviction is read from.
  var isRecentOpen: Bool { MixtureWindows.recentDominates(whole: openWhole, recent: openRecent) }

  /// Nothing speaks for a worsening.
  var isCalm: Bool { MixtureWindows.combined(whole: whole, recent: recent) <= Judge.calm && hasQuietWhole }
  /// Nothing does since an incident that explains what speaks for one in the whole.
  var isCalmSinceIncident: Bool { isWholeExplained && isRecentCalm && hasQuietRecent }
  var isRecentCalm: Bool { recent <= Judge.calm }
  /// Both arms are failing now.
  var isIncident: Bool {
    isRecentExplained && !isRecentCalm && MixtureWindows.combined(whole: whole, recent: recent) >= line.threshold
  }
}

extension JudgePlan.Line {
  /// ln e-value of the counts without the worst bin's burst (`Judge`).
  func evidence(of counts: WindowCounts) -> Double {
    let leftOut = max(counts.worstBin - 1, 0)
    return test.logEvidence(events: counts.events - leftOut, trials: counts.requests - leftOut)
  }

  func evidenceWithBursts(of counts: WindowCounts) -> Double {
    test.logEvidence(events: counts.events, trials: counts.requests)
  }
}
