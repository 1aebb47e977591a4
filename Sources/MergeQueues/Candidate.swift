import Kernel

extension MergeQueue {
  /// The commit that would land: the entry's change on its base.
  package struct Candidate: Codable, Equatable, Sendable {
    package let base: CommitID
    /// The entries ahead that the base assumes to land, in order; empty when the base was the trunk.
    package let assumed: [Int]
    package let commit: CommitID
    package let tree: TreeID
    package let preparedAt: Instant
    package init(base: CommitID, assumed: [Int], commit: CommitID, tree: TreeID, preparedAt: Instant) {
      self.base = base
      self.assumed = assumed
      self.commit = commit
      self.tree = tree
      self.preparedAt = preparedAt
    }
  }

  /// A candidate with the test that allows it to land.
  package struct Passed: Codable, Equatable, Sendable {
    package let candidate: Candidate
    package let log: Digest
    package let startedAt: Instant
    package let endedAt: Instant
    package init(candidate: Candidate, log: Digest, startedAt: Instant, endedAt: Instant) {
      self.candidate = candidate
      self.log = log
      self.startedAt = startedAt
      self.endedAt = endedAt
    }
  }

  /// A candidate with the test that failed.
  package struct Failed: Codable, Equatable, Sendable {
    package let candidate: Candidate
    package let end: RunEnd
    /// One line: how it ended and the last line of its output.
    package let reason: String
    package let log: Digest
    package let startedAt: Instant
    package let endedAt: Instant
    package init(
      candidate: Candidate, end: RunEnd, reason: String, log: Digest, startedAt: Instant, endedAt: Instant
    ) {
      self.candidate = candidate
      self.end = end
      self.reason = reason
      self.log = log
      self.startedAt = startedAt
      self.endedAt = endedAt
    }
  }

  /// The change does not merge onto `base`.
  package struct Conflict: Codable, Equatable, Sendable {
    package let base: CommitID
    package let assumed: [Int]
    /// Sorted, at most `pathLimit`.
    package let paths: [String]
    package let detail: String
    package let at: Instant
    package init(base: CommitID, assumed: [Int], paths: [String], detail: String, at: Instant) {
      self.base = base
      self.assumed = assumed
      self.paths = paths
      self.detail = detail
      self.at = at
    }
  }

  /// `base` already contains the change.
  package struct Containment: Codable, Equatable, Sendable {
    package let base: CommitID
    package let assumed: [Int]
    package let at: Instant
    package init(base: CommitID, assumed: [Int], at: Instant) {
      self.base = base
      self.assumed = assumed
      self.at = at
    }
  }

  /// Why a candidate, or the verdict in its place, no longer holds.
  package enum DropCause: Codable, Equatable, Sendable {
    case trunkMoved(to: CommitID)
    /// The base assumed this entry, which failed.
    case culprit(Int)
    /// The base assumed this entry, which was withdrawn or replaced.
    case withdrawn(Int)
    /// The test command, the merge method or the message changed.
    case recipeChanged
  }
}
