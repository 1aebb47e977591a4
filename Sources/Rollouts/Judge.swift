import Kernel
import Statistics

/// Turns evidence into a verdict, bin by bin, for one canary from its first request to the end of its watch.
///
/// One judge serves all steps of a rollout, because the false-rollback budget is for the whole deployment. Each rule
/// (`JudgePlan`) has an anytime-valid test: looking after every bin costs nothing. Beyond the mathematics:
///
/// - **One burst never convicts.** Of the bin with the most bad requests all bad ones but one are left out; only when the
///   rest says more than one bad request ever can is the burst counted too, so that at least two bins must tell. Leaving
///   bad requests out only lowers an e-value, so validity holds. A burst does delay *good*.
/// - **Worse than before is not enough.** Beside a control with a third of the traffic or more, a canary must also be
///   shown to fail more often than the control at the same time (`ConcurrentTest`, `JudgeVeto`): whatever the history
///   failed to tell, both arms are in it together. A smaller control would take too long to show that; it has a veto.
/// - **An incident is not the release.** When the control fails too, no verdict is bad until the canary's share of the
///   bad requests is more than its traffic explains (`JudgeVeto`); a small control is given some seconds to say so. When
///   it has passed, *good* and *bad* rest on the windows of recent time that begin after it (`JudgeViews`): the whole
///   never forgets it.
/// - **One client's retries are one piece of evidence**, where the source can tell (`RequestCounts.repeats`).
/// - **Late trouble counts.** Beside the whole, windows of recent time are judged (`MixtureWindows`).
/// - Repeated and late bins change nothing; a broken source adds nothing; *bad* is final.
///
/// A copy is a fork; `checkpoint` resumes another judge with the same verdicts. O(rules · alternatives) a bin.
package struct Judge: Sendable {
  package let policy: JudgePolicy
  package let baseline: Baseline
  package let canary: DeploymentID
  package let control: DeploymentID?
  /// The picture: at most one point a second and `EvidencePath.longestPath` points, coarser as the watch grows long;
  /// it goes on after a conviction and begins anew with a resumed judge.
  package private(set) var path: [EvidencePoint] = []

  private let plan: JudgePlan
  /// Requests that *good* needs if the rate is steady; also those of a window of recent time.
  private let needed: Int
  /// The same for a verdict that rests on one window of recent time, whose share of the budget is smaller.
  private let neededRecently: Int
  private var tests: [TestState]
  private var whole: WindowTotals
  private var recent: WindowTotals
  private var recentWindows: Int
  private var calmBefore: Int?
  private var through: Instant?
  private var conviction: Conviction?
  private var brokenReason: String?
  private var mix: TrafficMix
  private var suspectedAt: Instant?
  /// What `verdict` says of the smallest worsening seen, as long as the requests are the same in round numbers.
  private var sight = Sight()
  private var need = Need()
  private var pending = EvidencePath()

  /// Long enough to see a slow failure of one request in a few at 10 requests/s, short enough that calm does not
  /// drown what comes after it.
  package static let recentSpan = Span.seconds(30)
  /// A rate that fluctuates by itself has another factor in each window of this length: as long as a dependency's
  /// hiccup, and sixty of them in the history that a baseline is made of.
  package static let window = Span.seconds(10)
  /// After so many windows (40 minutes) each lasts at least an eighth of the watch, so that the windows that there is
  /// budget for reach for days, and no incident stays in the last one: (9/8)^40 times 40 minutes.
  static let shortWindows = 80
  static let longWindowsInWatch: Int64 = 8
  /// Nats beyond the threshold from which one rule is as clear as another: chances below one in a billion.
  private static let clear = 20.0
  /// *Good* needs every test's e-value at or below 1.
  package static let calm = 0.0

  /// - Parameter resuming: a checkpoint of the same deployment; its baseline replaces `baseline`, because the test
  ///   began against it.
  package init(
    policy: JudgePolicy, baseline: Baseline, canary: DeploymentID, control: DeploymentID?,
    resuming checkpoint: JudgeCheckpoint? = nil
  ) {
    self.policy = policy
    self.baseline = checkpoint?.baseline ?? baseline
    self.canary = canary
    self.control = control
    plan = JudgePlan(policy: policy, baseline: self.baseline)
    needed = max(
      policy.minimumRequests,
      plan.requestsForGood(toSee: policy.mustDetectRatio, viewCost: MixtureWindows.wholeCost) ?? 0)
    neededRecently = max(
      policy.minimumRequests,
      plan.requestsForGood(toSee: policy.mustDetectRatio, viewCost: JudgePlan.recentCost) ?? 0)
    whole = checkpoint?.whole ?? .empty
    recent = checkpoint?.recent ?? .empty
    recentWindows = checkpoint?.recentWindows ?? 1
    calmBefore = checkpoint?.calmBefore
    through = checkpoint?.through
    conviction = checkpoint?.conviction
    mix = checkpoint?.mix ?? TrafficMix()
    suspectedAt = checkpoint?.suspectedAt
    let resumed = checkpoint?.tests ?? []
    tests = plan.lines.map { line in
      let before = resumed.first { $0.rule == line.rule }
      return TestState(
        rule: line.rule, whole: before?.whole ?? .zero, recent: before?.recent ?? .zero,
        logEvidence: before?.logEvidence ?? 0, threshold: line.threshold, peak: before?.peak ?? 0)
    }
  }

  package var checkpoint: JudgeCheckpoint {
    var current = self
    if conviction == nil { current.weighAll() }
    return JudgeCheckpoint(
      tests: current.tests, baseline: baseline, whole: whole, recent: recent, recentWindows: recentWindows,
      through: through, conviction: conviction, calmBefore: calmBefore,
      mix: mix, suspectedAt: suspectedAt)
  }

  /// The verdict on all bins so far, this one included.
  package mutating func absorb(_ bin: EvidenceBin) -> Verdict {
    take(bin)
    lookAgain()
    return verdict
  }

  /// The conviction, if there is one after all bins so far, this one included: the same as `absorb`, at a tenth of its
  /// cost, for who does not ask for words.
  package mutating func conviction(after bin: EvidenceBin) -> Conviction? {
    take(bin)
    return conviction
  }

  private mutating func take(_ bin: EvidenceBin) {
    if let through, bin.from < through { return }
    guard bin.to > bin.from else { return }
    through = bin.to
    brokenReason = unsoundness(of: bin)
    guard brokenReason == nil else { return }
    pending.absorb(bin, canary: canary, control: control)
    // After a conviction the picture goes on, to show how traffic came back; the evidence stays as it convicted.
    if conviction == nil {
      beginRecentWindow(at: bin.from)
      count(bin)
      if pending.isDue(at: bin.to) { weighAll() }
      suspect(at: bin.to)
      conviction = convict(at: bin.to)
    }
    if pending.isDue(at: bin.to) || conviction?.decidedAt == bin.to {
      pending.close(at: bin.to, tests: tests, into: &path)
    }
  }

  /// The verdict now, without new evidence.
  package var verdict: Verdict {
    if let conviction { return .bad(conviction) }
    if let brokenReason { return .sourceBroken(reason: brokenReason) }
    let views = views(at: through ?? Instant(milliseconds: 0))
    let isCalm = views.allSatisfy { $0.isCalm || $0.isCalmSinceIncident } && !isWaiting(at: through)
    guard let incident = views.first(where: { !$0.isCalm && $0.isWholeExplained }) else {
      let needed = needed(MixtureWindows.wholeCost, ifSteady: needed)
      return verdict(views, isCalm: isCalm, restingOn: whole.canary.requests, of: needed, since: nil)
    }
    let requests = max(recent.canary.requests, calmBefore ?? 0)
    let needed = needed(JudgePlan.recentCost, ifSteady: neededRecently)
    return verdict(views, isCalm: isCalm, restingOn: requests, of: needed, since: incident.line.rule)
  }

  /// - Parameter incident: the rule by which an incident of both arms was seen, when `requests` came after it.
  private func verdict(
    _ views: [JudgeViews], isCalm: Bool, restingOn requests: Int, of needed: Int, since incident: Rule?
  ) -> Verdict {
    let viewCost = incident == nil ? MixtureWindows.wholeCost : JudgePlan.recentCost
    let ratio = sight.ratio(within: requests, in: windows(incident == nil ? whole : recent), viewCost, plan)
    guard requests >= needed, isCalm else {
      let sentence =
        views.first { $0.isIncident }.map {
          isWaiting(at: through)
            ? JudgeSentences.waiting($0.line.rule, recent) : JudgeSentences.incident($0.line.rule, recent)
        }
        ?? JudgeSentences.scarcity(requests: requests, needed: needed, policy: policy, since: incident)
      return .notEnoughEvidence(
        Scarcity(requests: requests, needed: needed, detectableRatio: ratio, sentence: sentence))
    }
    return .good(
      Power(
        requests: requests, needed: needed, detectableRatio: ratio,
        sentence: JudgeSentences.power(requests: requests, ratio: ratio, since: incident)))
  }

  private mutating func lookAgain() {
    sight.look(within: whole.canary.requests, in: windows(whole), MixtureWindows.wholeCost, plan)
    guard plan.lines.contains(where: \.isFluctuating) else { return }
    need.look(toSee: policy.mustDetectRatio, perWindow: requestsAWindow, MixtureWindows.wholeCost, plan)
  }

  /// Where the rate fluctuates, a worsening hides in windows that are bad by themselves: at the canary's pace so far it
  /// takes more requests to show it.
  private func needed(_ viewCost: Double, ifSteady needed: Int) -> Int {
    guard plan.lines.contains(where: \.isFluctuating) else { return needed }
    let ratio = policy.mustDetectRatio
    return max(needed, need.requests(toSee: ratio, perWindow: requestsAWindow, viewCost, plan) ?? 0)
  }

  private var requestsAWindow: Double {
    guard let since = whole.since, let through else { return 0 }
    let windows = (through - since).seconds / Judge.window.seconds
    return Double(whole.canary.requests) / max(windows, 1)
  }

  /// How many windows of a fluctuating rate a stretch of time has; 1 where none fluctuates, which spares looking anew.
  private func windows(_ totals: WindowTotals) -> Int {
    guard let since = totals.since, let through, plan.lines.contains(where: \.isFluctuating) else { return 1 }
    return max(Int((through - since).milliseconds / Judge.window.milliseconds), 1)
  }

  private func views(at now: Instant) -> [JudgeViews] {
    let followsIncident = recentWindows > 1 && calmBefore == nil
    return zip(plan.lines, tests).map { line, state in
      JudgeViews(
        line, state, whole: whole, recent: recent, followsIncident: followsIncident,
        isControlAsked: control != nil && mix.asksControl, isControlAwaited: isWaiting(at: now), at: now)
    }
  }

  private mutating func suspect(at now: Instant) {
    guard control != nil, mix.hearsControl, tests.contains(where: { $0.logEvidence > Judge.calm }) else {
      suspectedAt = nil
      return
    }
    if suspectedAt == nil, tests.contains(where: { $0.logEvidence >= $0.threshold }) { suspectedAt = now }
  }

  private func isWaiting(at now: Instant?) -> Bool {
    guard let suspectedAt, let now else { return false }
    return now - suspectedAt < JudgeVeto.patience
  }

  private func unsoundness(of bin: EvidenceBin) -> String? {
    if case .broken(let reason) = bin.source { return reason }
    for arm in bin.arms where min(arm.counts.requests, arm.counts.errors, arm.counts.slow, arm.counts.repeats) < 0 {
      return "the counts of \(arm.deployment) are below zero"
    }
    return nil
  }

  /// A window ends when it is old enough to have shown a failure and nothing in it is suspicious, or what is suspicious
  /// was an incident: kept, that would hide what comes after it for as long as it weighs more.
  private mutating func beginRecentWindow(at now: Instant) {
    if whole.since == nil { whole.since = now }
    guard let since = recent.since else {
      recent.since = now
      return
    }
    guard now - since >= leastWindow(at: now), recent.canary.requests >= needed,
      recentWindows < MixtureWindows.mostRecentWindows, !isWaiting(at: now)
    else { return }
    let views = views(at: now)
    guard views.allSatisfy({ $0.isRecentCalm || $0.isRecentExplained }) else { return }
    if views.contains(where: \.isWholeExplained), recent.canary.requests < neededRecently { return }
    calmBefore = views.allSatisfy(\.isRecentCalm) ? recent.canary.requests : nil
    recentWindows += 1
    recent = .empty
    recent.since = now
    for index in tests.indices { tests[index].recent = .zero }
  }

  private func leastWindow(at now: Instant) -> Span {
    guard recentWindows >= Judge.shortWindows, let since = whole.since else { return Judge.recentSpan }
    return max(Judge.recentSpan, Span(milliseconds: (now - since).milliseconds / Judge.longWindowsInWatch))
  }

  private mutating func count(_ bin: EvidenceBin) {
    let arm = bin.arms.first { $0.deployment == canary }
    let counts = (arm?.counts ?? .zero).consistent
    let controlCounts = control.map { bin.counts(of: $0).consistent } ?? .zero
    whole.add(canary: counts, control: controlCounts, arm: arm)
    recent.add(canary: counts, control: controlCounts, arm: arm)
    mix.add(canary: counts.requests, control: controlCounts.requests)
    compare(counts, beside: controlCounts)
    let window = bin.from.milliseconds / Judge.window.milliseconds
    for index in tests.indices {
      let line = plan.lines[index]
      if line.isFluctuating {
        tests[index].whole.enter(window, line)
        tests[index].recent.enter(window, line)
      }
      let events = line.rule.distinct(in: counts)
      tests[index].whole.add(requests: counts.requests - counts.repeats, events: events)
      tests[index].recent.add(requests: counts.requests - counts.repeats, events: events)
      // Without an event the evidence only falls.
      if events > 0 { weigh(index) }
    }
  }

  private mutating func compare(_ canary: RequestCounts, beside control: RequestCounts) {
    guard mix.hasControl else { return }
    whole.beside.beginIfEmpty()
    recent.beside.beginIfEmpty()
    whole.beside.explain(canary, control, mix)
    recent.beside.explain(canary, control, mix)
    JudgeVeto.test.absorb(
      events: Rule.errorRate.distinct(in: canary), besideEvents: Rule.errorRate.distinct(in: control),
      share: mix.canaryShare, into: &whole.beside.errors, &recent.beside.errors)
    JudgeVeto.test.absorb(
      events: canary.slow, besideEvents: control.slow, share: mix.canaryShare, into: &whole.beside.slow,
      &recent.beside.slow)
  }

  private mutating func weighAll() {
    for index in tests.indices { weigh(index) }
  }

  private mutating func weigh(_ index: Int) {
    let line = plan.lines[index]
    let wholeEvidence = line.evidence(of: tests[index].whole)
    // Until the first restart both views are one.
    let isOne = tests[index].recent == tests[index].whole
    let recentEvidence = isOne ? wholeEvidence : line.evidence(of: tests[index].recent)
    // The ceiling's requests are the error rate's, which is sooner suspicious.
    if line.rule == .latency || index == 0 {
      if wholeEvidence <= Judge.calm { whole.beside.forget(line.rule) }
      if recentEvidence <= Judge.calm { recent.beside.forget(line.rule) }
    }
    tests[index].logEvidence = MixtureWindows.combined(whole: wholeEvidence, recent: recentEvidence)
    tests[index].peak = max(tests[index].peak, tests[index].logEvidence)
  }

  private func convict(at now: Instant) -> Conviction? {
    guard tests.contains(where: { $0.logEvidence >= $0.threshold }) else { return nil }
    // The clearest case speaks: the most evidence beyond its threshold, the first rule where all are clear.
    func clearness(_ views: JudgeViews) -> Double { min(views.openEvidence - views.line.threshold, Judge.clear) }
    let clearest = views(at: now).filter(\.convicts).max {
      (clearness($0), $1.line.rule) < (clearness($1), $0.line.rule)
    }
    guard let clearest else { return nil }
    let line = clearest.line
    let totals = clearest.isRecentOpen ? recent : whole
    let events = line.rule.events(in: totals.canary)
    let baselineRate =
      switch line.rule {
      case .errorRate: baseline.errorRate
      case .latency: baseline.slowRate
      case .ceiling, .throughput, .memory, .processor, .check: policy.ceiling
      }
    return Conviction(
      rule: line.rule, observed: totals.canary, rate: Double(events) / Double(max(totals.canary.requests, 1)),
      baselineRate: baselineRate, logEvidence: clearest.openEvidence, threshold: line.threshold,
      firstBadAt: totals.firstBadAt, lastBadAt: totals.lastBadAt, decidedAt: now,
      sentence: JudgeSentences.conviction(line.rule, totals.canary, baseline: baseline, policy: policy))
  }
}

extension Rule {
  /// What breaks this rule: requests; nothing for guards, which are no test of the judge's.
  func events(in counts: RequestCounts) -> Int {
    switch self {
    case .errorRate, .ceiling: counts.errors
    case .latency: counts.slow
    case .throughput, .memory, .processor, .check: 0
    }
  }
  /// Of them, what is evidence: a client's repeats are none. The ceiling too leaves them out: with them it took back
  /// 0.8 % of healthy deploys at 1 %, 5 requests/s, errors in runs of one client (of 3,000).
  func distinct(in counts: RequestCounts) -> Int {
    switch self {
    case .errorRate, .ceiling: counts.errors - counts.repeats
    case .latency: counts.slow
    case .throughput, .memory, .processor, .check: 0
    }
  }
}

extension RequestCounts {
  /// A request that was counted as hanging may fail in a later bin, which then knows of more bad requests than
  /// requests: it counts once more.
  fileprivate var consistent: RequestCounts {
    RequestCounts(
      requests: max(requests, errors, slow), errors: errors, slow: slow, hanging: hanging,
      repeats: min(repeats, errors))
  }
}

extension WindowCounts {
  fileprivate mutating func add(requests: Int, events: Int) {
    self.requests += requests
    self.events += events
    worstBin = max(worstBin, events)
  }

  /// The window of a fluctuating rate that is now; what came before belongs to windows that are over.
  fileprivate mutating func enter(_ window: Int64, _ line: JudgePlan.Line) {
    if self.window == window { return }
    if self.window == nil { courses = line.tests.map { _ in RegressionTest.Course() } }
    if self.window != nil, var courses {
      for (index, test) in line.tests.enumerated() {
        test.close(&courses[index], events: events - leftOut, trials: requests - leftOut)
      }
      self.courses = courses
    }
    self.window = window
  }
}

extension WindowTotals {
  fileprivate mutating func add(canary: RequestCounts, control: RequestCounts, arm: ArmEvidence?) {
    self.canary = self.canary + canary
    self.control = self.control + control
    firstBadAt = firstBadAt ?? arm?.firstBadAt
    lastBadAt = arm?.lastBadAt ?? lastBadAt
  }
}
