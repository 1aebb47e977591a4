/// Bytes by content: logs, evidence series, statements, sealed configurations. Kind: *by content*.
///
/// Every read is verified against its digest; a mismatch is an `Outage` that names the file, never silent.
package protocol BlobStore: Sendable {
  /// Stores `bytes` durably; storing the same bytes again is free.
  func put(_ bytes: [UInt8]) throws(Outage) -> Digest
  /// - Throws: `Outage` when the blob is absent or its bytes do not hash to `digest`.
  func get(_ digest: Digest) throws(Outage) -> [UInt8]
  func contains(_ digest: Digest) -> Bool
}
