import Kernel

/// What is to be said of a ramp now. Nothing but evidence of harm is *bad*: what is missing or cannot be trusted holds
/// the stage.
package enum RampVerdict: Codable, Equatable, Sendable {
  /// Each guardrail's worsening by `detect` would have been seen at this stage, and is excluded.
  case good(StagePower)
  /// Final.
  case bad(RampConviction)
  /// Too little was seen.
  case undecided(StageLack)
  /// What was seen is not what it should be.
  case untrusted(RampMistrust)
}

/// Why a stage is passed.
package struct StagePower: Codable, Equatable, Sendable {
  package let sentence: String
}

/// Why the variant is switched off, with what is needed to check it.
package struct RampConviction: Codable, Equatable, Sendable {
  /// Index and name in the policy.
  package let guardrail: Int
  package let name: String
  /// In percent of the units.
  package let percent: Double
  package let epoch: Int
  /// Of the stage in which it was decided.
  package let trials: Cohorts
  package let events: Cohorts
  /// The harm: times as many errors, or times as few conversions, as the control has; 1 or more means worse. Nil when
  /// the grid of `RatioBounds` does not tell.
  package let ratio: Double?
  /// The 95 % confidence sequence's ends, nil where open.
  package let lower: Double?
  package let upper: Double?
  /// ln of the ramp's e-value, and what it had to reach.
  package let logEvidence: Double
  package let threshold: Double
  /// When what is seen probably began; nil at 100 %.
  package let since: Instant?
  package let decidedAt: Instant
  package let sentence: String
}

/// Why nothing can be said yet.
package struct StageLack: Codable, Equatable, Sendable {
  /// Of the guardrail that lacks most; nil where only the stage's least time does.
  package let guardrail: Int?
  /// Until the stage can be passed, at the pace so far; nil when no pace is known.
  package let forecast: Span?
  package let sentence: String
}

/// Why the evidence is not believed.
package struct RampMistrust: Codable, Equatable, Sendable {
  package enum Reason: String, Codable, Sendable {
    /// Units come into the cohorts with other shares than planned.
    case sampleRatio
    /// No second came of a guardrail for `RampJudge.silence`, and the window of a conversion.
    case telemetry
    /// Events of the control stopped coming.
    case controlSilent
  }
  package let reason: Reason
  /// What would be said if it were believed; a person may act on it.
  package let suspicion: RampConviction?
  package let sentence: String
}
