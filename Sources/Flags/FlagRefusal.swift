/// Why a definition, a context or an import was not accepted: the caller's fault, never retried unchanged.
///
/// The words say who, why and what to do: ``subject`` is a noun, ``cause`` a clause about it, ``nextStep`` an order.
public struct FlagRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is refused: "flag `checkout`", "the context".
  public let subject: String
  /// What is wrong with it, as a clause that follows the subject: "has no variants".
  public let cause: String
  /// What to do: "Name at least one variant".
  public let nextStep: String
  /// Line in the text, from 1; nil when the fault is in no text.
  public let line: Int?
  /// Column in the line, in Unicode scalars, from 1; nil when the fault is in no text.
  public let column: Int?
  /// The word that was not known, for a caller who offers the nearest match.
  public let unknown: String?
  /// What could have stood instead of ``unknown``, sorted.
  public let known: [String]

  public init(
    _ subject: String, _ cause: String, next nextStep: String, line: Int? = nil, column: Int? = nil,
    unknown: String? = nil, known: [String] = []
  ) {
    self.subject = subject
    self.cause = cause
    self.nextStep = nextStep
    self.line = line
    self.column = column
    self.unknown = unknown
    self.known = known
  }

  /// One sentence, without its place.
  public var sentence: String { "\(subject) \(cause); \(nextStep)." }

  /// The sentence behind its place, as compilers write it.
  public var description: String {
    guard let line, let column else { return sentence }
    return "\(line):\(column): \(sentence)"
  }
}
