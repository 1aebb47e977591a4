import Kernel
import Statistics

/// What a new variant must not do to those who get it.
package struct Guardrail: Codable, Equatable, Sendable {
  /// "checkout errors".
  package let name: String
  package let measure: Measure
  /// Worse up to this factor is no evidence; 1: any worsening is, once it is proven.
  package let limit: Double
  /// A stage passes only when a worsening by this factor would have been seen in 19 of 20 ramps, and is excluded.
  package let detect: Double
  package let counting: Counting

  package enum Measure: Codable, Equatable, Sendable {
    /// Requests that failed.
    case errors
    /// Requests slower than this, hanging ones included: a P99 objective is a limit for one request in a hundred.
    case latency(slowerThan: Span)
    /// Units that did what is hoped for within this time after they were exposed.
    case conversion(within: Span)

    /// What it names; nil when it names none.
    var time: Span? {
      switch self {
      case .errors: nil
      case .latency(let limit): limit
      case .conversion(let window): window
      }
    }
  }

  /// Whether one unit's events may come many times.
  package enum Counting: String, Codable, Sendable {
    /// A unit that goes on failing is counted now and then (`UnitMemory`).
    case units
    /// Units are not known; how events crowd is learnt from the control (`Crowding`).
    case requests
  }

  /// Twice the errors, half of the conversions: the least of the examples.
  package static let defaultDetect = 2.0

  /// - Parameters:
  ///   - limit: at least 1.
  ///   - detect: above `limit`; a tenth more is read if it is not.
  package init(
    _ name: String, _ measure: Measure, limit: Double = 1, detect: Double = defaultDetect, counting: Counting = .units
  ) {
    self.name = name
    self.measure = measure
    self.limit = max(limit, 1)
    self.detect = max(detect, self.limit * 1.1)
    self.counting = counting
  }

  /// How long nothing may be told of it.
  var patience: Span {
    switch measure {
    case .errors, .latency: RampJudge.silence
    case .conversion(let window): window + RampJudge.silence
    }
  }

  package var direction: CohortTest.Direction {
    switch measure {
    case .errors, .latency: .more
    case .conversion: .fewer
    }
  }
}

/// How a ramp goes, and what would stop it.
package struct RampPolicy: Codable, Equatable, Sendable {
  package struct Stage: Codable, Equatable, Sendable {
    /// Of all units; above 0, at most 100.
    package let percent: Double
    /// It lasts at least so long; at 100 % it is judged for so long.
    package let least: Span
    package init(percent: Double, least: Span) {
      self.percent = min(max(percent, RampPolicy.smallestPercent), 100)
      self.least = least
    }
    package var share: Double { percent / 100 }
  }

  package let stages: [Stage]
  package let guardrails: [Guardrail]
  /// The chance that a ramp of a variant that harms nobody is stopped: all stages, looks and guardrails together.
  package let needless: Double

  /// Issue "Flags: deploy is not release": "1, 5, 25, 100 % or own stages".
  package static let defaultStages = [1.0, 5, 25, 100].map { Stage(percent: $0, least: .minutes(10)) }
  /// The same: "at most 1 % needless stops".
  package static let defaultNeedless = 0.01
  package static let needlessRange = 1e-9...0.1
  /// One unit in ten thousand.
  package static let smallestPercent = 0.01
  /// More say less and less each: the evidence that stops a ramp is shared.
  package static let mostGuardrails = 8

  /// - Parameters:
  ///   - stages: rising.
  ///   - guardrails: those after the first `mostGuardrails` are dropped.
  ///   - needless: the nearest of `needlessRange` is read.
  package init(
    stages: [Stage] = defaultStages, guardrails: [Guardrail], needless: Double = defaultNeedless
  ) {
    self.stages = stages
    self.guardrails = Array(guardrails.prefix(RampPolicy.mostGuardrails))
    self.needless = min(max(needless, RampPolicy.needlessRange.lowerBound), RampPolicy.needlessRange.upperBound)
  }

  /// ln of what a guardrail's e-value must reach if it alone tells.
  var threshold: Double { MixtureWindows.threshold(budget: budget * weight) }
  /// The part of `needless` that the mathematics may spend. The rest is for what it does not hold exactly: units that
  /// fail together, shares that wander.
  var budget: Double { needless * RampPolicy.spent }
  static let spent = 0.85
  /// Of each guardrail in the mean of their e-values, which is what must reach 1/`budget`.
  ///
  /// The mean of e-values is one, however they depend on each other (Vovk and Wang, Annals of Statistics 49, 2021), and
  /// is at least each e-value's own part of it: it is never later than a budget split between them.
  var weight: Double { 1 / Double(max(guardrails.count, 1)) }
}
