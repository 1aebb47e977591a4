/// What the trunk has been, what CI said and what was submitted, held against each other: whatever the server believes
/// of itself is one witness among three. Git kept the moves, CI its own book.
struct QueueAudit {
  /// The trunk went from one commit to another.
  struct Move: Equatable, Sendable {
    var from: String
    var to: String
    var tree: String
    /// Since 1970, as git keeps it.
    var second: Int64
    /// A fast-forward.
    var isForward: Bool
  }

  /// A line of CI's own book. The tree is what CI found in its checkout, computed there.
  struct CheckedTree: Equatable, Sendable {
    enum Word: String, Sendable { case began, passed, failed }
    var word: Word
    var tree: String
    var atMs: Int64
  }

  struct Change: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
      case good
      /// CI fails with it, whatever else is there.
      case bad
      /// Of two with one name one lands: they conflict in git, or fail together.
      case rival(String)
    }
    var branch: String
    var head: String
    var kind: Kind
  }

  /// Of an entry, by the server's word.
  struct Fate: Equatable, Sendable {
    var branch: String
    /// `landed`, `ejected`, `withdrawn`.
    var outcome: String
  }

  var changes: [Change]
  var fates: [Fate]
  /// Oldest first.
  var moves: [Move]
  /// Heads of the merges along the trunk.
  var mergedHeads: [String]
  var checked: [CheckedTree]

  /// In words; empty when nothing was lost, landed twice, landed untested or sent away without guilt.
  var faults: [String] { trunkFaults + changeFaults }

  private var trunkFaults: [String] {
    var faults: [String] = []
    for (index, move) in moves.enumerated() {
      let name = move.to.prefix(10)
      if !move.isForward { faults.append("the trunk went to \(name) and left commits behind") }
      if index > 0, moves[index - 1].to != move.from { faults.append("who brought the trunk to \(move.from)?") }
      // Git keeps whole seconds.
      let known = checked.contains {
        $0.word == .passed && $0.tree == move.tree && $0.atMs < (move.second + 1) * 1000
      }
      if !known { faults.append("the trunk was at \(name), whose tree CI had not passed") }
    }
    return faults
  }

  private var changeFaults: [String] {
    var faults: [String] = []
    for change in changes {
      let own = fates.filter { $0.branch == change.branch }.map(\.outcome)
      let merges = mergedHeads.count { $0 == change.head }
      if own.isEmpty { faults.append("\(change.branch) was submitted and is lost") }
      if own.count > 1 { faults.append("\(change.branch) ended more than once: \(own.joined(separator: ", "))") }
      if merges > 1 { faults.append("\(change.branch) was merged \(merges) times") }
      let isLanded = own.contains("landed")
      if isLanded != (merges > 0) {
        faults.append("\(change.branch) is \(own.last ?? "unknown") and was merged \(merges) times")
      }
      switch change.kind {
      case .good: if !isLanded { faults.append("\(change.branch) is good and did not land") }
      case .bad: if merges > 0 { faults.append("\(change.branch) is bad and landed") }
      case .rival: break
      }
    }
    for head in mergedHeads where !changes.contains(where: { $0.head == head }) {
      faults.append("\(head.prefix(10)) was merged and never submitted")
    }
    return faults + rivalFaults
  }

  private var rivalFaults: [String] {
    var names: [String] = []
    for case .rival(let name) in changes.map(\.kind) where !names.contains(name) { names.append(name) }
    return names.compactMap { name in
      let landed = changes.filter { $0.kind == .rival(name) && mergedHeads.contains($0.head) }.map(\.branch)
      return landed.count == 1 ? nil : "of the rivals '\(name)' there landed \(landed.count), not one"
    }
  }
}

extension QueueAudit.CheckedTree {
  /// `passed TREE MILLISECONDS`; nil for anything else.
  init?(line: some StringProtocol) {
    let words = line.split(separator: " ")
    guard words.count == 3, let word = Word(rawValue: String(words[0])), let at = Int64(words[2]) else { return nil }
    self.init(word: word, tree: String(words[1]), atMs: at)
  }
}
