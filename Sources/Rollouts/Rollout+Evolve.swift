import Kernel

extension Rollout {
  /// Bookkeeping. An event that does not fit the phase changes nothing: it cannot come from `decide`.
  package static func evolve(_ state: inout State, _ event: Event) {
    let sharesBefore = state.wantedShares
    let previewBefore = state.wantedPreview
    let gateBefore = state.gateAnnouncement
    let freezeBefore = state.budgetAnnouncement
    apply(event, to: &state)
    state.announce(state.gateAnnouncement, insteadOf: gateBefore)
    state.announce(state.budgetAnnouncement, insteadOf: freezeBefore)
    // Invariant: `routed` speaks of what is wanted *now*. Shares A, then B, then A again were not confirmed by the first
    // A: B may have reached the router in between.
    if state.wantedShares != sharesBefore || state.wantedPreview != previewBefore {
      state.routed = nil
      state.routings += 1
    }
  }

  private static func apply(_ event: Event, to state: inout State) {
    switch event {
    case .configured(let policy):
      state.follow(policy.objectives, insteadOf: state.policy?.objectives ?? [])
      state.follow(policy.database)
      state.policy = policy
      state.reopen()
      state.trimKnownGood()
      state.startPending()
    case .offered(let offer):
      state.take(offer)
    case .superseded(let offer, by: _), .refusedCondemned(let offer):
      state.drop(offer)
      state.startPending()
    case .confirmed(let offer, let deployment, at: _):
      state.confirm(offer, deployment)
    case .started(let start):
      state.begin(start)
    case .startExtended(let id, let until):
      state.update(id) { course in
        course.readyBy = until
        course.extensions += 1
      }
    case .baselineMeasured(let id, let baseline):
      state.update(id) { $0.baseline = baseline }
    case .placed(let id, digest: _, let endpoints):
      state.update(id) { $0.endpoints = endpoints }
    case .stepEntered(let id, let index, percent: _, let at):
      state.update(id) {
        // Without a share only previews reach it, and they are nobody's sample.
        if $0.percent(at: index) > 0 { $0.exposedSince = $0.exposedSince ?? at }
        $0.crashes = CrashCount()
      }
      if let course = state.live, course.id == id { state.phase = .stepping(course, index: index) }
    case .routed(let shares, let at):
      state.routed = RoutedShares(shares: shares, at: at)
      if case .stepping(let course, let index) = state.phase {
        let isLast = index >= course.lastIndex
        state.phase = isLast ? .finalWatch(course, since: at) : .watching(course, index: index, since: at)
      }
    case .evidenceNoted(let id, let verdict, let checkpoint, let at):
      state.update(id) { $0.note = EvidenceNote(verdict: verdict, checkpoint: checkpoint, at: at) }
    case .stepPassed, .approved: break
    case .condemned(let condemnation):
      state.condemn(condemnation)
    case .restored(let id, to: _, let at):
      if case .restoring(let course, let condemnation) = state.phase, course.id == id {
        state.phase = .reporting(course, condemnation, restoredAt: at)
      }
    case .reported(let report):
      state.report(report)
    case .completed(let id, deployment: _, let at):
      state.complete(id, at)
    case .retired(let deployment):
      state.retiring.removeAll { $0.id == deployment }
    case .lifted(let digest, reason: _):
      state.condemned.removeAll { $0.digest == digest }
    case .instanceEnded(let deployment, end: _, let inRow, let at):
      if let course = state.live, course.canary.id == deployment {
        state.update(course.id) { $0.crashes.note(at: at, $0.instances) }
        state.watchAnew(from: at)
      } else if let course = state.live, course.start.knownGood?.id == deployment {
        state.update(course.id) {
          $0.crashes.noteOld(inRow: inRow, at: at, $0.instances, crashLimit: $0.policy.crashLimit)
        }
      }
    case .announced(let id, let target), .announcementAbandoned(let id, let target, why: _):
      for index in state.announcements.indices where state.announcements[index].id == id {
        state.announcements[index].targets.removeAll { $0 == target }
      }
      state.announcements.removeAll { $0.targets.isEmpty }
    case .troubled(let key, let why):
      state.trouble = Trouble(key: key, why: why)
    case .unconfigured(let event):
      state.close(event)
    case .closed(at: _):
      state.stopClosed()
    case .refusedUnconfigured:
      break
    case .gated(let id, let index, let gate, let at):
      if let course = state.live, course.id == id {
        state.phase = .gated(course, index: index, gate, since: at)
      }
    case .scalingBegan(let id, let index, let readyBy):
      state.update(id) {
        $0.readyBy = readyBy
        $0.extensions = 0
        $0.crashes = CrashCount()
      }
      if let course = state.live, course.id == id { state.phase = .scaling(course, index: index) }
    case .scaled(let id, let index, let endpoints):
      state.update(id) {
        $0.readyStep = index
        $0.endpoints = endpoints
      }
    case .finishing(let id, at: _):
      if let course = state.live, course.id == id { state.phase = .finishing(course) }
    case .drillOrdered(let id, actor: _, at: _):
      state.update(id) { $0.isDrillWanted = true }
    case .drillMoved(let id, let drill, let at):
      state.update(id) { $0.exposedSince = $0.exposedSince ?? at }
      if let course = state.live, course.id == id { state.phase = .drilling(course, drill) }
    case .drilled(let id, let report, let at):
      state.drilled(id, report, at)
    case .drillAbandoned(let id, why: _, let at):
      state.endUnreached(id, .abandoned, at)
    case .rollbackAbandoned(let id, let why, let at):
      if let course = state.live, course.id == id {
        state.tell(state.abandonedRollback(course, why: why, at: at))
      }
      state.endUnreached(id, .abandoned, at)
    case .frozen(let freeze, let at):
      state.freeze(freeze, at: at)
    case .thawed(let actor, reason: _, at: _):
      state.thaw(by: actor)
      state.startPending()
    case .floorRaised(let floor, let ordinal, let at):
      state.raise(floor, ordinal: ordinal, at: at)
    case .budgetNoted(let standings, let at):
      state.note(standings, at: at)
    case .versionsHeld(let versions):
      state.saidVersions = versions
    case .barsNoted(let bars):
      state.bars = bars
    case .troubleEnded(let key):
      if state.trouble?.key == key { state.trouble = nil }
    }
  }
}

extension Rollout.State {
  fileprivate mutating func take(_ offer: Rollout.Offer) {
    if offer.ordinal >= newest?.ordinal ?? offer.ordinal { newest = offer }
    switch phase {
    case .idle:
      pending = offer
      startPending()
    case .sealing:
      if held(offer) == nil { phase = .sealing(offer) } else { pending = offer }
    case .placing, .drilling, .stepping, .scaling, .watching, .gated, .finalWatch, .finishing, .restoring, .reporting:
      pending = offer
    case .closing, .closed:
      break
    }
  }

  fileprivate mutating func drop(_ offer: Rollout.Offer) {
    if let waiting = pending, waiting.isSame(as: offer) { pending = nil }
    if case .sealing(let sealing) = phase, sealing.isSame(as: offer) { phase = .idle }
  }

  fileprivate mutating func confirm(_ offer: Rollout.Offer, _ deployment: Deployment) {
    if let index = knownGood.firstIndex(where: { $0.deployment.id == deployment.id }) {
      let entry = knownGood[index]
      knownGood[index] = KnownGood(
        deployment: entry.deployment, offer: offer, rollout: entry.rollout, since: entry.since,
        endpoints: entry.endpoints)
    }
    drop(offer)
    startPending()
  }

  fileprivate mutating func begin(_ start: Rollout.RolloutStart) {
    guard let policy else { return }
    if case .sealing(let offer) = phase, start.kind == .rollback, pending == nil { pending = offer }
    let old = knownGood.first { $0.deployment.id == start.knownGood?.id }
    phase = .placing(Course(start: start, policy: policy, oldEndpoints: old?.endpoints))
    nextRollout = max(nextRollout, start.id + 1)
    retiring.removeAll { $0.id == start.deployment.id }
    trouble = nil
  }

  fileprivate mutating func condemn(_ condemnation: Condemnation) {
    let entry = CondemnedDigest(condemnation)
    condemned.removeAll { $0.digest == entry.digest && $0.configuration == entry.configuration }
    condemned.append(entry)
    knownGood = knownGood(without: { entry.covers($0.deployment) })
    guard let course = live, course.canary.id == condemnation.deployment.id else { return }
    phase = .restoring(course, condemnation)
    if let target = knownGood.first { retiring.removeAll { $0.id == target.deployment.id } }
  }

  fileprivate mutating func report(_ report: RollbackReport) {
    if case .reporting(let course, let condemnation, let restoredAt) = phase, course.id == report.rollout {
      retire(course.canary)
      if let left = course.start.knownGood { retire(left) }
      end(
        course,
        .condemned(
          condemnation.cause, rule: condemnation.rule, sentence: condemnation.sentence, restoredAt: restoredAt),
        restoredAt)
    }
    tell(report.announcement)
  }

  /// To every target of `announce`, once.
  fileprivate mutating func tell(_ announcement: Announcement) {
    let targets = policy?.announceTargets ?? 0
    guard targets > 0, !announcements.contains(where: { $0.id == announcement.id }) else { return }
    announcements.append(PendingAnnouncement(announcement: announcement, targets: Array(0..<targets)))
  }

  fileprivate mutating func complete(_ id: RolloutID, _ at: Instant) {
    guard let course = live, course.id == id else { return }
    knownGood.removeAll { $0.deployment.id == course.canary.id }
    knownGood.insert(
      KnownGood(
        deployment: course.canary, offer: course.start.offer, rollout: id, since: at, endpoints: course.endpoints),
      at: 0)
    trimKnownGood()
    if let old = course.start.knownGood { retire(old) }
    end(course, .completed, at)
  }

  fileprivate mutating func drilled(_ id: RolloutID, _ report: Drill.Report, _ at: Instant) {
    guard let course = live, course.id == id else { return }
    switch course.start.kind {
    case .forward, .rollback: phase = .drilling(course, .done(report))
    case .drill: endUnreached(id, .drilled(report), at)
    }
  }

  /// The version that was visited, or that nothing was sent to yet, goes back to rest.
  fileprivate mutating func endUnreached(_ id: RolloutID, _ outcome: RolloutSummary.Outcome, _ at: Instant) {
    guard let course = live, course.id == id else { return }
    retire(course.canary)
    end(course, outcome, at)
  }

  /// What serves, or is about to, is never retired.
  private mutating func retire(_ deployment: Deployment) {
    guard deployment.id != knownGood.first?.deployment.id, !retiring.contains(where: { $0.id == deployment.id })
    else { return }
    retiring.append(deployment)
  }

  private mutating func end(_ course: Course, _ outcome: RolloutSummary.Outcome, _ at: Instant) {
    history.insert(RolloutSummary(course: course, outcome: outcome, endedAt: at), at: 0)
    history = Array(history.prefix(Rollout.historyLimit))
    phase = .idle
    trouble = nil
    startPending()
  }

  fileprivate mutating func startPending() {
    guard case .idle = phase, policy != nil, let offer = pending, held(offer) == nil else { return }
    pending = nil
    phase = .sealing(offer)
  }

  fileprivate mutating func trimKnownGood() {
    guard let policy else { return }
    knownGood = Array(knownGood.prefix(policy.keep))
  }

  /// An end is evidence that no request tells of: a version that dies now and then may not pass a step, nor become
  /// known-good, on the calm before it.
  fileprivate mutating func watchAnew(from at: Instant) {
    switch phase {
    case .idle, .sealing, .placing, .drilling, .stepping, .scaling, .finishing, .restoring, .reporting, .closing,
      .closed:
      break
    case .watching(let course, let index, let since):
      phase = .watching(course, index: index, since: max(since, at))
    case .gated(let course, let index, _, let since):
      let anew = max(since, at)
      phase =
        index >= course.lastIndex ? .finalWatch(course, since: anew) : .watching(course, index: index, since: anew)
    case .finalWatch(let course, let since): phase = .finalWatch(course, since: max(since, at))
    }
  }

  fileprivate mutating func update(_ id: RolloutID, _ change: (inout Course) -> Void) {
    guard var course = live, course.id == id else { return }
    change(&course)
    switch phase {
    case .idle, .sealing, .restoring, .reporting, .closing, .closed: break
    case .placing: phase = .placing(course)
    case .drilling(_, let drill): phase = .drilling(course, drill)
    case .stepping(_, let index): phase = .stepping(course, index: index)
    case .scaling(_, let index): phase = .scaling(course, index: index)
    case .gated(_, let index, let gate, let since): phase = .gated(course, index: index, gate, since: since)
    case .finishing: phase = .finishing(course)
    case .watching(_, let index, let since): phase = .watching(course, index: index, since: since)
    case .finalWatch(_, let since): phase = .finalWatch(course, since: since)
    }
  }
}
