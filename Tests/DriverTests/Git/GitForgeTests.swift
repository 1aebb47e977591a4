@testable import Drivers
import Foundation
import Kernel
import Testing

@Suite("Git forge")
struct GitForgeTests {
  @Test(
    "a token in the repository's URL is never said",
    arguments: [
      "https://ada:s3cr3t@127.0.0.1:PORT/harbor.git", "http://s3cr3t@127.0.0.1:PORT/harbor",
      "http://ada:s3cr%33t@127.0.0.1:PORT/harbor/", "ssh://s3cr3t@127.0.0.1:PORT/harbor.git",
      "http://127.0.0.1:PORT/harbor.git?private_token=s3cr3t", "git://s3cr3t@127.0.0.1:PORT/harbor.git",
    ])
  func secretURL(_ template: String) async throws {
    try await withGitSandbox { sandbox in
      // Nobody listens on it: it was free a moment ago, and the scheme is wrong for whoever took it since.
      let url = template.replacing("PORT", with: "\(try #require(LoopbackPort.free()))")
      let forge = try GitForge(mirrors: sandbox.folder + "/far", repositories: [GitSandbox.harbor: url])
      let commit = CommitID(rawValue: String(repeating: "a", count: 40))!
      let outages = [
        await #expect(throws: Outage.self) { try await forge.head(of: GitSandbox.main, in: GitSandbox.harbor) },
        await #expect(throws: Outage.self) {
          try await forge.commits(from: nil, to: commit, in: GitSandbox.harbor, limit: 1)
        },
      ]
      for outage in outages {
        let said = try #require(outage).description
        #expect(said.contains("harbor") && said.contains("failed with code"), "\(said)")
        for secret in ["s3cr", "ada:", "://"] { #expect(!said.contains(secret), "\(said)") }
      }
    }
  }

  @Test("a lacking commit or branch is said without the URL")
  func lackingWithoutURL() async throws {
    try await withGitSandbox { sandbox in
      let forge = try GitForge(mirrors: sandbox.folder + "/far", repositories: [GitSandbox.harbor: sandbox.remote])
      let commit = CommitID(rawValue: String(repeating: "a", count: 40))!
      let absent = BranchName(rawValue: "absent")!
      let lacking = [
        await #expect(throws: Outage.self) {
          try await forge.commits(from: nil, to: commit, in: GitSandbox.harbor, limit: 1)
        },
        await #expect(throws: Outage.self) { try await forge.head(of: absent, in: GitSandbox.harbor) },
      ]
      for outage in lacking {
        let said = try #require(outage).description
        #expect(said.contains("repository harbor has no"), "\(said)")
        #expect(!said.contains(sandbox.remote), "\(said)")
      }
    }
  }

  @Test("the same order gives the same commit, again and after a restart", arguments: MergeMethod.allCases)
  func sameOrderSameCommit(_ method: MergeMethod) async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let head = try await sandbox.branch(
        "topic", from: first, "Change line 2", files: ["a.txt": lines(30, changing: [2: "two"])])
      let base = try await sandbox.branch(
        "main", from: first, "Change line 29", files: ["a.txt": lines(30, changing: [29: "x"])])
      let order = sandbox.order(method, base: base, head: head)
      let outcome = try await sandbox.forge.prepare(order)
      guard case .prepared(let commit, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
      #expect(try await sandbox.forge.prepare(order) == outcome)
      #expect(try await sandbox.restarted().prepare(order) == outcome)
      #expect(try await sandbox.file("a.txt", in: commit) + "\n" == lines(30, changing: [2: "two", 29: "x"]))

      let text = try await sandbox.object(commit)
      let parents = text.split(separator: "\n").filter { $0.hasPrefix("parent ") }.map { String($0.dropFirst(7)) }
      #expect(parents == (method == .mergeCommit ? [base.rawValue, head.rawValue] : [base.rawValue]))
      #expect(text.contains("committer Plimsoll <plimsoll@localhost> 1700002000 +0000"))
      let author =
        method == .mergeCommit
        ? "author Plimsoll <plimsoll@localhost> 1700002000 +0000"
        : "author Ada Lovelace <ada@example.com> 1700001000 +0100"
      #expect(text.contains(author))
      #expect(text.hasSuffix(method == .rebase ? "\n\nChange line 2" : "\n\nAdd a thing (topic)"))
    }
  }

  @Test("a rebase keeps each commit and drops what the base already has")
  func rebaseChain() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      try await sandbox.branch("topic", from: first, "One", files: ["one.txt": "1\n"])
      let both = try await sandbox.commit("Same as trunk", files: ["same.txt": "s\n"])
      let head = try await sandbox.commit("Three\n\nwith a body", files: ["three.txt": "3\n"])
      try await sandbox.push("topic")
      let base = try await sandbox.branch("main", from: first, "Same on trunk", files: ["same.txt": "s\n"])
      #expect(both != base)
      let outcome = try await sandbox.forge.prepare(sandbox.order(.rebase, base: base, head: head))
      guard case .prepared(let commit, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
      let facts = try await sandbox.forge.commits(from: base, to: commit, in: GitSandbox.harbor, limit: 10)
      #expect(facts.map(\.title) == ["One", "Three"])
      #expect(facts.map(\.author) == ["Ada Lovelace", "Ada Lovelace"])
      #expect(try await sandbox.object(commit).hasSuffix("Three\n\nwith a body"))
      #expect(try await sandbox.file("one.txt", in: commit) == "1")
    }
  }

  @Test("a rebase of what already continues the base is the head itself")
  func rebaseInPlace() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      let head = try await sandbox.branch("topic", from: base, "One", files: ["one.txt": "1\n"])
      let outcome = try await sandbox.forge.prepare(sandbox.order(.rebase, base: base, head: head))
      guard case .prepared(let commit, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
      #expect(commit == head)
    }
  }

  @Test("a conflict names its paths, sorted", arguments: MergeMethod.allCases)
  func conflict(_ method: MergeMethod) async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let head = try await sandbox.branch(
        "topic", from: first, "T", files: ["b.txt": "t\n", "a.txt": "t\n", "ä ö.txt": "t\n"])
      let base = try await sandbox.branch(
        "main", from: first, "M", files: ["b.txt": "m\n", "a.txt": "m\n", "ä ö.txt": "m\n"])
      guard
        case .conflicted(let paths, let detail) = try await sandbox.forge.prepare(
          sandbox.order(method, base: base, head: head))
      else { return #expect(Bool(false), "no conflict") }
      #expect(paths == ["a.txt", "b.txt", "ä ö.txt"])
      #expect(detail.contains("CONFLICT (content): Merge conflict in a.txt"))
    }
  }

  @Test("a change without common history is a conflict, not an outage")
  func unrelated() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      try await sandbox.git("checkout", "--quiet", "--orphan", "island")
      let head = try await sandbox.commit("Island", files: ["i.txt": "i\n"])
      try await sandbox.push("island")
      let outcome = try await sandbox.forge.prepare(
        sandbox.order(.mergeCommit, base: base, head: head, branch: "island"))
      guard case .conflicted(let paths, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
      #expect(paths.isEmpty)
    }
  }

  @Test("a head that the base contains is already contained", arguments: MergeMethod.allCases)
  func contained(_ method: MergeMethod) async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let second = try await sandbox.branch("main", from: first, "Second", files: ["b.txt": "2\n"])
      #expect(try await sandbox.forge.prepare(sandbox.order(method, base: second, head: first)) == .alreadyContained)
    }
  }

  @Test("a template is filled in one pass")
  func template() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      let head = try await sandbox.branch("topic", from: base, "T\n\nthe body", files: ["b.txt": "t\n"])
      let order = sandbox.order(
        .squash, base: base, head: head, template: "{title} #{entry} by {author} {other}\n\n{body}", title: "A {body}")
      guard case .prepared(let commit, _) = try await sandbox.forge.prepare(order) else { return #expect(Bool(false)) }
      #expect(try await sandbox.object(commit).hasSuffix("\n\nA {body} #7 by Ada Lovelace {other}\n\nthe body"))
    }
  }

  @Test("resolve finds a branch's head, author and title")
  func resolve() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let head = try await sandbox.branch("feature/lamp", from: first, "Light the lamp", files: ["l.txt": "l\n"])
      let branch = BranchName(rawValue: "feature/lamp")!
      let expected = ResolvedBranch(branch: branch, head: head, author: "Ada Lovelace", title: "Light the lamp")
      #expect(try await sandbox.forge.resolve(branch, in: GitSandbox.harbor) == expected)
      #expect(try await sandbox.forge.resolve(branch, in: GitSandbox.harbor) == expected)
    }
  }

  @Test("an unknown branch is refused with the nearest name, also one that is gone")
  func unknownBranch() async throws {
    try await withGitSandbox { sandbox in
      try await sandbox.branch("feature/lamp", from: sandbox.head(), "L", files: ["l.txt": "l\n"])
      let slip = await #expect(throws: Refusal.self) {
        try await sandbox.forge.resolve(BranchName(rawValue: "feature/lmap")!, in: GitSandbox.harbor)
      }
      #expect(slip?.kind == .unknown)
      #expect(slip?.sentence.contains("did you mean 'feature/lamp'") == true)
      try await sandbox.git("push", "--quiet", sandbox.remote, "--delete", "feature/lamp")
      await #expect(throws: Refusal.self) {
        try await sandbox.forge.resolve(BranchName(rawValue: "feature/lamp")!, in: GitSandbox.harbor)
      }
      let repository = await #expect(throws: Refusal.self) {
        try await sandbox.forge.resolve(GitSandbox.main, in: RepositoryName(rawValue: "harbour")!)
      }
      #expect(repository?.sentence.contains("did you mean 'harbor'") == true)
    }
  }

  @Test("landing twice is landing once")
  func landTwice() async throws {
    try await withGitSandbox { sandbox in
      let (commit, base) = try await candidate(in: sandbox)
      #expect(try await land(commit, expecting: base, sandbox) == .landed)
      #expect(try await sandbox.remoteHead() == commit)
      #expect(try await land(commit, expecting: base, sandbox) == .landed)
      #expect(try await sandbox.forge.head(of: GitSandbox.main, in: GitSandbox.harbor) == commit)
    }
  }

  @Test("a landing whose reply was lost and that others built upon has landed")
  func landedBelow() async throws {
    try await withGitSandbox { sandbox in
      let (commit, base) = try await candidate(in: sandbox)
      #expect(try await land(commit, expecting: base, sandbox) == .landed)
      try await sandbox.git("fetch", "--quiet", sandbox.remote, "main")
      let above = try await sandbox.branch("main", from: commit, "Above", files: ["c.txt": "c\n"])
      #expect(try await land(commit, expecting: base, sandbox) == .landed)
      #expect(try await sandbox.remoteHead() == above)
    }
  }

  @Test("a trunk that moved is reported and left alone")
  func moved() async throws {
    try await withGitSandbox { sandbox in
      let (commit, base) = try await candidate(in: sandbox)
      let pushed = try await sandbox.branch("main", from: base, "External", files: ["x.txt": "x\n"])
      #expect(try await land(commit, expecting: base, sandbox) == .moved(trunk: pushed))
      #expect(try await sandbox.remoteHead() == pushed)
    }
  }

  @Test("what is no fast-forward is never pushed")
  func noFastForward() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let trunk = try await sandbox.branch("main", from: first, "Trunk", files: ["x.txt": "x\n"])
      let aside = try await sandbox.branch("aside", from: first, "Aside", files: ["y.txt": "y\n"])
      await #expect(throws: Outage.self) { try await land(aside, expecting: trunk, sandbox) }
      #expect(try await sandbox.remoteHead() == trunk)
    }
  }

  @Test("a push that the remote's own hook refuses is an outage with its words")
  func refusedPush() async throws {
    try await withGitSandbox { sandbox in
      let (commit, base) = try await candidate(in: sandbox)
      let hook = sandbox.remote + "/hooks/pre-receive"
      try FileManager.default.createDirectory(atPath: sandbox.remote + "/hooks", withIntermediateDirectories: true)
      try "#!/bin/sh\necho no landing on Sundays >&2\nexit 1\n".write(toFile: hook, atomically: true, encoding: .utf8)
      chmod(hook, 0o755)
      let outage = await #expect(throws: Outage.self) { try await land(commit, expecting: base, sandbox) }
      #expect(outage?.description.contains("no landing on Sundays") == true)
      #expect(try await sandbox.remoteHead() == base)
    }
  }

  @Test("commits come oldest first, the newest when there are more than the limit")
  func commits() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      for number in 1...3 {
        try await sandbox.commit("C\(number)", files: ["c.txt": "\(number)\n"], at: 1_700_000_000 + number)
      }
      try await sandbox.push("main")
      let last = try await sandbox.head()
      let all = try await sandbox.forge.commits(from: first, to: last, in: GitSandbox.harbor, limit: 10)
      #expect(all.map(\.title) == ["C1", "C2", "C3"])
      #expect(all.last?.commit == last)
      #expect(all.last?.committedAt == Instant(milliseconds: 1_700_000_003_000))
      #expect(
        try await sandbox.forge.commits(from: nil, to: last, in: GitSandbox.harbor, limit: 2).map(\.title) == [
          "C2", "C3",
        ])
      #expect(try await sandbox.forge.commits(from: last, to: last, in: GitSandbox.harbor, limit: 2).isEmpty)
    }
  }

  @Test("a checkout has files, modes and links right, and no .git; again changes nothing")
  func checkOut() async throws {
    try await withGitSandbox { sandbox in
      try FileManager.default.createSymbolicLink(atPath: sandbox.clone + "/link", withDestinationPath: "a.txt")
      let commit = try await sandbox.commit(
        "Tree", files: ["run.sh": "#!/bin/sh\n", "deep/er/file ü": "x\n", ".gitattributes": "b.txt export-ignore\n"])
      try await sandbox.git("update-index", "--chmod=+x", "run.sh")
      try await sandbox.git("commit", "--quiet", "--amend", "-m", "Tree")
      let amended = try await sandbox.head()
      #expect(amended != commit)
      try await sandbox.push("main")
      let folder = sandbox.folder + "/out"
      for _ in 1...2 {
        try await sandbox.forge.checkOut(amended, of: GitSandbox.harbor, into: folder)
        let files = FileManager.default
        #expect(
          try files.contentsOfDirectory(atPath: folder).sorted() == [
            ".gitattributes", "a.txt", "b.txt", "deep", "link", "run.sh",
          ])
        #expect(files.isExecutableFile(atPath: folder + "/run.sh"))
        #expect(try files.destinationOfSymbolicLink(atPath: folder + "/link") == "a.txt")
        #expect(try String(contentsOfFile: folder + "/deep/er/file ü", encoding: .utf8) == "x\n")
      }
      try "changed\n".write(toFile: folder + "/a.txt", atomically: false, encoding: .utf8)
      await #expect(throws: Outage.self) {
        try await sandbox.forge.checkOut(amended, of: GitSandbox.harbor, into: folder)
      }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: sandbox.folder).filter { $0.contains("partial") } == [])
    }
  }

  @Test("a candidate can be checked out though no branch leads to it")
  func checkOutCandidate() async throws {
    try await withGitSandbox { sandbox in
      let (commit, _) = try await candidate(in: sandbox)
      try await sandbox.forge.checkOut(commit, of: GitSandbox.harbor, into: sandbox.folder + "/out")
      #expect(FileManager.default.fileExists(atPath: sandbox.folder + "/out/topic.txt"))
    }
  }

  @Test("a folder may be named relative to where the server stands")
  func relativeFolder() async throws {
    try await withGitSandbox { sandbox in
      let ups = FileManager.default.currentDirectoryPath.split(separator: "/").map { _ in ".." }.joined(separator: "/")
      let relative = ups + sandbox.folder
      let forge = try GitForge(mirrors: relative + "/relative", repositories: [GitSandbox.harbor: sandbox.remote])
      for _ in 1...2 {
        try await forge.checkOut(sandbox.head(), of: GitSandbox.harbor, into: relative + "/out")
      }
      #expect(FileManager.default.fileExists(atPath: sandbox.folder + "/out/a.txt"))
    }
  }

  @Test("a repository that is gone is an outage with git's words")
  func goneRemote() async throws {
    try await withGitSandbox { sandbox in
      try FileManager.default.removeItem(atPath: sandbox.remote)
      let outage = await #expect(throws: Outage.self) {
        try await sandbox.forge.head(of: GitSandbox.main, in: GitSandbox.harbor)
      }
      #expect(outage?.subject == "git")
      #expect(outage?.sources.isEmpty == false)
    }
  }

  @Test("a lock left by a killed git does not block the next start")
  func staleLock() async throws {
    try await withGitSandbox { sandbox in
      _ = try await sandbox.forge.resolve(GitSandbox.main, in: GitSandbox.harbor)
      let lock = sandbox.folder + "/mirrors/harbor.git/refs/remotes/origin/main.lock"
      try "".write(toFile: lock, atomically: false, encoding: .utf8)
      let next = try await sandbox.branch("main", from: sandbox.head(), "Next", files: ["n.txt": "n\n"])
      #expect(try await sandbox.restarted().resolve(GitSandbox.main, in: GitSandbox.harbor).head == next)
    }
  }

  @Test("many at once on a fresh mirror all succeed")
  func concurrent() async throws {
    try await withGitSandbox { sandbox in
      let head = try await sandbox.head()
      try await withThrowingTaskGroup(of: CommitID.self) { group in
        for _ in 1...6 {
          group.addTask { try await sandbox.forge.resolve(GitSandbox.main, in: GitSandbox.harbor).head }
        }
        for try await found in group { #expect(found == head) }
      }
    }
  }

  @Test("each of a chain of eighteen speculative merges builds on the last")
  func chain() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      var heads: [CommitID] = []
      for number in 1...18 {
        heads.append(
          try await sandbox.branch("t\(number)", from: first, "T\(number)", files: ["t\(number).txt": "x\n"]))
      }
      var tip = first
      for head in heads {
        guard
          case .prepared(let commit, _) = try await sandbox.forge.prepare(
            sandbox.order(.mergeCommit, base: tip, head: head))
        else { return #expect(Bool(false), "no candidate") }
        tip = commit
      }
      #expect(try await sandbox.forge.commits(from: first, to: tip, in: GitSandbox.harbor, limit: 100).count == 36)
    }
  }

  private func candidate(in sandbox: GitSandbox) async throws -> (CommitID, base: CommitID) {
    let base = try await sandbox.head()
    let head = try await sandbox.branch("topic", from: base, "Topic", files: ["topic.txt": "t\n"])
    let outcome = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: base, head: head))
    guard case .prepared(let commit, _) = outcome else { throw Outage("test", "\(outcome)") }
    return (commit, base)
  }

  @discardableResult
  private func land(_ commit: CommitID, expecting: CommitID, _ sandbox: GitSandbox) async throws -> LandOutcome {
    try await sandbox.forge.land(commit, on: GitSandbox.main, in: GitSandbox.harbor, expecting: expecting)
  }
}
