import Kernel

extension MergeQueue {
  /// A change that reached the trunk: its tested candidate, as it was.
  package struct Landing: Codable, Equatable, Sendable {
    package let entry: Int
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    package let title: String
    package let commit: CommitID
    package let tree: TreeID
    package let previousTrunk: CommitID
    package let submittedAt: Instant
    package let at: Instant
    package init(
      entry: Int, branch: BranchName, head: CommitID, author: String, title: String, commit: CommitID, tree: TreeID,
      previousTrunk: CommitID, submittedAt: Instant, at: Instant
    ) {
      self.entry = entry
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
      self.commit = commit
      self.tree = tree
      self.previousTrunk = previousTrunk
      self.submittedAt = submittedAt
      self.at = at
    }

    init(of entry: EntryFacts, _ candidate: Candidate, at: Instant) {
      self.init(
        entry: entry.id, branch: entry.branch, head: entry.head, author: entry.author, title: entry.title,
        commit: candidate.commit, tree: candidate.tree, previousTrunk: candidate.base,
        submittedAt: entry.submittedAt, at: at)
    }
  }

  /// What the last landing rests on, as the state knew it apart from the event; `violations` compares the two.
  package struct LandingProof: Codable, Equatable, Sendable {
    package let landed: CommitID
    package let previousTrunk: CommitID
    /// The entry's candidate whose test had passed; nil when there was none.
    package let tested: Candidate?
    package init(landed: CommitID, previousTrunk: CommitID, tested: Candidate?) {
      self.landed = landed
      self.previousTrunk = previousTrunk
      self.tested = tested
    }
  }
}
