import ControlPlane
import Kernel
import MergeQueues
import Rollouts

/// What pages need of the past beyond the states: each change's and each rollout's history, folded forward from the
/// ledger by a cursor per stream, so that a page reads only what is new.
///
/// Bounded: per stream it keeps the newest `rolloutLimit` rollouts or `changeLimit` changes. A fold that meets an
/// outage keeps what it has and goes on at the next call.
actor Chronicle {
  /// Rollouts kept per (service, environment): ten a day for three weeks.
  static let rolloutLimit = 200
  /// Changes kept per queue.
  static let changeLimit = 1000
  /// Happenings kept per change; a change rebuilt more often than that shows its newest.
  static let happeningLimit = 100
  /// Events read at once.
  static let pageSize = 500

  struct RolloutRecord: Sendable {
    let start: Rollout.RolloutStart
    /// The policy that it keeps; nil when it was configured before what is read.
    let policy: Rollout.Policy?
    var steps: [(percent: Int, at: Instant)] = []
    var baseline: Baseline?
    var verdict: Verdict?
    /// Since when the verdict is of its kind.
    var verdictSince: Instant?
    var drill: (report: Drill.Report, at: Instant)?
    var condemnation: Condemnation?
    var restoredAt: Instant?
    var report: RollbackReport?
    var completedAt: Instant?
    /// When plimsoll.yaml stopped naming the place while it ran, or a drill or a rollback gave way.
    var abandonedAt: Instant?
    /// Why a drill or a rollback gave way, without a full stop.
    var abandonedFor: String?
    var positions: ClosedRange<Position>
  }

  struct Happening: Sendable {
    let position: Position
    let at: Instant
    let sentence: String
    let log: Digest?
  }

  struct ChangeRecord: Sendable {
    let facts: MergeQueue.EntryFacts
    var happenings: [Happening] = []
    /// Who approves of it, sorted.
    var approvals: [String] = []
    /// The last word of each reporter.
    var checks: [CheckResult] = []
    /// What databases said of its migrations, sorted by place.
    var reviews: [MergeQueue.NotedReview] = []
    var outcome: MergeQueue.FinishedEntry?
    /// Whether its outcome was to be said on the change.
    var isOutcomeTold = false
    /// What was last said on the change itself, and what became of it; nil while the forge has not answered.
    var note: (note: MergeQueue.Note, fate: MergeQueue.Note.Fate?)?
  }

  struct DeliveryRecord {
    var version: Version = 0
    /// Oldest first.
    var rollouts: [RolloutRecord] = []
    var shares: [TrafficShare] = []
    /// Of the next rollout.
    var policy: Rollout.Policy?
  }
  struct QueueRecord {
    var version: Version = 0
    /// Oldest first.
    var changes: [ChangeRecord] = []
    /// Of builds that go on, as planned; who has landed since left its own record.
    var members: [Int: [Int]] = [:]
    /// Whether notes are wanted by now.
    var notes = false
  }

  private let records: any Records
  private var deliveries: [StreamID: DeliveryRecord] = [:]
  private var queues: [StreamID: QueueRecord] = [:]

  init(records: any Records) { self.records = records }

  /// Oldest first.
  func rollouts(of stream: StreamID) async throws(Outage) -> [RolloutRecord] {
    try await read(delivery: stream)
    return deliveries[stream]?.rollouts ?? []
  }

  /// What the router confirmed last.
  func shares(of stream: StreamID) async throws(Outage) -> [TrafficShare] {
    try await read(delivery: stream)
    return deliveries[stream]?.shares ?? []
  }

  func change(_ entry: Int, of stream: StreamID) async throws(Outage) -> ChangeRecord? {
    try await read(queue: stream)
    return queues[stream]?.changes.last { $0.facts.id == entry }
  }

  // MARK: Reading on

  // Two readers may interleave at the await: an event whose version is not the next is one that the other took.
  private func read(delivery stream: StreamID) async throws(Outage) {
    while true {
      let after = deliveries[stream]?.version ?? 0
      let page = try await records.events(of: stream, after: after, limit: Self.pageSize)
      var record = deliveries[stream] ?? DeliveryRecord()
      for event in page where event.version == record.version + 1 {
        record.version = event.version
        if case .delivery(let happened) = event.event { record.absorb(happened, event) }
      }
      deliveries[stream] = record
      if page.count < Self.pageSize { return }
    }
  }

  private func read(queue stream: StreamID) async throws(Outage) {
    while true {
      let after = queues[stream]?.version ?? 0
      let page = try await records.events(of: stream, after: after, limit: Self.pageSize)
      var record = queues[stream] ?? QueueRecord()
      for event in page where event.version == record.version + 1 {
        record.version = event.version
        if case .queue(let happened) = event.event { record.absorb(happened, event) }
      }
      queues[stream] = record
      if page.count < Self.pageSize { return }
    }
  }
}

extension Chronicle.DeliveryRecord {
  mutating func absorb(_ event: Rollout.Event, _ recorded: RecordedEvent<StreamEvent>) {
    switch event {
    case .configured(let policy): self.policy = policy
    case .started(let start):
      rollouts.append(
        Chronicle.RolloutRecord(start: start, policy: policy, positions: recorded.position...recorded.position))
      if rollouts.count > Chronicle.rolloutLimit { rollouts.removeFirst() }
    case .baselineMeasured(let id, let baseline): note(id, recorded) { $0.baseline = baseline }
    case .stepEntered(let id, index: _, let percent, let at):
      note(id, recorded) { $0.steps.append((percent: percent, at: at)) }
    case .routed(let shares, at: _): self.shares = shares
    case .evidenceNoted(let id, let verdict, checkpoint: _, let at):
      note(id, recorded) { record in
        if record.verdict.map(Views.name) != Views.name(verdict) { record.verdictSince = at }
        record.verdict = verdict
      }
    case .stepPassed(let id, index: _, let verdict):
      note(id, recorded) { record in record.verdict = verdict ?? record.verdict }
    case .condemned(let condemnation):
      note(condemnation.rollout, recorded) { $0.condemnation = condemnation }
    case .restored(let id, to: _, let at): note(id, recorded) { $0.restoredAt = at }
    case .reported(let report): note(report.rollout, recorded) { $0.report = report }
    case .completed(let id, deployment: _, let at): note(id, recorded) { $0.completedAt = at }
    case .placed(let id, digest: _, endpoints: _), .startExtended(let id, until: _): note(id, recorded) { _ in }
    case .unconfigured(let event):
      if let id = event.rollout { note(id, recorded) { $0.abandonedAt = event.at } }
    case .closed: shares = []
    case .drilled(let id, let report, let at):
      note(id, recorded) { record in
        record.drill = (report, at)
        if record.start.kind == .drill { record.completedAt = at }
      }
    case .drillAbandoned(let id, let why, let at), .rollbackAbandoned(let id, let why, let at):
      note(id, recorded) { record in
        record.abandonedAt = at
        record.abandonedFor = why
      }
    case .offered, .superseded, .refusedCondemned, .confirmed, .retired, .lifted, .instanceEnded,
      .announced, .announcementAbandoned, .troubled, .refusedUnconfigured, .gated, .approved, .scalingBegan, .scaled,
      .finishing, .drillOrdered, .drillMoved, .frozen, .thawed, .floorRaised, .budgetNoted,
      .troubleEnded, .versionsHeld, .barsNoted:
      break
    }
  }

  private mutating func note(
    _ id: RolloutID, _ recorded: RecordedEvent<StreamEvent>, _ change: (inout Chronicle.RolloutRecord) -> Void
  ) {
    guard let index = rollouts.lastIndex(where: { $0.start.id == id }) else { return }
    change(&rollouts[index])
    rollouts[index].positions = rollouts[index].positions.lowerBound...recorded.position
  }
}

extension Chronicle.QueueRecord {
  mutating func absorb(_ event: MergeQueue.Event, _ recorded: RecordedEvent<StreamEvent>) {
    if case .configured(let policy) = event { notes = policy.notes }
    if case .submitted(let facts) = event {
      changes.append(Chronicle.ChangeRecord(facts: facts))
      if changes.count > Chronicle.changeLimit { changes.removeFirst() }
    }
    let (subjects, log) = subjects(of: event)
    for entry in subjects {
      guard let index = changes.lastIndex(where: { $0.facts.id == entry }) else { continue }
      changes[index].happenings.append(
        Chronicle.Happening(
          position: recorded.position, at: recorded.at,
          sentence: Sentences.sentence(for: recorded.event, of: recorded.stream), log: log))
      if changes[index].happenings.count > Chronicle.happeningLimit { changes[index].happenings.removeFirst() }
      note(event, recorded, at: index)
    }
  }

  private mutating func note(
    _ event: MergeQueue.Event, _ recorded: RecordedEvent<StreamEvent>, at index: Int
  ) {
    let facts = changes[index].facts
    if case .reported(_, let approvals, let checks, _) = event {
      changes[index].approvals = approvals
      changes[index].checks = checks
    }
    if case .schemaReviewed(_, head: _, let place, let verdict, at: _) = event {
      let noted = MergeQueue.NotedReview(place: place, review: verdict)
      changes[index].reviews = (changes[index].reviews.filter { $0.place != place } + [noted])
        .sorted { $0.place < $1.place }
    }
    switch event {
    case .noted(let note): changes[index].note = (note, nil)
    case .noteWritten(let note, let at): changes[index].note = (note, .written(at: at))
    case .noteAbandoned(let note, let why, let at): changes[index].note = (note, .abandoned(why: why, at: at))
    default: break
    }
    let waits: [WaitPart] =
      switch event {
      case .landed(let landing): landing.waits
      case .ejected(let ejection): ejection.stay?.waits ?? []
      case .withdrawn(_, _, _, let stay): stay?.waits ?? []
      default: []
      }
    let outcome: MergeQueue.FinishedEntry.Outcome? =
      switch event {
      case .landed(let landing): .landed(commit: landing.commit)
      case .ejected(let ejection): .ejected(ejection)
      case .withdrawn(_, let reason, _, _): .withdrawn(reason: reason)
      default: nil
      }
    if let outcome {
      changes[index].isOutcomeTold = notes
      changes[index].outcome = MergeQueue.FinishedEntry(
        facts: facts, outcome: outcome, at: recorded.at, waits: waits, reviews: changes[index].reviews)
    }
  }

  /// The entries that an event is about, and its log. Remembers who is in which build.
  private mutating func subjects(of event: MergeQueue.Event) -> (entries: [Int], log: Digest?) {
    switch event {
    case .configured, .trunkMoved, .recovered, .retired, .recalled, .treePassed, .held, .resumed, .frozen, .thawed,
      .runnerLost, .runnerFound, .trunkSighted, .trunkTraced:
      return ([], nil)
    case .submitted(let facts): return ([facts.id], nil)
    case .withdrawn(let entry, reason: _, at: _, stay: _): return ([entry], nil)
    case .prepared(let entry, base: _, assumed: _, commit: _, tree: _, at: _): return ([entry], nil)
    case .conflicted(let entry, base: _, assumed: _, paths: _, detail: _, at: _): return ([entry], nil)
    case .contained(let entry, base: _, assumed: _, at: _): return ([entry], nil)
    case .testPassed(let entry, commit: _, let log, startedAt: _, endedAt: _): return ([entry], log)
    case .testFailed(let entry, commit: _, end: _, reason: _, let log, startedAt: _, endedAt: _): return ([entry], log)
    case .candidateDropped(let entry, commit: _, because: _, at: _): return ([entry], nil)
    case .landed(let landing): return ([landing.entry], nil)
    case .ejected(let ejection): return ([ejection.entry], ejection.log ?? ejection.report)
    case .schemaReviewed(let entry, head: _, place: _, verdict: let review, at: _): return ([entry], review.report)
    case .troubled(let entry, key: _, why: _, at: _): return (entry.map { [$0] } ?? [], nil)
    case .planned(let planned):
      for build in planned.builds { members[build.id] = build.members }
      for build in planned.dropped { members[build] = nil }
      return ([], nil)
    case .runBegan(let build, run: _, subject: _, at: _), .recognised(let build, _, at: _),
      .runStopped(let build, run: _, because: _, at: _), .buildCarried(let build, over: _, to: _, at: _):
      return (members[build] ?? [], nil)
    case .runEnded(let build, let run, at: _): return (members[build] ?? [], run.log)
    case .buildDropped(let build, because: _, at: _): return (members.removeValue(forKey: build) ?? [], nil)
    case .landingBegan(build: _, let members, commit: _, expecting: _, at: _): return (members, nil)
    case .flakeFound(let flake): return (flake.members, nil)
    case .stackLoosened(unit: _, let members, at: _): return (members, nil)
    case .reported(let entry, approvals: _, checks: _, at: _), .surveyed(let entry, lanes: _, at: _),
      .targetsReported(let entry, targets: _, at: _), .overdue(let entry, since: _, at: _),
      .reviewsAsked(let entry, head: _, places: _, at: _):
      return ([entry], nil)
    case .noted(let note), .noteWritten(let note, at: _), .noteAbandoned(let note, why: _, at: _):
      return ([note.entry], nil)
    }
  }
}
