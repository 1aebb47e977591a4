import Kernel

extension MergeQueue {
  /// What the queue is doing and why each entry waits, for pages and the command line. A pure view of the state.
  package struct Explanation: Codable, Equatable, Sendable {
    /// One sentence about the whole queue.
    package let headline: String
    /// In order of the line.
    package let entries: [Line]
    /// Worthiest first, those that wait after those that run; without those that are evidence only.
    package let builds: [BuildLine]
    /// One sentence per trouble.
    package let troubles: [String]

    package struct Line: Codable, Equatable, Sendable {
      package let entry: Int
      package let branch: BranchName
      package let author: String
      package let title: String
      /// 1 for the head.
      package let place: Int
      package let activity: Activity
      /// When its activity began.
      package let since: Instant
      /// One sentence: why it is still in the queue.
      package let reason: String
      /// Builds that it is a member of, the most advanced first.
      package let builds: [Int]
      package let priority: Priority
      /// The first member of its stack; nil when it stands alone.
      package let stack: Int?
    }

    package struct BuildLine: Codable, Equatable, Sendable {
      package let build: Int
      package let members: [Int]
      package let purpose: Plan.Purpose
      /// The probability that its outcome is needed, 0 to 1.
      package let worth: Double
      /// `merging`, `awaitingSlot`, `testing`, `passed`, `landing` or `undecided` (it failed, or does not merge).
      package let activity: Activity
      package let since: Instant
      /// Red runs of it so far.
      package let redRuns: Int
      /// One sentence: what it assumes of those ahead.
      package let assumes: String
    }

    /// What happens to an entry now.
    package enum Activity: String, Codable, Sendable, CaseIterable {
      /// It lacks an approval or a check.
      case missing
      /// The queue is paused or frozen.
      case held
      /// No build of it is worth a slot yet.
      case waiting
      /// It is being merged.
      case merging
      /// Its build waits for a slot.
      case awaitingSlot
      case testing
      /// Its test passed; those ahead have to land first.
      case passed
      case landing
      /// It failed together with others, or does not merge onto those ahead; their outcome decides.
      case undecided
    }
  }

  /// O(entries + builds · members).
  package static func explanation(of state: State) -> Explanation {
    let view = View(of: state)
    let lines = state.entries.enumerated().map { index, entry in
      let activity = view.activity(of: entry)
      return Explanation.Line(
        entry: entry.id, branch: entry.facts.branch, author: entry.facts.author, title: entry.facts.title,
        place: index + 1, activity: activity, since: view.since(entry, activity),
        reason: view.reason(entry, activity), builds: view.builds(of: entry.id), priority: entry.priority,
        stack: state.entries.isStacked(entry.id) ? entry.unit : nil)
    }
    let troubles = state.troubles.map { trouble in
      "\(trouble.entry.map { "#\($0)" } ?? words(for: trouble.key)) is held up by the world: \(trouble.why)."
    }
    return Explanation(
      headline: view.headline(lines), entries: lines, builds: view.buildLines(), troubles: troubles)
  }

  /// Why the entry is still in the queue, in one sentence; nil when it is not in it. O(builds · members).
  package static func waitReason(of id: Int, in state: State) -> String? {
    state.entry(id).map { WaitReasons(in: state).reason(of: $0) }
  }

  /// Why entries are still in the queue, for those who ask of several.
  struct WaitReasons {
    private let view: View
    /// O(builds · members).
    init(in state: State) { view = View(of: state) }
    func reason(of entry: Entry) -> String { view.reason(entry, view.activity(of: entry)) }
  }

  /// What the entry lacks before it may be built, a clause each; empty when it may be.
  package static func lacks(of entry: Entry, in state: State, at now: Instant) -> [String] {
    state.missing(entry, at: now).compactMap { lack in
      switch lack {
      case .approvals(let count): "\(count) more \(count == 1 ? "person" : "people") must approve of it"
      case .check(let name, let standing): standing.sentence(of: name, at: entry.facts.head)
      case .schema(let place, nil): "the review of its migrations by \(place) has not come yet"
      case .schema(let place, let review?): "its migrations \(review.words(at: place))"
      case .predecessor(let parent): "#\(parent), on which it stands, may not be built"
      case .frozen(let reason, _): "the queue is frozen: \(reason)"
      }
    }
  }

  static func words(for key: EffectKey) -> String {
    if key == Effect.watchKey { return "The watch on the trunk" }
    if key.text.hasPrefix("plan/") { return "The planning of builds" }
    return "The watch on the changes in line"
  }

  static func words(for activity: Explanation.Activity) -> String {
    switch activity {
    case .missing: "missing something"
    case .held: "held"
    case .waiting: "waiting"
    case .merging: "merging"
    case .awaitingSlot: "waiting for a slot"
    case .testing: "testing"
    case .passed: "passed"
    case .landing: "landing"
    case .undecided: "undecided"
    }
  }
}

/// The state, with its builds by entry.
private struct View {
  let state: MergeQueue.State
  /// Taken out of the state once, not for each entry.
  private let policy: MergeQueue.Policy?
  private let landing: Set<Int>
  /// The most advanced first.
  private let ranked: [MergeQueue.Build]
  /// Places among `ranked`.
  private var byEntry: [Int: [Int]] = [:]
  /// Last time that something happened: a view has no clock.
  private let now: Instant

  init(of state: MergeQueue.State) {
    self.state = state
    policy = state.policy
    landing = Set(state.push?.members ?? [])
    ranked = state.builds.enumerated().sorted { left, right in
      (-Self.rank(left.element), left.offset) < (-Self.rank(right.element), right.offset)
    }.map(\.element)
    for (place, build) in ranked.enumerated() where !build.isPast {
      for member in build.members { byEntry[member, default: []].append(place) }
    }
    now = state.freeze?.since ?? Instant(milliseconds: 0)
  }

  /// The most advanced first.
  func builds(of entry: Int) -> [Int] { byEntry[entry]?.map { ranked[$0].id } ?? [] }

  private func best(of entry: Int) -> MergeQueue.Build? { byEntry[entry]?.first.map { ranked[$0] } }

  private func missing(_ entry: MergeQueue.Entry) -> [MergeQueue.Requirement] {
    policy.map { state.missing(entry, $0.requirements) } ?? []
  }

  private static func rank(_ build: MergeQueue.Build) -> Int {
    switch build.phase {
    case .passed: 5
    case .running: 4
    case .waiting: build.isAssembled ? 3 : 2
    case .failed: 1
    case .stuck: 0
    }
  }

  // MARK: Activities

  func activity(of build: MergeQueue.Build) -> MergeQueue.Explanation.Activity {
    if state.push?.build == build.id { return .landing }
    switch build.phase {
    case .passed: return build.isAssembled ? .passed : .merging
    case .running: return .testing
    case .waiting: return build.isAssembled ? .awaitingSlot : .merging
    case .failed, .stuck: return .undecided
    }
  }

  func activity(of entry: MergeQueue.Entry) -> MergeQueue.Explanation.Activity {
    if landing.contains(entry.id) { return .landing }
    if let lack = missing(entry).first {
      if case .frozen = lack { return .held }
      return .missing
    }
    if state.clashes.contains(where: { $0.entry == entry.id }) { return .undecided }
    if let best = best(of: entry.id), !best.isStuck { return activity(of: best) }
    return state.isPaused ? .held : .waiting
  }

  func since(_ entry: MergeQueue.Entry, _ activity: MergeQueue.Explanation.Activity) -> Instant {
    switch activity {
    case .landing: state.push?.since ?? entry.facts.submittedAt
    case .held: state.freeze?.since ?? state.hold?.since ?? entry.facts.submittedAt
    case .missing, .waiting: entry.facts.submittedAt
    case .merging, .awaitingSlot, .testing, .passed, .undecided:
      state.clashes.first { $0.entry == entry.id }?.at ?? best(of: entry.id)?.since ?? entry.facts.submittedAt
    }
  }

  // MARK: Sentences

  func headline(_ lines: [MergeQueue.Explanation.Line]) -> String {
    switch state.phase {
    case .unconfigured: return "The queue is not configured."
    case .awaitingTrunk(let policy): return "The queue waits to see \(policy.trunk) for the first time."
    case .retired(let policy):
      return "The queue is closed: plimsoll.yaml no longer names \(policy.trunk) of \(policy.repository)."
    case .open(let policy, let trunk):
      let held = hold.map { " \($0)" } ?? ""
      guard !lines.isEmpty else { return "The queue is empty; \(policy.trunk) is at \(trunk.short).\(held)" }
      var tally: [MergeQueue.Explanation.Activity: Int] = [:]
      for line in lines { tally[line.activity, default: 0] += 1 }
      let counts = MergeQueue.Explanation.Activity.allCases.reversed().compactMap { activity in
        tally[activity].map { "\($0) \(MergeQueue.words(for: activity))" }
      }
      let noun = lines.count == 1 ? "entry" : "entries"
      return "\(lines.count) \(noun) for \(policy.trunk) at \(trunk.short): \(counts.joined(separator: ", ")).\(held)"
    }
  }

  private var hold: String? {
    if let freeze = state.freeze {
      return "It is frozen: \(freeze.reason)\(freeze.sparesHotfixes ? "; hotfixes land" : "")."
    }
    guard let hold = state.hold else { return nil }
    switch hold.kind {
    case .paused: return "It is paused by \(hold.by): \(hold.reason)."
    case .draining: return "It is drained by \(hold.by) and takes nothing new: \(hold.reason)."
    }
  }

  func reason(_ entry: MergeQueue.Entry, _ activity: MergeQueue.Explanation.Activity) -> String {
    if let trouble = state.troubles.first(where: { $0.entry == entry.id || $0.entry == nil }) {
      return "The world keeps failing, and it is tried again: \(trouble.why)."
    }
    guard let policy, let trunk = state.trunk else { return "The trunk has not been seen yet." }
    if activity == .missing { return lacks(entry) }
    let best = best(of: entry.id)
    let base = best.map { ahead(of: entry.id, in: $0) } ?? []
    let place = best?.isOutdated == true ? "an older \(policy.trunk)" : "\(policy.trunk) at \(trunk.short)"
    let company = base.isEmpty ? place : MergeQueue.list(base)
    let companions = best.map { $0.members.drop { $0 != entry.id }.dropFirst() } ?? []
    let together = companions.isEmpty ? "" : ", together with \(MergeQueue.list(Array(companions)))"
    let pause = together.isEmpty ? "" : ","
    switch activity {
    case .missing: return lacks(entry)
    case .held: return hold ?? "It is held."
    case .waiting: return waiting(entry, policy)
    case .merging: return "It is being merged onto \(company)\(together)."
    case .awaitingSlot: return "Its build on \(company)\(together)\(pause) waits for one of \(policy.slots) test slots."
    case .testing: return "Its build on \(company)\(together)\(pause) is being tested\(again(best))."
    case .passed:
      return base.isEmpty
        ? "Its test passed on top of \(company)\(together); what is ahead in line is still being decided."
        : "Its test passed on top of \(company)\(together); it lands when they have."
    case .landing: return "Its test passed; it is being pushed to \(policy.trunk)."
    case .undecided: return undecided(entry, best)
    }
  }

  private func again(_ build: MergeQueue.Build?) -> String {
    guard let build, build.redRuns > 0 else { return "" }
    return " again, because it was red: a change is sent away only when that is no accident"
  }

  private func lacks(_ entry: MergeQueue.Entry) -> String {
    "It may not be built yet: \(MergeQueue.lacks(of: entry, in: state, at: now).joined(separator: "; "))."
  }

  private func waiting(_ entry: MergeQueue.Entry, _ policy: MergeQueue.Policy) -> String {
    if let hold = state.hold, hold.kind == .paused { return "The queue is paused by \(hold.by): \(hold.reason)." }
    for member in state.entries.unit(of: entry.id) where member.id != entry.id {
      if !missing(member).isEmpty {
        return "It waits for #\(member.id) of its stack, which lacks something."
      }
      if state.clashes.contains(where: { $0.entry == member.id }) {
        return "It waits for #\(member.id) of its stack, which does not merge onto those ahead."
      }
    }
    if state.wantsPlan { return "It waits for the next plan of builds." }
    return "It waits until a build of it is worth one of \(policy.slots) test slots."
  }

  private func undecided(_ entry: MergeQueue.Entry, _ best: MergeQueue.Build?) -> String {
    if let clash = state.clashes.first(where: { $0.entry == entry.id }) {
      let what =
        switch clash.kind {
        case .conflict: "It does not merge"
        case .containment: "Nothing of it is left to land"
        }
      return "\(what) together with \(MergeQueue.list(clash.onto)); if they land it is ejected, else it is built anew."
    }
    guard let run = best?.runs.last, let best else { return "What its builds say is not decided yet." }
    let others = best.members.filter { $0 != entry.id }
    let together = others.isEmpty ? "" : " together with \(MergeQueue.list(others))"
    return "Its test \(run.reason)\(together); who of them is to blame is being found out."
  }

  private func ahead(of entry: Int, in build: MergeQueue.Build) -> [Int] { Array(build.members.prefix { $0 != entry }) }

  // MARK: Builds

  func buildLines() -> [MergeQueue.Explanation.BuildLine] {
    let shown = state.builds.filter { !$0.hasFailed && !$0.isStuck && !$0.isPast || state.push?.build == $0.id }
    let byLane = shown.isEmpty ? LaneIndex() : LaneIndex(state.entries.map { $0.lanes ?? .all(.pathsIncomplete) })
    return shown.enumerated().sorted { left, right in
      (-Self.rank(left.element), left.offset) < (-Self.rank(right.element), right.offset)
    }.map { _, build in
      MergeQueue.Explanation.BuildLine(
        build: build.id, members: build.members, purpose: build.purpose, worth: build.worth,
        activity: activity(of: build), since: build.since, redRuns: build.redRuns,
        assumes: assumptions(of: build, byLane))
    }
  }

  /// - Parameter byLane: the whole line by places.
  private func assumptions(of build: MergeQueue.Build, _ byLane: LaneIndex) -> String {
    guard let last = build.members.last, let policy, let end = state.entries.place(of: last) else { return "" }
    let without = withoutThose(build, through: end, byLane)
    if build.isOutdated {
      return "It stands on an older \(policy.trunk): it tells of \(named(build.members)), and another build lands them."
    }
    let base = "It stands on \(policy.trunk)"
    let landing = build.members.count == 1 ? "" : " and holds \(named(build.members))"
    guard !without.isEmpty else { return "\(base)\(landing): nothing is assumed of others." }
    let left = without.count > Self.namedLimit ? "\(without.count) entries ahead" : MergeQueue.list(without)
    return build.purpose == .bypass
      ? "\(base)\(landing), passing \(left)." : "\(base)\(landing), assuming that \(left) will not have landed."
  }

  /// Numbers that a sentence can hold.
  private static let namedLimit = 5

  private func named(_ members: [Int]) -> String {
    guard members.count > Self.namedLimit, let first = members.first, let last = members.last else {
      return MergeQueue.list(members)
    }
    return "\(members.count) entries, from #\(first) to #\(last)"
  }

  /// Those in line through that place that the build leaves out, and that can affect it. O(place + those found).
  private func withoutThose(_ build: MergeQueue.Build, through end: Int, _ byLane: LaneIndex) -> [Int] {
    var affects = Array(repeating: false, count: end + 1)
    // Whoever affects all is affected by all: who comes after tells nothing more.
    let lanes = build.members.map { state.entries[id: $0]?.lanes ?? .all(.pathsIncomplete) }
    let all = lanes.first { if case .all = $0 { true } else { false } }
    for one in all.map({ [$0] }) ?? lanes { byLane.eachAffecting(one) { if $0 <= end { affects[$0] = true } } }
    for member in build.members {
      if let place = state.entries.place(of: member), place <= end { affects[place] = false }
    }
    return affects.indices.filter { affects[$0] }.map { state.entries.glance(at: $0).id }
  }
}
