import Kernel

extension MergeQueue {
  /// What the queue is doing and why each entry waits, for pages and the command line. A pure view of the state.
  package struct Explanation: Codable, Equatable, Sendable {
    /// One sentence about the whole queue.
    package let headline: String
    /// In order of the line.
    package let entries: [Line]
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
      /// When its phase began.
      package let since: Instant
      /// One sentence: why it is still in the queue.
      package let reason: String
      package init(
        entry: Int, branch: BranchName, author: String, title: String, place: Int, activity: Activity,
        since: Instant, reason: String
      ) {
        self.entry = entry
        self.branch = branch
        self.author = author
        self.title = title
        self.place = place
        self.activity = activity
        self.since = since
        self.reason = reason
      }
    }

    /// What happens to an entry now.
    package enum Activity: String, Codable, Sendable, CaseIterable {
      /// Its base is not made yet, or it is too far behind.
      case waiting
      /// Its candidate is being made.
      case merging
      /// Its candidate waits for a slot.
      case awaitingSlot
      case testing
      /// Its test passed; those ahead have to land first.
      case passed
      case landing
      /// It failed on a speculative base; the outcome of those ahead decides.
      case undecided
    }

    package init(headline: String, entries: [Line], troubles: [String]) {
      self.headline = headline
      self.entries = entries
      self.troubles = troubles
    }
  }

  package static func explanation(of state: State) -> Explanation {
    let effects = effects(of: state)
    let lines = zip(state.entries, state.entries.indices).map { entry, index in
      Explanation.Line(
        entry: entry.id, branch: entry.facts.branch, author: entry.facts.author, title: entry.facts.title,
        place: index + 1, activity: activity(of: entry, among: effects), since: entry.since,
        reason: reason(for: entry, among: effects, in: state))
    }
    let troubles = state.troubles.map { trouble in
      "\(trouble.entry.map { "#\($0)" } ?? "The watch on the trunk") is held up by the world: \(trouble.why)."
    }
    return Explanation(headline: headline(of: state, lines), entries: lines, troubles: troubles)
  }

  /// Why the entry is still in the queue, in one sentence; nil when it is not in it. O(entries).
  package static func waitReason(of id: Int, in state: State) -> String? {
    state.entry(id).map { reason(for: $0, among: effects(of: state), in: state) }
  }

  private static func headline(of state: State, _ lines: [Explanation.Line]) -> String {
    switch state.phase {
    case .unconfigured: return "The queue is not configured."
    case .awaitingTrunk(let policy): return "The queue waits to see \(policy.trunk) for the first time."
    case .retired(let policy):
      return "The queue is closed: plimsoll.yaml no longer names \(policy.trunk) of \(policy.repository)."
    case .open(let policy, let trunk):
      guard !lines.isEmpty else { return "The queue is empty; \(policy.trunk) is at \(trunk.short)." }
      let counts = Explanation.Activity.allCases.reversed().compactMap { activity -> String? in
        let count = lines.count { $0.activity == activity }
        return count == 0 ? nil : "\(count) \(words(for: activity))"
      }
      let noun = lines.count == 1 ? "entry" : "entries"
      return "\(lines.count) \(noun) for \(policy.trunk) at \(trunk.short): \(counts.joined(separator: ", "))."
    }
  }

  private static func words(for activity: Explanation.Activity) -> String {
    switch activity {
    case .waiting: "waiting"
    case .merging: "merging"
    case .awaitingSlot: "waiting for a slot"
    case .testing: "testing"
    case .passed: "passed"
    case .landing: "landing"
    case .undecided: "undecided"
    }
  }

  private static func activity(of entry: Entry, among effects: [Effect]) -> Explanation.Activity {
    for effect in effects where effect.entry == entry.id {
      switch effect {
      case .watchTrunk: continue
      case .prepare: return .merging
      case .test: return .testing
      case .land: return .landing
      }
    }
    switch entry.phase {
    case .queued: return .waiting
    case .prepared: return .awaitingSlot
    case .passed: return .passed
    case .failed, .conflicted, .contained: return .undecided
    }
  }

  private static func reason(for entry: Entry, among effects: [Effect], in state: State) -> String {
    if let trouble = state.troubles.first(where: { $0.entry == entry.id || $0.entry == nil }) {
      return "The world keeps failing, and it is tried again: \(trouble.why)."
    }
    guard let policy = state.policy, let trunk = state.trunk else { return "The trunk has not been seen yet." }
    let ahead = state.entries.prefix { $0.id != entry.id }.filter(\.isLive).map(\.id)
    let base = ahead.isEmpty ? "\(policy.trunk) at \(trunk.short)" : list(ahead)
    switch activity(of: entry, among: effects) {
    case .waiting:
      let unmade = state.entries.prefix { $0.id != entry.id }.first { $0.isLive && $0.candidate == nil }
      return unmade.map { "It waits for the candidate of #\($0.id) to stand on." }
        ?? "It waits for a place among the next \(policy.slots + lookahead) to be tested."
    case .merging: return "It is being merged onto \(base)."
    case .awaitingSlot: return "Its candidate on \(base) waits for one of \(policy.slots) test slots."
    case .testing: return "Its candidate on \(base) is being tested."
    case .passed: return "Its test passed on top of \(base); it lands when they have."
    case .landing: return "Its test passed; it is being pushed to \(policy.trunk)."
    case .undecided: return undecided(entry, ahead)
    }
  }

  private static func undecided(_ entry: Entry, _ ahead: [Int]) -> String {
    let outcome: String
    switch entry.phase {
    case .conflicted: outcome = "It does not merge"
    case .contained: outcome = "Nothing of it is left to land"
    case .failed(let failed): outcome = "Its test \(failed.reason)"
    // Live entries are never undecided; said plainly rather than trapped, because this is only a view.
    case .queued, .prepared, .passed: outcome = "It waits"
    }
    let together = ahead.isEmpty ? "" : " together with \(list(ahead)); if they land it is ejected, else it is rebuilt"
    return "\(outcome)\(together)."
  }
}
