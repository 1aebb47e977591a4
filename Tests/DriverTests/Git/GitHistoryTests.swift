import Drivers
import Foundation
import Kernel
import Testing

@Suite("The history of a repository") struct GitHistoryTests {
  private func withSandbox(_ body: (GitSandbox) async throws -> Void) async throws {
    let sandbox = try await GitSandbox()
    defer { sandbox.remove() }
    try await body(sandbox)
  }

  @Test("landings come oldest first, with times and odd paths; a merge is what it brought to its first parent")
  func landings() async throws {
    try await withSandbox { sandbox in
      let first = try await sandbox.head()
      try await sandbox.branch("topic", from: first, "topic", files: ["dir/ü \"x\"\n.txt": "1", "c.txt": "2"])
      try await sandbox.git("checkout", "--quiet", "main")
      try await sandbox.git("merge", "--quiet", "--no-ff", "-m", "Merge topic", "topic", at: 1_700_002_000)
      try await sandbox.git("mv", "b.txt", "moved.txt")
      try await sandbox.git("commit", "--quiet", "-m", "Move", at: 1_700_003_000)
      try await sandbox.git("commit", "--quiet", "--allow-empty", "-m", "Nothing", at: 1_700_004_000)

      let found = try await GitHistory(path: sandbox.clone).landings(on: nil, limit: 10)
      #expect(
        found.map { $0.paths.sorted() } == [
          ["a.txt", "b.txt"], ["c.txt", "dir/ü \"x\"\n.txt"], ["b.txt", "moved.txt"], [],
        ])
      #expect(found.map(\.isMerge) == [false, true, false, false])
      #expect(found.map { $0.at.milliseconds / 1_000_000 } == [1_700_000, 1_700_002, 1_700_003, 1_700_004])
      #expect(found.last?.commit == (try await sandbox.head()))
      let newest = try await GitHistory(path: sandbox.clone).landings(on: "main", limit: 2)
      #expect(newest == found.suffix(2))
      #expect(try await GitHistory(path: sandbox.remote).landings(on: "main", limit: 9).count == 1)
    }
  }

  @Test("no repository, no such branch and a branch that looks like an option are refused with words")
  func refused() async throws {
    try await withSandbox { sandbox in
      for (path, branch, words) in [
        (sandbox.folder, nil, "is no git repository"), ("/nonexistent", nil, "is no git repository"),
        (sandbox.clone, "nope", "has no commit named 'nope'"), (sandbox.clone, "--all", "has no commit named '--all'"),
      ] as [(String, String?, String)] {
        await #expect {
          try await GitHistory(path: path).landings(on: branch, limit: 5)
        } throws: {
          ($0 as? Refusal)?.sentence.contains(words) ?? false
        }
      }
    }
  }
}
