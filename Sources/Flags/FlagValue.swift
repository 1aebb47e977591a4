/// A flag's value, or metadata: JSON that keeps alive what it lies in.
public struct FlagValue: Sendable, CustomStringConvertible {
  private let owner: Flag?
  private let set: FlagSet
  package let view: JSONView

  init(_ view: JSONView, of owner: Flag?, in set: FlagSet) {
    self.view = view
    self.owner = owner
    self.set = set
  }

  /// Nil unless it is a boolean.
  public var boolean: Bool? { view.boolean }
  /// Nil unless it is a text.
  public var text: String? { view.string }
  /// Nil unless it was written as an integer.
  public var integer: Int? { view.integer.flatMap { Int(exactly: $0) } }
  /// Nil unless it is a number; integers are rounded to a double.
  public var number: Double? { view.number }
  /// Compact JSON; a number that was written with a fraction keeps one.
  public var json: String { JSONWriter.text(of: view) }
  public var description: String { json }
}

extension FlagSet {
  /// The value that an evaluation of this set came to, as a view; null for the caller's default.
  package func value(of evaluation: Evaluation) -> JSONView {
    guard evaluation.flag >= 0, evaluation.variant >= 0 else { return .null }
    return flags[Int(evaluation.flag)].variants.children[2 * Int(evaluation.variant) + 1]
  }

  /// The value that an evaluation of this set came to; nil for the caller's default.
  public func flagValue(of evaluation: Evaluation) -> FlagValue? {
    guard evaluation.flag >= 0, evaluation.variant >= 0 else { return nil }
    return FlagValue(value(of: evaluation), of: flags[Int(evaluation.flag)], in: self)
  }

  /// Nil for the caller's default, and for a value that is no boolean.
  public func boolean(of evaluation: Evaluation) -> Bool? { value(of: evaluation).boolean }

  /// The variant's name; nil for the caller's default.
  public func variant(of evaluation: Evaluation) -> String? {
    guard evaluation.flag >= 0, evaluation.variant >= 0 else { return nil }
    return flags[Int(evaluation.flag)].variants.children[2 * Int(evaluation.variant)].string
  }

  /// Metadata of the set, with the flag's own over it, by name; empty without. For an unknown flag the set's.
  package func metadata(of evaluation: Evaluation) -> [(name: String, value: JSONView)] {
    var entries = metadata.members.map { (name: $0.name.string ?? "", value: $0.value) }
    guard evaluation.flag >= 0 else { return entries }
    for (name, value) in flags[Int(evaluation.flag)].metadata.members {
      let word = name.string ?? ""
      if let place = entries.firstIndex(where: { $0.name == word }) {
        entries[place].value = value
      } else {
        entries.append((word, value))
      }
    }
    return entries
  }

  static func fits(_ value: JSONView, _ type: FlagType) -> Bool {
    switch type {
    case .boolean: value.kind == .boolean
    case .text: value.kind == .text
    case .integer: value.kind == .integer
    // The peer takes booleans for numbers here, since they are in its language.
    case .number: value.kind == .integer || value.kind == .double || value.kind == .boolean
    case .object: value.kind == .object || value.kind == .array
    }
  }

  /// Why an evaluation has no value, or the default one, as a sentence; nil when there is nothing to say.
  public func details(of evaluation: Evaluation) -> String? {
    let key = evaluation.flag >= 0 ? flags[Int(evaluation.flag)].name : ""
    return switch evaluation.cause {
    case .none: nil
    case .flagNotFound: "no flag has this key"
    case .noSuchVariant: "targeting of `\(key)` chose what names no variant with a value"
    case .noSuchDefault: "the default variant of `\(key)` is not among its variants"
    case .targetingIsNoObject: "targeting of `\(key)` is no JSON object"
    case .unknownOperation: "targeting of `\(key)` uses an operation that does not exist"
    case .excessArgument: "targeting of `\(key)` gives `var` more than a name and a default"
    case .divisionByZero: "targeting of `\(key)` divides by zero"
    case .infiniteNumber: "targeting of `\(key)` needs a whole number and has an infinite one"
    case .noObject: "`fractional` of `\(key)` looks for a targeting key in what is no object"
    case .tooMuch: "targeting of `\(key)` computes too much for one evaluation"
    case .typeMismatch: "the value of `\(key)` has another type than expected"
    case .prerequisiteUnmet: "a prerequisite of `\(key)` does not serve the variant that it waits for"
    case .subjectMissing: "the context lacks the attribute that the ramp of `\(key)` chooses by"
    case .outsideSchedule: "it is before the start of `\(key)` or after its end"
    }
  }
}
