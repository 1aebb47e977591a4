import Kernel
import Statistics

/// What a guardrail sees at usual times, all cohorts together.
package struct UsualTraffic: Codable, Equatable, Sendable {
  /// Requests, or newly exposed units, a second.
  package let trialsPerSecond: Double
  /// Share of them with an event, 0 to 1.
  package let rate: Double
  package init(trialsPerSecond: Double, rate: Double) {
    self.trialsPerSecond = max(trialsPerSecond, 0)
    self.rate = min(max(rate, 0), 1)
  }
}

/// What a stage can see before it begins: how long until a worsening stops the ramp, and how long it must hold until
/// the one that is promised would have.
package struct StageSight: Equatable, Sendable {
  package struct Row: Codable, Equatable, Sendable {
    /// The harm, in times.
    package let ratio: Double
    /// Half of all ramps are stopped by then; nil when it cannot be seen.
    package let median: Span?
    /// 19 of 20 are.
    package let p95: Span?
  }

  package let guardrail: Guardrail
  package let percent: Double
  /// Rising; the last but for `ratios` above it is the guardrail's `detect`.
  package let rows: [Row]
  /// Until the stage may pass, if nothing is wrong; nil when never.
  package let holds: Span?

  /// What people ask about.
  package static let ratios: [Double] = [2, 5, 20]

  /// - Parameters:
  ///   - index: of the guardrail.
  ///   - stage: the number of the stage, 0 for the first.
  ///   - traffic: with which it is planned.
  package init(_ policy: RampPolicy, guardrail index: Int, stage number: Int, traffic: UsualTraffic) {
    let guardrail = policy.guardrails[index]
    let stage = policy.stages[number]
    self.guardrail = guardrail
    percent = stage.percent
    let test = CohortTest(guardrail.direction, limit: guardrail.limit)
    let events = traffic.trialsPerSecond * traffic.rate
    let second = CohortTest.Stretch(usual: events * stage.share, other: events * (1 - stage.share))
    let isCompared = stage.share < 1
    var delay = Span.zero
    if case .conversion(let window) = guardrail.measure { delay = window }
    func span(_ ratio: Double, _ chance: CohortTest.Chance) -> Span? {
      guard isCompared, ratio * traffic.rate <= 1 || guardrail.direction == .fewer else { return nil }
      let folds = test.folds(
        of: second, toSee: ratio, for: chance, start: StartWeights.stage(number), threshold: policy.threshold)
      return folds.map { .seconds($0.rounded(.up)) + delay }
    }
    rows = Set(StageSight.ratios + [guardrail.detect]).sorted().filter { $0 > guardrail.limit }.map {
      Row(ratio: $0, median: span($0, .median), p95: span($0, .p95))
    }
    let seen = rows.first { $0.ratio == guardrail.detect }?.p95
    holds = isCompared ? seen.map { max($0, stage.least) } : stage.least
  }

  /// "1 % sees 5x errors in about 28 s (19 of 20 in 82 s); 2x would take 14 min, so the stage holds for 14 min."
  package var sentence: String {
    let share = "\(RampWords.number(percent)) %"
    guard percent < 100 else {
      return """
        At 100 % nobody is left to compare \(guardrail.name) with; it is judged beside the minutes before for \
        \(RampWords.about(holds ?? .zero)).
        """
    }
    let detect = RampWords.times(guardrail.detect)
    let prompt = rows.filter { $0.ratio > guardrail.detect }.first { $0.median != nil }
    let seen = prompt.flatMap { row in
      row.median.map { median in
        let nearly = row.p95.map { " (19 of 20 in \(RampWords.about($0)))" } ?? ""
        return
          "\(share) sees \(RampWords.times(row.ratio)) \(guardrail.name) in about \(RampWords.about(median))\(nearly)"
      }
    }
    guard let promised = rows.first(where: { $0.ratio == guardrail.detect })?.p95, let holds else {
      let head = seen.map { "\($0); " } ?? "\(share): "
      return "\(head)\(detect) \(guardrail.name) cannot be seen at this traffic, so the stage asks."
    }
    let tail = "\(detect) would take \(RampWords.about(promised)), so the stage holds for \(RampWords.about(holds))"
    return "\(seen.map { "\($0); " } ?? "\(share), \(guardrail.name): ")\(tail)."
  }
}
