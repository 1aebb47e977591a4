import ControlPlane
import Kernel
import MergeQueues
import Rollouts

/// Looks at the world and the ledger, never into a machine's state, and says which promise was broken.
final class Checkers {
  unowned let world: World
  /// Since when one process has been up without a break; nil while none is.
  var upSince: () -> Instant? = { nil }
  private(set) var violations: [Violation] = []
  /// Convictions by traffic of versions that hurt nobody, while no incident was on.
  private(set) var falseConvictions = 0
  private(set) var rollouts = 0
  private(set) var rollbacks = 0
  /// Places that left plimsoll.yaml, and commits that were sent a second time.
  private(set) var retirements = 0
  private(set) var renewals = 0
  private(set) var drills = 0

  /// Traffic must have left a condemned version, seconds of an uninterrupted process (issue 2: "no bad version keeps
  /// traffic more than 10 s after a restart").
  static let restorationLimit = Span.seconds(10)
  /// A place that plimsoll.yaml no longer names must be empty, seconds of an uninterrupted process: its router is told
  /// first, and calls may stall for 25 s each.
  static let emptyingLimit = Span.seconds(90)
  /// A runner that has gone is named so soon to whoever waits (issue 4, "names the cause of any stall within 60 s").
  static let namingLimit = Span.seconds(60)
  private static let mostViolations = 20

  private struct Condemned {
    let deployment: Deployment
    let scope: Condemnation.Scope
    let position: Position
    /// A state that knew of the condemnation has reached the router.
    var isConfirmed = false
    func covers(_ id: DeploymentID) -> Bool {
      scope == .configuration
        ? id == deployment.id : id.rawValue.split(separator: ".")[2] == deployment.digest.hex.prefix(12)
    }
  }
  private var condemned: [StreamID: [Condemned]] = [:]
  private var knownGood: [StreamID: [Deployment]] = [:]
  private var fences: [String: Fence] = [:]
  private var digests: [SimulatedVersion: (Digest, EnvironmentName)] = [:]
  private var landings: [CommitID: Position] = [:]
  private var begun: Set<CommitID> = []
  private var newest: [StreamID: Position] = [:]
  private var exposed: [StreamID: Instant] = [:]
  /// Places that plimsoll.yaml does not name, until they have traffic again: nobody promises capacity there.
  private var retired: Set<StreamID> = []
  /// When plimsoll.yaml stopped naming a place; until it names it again.
  private var leftAt: [StreamID: Instant] = [:]
  /// Landings of a service that plimsoll.yaml did not name then: nobody promises to build them, unless one is the trunk
  /// when the service is named again.
  private var excused: Set<CommitID> = []
  private var isServiceNamed = true
  private var announced: [String] = []
  /// Places whose rollout goes forward and was approved by nobody.
  private var decidedByJudge: Set<StreamID> = []
  /// What people approved.
  private var approvals: [Rollout.Approval] = []
  /// Who waits for a person to say so.
  private var gates: [StreamID: RolloutID] = [:]
  private var frozen: Set<StreamID> = []
  /// Rollouts that a freeze does not hold.
  private var passesFreeze: [StreamID: RolloutID] = [:]
  private(set) var recordedTypes: [String] = []
  /// Entries in line, and those that left.
  private var waiting: Set<Int> = []
  private var left: Set<Int> = []
  /// What the notes on changes must say at the end, by their heads.
  private var told: [CommitID: String] = [:]
  private var facts: [Int: MergeQueue.EntryFacts] = [:]
  private var notesAreOn = false
  /// When the runner went away; nil while it is there, and once that was recorded.
  private var runnerGoneAt: Instant?
  /// Since when somebody has waited without a break.
  private var waitingSince: Instant?
  /// Lanes were on once: what lands may differ from a tested tree by what is disjoint.
  private var lenient = false

  /// Nil where nothing has a database.
  private(set) lazy var schemas = SchemaCheckers(world) { [unowned self] in report($0, $1) }
  var hasSchemas: Bool { world.deliveries != SimulatedNames.deliveries }

  private(set) lazy var flags = FlagCheckers(world) { [unowned self] in report($0, $1) }

  init(_ world: World) { self.world = world }

  func report(_ promise: Promise, _ sentence: String) {
    guard violations.count < Self.mostViolations else { return }
    violations.append(Violation(promise: promise, at: world.now - Agenda.beginning, sentence: sentence))
  }

  func isCondemned(_ deployment: DeploymentID, in stream: StreamID) -> Bool {
    condemned[stream]?.contains { $0.covers(deployment) } ?? false
  }

  // MARK: The world

  func trunkMoved(to commit: CommitID, byQueue: Bool) {
    guard byQueue else { return }
    if !world.forge.isGreen(commit) { report(.trunkIsGreen, "the trunk is red at \(commit.short)") }
    let tree = world.forge.tree(of: commit)
    if !lenient, !(tree.map { world.runner.tested.contains($0) } ?? false) {
      report(.trunkIsTested, "the trunk is at \(commit.short), whose test never passed")
    }
  }

  /// A peer carried out a call that is fenced.
  func carriedOut(_ peer: String, _ fence: Fence) {
    if let last = fences[peer], fence < last {
      report(.fencesRise, "\(peer) carried out fence \(fence.position) after \(last.position)")
    }
    fences[peer] = max(fences[peer] ?? fence, fence)
  }

  func fetched(_ deployment: Deployment, _ bytes: Digest) {
    let version = SimulatedVersion(service: deployment.service, commit: deployment.commit)
    let (commit, environment) = (deployment.commit, deployment.environment)
    if let (known, place) = digests[version], known != bytes {
      report(.oneDigest, "\(commit.short) is \(known.short) in \(place) and \(bytes.short) in \(environment)")
    }
    digests[version] = digests[version] ?? (bytes, environment)
  }

  func started(_ deployment: Deployment, bytes: Digest, sets: Int) {
    if sets > 1 { report(.startedOnce, "\(deployment.id) runs \(sets) times") }
  }

  /// No instance of the deployment is ready any more.
  func lost(_ deployment: Deployment) {
    let stream = StreamID.delivery(deployment.service, deployment.environment)
    guard !retired.contains(stream), let serving = knownGood[stream]?.last, serving.id == deployment.id,
      world.forge.behaviour(of: deployment.commit) == .good
    else { return }
    report(.healthyHasCapacity, "\(deployment.id) is known-good in \(deployment.environment) and lost its instances")
  }

  func routed(_ shares: [TrafficShare], _ preview: PreviewRoute?, in stream: StreamID, _ fence: Fence) {
    if hasSchemas { schemas.routed(stream) }
    guard var list = condemned[stream] else { return }
    for index in list.indices {
      let knows = fence.position >= list[index].position
      let sends =
        shares.contains { $0.percent > 0 && list[index].covers($0.deployment) }
        || preview.map { list[index].covers($0.deployment) } ?? false
      if sends, knows || list[index].isConfirmed {
        report(.condemnedStaysOut, "\(list[index].deployment.id) got traffic after it was condemned in \(stream)")
      }
      if knows { list[index].isConfirmed = true }
    }
    condemned[stream] = list
  }

  /// A deployment's instances are told to end.
  func retires(_ deployment: Deployment) {
    let stream = StreamID.delivery(deployment.service, deployment.environment)
    let percent = world.router.percent(deployment.id, in: stream)
    guard percent > 0, world.platform.running[deployment.id] != nil else { return }
    report(.trafficFirst, "\(deployment.id) is stopped while it still gets \(percent) % in \(stream)")
  }

  /// A person asks for this approval.
  func asks(_ approval: Rollout.Approval) { approvals.append(approval) }

  // MARK: The ledger

  func recorded(_ event: RecordedEvent<StreamEvent>) {
    recordedTypes.append(event.event.type)
    switch event.event {
    case .settings(.applied(let topology)):
      isServiceNamed = !topology.services.isEmpty
      // What landed just before is routed under the new topology.
      if !isServiceNamed { excused.formUnion(landings.keys.filter { !begun.contains($0) }) }
    case .settings: break
    case .queue(.landed(let landing)):
      leaves(landing.entry, "landed")
      if landing.isTip { landed(landing.commit, event.position) }
    case .queue(.submitted(let facts)):
      waiting.insert(facts.id)
      self.facts[facts.id] = facts
      if waitingSince == nil { waitingSince = world.now }
    case .queue(.ejected(let ejection)): leaves(ejection.entry, "was ejected")
    case .queue(.withdrawn(let entry, reason: _, at: _, stay: _)): leaves(entry, "was withdrawn")
    case .queue(.configured(let policy)):
      if !policy.strict { lenient = true }
      notesAreOn = policy.notes
    // A queue that left wants nothing.
    case .queue(.retired):
      told = [:]
      notesAreOn = false
    case .queue(.noteAbandoned(let note, why: _, at: _)): told[note.head] = nil
    case .queue(.runnerLost): runnerGoneAt = nil
    // A trunk that was forced back makes its commit the newest again.
    case .queue(.trunkMoved(from: _, let to, at: _)): landed(to, event.position)
    case .queue(.recalled(let trunk, services: _, at: _)): excused.remove(trunk)
    case .queue: break
    case .build(.begun(let order)): begun.insert(order.commit)
    case .build(.renewed): renewals += 1
    case .build: break
    case .delivery(let inner): delivery(inner, event.stream, event.position)
    case .flag: flags.recorded(event)
    case .observation, .schema, .flagFolder: break
    }
    if hasSchemas { schemas.recorded(event) }
  }

  private func leaves(_ entry: Int, _ how: String) {
    if waiting.remove(entry) == nil {
      report(.eachLeavesOnce, "#\(entry) \(how) \(left.contains(entry) ? "a second time" : "and never came")")
    }
    left.insert(entry)
    if waiting.isEmpty { waitingSince = nil }
    if notesAreOn, let head = facts[entry]?.head { told[head] = "#\(entry) " }
  }

  /// Nothing is heard of the runner from now on.
  func runnerLost(at now: Instant) {
    runnerGoneAt = now
    expectName(since: now)
  }

  func runnerReturned() { runnerGoneAt = nil }

  private func expectName(since gone: Instant) {
    world.agenda.after(.seconds(5)) { [self] in
      guard runnerGoneAt == gone else { return }
      if let up = upSince(), let waiting = waitingSince, world.now - max(up, max(gone, waiting)) >= Self.namingLimit {
        return report(.lostRunnerIsNamed, "the runner went away and somebody waits, and nobody says so")
      }
      expectName(since: gone)
    }
  }

  private func landed(_ commit: CommitID, _ position: Position) {
    landings[commit] = position
    if !isServiceNamed, !begun.contains(commit) { excused.insert(commit) }
  }

  private func delivery(_ event: Rollout.Event, _ stream: StreamID, _ position: Position) {
    switch event {
    case .started(let start): started(start, stream)
    case .stepEntered(_, index: 0, percent: _, at: _): exposed[stream] = world.now
    case .completed(_, let deployment, at: _):
      completed(deployment, stream)
      knownGood[stream, default: []].removeAll { $0.id == deployment.id }
      knownGood[stream, default: []].append(deployment)
    case .condemned(let condemnation):
      let entry = Condemned(deployment: condemnation.deployment, scope: condemnation.scope, position: position)
      knownGood[stream]?.removeAll { entry.covers($0.id) }
      condemned[stream, default: []].append(entry)
      convicted(condemnation, stream)
      expectDeparture(of: entry, from: stream, since: world.now)
    case .lifted(let digest, reason: _): condemned[stream]?.removeAll { $0.deployment.digest == digest }
    case .reported(let report):
      rollbacks += 1
      for target in 0..<SimulatedSettings.announceTargets {
        announced.append(SimulatedAnnouncer.name(report.announcementID, target))
      }
    case .unconfigured:
      retirements += 1
      retired.insert(stream)
      leftAt[stream] = world.now
      expectEmptiness(of: stream, since: world.now)
    case .configured: leftAt[stream] = nil
    case .routed(let shares, at: _): if !shares.isEmpty { retired.remove(stream) }
    case .announcementAbandoned(let id, let target, why: _):
      announced.removeAll { $0 == SimulatedAnnouncer.name(id, target) }
    case .gated(let id, index: _, .approval, at: _): gates[stream] = id
    case .approved(let id, index: _, let approval, verdict: _, at: _):
      if !approvals.contains(approval) { report(.gatesHold, "nobody approved \(approval.step) of rollout \(id)") }
      gates[stream] = nil
      decidedByJudge.remove(stream)
    case .drilled(let id, let drilled, at: _): cameBack(from: id, drilled, stream)
    case .frozen: frozen.insert(stream)
    case .thawed: frozen.remove(stream)
    case .offered, .superseded, .refusedCondemned, .confirmed, .startExtended, .baselineMeasured, .placed, .stepEntered,
      .evidenceNoted, .stepPassed, .restored, .retired, .instanceEnded, .announced, .troubled, .closed,
      .refusedUnconfigured, .gated, .scalingBegan, .scaled, .finishing, .drillOrdered, .drillMoved, .drillAbandoned,
      .floorRaised, .budgetNoted, .troubleEnded, .versionsHeld, .barsNoted, .rollbackAbandoned:
      break
    }
    holds(event, stream)
  }

  /// A gate opens for a person only, and a frozen place moves no step forward.
  private func holds(_ event: Rollout.Event, _ stream: StreamID) {
    let rollout: RolloutID
    switch event {
    case .started(let start):
      gates[stream] = nil
      if start.kind != .forward || start.offer.override { passesFreeze[stream] = start.id }
      rollout = start.id
    case .condemned, .instanceEnded, .unconfigured:
      gates[stream] = nil
      return
    case .stepEntered(let id, index: _, percent: _, at: _), .stepPassed(let id, index: _, verdict: _),
      .scalingBegan(let id, index: _, readyBy: _), .finishing(let id, at: _):
      if gates[stream] == id { report(.gatesHold, "rollout \(id) went on in \(stream) and nobody approved") }
      rollout = id
    default: return
    }
    if frozen.contains(stream), passesFreeze[stream] != rollout {
      report(.frozenHolds, "\(event.name) of rollout \(rollout) in \(stream), which is frozen")
    }
  }

  private func cameBack(from id: RolloutID, _ drilled: Drill.Report, _ stream: StreamID) {
    drills += 1
    let serving = knownGood[stream]?.last
    let away = world.router.shares(of: stream).first { $0.percent > 0 && $0.deployment != serving?.id }
    if let away {
      report(.drillsComeBack, "after the drill of rollout \(id) \(away.deployment) keeps \(away.percent) %")
    }
  }

  private func started(_ start: Rollout.RolloutStart, _ stream: StreamID) {
    rollouts += 1
    exposed[stream] = nil
    decidedByJudge.remove(stream)
    if start.kind == .forward { decidedByJudge.insert(stream) }
    guard start.kind == .forward, let landing = landings[start.deployment.commit] else { return }
    if let newest = newest[stream], landing < newest {
      report(.newerWins, "\(start.deployment.commit.short) went forward in \(stream) over a newer one")
    }
    newest[stream] = max(newest[stream] ?? landing, landing)
  }

  private func completed(_ deployment: Deployment, _ stream: StreamID) {
    // A person may go on with what the judge has not passed, or back to it; from then on that is what is usual.
    let usual = knownGood[stream]?.last.map { world.forge.behaviour(of: $0.commit) }
    let behaviour = world.forge.behaviour(of: deployment.commit)
    guard stream == SimulatedNames.productionDelivery, let since = exposed[stream], decidedByJudge.contains(stream),
      behaviour.hurtsTraffic, usual?.hurtsTraffic != true, world.traffic.disturbedAt < since
    else { return }
    report(
      .badNeverCompletes,
      "\(deployment.id) is \(behaviour) and completed its rollout \((world.now - since).seconds) s after it got requests"
    )
  }

  private func convicted(_ condemnation: Condemnation, _ stream: StreamID) {
    guard condemnation.conviction != nil, let since = exposed[stream],
      !world.forge.behaviour(of: condemnation.deployment.commit).hurtsTraffic, world.traffic.incidentAt < since
    else { return }
    if world.traffic.brokenAt >= since {
      report(.blindnessConvictsNobody, "\(condemnation.deployment.id) is well and was convicted in a blackout")
    } else {
      falseConvictions += 1
    }
  }

  private func expectDeparture(of entry: Condemned, from stream: StreamID, since decided: Instant) {
    world.agenda.after(.seconds(2)) { [self] in
      let isStill = condemned[stream]?.contains { $0.position == entry.position } ?? false
      let sent = world.router.shares(of: stream).filter { $0.percent > 0 && entry.covers($0.deployment) }
      guard isStill, !sent.isEmpty else { return }
      if let up = upSince(), world.now - max(up, decided) >= Self.restorationLimit {
        report(.trafficLeavesInTime, "\(entry.deployment.id) still gets \(sent[0].percent) % in \(stream)")
      } else {
        expectDeparture(of: entry, from: stream, since: decided)
      }
    }
  }

  /// What is no longer in plimsoll.yaml has no share and no run, and stays so.
  private func expectEmptiness(of stream: StreamID, since left: Instant) {
    world.agenda.after(.seconds(5)) { [self] in
      guard leftAt[stream] == left else { return }
      let share = world.router.shares(of: stream).first { $0.percent > 0 }?.deployment
      let run = world.platform.running.values.map(\.deployment)
        .filter { StreamID.delivery($0.service, $0.environment) == stream }.map(\.id).min()
      if let up = upSince(), world.now - max(up, left) >= Self.emptyingLimit {
        if let share { return report(.leftPlaceIsEmpty, "\(share) still gets requests in \(stream)") }
        if let run { return report(.leftPlaceIsEmpty, "\(run) still runs in \(stream)") }
      }
      expectEmptiness(of: stream, since: left)
    }
  }

  // MARK: At the end

  /// When everything is at rest.
  func settleAccounts(_ ledger: MemoryLedger) {
    if hasSchemas { schemas.settle() }
    if !world.flagFolders.isEmpty { flags.settle(ledger) }
    for name in announced where !world.announcer.delivered.contains(name) {
      report(.peopleAreTold, "nobody was told of \(name)")
    }
    for (commit, _) in landings.sorted(by: { $0.value < $1.value })
    where !begun.contains(commit) && !excused.contains(commit) {
      report(.landedIsBuilt, "\(commit.short) landed and was never built")
    }
    for (head, words) in told.sorted(by: { $0.key < $1.key })
    where !(world.forge.notes[head]?.text.contains(words) ?? false) {
      report(.changesAreTold, "nothing on \(head.short) says what became of \(words)")
    }
    for entry in waiting.sorted() { report(.eachLeavesOnce, "#\(entry) never left the queue") }
    let types = ledger.events.map(\.event.type)
    if types != recordedTypes {
      report(.recordedStays, "\(recordedTypes.count) events were recorded, \(types.count) are in the ledger")
    }
  }

  /// Folding the ledger gives what the engine holds.
  func compare(_ ledger: MemoryLedger, _ states: [(StreamID, StreamState?)]) {
    for (stream, state) in states where ledger.folded(stream) != state {
      report(.replayIsState, "folding \(stream) gives another state than the engine holds")
    }
  }
}
