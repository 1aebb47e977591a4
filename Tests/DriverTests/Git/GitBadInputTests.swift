import Foundation
import Kernel
import Testing

@testable import Drivers

/// What git and people can throw at a queue: each has clear words or a right answer, and nothing is lost.
@Suite("Git's bad input")
struct GitBadInputTests {
  private let harbor = GitSandbox.harbor

  private func prepared(_ order: CandidateOrder, _ sandbox: GitSandbox) async throws -> (CommitID, TreeID) {
    let outcome = try await sandbox.forge.prepare(order)
    guard case .prepared(let commit, let tree) = outcome else { throw Outage("test", "no candidate: \(outcome)") }
    return (commit, tree)
  }

  private func paths(_ base: CommitID, _ head: CommitID, _ sandbox: GitSandbox) async throws -> ChangedPaths {
    try await sandbox.forge.changedPaths(from: base, to: head, in: harbor)
  }

  // MARK: The trunk under us

  @Test("a deleted trunk is said, nothing is pushed in its place, and it may come back")
  func deletedTrunk() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      let head = try await sandbox.branch("topic", from: base, "T", files: ["t.txt": "t\n"])
      let (candidate, _) = try await prepared(sandbox.order(.mergeCommit, base: base, head: head), sandbox)
      try await sandbox.git("--git-dir=\(sandbox.remote)", "update-ref", "-d", "refs/heads/main")
      let said = [
        await #expect(throws: Outage.self) { try await sandbox.forge.head(of: GitSandbox.main, in: harbor) },
        await #expect(throws: Outage.self) {
          try await sandbox.forge.land(candidate, on: GitSandbox.main, in: harbor, expecting: base)
        },
      ]
      for outage in said { #expect(outage?.sentence.contains("no branch 'main'") == true) }
      try await sandbox.git("push", "--quiet", sandbox.remote, "\(base):refs/heads/main")
      #expect(
        try await sandbox.forge.land(candidate, on: GitSandbox.main, in: harbor, expecting: base) == .landed)
    }
  }

  @Test("a trunk that was rewritten while we were away is known as rewritten, without the old commit")
  func rewrittenWhileAway() async throws {
    try await withGitSandbox { sandbox in
      let old = CommitID(rawValue: String(repeating: "d", count: 40))!
      let now = try await sandbox.head()
      #expect(try await sandbox.forge.move(from: old, to: now, in: harbor) == .rewritten)
    }
  }

  @Test("a change that stands on the trunk as it was before it was rewritten conflicts in words")
  func changeOfOldHistory() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let head = try await sandbox.branch("topic", from: first, "T", files: ["t.txt": "t\n"])
      try await sandbox.git("checkout", "--quiet", "--orphan", "anew")
      try await sandbox.commit("All anew", files: ["a.txt": "other\n"])
      try await sandbox.push("main")
      let rewritten = try await sandbox.head()
      guard
        case .conflicted(let paths, let detail) = try await sandbox.forge.prepare(
          sandbox.order(.mergeCommit, base: rewritten, head: head))
      else { return #expect(Bool(false), "no conflict") }
      #expect(
        paths.isEmpty
          && detail == "topic shares no history with the commit it is to be merged onto; begin it anew from there.")
      #expect(try await self.paths(rewritten, head, sandbox).paths == ["a.txt", "b.txt", "t.txt"])
    }
  }

  // MARK: Names

  @Test(
    "odd names of branches go all the way",
    arguments: [
      "über/ä", "e\u{301}", "日本語", "a'b\"c$(x)`y`", "--x/y", "x/-rf", "HEAD", "refs/heads/main", "@a@b", "%2e%2e",
      "a&b|c;d",
      String(repeating: "long/", count: 49) + "tail",
    ])
  func oddNames(_ name: String) async throws {
    guard let branch = BranchName(rawValue: name) else { return #expect(name.hasPrefix("-"), "only that is refused") }
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      try await sandbox.git("checkout", "--quiet", "--detach", base.rawValue)
      let head = try await sandbox.commit("Odd", files: ["odd.txt": "o\n"])
      try await sandbox.push(name)
      #expect(try await sandbox.forge.resolve(branch, in: harbor).head == head)
      #expect(try await sandbox.forge.state(of: branch, in: harbor).head == head)
      let (commit, _) = try await prepared(
        sandbox.order(.squash, base: base, head: head, branch: name, title: "Odd"), sandbox)
      #expect(try await sandbox.object(commit).hasSuffix("Odd (\(name))"))
      try await sandbox.git("push", "--quiet", "--force", sandbox.remote, "\(base):refs/heads/\(name)")
      #expect(try await sandbox.forge.land(commit, on: branch, in: harbor, expecting: base) == .landed)
      #expect(try await sandbox.forge.state(of: branch, in: harbor).head == commit)
    }
  }

  @Test("two spellings of one letter are two branches")
  func spellings() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      for (name, file) in [("e\u{301}", "decomposed"), ("\u{e9}", "composed")] {
        try await sandbox.git("checkout", "--quiet", "--detach", base.rawValue)
        let head = try await sandbox.commit("Odd", files: ["\(file).txt": "o\n"])
        try await sandbox.push(name)
        #expect(try await sandbox.forge.resolve(BranchName(rawValue: name)!, in: harbor).head == head)
        #expect(try await sandbox.forge.state(of: BranchName(rawValue: name)!, in: harbor).head == head)
      }
    }
  }

  @Test("a branch that becomes a folder of branches, and back")
  func nestedNames() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      let (flat, nested) = (BranchName(rawValue: "a")!, BranchName(rawValue: "a/b")!)
      try await sandbox.push("a")
      #expect(try await sandbox.forge.resolve(flat, in: harbor).head == base)
      try await sandbox.git("push", "--quiet", sandbox.remote, "--delete", "a")
      try await sandbox.push("a/b")
      #expect(try await sandbox.forge.resolve(nested, in: harbor).head == base)
      #expect(try await sandbox.forge.states(of: [flat, nested], in: harbor).map(\.head) == [nil, base])
      await #expect(throws: Refusal.self) { try await sandbox.forge.resolve(flat, in: harbor) }
      try await sandbox.git("push", "--quiet", sandbox.remote, "--delete", "a/b")
      try await sandbox.push("a")
      #expect(try await sandbox.forge.resolve(flat, in: harbor).head == base)
    }
  }

  // MARK: Contents

  @Test("paths of any bytes are told apart, and both names of a rename count")
  func oddPaths() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      try await sandbox.git("checkout", "--quiet", "-B", "topic", base.rawValue)
      try await sandbox.git("mv", "a.txt", "renamed.txt")
      let names = ["new\nline", "tab\there", "-rf", "quote\"d", "ü"].map { Array($0.utf8) }
      for name in names + [[0x66, 0xff], [0x66, 0xfe]] { create(sandbox.clone, name) }
      let head = try await sandbox.commit("Odd", files: [:])
      try await sandbox.push("topic")
      let found = try await paths(base, head, sandbox)
      #expect(found.isComplete)
      #expect(
        Set(found.paths) == [
          "-rf", "a.txt", "f\\376", "f\\377", "new\nline", "quote\"d", "renamed.txt", "tab\there", "ü",
        ])
      let (commit, _) = try await prepared(sandbox.order(.squash, base: base, head: head), sandbox)
      #expect(try await paths(base, commit, sandbox) == found)
    }
  }

  private func create(_ folder: String, _ name: [UInt8]) {
    let bytes = (Array("\(folder)/".utf8) + name).map { CChar(bitPattern: $0) } + [0]
    let file = open(bytes, O_CREAT | O_WRONLY, 0o644)
    #expect(file >= 0)
    close(file)
  }

  @Test("submodules: one is a path, two that differ conflict by name, and a checkout has an empty folder")
  func submodules() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      func pin(_ branch: String, _ digit: String, from: CommitID) async throws -> CommitID {
        try await sandbox.git("checkout", "--quiet", "-B", branch, from.rawValue)
        let pinned = String(repeating: digit, count: 40)
        try await sandbox.git("update-index", "--add", "--cacheinfo", "160000,\(pinned),parts/engine")
        try await sandbox.git("commit", "--quiet", "-m", "Pin \(digit)")
        try await sandbox.push(branch)
        return try await sandbox.head()
      }
      let base = try await pin("main", "1", from: first)
      let ours = try await pin("ours", "2", from: base)
      let theirs = try await pin("theirs", "3", from: base)
      #expect(try await paths(base, ours, sandbox).paths == ["parts/engine"])
      let (commit, _) = try await prepared(sandbox.order(.mergeCommit, base: base, head: ours), sandbox)
      guard
        case .conflicted(let paths, let detail) = try await sandbox.forge.prepare(
          sandbox.order(.mergeCommit, base: commit, head: theirs))
      else { return #expect(Bool(false), "no conflict") }
      #expect(paths == ["parts/engine"])
      #expect(detail.contains("submodule"))
      let folder = sandbox.folder + "/out"
      for _ in 1...2 {
        try await sandbox.forge.checkOut(commit, of: harbor, into: folder)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/parts/engine").isEmpty)
      }
    }
  }

  @Test("LFS pointers are files like others: checked out as they are, and two that differ conflict")
  func pointers() async throws {
    try await withGitSandbox { sandbox in
      let attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
      func pointer(_ digit: String) -> String {
        "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: digit, count: 64))\nsize 12345\n"
      }
      let base = try await sandbox.branch(
        "main", from: sandbox.head(), "LFS", files: [".gitattributes": attributes, "x.bin": pointer("1")])
      let ours = try await sandbox.branch("ours", from: base, "Two", files: ["x.bin": pointer("2")])
      let theirs = try await sandbox.branch("theirs", from: base, "Three", files: ["x.bin": pointer("3")])
      let (commit, _) = try await prepared(sandbox.order(.mergeCommit, base: base, head: ours), sandbox)
      for _ in 1...2 {
        try await sandbox.forge.checkOut(commit, of: harbor, into: sandbox.folder + "/out")
        #expect(try String(contentsOfFile: sandbox.folder + "/out/x.bin", encoding: .utf8) == pointer("2"))
      }
      #expect(try await paths(base, ours, sandbox).paths == ["x.bin"])
      let second = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: commit, head: theirs))
      guard case .conflicted(["x.bin"], _) = second else { return #expect(Bool(false), "\(second)") }
    }
  }

  @Test(
    "a change without a difference lands as a merge that records it, and is nothing to the other methods",
    arguments: MergeMethod.allCases)
  func emptyChange(_ method: MergeMethod) async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      try await sandbox.git("checkout", "--quiet", "-B", "topic", first.rawValue)
      try await sandbox.git("commit", "--quiet", "--allow-empty", "-m", "Nothing")
      let head = try await sandbox.head()
      try await sandbox.push("topic")
      let base = try await sandbox.branch("main", from: first, "M", files: ["m.txt": "m\n"])
      #expect(try await paths(base, head, sandbox) == ChangedPaths(paths: [], isComplete: true))
      let outcome = try await sandbox.forge.prepare(sandbox.order(method, base: base, head: head))
      guard method == .mergeCommit else { return #expect(outcome == .alreadyContained) }
      let tree = TreeID(rawValue: try await sandbox.git("rev-parse", "\(base)^{tree}"))!
      guard case .prepared(_, tree) = outcome else { return #expect(Bool(false), "\(outcome)") }
    }
  }

  // MARK: Histories

  @Test("criss-cross merges merge by all their bases, and the paths since any of them count")
  func crissCross() async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      let left = try await sandbox.branch("left", from: first, "L", files: ["l.txt": "l\n"])
      let right = try await sandbox.branch("right", from: first, "R", files: ["r.txt": "r\n"])
      func merge(_ name: String, _ one: CommitID, _ other: CommitID) async throws {
        try await sandbox.git("checkout", "--quiet", "-B", name, one.rawValue)
        try await sandbox.git("merge", "--quiet", "--no-ff", "-m", "Merge \(name)", other.rawValue)
      }
      try await merge("main", left, right)
      let base = try await sandbox.commit("M", files: ["a.txt": lines(30, changing: [1: "main"])])
      try await sandbox.push("main")
      try await merge("topic", right, left)
      let head = try await sandbox.commit("T", files: ["a.txt": lines(30, changing: [30: "topic"])])
      try await sandbox.push("topic")
      let bases = try await sandbox.git("merge-base", "--all", base.rawValue, head.rawValue)
      #expect(bases.split(separator: "\n").count == 2)
      let (commit, _) = try await prepared(sandbox.order(.mergeCommit, base: base, head: head), sandbox)
      let merged = try await sandbox.file("a.txt", in: commit)
      #expect(merged + "\n" == lines(30, changing: [1: "main", 30: "topic"]))
      #expect(try await paths(base, head, sandbox).paths == ["a.txt", "l.txt", "r.txt"])
      #expect(try await paths(base, commit, sandbox).paths == ["a.txt"])
      _ = try await prepared(sandbox.order(.squash, base: base, head: head), sandbox)
      _ = try await prepared(sandbox.order(.rebase, base: base, head: head), sandbox)
    }
  }

  @Test("an octopus lands by any method with all of its arms", arguments: MergeMethod.allCases)
  func octopus(_ method: MergeMethod) async throws {
    try await withGitSandbox { sandbox in
      let first = try await sandbox.head()
      var arms: [String] = []
      for arm in ["x", "y", "z"] {
        arms.append(
          try await sandbox.branch(arm, from: first, "Arm \(arm)", files: ["\(arm).txt": "\(arm)\n"]).rawValue)
      }
      try await sandbox.git("checkout", "--quiet", "-B", "topic", first.rawValue)
      try await sandbox.git("merge", "--quiet", "--no-ff", "-m", "Octopus", arms[0], arms[1], arms[2])
      let head = try await sandbox.head()
      try await sandbox.push("topic")
      let base = try await sandbox.branch("main", from: first, "M", files: ["m.txt": "m\n"])
      let (commit, _) = try await prepared(sandbox.order(method, base: base, head: head), sandbox)
      #expect(try await paths(base, commit, sandbox).paths == ["x.txt", "y.txt", "z.txt"])
      #expect(try await sandbox.forge.land(commit, on: GitSandbox.main, in: harbor, expecting: base) == .landed)
    }
  }

  @Test("a file added to a folder that another change renames shares no path with it, and yet conflicts in words")
  func renamedFolder() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.branch(
        "main", from: sandbox.head(), "M", files: ["old/a.txt": lines(20), "old/b.txt": lines(30)])
      try await sandbox.git("checkout", "--quiet", "-B", "renames", base.rawValue)
      try await sandbox.git("mv", "old", "new")
      let renames = try await sandbox.commit("Rename", files: [:])
      try await sandbox.push("renames")
      let adds = try await sandbox.branch("adds", from: base, "Add", files: ["old/c.txt": "c\n"])
      let (moved, added) = (try await paths(base, renames, sandbox), try await paths(base, adds, sandbox))
      #expect(Set(moved.paths).isDisjoint(with: added.paths))
      for (first, second) in [(renames, adds), (adds, renames)] {
        let (commit, _) = try await prepared(sandbox.order(.mergeCommit, base: base, head: first), sandbox)
        let outcome = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: commit, head: second))
        guard case .conflicted(let paths, let detail) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(paths == ["new/c.txt"] && detail.contains("renamed"))
      }
    }
  }

  // MARK: Notes

  @Test("whoever fetches the notes reads in git log what became of a change, also when its branch is gone")
  func readNotes() async throws {
    try await withGitSandbox { sandbox in
      let head = try await sandbox.branch("topic", from: try await sandbox.head(), "T", files: ["t.txt": "t\n"])
      func say(_ text: String, _ fence: Int64) async throws {
        try await sandbox.forge.comment(
          ChangeNote(
            branch: BranchName(rawValue: "topic")!, head: head, text: text, at: Instant(milliseconds: 5_000),
            fence: Fence(fence)), in: harbor)
      }
      func log() async throws -> String {
        try await sandbox.git("fetch", "--quiet", sandbox.remote, "+refs/notes/plimsoll:refs/notes/plimsoll")
        return try await sandbox.git("log", "-1", "--notes=plimsoll", head.rawValue)
      }
      try await say("#7 waits in the merge queue.\nIt stands still. The runner has not been heard of for 46 s.", 3)
      #expect(try await log().contains("Notes (plimsoll):\n    #7 waits in the merge queue.\n    It stands still."))
      try await sandbox.git("--git-dir=\(sandbox.remote)", "update-ref", "-d", "refs/heads/topic")
      try await say("#7 landed as 1a2b3c4d5e.", 9)
      let said = try await log()
      #expect(said.contains("#7 landed as 1a2b3c4d5e.") && !said.contains("stands still"))
    }
  }

  @Test("notes of others stay, and a note is found after the branch moved on")
  func othersNotes() async throws {
    try await withGitSandbox { sandbox in
      let head = try await sandbox.head()
      let other = try await sandbox.branch("topic", from: head, "T", files: ["t.txt": "t\n"])
      try await sandbox.git("notes", "--ref=plimsoll", "add", "-m", "mine", head.rawValue)
      try await sandbox.git("push", "--quiet", sandbox.remote, "refs/notes/plimsoll")
      try await sandbox.branch("topic", from: other, "Next", files: ["t.txt": "next\n"])
      let note = ChangeNote(
        branch: BranchName(rawValue: "topic")!, head: other, text: "Waits.", at: Instant(milliseconds: 5_000),
        fence: Fence(3))
      try await sandbox.forge.comment(note, in: harbor)
      let before = try await sandbox.git("--git-dir=\(sandbox.remote)", "rev-parse", "refs/notes/plimsoll")
      try await sandbox.restarted().comment(note, in: harbor)
      #expect(try await sandbox.git("--git-dir=\(sandbox.remote)", "rev-parse", "refs/notes/plimsoll") == before)
      func said(_ commit: CommitID) async throws -> String {
        try await sandbox.git("--git-dir=\(sandbox.remote)", "notes", "--ref=plimsoll", "show", commit.rawValue)
      }
      #expect(try await said(head) == "mine")
      #expect(try await said(other) == "Waits.\n\nPlimsoll-Position: 3")
    }
  }

  @Test("a remote that takes no notes is an outage with its words, and no branch was touched")
  func refusedNotes() async throws {
    try await withGitSandbox { sandbox in
      let head = try await sandbox.head()
      let hook = sandbox.remote + "/hooks/pre-receive"
      try FileManager.default.createDirectory(atPath: sandbox.remote + "/hooks", withIntermediateDirectories: true)
      try "#!/bin/sh\necho no notes here >&2\nexit 1\n".write(toFile: hook, atomically: true, encoding: .utf8)
      chmod(hook, 0o755)
      let note = ChangeNote(
        branch: GitSandbox.main, head: head, text: "Waits.", at: Instant(milliseconds: 0), fence: Fence(1))
      let outage = await #expect(throws: Outage.self) { try await sandbox.forge.comment(note, in: harbor) }
      #expect(outage?.description.contains("refs/notes/plimsoll") == true)
      #expect(outage?.description.contains("no notes here") == true)
      #expect(try await sandbox.remoteHead() == head)
    }
  }
}
