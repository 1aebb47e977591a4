import Kernel

/// Each entry's book of waiting, kept by `evolve`: every event that changes what an entry waits for closes an interval,
/// so the parts always sum to the time since it was submitted.
extension MergeQueue.State {
  /// Who may wait for something else after `event`: the members of builds that it changes, whom it names, or all.
  ///
  /// Taken before and after the event, so that members of a build that it drops are among them. O(members of those
  /// builds), O(builds · members) where all builds change, O(entries) for what holds the whole line.
  func waitersTouched(by event: MergeQueue.Event) -> EntrySet {
    var touched = EntrySet()
    // A trouble ends with the want behind it, whatever the event.
    for trouble in troubles { if let entry = trouble.entry { touched.insert(entry) } }
    switch event {
    case .held, .resumed, .frozen, .thawed, .retired, .trunkMoved(nil, _, _):
      entries.scan { _, glance in
        touched.insert(glance.id)
        return true
      }
    case .configured, .recalled, .recovered, .testPassed, .testFailed, .candidateDropped, .treePassed, .surveyed,
      .targetsReported, .overdue, .flakeFound, .stackLoosened, .noted, .noteWritten, .noteAbandoned, .runnerLost,
      .runnerFound, .trunkSighted, .trunkTraced:
      break
    case .submitted(let facts): touched.insert(facts.id)
    case .reported(let entry, _, _, _), .schemaReviewed(let entry, _, _, _, _),
      .reviewsAsked(let entry, _, _, _):
      touched.insert(entry)
    case .troubled(let entry, _, _, _): if let entry { touched.insert(entry) }
    case .withdrawn, .ejected: touched.formUnion(clashes.map(\.entry))
    case .prepared(let entry, let base, _, _, _, _), .conflicted(let entry, let base, _, _, _, _),
      .contained(let entry, let base, _, _):
      touched.insert(entry)
      for build in builds where build.nextStep.map({ $0 == (entry, base) }) ?? false {
        touched.formUnion(build.members)
      }
    case .runBegan(let id, _, _, _), .runEnded(let id, _, _), .runStopped(let id, _, _, _), .recognised(let id, _, _),
      .buildDropped(let id, _, _), .buildCarried(let id, _, _, _):
      for build in builds where build.id == id { touched.formUnion(build.members) }
      // Another end may push the oldest out of memory.
      if case .runEnded = event, let oldest = oldestEnded { touched.formUnion(oldest.members) }
    case .landingBegan: touched.formUnion(push?.members ?? [])
    case .landed(let landing):
      touched.formUnion(clashes.map(\.entry))
      // Those of one push land at one instant: what they change for others is told once, by the last.
      if landing.isTip { touched.formUnion(membersOfAll) }
    case .trunkMoved, .planned:
      touched.formUnion(clashes.map(\.entry))
      touched.formUnion(membersOfAll)
    }
    return touched
  }

  private var membersOfAll: EntrySet {
    var members = EntrySet(push?.members ?? [])
    for build in builds { members.formUnion(build.members) }
    return members
  }

  mutating func turnWaits(of touched: EntrySet, after event: MergeQueue.Event) {
    guard let at = event.at, !touched.isEmpty else { return }
    let isReset = if case .trunkMoved(.some, _, _) = event { true } else { false }
    for (id, (cause, detail)) in waitCauses(of: touched, at: at) {
      // To write is to copy, and most go on waiting for what they waited for.
      guard isReset || !entries.waits(id, for: cause, detail: detail) else { continue }
      entries.change(id) { entry in
        // What is disjoint in lane from the push goes on.
        if isReset, Self.overlaps(entry.lanes, overtaking?.lanes) { entry.waits.reset(at: at) }
        entry.waits.turn(to: cause, detail: detail, at: at)
      }
    }
  }

  /// O(touched + builds · members), sorted by entry.
  func waitCauses(of touched: EntrySet, at now: Instant) -> [(Int, (WaitCause, String?))] {
    let needed = policy?.requirements ?? .none
    let landing = EntrySet(push?.members ?? [])
    let (troubled, clashing) = (EntrySet(troubles.compactMap(\.entry)), EntrySet(clashes.map(\.entry)))
    let idle: (WaitCause, String?) = isPaused ? (.paused, hold?.reason) : (.waitingForSlot, nil)
    let (best, work) = furthestBuilds(of: touched)
    return touched.compactMap { id in
      guard let glance = entries.glance(of: id) else { return nil }
      if troubled.contains(id) { return (id, (.outage, nil)) }
      if landing.contains(id) { return (id, (.landing, nil)) }
      if let lack = lack(of: glance, needed) { return (id, lack) }
      if clashing.contains(id) { return (id, (.behindPredecessor, nil)) }
      guard let build = best[id] else { return (id, idle) }
      return (id, work[build].map { ($0, nil) } ?? idle)
    }
  }

  /// Of each of these the build that says what it waits for, the first of those that are furthest; and of each build, by
  /// place, what it has its members wait for, nil where that is what holds the queue.
  private func furthestBuilds(of touched: EntrySet) -> (EntryTable, [WaitCause?]) {
    var best = EntryTable()
    var open = touched
    let progress = builds.map { $0.isPast ? nil : $0.progress }
    for reached in (0...MergeQueue.Build.furthest).reversed() {
      for index in builds.indices where progress[index] == reached {
        for member in builds[index].members where open.remove(member) { best[member] = index }
      }
    }
    let isHeld = isPaused
    return (best, builds.map { isHeld && !$0.isRunning ? nil : $0.waitCause })
  }

  private func lack(
    of glance: MergeQueue.Line.Glance, _ needed: MergeQueue.Policy.Requirements
  ) -> (WaitCause, String?)? {
    if glance.hasAll, freeze == nil { return nil }
    guard let entry = entries[id: glance.id], lacks(entry) else { return nil }
    switch missing(entry, needed).first {
    case .approvals?: return (.missingApproval, nil)
    case .check(let name, _)?: return (.missingCheck, name)
    case .schema(let place, _)?: return (.missingCheck, place)
    case .predecessor?: return (.behindPredecessor, nil)
    case .frozen(let reason, _)?: return (.frozen, reason)
    case nil: return nil
    }
  }
}

extension MergeQueue.Build {
  fileprivate static let furthest = 4
  /// How far it is, for the one of several builds of an entry that says what the entry waits for: 0 to `furthest`.
  fileprivate var progress: Int {
    switch phase {
    case .passed: 4
    case .running: 3
    case .waiting: isAssembled ? 2 : 1
    case .failed, .stuck: 0
    }
  }

  /// What its members wait for while nobody holds the queue.
  fileprivate var waitCause: WaitCause {
    switch phase {
    case .running:
      if redRuns > 0 || purpose == .retry { .retrying } else { purpose == .search ? .bisecting : .runningCI }
    case .passed: .behindPredecessor
    case .waiting: isAssembled ? .waitingForSlot : .merging
    // Red, and another build or run is to say who is to blame.
    case .failed, .stuck: members.count > 1 ? .bisecting : .retrying
    }
  }
}

extension MergeQueue.Event {
  /// When it happened; nil for what has no time of its own.
  var at: Instant? {
    switch self {
    case .configured: nil
    case .trunkMoved(_, _, let at), .withdrawn(_, _, let at, _), .prepared(_, _, _, _, _, let at),
      .conflicted(_, _, _, _, _, let at), .contained(_, _, _, let at), .candidateDropped(_, _, _, let at),
      .troubled(_, _, _, let at), .recovered(_, let at), .retired(let at), .recalled(_, _, let at),
      .runBegan(_, _, _, let at), .runStopped(_, _, _, let at), .recognised(_, _, let at), .buildDropped(_, _, let at),
      .buildCarried(_, _, _, let at), .landingBegan(_, _, _, _, let at), .stackLoosened(_, _, let at),
      .reported(_, _, _, let at), .surveyed(_, _, let at), .targetsReported(_, _, let at), .resumed(_, _, let at),
      .thawed(let at), .overdue(_, _, let at), .runEnded(_, _, let at), .noteWritten(_, let at),
      .noteAbandoned(_, _, let at), .runnerLost(_, let at), .runnerFound(let at), .trunkSighted(_, let at),
      .trunkTraced(_, let at), .reviewsAsked(_, _, _, let at), .schemaReviewed(_, _, _, _, let at):
      at
    case .noted(let note): note.at
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
