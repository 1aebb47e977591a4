import Drivers
import Foundation
import Kernel

/// A bare remote with a work clone in a folder of its own, and a forge on it.
struct GitSandbox {
  static let harbor = RepositoryName(rawValue: "harbor")!
  static let main = BranchName(rawValue: "main")!
  let folder: String
  let remote: String
  let clone: String
  let forge: GitForge

  init() async throws {
    folder = NSTemporaryDirectory() + "plimsoll-git-\(UUID().uuidString)"
    (remote, clone) = (folder + "/remote.git", folder + "/clone")
    try FileManager.default.createDirectory(atPath: clone, withIntermediateDirectories: true)
    forge = try GitForge(mirrors: folder + "/mirrors", repositories: [Self.harbor: remote])
    try await git("init", "--quiet", "--bare", "--initial-branch=main", remote)
    try await git("init", "--quiet", "--initial-branch=main", ".")
    try await commit("first", files: ["a.txt": lines(30), "b.txt": "b\n"])
    try await push("main")
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  /// A second forge on the same mirrors, as after a restart.
  func restarted() throws -> GitForge {
    try GitForge(mirrors: folder + "/mirrors", repositories: [Self.harbor: remote])
  }

  @discardableResult
  func git(_ arguments: String..., at seconds: Int = 1_700_000_000) async throws -> String {
    let environment = [
      ("PATH", standardSearchPath), ("HOME", folder), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_AUTHOR_NAME", "Ada Lovelace"),
      ("GIT_AUTHOR_EMAIL", "ada@example.com"), ("GIT_AUTHOR_DATE", "@\(seconds) +0100"),
      ("GIT_COMMITTER_NAME", "Ada Lovelace"), ("GIT_COMMITTER_EMAIL", "ada@example.com"),
      ("GIT_COMMITTER_DATE", "@\(seconds) +0100"),
    ].map { EnvironmentVariable(name: $0.0, value: $0.1) }
    let done = try await ProcessExecution("git", environment: environment, workingDirectory: clone)
      .run(arguments, timeLimit: .seconds(60))
    guard done.code == 0 else { throw Outage("git", "\(arguments): \(done.words)") }
    return done.text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  @discardableResult
  func commit(_ message: String, files: [String: String], at seconds: Int = 1_700_000_000) async throws -> CommitID {
    for (path, text) in files.sorted(by: { $0.key < $1.key }) {
      let full = "\(clone)/\(path)"
      try FileManager.default.createDirectory(
        atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try text.write(toFile: full, atomically: true, encoding: .utf8)
    }
    try await git("add", "--all", ".")
    try await git("commit", "--quiet", "-m", message, at: seconds)
    return try await head()
  }

  func head(_ name: String = "HEAD") async throws -> CommitID { CommitID(rawValue: try await git("rev-parse", name))! }
  func push(_ branch: String) async throws {
    try await git("push", "--quiet", "--force", remote, "HEAD:refs/heads/\(branch)")
  }
  func remoteHead(_ branch: String = "main") async throws -> CommitID {
    CommitID(rawValue: try await git("--git-dir=\(remote)", "rev-parse", "refs/heads/\(branch)"))!
  }

  /// A branch `name` off `from` with the files changed, pushed; the clone is left on it.
  @discardableResult
  func branch(_ name: String, from: CommitID, _ message: String, files: [String: String]) async throws -> CommitID {
    try await git("checkout", "--quiet", "-B", name, from.rawValue)
    let made = try await commit(message, files: files, at: 1_700_001_000)
    try await push(name)
    return made
  }

  func order(
    _ method: MergeMethod, base: CommitID, head: CommitID, branch: String = "topic",
    template: String = "{title} ({branch})",
    title: String = "Add a thing"
  ) -> CandidateOrder {
    CandidateOrder(
      repository: Self.harbor, base: base, head: head, branch: BranchName(rawValue: branch)!, method: method,
      messageTemplate: template, title: title, author: "Ada Lovelace", entry: 7,
      at: Instant(milliseconds: 1_700_002_000_000))
  }

  /// The text of a commit object in the forge's mirror.
  func object(_ commit: CommitID) async throws -> String {
    try await git("--git-dir=\(folder)/mirrors/harbor.git", "cat-file", "commit", commit.rawValue)
  }
  func file(_ path: String, in commit: CommitID) async throws -> String {
    try await git("--git-dir=\(folder)/mirrors/harbor.git", "show", "\(commit):\(path)")
  }
}

func lines(_ count: Int, changing changed: [Int: String] = [:]) -> String {
  (1...count).map { changed[$0] ?? "line \($0)" }.joined(separator: "\n") + "\n"
}

func withGitSandbox(_ body: (GitSandbox) async throws -> Void) async throws {
  let sandbox = try await GitSandbox()
  defer { sandbox.remove() }
  try await body(sandbox)
}
