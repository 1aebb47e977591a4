import Foundation
import Kernel

/// Changes and trunks on plain git repositories: any path or URL that `git` can fetch from and push to.
///
/// Each repository has a bare mirror under one folder. Candidates are made there without a work tree and kept alive by
/// `refs/plimsoll/candidates/<commit>`; nothing is ever pruned but remote branches that are gone. The user's
/// repository is only read, and written by the pushes of `land` and `comment`.
///
/// - `GitForge.swift`: the port's lookups and the checkout
/// - `GitForge+Candidates.swift`: merge, squash and rebase by `git merge-tree`
/// - `GitForge+Landing.swift`: the push with lease
/// - `GitForge+Changes.swift`: where branches stand and what they touch
/// - `GitForge+Notes.swift`: what Plimsoll says on a change
/// - `GitMirror.swift`: one mirror and the git process
/// - `ConcealedAddress.swift`: keeps URLs, which may hold tokens, out of git's words
package struct GitForge: Forge {
  let mirrors: [RepositoryName: GitMirror]

  /// - Parameters:
  ///   - folder: where the mirrors live; made when absent. One process at a time may use it.
  ///   - repositories: a path or URL for each repository.
  ///   - committer: who commits candidates, for example `Plimsoll <plimsoll@localhost>`.
  ///   - environment: what git needs for its transport (`GIT_SSH_COMMAND`, `SSH_AUTH_SOCK`, `GIT_ASKPASS`, `PATH`).
  /// - Throws: `Outage` when the folder cannot be made.
  package init(
    mirrors folder: String, repositories: [RepositoryName: String],
    committer: GitIdentity = .plimsoll, environment: [EnvironmentVariable] = []
  ) throws(Outage) {
    let folder = absolutePath(folder)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      // Git refuses local repositories of another owner unless told that they are meant (safe.directory, git 2.35.2).
      let trusted = repositories.values.sorted().filter { $0.hasPrefix("/") }
      let lines =
        ["[safe]"] + trusted.flatMap { ["\tdirectory = \(quoted($0))", "\tdirectory = \(quoted($0 + "/.git"))"] }
      try Data((lines.joined(separator: "\n") + "\n").utf8)
        .write(to: URL(fileURLWithPath: folder + "/gitconfig"), options: .atomic)
    } catch {
      throw Outage(
        "disk", "the folder \(folder) for git mirrors cannot be written; make it writable", sources: ["\(error)"])
    }
    var made: [RepositoryName: GitMirror] = [:]
    for (name, url) in repositories {
      made[name] = GitMirror(
        name: name, url: url, folder: "\(folder)/\(name).git", configuration: folder + "/gitconfig",
        committer: committer, environment: environment)
    }
    mirrors = made
  }

  package func resolve(_ branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch {
    guard let mirror = mirrors[repository] else { throw unknownRepository(repository) }
    try await mirror.fetch()
    let format = "--format=%(refname:lstrip=3)%00%(objectname)%00%(authorname)%00%(contents:subject)"
    let listed = try await mirror.text(["for-each-ref", format, "refs/remotes/origin"])
    let branches = listed.split(separator: "\n").map {
      $0.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
    }
    // By bytes: two spellings of one letter are one `String` and two branches.
    guard let found = branches.first(where: { $0.count == 4 && $0[0].utf8.elementsEqual(branch.rawValue.utf8) }),
      let head = CommitID(rawValue: found[1])
    else {
      let near = nearestMatch(to: branch.rawValue, among: branches.map { $0[0] })
      throw Refusal(
        .unknown,
        "Repository \(repository) has no branch '\(branch)'; "
          + (near.map { "did you mean '\($0)'?" } ?? "push it first, then submit it again."))
    }
    return ResolvedBranch(branch: branch, head: head, author: found[2], title: found[3])
  }

  package func head(of branch: BranchName, in repository: RepositoryName) async throws(Outage) -> CommitID {
    let mirror = try mirror(of: repository)
    guard let head = try await mirror.remoteHead(of: branch) else {
      throw Outage("git", "repository \(repository) has no branch '\(branch)'; push it there")
    }
    return head
  }

  /// When more than `limit` commits match, the newest `limit` of them, oldest first.
  package func commits(from old: CommitID?, to new: CommitID, in repository: RepositoryName, limit: Int)
    async throws(Outage) -> [CommitFacts]
  {
    let mirror = try mirror(of: repository)
    try await mirror.ensure(new)
    if let old { try await mirror.ensure(old) }
    let range = old.map { "\($0)..\(new)" } ?? new.rawValue
    let listed = try await mirror.text([
      "log", "-z", "--reverse", "--topo-order", "--max-count=\(max(limit, 0))", "--no-show-signature",
      "--format=tformat:%H%x00%an%x00%ct%x00%s", range, "--",
    ])
    let fields = listed.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
    return stride(from: 0, to: fields.count - 3, by: 4).compactMap { index in
      guard let commit = CommitID(rawValue: fields[index]) else { return nil }
      return CommitFacts(
        commit: commit, author: fields[index + 1], title: fields[index + 3],
        committedAt: Instant(milliseconds: (Int64(fields[index + 2]) ?? 0) * 1000))
    }
  }

  /// The folder becomes the commit's files in one rename, so it is empty, complete, or refused: a repeated call over a
  /// complete folder compares every file with the commit.
  package func checkOut(_ commit: CommitID, of repository: RepositoryName, into folder: String) async throws(Outage) {
    let mirror = try mirror(of: repository)
    try await mirror.ensure(commit)
    let target = absolutePath(folder)
    let files = FileManager.default
    let index = "\(mirror.folder)/plimsoll-\(UUID().uuidString).index"
    let indexed = [EnvironmentVariable(name: "GIT_INDEX_FILE", value: index)]
    defer { try? files.removeItem(atPath: index) }
    _ = try await mirror.text(["read-tree", commit.rawValue], environment: indexed)

    if let present = try? files.contentsOfDirectory(atPath: target), !present.isEmpty {
      guard try await isCheckout(target, of: mirror, indexed: indexed) else {
        throw Outage(
          "disk", "folder \(folder) is neither empty nor a checkout of \(commit.short); remove it and try again")
      }
      return
    }
    let partial = "\(target).partial-\(UUID().uuidString)"
    do {
      try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
    } catch {
      throw Outage("disk", "folder \(partial) cannot be made; free or permit space there", sources: ["\(error)"])
    }
    do throws(Outage) {
      _ = try await mirror.text(
        ["--work-tree=\(partial)", "checkout-index", "--all", "--force"], environment: indexed, workTree: partial)
    } catch {
      try? files.removeItem(atPath: partial)
      throw error
    }
    guard rename(partial, target) == 0 else {
      let cause = String(cString: strerror(errno))
      try? files.removeItem(atPath: partial)
      throw Outage("disk", "the checkout of \(commit.short) cannot be moved to \(folder)", sources: [cause])
    }
  }

  private func isCheckout(_ folder: String, of mirror: GitMirror, indexed: [EnvironmentVariable]) async throws(Outage)
    -> Bool
  {
    let tree = "--work-tree=\(folder)"
    // `--refresh` hashes every file, since the private index holds no file times; it exits 1 on differences.
    let refreshed = try await mirror.run(
      [tree, "update-index", "-q", "--refresh"], environment: indexed, workTree: folder)
    guard refreshed.code == 0 else { return false }
    let changed = try await mirror.run([tree, "diff-files", "--quiet"], environment: indexed, workTree: folder)
    guard changed.code == 0 else { return false }
    return try await mirror.text([tree, "ls-files", "--others"], environment: indexed, workTree: folder).isEmpty
  }

  func mirror(of repository: RepositoryName) throws(Outage) -> GitMirror {
    guard let mirror = mirrors[repository] else { throw Outage("git", unknownRepository(repository).sentence) }
    return mirror
  }

  private func unknownRepository(_ repository: RepositoryName) -> Refusal {
    let near = nearestMatch(to: repository.rawValue, among: mirrors.keys.map(\.rawValue).sorted())
    return Refusal(
      .unknown,
      "Plimsoll knows no repository '\(repository)'; "
        + (near.map { "did you mean '\($0)'?" } ?? "name it in plimsoll.yaml."))
  }
}

/// A value of a git configuration file, quoted so that no character of a path ends it early.
private func quoted(_ text: String) -> String {
  "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
}
