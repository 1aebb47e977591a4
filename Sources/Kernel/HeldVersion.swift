/// A version that a place runs or keeps to return to: what it shares with others must stay fit for it.
package struct HeldVersion: Codable, Equatable, Sendable {
  package enum Standing: String, Codable, Sendable {
    case serving
    /// On its way in, or on its way out and still exposed.
    case rollingOut
    /// Kept to be rolled back to.
    case target
  }
  package let digest: Digest
  package let commit: CommitID
  /// Newer is larger: the ledger position of the landing.
  package let ordinal: Int64
  package let standing: Standing
  package init(digest: Digest, commit: CommitID, ordinal: Int64, standing: Standing) {
    self.digest = digest
    self.commit = commit
    self.ordinal = ordinal
    self.standing = standing
  }
}

/// A kept version that the schema as it is now would fail.
package struct SchemaBar: Codable, Equatable, Sendable {
  package let digest: Digest
  /// One sentence.
  package let why: String
  package init(digest: Digest, why: String) {
    self.digest = digest
    self.why = why
  }
}

/// What a database says of the migrations that a change brings: a change without any passes at once.
package struct SchemaReview: Codable, Equatable, Sendable {
  package let fit: SchemaFit
  /// Whether the change may land as far as this database is concerned.
  package let passes: Bool
  /// One sentence of at most `SchemaVerdict.reasonLimit` characters; empty when nothing is to be said.
  package let why: String
  /// The blob of the whole report; nil when the change has no migration, or could not be judged.
  package let report: Digest?
  package init(fit: SchemaFit, passes: Bool, why: String, report: Digest?) {
    self.fit = fit
    self.passes = passes
    self.why = why.onOneLine(upTo: SchemaVerdict.reasonLimit)
    self.report = report
  }
}
