/// Where one ledger keeps its three files.
package struct LedgerFiles: Equatable, Sendable {
  /// The SQLite database.
  package let database: String
  /// The signed checkpoints, beside the database, one JSON object a line.
  package let checkpoints: String
  /// The Ed25519 signing key, mode 0600; its public half is at the same path with `.pub`.
  package let key: String
  package init(database: String, checkpoints: String, key: String) {
    self.database = database
    self.checkpoints = checkpoints
    self.key = key
  }
  package var publicKey: String { "\(key).pub" }
}
