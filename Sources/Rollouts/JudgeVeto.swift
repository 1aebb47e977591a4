import Kernel
import Statistics

/// Says that a worsening is an incident of both arms, not the release's doing.
///
/// Given all bad requests of both arms, how many of them the canary has follows its share of the traffic if both are
/// alike (conditional binomial; Przyborowski and Wilenski, Biometrika 31, 1940). Each stretch of time counts with the
/// share that it had (Cochran, Biometrics 10, 1954; Mantel and Haenszel, JNCI 22, 1959): an incident at a later step
/// has more of its bad requests on the canary than the canary has of all requests. The veto holds while that explains
/// what is seen. It can only keep a canary, so it cannot add false rollbacks; it never outlasts a canary that is truly
/// worse, whose share goes on growing.
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

  static func holds(for rule: Rule, in totals: WindowTotals) -> Bool {
    guard totals.control.requests >= enoughControlRequests, rule.distinct(in: totals.control) >= leastControlEvents
    else { return false }
    return chance(rule, totals) > explained
  }

  /// The same for a window that began amid or after an incident: a young one has seen little of the control, and that
  /// is no reason to think the incident over.
  static func holdsAfterIncident(for rule: Rule, in totals: WindowTotals, at now: Instant) -> Bool {
    let isYoung = totals.since.map { now - $0 < silence } ?? true
    let control = totals.control
    guard isYoung || control.requests >= enoughControlRequests || rule.distinct(in: control) >= leastControlEvents
    else { return false }
    return chance(rule, totals) > explainedAfterIncident
  }

  /// The chance that a canary like the control has as many of the bad requests, or more. O(sqrt(bad requests)).
  private static func chance(_ rule: Rule, _ totals: WindowTotals) -> Double {
    let canaryEvents = rule.distinct(in: totals.canary)
    guard canaryEvents > 0 else { return 1 }
    let events = canaryEvents + rule.distinct(in: totals.control)
    let explained = rule == .latency ? totals.beside.explainedSlow : totals.beside.explainedErrors
    guard let explained, explained.mean > 0 else {
      let share = Double(totals.canary.requests) / Double(totals.canary.requests + totals.control.requests)
      return Binomial.upperTail(events: canaryEvents, trials: events, rate: share)
    }
    // Trials with unlike shares, read as alike ones with the same mean and variance.
    let rate = max(1 - explained.variance / explained.mean, 0)
    let trials = rate > 0 ? Int((explained.mean / rate).rounded()) : events
    return Binomial.upperTail(events: canaryEvents, trials: trials, rate: rate)
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
    for rule in [Rule.errorRate, .latency] {
      let bad = rule.distinct(in: canary) + rule.distinct(in: control)
      guard bad > 0 else { continue }
      let share = mix.share(canary: canary.requests, control: control.requests)
      if rule == .latency {
        explainedSlow?.add(Double(bad), share)
      } else {
        explainedErrors?.add(Double(bad), share)
      }
    }
  }
}

extension ControlLogs.Explained {
  fileprivate mutating func add(_ bad: Double, _ share: Double) {
    mean += bad * share
    variance += bad * share * (1 - share)
  }
}
