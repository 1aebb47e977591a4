import Drivers
import Foundation
import Kernel

/// A bare repository of small text files and a work tree beside it, for who plays the people that push. Git keeps a
/// book of what the trunk has been, whoever moved it.
struct QueueRepository: Sendable {
  let folder: String

  var bare: String { "\(folder)/small.git" }
  private var work: String { "\(folder)/work" }
  static let trunk = "main"
  /// The commit that everyone branches from.
  static let beginning = "beginning"
  private static let timeLimit = Span.seconds(60)

  func make() async throws {
    try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
    try await git("init", "--quiet", "--initial-branch", Self.trunk, ".")
    try write("kept\n", to: "README")
    try await git("add", "--all")
    try await git("commit", "--quiet", "--message", "What everybody begins with")
    try await git("branch", Self.beginning)
    try await git("clone", "--quiet", "--bare", ".", bare)
    try await git("--git-dir", bare, "config", "core.logAllRefUpdates", "always")
    try await git("remote", "add", "origin", bare)
  }

  // MARK: Pushing

  /// Pushes a branch of one commit that writes these files.
  /// - Parameter base: what it stands on; `origin/main` is the trunk of now.
  /// - Returns: the commit.
  func push(_ branch: String, _ files: [String: String], from base: String = beginning) async throws -> String {
    try await git("fetch", "--quiet", "origin")
    try await git("checkout", "--quiet", "--force", "-B", branch, base)
    for (name, text) in files.sorted(by: { $0.key < $1.key }) { try write(text, to: name) }
    try await git("add", "--all")
    try await git("commit", "--quiet", "--message", "Make it \(branch)")
    try await git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/\(branch)")
    return try await git("rev-parse", "HEAD")
  }

  /// Pushes a branch of one commit on the trunk of now, after which all files are those of this tree.
  func push(_ branch: String, tree: String) async throws {
    try await git("fetch", "--quiet", "origin")
    let commit = try await git("commit-tree", tree, "-p", "origin/\(Self.trunk)", "-m", "Make it \(branch)")
    try await git("push", "--quiet", "--force", "origin", "\(commit):refs/heads/\(branch)")
  }

  private func write(_ text: String, to name: String) throws {
    let file = URL(filePath: "\(work)/\(name)")
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  // MARK: Reading

  /// The trunk as the repository has it now; nil for the moment in which it is being replaced.
  var trunkNow: String? {
    let text = try? String(contentsOfFile: "\(bare)/refs/heads/\(Self.trunk)", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func tree(of commit: String) async throws -> String {
    try await git("--git-dir", bare, "rev-parse", "\(commit)^{tree}")
  }

  /// What the trunk has been since it was made, oldest first, from git's own book.
  func movesOfTrunk() async throws -> [QueueAudit.Move] {
    let book = try String(contentsOfFile: "\(bare)/logs/refs/heads/\(Self.trunk)", encoding: .utf8)
    var moves: [QueueAudit.Move] = []
    for line in book.split(separator: "\n") {
      // OLD NEW Name <mail> SECONDS ZONE, a tab, and words.
      let words = line.prefix { $0 != "\t" }.split(separator: " ")
      guard words.count > 4, let second = Int64(words[words.count - 2]) else {
        throw Outage("git", "the book of \(Self.trunk) has a line that cannot be read: \(line)")
      }
      let (from, to) = (String(words[0]), String(words[1]))
      // The first line tells of the clone.
      if from.allSatisfy({ $0 == "0" }) { continue }
      let ancestor = try await run(["--git-dir", bare, "merge-base", "--is-ancestor", from, to])
      moves.append(
        QueueAudit.Move(
          from: from, to: to, tree: try await tree(of: to), second: second, isForward: ancestor.code == 0))
    }
    return moves
  }

  /// The heads that were merged into the trunk, oldest first: the other parents along its first-parent line.
  func mergedHeads() async throws -> [String] {
    let lines = try await git(
      "--git-dir", bare, "log", "--first-parent", "--reverse", "--format=%P", "\(Self.beginning)..\(Self.trunk)")
    return lines.split(separator: "\n").flatMap { $0.split(separator: " ").dropFirst().map(String.init) }
  }

  /// Changes that one move of the trunk landed.
  func merges(from: String, to: String) async throws -> Int {
    Int(try await git("--git-dir", bare, "rev-list", "--first-parent", "--count", "\(from)..\(to)")) ?? 0
  }

  // MARK: Git

  @discardableResult
  private func git(_ arguments: String...) async throws -> String {
    let finished = try await run(arguments)
    guard finished.code == 0 else {
      throw Outage(
        "git", "git \(arguments.joined(separator: " ")) ended with \(finished.code)", sources: [finished.words])
    }
    return finished.text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func run(_ arguments: [String]) async throws -> ProcessExecution.Finished {
    let process = ProcessExecution(
      "git",
      environment: [
        EnvironmentVariable(name: "GIT_CONFIG_NOSYSTEM", value: "1"), EnvironmentVariable(name: "HOME", value: folder),
        EnvironmentVariable(name: "PATH", value: ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
      ], workingDirectory: work)
    return try await process.run(
      ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"] + arguments, timeLimit: Self.timeLimit)
  }
}
