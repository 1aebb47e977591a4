import Foundation
import Kernel

/// What landed on a branch of a repository on this machine: read, never written.
package struct GitHistory: Sendable {
  /// One commit on the first-parent line: what one landing brought.
  package struct Landing: Equatable, Sendable {
    package let commit: CommitID
    /// The committer's date.
    package let at: Instant
    package let isMerge: Bool
    /// What it changed against its first parent, as git sorts it; a rename is both of its names.
    package let paths: [String]
  }

  private static let timeLimit = Span.minutes(2)
  /// Begins a commit in git's output, where paths end with NUL: no path in use begins with a record separator and 40
  /// digits.
  private static let mark: Character = "\u{1e}"

  private let path: String
  private let git: ProcessExecution

  /// - Parameter path: the work tree, or the bare repository.
  package init(path: String) {
    self.path = path
    let home = ProcessInfo.processInfo.environment["HOME"] ?? "/nonexistent"
    git = ProcessExecution(
      "git",
      environment: [
        ("PATH", standardSearchPath), ("HOME", home), ("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
      ].map { EnvironmentVariable(name: $0.0, value: $0.1) })
  }

  /// The newest landings of `branch`, oldest first, at most `limit`.
  ///
  /// - Parameter branch: any name that git knows; nil for what is checked out.
  /// - Throws: `Refusal.unknown` when the folder is no repository or has no such branch; `Outage` when git fails.
  package func landings(on branch: String?, limit: Int) async throws -> [Landing] {
    let tip = branch ?? "HEAD"
    let known = try await run(["rev-parse", "--verify", "--quiet", "--end-of-options", "\(tip)^{commit}"])
    guard known.code == 0 else {
      let here = try await run(["rev-parse", "--git-dir"])
      guard here.code == 0 else {
        throw Refusal(.unknown, "\(path) is no git repository that can be read: \(here.words)")
      }
      throw Refusal(.unknown, "\(path) has no commit named '\(tip)'; name a branch that it has.")
    }
    let told = try await run([
      "log", "--first-parent", "-m", "-z", "--name-only", "--no-renames", "--no-show-signature", "--no-ext-diff",
      "--no-color", "--format=%x1e%H %ct %P", "-n", "\(limit)", known.text.trimmingCharacters(in: .newlines), "--",
    ])
    guard told.code == 0 else { throw Outage("git", "git cannot read the history of \(path)", sources: [told.words]) }
    return Self.landings(in: told.output).reversed()
  }

  private func run(_ arguments: [String]) async throws(Outage) -> ProcessExecution.Finished {
    try await git.run(["-C", path] + arguments, timeLimit: Self.timeLimit)
  }

  /// Newest first, as git tells them. A commit's first path has a line feed before it.
  private static func landings(in output: [UInt8]) -> [Landing] {
    var found: [Landing] = []
    for bytes in output.split(separator: 0) {
      let text = String(decoding: bytes, as: UTF8.self)
      if text.first == mark, let landing = landing(of: text.dropFirst()) {
        found.append(landing)
      } else if let last = found.popLast() {
        let name = text.first == "\n" ? String(text.dropFirst()) : text
        found.append(
          Landing(commit: last.commit, at: last.at, isMerge: last.isMerge, paths: last.paths + [name]))
      }
    }
    return found
  }

  /// `HASH SECONDS PARENT…`
  private static func landing(of header: Substring) -> Landing? {
    let words = header.split(separator: " ")
    guard words.count >= 2, let commit = CommitID(rawValue: String(words[0])), let seconds = Int64(words[1]) else {
      return nil
    }
    return Landing(
      commit: commit, at: Instant(milliseconds: seconds * 1000), isMerge: words.count > 3, paths: [])
  }
}
