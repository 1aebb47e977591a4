import CPgQuery

extension SQLParser {
  /// The text with its constants replaced by `$1`, `$2`, counted on from its own parameters; nil where it cannot be
  /// read. The strings of some commands are no constants to the grammar and stay: NOTIFY, COMMENT, options.
  package static func normalise(_ text: String) -> String? {
    guard !text.utf8.contains(0) else { return nil }
    return normalised(text).map(readable)
  }

  /// A text as a server takes it. Who replaces the constant of `interval '1 day'` alone, as `pg_stat_statements` and
  /// libpg_query do, leaves `interval $1`, which libpg_query reads and no server; `$1::interval` says the same, with the
  /// same fingerprint. What stands in quotes is left alone.
  package static func readable(_ text: String) -> String {
    guard text.contains("$") else { return text }
    let cast = text.replacing(typedParameter) { match in
      guard let type = match.2, let number = match.5 else { return String(match.0) }
      return "$\(number)::\(type)\(match.3 ?? "")\(match.4 ?? "")\(match.6 ?? "")"
    }
    return cast == text || fingerprint(cast) != fingerprint(text) ? text : cast
  }

  /// A string; or a type of which a constant may be written behind its name (PostgreSQL manual, 4.1.2.7), as far as they
  /// are seen, and a parameter.
  private static var typedParameter:
    Regex<(Substring, Substring?, Substring?, Substring?, Substring?, Substring?, Substring?)>
  {
    /('(?:[^']|'')*')|\b(interval|date|timestamptz|timestamp|timetz|time|bytea|jsonb?|uuid|inet|cidr|numeric|decimal|point|box|xml|text|varchar)(\s*\(\s*\d+\s*\))?(\s+(?:with|without)\s+time\s+zone)?\s+\$(\d+)(\s+(?:year|month|day|hour|minute|second)\b(?:\s+to\s+(?:month|day|hour|minute|second)\b)?)?/
      .ignoresCase()
  }

  private static func normalised(_ text: String) -> String? {
    onStack(for: text) {
      let result = pg_query_normalize(text)
      defer { pg_query_free_normalize_result(result) }
      guard result.error == nil, let normal = result.normalized_query else { return nil }
      return String(cString: normal)
    }
  }

  /// The statements of a text by its tokens alone, without trees: for texts that pass by and need an answer at once.
  /// The text itself where it cannot be cut.
  package static func cut(_ text: String) -> [String] {
    let bytes = Array(text.utf8)
    guard !bytes.contains(0) else { return [text] }
    let result = pg_query_split_with_scanner(text)
    defer { pg_query_free_split_result(result) }
    guard result.error == nil, let statements = result.stmts else { return [text] }
    return (0..<Int(result.n_stmts)).compactMap { index in
      guard let statement = statements[index]?.pointee else { return nil }
      let start = Int(statement.stmt_location)
      let end = start + Int(statement.stmt_len)
      let blank: Set<UInt8> = [9, 10, 12, 13, 32]
      return String(decoding: bytes[start..<end].drop { blank.contains($0) }, as: UTF8.self)
    }
  }
}
