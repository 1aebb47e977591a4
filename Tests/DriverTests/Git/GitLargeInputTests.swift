import Foundation
import Kernel
import Testing

@testable import Drivers

/// Changes of a size that nobody reviews: bounded time, bounded words.
@Suite("Git's large input", .serialized)
struct GitLargeInputTests {
  /// Far above what a loaded machine of two cores takes, and far below git's own limit of ten minutes.
  private static let patience = Duration.seconds(240)

  private func within(_ what: String, _ body: () async throws -> Void) async rethrows {
    let began = ContinuousClock.now
    try await body()
    let took = ContinuousClock.now - began
    #expect(took < Self.patience, "\(what) took \(took)")
  }

  /// Branches of the remote, made by `git fast-import` of a stream; each is one commit on `from`.
  private func fill(
    _ sandbox: GitSandbox, _ branches: [(name: String, from: String, files: Int, text: (Int) -> String)]
  ) async throws {
    var stream: [UInt8] = []
    func say(_ text: String) { stream += Array(text.utf8) }
    for (name, from, files, text) in branches {
      say("commit refs/heads/\(name)\ncommitter Ada <ada@example.com> 1700000500 +0000\ndata 4\nmany\nfrom \(from)\n")
      for number in 0..<files {
        let content = text(number)
        say("M 100644 inline part\(number % 100)/f\(number).txt\ndata \(content.utf8.count)\n\(content)\n")
      }
    }
    let environment = [EnvironmentVariable(name: "PATH", value: standardSearchPath)]
    let done = try await ProcessExecution("git", environment: environment)
      .run(["--git-dir=\(sandbox.remote)", "fast-import", "--quiet"], input: stream, timeLimit: .minutes(5))
    #expect(done.code == 0, "\(done.words)")
  }

  @Test("100,000 files: bounded paths that are said to be incomplete, a candidate as usual; conflicts in few words")
  func manyFiles() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      try await fill(
        sandbox,
        [
          ("wide", "refs/heads/main", 100_000, { "content \($0)\n" }),
          ("one", "refs/heads/wide", 5_000, { "one \($0)\n" }),
          ("two", "refs/heads/wide", 5_000, { "two \($0)\n" }),
        ])
      let wide = try await sandbox.remoteHead("wide")
      try await within("a change of 100,000 files") {
        let found = try await sandbox.forge.changedPaths(from: base, to: wide, in: GitSandbox.harbor)
        #expect(found.paths.count == ChangedPaths.limit && !found.isComplete)
        let outcome = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: base, head: wide))
        guard case .prepared(let commit, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(
          try await sandbox.forge.land(commit, on: GitSandbox.main, in: GitSandbox.harbor, expecting: base) == .landed)
      }
      let (one, two) = (try await sandbox.remoteHead("one"), try await sandbox.remoteHead("two"))
      try await within("5,000 conflicts") {
        let outcome = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: one, head: two))
        guard case .conflicted(let paths, let detail) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(paths.count == CandidateOutcome.pathLimit)
        #expect(detail.count <= CandidateOutcome.detailLimit)
      }
    }
  }

  @Test("a file of 50 MB merges, and conflicts by name alone")
  func largeFile() async throws {
    try await withGitSandbox { sandbox in
      let line = "0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 \n"
      let body = String(repeating: line, count: 50_000_000 / line.utf8.count)
      let base = try await sandbox.branch("main", from: sandbox.head(), "Large", files: ["large.txt": body])
      let head = try await sandbox.branch("topic", from: base, "Head", files: ["large.txt": "topic\n" + body])
      let tail = try await sandbox.branch("main", from: base, "Tail", files: ["large.txt": body + "main\n"])
      let other = try await sandbox.branch("other", from: base, "Other", files: ["large.txt": "other\n" + body])
      try await within("a file of 50 MB") {
        let outcome = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: tail, head: head))
        guard case .prepared(let commit, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(
          try await sandbox.forge.changedPaths(from: tail, to: commit, in: GitSandbox.harbor).paths == ["large.txt"])
        let second = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: commit, head: other))
        guard case .conflicted(["large.txt"], let detail) = second else { return #expect(Bool(false), "\(second)") }
        #expect(detail.count <= CandidateOutcome.detailLimit)
      }
    }
  }

  /// A batch of twenty is prepared before it is tested: four git processes each, half a second in all.
  @Test("a chain of twenty candidates is made in a moment, and again")
  func longChain() async throws {
    try await withGitSandbox { sandbox in
      let base = try await sandbox.head()
      var heads: [CommitID] = []
      for number in 1...20 {
        heads.append(
          try await sandbox.branch("t\(number)", from: base, "T\(number)", files: ["t\(number).txt": "x\n"]))
      }
      _ = try await sandbox.forge.resolve(BranchName(rawValue: "t20")!, in: GitSandbox.harbor)
      func chain() async throws -> CommitID {
        var tip = base
        for head in heads {
          let outcome = try await sandbox.forge.prepare(sandbox.order(.mergeCommit, base: tip, head: head))
          guard case .prepared(let commit, _) = outcome else { throw Outage("test", "\(outcome)") }
          tip = commit
        }
        return tip
      }
      let began = ContinuousClock.now
      let tip = try await chain()
      let took = ContinuousClock.now - began
      #expect(took < .seconds(20), "a chain of twenty took \(took)")
      #expect(try await chain() == tip)
      #expect(
        try await sandbox.forge.land(tip, on: GitSandbox.main, in: GitSandbox.harbor, expecting: base) == .landed)
      #expect(try await sandbox.forge.changedPaths(from: base, to: tip, in: GitSandbox.harbor).paths.count == 20)
    }
  }
}
