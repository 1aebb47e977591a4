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

  /// What the router is to send.
  package struct Routing: Codable, Equatable, Sendable {
    /// Sorted by deployment.
    package let shares: [TrafficShare]
    package let preview: PreviewRoute?
    /// Counts what was wanted in this place: that an earlier want of the same shares was confirmed says nothing of this
    /// one.
    package let number: Int
    package init(_ shares: [TrafficShare], _ preview: PreviewRoute? = nil, number: Int) {
      self.shares = shares
      self.preview = preview
      self.number = number
    }
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
    /// Standing: keep instances running, no more than `limit` of them, and report.
    case run(Deployment, limit: Int?)
    /// Standing. Reports `routed` once the router confirmed exactly this, and again after the router lost its state. A
    /// deployment with a share may still be starting: wait for its first endpoint, but take the shares of the others away
    /// at once.
    case route(Routing)
    case measureBaseline(RolloutID, DeploymentID, slowerThan: Span)
    /// Standing: reports `judged` after every bin.
    case watch(WatchOrder)
    case wake(at: Instant, EffectKey)
    case collectAftermath(AftermathOrder)
    /// What a deployment answered since then: a drill's.
    case countServed(RolloutID, DeploymentID, since: Instant, slowerThan: Span)
    case retire(Deployment)
    /// The router offers the service here no more.
    case close(service: ServiceName, environment: EnvironmentName)
    /// Standing: reports `budgetLooked`, about once a minute.
    case watchBudget(BudgetOrder)
    case announce(Announcement, target: Int)

    package var key: EffectKey {
      switch self {
      case .seal(let offer, service: _, environment: _): EffectKey("seal/\(offer.ordinal)")
      case .run(let deployment, let limit):
        EffectKey("run/" + deployment.id.rawValue + (limit.map { "#\($0)" } ?? ""))
      case .route(let routing):
        EffectKey(
          "route/" + routing.shares.map { $0.deployment.rawValue + "=" + String($0.percent) }.joined(separator: ",")
            + (routing.preview.map { "+\($0.words)" } ?? "") + "@\(routing.number)")
      case .measureBaseline(let rollout, _, slowerThan: _): EffectKey("baseline/\(rollout)")
      case .watch(let order): EffectKey("watch/\(order.rollout)")
      case .wake(at: _, let key): key
      case .collectAftermath(let order): EffectKey("aftermath/\(order.rollout)")
      case .countServed(let rollout, _, since: _, slowerThan: _): EffectKey("served/\(rollout)")
      case .retire(let deployment): EffectKey("retire/\(deployment.id)")
      case .close: EffectKey("close")
      case .watchBudget(let order): EffectKey("budget/\(order.number)")
      case .announce(let announcement, let target): Rollout.announceKey(announcement.id, target)
      }
    }

    package var lane: Lane {
      switch self {
      // A place may be closed while its bad version still has traffic.
      case .run, .route, .watch, .collectAftermath, .close: .protect
      case .seal, .measureBaseline, .wake, .countServed, .retire, .announce, .watchBudget: .progress
      }
    }

    package var retry: RetryBudget {
      switch self {
      case .run, .route, .watch, .wake, .retire, .close, .watchBudget: .persistent
      case .seal, .measureBaseline, .collectAftermath, .countServed: .bounded
      case .announce: .patient
      }
    }
  }

  package static func effects(of state: State) -> [Effect] {
    var wanted: [Effect] = []
    let shares = state.wantedShares
    if !shares.isEmpty { wanted.append(.route(Routing(shares, state.wantedPreview, number: state.routings))) }
    wanted += state.wantedRuns.map { .run($0, limit: state.limit(of: $0.id)) }
    wanted += phaseEffects(of: state)
    for timer in [state.timer, state.isRetired ? nil : state.frozen?.timer].compactMap(\.self) {
      wanted.append(.wake(at: timer.at, timer.key))
    }
    if let order = state.budgetOrder { wanted.append(.watchBudget(order)) }
    wanted += state.stoppable.map { .retire($0) }
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
      guard course.needsBaseline, let knownGood = course.start.knownGood else { return [] }
      return [.measureBaseline(course.id, knownGood.id, slowerThan: course.policy.judge.slowerThan)]
    case .drilling(let course, .counting):
      guard let since = course.exposedSince else { return [] }
      let slowerThan = course.policy.judge.slowerThan
      return watch(course) + [.countServed(course.id, course.canary.id, since: since, slowerThan: slowerThan)]
    case .drilling(let course, _), .stepping(let course, index: _), .scaling(let course, index: _),
      .watching(let course, index: _, since: _), .gated(let course, index: _, _, since: _),
      .finalWatch(let course, since: _), .finishing(let course):
      return watch(course)
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

  private static func watch(_ course: Course) -> [Effect] {
    guard course.isJudged, let began = course.exposedSince else { return [] }
    return [
      .watch(
        WatchOrder(
          rollout: course.id, canary: course.canary.id, control: course.start.knownGood?.id,
          policy: course.policy.judge, baseline: course.baseline ?? .none, checkpoint: course.note?.checkpoint,
          began: began))
    ]
  }

  static func announceKey(_ id: String, _ target: Int) -> EffectKey { EffectKey("announce/\(id)/\(target)") }
}

extension PreviewRoute {
  /// One for each route, for a key.
  fileprivate var words: String {
    switch match {
    case .header(let name, let value): "\(deployment.rawValue)+header \(name): \(value)"
    case .cookie(let name, let value): "\(deployment.rawValue)+cookie \(name)=\(value)"
    }
  }
}
