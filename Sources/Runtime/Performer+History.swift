import ControlPlane
import Kernel
import Rollouts
import Statistics

/// What a metrics server remembers: error budgets, and what was usual before a deploy.
extension Performer {
  /// Between two looks at a budget: an alert's rule is evaluated about so often (SRE workbook, chapter 5), and the
  /// shortest window of a burn rate is five minutes.
  static let budgetInterval = Span.minutes(1)
  /// A window is asked anew when this share of it has passed: a look at 30 days is dear, and moves by no more than that.
  private static let renewal = 0.001

  /// Looks until it is no longer wanted; only one look is under way at a time.
  func watchBudget(_ order: Rollout.BudgetOrder, _ errand: Errand) async {
    var counted = order.objectives.map { CountedWindows($0) }
    while !Task.isCancelled {
      let began = Instant.now
      var readings: [BudgetReading] = []
      for index in counted.indices {
        let due = counted[index].due(at: .now, every: Self.budgetInterval, renewal: Self.renewal)
        let indicator = counted[index].objective.indicator
        counted[index].take(await ports.history.counts(of: indicator, over: due), of: due, at: began)
        readings.append(counted[index].reading)
      }
      // A look that was broken off says nothing.
      if Task.isCancelled { return }
      await errand.observe(.delivery(.budgetLooked(number: order.number, readings, at: .now)))
      await sleep(until: began + Self.budgetInterval)
    }
  }

  /// What was usual: from a metrics server where the place asks for that and it can say, else from the source that
  /// judges. Losing the one leaves the other, so nothing is rolled back for it.
  func baseline(
    of deployment: DeploymentID, slowerThan: Span, _ errand: Errand
  ) async throws(Outage) -> Baseline {
    var doubt: String?
    if let (service, environment) = Wiring.place(of: errand.stream),
      let answer = await ports.history.baseline(of: service, in: environment, slowerThan: slowerThan)
    {
      switch answer {
      case .counts(let history):
        if let baseline = Baseline(history) { return baseline }
        doubt = "only \(history.windows.count) of its windows hold requests, and \(Baseline.leastWindows) are needed"
      case .unknown(let reason): doubt = reason
      }
    }
    let windows = try await ports.telemetry.historyWindows(
      of: deployment, slowerThan: slowerThan, window: Self.baselineWindow, width: Judge.window)
    let own =
      windows.isEmpty
      ? Baseline(
        try await ports.telemetry.history(of: deployment, slowerThan: slowerThan, window: Self.baselineWindow))
      : Baseline(windows: windows)
    guard let doubt else { return own }
    return own.saying("Prometheus gave no baseline, so the last \(Self.baselineWindow.words) were counted: \(doubt)")
  }
}

/// What is known of an objective's windows, each as old as it may be.
private struct CountedWindows {
  let objective: Objective
  private let windows: [Span]
  private var known: [Span: (ratio: WindowRatio, at: Instant)] = [:]
  private var missing: String?

  init(_ objective: Objective) {
    self.objective = objective
    windows = BurnRate.windows(objectiveWindow: objective.window)
  }

  /// All of them after a look that found nothing: they must speak of one server that answers.
  func due(at now: Instant, every interval: Span, renewal: Double) -> [Span] {
    guard missing == nil else { return windows }
    return windows.filter { window in
      guard let known = known[window] else { return true }
      let age = max(now - known.at, .zero) + Span(milliseconds: interval.milliseconds / 2)
      return age >= max(interval, .seconds(window.seconds * renewal))
    }
  }

  mutating func take(_ answer: WindowAnswer, of asked: [Span], at now: Instant) {
    switch answer {
    case .unknown(let reason): missing = reason
    case .counts(let ratios):
      missing = nil
      for ratio in ratios where asked.contains(ratio.window) { known[ratio.window] = (ratio, now) }
    }
  }

  var reading: BudgetReading {
    let answer: WindowAnswer = missing.map { .unknown($0) } ?? .counts(windows.compactMap { known[$0]?.ratio })
    return BudgetReading(objective: objective.name, answer: answer)
  }
}
