import Migrations

/// What a statement does besides its work: it ends or begins a transaction, or changes who and where later ones run.
enum StatementEffect: Equatable, Sendable {
  /// BEGIN, COMMIT, SAVEPOINT and their like depend on no schema, and no set of statements should run them.
  case transactionControl
  /// ROLLBACK of a whole transaction, which also brings back what SET changed in it.
  case rollback
  /// SET, SHOW and their like, which depend on no schema either.
  case setting
  case searchPath(String?, scope: Scope)
  case role(String?, scope: Scope)
  case resetAll

  enum Scope: Equatable, Sendable {
    case session
    case transaction
  }

  private static let control: Set = [
    "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release",
  ]

  /// Reads the first words of one statement; nil for one that has no such effect.
  static func read(_ statement: String) -> StatementEffect? {
    let words = Words(statement, limit: 64)
    guard let first = words.first else { return nil }
    if first == "rollback" || first == "abort", !words.list.contains("to"), !words.list.contains("prepared") {
      return .rollback
    }
    if control.contains(first) { return .transactionControl }
    if first == "prepare", words.list.dropFirst().first == "transaction" { return .transactionControl }
    switch first {
    case "set": return setting(words)
    case "reset":
      switch words.list.dropFirst().first {
      case "all": return .resetAll
      case "search_path": return .searchPath(nil, scope: .session)
      case "role": return .role(nil, scope: .session)
      default: return .setting
      }
    case "discard": return words.list.dropFirst().first == "all" ? .resetAll : .setting
    case "show", "deallocate": return .setting
    default: return nil
    }
  }

  private static func setting(_ words: Words) -> StatementEffect? {
    var rest = words.list.dropFirst()
    var scope = Scope.session
    if rest.first == "local" {
      scope = .transaction
      rest = rest.dropFirst()
    } else if rest.first == "session" {
      rest = rest.dropFirst()
      if rest.first == "authorization", let name = rest.dropFirst().first {
        return .role(name == "default" ? nil : name, scope: scope)
      }
    }
    switch rest.first {
    case "role":
      guard let name = rest.dropFirst().first(where: { $0 != "to" && $0 != "=" }) else { return .setting }
      return .role(name == "none" || name == "default" ? nil : name, scope: scope)
    case "search_path":
      let names = rest.dropFirst(2).filter { $0 != "," }
      return .searchPath(names == ["default"] ? nil : names.joined(separator: ", "), scope: scope)
    // SET CONSTRAINTS names what a migration may drop.
    case "constraints": return nil
    default: return .setting
    }
  }

  /// Words, quoted names, quoted strings and signs; unquoted ones in lower case, comments left out.
  private struct Words {
    var list: [String] = []
    var first: String? { list.first }

    /// Bytes that are looked at: what a statement does besides its work stands at its beginning.
    private static let longest = 4096

    init(_ text: String, limit: Int) {
      let bytes = Array(text.utf8.prefix(Self.longest))
      for token in SQLTokens(bytes) where list.count < limit {
        let part = bytes[token.range]
        switch token.kind {
        case .word, .number, .parameter: list.append(String(decoding: part, as: UTF8.self).lowercased())
        case .name, .string: list.append(Self.inside(part))
        case .symbol where part.first == UInt8(ascii: ",") || part.first == UInt8(ascii: "="):
          list.append(String(decoding: part, as: UTF8.self))
        case .comment, .blank, .symbol: break
        }
      }
    }

    /// Without its quotes; one that does not end has none behind it.
    private static func inside(_ quoted: ArraySlice<UInt8>) -> String {
      let rest = quoted.dropFirst()
      return String(decoding: rest.last == quoted.first ? rest.dropLast() : rest, as: UTF8.self)
    }
  }
}
