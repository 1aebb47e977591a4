/// Keeps secrets out of the ledger: a configuration becomes sealed bytes in the blob store and a keyed hash.
package protocol Sealer: Sendable {
  /// - Returns: `hash` is keyed (an outsider cannot guess a value from it) and equal for equal variables;
  ///   `sealed` names the encrypted snapshot in the blob store.
  func seal(_ variables: [EnvironmentVariable]) throws(Outage) -> (hash: Digest, sealed: Digest)
  /// - Throws: `Outage` when the key or the blob is not the one that sealed it.
  func open(_ sealed: Digest) throws(Outage) -> [EnvironmentVariable]
}
