import Kernel
import MergeQueues

/// The real machine behind a line of thousands, in a world that answers at once: what each kind of turn costs.
///
/// No clock is read here; whoever measures times `take`. Each change that leaves is followed by another submission, so
/// that the line stays as long as it was.
package struct LongLine {
  package struct Setting: Sendable {
    package let entries: Int
    package let slots: Int
    package let lanes: Lanes
    package let needs: Needs
    package init(entries: Int, slots: Int, lanes: Lanes, needs: Needs = .nothing) {
      self.entries = entries
      self.slots = slots
      self.lanes = lanes
      self.needs = needs
    }
  }

  /// What an entry needs before it may be built.
  package enum Needs: String, Sendable, CaseIterable {
    case nothing
    /// An approval, two checks and a database's review; of ten entries nine lack one of them for ever. Notes are on.
    case all
  }

  package enum Lanes: String, Sendable, CaseIterable {
    /// `strict: true`: one line.
    case off
    /// By directories, of which each change touches two of a hundred.
    case known
    /// By directories, and nobody has looked at the paths yet: each change affects all others.
    case unknown
  }

  /// Kinds of turns, in the order in which a change meets them.
  package enum Kind: String, Sendable, CaseIterable {
    case submission, report, review, survey, plan, merge, runEnd, landing, tick, note
  }

  package private(set) var state: MergeQueue.State
  package let setting: Setting
  /// Members of the landings so far.
  package private(set) var landedChanges = 0
  private var submitted: Int
  private var missing = 0
  /// What is still said of entries that came.
  private var words: [(kind: Kind, input: MergeQueue.Input)] = []
  private var seconds = 1_000
  private var trees: [CommitID: [Int]] = [:]
  private var merges: UInt64 = 0

  /// O(entries).
  package init(_ setting: Setting) {
    self.setting = setting
    submitted = setting.entries
    state = MergeQueue.initial
    let start = Instant(milliseconds: 0)
    let trunk = SimulatedNames.commit(0)
    trees[trunk] = []
    var events: [MergeQueue.Event] = [
      .configured(Self.policy(setting)), .trunkMoved(from: nil, to: trunk, at: start),
    ]
    for id in 1...setting.entries {
      events.append(
        .submitted(
          MergeQueue.EntryFacts(
            id: id, branch: Self.branch(id), head: SimulatedNames.commit(UInt64(id)), author: "Ada",
            title: "Change \(id)",
            submittedAt: start, team: "team \(id % 7)")))
    }
    for event in events { MergeQueue.evolve(&state, event) }
    // Last ones first: each is then the last of those that are not known yet.
    if setting.lanes == .known {
      for id in (1...setting.entries).reversed() {
        MergeQueue.evolve(
          &state, .surveyed(entry: id, lanes: MergeQueues.Lanes(directories: Self.folders(id)), at: start))
      }
    }
    guard setting.needs == .all else { return }
    for id in 1...setting.entries {
      let said = Self.said(of: id)
      MergeQueue.evolve(
        &state, .reported(entry: id, approvals: said.approvals, checks: said.checks, at: start))
      if let review = said.review {
        MergeQueue.evolve(
          &state,
          .schemaReviewed(
            entry: id, head: SimulatedNames.commit(UInt64(id)), place: Self.database, verdict: review, at: start))
      }
    }
  }

  /// What happens next in the world, for `take`; nil when nothing is wanted, which would be a stall.
  package mutating func next() -> (kind: Kind, input: MergeQueue.Input)? {
    seconds += 1
    if setting.needs == .all, seconds % Self.tickEvery == 0 { return (.tick, .ticked) }
    if !words.isEmpty { return words.removeFirst() }
    if missing > 0 {
      missing -= 1
      submitted += 1
      if setting.needs == .all { words = Self.words(of: submitted) }
      return (.submission, .submit(submission(submitted)))
    }
    var running: (build: Int, run: Int, commit: CommitID, recipe: Int)?
    var oldest = now
    var merging: (CandidateOrder, Int)?
    for effect in MergeQueue.effects(of: state) {
      switch effect {
      case .plan(let order):
        return (.plan, .planned(Planner.plan(order.situation(at: now)), version: order.version))
      case .land(let build, let commit, _, _, _): return (.landing, .landed(build: build, commit: commit))
      case .survey(let entry, _, _, _):
        if setting.lanes == .unknown { continue }
        return (.survey, .surveyed(entry: entry, paths: ChangedPaths(bounding: Self.folders(entry).map { "\($0)/f" })))
      case .prepare(let order, let recipe): if merging == nil { merging = (order, recipe) }
      case .test(let build, let run, let commit, _, _, _, let recipe):
        // Runs take equally long: the one that began first ends first.
        let since = state.build(build)?.since ?? now
        if since < oldest {
          oldest = since
          running = (build, run, commit, recipe)
        }
      case .comment(let note, _): return (.note, .commented(note: note.number))
      case .watchTrunk, .watchChanges, .watchClock, .watchRunner, .trace: continue
      }
    }
    if let (order, recipe) = merging { return (.merge, merge(order, recipe: recipe)) }
    return running.map { (.runEnd, end($0)) }
  }

  /// One turn as the engine takes it: decided, folded into a copy, checked, and what is wanted derived.
  ///
  /// - Throws: `Refusal`, which would be a defect of this world.
  package mutating func take(_ input: MergeQueue.Input) throws(Refusal) -> [String] {
    let before = state
    let events = try MergeQueue.decide(input, in: before, TurnContext(now: now, chance: 0))
    for event in events { MergeQueue.evolve(&state, event) }
    let keys = MergeQueue.effects(of: state).map(\.key)
    let violations = MergeQueue.violations(in: state)
    landedChanges += events.count { if case .landed = $0 { true } else { false } }
    missing += max(before.entries.count - state.entries.count, 0)
    return violations + (keys.isEmpty ? ["nothing is wanted"] : [])
  }

  // MARK: The world

  private var now: Instant { Instant(milliseconds: Int64(seconds) * 1000) }

  private func submission(_ id: Int) -> MergeQueue.Submission {
    MergeQueue.Submission(
      branch: Self.branch(id), head: SimulatedNames.commit(UInt64(id)), author: "Ada", title: "Change \(id)")
  }

  private static let database = "production/orders"
  /// Turns, of a second each.
  private static let tickEvery = 10

  /// What is said of entry `id`: of ten entries one has all.
  private static func said(
    of id: Int
  ) -> (approvals: [String], checks: [CheckResult], review: SchemaReview?) {
    func check(_ name: String, _ state: CheckResult.State) -> CheckResult {
      CheckResult(name: name, state: state, commit: SimulatedNames.commit(UInt64(id)), reporter: "ci")
    }
    let lint: CheckResult.State = id % 10 == 4 ? .pending : id % 10 == 5 ? .failed : .passed
    let review = SchemaReview(fit: .compatible, passes: true, why: "", report: nil)
    return (
      (1...3).contains(id % 10) ? [] : ["Grace"], [check("unit", .passed), check("lint", lint)],
      id % 10 > 5 ? nil : review
    )
  }

  private static func words(of id: Int) -> [(kind: Kind, input: MergeQueue.Input)] {
    let said = said(of: id)
    let review = said.review.map { review in
      let head = SimulatedNames.commit(UInt64(id))
      return (Kind.review, MergeQueue.Input.schemaReviewed(entry: id, head: head, place: database, verdict: review))
    }
    return said.approvals.map { (.report, .report(entry: id, .approved(by: $0))) }
      + said.checks.map { (.report, .report(entry: id, .checked($0, tree: nil))) } + (review.map { [$0] } ?? [])
  }

  /// Trees are the sets of what was merged, in any order.
  private mutating func merge(_ order: CandidateOrder, recipe: Int) -> MergeQueue.Input {
    let members = ((trees[order.base] ?? []) + [order.entry]).sorted()
    merges += 1
    let commit = SimulatedNames.commit(Self.mergeNumbers + merges)
    trees[commit] = members
    // FNV-1a, 64 bits.
    var digest: UInt64 = 14_695_981_039_346_656_037
    for member in members { digest = (digest ^ UInt64(member)) &* 1_099_511_628_211 }
    let outcome = CandidateOutcome.prepared(commit: commit, tree: SimulatedNames.tree(digest))
    return .prepared(entry: order.entry, base: order.base, outcome: outcome, recipe: recipe)
  }

  /// One change in twelve is bad, and its runs are red; there are no flakes.
  private func end(_ run: (build: Int, run: Int, commit: CommitID, recipe: Int)) -> MergeQueue.Input {
    let isRed = (trees[run.commit] ?? []).contains { $0 % 12 == 7 && state.entries.contains($0) }
    return .tested(
      build: run.build, run: run.run, commit: run.commit,
      report: MergeQueue.TestReport(
        end: .exited(code: isRed ? 1 : 0), log: SimulatedNames.digest(1), summary: "",
        startedAt: Instant(milliseconds: now.milliseconds - 600_000), endedAt: now,
        recipe: run.recipe))
  }

  private static let mergeNumbers: UInt64 = 1 << 32

  private static func branch(_ id: Int) -> BranchName { SimulatedNames.name("change-\(id)") }

  /// Two of a hundred.
  private static func folders(_ id: Int) -> [String] { [id * 7 % 100, id * 31 % 100].map { "area/\($0)" } }

  private static func policy(_ setting: Setting) -> MergeQueue.Policy {
    MergeQueue.Policy(
      repository: SimulatedNames.name("harbor"), trunk: SimulatedNames.name("main"), slots: setting.slots,
      method: .mergeCommit, messageTemplate: "{title}", command: "make test", timeLimit: .minutes(60),
      capacity: MergeQueue.capacityLimit, strict: setting.lanes == .off,
      lanes: setting.lanes == .off ? .oneLane : LaneRules(division: .directories(depth: 2)),
      requirements: setting.needs == .nothing
        ? .none : MergeQueue.Policy.Requirements(approvals: 1, checks: ["lint", "unit"], schemas: [database]),
      notes: setting.needs == .all)
  }
}
