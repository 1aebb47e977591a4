/// What a recorder asks of SQL, answered by whoever has a parser. Called on the proxy's thread, so each should take
/// microseconds for a statement of ordinary length.
package struct StatementReading: Sendable {
  /// Equal for statements that differ only in constants.
  package let fingerprint: @Sendable (String) -> String
  /// The statement with its constants replaced by `$1`, `$2`; nil where it cannot be read.
  package let normalise: @Sendable (String) -> String?
  /// The statements of a simple query, in their order; the text itself where it cannot be read.
  package let split: @Sendable (String) -> [String]

  package init(
    fingerprint: @escaping @Sendable (String) -> String, normalise: @escaping @Sendable (String) -> String?,
    split: @escaping @Sendable (String) -> [String]
  ) {
    self.fingerprint = fingerprint
    self.normalise = normalise
    self.split = split
  }
}
