import Kernel

/// Reading and making commits in the mirror.
extension GitMirror {
  enum Merge: Sendable {
    case tree(TreeID)
    case conflict(paths: [String], detail: String)
  }

  /// An author or committer as a commit holds it.
  struct Signature: Sendable {
    let name: String
    let email: String
    /// `@<seconds> <zone>`: the `@` keeps git from reading small numbers as calendar dates.
    let date: String

    init(name: String, email: String, date: String) {
      self.name = name
      self.email = email
      self.date = date
    }
    init(_ identity: GitIdentity, at instant: Instant) {
      self.init(name: identity.name, email: identity.email, date: "@\(max(0, instant.milliseconds / 1000)) +0000")
    }
  }

  struct Facts: Sendable {
    let parents: [CommitID]
    let author: Signature
    let message: String
    var subject: String { String(message.prefix { !$0.isNewline }) }
  }

  /// A three-way merge of two commits, no work tree, by git's ort strategy.
  nonisolated func merge(_ ours: String, _ theirs: String, unrelated: [String] = []) async throws(Outage) -> Merge {
    let finished = try await run(["merge-tree", "--write-tree", "--name-only"] + unrelated + [ours, theirs])
    let lines = finished.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // Exit code 1 also stands for bad arguments; only a tree on the first line says that a merge took place.
    guard finished.code <= 1, let first = lines.first, let tree = TreeID(rawValue: first) else {
      throw Outage(
        "git", "git cannot merge \(ours.prefix(10)) and \(theirs.prefix(10))", sources: [words(of: finished)])
    }
    if finished.code == 0 { return .tree(tree) }
    let paths = lines.dropFirst().prefix { !$0.isEmpty }
    let detail = lines.dropFirst(1 + paths.count).filter { !$0.isEmpty }.joined(separator: "\n")
    return .conflict(
      paths: Array(Set(paths).sorted().prefix(CandidateOutcome.pathLimit)),
      detail: String(detail.prefix(CandidateOutcome.detailLimit)))
  }

  /// By content: equal arguments give the equal commit.
  nonisolated func commit(
    tree: TreeID, parents: [CommitID], author: Signature, at instant: Instant, message: String
  ) async throws(Outage) -> CommitID {
    let made = try await line(
      ["commit-tree", "--no-gpg-sign", tree.rawValue] + parents.flatMap { ["-p", $0.rawValue] },
      environment: signing(author, at: instant), input: Array((message + "\n").utf8))
    guard let commit = CommitID(rawValue: made) else {
      throw Outage("git", "git commit-tree answered '\(made)', which is no commit id")
    }
    return commit
  }

  /// The variables by which git writes commits of this author, committed by us at the instant.
  nonisolated func signing(_ author: Signature, at instant: Instant) -> [EnvironmentVariable] {
    let committed = Signature(committer, at: instant)
    return [
      ("GIT_AUTHOR_NAME", author.name), ("GIT_AUTHOR_EMAIL", author.email), ("GIT_AUTHOR_DATE", author.date),
      ("GIT_COMMITTER_NAME", committed.name), ("GIT_COMMITTER_EMAIL", committed.email),
      ("GIT_COMMITTER_DATE", committed.date),
    ].map { EnvironmentVariable(name: $0.0, value: $0.1) }
  }

  nonisolated func tree(of commit: CommitID) async throws(Outage) -> TreeID {
    let said = try await line(["rev-parse", "--verify", "\(commit)^{tree}"])
    guard let tree = TreeID(rawValue: said) else { throw Outage("git", "git names '\(said)' as a tree, which is none") }
    return tree
  }

  nonisolated func facts(of commit: CommitID) async throws(Outage) -> Facts {
    let said = try await text([
      "log", "-1", "--date=raw", "--no-show-signature", "--format=%P%x00%an%x00%ae%x00%ad%x00%B", commit.rawValue, "--",
    ])
    let fields = said.split(separator: "\0", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 5 else { throw Outage("git", "git log of \(commit.short) cannot be read") }
    var message = fields[4]
    while message.last?.isNewline == true { message.removeLast() }
    // Git refuses a name made only of punctuation, though other tools write such commits.
    let hasName = fields[1].contains { $0.isLetter || $0.isNumber }
    return Facts(
      parents: fields[0].split(separator: " ").compactMap { CommitID(rawValue: String($0)) },
      author: Signature(name: hasName ? fields[1] : "unknown", email: fields[2], date: "@\(fields[3])"),
      message: message)
  }
}
