import Kernel

/// Each entry's book of waiting, kept by `evolve`: every event that changes what an entry waits for closes an interval,
/// so the parts always sum to the time since it was submitted.
extension MergeQueue.State {
  /// Who may wait for something else after `event`: the members of builds, whom it names, or all.
  ///
  /// Taken before and after the event, so that members of a build that it drops are among them. O(builds · members),
  /// O(entries) for what holds the whole line.
  func waitersTouched(by event: MergeQueue.Event) -> Set<Int> {
    switch event {
    case .held, .resumed, .frozen, .thawed, .retired: return Set(entries.map(\.id))
    case .trunkMoved(nil, _, _): return Set(entries.map(\.id))
    case .configured, .recalled, .recovered, .testPassed, .testFailed, .candidateDropped, .treePassed, .surveyed,
      .targetsReported, .overdue:
      return []
    case .submitted(let facts): return [facts.id]
    case .reported(let entry, _, _, _): return [entry]
    case .troubled(let entry, _, _, _): return Set(entry.map { [$0] } ?? [])
    case .trunkMoved, .withdrawn, .prepared, .conflicted, .contained, .landed, .ejected, .planned, .runBegan, .runEnded,
      .runStopped, .recognised, .buildDropped, .buildCarried, .landingBegan, .flakeFound, .stackLoosened:
      var touched = Set(clashes.map(\.entry))
      for build in builds { touched.formUnion(build.members) }
      if let push { touched.formUnion(push.members) }
      for trouble in troubles { if let entry = trouble.entry { touched.insert(entry) } }
      return touched
    }
  }

  mutating func turnWaits(of touched: Set<Int>, after event: MergeQueue.Event) {
    guard let at = event.at, !touched.isEmpty else { return }
    let isReset = if case .trunkMoved(.some, _, _) = event { true } else { false }
    let causes = waitCauses(of: touched, at: at)
    for (id, (cause, detail)) in causes {
      entries.change(id) { entry in
        if isReset { entry.waits.reset(at: at) }
        entry.waits.turn(to: cause, detail: detail, at: at)
      }
    }
  }

  /// O(touched + builds · members), sorted by entry.
  private func waitCauses(of touched: Set<Int>, at now: Instant) -> [(Int, (WaitCause, String?))] {
    var best: [Int: MergeQueue.Build] = [:]
    for build in builds {
      for member in build.members where touched.contains(member) {
        if let known = best[member], known.progress >= build.progress { continue }
        best[member] = build
      }
    }
    return touched.sorted().compactMap { id in
      entries[id: id].map { (id, waitCause(of: $0, best[id], at: now)) }
    }
  }

  private func waitCause(
    of entry: MergeQueue.Entry, _ build: MergeQueue.Build?, at now: Instant
  ) -> (WaitCause, String?) {
    if troubles.contains(where: { $0.entry == entry.id }) { return (.outage, nil) }
    if MergeQueue.isLanding(entry.id, in: self) { return (.landing, nil) }
    switch missing(entry, at: now).first {
    case .approvals?: return (.missingApproval, nil)
    case .check(let name, _)?: return (.missingCheck, name)
    case .predecessor?: return (.behindPredecessor, nil)
    case .frozen(let reason, _)?: return (.frozen, reason)
    case nil: break
    }
    if clashes.contains(where: { $0.entry == entry.id }) { return (.behindPredecessor, nil) }
    if let build, build.isRunning { return (build.workCause, nil) }
    if isPaused { return (.paused, hold?.reason) }
    guard let build else { return (.waitingForSlot, nil) }
    switch build.phase {
    case .running: return (build.workCause, nil)
    case .passed: return (.behindPredecessor, nil)
    case .waiting: return (build.isAssembled ? .waitingForSlot : .merging, nil)
    // Red, and another build or run is to say who is to blame.
    case .failed, .stuck: return (build.members.count > 1 ? .bisecting : .retrying, nil)
    }
  }
}

extension MergeQueue.Build {
  /// How far it is, for the one of several builds of an entry that says what the entry waits for.
  fileprivate var progress: Int {
    switch phase {
    case .passed: 4
    case .running: 3
    case .waiting: isAssembled ? 2 : 1
    case .failed, .stuck: 0
    }
  }

  fileprivate var workCause: WaitCause {
    if redRuns > 0 || purpose == .retry { return .retrying }
    return purpose == .search ? .bisecting : .runningCI
  }
}

extension MergeQueue.Event {
  /// When it happened; nil for what has no time of its own.
  var at: Instant? {
    switch self {
    case .configured: nil
    case .trunkMoved(_, _, let at), .withdrawn(_, _, let at), .prepared(_, _, _, _, _, let at),
      .conflicted(_, _, _, _, _, let at), .contained(_, _, _, let at), .candidateDropped(_, _, _, let at),
      .troubled(_, _, _, let at), .recovered(_, let at), .retired(let at), .recalled(_, _, let at),
      .runBegan(_, _, _, let at), .runStopped(_, _, _, let at), .recognised(_, _, let at), .buildDropped(_, _, let at),
      .buildCarried(_, _, _, let at), .landingBegan(_, _, _, _, let at), .stackLoosened(_, _, let at),
      .reported(_, _, _, let at), .surveyed(_, _, let at), .targetsReported(_, _, let at), .resumed(_, _, let at),
      .thawed(let at), .overdue(_, _, let at), .runEnded(_, _, let at):
      at
    case .submitted(let facts): facts.submittedAt
    case .testPassed(_, _, _, _, let endedAt), .testFailed(_, _, _, _, _, _, let endedAt): endedAt
    case .landed(let landing): landing.at
    case .ejected(let ejection): ejection.at
    case .planned(let planned): planned.at
    case .flakeFound(let flake): flake.at
    case .treePassed(let passed): passed.at
    case .held(let hold): hold.since
    case .frozen(let freeze): freeze.since
    }
  }
}
