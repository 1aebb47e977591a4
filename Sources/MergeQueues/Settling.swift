import Kernel

/// What must follow from a state at once: verdicts that stand eject, candidates on a base that is no longer the right
/// one are dropped. Every decision ends by settling, so the rules of a chain are written once.
extension MergeQueue {
  /// `causes` and all that follows from them. Ends, because each consequence removes an entry or a candidate;
  /// O(entries²) when all of them fall.
  static func settled(_ causes: [Event], in state: State, because: DropCause, at now: Instant) -> [Event] {
    var events = causes
    var next = state
    for event in causes { evolve(&next, event) }
    var because = because
    while let consequence = consequence(in: next, because: because, at: now) {
      if case .ejected(let ejection) = consequence { because = .culprit(ejection.entry) }
      evolve(&next, consequence)
      events.append(consequence)
    }
    return events
  }

  private static func consequence(in state: State, because: DropCause, at now: Instant) -> Event? {
    guard case .open(let policy, _) = state.phase else { return nil }
    var assumesOthers = false
    for (entry, base) in zip(state.entries, state.bases) {
      if let own = entry.base, own != base {
        return .candidateDropped(entry: entry.id, commit: entry.candidate?.commit, because: because, at: now)
      }
      // Nothing is assumed any more: all entries that its base held have landed, so its verdict is its own.
      if !assumesOthers, let ejection = entry.ejection(from: policy.trunk, at: now) { return .ejected(ejection) }
      if entry.isLive { assumesOthers = true }
    }
    return nil
  }
}
