import Kernel

extension MergeQueue {
  package static func violations(in state: State) -> [String] {
    landingViolations(in: state) + chainViolations(in: state) + lineViolations(in: state)
      + effectViolations(in: state)
  }

  /// The promise: the trunk advances only to a commit whose test passed, exactly so, on the trunk as it was.
  private static func landingViolations(in state: State) -> [String] {
    guard let proof = state.proof else { return [] }
    guard let tested = proof.tested, tested.commit == proof.landed else {
      return ["the trunk advanced to \(proof.landed.short), whose test had not passed"]
    }
    return tested.base == proof.previousTrunk
      ? [] : ["\(proof.landed.short) landed on \(proof.previousTrunk.short), but was tested on \(tested.base.short)"]
  }

  private static func chainViolations(in state: State) -> [String] {
    var found: [String] = []
    var queued: [Int] = []
    var live: [Int] = []
    for (entry, base) in zip(state.entries, state.bases) {
      // Apart from `bases`: what was assumed, without those that have landed, are all live entries ahead.
      if let assumed = entry.assumed?.filter(queued.contains), assumed != live {
        found.append("#\(entry.id) assumes [\(list(assumed))] ahead of it, but alive are [\(list(live))]")
      }
      if let own = entry.base, own != base {
        found.append("#\(entry.id) stands on \(own.short), not on \(base?.short ?? "a candidate still to be made")")
      }
      if !entry.isLive, live.isEmpty {
        found.append("#\(entry.id) failed on the trunk itself and is still queued")
      }
      queued.append(entry.id)
      if entry.isLive { live.append(entry.id) }
    }
    return found
  }

  private static func lineViolations(in state: State) -> [String] {
    var found: [String] = []
    for (entry, next) in zip(state.entries, state.entries.dropFirst()) where entry.id >= next.id {
      found.append("#\(next.id) stands behind #\(entry.id): ids do not rise")
    }
    if let last = state.entries.last, last.id >= state.nextEntry {
      found.append("the next entry would be #\(state.nextEntry), but #\(last.id) exists")
    }
    let branches = state.entries.map(\.facts.branch).sorted()
    for (branch, next) in zip(branches, branches.dropFirst()) where branch == next {
      found.append("\(branch) is queued twice")
    }
    if state.finished.count > historyLimit { found.append("the history holds \(state.finished.count) entries") }
    return found
  }

  private static func effectViolations(in state: State) -> [String] {
    var found: [String] = []
    let wanted = effects(of: state)
    let keys = wanted.map(\.key).sorted()
    for (key, next) in zip(keys, keys.dropFirst()) where key == next { found.append("\(key) is wanted twice") }
    var tests = 0
    for effect in wanted {
      switch effect {
      case .watchTrunk, .prepare: continue
      case .test: tests += 1
      case .land(let entry, _, _, _, let expecting):
        if entry != state.entries.first?.id { found.append("#\(entry) would land, but is not the head") }
        if expecting != state.trunk { found.append("#\(entry) would land on \(expecting.short), not the trunk") }
      }
    }
    let slots = state.policy?.slots ?? 0
    if tests > slots { found.append("\(tests) tests are wanted in \(slots) slots") }
    if case .retired = state.phase, !state.entries.isEmpty {
      found.append("the queue is retired and \(state.entries.count) entries wait in it")
    }
    for trouble in state.troubles where !keys.contains(trouble.key) {
      found.append("\(trouble.key) is in trouble, but not wanted")
    }
    return found
  }
}
