import Kernel

/// Which of a ramp's two cohorts somebody is in.
package enum Cohort: UInt8, Codable, Sendable { case treatment, control }

extension Cohorts {
  package subscript(cohort: Cohort) -> Int {
    get { cohort == .treatment ? treatment : control }
    set {
      switch cohort {
      case .treatment: treatment = newValue
      case .control: control = newValue
      }
    }
  }
}

/// Somebody was shown one of a ramp's variants.
package struct Exposure: Equatable, Sendable {
  package let cohort: Cohort
  /// A hash of the targeting key; nil where nobody told it. The key itself is kept nowhere.
  package let unit: UInt64?
  /// A hash of the trace in which it happened.
  package let trace: UInt64?
  /// Of the definitions that gave out the variant; nil where nobody told it.
  package let version: Int?
  package let at: Instant
  package init(cohort: Cohort, unit: UInt64?, trace: UInt64? = nil, version: Int? = nil, at: Instant) {
    self.cohort = cohort
    self.unit = unit
    self.trace = trace
    self.version = version
    self.at = at
  }
}

/// What became of one request.
package struct Outcome: Equatable, Sendable {
  package let unit: UInt64?
  package let trace: UInt64?
  /// Told beside it: it needs no exposure to be joined with.
  package let cohort: Cohort?
  /// What happened, where guardrails tell happenings apart: "checkout".
  package let event: String?
  /// Nil where the source does not know it.
  package let isFailure: Bool?
  package let duration: Span?
  /// Its end.
  package let at: Instant
  package init(
    unit: UInt64?, trace: UInt64? = nil, cohort: Cohort? = nil, event: String? = nil, isFailure: Bool?,
    duration: Span? = nil, at: Instant
  ) {
    self.unit = unit
    self.trace = trace
    self.cohort = cohort
    self.event = event
    self.isFailure = isFailure
    self.duration = duration
    self.at = at
  }
}

/// A unit did what is hoped for.
package struct Conversion: Equatable, Sendable {
  package let unit: UInt64?
  package let trace: UInt64?
  package let event: String?
  package let at: Instant
  package init(unit: UInt64?, trace: UInt64? = nil, event: String? = nil, at: Instant) {
    self.unit = unit
    self.trace = trace
    self.event = event
    self.at = at
  }
}

/// Requests of one cohort that a source has counted itself, without units.
package struct CountedOutcomes: Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    case failed
    case slower(than: Span)
  }
  package let cohort: Cohort
  package let event: String?
  package let kind: Kind
  package let trials: Int
  /// Of `trials`.
  package let events: Int
  package let at: Instant
  package init(cohort: Cohort, event: String? = nil, kind: Kind, trials: Int, events: Int, at: Instant) {
    self.cohort = cohort
    self.event = event
    self.kind = kind
    self.trials = trials
    self.events = events
    self.at = at
  }
}

/// A guardrail, and which happenings are its own.
package struct GuardedMeasure: Codable, Equatable, Sendable {
  package let guardrail: Guardrail
  /// Outcomes of this name only, and conversions of this name or of none; nil: all of them.
  package let event: String?
  package init(_ guardrail: Guardrail, event: String? = nil) {
    self.guardrail = guardrail
    self.event = event
  }
}
