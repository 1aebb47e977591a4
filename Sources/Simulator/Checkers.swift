import ControlPlane
import Kernel
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

  /// Traffic must have left a condemned version, seconds of an uninterrupted process (issue 2: "no bad version keeps
  /// traffic more than 10 s after a restart").
  static let restorationLimit = Span.seconds(10)
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
  private var digests: [CommitID: (Digest, EnvironmentName)] = [:]
  private var landings: [CommitID: Position] = [:]
  private var begun: Set<CommitID> = []
  private var newest: [StreamID: Position] = [:]
  private var exposed: [StreamID: Instant] = [:]
  /// Places that plimsoll.yaml does not name, until they have traffic again: nobody promises capacity there.
  private var retired: Set<StreamID> = []
  /// Landings of a service that plimsoll.yaml did not name then: nobody promises to build them.
  private var excused: Set<CommitID> = []
  private var isServiceNamed = true
  private var announced: [String] = []
  private(set) var recordedTypes: [String] = []

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
    if !world.runner.tested.contains(commit) {
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

  func fetched(_ commit: CommitID, _ bytes: Digest, in environment: EnvironmentName) {
    if let (known, place) = digests[commit], known != bytes {
      report(.oneDigest, "\(commit.short) is \(known.short) in \(place) and \(bytes.short) in \(environment)")
    }
    digests[commit] = digests[commit] ?? (bytes, environment)
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

  func routed(_ shares: [TrafficShare], in stream: StreamID, _ fence: Fence) {
    guard var list = condemned[stream] else { return }
    for index in list.indices {
      let knows = fence.position >= list[index].position
      let sends = shares.contains { $0.percent > 0 && list[index].covers($0.deployment) }
      if sends, knows || list[index].isConfirmed {
        report(.condemnedStaysOut, "\(list[index].deployment.id) got traffic after it was condemned in \(stream)")
      }
      if knows { list[index].isConfirmed = true }
    }
    condemned[stream] = list
  }

  // MARK: The ledger

  func recorded(_ event: RecordedEvent<StreamEvent>) {
    recordedTypes.append(event.event.type)
    switch event.event {
    case .settings(.applied(let topology)):
      isServiceNamed = !topology.services.isEmpty
      // What landed just before is routed under the new topology.
      if !isServiceNamed { excused.formUnion(landings.keys.filter { !begun.contains($0) }) }
    case .settings: break
    case .queue(.landed(let landing)): landed(landing.commit, event.position)
    // A trunk that was forced back makes its commit the newest again.
    case .queue(.trunkMoved(from: _, let to, at: _)): landed(to, event.position)
    case .queue: break
    case .build(.begun(let order)): begun.insert(order.commit)
    case .build(.renewed): renewals += 1
    case .build: break
    case .delivery(let inner): delivery(inner, event.stream, event.position)
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
    case .routed(let shares, at: _): if !shares.isEmpty { retired.remove(stream) }
    case .announcementAbandoned(let id, let target, why: _):
      announced.removeAll { $0 == SimulatedAnnouncer.name(id, target) }
    case .configured, .offered, .superseded, .refusedCondemned, .confirmed, .startExtended, .baselineMeasured,
      .placed, .stepEntered, .evidenceNoted, .stepPassed, .restored, .retired, .instanceEnded, .announced, .troubled,
      .closed, .refusedUnconfigured:
      break
    }
  }

  private func started(_ start: Rollout.RolloutStart, _ stream: StreamID) {
    rollouts += 1
    exposed[stream] = nil
    guard start.kind == .forward, let landing = landings[start.deployment.commit] else { return }
    if let newest = newest[stream], landing < newest {
      report(.newerWins, "\(start.deployment.commit.short) went forward in \(stream) over a newer one")
    }
    newest[stream] = max(newest[stream] ?? landing, landing)
  }

  private func completed(_ deployment: Deployment, _ stream: StreamID) {
    guard stream == SimulatedNames.productionDelivery, let since = exposed[stream],
      world.forge.behaviour(of: deployment.commit).hurtsTraffic, world.traffic.disturbedAt < since
    else { return }
    report(.badNeverCompletes, "\(deployment.id) hurts users and completed its rollout")
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

  // MARK: At the end

  /// When everything is at rest.
  func settleAccounts(_ ledger: MemoryLedger) {
    for name in announced where !world.announcer.delivered.contains(name) {
      report(.peopleAreTold, "nobody was told of \(name)")
    }
    for (commit, _) in landings.sorted(by: { $0.value < $1.value })
    where !begun.contains(commit) && !excused.contains(commit) {
      report(.landedIsBuilt, "\(commit.short) landed and was never built")
    }
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
