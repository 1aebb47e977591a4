import Kernel

/// What a change does to the service that holds it.
enum Behaviour: String, CaseIterable {
  case good, failing, slow, hanging, crashing, neverReady, outOfMemory

  /// Shares of requests that fail and that are slow.
  var failing: Double { self == .failing ? 0.15 : 0.0004 }
  var slowing: Double {
    switch self {
    case .slow: 0.25
    case .hanging: 0.2
    case .good, .failing, .crashing, .neverReady, .outOfMemory: 0.001
    }
  }
  /// Users are hurt by it, as far as the router can tell.
  var hurtsTraffic: Bool { self == .failing || self == .slow || self == .hanging }
}

/// One change of someone's branch.
struct SimulatedChange {
  let id: Int
  var failsTests = false
  var failsBuild = false
  var failsChecks = false
  var behaviour = Behaviour.good
  /// Changes whose fault it takes away.
  var mends: [Int] = []
  /// What it does to the database and to the statements of services; nil for nothing.
  var schema: SimulatedSchemaChange?
}

/// A repository whose commits hold sets of changes. Some changes are bad alone, some pairs do not merge, and some pairs
/// merge, pass alone and fail together.
final class SimulatedForge {
  private struct Commit {
    /// In order of arrival.
    let content: [Int]
    /// What it was made on; nil for the first.
    let base: CommitID?
  }

  let salt: UInt64
  private(set) var trunk: CommitID
  private(set) var changes: [SimulatedChange] = []
  /// Where the trunk has been, oldest first.
  private(set) var pastTrunks: [CommitID] = []
  private var commits: [CommitID: Commit] = [:]
  private var heads: [CommitID: Int] = [:]
  private var branches: [BranchName: CommitID] = [:]
  private(set) var notes: [CommitID: ChangeNote] = [:]
  private var behaviours: [CommitID: Behaviour] = [:]
  /// Told whenever the trunk moved.
  var onMove: (_ to: CommitID, _ byQueue: Bool) -> Void = { _, _ in }
  private var watchers: [() -> Void] = []

  init(salt: UInt64) {
    self.salt = salt
    trunk = SimulatedNames.commit(salt)
    commits[trunk] = Commit(content: [], base: nil)
  }

  /// A change pushed as a branch, new or not; returns its head.
  func push(_ change: SimulatedChange, as branch: BranchName) -> CommitID {
    changes.append(change)
    let head = SimulatedNames.commit(salt &+ 1_000_000 &+ UInt64(change.id))
    heads[head] = change.id
    branches[branch] = head
    return head
  }

  func delete(_ branch: BranchName) { branches[branch] = nil }

  func content(of commit: CommitID) -> [Int] { commits[commit]?.content ?? [] }
  func change(ofHead head: CommitID) -> Int? { heads[head] }

  /// By content: equal orders give the equal commit.
  func prepare(_ order: CandidateOrder) -> CandidateOutcome {
    guard let change = heads[order.head] else { return .alreadyContained }
    let below = content(of: order.base)
    if below.contains(change) { return .alreadyContained }
    if let other = below.first(where: { clash($0, change) }) {
      return .conflicted(paths: ["file-\(other)"], detail: "changes \(other) and \(change) touch the same line")
    }
    return .prepared(commit: commit(below + [change], order), tree: tree(of: below + [change]))
  }

  private func commit(_ content: [Int], _ order: CandidateOrder) -> CommitID {
    let id = SimulatedNames.commit(number(content, UInt64(order.entry) &* 31 &+ hash(order)))
    commits[id] = Commit(content: content, base: order.base)
    return id
  }

  /// Of changes that merge the order leaves no trace in the files.
  func tree(of commit: CommitID) -> TreeID? { commits[commit].map { tree(of: $0.content) } }
  private func tree(of content: [Int]) -> TreeID { SimulatedNames.tree(number(content.sorted(), 7)) }

  private func hash(_ order: CandidateOrder) -> UInt64 {
    order.method == .squash ? 3 : order.method == .rebase ? 5 : 1
  }

  private func number(_ content: [Int], _ start: UInt64) -> UInt64 {
    content.reduce(Chance.mix(salt &+ start)) { Chance.mix($0 &+ UInt64($1) &+ 1) }
  }

  /// By content, with lease.
  func land(_ commit: CommitID, expecting: CommitID) -> LandOutcome {
    if holds(trunk, commit) { return .landed }
    guard trunk == expecting else { return .moved(trunk: trunk) }
    move(to: commit, byQueue: true)
    return .landed
  }

  /// Someone pushes past the queue, but nothing red: that would not be the queue's doing.
  func pushFromOutside(_ change: SimulatedChange) {
    changes.append(change)
    let content = content(of: trunk) + [change.id]
    guard isGreen(content) else { return }
    let id = SimulatedNames.commit(number(content, 13))
    commits[id] = Commit(content: content, base: trunk)
    move(to: id, byQueue: false)
  }

  /// Someone forces the trunk back to where it was some time ago.
  func forceBack(to past: CommitID) {
    guard past != trunk else { return }
    move(to: past, byQueue: false)
  }

  /// Someone rewrites history: the same files in a commit that continues none.
  func rewriteTrunk() {
    let content = content(of: trunk)
    let id = SimulatedNames.commit(number(content, UInt64(pastTrunks.count) &* 37 &+ 17))
    commits[id] = Commit(content: content, base: nil)
    move(to: id, byQueue: false)
  }

  private func move(to commit: CommitID, byQueue: Bool) {
    pastTrunks.append(trunk)
    trunk = commit
    onMove(commit, byQueue)
    let told = watchers
    watchers = []
    for watcher in told { watcher() }
  }

  /// Calls back once, when the trunk moves.
  func watch(_ watcher: @escaping () -> Void) { watchers.append(watcher) }

  // MARK: Lookups and notes

  /// By lookup.
  func state(of branch: BranchName) -> ChangeState { ChangeState(branch: branch, head: branches[branch]) }

  /// By lookup.
  func move(from old: CommitID, to new: CommitID) -> HeadMove {
    holds(new, old) ? .advanced : holds(old, new) ? .rewound : .rewritten
  }

  private func holds(_ descendant: CommitID, _ ancestor: CommitID) -> Bool {
    var next: CommitID? = descendant
    while let commit = next {
      if commit == ancestor { return true }
      next = commits[commit]?.base
    }
    return false
  }

  /// By lookup: of a branch's head its own change, of a candidate what it has beyond the base.
  func changedPaths(from base: CommitID, to head: CommitID) -> ChangedPaths {
    let present = content(of: base)
    let added = heads[head].map { [$0] } ?? content(of: head).filter { !present.contains($0) }
    return ChangedPaths(bounding: added.flatMap(paths))
  }

  /// A change has a file of its own, and edits those of earlier ones that it clashes with, breaks or mends: what shares
  /// no file can neither clash nor break.
  private func paths(of change: Int) -> [String] {
    let others = (0..<change).filter { clash($0, change) || breaks($0, change) } + changes[change].mends
    return ([change] + others).map { "file-\($0)" }
  }

  /// By content; the fence lives in the note.
  func comment(_ note: ChangeNote) {
    if let present = notes[note.head], present.fence > note.fence { return }
    notes[note.head] = note
  }

  // MARK: What the content means

  private func draw(_ kind: UInt64, _ left: Int, _ right: Int) -> UInt64 {
    let pair = UInt64(min(left, right)) << 20 | UInt64(max(left, right))
    return Chance.mix(salt &+ kind &* 0x9e37_79b9 &+ Chance.mix(pair)) % 100
  }
  private func clash(_ left: Int, _ right: Int) -> Bool { draw(2, left, right) < 4 }
  private func breaks(_ left: Int, _ right: Int) -> Bool { draw(3, left, right) < 5 }

  private func unmended(_ content: [Int]) -> [SimulatedChange] {
    let mended = content.flatMap { changes[$0].mends }
    return content.filter { !mended.contains($0) }.map { changes[$0] }
  }

  private func isGreen(_ content: [Int]) -> Bool {
    for (index, change) in content.enumerated() where content[..<index].contains(where: { breaks(change, $0) }) {
      return false
    }
    return !unmended(content).contains(where: \.failsTests)
  }
  func isGreen(_ commit: CommitID) -> Bool { isGreen(content(of: commit)) }
  func builds(_ commit: CommitID) -> Bool { !unmended(content(of: commit)).contains(where: \.failsBuild) }
  func passesChecks(_ commit: CommitID) -> Bool { !unmended(content(of: commit)).contains(where: \.failsChecks) }
  /// The worst that the commit's unmended changes do.
  func behaviour(of commit: CommitID) -> Behaviour {
    if let known = behaviours[commit] { return known }
    let found = unmended(content(of: commit)).map(\.behaviour).first { $0 != .good } ?? .good
    behaviours[commit] = found
    return found
  }
  /// Changes on the trunk whose fault nobody has taken away.
  var faultsOnTrunk: [Int] {
    unmended(content(of: trunk)).filter { $0.behaviour != .good || $0.failsBuild || $0.failsChecks }.map(\.id)
  }
}
