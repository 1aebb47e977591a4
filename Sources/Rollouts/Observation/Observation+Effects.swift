import Kernel

extension Observation {
  /// All that a watch needs.
  package struct WatchOrder: Codable, Equatable, Sendable {
    package let deployment: ObservedID
    package let canary: DeploymentID
    /// Whose minutes before are the baseline.
    package let previous: DeploymentID
    /// The version before, where its requests can be told apart; nil where there is only before and after.
    package let control: DeploymentID?
    package let policy: JudgePolicy
    package let since: Instant
    package let checkpoint: JudgeCheckpoint?
  }

  package enum Effect: WantedEffect {
    /// Standing: say which versions serve.
    case observeVersions(ServiceName, EnvironmentName)
    /// One long effect: evidence through the judge. Its checkpoint is as old as the watch's start; the key leaves a
    /// running watch alone when it changes.
    case watch(WatchOrder)
    case wake(Instant, EffectKey)
    case announce(Announcement, target: Int)

    package var key: EffectKey {
      switch self {
      case .observeVersions: EffectKey("versions")
      case .watch(let order): EffectKey("watch/\(order.deployment)")
      case .wake(_, let key): key
      case .announce(let announcement, let target): announceKey(announcement.id, target)
      }
    }
    package var lane: Lane { .progress }
    package var retry: RetryBudget {
      switch self {
      case .observeVersions, .watch, .wake: .persistent
      case .announce: .patient
      }
    }
  }

  static func announceKey(_ id: String, _ target: Int) -> EffectKey { EffectKey("announce/\(id)/\(target)") }
  static func wakeKey(_ id: ObservedID) -> EffectKey { EffectKey("wake/\(id)") }

  package static func effects(of state: State) -> [Effect] {
    guard let policy = state.policy else { return [] }
    let telling = state.announcements.flatMap { waiting in
      waiting.targets.map { Effect.announce(waiting.announcement, target: $0) }
    }
    var looking = telling
    if policy.versions != .reported { looking.append(.observeVersions(policy.service, policy.environment)) }
    switch state.phase {
    case .closed: return telling
    case .unseen, .serving: return looking
    case .watching(let watch):
      return looking + [.watch(order(watch)), .wake(watch.endsAt + settlePatience, wakeKey(watch.id))]
    }
  }

  private static func order(_ watch: Watch) -> WatchOrder {
    let canary = watch.policy.arm(of: watch.deployed.version)
    let previous = watch.policy.arm(of: watch.deployed.previous)
    return WatchOrder(
      deployment: watch.id, canary: canary, previous: previous, control: previous == canary ? nil : previous,
      policy: watch.policy.judge, since: watch.deployed.at, checkpoint: watch.note?.checkpoint)
  }
}
