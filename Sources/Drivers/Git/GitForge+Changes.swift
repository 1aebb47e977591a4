import Kernel

/// Lookups about changes: where branches stand, how heads moved, which paths a change touches.
extension GitForge {
  package func move(from old: CommitID, to new: CommitID, in repository: RepositoryName) async throws(Outage)
    -> HeadMove
  {
    if old == new { return .advanced }
    let mirror = try mirror(of: repository)
    try await mirror.ensure(new)
    // The mirror has all that `new` holds, so what it lacks is not among that: nobody may have it any more.
    guard try await mirror.has(old) else { return .rewritten }
    if try await mirror.isAncestor(old, of: new) { return .advanced }
    return try await mirror.isAncestor(new, of: old) ? .rewound : .rewritten
  }

  /// Up to so many branches are asked for by name; more are found in a list of all, for a command line has its limit.
  private static let namedBranches = 16

  package func states(of branches: [BranchName], in repository: RepositoryName) async throws(Outage) -> [ChangeState] {
    if branches.isEmpty { return [] }
    let mirror = try mirror(of: repository)
    let patterns = branches.count <= Self.namedBranches ? branches.map { "refs/heads/\($0)" } : ["refs/heads/*"]
    let found = try await mirror.remoteReferences(matching: patterns)
    return branches.map { ChangeState(branch: $0, head: found[Array("refs/heads/\($0)".utf8)]) }
  }

  package func changedPaths(
    from base: CommitID, to head: CommitID, in repository: RepositoryName
  ) async throws(Outage) -> ChangedPaths {
    let mirror = try mirror(of: repository)
    let bases = try await mirror.mergeBases(base, head)
    var all: [String] = []
    if bases.isEmpty {
      guard let paths = try await mirror.paths(["ls-tree", "-r", "-z", "--name-only", "--full-tree", head.rawValue])
      else { return ChangedPaths(paths: [], isComplete: false) }
      all = paths
    }
    for base in bases {
      let asked = [
        "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--ignore-submodules=none", base.rawValue,
        head.rawValue, "--",
      ]
      guard let paths = try await mirror.paths(asked) else { return ChangedPaths(paths: [], isComplete: false) }
      all += paths
    }
    return ChangedPaths(bounding: all)
  }
}

extension GitMirror {
  /// The paths that git lists, ended by NUL; nil when they are too many to be read.
  fileprivate nonisolated func paths(_ arguments: [String]) async throws(Outage) -> [String]? {
    guard let finished = try await runWithinLimit(arguments) else { return nil }
    guard finished.code == 0 else {
      throw Outage(
        "git", "git cannot list the paths of a change in repository \(name)", sources: [words(of: finished)])
    }
    return finished.output.split(separator: 0).map(spelled)
  }
}

/// A path as text; one that is no UTF-8 with its bytes above 0x7f as `\ooo`, so that two paths never become one.
private func spelled(_ path: ArraySlice<UInt8>) -> String {
  if let text = String(validating: path, as: UTF8.self) { return text }
  var text = ""
  for byte in path {
    if byte < 0x80 {
      text.unicodeScalars.append(Unicode.Scalar(byte))
    } else {
      text += "\\" + String(byte, radix: 8)
    }
  }
  return text
}
