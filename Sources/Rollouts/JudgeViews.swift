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
  /// The control, which is asked, bears the view out.
  private let isWholeBorneOut: Bool
  private let isRecentBorneOut: Bool
  /// No burst was left out that would have convicted.
  private let hasQuietWhole: Bool
  private let hasQuietRecent: Bool

  init(
    _ line: JudgePlan.Line, _ state: TestState, whole: WindowTotals, recent: WindowTotals, followsIncident: Bool,
    isControlAsked: Bool, isControlAwaited: Bool, at now: Instant
  ) {
    self.line = line
    self.whole = line.evidence(of: state.whole)
    self.recent = line.evidence(of: state.recent)
    let wholeWithBursts = line.evidenceWithBursts(of: state.whole)
    hasQuietWhole = wholeWithBursts < line.threshold
    hasQuietRecent = line.evidenceWithBursts(of: state.recent) < line.threshold
    isWholeExplained =
      wholeWithBursts > Judge.calm && JudgeVeto.holds(for: line, in: whole, isWaiting: isControlAwaited)
    isRecentExplained =
      isWholeExplained || followsIncident
      ? JudgeVeto.holdsAfterIncident(for: line, in: recent, isWaiting: isControlAwaited, at: now)
      : JudgeVeto.holds(for: line, in: recent, isWaiting: isControlAwaited)
    isWholeBorneOut = !isControlAsked || JudgeVeto.bearsOut(line.rule, whole)
    isRecentBorneOut = !isControlAsked || JudgeVeto.bearsOutRecently(line.rule, recent)
  }

  private var openWhole: Double { isWholeExplained || !isWholeBorneOut ? -.infinity : whole }
  private var openRecent: Double { isRecentExplained || !isRecentBorneOut ? -.infinity : recent }

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
  /// ln e-value of the counts, without the worst bin's burst unless the rest speaks too (`Judge`).
  func evidence(of counts: WindowCounts) -> Double {
    let quiet = least(
      events: counts.events - counts.leftOut, trials: counts.requests - counts.leftOut, counts.courses)
    // Where windows are told apart, a burst is one window's matter already.
    guard quiet > mostOfOne, counts.courses == nil, counts.leftOut > 0 else { return quiet }
    return least(events: counts.events, trials: counts.requests, nil)
  }

  func evidenceWithBursts(of counts: WindowCounts) -> Double {
    least(events: counts.events, trials: counts.requests, counts.courses)
  }

  private func least(events: Int, trials: Int, _ courses: [RegressionTest.Course]?) -> Double {
    var least = Double.infinity
    for (index, test) in tests.enumerated() {
      let evidence =
        courses.map { test.logEvidence(after: $0[index], events: events, trials: trials) }
        ?? test.logEvidence(events: events, trials: trials)
      // Both must be convinced, and nothing is decided by how far below 1 the e-value is.
      if evidence <= Judge.calm { return evidence }
      least = min(least, evidence)
    }
    return least
  }
}
