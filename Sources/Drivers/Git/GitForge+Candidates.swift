import Kernel

/// Candidates without a work tree: `git merge-tree --write-tree` makes the tree, `git commit-tree` the commit.
///
/// Names and dates come from the order and the commits it names, never from the clock, so that equal orders give the
/// equal commit id; that is what makes a repeated call free.
extension GitForge {
  package func prepare(_ order: CandidateOrder) async throws(Outage) -> CandidateOutcome {
    let mirror = try mirror(of: order.repository)
    let common = try await mirror.mergeBases(order.base, order.head)
    if common == [order.head] { return .alreadyContained }
    if common.isEmpty {
      return .conflicted(
        paths: [],
        detail: "\(order.branch) shares no history with the commit it is to be merged onto; begin it anew from there.")
    }
    let made: Made
    switch order.method {
    case .mergeCommit: made = try await mergeCommit(order, in: mirror)
    case .squash: made = try await squash(order, in: mirror)
    case .rebase: made = try await rebase(order, in: mirror)
    }
    switch made {
    case .conflict(let paths, let detail): return .conflicted(paths: paths, detail: detail)
    case .nothing: return .alreadyContained
    case .commit(let commit, let tree):
      // Keeps the candidate alive until it lands or for ever: no branch of the remote leads to it.
      try await mirror.text(["update-ref", "refs/plimsoll/candidates/\(commit)", commit.rawValue])
      return .prepared(commit: commit, tree: tree)
    }
  }

  private enum Made {
    case commit(CommitID, TreeID)
    /// All of the change is in the base already, though under other commit ids.
    case nothing
    case conflict(paths: [String], detail: String)
  }

  /// Two parents, base first. Kept even when the tree does not change: it records that the head is contained.
  private func mergeCommit(_ order: CandidateOrder, in mirror: GitMirror) async throws(Outage) -> Made {
    switch try await mirror.merge(order.base.rawValue, order.head.rawValue) {
    case .conflict(let paths, let detail): return .conflict(paths: paths, detail: detail)
    case .tree(let tree):
      let message = try await message(for: order, in: mirror)
      return .commit(
        try await mirror.commit(
          tree: tree, parents: [order.base, order.head], author: .init(mirror.committer, at: order.at), at: order.at,
          message: message),
        tree)
    }
  }

  /// One parent; the author is the head commit's.
  private func squash(_ order: CandidateOrder, in mirror: GitMirror) async throws(Outage) -> Made {
    switch try await mirror.merge(order.base.rawValue, order.head.rawValue) {
    case .conflict(let paths, let detail): return .conflict(paths: paths, detail: detail)
    case .tree(let tree):
      if tree == (try await mirror.tree(of: order.base)) { return .nothing }
      let message = try await message(for: order, in: mirror)
      let facts = try await mirror.facts(of: order.head)
      return .commit(
        try await mirror.commit(
          tree: tree, parents: [order.base], author: facts.author, at: order.at, message: message),
        tree)
    }
  }

  /// Each commit of base..head that is no merge, oldest first, onto the last (as `git rebase` does): author and message
  /// kept, commits that change nothing there dropped, commits already in place kept as they are.
  ///
  /// A commit C with parent P is applied to the tip T by merging C with a synthetic commit that holds T's tree and has
  /// the parent P: their merge base is P, which is exactly a cherry-pick. (`git merge-tree --merge-base` needs git
  /// 2.40; Debian 12 has 2.39. A work tree with `git cherry-pick` is 20 times slower and leaves state when killed.)
  private func rebase(_ order: CandidateOrder, in mirror: GitMirror) async throws(Outage) -> Made {
    let listed = try await mirror.text([
      "rev-list", "--reverse", "--topo-order", "--no-merges", "\(order.base)..\(order.head)", "--",
    ])
    var tip = order.base
    for commit in listed.split(separator: "\n").compactMap({ CommitID(rawValue: String($0)) }) {
      let facts = try await mirror.facts(of: commit)
      if facts.parents == [tip] {
        tip = commit
        continue
      }
      let tipTree = try await mirror.tree(of: tip)
      let picked: GitMirror.Merge
      if facts.parents.isEmpty {
        picked = try await mirror.merge(tip.rawValue, commit.rawValue, unrelated: ["--allow-unrelated-histories"])
      } else {
        let synthetic = try await mirror.commit(
          tree: tipTree, parents: facts.parents, author: .init(mirror.committer, at: order.at), at: order.at,
          message: "tip")
        picked = try await mirror.merge(synthetic.rawValue, commit.rawValue)
      }
      switch picked {
      case .conflict(let paths, let detail):
        return .conflict(paths: paths, detail: "at commit \(commit.short) (\(facts.subject)):\n\(detail)")
      case .tree(let tree):
        if tree == tipTree { continue }
        tip = try await mirror.commit(
          tree: tree, parents: [tip], author: facts.author, at: order.at, message: facts.message)
      }
    }
    return tip == order.base ? .nothing : .commit(tip, try await mirror.tree(of: tip))
  }

  /// The template with its placeholders filled in one pass: a title that holds `{body}` stays as it is.
  private func message(for order: CandidateOrder, in mirror: GitMirror) async throws(Outage) -> String {
    let body =
      order.messageTemplate.contains("{body}")
      ? try await mirror.text(["log", "-1", "--format=%b", "\(order.head)"]) : ""
    let values = [
      "title": order.title, "branch": order.branch.rawValue, "author": order.author, "entry": "\(order.entry)",
      "body": body,
    ]
    let filled = fill(order.messageTemplate, with: values)
    return filled.allSatisfy(\.isWhitespace) ? order.title : filled
  }
}

/// Replaces each `{name}` that `values` knows; everything else stays. Trailing white space goes.
func fill(_ template: String, with values: [String: String]) -> String {
  var filled = ""
  var rest = template[...]
  while let open = rest.firstIndex(of: "{") {
    filled += rest[..<open]
    rest = rest[open...]
    guard let close = rest.firstIndex(of: "}"), let value = values[String(rest[rest.index(after: open)..<close])] else {
      filled.append("{")
      rest = rest.dropFirst()
      continue
    }
    filled += value
    rest = rest[rest.index(after: close)...]
  }
  filled += rest
  while filled.last?.isWhitespace == true { filled.removeLast() }
  return filled
}
