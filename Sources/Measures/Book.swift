import Kernel
import MergeQueues
import Promotions
import Ramps
import Rollouts

/// The book of everything that the measures need: an incremental fold over facts, from which `report` answers.
///
/// Bounded: each of its five shelves keeps its newest `capacity` facts, and the newest order of each service says
/// which environment is its last. Facts may come late, in any order and twice; the book is the same.
package struct Book: Codable, Equatable, Sendable {
  /// Facts kept of one kind: with three facts a deployment, a deployment every half hour for ten weeks, in about
  /// 2 MB each.
  package static let defaultCapacity = 10_000

  package let capacity: Int
  private(set) var landings = Shelf<LandingRow>()
  private(set) var leavings = Shelf<LeavingRow>()
  private(set) var commits = Shelf<CommitsRow>()
  private(set) var builds = Shelf<BuildRow>()
  private(set) var deliveries = Shelf<DeliveryRow>()
  /// Sorted by service.
  private(set) var lastStages: [LastStage] = []

  package init(capacity: Int = Book.defaultCapacity) { self.capacity = capacity }

  /// Takes note of a fact; what no measure needs is passed over.
  ///
  /// - Parameters:
  ///   - position: the event's place in the ledger; for `commits`, that of the landing that brought them.
  ///   - at: when the ledger recorded it.
  package mutating func record(_ fact: Fact, position: Position, at: Instant) {
    switch fact {
    case .queue(let stream, let event):
      record(queue: event, stream, position: position, at: at)
    case .commits(let stream, let facts):
      let row = CommitsRow(stream: stream, committedAt: facts.map(\.committedAt))
      commits.put(row, position: position, at: at, capacity: capacity)
    case .build(let stream, let event):
      record(build: event, stream, position: position, at: at)
    case .delivery(let stream, let event):
      guard let row = DeliveryRow(stream, event) else { return }
      deliveries.put(row, position: position, at: at, capacity: capacity)
    case .flag(_, let event):
      // A kill that is blamed on a deployment: that change failed, whoever took it back.
      guard case .killed(let environment, let kill, epoch: _, announceTargets: _) = event,
        let blamed = kill.attributed
      else { return }
      deliveries.put(
        .blamed(blamed.service, environment, blamed.digest), position: position, at: at, capacity: capacity)
    }
  }

  private mutating func record(queue event: MergeQueue.Event, _ stream: StreamID, position: Position, at: Instant) {
    if case .landed(let landing) = event {
      landings.put(LandingRow(stream, landing), position: position, at: at, capacity: capacity)
    } else if let leaving = LeavingRow(stream, event) {
      leavings.put(leaving, position: position, at: at, capacity: capacity)
    }
  }

  private mutating func record(build event: Promotion.Event, _ stream: StreamID, position: Position, at: Instant) {
    switch event {
    case .begun(let order):
      let row = BuildRow.begun(
        stream, order.service, order.repository, ordinal: order.ordinal, landedAt: order.landedAt)
      builds.put(row, position: position, at: at, capacity: capacity)
      if let last = order.stages.last { note(LastStage(order.service, last.environment, position)) }
    case .served(let environment, let servedAt):
      builds.put(.served(stream, environment, at: servedAt), position: position, at: at, capacity: capacity)
    // The same change, which is measured from when it first became the trunk.
    case .renewed(let order):
      if let last = order.stages.last { note(LastStage(order.service, last.environment, position)) }
    case .built, .buildFailed, .provenanceVerified, .provenanceRejected, .requested, .taken, .superseded, .condemned,
      .checkPassed, .checkFailed, .soakBegan, .passed, .completed, .halted, .resumed, .schemaAsked, .schemaGranted,
      .schemaRefused, .schemaReconsidered:
      break
    }
  }

  private mutating func note(_ stage: LastStage) {
    guard let index = lastStages.firstIndex(where: { $0.service >= stage.service }) else {
      lastStages.append(stage)
      return
    }
    if lastStages[index].service != stage.service {
      lastStages.insert(stage, at: index)
    } else if lastStages[index].position < stage.position {
      lastStages[index] = stage
    }
  }
}

/// Which environment the newest known order of a service ends in.
struct LastStage: Codable, Equatable, Sendable {
  let service: ServiceName
  let environment: EnvironmentName
  let position: Position
  init(_ service: ServiceName, _ environment: EnvironmentName, _ position: Position) {
    self.service = service
    self.environment = environment
    self.position = position
  }
}

struct LandingRow: Codable, Equatable, Sendable {
  let stream: StreamID
  let commit: CommitID
  let submittedAt: Instant
  let landedAt: Instant
  /// Those of one push share it; nil in histories of before there were builds, where each change was pushed alone.
  let build: Int?
  /// The last of its push: the commit that services build.
  let isTip: Bool
  /// Empty when they were not recorded.
  let waits: [WaitPart]
  /// At most `laneLimit`.
  let lanes: [String]
  let team: String?

  /// The 95th percentile of changes has 4 to 24 lanes (research/merge-queue.md §4.3); a row stays small.
  static let laneLimit = 16

  init(_ stream: StreamID, _ landing: MergeQueue.Landing) {
    self.stream = stream
    commit = landing.commit
    submittedAt = landing.submittedAt
    landedAt = landing.at
    build = landing.build
    isTip = landing.isTip
    waits = landing.waits
    lanes = Array(landing.lanes.prefix(Self.laneLimit))
    team = landing.team
  }
}

/// A change that left a queue without landing.
struct LeavingRow: Codable, Equatable, Sendable {
  let stream: StreamID
  let leftAt: Instant
  let waits: [WaitPart]
  /// At most `LandingRow.laneLimit`.
  let lanes: [String]
  let team: String?

  /// Nil for other events, and for those of before it was recorded where the time went.
  init?(_ stream: StreamID, _ event: MergeQueue.Event) {
    switch event {
    case .ejected(let ejection): self.init(stream, ejection.stay, at: ejection.at)
    case .withdrawn(entry: _, reason: _, let at, let stay): self.init(stream, stay, at: at)
    default: return nil
    }
  }

  private init?(_ stream: StreamID, _ stay: MergeQueue.Stay?, at: Instant) {
    guard let stay else { return nil }
    self.stream = stream
    leftAt = at
    waits = stay.waits
    lanes = Array(stay.lanes.prefix(LandingRow.laneLimit))
    team = stay.team
  }
}

struct CommitsRow: Codable, Equatable, Sendable {
  let stream: StreamID
  let committedAt: [Instant]
}

enum BuildRow: Codable, Equatable, Sendable {
  case begun(StreamID, ServiceName, RepositoryName, ordinal: Int64, landedAt: Instant)
  case served(StreamID, EnvironmentName, at: Instant)
}

/// What makes two deployments the same one.
struct Identity: Codable, Hashable, Sendable {
  let service: ServiceName
  let environment: EnvironmentName
  let digest: Digest
  let configuration: Digest
  init(_ deployment: Deployment) {
    service = deployment.service
    environment = deployment.environment
    digest = deployment.digest
    configuration = deployment.configuration
  }
}

enum DeliveryRow: Codable, Equatable, Sendable {
  case started(StreamID, RolloutID, Rollout.Kind, commit: CommitID, ordinal: Int64)
  case completed(StreamID, RolloutID, Identity, at: Instant)
  case condemned(StreamID, RolloutID, Identity, at: Instant)
  /// Another commit's build is what serves already.
  case confirmed(Identity, commit: CommitID, ordinal: Int64, at: Instant)
  case reported(RollbackReport)
  /// A flag was killed because of it.
  case blamed(ServiceName, EnvironmentName, Digest)

  /// Nil for what no measure needs.
  init?(_ stream: StreamID, _ event: Rollout.Event) {
    switch event {
    case .started(let start):
      self = .started(stream, start.id, start.kind, commit: start.offer.commit, ordinal: start.offer.ordinal)
    case .completed(let rollout, let deployment, let at):
      self = .completed(stream, rollout, Identity(deployment), at: at)
    case .condemned(let condemnation):
      self = .condemned(
        stream, condemnation.rollout, Identity(condemnation.deployment), at: condemnation.decidedAt)
    case .confirmed(let offer, let deployment, let at):
      self = .confirmed(Identity(deployment), commit: offer.commit, ordinal: offer.ordinal, at: at)
    case .reported(let report):
      // A drill took nothing back.
      if report.isDrill { return nil }
      self = .reported(report)
    case .configured, .offered, .superseded, .refusedCondemned, .startExtended, .baselineMeasured, .placed,
      .stepEntered, .routed, .evidenceNoted, .stepPassed, .restored, .retired, .lifted, .instanceEnded, .announced,
      .announcementAbandoned, .troubled, .unconfigured, .closed, .refusedUnconfigured, .gated, .approved, .scalingBegan,
      .scaled, .finishing, .drillOrdered, .drillMoved, .drilled, .drillAbandoned, .frozen, .thawed, .floorRaised,
      .budgetNoted, .troubleEnded, .versionsHeld, .barsNoted, .rollbackAbandoned:
      return nil
    }
  }
}
