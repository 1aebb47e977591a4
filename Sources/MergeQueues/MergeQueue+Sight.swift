import Kernel

extension MergeQueue.State {
  /// What the queue waits for in the world, for `Watchdog`. O(entries + builds); of checks and reviews those of the
  /// first `noteHorizon` in line, for those behind wait for these.
  package func sight(at now: Instant) -> WatchdogSight {
    let usual = durations.seconds(deviations: DurationEstimate.deviationsOf99).map(Span.seconds)
    let runs = builds.filter(\.isRunning).map { build in
      WatchdogSight.Run(
        build: build.id, entries: build.members, check: policy?.repository.rawValue ?? "", startedAt: build.since,
        aliveAt: runnerLoss.flatMap { $0.isSilent ? $0.since : nil }, usual: usual)
    }
    let landing = push.map { EffectKey("land/\($0.tip)") }
    let refusal = troubles.first { $0.key == landing }
    let stuck = push.flatMap { push in
      refusal.map { trouble in
        WatchdogSight.Push(
          entry: push.members.last ?? 0, firstTriedAt: push.since, refusals: Watchdog.refusals, why: trouble.why)
      }
    }
    return WatchdogSight(
      runs: runs, checks: awaitedChecks(at: now), reviews: awaitedReviews(), push: stuck,
      runner: runnerLoss.map { WatchdogSight.Runner(since: $0.since, isSilent: $0.isSilent, why: $0.why) },
      troubles: troubles.filter { $0.key != landing }.map {
        WatchdogSight.Trouble(entry: $0.entry, why: $0.why, since: $0.since)
      }, planWantedSince: planWantedSince, waiting: isPaused ? 0 : buildableUnits().reduce(0) { $0 + $1.count },
      movedAt: movedAt)
  }

  /// Required checks that have not passed.
  private func awaitedChecks(at now: Instant) -> [WatchdogSight.Check] {
    guard let names = policy?.requirements.checks, !names.isEmpty else { return [] }
    return entries.prefix(MergeQueue.noteHorizon).flatMap { entry -> [WatchdogSight.Check] in
      names.compactMap { name -> WatchdogSight.Check? in
        switch entry.checks.standing(of: name, at: entry.facts.head) {
        case .passed, .failed: return nil
        case .missing:
          return WatchdogSight.Check(name: name, entry: entry.id, awaitedSince: entry.facts.submittedAt)
        case .pending:
          return WatchdogSight.Check(
            name: name, entry: entry.id, awaitedSince: entry.facts.submittedAt,
            startedAt: entry.begunChecks.first { $0.name == name }?.since ?? entry.waits.since,
            usual: usualTime(ofCheck: name))
        }
      }
    }
  }

  /// Reviews that have not come.
  private func awaitedReviews() -> [WatchdogSight.Review] {
    guard let places = policy?.requirements.schemas, !places.isEmpty else { return [] }
    return entries.prefix(MergeQueue.noteHorizon).flatMap { entry in
      places.compactMap { place -> WatchdogSight.Review? in
        guard entry.review(by: place) == nil else { return nil }
        return WatchdogSight.Review(
          place: place, entry: entry.id, awaitedSince: entry.reviewsAskedAt ?? entry.facts.submittedAt)
      }
    }
  }

  /// Keeps what the watchdog goes by: when something last moved, and since when a plan has been wanted.
  mutating func noteMove(_ event: MergeQueue.Event) {
    guard let at = event.at else { return }
    switch event {
    case .configured, .troubled, .recovered, .recalled, .reported, .treePassed, .surveyed, .targetsReported, .overdue,
      .held, .flakeFound, .testPassed, .testFailed, .candidateDropped, .noted, .noteWritten, .noteAbandoned,
      .runnerLost, .runnerFound, .trunkSighted, .trunkTraced, .reviewsAsked, .schemaReviewed:
      break
    case .trunkMoved, .submitted, .withdrawn, .prepared, .conflicted, .contained, .landed, .ejected, .retired, .planned,
      .runBegan, .runEnded, .runStopped, .recognised, .buildDropped, .buildCarried, .landingBegan, .stackLoosened,
      .resumed, .frozen, .thawed:
      movedAt = max(movedAt, at)
    }
    if case .trunkMoved = event { overtaking = nil }
    planWantedSince = wantsPlan ? planWantedSince ?? max(movedAt, at) : nil
  }
}
