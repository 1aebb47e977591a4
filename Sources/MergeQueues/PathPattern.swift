import Kernel

/// A pattern for paths, as lines of a `.gitignore` are, without `!`.
///
/// | written | means |
/// |---|---|
/// | `*` | any characters but `/`, also none |
/// | `?` | one character but `/` |
/// | `[a-z_]`, `[!a-z]`, `[^a-z]` | one character of, or not of, a class; never `/` |
/// | `\*` | the character itself |
/// | `*.lock` | no slash inside: a name at any depth |
/// | `/go.mod`, `api/*.proto` | a slash at the start or inside: from the repository's root |
/// | `docs/` | a slash at the end: folders only |
/// | `**/x`, `a/**/b`, `a/**` | any number of folders; none, too; everything inside |
///
/// What matches a folder matches all that is in it. A character is a Unicode scalar; case counts.
package struct PathPattern: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// As written.
  package let text: String
  private let segments: [Segment]
  private let isForFolders: Bool

  /// Patterns are short; one as long as a path's limit on Linux is a slip.
  package static let lengthLimit = 1_000

  /// - Throws: `Refusal.malformed`, with the pattern and what is wrong with it.
  package init(_ text: String) throws(Refusal) {
    func refuse(_ why: String) -> Refusal { Refusal(.malformed, "The path pattern '\(text)' \(why).") }
    guard text.contains(where: { $0 != "/" }) else {
      throw refuse("names nothing; write '**' for every path")
    }
    guard text.count <= Self.lengthLimit else {
      throw Refusal(
        .malformed,
        "The path pattern that begins with '\(text.prefix(40))' has more than \(Self.lengthLimit) characters.")
    }
    guard !text.hasPrefix("!") else {
      throw refuse("begins with '!', and patterns cannot be taken back; write '\\!' for the character")
    }
    var scalars = text.unicodeScalars[...]
    isForFolders = scalars.last == "/"
    while scalars.last == "/" { scalars.removeLast() }
    let isAnchored = scalars.contains("/")
    if scalars.first == "/" { scalars.removeFirst() }
    var segments: [Segment] = []
    let names = scalars.split(separator: "/", omittingEmptySubsequences: false)
    for name in names {
      if name.isEmpty { throw refuse("has two slashes in a row") }
      if isAnchored, name.elementsEqual("**".unicodeScalars) {
        if segments.last != .anyDepth { segments.append(.anyDepth) }
      } else {
        guard let tokens = Token.tokens(of: name) else {
          throw refuse(
            "has a class '[' that does not close, or '\\' at an end; write '\\[' or '\\\\' for the character")
        }
        segments.append(.name(tokens))
      }
    }
    self.segments = isAnchored ? segments : [.anyDepth] + segments
    self.text = text
  }

  package var description: String { text }
  package static func < (left: PathPattern, right: PathPattern) -> Bool { left.text < right.text }
  package static func == (left: PathPattern, right: PathPattern) -> Bool { left.text == right.text }
  package func hash(into hasher: inout Hasher) { hasher.combine(text) }

  /// Whether the file at `path`, or a folder that it is in, is meant. `path` is from the root, without `/` at its ends.
  /// O(segments × depth × name).
  package func matches(_ path: String) -> Bool {
    let parts = path.unicodeScalars.split(separator: "/", omittingEmptySubsequences: true).map(Array.init)
    guard !parts.isEmpty else { return false }
    // Counts of parts that the segments so far may have taken, rising.
    var taken = [0]
    for (index, segment) in segments.enumerated() {
      switch segment {
      case .anyDepth:
        guard let first = taken.first else { return false }
        // At its end a pattern means what is inside, not the folder itself.
        let least = index == segments.count - 1 ? first + 1 : first
        taken = least <= parts.count ? Array(least...parts.count) : []
      case .name(let tokens):
        taken = taken.compactMap { count in
          count < parts.count && Token.match(tokens, parts[count]) ? count + 1 : nil
        }
      }
    }
    return taken.contains { !isForFolders || $0 < parts.count }
  }

  private enum Segment: Equatable {
    /// `**`
    case anyDepth
    case name([Token])
  }
}

extension PathPattern: Codable {
  package init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// A part of a pattern for one name.
private enum Token: Equatable {
  case literal(Unicode.Scalar)
  case anyOne
  case any
  case oneOf([ClosedRange<Unicode.Scalar>], isNegated: Bool)

  func takes(_ scalar: Unicode.Scalar) -> Bool {
    switch self {
    case .literal(let wanted): scalar == wanted
    case .anyOne, .any: true
    case .oneOf(let ranges, let isNegated): ranges.contains { $0.contains(scalar) } != isNegated
    }
  }

  /// Nil when a class does not close or the name ends in a backslash.
  static func tokens(of name: Substring.UnicodeScalarView) -> [Token]? {
    var tokens: [Token] = []
    var rest = name
    while let scalar = rest.popFirst() {
      switch scalar {
      case "*": if tokens.last != .any { tokens.append(.any) }
      case "?": tokens.append(.anyOne)
      case "\\":
        guard let escaped = rest.popFirst() else { return nil }
        tokens.append(.literal(escaped))
      case "[":
        guard let token = characterClass(&rest) else { return nil }
        tokens.append(token)
      default: tokens.append(.literal(scalar))
      }
    }
    return tokens
  }

  /// What follows `[`, with its `]`. A `]` that comes first is a member; so is a `-` at an end.
  private static func characterClass(_ rest: inout Substring.UnicodeScalarView) -> Token? {
    var ranges: [ClosedRange<Unicode.Scalar>] = []
    let isNegated = rest.first == "!" || rest.first == "^"
    if isNegated { rest.removeFirst() }
    var isFirst = true
    while var low = rest.popFirst() {
      if low == "]", !isFirst { return .oneOf(ranges, isNegated: isNegated) }
      isFirst = false
      // `[:alpha:]` is not known; taken letter by letter it would mean something else.
      if low == "[", rest.first == ":" { return nil }
      if low == "\\" {
        guard let escaped = rest.popFirst() else { return nil }
        low = escaped
      }
      ranges.append(low...low)
      guard rest.first == "-", rest.dropFirst().first.map({ $0 != "]" }) ?? false else { continue }
      rest.removeFirst()
      guard var high = rest.popFirst() else { return nil }
      if high == "\\" {
        guard let escaped = rest.popFirst() else { return nil }
        high = escaped
      }
      // A range from high to low holds its first character alone, as in git.
      if low <= high { ranges.append(low...high) }
    }
    return nil
  }

  /// Takes the last star again with one character more whenever what follows does not fit: O(tokens × name).
  static func match(_ tokens: [Token], _ name: [Unicode.Scalar]) -> Bool {
    var (token, at) = (0, 0)
    var star: (token: Int, at: Int)?
    while at < name.count {
      if token < tokens.count, tokens[token] == .any {
        star = (token, at)
        token += 1
      } else if token < tokens.count, tokens[token].takes(name[at]) {
        token += 1
        at += 1
      } else if let last = star {
        star = (last.token, last.at + 1)
        (token, at) = (last.token + 1, last.at + 1)
      } else {
        return false
      }
    }
    return tokens[token...].allSatisfy { $0 == .any }
  }
}
