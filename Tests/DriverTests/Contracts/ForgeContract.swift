import Kernel
import Testing

/// A forge under contract, with people who work on its repository.
protocol ForgeSite: Sendable {
  var forge: any Forge { get }
  /// As a Plimsoll that was killed and started again would have it.
  func restarted() throws -> any Forge
  var repository: RepositoryName { get }
  var trunk: BranchName { get }
  /// Someone pushes a change that touches nothing which any other change touches.
  func push(_ branch: BranchName) async throws -> CommitID
  /// Someone pushes a change that does not merge with that of `other`, pushed before.
  func push(_ branch: BranchName, against other: CommitID) async throws -> CommitID
  func delete(_ branch: BranchName) async throws
  /// Someone pushes to the trunk past us.
  func pushToTrunk() async throws
  func forceTrunk(to commit: CommitID) async throws
  /// Someone replaces the trunk's history by another.
  func rewriteTrunk() async throws
  /// The note on a change, as people read it.
  func note(on head: CommitID) async throws -> String?
}

/// What every `Forge` promises, in terms of the port alone: the machine leans on nothing more.
struct ForgeContract {
  let site: any ForgeSite
  private var forge: any Forge { site.forge }

  private func name(_ text: String) throws -> BranchName { try #require(BranchName(rawValue: text)) }
  private func head() async throws -> CommitID { try await forge.head(of: site.trunk, in: site.repository) }

  private func order(
    _ head: CommitID, on base: CommitID, as branch: BranchName, _ method: MergeMethod = .mergeCommit, entry: Int = 1
  ) -> CandidateOrder {
    CandidateOrder(
      repository: site.repository, base: base, head: head, branch: branch, method: method,
      messageTemplate: "{title} (#{entry})", title: "A change", author: "ada", entry: entry,
      at: Instant(milliseconds: 1_700_002_000_000))
  }

  private func prepared(_ order: CandidateOrder) async throws -> (commit: CommitID, tree: TreeID) {
    let outcome = try await forge.prepare(order)
    guard case .prepared(let commit, let tree) = outcome else { throw Outage("test", "no candidate: \(outcome)") }
    return (commit, tree)
  }

  private func land(_ commit: CommitID, expecting: CommitID) async throws -> LandOutcome {
    try await forge.land(commit, on: site.trunk, in: site.repository, expecting: expecting)
  }

  /// Calls whose callers leave at once: their replies are lost, and what they did is not known.
  private func cutShort(_ call: @escaping @Sendable () async throws -> Void) async {
    for _ in 0..<4 {
      let cut = Task { try await call() }
      await Task.yield()
      cut.cancel()
      _ = await cut.result
    }
  }

  func sameOrder() async throws {
    let base = try await head()
    let topic = try name("topic")
    let change = try await site.push(topic)
    for method in MergeMethod.allCases {
      let order = order(change, on: base, as: topic, method)
      await cutShort { [forge] in _ = try await forge.prepare(order) }
      let outcome = try await forge.prepare(order)
      guard case .prepared(let commit, _) = outcome else { return #expect(Bool(false), "\(outcome)") }
      #expect(try await forge.prepare(order) == outcome)
      #expect(try await site.restarted().prepare(order) == outcome)
      #expect(try await forge.prepare(self.order(change, on: commit, as: topic, method)) == .alreadyContained)
    }
  }

  /// Landing out of order rests on this: tested in one order, the files are those of the other.
  func anyOrder() async throws {
    let base = try await head()
    let (left, right) = (try name("left"), try name("right"))
    let (first, second) = (try await site.push(left), try await site.push(right))
    for method in MergeMethod.allCases {
      let one = try await prepared(order(first, on: base, as: left, method, entry: 1))
      let both = try await prepared(order(second, on: one.commit, as: right, method, entry: 2))
      let other = try await prepared(order(second, on: base, as: right, method, entry: 2))
      let turned = try await prepared(order(first, on: other.commit, as: left, method, entry: 1))
      #expect(both.tree == turned.tree, "\(method)")
      #expect(one.tree != other.tree)
      #expect(one.tree != both.tree)
    }
  }

  func chain() async throws {
    let base = try await head()
    var tip = base
    for number in 1...5 {
      let branch = try name("link-\(number)")
      tip = try await prepared(order(try await site.push(branch), on: tip, as: branch, entry: number)).commit
    }
    #expect(try await land(tip, expecting: base) == .landed)
    #expect(try await head() == tip)
    #expect(try await forge.move(from: base, to: tip, in: site.repository) == .advanced)
  }

  func conflict() async throws {
    let base = try await head()
    let (left, right) = (try name("left"), try name("right"))
    let first = try await site.push(left)
    let second = try await site.push(right, against: first)
    let one = try await prepared(order(first, on: base, as: left))
    _ = try await prepared(order(second, on: base, as: right, entry: 2))
    guard case .conflicted(let paths, _) = try await forge.prepare(order(second, on: one.commit, as: right, entry: 2))
    else { return #expect(Bool(false), "no conflict") }
    #expect(!paths.isEmpty && paths == paths.sorted())
  }

  func landing() async throws {
    let base = try await head()
    let topic = try name("topic")
    let candidate = try await prepared(order(try await site.push(topic), on: base, as: topic)).commit
    await cutShort { _ = try await land(candidate, expecting: base) }
    #expect(try await land(candidate, expecting: base) == .landed)
    #expect(try await land(candidate, expecting: base) == .landed)
    #expect(try await head() == candidate)
    try await site.pushToTrunk()
    let above = try await head()
    #expect(above != candidate)
    #expect(try await land(candidate, expecting: base) == .landed, "others built on it since")
    #expect(try await head() == above)
    let late = try name("late")
    let other = try await prepared(order(try await site.push(late), on: base, as: late, entry: 2)).commit
    #expect(try await land(other, expecting: base) == .moved(trunk: above))
    #expect(try await head() == above)
  }

  func trunkUnderUs() async throws {
    let first = try await head()
    try await site.pushToTrunk()
    let second = try await head()
    let topic = try name("topic")
    let change = try await site.push(topic)
    let candidate = try await prepared(order(change, on: second, as: topic)).commit
    func move(_ old: CommitID, _ new: CommitID) async throws -> HeadMove {
      try await forge.move(from: old, to: new, in: site.repository)
    }
    #expect(try await move(first, second) == .advanced)
    #expect(try await move(second, second) == .advanced)

    try await site.forceTrunk(to: first)
    #expect(try await head() == first)
    #expect(try await move(second, first) == .rewound)
    #expect(try await land(candidate, expecting: second) == .moved(trunk: first))

    try await site.forceTrunk(to: second)
    try await site.rewriteTrunk()
    let rewritten = try await head()
    #expect(try await move(second, rewritten) == .rewritten)
    #expect(try await move(rewritten, second) == .rewritten)
    #expect(try await land(candidate, expecting: second) == .moved(trunk: rewritten))
    #expect(try await head() == rewritten)
  }

  func states() async throws {
    let (left, right) = (try name("left"), try name("lane/right"))
    let first = try await site.push(left)
    let second = try await site.push(right)
    func states(_ branches: [BranchName]) async throws -> [ChangeState] {
      try await forge.states(of: branches, in: site.repository)
    }
    let both = try await states([right, left, right])
    #expect(both.map(\.branch) == [right, left, right])
    #expect(both.map(\.head) == [second, first, second])
    #expect(both.allSatisfy { !$0.isClosed && !$0.isDraft })
    #expect(both[1].drift(from: first, for: site.trunk) == nil)
    #expect(try await states([]).isEmpty)

    let edited = try await site.push(left)
    #expect(
      try await forge.state(of: left, in: site.repository).drift(from: first, for: site.trunk) == .edited(to: edited))
    try await site.delete(right)
    let never = try (1...40).map { try name("never/\($0)") }
    let many = try await states([left] + never + [right])
    #expect(many.first?.head == edited)
    #expect(many.dropFirst().allSatisfy { $0.head == nil && $0.drift(from: second, for: site.trunk) == .gone })
    #expect(many.count == 42)
  }

  func paths() async throws {
    let base = try await head()
    let (left, right, third) = (try name("left"), try name("right"), try name("third"))
    let first = try await site.push(left)
    let second = try await site.push(right)
    func paths(_ base: CommitID, _ head: CommitID) async throws -> Set<String> {
      let found = try await forge.changedPaths(from: base, to: head, in: site.repository)
      #expect(found.isComplete && !found.paths.isEmpty && found.paths == found.paths.sorted())
      return Set(found.paths)
    }
    let touched = try await paths(base, first)
    #expect(touched.isDisjoint(with: try await paths(base, second)))
    let clashing = try await site.push(third, against: first)
    #expect(!touched.isDisjoint(with: try await paths(base, clashing)))

    let one = try await prepared(order(first, on: base, as: left)).commit
    let two = try await prepared(order(second, on: one, as: right, entry: 2)).commit
    #expect(try await paths(base, one) == touched)
    #expect(try await paths(one, two) == paths(base, second))
    #expect(try await paths(base, two) == touched.union(paths(base, second)))
    #expect(try await paths(one, second) == paths(base, second), "what the trunk got meanwhile is not the change's")
  }

  /// Lanes over pushes past the queue rest on this: what such a push changed, and nothing else.
  func pathsOfOthers() async throws {
    let before = try await head()
    try await site.pushToTrunk()
    let between = try await head()
    try await site.pushToTrunk()
    let after = try await head()
    func paths(_ old: CommitID, _ new: CommitID) async throws -> Set<String> {
      let found = try await forge.changedPaths(from: old, to: new, in: site.repository)
      #expect(found.isComplete)
      return Set(found.paths)
    }
    let (first, second) = (try await paths(before, between), try await paths(between, after))
    #expect(!first.isEmpty && !second.isEmpty)
    #expect(try await paths(before, after) == first.union(second))
    #expect(try await paths(after, after).isEmpty)
    #expect(try await site.restarted().changedPaths(from: before, to: after, in: site.repository).paths.count > 0)
    #expect(try await forge.move(from: before, to: after, in: site.repository) == .advanced)
  }

  func notes() async throws {
    let (left, right) = (try name("left"), try name("right"))
    let first = try await site.push(left)
    let second = try await site.push(right)
    func say(_ text: String, fence: Int64, on head: CommitID? = nil) async throws {
      let note = ChangeNote(
        branch: head == second ? right : left, head: head ?? first, text: text,
        at: Instant(milliseconds: 1_700_002_000_000 + fence), fence: Fence(fence))
      await cutShort { [forge, site] in try await forge.comment(note, in: site.repository) }
      try await forge.comment(note, in: site.repository)
    }
    func said(_ head: CommitID) async throws -> String { try await site.note(on: head) ?? "" }
    #expect(try await site.note(on: first) == nil)
    try await say("Waits for the check 'unit'.", fence: 7)
    #expect(try await said(first).contains("Waits for the check 'unit'."))
    try await say("Behind #3.\n# It is slow.", fence: 8, on: second)
    try await say("Waits for a slot.", fence: 9)
    #expect(try await said(first).contains("Waits for a slot."))
    #expect(try await !said(first).contains("unit"), "the latest alone")
    try await say("Waits for the check 'unit'.", fence: 7)
    #expect(try await said(first).contains("Waits for a slot."), "a late one changes nothing")
    #expect(try await said(second).contains("Behind #3.\n# It is slow."))
  }
}

extension Forge {
  /// By lookup: one branch as it is now.
  func state(of branch: BranchName, in repository: RepositoryName) async throws(Outage) -> ChangeState {
    let found = try await states(of: [branch], in: repository)
    guard let state = found.first else { throw Outage("forge", "nothing was said of branch '\(branch)'; try again") }
    return state
  }
}
