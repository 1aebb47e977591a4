import Foundation
import Kernel

/// Who a commit is by.
package struct GitIdentity: Sendable, Equatable {
  package let name: String
  package let email: String
  package init(name: String, email: String) {
    self.name = name
    self.email = email
  }
  package static let plimsoll = GitIdentity(name: "Plimsoll", email: "plimsoll@localhost")
}

/// One repository's bare mirror, and git run on it in an environment that holds nothing of the user's configuration:
/// equal commands on equal objects give equal commits on any machine.
actor GitMirror {
  /// Longest single git command; a first fetch of a 1 GB repository over 100 Mbit/s takes 80 s.
  static let timeLimit = Span.minutes(10)

  nonisolated let name: RepositoryName
  nonisolated let url: String
  nonisolated let folder: String
  nonisolated let committer: GitIdentity
  private nonisolated let process: ProcessExecution
  private nonisolated let address: ConcealedAddress
  private nonisolated let baseEnvironment: [EnvironmentVariable]
  private nonisolated let fetches = Turnstile()
  private nonisolated let openings = Turnstile()
  nonisolated let notes = Turnstile()
  private var isOpen = false

  init(
    name: RepositoryName, url: String, folder: String, configuration: String, committer: GitIdentity,
    environment: [EnvironmentVariable]
  ) {
    self.name = name
    self.url = url
    address = ConcealedAddress(url, of: name)
    self.folder = folder
    self.committer = committer
    let home = ProcessInfo.processInfo.environment["HOME"] ?? "/nonexistent"
    baseEnvironment =
      [
        ("PATH", standardSearchPath), ("HOME", home), ("LC_ALL", "C"), ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", configuration), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"),
        // No `ext::` and other transports that run commands named in a URL.
        ("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh"),
      ].map { EnvironmentVariable(name: $0.0, value: $0.1) } + environment
    process = ProcessExecution("git", environment: baseEnvironment)
  }

  /// Runs git on the mirror; the code is the caller's to judge.
  nonisolated func run(
    _ arguments: [String], environment: [EnvironmentVariable] = [], workTree: String? = nil, input: [UInt8] = []
  ) async throws(Outage) -> ProcessExecution.Finished {
    let deed = deed(arguments)
    guard
      let finished = try await runWithinLimit(arguments, environment: environment, workTree: workTree, input: input)
    else {
      throw Outage("git", "\(deed) said more than \(ProcessExecution.outputLimitBytes >> 20) MiB and was cut off")
    }
    return finished
  }

  /// As `run`, but nil when git said more than `ProcessExecution.outputLimitBytes`.
  nonisolated func runWithinLimit(
    _ arguments: [String], environment: [EnvironmentVariable] = [], workTree: String? = nil, input: [UInt8] = []
  ) async throws(Outage) -> ProcessExecution.Finished? {
    try await open()
    let fixed = [
      "--git-dir=\(folder)", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false", "-c", "gc.auto=0",
      "-c", "maintenance.auto=false",
    ]
    let called =
      environment.isEmpty && workTree == nil
      ? process
      : ProcessExecution("git", environment: baseEnvironment + environment, workingDirectory: workTree)
    return try await called.runWithinLimit(
      fixed + arguments, input: input, timeLimit: Self.timeLimit, for: deed(arguments))
  }

  private nonisolated func deed(_ arguments: [String]) -> String {
    "git \(arguments.first { !$0.hasPrefix("-") } ?? "") on repository \(name)"
  }

  /// What git said, for a person, without the repository's URL: the words reach the ledger and the pages.
  nonisolated func words(of finished: ProcessExecution.Finished) -> String { finished.words(address.conceal) }

  /// Runs git on the mirror and returns its standard output.
  ///
  /// - Throws: `Outage` with git's words on any exit code but 0.
  @discardableResult
  nonisolated func text(
    _ arguments: [String], environment: [EnvironmentVariable] = [], workTree: String? = nil, input: [UInt8] = []
  ) async throws(Outage) -> String {
    let finished = try await run(arguments, environment: environment, workTree: workTree, input: input)
    guard finished.code == 0 else {
      throw Outage(
        "git", "\(deed(arguments)) failed with code \(finished.code); see git's words",
        sources: [words(of: finished)])
    }
    return finished.text
  }

  /// The first line of git's output without its newline.
  nonisolated func line(
    _ arguments: [String], environment: [EnvironmentVariable] = [], input: [UInt8] = []
  ) async throws(Outage) -> String {
    let said = try await text(arguments, environment: environment, input: input)
    return String(said.prefix { !$0.isNewline })
  }

  /// Brings all branches of the remote; one fetch at a time.
  nonisolated func fetch() async throws(Outage) {
    try await fetches.pass { () async throws(Outage) in
      _ = try await text([
        "fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", "--no-auto-maintenance", "--force", "--",
        url, "+refs/heads/*:refs/remotes/origin/*",
      ])
    }
  }

  /// Fetches when the mirror lacks one of the commits.
  nonisolated func ensure(_ commits: CommitID...) async throws(Outage) {
    if try await lacking(commits).isEmpty { return }
    try await fetch()
    guard let lacking = try await lacking(commits).first else { return }
    throw Outage(
      "git", "repository \(name) has no commit \(lacking.short) on any branch; push it there and try again")
  }

  nonisolated func has(_ commit: CommitID) async throws(Outage) -> Bool { try await lacking([commit]).isEmpty }

  /// Those that the mirror lacks. One process for all.
  private nonisolated func lacking(_ commits: [CommitID]) async throws(Outage) -> [CommitID] {
    let asked = commits.map { "\($0)^{commit}\n" }.joined()
    let rows = try await text(["cat-file", "--batch-check=%(objectname)"], input: Array(asked.utf8))
      .split(separator: "\n")
    guard rows.count == commits.count else {
      throw Outage("git", "git cat-file answered \(rows.count) lines for \(commits.count) commits; try again")
    }
    return zip(commits, rows).filter { CommitID(rawValue: String($1)) == nil }.map(\.0)
  }

  /// The branch's commit on the remote now; nil when it has no such branch.
  nonisolated func remoteHead(of branch: BranchName) async throws(Outage) -> CommitID? {
    let reference = "refs/heads/\(branch)"
    return try await remoteReferences(matching: [reference])[Array(reference.utf8)]
  }

  /// The remote's references that match, by the bytes of their full names: two spellings of one letter are one `String`
  /// and two references. `ls-remote` matches trailing components too, so for `refs/heads/main` there may be
  /// `refs/heads/a/refs/heads/main` as well.
  nonisolated func remoteReferences(matching patterns: [String]) async throws(Outage) -> [[UInt8]: CommitID] {
    let listed = try await text(["ls-remote", "--quiet", "--", url] + patterns)
    var found: [[UInt8]: CommitID] = [:]
    for row in listed.split(separator: "\n") {
      let fields = row.split(separator: "\t")
      if fields.count == 2 { found[Array(fields[1].utf8)] = CommitID(rawValue: String(fields[0])) }
    }
    return found
  }

  /// The best common ancestors, of which criss-cross merges have several; none for unrelated histories. Fetches when the
  /// mirror lacks one of the commits.
  nonisolated func mergeBases(_ left: CommitID, _ right: CommitID) async throws(Outage) -> [CommitID] {
    let asked = ["merge-base", "--all", left.rawValue, right.rawValue]
    var finished = try await run(asked)
    // Asked first and fetched afterwards: a queue's commits are nearly always here, and each process takes 3 ms.
    if finished.code > 1 {
      try await ensure(left, right)
      finished = try await run(asked)
    }
    guard finished.code <= 1 else {
      throw Outage(
        "git", "git finds no common ancestor of \(left.short) and \(right.short)", sources: [words(of: finished)])
    }
    return finished.text.split(separator: "\n").compactMap { CommitID(rawValue: String($0)) }
  }

  /// True when `ancestor` is reachable from `descendant`. Both must be in the mirror.
  nonisolated func isAncestor(_ ancestor: CommitID, of descendant: CommitID) async throws(Outage) -> Bool {
    let finished = try await run(["merge-base", "--is-ancestor", ancestor.rawValue, descendant.rawValue])
    guard finished.code <= 1 else {
      throw Outage(
        "git", "git cannot compare \(ancestor.short) with \(descendant.short)", sources: [words(of: finished)])
    }
    return finished.code == 0
  }

  /// Makes the mirror at the first use in this process, and removes the locks of a git that was killed with an
  /// earlier one: the folder is ours alone, so at that moment nobody can hold them.
  private nonisolated func open() async throws(Outage) {
    if await isOpen { return }
    try await openings.pass { () async throws(Outage) in
      if await isOpen { return }
      if let inside = FileManager.default.enumerator(atPath: folder) {
        let stale = inside.compactMap { $0 as? String }.filter { $0.hasSuffix(".lock") || $0.hasSuffix(".index") }
        for path in stale where !path.hasPrefix("objects/") {
          try? FileManager.default.removeItem(atPath: "\(folder)/\(path)")
        }
      }
      let made = try await process.run(
        ["init", "--quiet", "--bare", "--template=", "--", folder], timeLimit: Self.timeLimit)
      guard made.code == 0 else {
        throw Outage("git", "the mirror \(folder) cannot be made; see git's words", sources: [words(of: made)])
      }
      await markOpen()
    }
  }

  private func markOpen() { isOpen = true }
}
