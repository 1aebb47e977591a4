import Kernel

extension Rollout {
  /// One long watch over all steps of a rollout. Its key does not change when the checkpoint does: a running watch
  /// goes on, one started after a crash resumes.
  package struct WatchOrder: Equatable, Sendable {
    package let rollout: RolloutID
    package let canary: DeploymentID
    package let control: DeploymentID?
    package let policy: JudgePolicy
    package let baseline: Baseline
    package let checkpoint: JudgeCheckpoint?
    /// When the canary's first share was wanted.
    package let began: Instant
  }

  package struct AftermathOrder: Equatable, Sendable {
    package let rollout: RolloutID
    package let canary: DeploymentID
    package let control: DeploymentID?
    package let slowerThan: Span
    /// When the canary's first share was wanted.
    package let since: Instant
    package let restoredAt: Instant
  }

  // Indirect: some cases are large, and a turn moves each effect several times.
  package indirect enum Effect: WantedEffect {
    case seal(Offer, service: ServiceName, environment: EnvironmentName)
    /// Standing: keep instances running and report.
    case run(Deployment)
    /// Standing: sorted by deployment. Reports `routed` once the router confirmed exactly these, and again after the
    /// router lost its state. A deployment with a share may still be starting: wait for its first endpoint, but take
    /// the shares of the others away at once.
    case route([TrafficShare])
    case measureBaseline(RolloutID, DeploymentID, slowerThan: Span)
    /// Standing: reports `judged` after every bin.
    case watch(WatchOrder)
    case wake(at: Instant, EffectKey)
    case collectAftermath(AftermathOrder)
    case retire(Deployment)
    /// The router offers the service here no more.
    case close(service: ServiceName, environment: EnvironmentName)
    case announce(Announcement, target: Int)

    package var key: EffectKey {
      switch self {
      case .seal(let offer, service: _, environment: _): EffectKey("seal/\(offer.ordinal)")
      case .run(let deployment): EffectKey("run/" + deployment.id.rawValue)
      case .route(let shares):
        EffectKey("route/" + shares.map { $0.deployment.rawValue + "=" + String($0.percent) }.joined(separator: ","))
      case .measureBaseline(let rollout, _, slowerThan: _): EffectKey("baseline/\(rollout)")
      case .watch(let order): EffectKey("watch/\(order.rollout)")
      case .wake(at: _, let key): key
      case .collectAftermath(let order): EffectKey("aftermath/\(order.rollout)")
      case .retire(let deployment): EffectKey("retire/\(deployment.id)")
      case .close: EffectKey("close")
      case .announce(let announcement, let target): Rollout.announceKey(announcement.id, target)
      }
    }

    package var lane: Lane {
      switch self {
      // A place may be closed while its bad version still has traffic.
      case .run, .route, .watch, .collectAftermath, .close: .protect
      case .seal, .measureBaseline, .wake, .retire, .announce: .progress
      }
    }

    package var retry: RetryBudget {
      switch self {
      case .run, .route, .watch, .wake, .retire, .close: .persistent
      case .seal, .measureBaseline, .collectAftermath: .bounded
      case .announce: .patient
      }
    }
  }

  package static func effects(of state: State) -> [Effect] {
    var wanted: [Effect] = []
    let shares = state.wantedShares
    if !shares.isEmpty { wanted.append(.route(shares)) }
    wanted += state.wantedRuns.map { .run($0) }
    wanted += phaseEffects(of: state)
    wanted += state.retiring.map { .retire($0) }
    for waiting in state.announcements {
      wanted += waiting.targets.map { .announce(waiting.announcement, target: $0) }
    }
    return wanted
  }

  private static func phaseEffects(of state: State) -> [Effect] {
    switch state.phase {
    case .idle, .restoring, .closed: return []
    case .closing:
      guard let policy = state.policy else { return [] }
      return [.close(service: policy.service, environment: policy.environment)]
    case .sealing(let offer):
      guard let policy = state.policy else { return [] }
      return [.seal(offer, service: policy.service, environment: policy.environment)]
    case .placing(let course):
      var wanted: [Effect] = []
      if course.needsBaseline, let knownGood = course.start.knownGood {
        wanted.append(.measureBaseline(course.id, knownGood.id, slowerThan: course.policy.judge.slowerThan))
      }
      if let timer = state.timer { wanted.append(.wake(at: timer.at, timer.key)) }
      return wanted
    case .stepping(let course, index: _), .watching(let course, index: _, since: _), .finalWatch(let course, since: _):
      var wanted: [Effect] = []
      if course.isJudged, let began = course.exposedSince { wanted.append(.watch(watchOrder(course, began))) }
      if let timer = state.timer { wanted.append(.wake(at: timer.at, timer.key)) }
      return wanted
    case .reporting(let course, _, let restoredAt):
      guard let since = course.exposedSince else { return [] }
      return [
        .collectAftermath(
          AftermathOrder(
            rollout: course.id, canary: course.canary.id, control: course.start.knownGood?.id,
            slowerThan: course.policy.judge.slowerThan, since: since, restoredAt: restoredAt))
      ]
    }
  }

  private static func watchOrder(_ course: Course, _ began: Instant) -> WatchOrder {
    WatchOrder(
      rollout: course.id, canary: course.canary.id, control: course.start.knownGood?.id, policy: course.policy.judge,
      baseline: course.baseline ?? .none, checkpoint: course.note?.checkpoint, began: began)
  }

  static func announceKey(_ id: String, _ target: Int) -> EffectKey { EffectKey("announce/\(id)/\(target)") }
}

/// One instant at which the machine wants to be woken.
struct RolloutTimer: Equatable {
  let at: Instant
  let key: EffectKey
}

extension Rollout.State {
  /// Who should get which share now, sorted by deployment; empty when nothing was ever placed in traffic.
  ///
  /// The version without traffic is named with 0 while a rollout runs, so that the router keeps it warm: a rollback is
  /// then a change of weights only. It sums to 100, or to 0 when a first deployment is taken out.
  package var wantedShares: [TrafficShare] {
    let serving = knownGood.first?.deployment
    switch phase {
    case .idle, .sealing, .placing:
      return serving.map { [TrafficShare($0.id, percent: 100)] } ?? []
    case .stepping(let course, let index), .watching(let course, let index, since: _):
      return shares(course, canary: course.percent(at: index))
    case .finalWatch(let course, since: _):
      return shares(course, canary: 100)
    case .restoring(let course, _), .reporting(let course, _, restoredAt: _):
      let target = serving.map { [TrafficShare($0.id, percent: 100)] } ?? []
      guard course.exposedSince != nil else { return target }
      let emptied = ([course.canary] + (course.start.knownGood.map { [$0] } ?? [])).filter { $0.id != serving?.id }
      return (target + emptied.map { TrafficShare($0.id, percent: 0) }).sorted()
    // Not shares of 0: the router is to forget the service.
    case .closing, .closed:
      return []
    }
  }

  private func shares(_ course: Course, canary percent: Int) -> [TrafficShare] {
    let old = course.start.knownGood.map { [TrafficShare($0.id, percent: 100 - percent)] } ?? []
    return ([TrafficShare(course.canary.id, percent: percent)] + old).sorted()
  }

  /// What should be running now: who serves first, then the canary. A condemned version is left to its instances,
  /// unsupervised and without traffic, until it is retired.
  package var wantedRuns: [Deployment] {
    switch phase {
    case .closing, .closed:
      return []
    case .idle, .sealing, .restoring, .reporting:
      return knownGood.first.map { [$0.deployment] } ?? []
    case .placing(let course), .stepping(let course, index: _), .watching(let course, index: _, since: _),
      .finalWatch(let course, since: _):
      let old = course.start.knownGood.map { condemns($0) ? [] : [$0] } ?? []
      return old + [course.canary]
    }
  }

  /// The timer of this phase. Waking always leads on, so that no timer is wanted again after it rang: a judged step
  /// has none, because it passes only on a verdict that arrives when its time is up.
  var timer: RolloutTimer? {
    switch phase {
    case .idle, .sealing, .stepping, .restoring, .reporting, .closing, .closed: return nil
    case .placing(let course):
      guard course.endpoints == nil else { return nil }
      return RolloutTimer(
        at: course.readyBy, key: EffectKey("wake/start/\(course.id)/\(course.extensions)"))
    case .watching(let course, let index, let since):
      guard !course.isJudged else { return nil }
      return RolloutTimer(
        at: since + course.policy.stepMinimum, key: EffectKey("wake/step/\(course.id)/\(index)"))
    case .finalWatch(let course, let since):
      guard !course.isJudged else { return nil }
      let index = course.start.steps.count - 1
      return RolloutTimer(
        at: since + course.policy.finalWatch, key: EffectKey("wake/final/\(course.id)/\(index)"))
    }
  }

  /// The rollout that may still succeed; nil when none runs or its canary is condemned.
  package var live: Course? {
    switch phase {
    case .idle, .sealing, .restoring, .reporting, .closing, .closed: nil
    case .placing(let course), .stepping(let course, index: _), .watching(let course, index: _, since: _),
      .finalWatch(let course, since: _):
      course
    }
  }

  /// The rollout that is running, whichever way it goes.
  package var running: Course? {
    switch phase {
    case .idle, .sealing, .closing, .closed: nil
    case .placing(let course), .stepping(let course, index: _), .watching(let course, index: _, since: _),
      .finalWatch(let course, since: _), .restoring(let course, _), .reporting(let course, _, restoredAt: _):
      course
    }
  }

  package func condemns(_ deployment: Deployment) -> Bool { condemned.contains { $0.covers(deployment) } }
  /// Whether the digest is condemned whatever its configuration.
  package func condemns(_ digest: Digest) -> Bool {
    condemned.contains { $0.digest == digest && $0.configuration == nil }
  }
}
