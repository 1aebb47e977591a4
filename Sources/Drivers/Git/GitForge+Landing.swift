import Kernel

/// Landing: a fast-forward push of exactly the tested commit. The fence lives in the ref's lease.
extension GitForge {
  package func land(
    _ commit: CommitID, on branch: BranchName, in repository: RepositoryName, expecting: CommitID
  ) async throws(Outage) -> LandOutcome {
    let mirror = try mirror(of: repository)
    try await mirror.ensure(commit, expecting)
    // The lease makes git force the push, so that it is a fast-forward must be known before.
    guard try await mirror.isAncestor(expecting, of: commit) else {
      throw Outage(
        "git",
        "commit \(commit.short) does not continue \(expecting.short), so nothing was pushed to \(branch); "
          + "prepare it anew on the trunk as it is")
    }
    if let outcome = try await standing(of: commit, on: branch, expecting: expecting, in: mirror) { return outcome }
    let pushed = try await mirror.run([
      "push", "--quiet", "--porcelain", "--no-verify", "--force-with-lease=refs/heads/\(branch):\(expecting)", "--",
      mirror.url, "\(commit):refs/heads/\(branch)",
    ])
    if pushed.code == 0 { return .landed }
    // What the push said is not proof: the reply may be lost, or someone else may have won. The ref itself is.
    if let outcome = try await standing(of: commit, on: branch, expecting: expecting, in: mirror) { return outcome }
    throw Outage(
      "git", "the push of \(commit.short) to \(branch) of \(repository) was refused; see git's words",
      sources: [mirror.words(of: pushed)])
  }

  /// Where the branch stands: nil while it is still at `expecting`.
  ///
  /// Someone may have pushed on top of a landing whose reply was lost; the commit is on the trunk then, as tested, so
  /// it landed.
  private func standing(
    of commit: CommitID, on branch: BranchName, expecting: CommitID, in mirror: GitMirror
  ) async throws(Outage) -> LandOutcome? {
    guard let head = try await mirror.remoteHead(of: branch) else {
      throw Outage("git", "repository \(mirror.name) has no branch '\(branch)' any more; restore it")
    }
    if head == commit { return .landed }
    if head == expecting { return nil }
    try await mirror.ensure(head)
    return try await mirror.isAncestor(commit, of: head) ? .landed : .moved(trunk: head)
  }
}
