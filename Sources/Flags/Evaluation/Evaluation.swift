/// What evaluating one flag came to: a few bytes, copied freely. ``FlagSet`` tells value, variant and words of it.
public struct Evaluation: Sendable, Equatable {
  /// Why this value, in OpenFeature's words.
  public enum Reason: UInt8, Sendable, CaseIterable {
    /// The flag has no rules.
    case `static`
    /// No rule chose, or a prerequisite is not met: the default variant, or the caller's default without one.
    case `default`
    /// Targeting chose the variant.
    case targetingMatch
    /// A ramp's allocation chose it.
    case split
    /// The flag is switched off: the caller's default.
    case disabled
    /// See ``Evaluation/error``.
    case error

    /// As OpenFeature and OFREP write it.
    public var text: String {
      switch self {
      case .static: "STATIC"
      case .default: "DEFAULT"
      case .targetingMatch: "TARGETING_MATCH"
      case .split: "SPLIT"
      case .disabled: "DISABLED"
      case .error: "ERROR"
      }
    }
  }

  /// Why there is no value, in OpenFeature's words.
  public enum ErrorCode: UInt8, Sendable, CaseIterable {
    case flagNotFound, parseError, typeMismatch, general

    /// As OpenFeature and OFREP write it.
    public var text: String {
      switch self {
      case .flagNotFound: "FLAG_NOT_FOUND"
      case .parseError: "PARSE_ERROR"
      case .typeMismatch: "TYPE_MISMATCH"
      case .general: "GENERAL"
      }
    }
  }

  /// What stands behind an error, or behind a default that rules might have changed.
  public enum Cause: UInt8, Sendable {
    case none
    case flagNotFound
    /// Targeting chose something that names no variant, or a variant without value.
    case noSuchVariant
    /// The default variant is not among the variants.
    case noSuchDefault
    /// Targeting is no JSON object.
    case targetingIsNoObject
    /// A rule uses an operation that does not exist.
    case unknownOperation
    /// `var` has more than a name and a default.
    case excessArgument
    /// A rule divides by zero.
    case divisionByZero
    /// A rule needs a whole number where there is an infinite one.
    case infiniteNumber
    /// `fractional` without a bucketing value inside of a list: what it looks at is no object.
    case noObject
    /// A rule computes with more than ``Scratch/limit`` bytes or ``Evaluator/stepLimit`` steps.
    case tooMuch
    /// The value has another type than the caller expects.
    case typeMismatch
    /// A prerequisite does not serve one of the variants that this flag asks for.
    case prerequisiteUnmet
    /// A ramp has nothing to choose by: the context lacks its attribute.
    case subjectMissing
    /// Before its start or after its end.
    case outsideSchedule
  }

  public let reason: Reason
  /// Nil unless ``reason`` is `error`.
  public let error: ErrorCode?
  public let cause: Cause
  /// Position of the flag in its set; -1 if there is none of that name.
  package let flag: Int32
  /// Position of the variant in its flag; -1 for the caller's default.
  package let variant: Int32

  init(_ reason: Reason, variant: Int32 = -1, of flag: Int32, cause: Cause = .none, error: ErrorCode? = nil) {
    self.reason = reason
    self.error = error
    self.cause = cause
    self.flag = flag
    self.variant = variant
  }

  static func failed(_ error: ErrorCode, _ cause: Cause, of flag: Int32) -> Evaluation {
    Evaluation(.error, of: flag, cause: cause, error: error)
  }
}

/// Why a program stopped. Trivial, so that throwing it allocates nothing.
enum EvaluationFault: UInt8, Error {
  case unknownOperation, misnamedOperation, excessArgument, divisionByZero, infiniteNumber, noObject, tooMuch

  /// flagd's core turns an unknown operation into PARSE_ERROR; every other exception of the peer reaches the
  /// OpenFeature client, which answers GENERAL.
  var code: Evaluation.ErrorCode { self == .unknownOperation ? .parseError : .general }

  var cause: Evaluation.Cause {
    switch self {
    case .unknownOperation, .misnamedOperation: .unknownOperation
    case .excessArgument: .excessArgument
    case .divisionByZero: .divisionByZero
    case .infiniteNumber: .infiniteNumber
    case .noObject: .noObject
    case .tooMuch: .tooMuch
    }
  }
}

/// The type that a caller expects a flag to have.
public enum FlagType: UInt8, Sendable, CaseIterable {
  case boolean, text, integer, number, object
}
