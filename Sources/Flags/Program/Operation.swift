/// What a step of a decision program does. Its arguments are its children.
///
/// Names and meaning are those of JSONLogic as panzi-json-logic 1.0.1 has it, of flagd's own operations, and of ours.
enum Operation: UInt16 {
  // JSONLogic
  case variable, missing, missingSome
  case choose, and, or
  case filter, map, reduce, all, some, none
  case equal, notEqual, strictlyEqual, strictlyUnequal
  case less, lessOrEqual, greater, greaterOrEqual
  case not, truth
  case add, multiply, subtract, divide, remainder, minimum, maximum
  case contained, merge, concatenate, substring, log
  // flagd
  case fractional, startsWith, endsWith, semanticVersion
  // ours, in native flag sets
  case segment
  // what the compiler makes
  /// A list that is made anew each time, of arguments that are evaluated.
  case list
  /// `var` with one constant name without a dot, which is neither `targetingKey` nor `$flagd`.
  case attribute
  /// A rule of `$evaluators`; the single child is its first step, in the rule's own block.
  case rule
  /// An operation that nobody knows: an error of parsing, but only when it is reached, as in flagd.
  case unknown
  /// A known operation with a dotted suffix, which makes the peer fail in another way.
  case misnamed
  /// Stands for the evaluation's context where data is passed on; never in a program.
  case context

  private static let names: [(StaticString, Operation)] = [
    ("var", .variable), ("if", .choose), ("==", .equal), ("in", .contained), ("fractional", .fractional),
    ("===", .strictlyEqual), ("!=", .notEqual), ("!==", .strictlyUnequal), ("<", .less), ("<=", .lessOrEqual),
    (">", .greater), (">=", .greaterOrEqual), ("and", .and), ("or", .or), ("!", .not), ("!!", .truth),
    ("starts_with", .startsWith), ("ends_with", .endsWith), ("sem_ver", .semanticVersion), ("cat", .concatenate),
    ("+", .add), ("*", .multiply), ("-", .subtract), ("/", .divide), ("%", .remainder), ("min", .minimum),
    ("max", .maximum), ("merge", .merge), ("substr", .substring), ("missing", .missing),
    ("missing_some", .missingSome), ("filter", .filter), ("map", .map), ("reduce", .reduce), ("all", .all),
    ("some", .some), ("none", .none), ("?:", .choose), ("log", .log), ("segment", .segment),
  ]

  /// Operations that the peer's evaluator handles before it looks into its table: they have no dotted form.
  private static let special: Set<Operation> = [.choose, .and, .or, .filter, .map, .reduce, .all, .some, .none]

  /// The operation of that name; nil if there is none.
  init?(named name: UnsafeRawBufferPointer) {
    for (candidate, operation) in Self.names where equals(name, candidate) {
      self = operation
      return
    }
    return nil
  }

  /// What an unknown name comes to: `==.x` fails otherwise than `x` does.
  static func failing(named name: UnsafeRawBufferPointer) -> Operation {
    guard let dot = name.firstIndex(of: UInt8(ascii: ".")) else { return .unknown }
    guard let head = Operation(named: UnsafeRawBufferPointer(rebasing: name[..<dot])), !special.contains(head),
      head != .segment
    else { return .unknown }
    return .misnamed
  }

  /// Every name that may be written, for who offers the nearest.
  static var knownNames: [String] {
    names.map { "\($0.0)" }.sorted()
  }
}
