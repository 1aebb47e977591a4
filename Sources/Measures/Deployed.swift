import Kernel
import Rollouts

/// A deployment as the measures count it.
struct Deployed {
  let identity: Identity
  /// When it first reached all traffic or was condemned.
  let at: Instant
  let position: Position
  /// The condemnation, if any.
  var condemnedPosition: Position?
}

/// A deployment that reached all traffic, with the landing that it carries.
struct Arrival {
  let identity: Identity
  let commit: CommitID
  let ordinal: Int64
  let at: Instant
  let position: Position
}

/// One walk through the deliveries of the environments asked for, in ledger order.
struct DeliveryWalk {
  /// In the order of their first outcome.
  private(set) var deployments: [Deployed] = []
  private(set) var arrivals: [Arrival] = []
  /// Outcomes of a rollout whose start is not known: they may be rollbacks, so they are not counted.
  private(set) var unattributed = 0
  private(set) var reports: [Shelved<RollbackReport>] = []
  /// Whether anything at all was delivered there.
  private(set) var isEmpty = true

  private struct Key: Hashable {
    let stream: StreamID
    let rollout: RolloutID
  }
  private struct Start {
    let kind: Rollout.Kind
    let commit: CommitID
    let ordinal: Int64
  }
  private var starts: [Key: Start] = [:]
  private var indices: [Identity: Int] = [:]

  init(_ shelf: Shelf<DeliveryRow>, where includes: (ServiceName, EnvironmentName) -> Bool) {
    for shelved in shelf.rows {
      switch shelved.row {
      case .started(let stream, let rollout, let kind, let commit, let ordinal):
        starts[Key(stream: stream, rollout: rollout)] = Start(kind: kind, commit: commit, ordinal: ordinal)
      case .completed(let stream, let rollout, let identity, let at):
        guard includes(identity.service, identity.environment) else { continue }
        isEmpty = false
        complete(identity, starts[Key(stream: stream, rollout: rollout)], at: at, shelved.position)
      case .condemned(let stream, let rollout, let identity, let at):
        guard includes(identity.service, identity.environment) else { continue }
        isEmpty = false
        condemn(identity, starts[Key(stream: stream, rollout: rollout)], at: at, shelved.position)
      case .confirmed(let identity, let commit, let ordinal, let at):
        // Nothing was deployed, but the commits have arrived.
        guard includes(identity.service, identity.environment) else { continue }
        isEmpty = false
        arrivals.append(
          Arrival(identity: identity, commit: commit, ordinal: ordinal, at: at, position: shelved.position))
      case .reported(let report):
        guard includes(report.condemned.service, report.condemned.environment) else { continue }
        reports.append(Shelved(position: shelved.position, at: shelved.at, row: report))
      case .blamed(let service, let environment, let digest):
        guard includes(service, environment) else { continue }
        blame(service, environment, digest, shelved.position)
      }
    }
  }

  private mutating func complete(_ identity: Identity, _ start: Start?, at: Instant, _ position: Position) {
    guard let start else {
      unattributed += 1
      return
    }
    guard start.kind == .forward else { return }
    arrivals.append(
      Arrival(identity: identity, commit: start.commit, ordinal: start.ordinal, at: at, position: position))
    guard indices[identity] == nil else { return }
    add(Deployed(identity: identity, at: at, position: position))
  }

  private mutating func condemn(_ identity: Identity, _ start: Start?, at: Instant, _ position: Position) {
    // A drill finds out what nobody deployed.
    if start?.kind == .drill { return }
    if let index = indices[identity] {
      deployments[index].condemnedPosition = deployments[index].condemnedPosition ?? position
    } else if start?.kind == .forward {
      add(Deployed(identity: identity, at: at, position: position, condemnedPosition: position))
    } else {
      unattributed += 1
    }
  }

  /// The last deployment of that artifact; what never reached all traffic here was not counted and is not now.
  private mutating func blame(
    _ service: ServiceName, _ environment: EnvironmentName, _ digest: Digest, _ position: Position
  ) {
    guard
      let index = deployments.lastIndex(where: {
        $0.identity.service == service && $0.identity.environment == environment && $0.identity.digest == digest
      })
    else { return }
    deployments[index].condemnedPosition = deployments[index].condemnedPosition ?? position
  }

  private mutating func add(_ deployed: Deployed) {
    indices[deployed.identity] = deployments.count
    deployments.append(deployed)
  }
}
