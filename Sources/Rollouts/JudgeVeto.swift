import Kernel
import Statistics

/// Says that a worsening is an incident of both arms, not the release's doing.
///
/// Given all bad requests of both arms, how many of them the canary has follows its share of the traffic if both are
/// alike (conditional binomial; Przyborowski and Wilenski, Biometrika 31, 1940). Each stretch of time counts with the
/// share that it had (Cochran, Biometrics 10, 1954; Mantel and Haenszel, JNCI 22, 1959): an incident at a later step
/// has more of its bad requests on the canary than the canary has of all requests. The veto holds while that explains
/// what is seen. It can only keep a canary, so it cannot add false rollbacks; it never outlasts a canary that is truly
/// worse than its control, whose share goes on growing.
enum JudgeVeto {
  /// A canary and its control, asked whether the one fails more often.
  static let test = ConcurrentTest()
  /// ln of the e-values that the comparison must reach beside a control that is asked: a canary no worse than it is
  /// condemned in at most one of twenty incidents that the history does not explain; 0.02 makes 5x 4 % slower. For a
  /// window of recent time it is stricter, because there are many.
  static let borneOut = MixtureWindows.threshold(budget: 0.05)
  static let borneOutRecently = MixtureWindows.threshold(budget: 0.001)

  /// Fewer concurrent requests say nothing about the control.
  static let enoughControlRequests = 50
  /// A single bad request of the control is its usual noise.
  static let leastControlEvents = 2
  /// A canary that has more than its share by chance one time in a hundred or less is held to be worse. It is looked
  /// at after every bin: 0.1 convicted a quarter to a half of the healthy canaries in ten minutes of an incident
  /// (simulated, both arms failing 5 % or 40 %).
  static let explained = 0.01
  /// The same for each window after an incident's first: an incident of ten minutes has twenty, and each looks anew.
  static let explainedAfterIncident = 0.001
  /// How long the control may take to show that an incident goes on, before its silence counts as none.
  static let silence = Span.seconds(10)

  /// How long a small control may take to show that it fails too before a canary is condemned without it. 5 % of 100
  /// requests/s bring 50 by then, of which an incident that fails one in twenty has hit some. A version that begins to
  /// fail after full exposure is restored later by as much at most, and by nothing where enough of its requests failed
  /// that an incident would have shown on the control. With the 19 s in which 99 of 100 worsenings by 10x over 0.1 usual
  /// errors/s are found (research rollout.md §2.6), the bar of 30 s holds.
  static let patience = Span.seconds(10)
  /// The level where the control is rather in it than not: it is looked at after every bin of an incident of minutes,
  /// and 0.001 convicted one healthy canary in fifty there (labelled deploys).
  static let explainedAmidIncident = 0.0001

  /// - Parameter isWaiting: a small control has not had `patience` yet.
  static func holds(for line: JudgePlan.Line, in totals: WindowTotals, isWaiting: Bool) -> Bool {
    let seen = suspicion(line.rule, totals)
    if seen.isShared(line) { return seen.chance > explainedAmidIncident }
    guard isWaiting || (totals.control.requests >= enoughControlRequests && seen.control >= leastControlEvents)
    else { return false }
    return seen.chance > explained
  }

  /// The same for a window that began amid or after an incident: a young one has seen little of the control, and that
  /// is no reason to think the incident over.
  static func holdsAfterIncident(
    for line: JudgePlan.Line, in totals: WindowTotals, isWaiting: Bool, at now: Instant
  ) -> Bool {
    let seen = suspicion(line.rule, totals)
    if seen.isShared(line) { return seen.chance > explainedAmidIncident }
    let isYoung = totals.since.map { now - $0 < silence } ?? true
    let control = totals.control
    guard
      isWaiting || isYoung || control.requests >= enoughControlRequests
        || line.rule.distinct(in: control) >= leastControlEvents
    else { return false }
    return seen.chance > explainedAfterIncident
  }

  /// Bad requests of both arms, and all of the control's, since nothing spoke for a worsening.
  private struct Suspicion {
    let canary: Int
    let control: Int
    let controlRequests: Int
    /// What the canary would have of the bad ones if it were like the control; nil where that was not kept.
    let explained: ControlLogs.Explained?
    let share: Double

    /// The control's bad requests are better explained by its share of all of them than by the usual rate.
    func isShared(_ line: JudgePlan.Line) -> Bool {
      let alike = explained.map { Double(canary + control) - $0.mean } ?? Double(canary + control) * (1 - share)
      let usual = max(line.usualRate, MixtureTest.lowestRate) * Double(max(controlRequests, 1))
      return alike > usual && Poisson.logRatio(events: control, mean: alike, to: usual) > 0
    }

    /// The chance that a canary like the control has as many of the bad requests, or more. O(sqrt(bad requests)).
    var chance: Double {
      guard canary > 0 else { return 1 }
      guard let explained, explained.mean > 0 else {
        return Binomial.upperTail(events: canary, trials: canary + control, rate: share)
      }
      // Trials with unlike shares, read as alike ones with the same mean and variance.
      let rate = max(1 - explained.variance / explained.mean, 0)
      let trials = rate > 0 ? Int((explained.mean / rate).rounded()) : canary + control
      return Binomial.upperTail(events: canary, trials: trials, rate: rate)
    }
  }

  private static func suspicion(_ rule: Rule, _ totals: WindowTotals) -> Suspicion {
    let explained = rule == .latency ? totals.beside.explainedSlow : totals.beside.explainedErrors
    return Suspicion(
      canary: explained?.canaryEvents ?? rule.distinct(in: totals.canary),
      control: explained?.controlEvents ?? rule.distinct(in: totals.control),
      controlRequests: explained?.controlRequests ?? totals.control.requests, explained: explained,
      share: Double(totals.canary.requests) / Double(max(totals.canary.requests + totals.control.requests, 1)))
  }

  /// The canary is shown to fail more often than the control beside it.
  static func bearsOut(_ rule: Rule, _ whole: WindowTotals) -> Bool { evidence(rule, whole) >= borneOut }
  static func bearsOutRecently(_ rule: Rule, _ recent: WindowTotals) -> Bool {
    evidence(rule, recent) >= borneOutRecently
  }

  private static func evidence(_ rule: Rule, _ totals: WindowTotals) -> Double {
    if totals.beside.isEmpty { return -.infinity }
    return test.logEvidence(rule == .latency ? totals.beside.slow : totals.beside.errors)
  }
}

extension ControlLogs {
  mutating func explain(_ canary: RequestCounts, _ control: RequestCounts, _ mix: TrafficMix) {
    let share = mix.share(canary: canary.requests, control: control.requests)
    let requests = control.requests - control.repeats
    let errors = (Rule.errorRate.distinct(in: canary), Rule.errorRate.distinct(in: control))
    explainedErrors?.add(canary: errors.0, control: errors.1, of: requests, share)
    explainedSlow?.add(canary: canary.slow, control: control.slow, of: requests, share)
  }

  mutating func forget(_ rule: Rule) {
    if isEmpty { return }
    if rule == .latency { explainedSlow = .begun } else { explainedErrors = .begun }
  }
}

extension ControlLogs.Explained {
  fileprivate mutating func add(canary: Int, control: Int, of controlRequests: Int, _ share: Double) {
    let bad = Double(canary + control)
    mean += bad * share
    variance += bad * share * (1 - share)
    canaryEvents = canaryEvents.map { $0 + canary }
    controlEvents = controlEvents.map { $0 + control }
    self.controlRequests = self.controlRequests.map { $0 + controlRequests }
  }
}
