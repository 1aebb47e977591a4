/// How a candidate commit is made of a change; made before the test, so that what is tested is what lands.
package enum MergeMethod: String, Codable, Sendable, CaseIterable {
  case mergeCommit = "merge"
  case squash
  case rebase
}

/// A branch as the forge shows it now.
package struct ResolvedBranch: Codable, Equatable, Sendable {
  package let branch: BranchName
  package let head: CommitID
  package let author: String
  /// The subject line of the head commit.
  package let title: String
  package init(branch: BranchName, head: CommitID, author: String, title: String) {
    self.branch = branch
    self.head = head
    self.author = author
    self.title = title
  }
}

/// What to merge onto what. Equal orders give the equal commit id: dates and names come from the order and the
/// commits it names, never from the clock.
package struct CandidateOrder: Codable, Equatable, Sendable {
  package let repository: RepositoryName
  package let base: CommitID
  package let head: CommitID
  package let branch: BranchName
  package let method: MergeMethod
  /// Placeholders: `{title}`, `{branch}`, `{author}`, `{entry}`, `{body}`.
  package let messageTemplate: String
  package let title: String
  package let author: String
  package let entry: Int
  /// Committer date of the candidate: when the change was submitted.
  package let at: Instant
  package init(
    repository: RepositoryName, base: CommitID, head: CommitID, branch: BranchName, method: MergeMethod,
    messageTemplate: String, title: String, author: String, entry: Int, at: Instant
  ) {
    self.repository = repository
    self.base = base
    self.head = head
    self.branch = branch
    self.method = method
    self.messageTemplate = messageTemplate
    self.title = title
    self.author = author
    self.entry = entry
    self.at = at
  }
}

package enum CandidateOutcome: Codable, Equatable, Sendable {
  case prepared(commit: CommitID, tree: TreeID)
  /// `paths` sorted, at most `pathLimit`; `detail` is what git said, at most `detailLimit` characters.
  case conflicted(paths: [String], detail: String)
  /// The base already contains the head: nothing to land.
  case alreadyContained

  /// More conflicting paths than this tell a person nothing more.
  package static let pathLimit = 100
  package static let detailLimit = 4_000
}

package enum LandOutcome: Codable, Equatable, Sendable {
  /// The branch is at the commit now (also when it already was: the call may be repeated).
  case landed
  /// The branch is elsewhere: nothing was pushed.
  case moved(trunk: CommitID)
}

/// A commit's facts for measures.
package struct CommitFacts: Codable, Equatable, Sendable {
  package let commit: CommitID
  package let author: String
  package let title: String
  package let committedAt: Instant
  package init(commit: CommitID, author: String, title: String, committedAt: Instant) {
    self.commit = commit
    self.author = author
    self.title = title
    self.committedAt = committedAt
  }
}

/// Where changes live: plain git, or a forge with change requests (GitHub, GitLab, Gitea, Gerrit). Implementations keep
/// their own mirror and never touch the user's work tree.
///
/// A change that is no branch of the repository (a request from a fork, a Gerrit change) has a name that its driver
/// makes, such as `pull/12` or `changes/1234`.
///
/// Every method is one idempotent call. A forge's web hooks only say when to look again: nothing is believed that a
/// lookup did not show.
package protocol Forge: Sendable {
  /// By lookup. - Throws: `Refusal.unknown` with the nearest branch name when there is none.
  func resolve(_ branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch
  /// By lookup: the trunk's head now. - Throws: `Outage` also when there is no such branch: the trunk comes back.
  func head(of branch: BranchName, in repository: RepositoryName) async throws(Outage) -> CommitID
  /// By lookup: how `new` came from `old`, of which the repository need not know anything any more.
  func move(from old: CommitID, to new: CommitID, in repository: RepositoryName) async throws(Outage) -> HeadMove
  /// By lookup: each branch as it is now, in the order asked; one call to the peer, however many they are. The trunk may
  /// be among them.
  func states(of branches: [BranchName], in repository: RepositoryName) async throws(Outage) -> [ChangeState]
  /// By lookup: what `head` changes since it left `base` (`git diff base...head`). With several merge bases, what it
  /// changes since any of them; with none, all of its files. From a base to a candidate on it: exactly the paths that
  /// landing it changes, where a base renamed folders too.
  func changedPaths(from base: CommitID, to head: CommitID, in repository: RepositoryName)
    async throws(Outage) -> ChangedPaths
  /// By content: the same order gives the same commit, however often it is called. The base may itself be a candidate.
  /// Changes that touch nothing in common give the equal tree in any order.
  func prepare(_ order: CandidateOrder) async throws(Outage) -> CandidateOutcome
  /// By content: fast-forward push with lease. The fence lives in the ref's lease (`expecting`).
  func land(_ commit: CommitID, on branch: BranchName, in repository: RepositoryName, expecting: CommitID)
    async throws(Outage) -> LandOutcome
  /// By lookup: commits reachable from `new` and not from `old`, oldest first, at most `limit`.
  func commits(from old: CommitID?, to new: CommitID, in repository: RepositoryName, limit: Int)
    async throws(Outage) -> [CommitFacts]
  /// By content: an empty folder becomes the commit's files, without `.git`. A submodule is an empty folder, an LFS file
  /// its pointer.
  func checkOut(_ commit: CommitID, of repository: RepositoryName, into folder: String) async throws(Outage)
  /// By content: the change has this one note of ours; a later one takes its place. The fence lives in the note itself:
  /// one with a lower fence than what is there changes nothing. Nobody waits for a note, so its outage holds nothing up.
  func comment(_ note: ChangeNote, in repository: RepositoryName) async throws(Outage)
}
