import Kernel

extension MergeQueue {
  /// What never changes about an entry.
  package struct EntryFacts: Codable, Equatable, Sendable {
    package let id: Int
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    /// One line, at most `reasonLimit` characters.
    package let title: String
    package let submittedAt: Instant
    package init(id: Int, branch: BranchName, head: CommitID, author: String, title: String, submittedAt: Instant) {
      self.id = id
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
      self.submittedAt = submittedAt
    }
  }

  /// A change waiting in line.
  package struct Entry: Codable, Equatable, Sendable {
    package let facts: EntryFacts
    package internal(set) var phase: Phase
    /// The candidate whose push was under way when the trunk turned out to be elsewhere: its reply may still come.
    package internal(set) var tried: Passed?

    package enum Phase: Codable, Equatable, Sendable {
      /// Has no candidate. Leaves to: `prepared`, `conflicted`, `contained`.
      case queued(since: Instant)
      /// Has an untested candidate. Leaves to: `passed`, `failed`, `queued` (dropped).
      case prepared(Candidate)
      /// Its candidate's test passed. Leaves to: landed, `queued` (dropped).
      case passed(Passed)
      /// Its candidate's test failed on a speculative base. Leaves to: ejected, `queued` (dropped).
      case failed(Failed)
      /// It does not merge onto a speculative base. Leaves to: ejected, `queued` (dropped).
      case conflicted(Conflict)
      /// A speculative base already contains it. Leaves to: ejected, `queued` (dropped).
      case contained(Containment)
    }

    package var id: Int { facts.id }

    /// Whether those behind build on it: it has not failed on its own base.
    package var isLive: Bool {
      switch phase {
      case .queued, .prepared, .passed: true
      case .failed, .conflicted, .contained: false
      }
    }

    package var candidate: Candidate? {
      switch phase {
      case .prepared(let candidate): candidate
      case .passed(let passed): passed.candidate
      case .failed(let failed): failed.candidate
      case .queued, .conflicted, .contained: nil
      }
    }

    /// What its candidate, or the verdict in its place, stands on; nil while queued.
    package var base: CommitID? {
      switch phase {
      case .queued: nil
      case .prepared, .passed, .failed: candidate?.base
      case .conflicted(let conflict): conflict.base
      case .contained(let containment): containment.base
      }
    }

    /// The entries ahead that its candidate, or the verdict in its place, was made on; nil while queued.
    package var assumed: [Int]? {
      switch phase {
      case .queued: nil
      case .prepared, .passed, .failed: candidate?.assumed
      case .conflicted(let conflict): conflict.assumed
      case .contained(let containment): containment.assumed
      }
    }

    /// When it entered its phase.
    package var since: Instant {
      switch phase {
      case .queued(let since): since
      case .prepared(let candidate): candidate.preparedAt
      case .passed(let passed): passed.endedAt
      case .failed(let failed): failed.endedAt
      case .conflicted(let conflict): conflict.at
      case .contained(let containment): containment.at
      }
    }
  }
}
