import Kernel

/// Chance from a seed (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mix(state)
  }
  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
  mutating func happens(_ percent: Double) -> Bool { Double(next() >> 11) / 0x1p53 * 100 < percent }
}

/// A repository whose commits hold numbered changes. Some changes are bad alone, some pairs do not merge, and some
/// pairs merge, pass alone and fail together.
struct ToyForge {
  let salt: UInt64
  private(set) var trunk: CommitID
  private(set) var contents: [CommitID: [Int]]
  private var candidates: [String: CommitID] = [:]
  private var changes: [CommitID: Int] = [:]
  private(set) var history: [CommitID]
  private var commitCount = 0
  private var changeCount = 0

  init(salt: UInt64) {
    self.salt = salt
    trunk = c("t0")
    contents = [trunk: []]
    history = [trunk]
  }

  private func draw(_ kind: UInt64, _ left: Int, _ right: Int = 0) -> UInt64 {
    let pair = UInt64(min(left, right)) << 20 | UInt64(max(left, right))
    return SplitMix64.mix(salt &+ kind &* 0x9e37_79b9 &+ SplitMix64.mix(pair)) % 100
  }
  func isBad(_ change: Int) -> Bool { draw(1, change) < 10 }
  /// Databases let its migrations not pass.
  func isRefused(_ change: Int) -> Bool { draw(4, change) < 8 }
  func clash(_ left: Int, _ right: Int) -> Bool { left % 3 == right % 3 && draw(2, left, right) < 24 }
  func breaks(_ left: Int, _ right: Int) -> Bool { left % 3 == right % 3 && draw(3, left, right) < 36 }

  func isGreen(_ content: [Int]) -> Bool {
    for (index, change) in content.enumerated() {
      if isBad(change) || content[..<index].contains(where: { breaks(change, $0) }) { return false }
    }
    return true
  }
  func isGreen(_ commit: CommitID) -> Bool { isGreen(contents[commit] ?? []) }

  /// Changes with paths in different folders never break or clash with each other.
  func path(of head: CommitID) -> String { "lane\(change(at: head) % 3)/file" }

  func change(at head: CommitID) -> Int { changes[head] ?? 0 }

  mutating func newHead() -> CommitID {
    changeCount += 1
    let head = c("h\(changeCount)")
    changes[head] = changeCount
    return head
  }

  /// By content: the same order gives the same commit.
  mutating func prepare(_ order: CandidateOrder) -> CandidateOutcome {
    let change = change(at: order.head)
    let below = contents[order.base] ?? []
    if below.contains(change) { return .alreadyContained }
    if below.contains(where: { clash($0, change) }) { return .conflicted(paths: ["a"], detail: "CONFLICT") }
    let key = "\(order.base)/\(order.head)/\(order.method)/\(order.entry)"
    let commit = candidates[key] ?? newCommit(holding: below + [change])
    candidates[key] = commit
    return .prepared(commit: commit, tree: tree(of: commit))
  }

  /// Changes that merge give the same files in any order.
  func tree(of commit: CommitID) -> TreeID {
    let content = (contents[commit] ?? []).sorted()
    return MergeQueuesTests.tree("\(content.reduce(salt) { SplitMix64.mix($0 &+ UInt64($1)) } >> 1)")
  }

  private mutating func newCommit(holding content: [Int]) -> CommitID {
    commitCount += 1
    let commit = c("k\(commitCount)")
    contents[commit] = content
    return commit
  }

  /// By content, with lease.
  mutating func land(_ commit: CommitID, expecting: CommitID) -> LandOutcome {
    if trunk == commit { return .landed }
    guard trunk == expecting else { return .moved(trunk: trunk) }
    trunk = commit
    history.append(commit)
    return .landed
  }

  /// Someone pushes past the queue, but nothing red: that would not be the queue's doing.
  mutating func pushFromOutside() {
    let below = contents[trunk] ?? []
    changeCount += 1
    guard isGreen(below + [changeCount]) else { return }
    trunk = newCommit(holding: below + [changeCount])
    history.append(trunk)
  }

  /// By lookup. Contents stand for history.
  func move(from old: CommitID, to new: CommitID) -> HeadMove {
    let (before, after) = (contents[old] ?? [], contents[new] ?? [])
    return after.starts(with: before) ? .advanced : before.starts(with: after) ? .rewound : .rewritten
  }

  /// By lookup: what the second commit holds beyond the first.
  func paths(_ old: CommitID, _ new: CommitID) -> ChangedPaths {
    let known = contents[old] ?? []
    return ChangedPaths(
      bounding: (contents[new] ?? []).filter { !known.contains($0) }.map { "lane\($0 % 3)/file" })
  }

  mutating func rewind(to index: Int) { trunk = history[index] }
}
