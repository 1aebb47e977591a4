import CPgQuery

extension SQLParser {
  /// The text with its constants replaced by `$1`, `$2`, counted on from its own parameters; nil where it cannot be
  /// read. The strings of some commands are no constants to the grammar and stay: NOTIFY, COMMENT, options.
  package static func normalise(_ text: String) -> String? {
    guard !text.utf8.contains(0) else { return nil }
    return onStack(for: text) {
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
