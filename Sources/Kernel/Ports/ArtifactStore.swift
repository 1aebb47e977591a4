/// What provenance says of a digest (in-toto Statement v1, SLSA provenance v1).
package struct BuildFacts: Codable, Equatable, Sendable {
  package let service: ServiceName
  package let repository: RepositoryName
  package let commit: CommitID
  package let command: String
  package let startedAt: Instant
  package let endedAt: Instant
  package init(
    service: ServiceName, repository: RepositoryName, commit: CommitID, command: String, startedAt: Instant,
    endedAt: Instant
  ) {
    self.service = service
    self.repository = repository
    self.commit = commit
    self.command = command
    self.startedAt = startedAt
    self.endedAt = endedAt
  }
}

package struct StoredArtifact: Codable, Equatable, Sendable {
  /// The OCI manifest's digest: the artifact's identity.
  package let digest: Digest
  /// The digest of the signed provenance envelope's referrer manifest.
  package let provenance: Digest
  package let files: Int
  package let bytes: Int64
  package init(digest: Digest, provenance: Digest, files: Int, bytes: Int64) {
    self.digest = digest
    self.provenance = provenance
    self.files = files
    self.bytes = bytes
  }
}

/// Why an artifact may not go on.
package enum ProvenanceFinding: Codable, Equatable, Sendable {
  case verified(builder: String)
  /// Absent, unsigned, signed by an unknown key, about another digest, commit or repository: one sentence.
  case rejected(reason: String)
}

/// Artifacts as an OCI image layout. Kind: *by content*: equal trees give the equal digest.
package protocol ArtifactStore: Sendable {
  /// Packs a folder (sorted entries, zeroed times and owners), stores it, tags it with the commit, writes and signs
  /// provenance. The same folder again gives the same digest.
  /// - Throws: `Refusal` when the folder is empty, absent, or holds what cannot be packed (sockets, devices), or when
  ///   this (service, commit) is already tagged with another digest: not reproducible. `Outage` for the disk.
  func pack(folder: String, facts: BuildFacts) async throws -> StoredArtifact
  /// Checks manifest, layers and the provenance envelope by hash and signature.
  func verify(_ digest: Digest, service: ServiceName, commit: CommitID) async throws(Outage) -> ProvenanceFinding
  /// Unpacks into an absent or half-written folder, atomically; an existing complete folder is verified instead.
  func unpack(_ digest: Digest, into folder: String) async throws(Outage)
  /// Hashes a release folder as it lies on disk and says which digest its files are, without trusting any record.
  func digest(ofReleaseFolder folder: String) async throws(Outage) -> Digest
}
