import Kernel

/// What people are told when an error budget freezes a place: once for each freeze, and not any more once it is thawed.
extension Rollout.State {
  /// Of the freeze in force; nil when no budget froze the place.
  var budgetAnnouncement: Announcement? {
    guard !isRetired, let policy, let frozen, frozen.freeze.actor == Rollout.budgetActor else { return nil }
    let (service, environment) = (policy.service, policy.environment)
    let place = "\(service) in \(environment)"
    let halted = live.flatMap { held($0) == nil ? nil : $0 }
    let fix = Announcement.Fact(
      "to bring in a fix", "plimsoll promote \(service) COMMIT --override --reason TEXT")
    let thaw = Announcement.Fact(
      "to let versions through", "plimsoll thaw \(environment) --service \(service) --reason TEXT")
    let facts =
      if let halted {
        [
          Announcement.Fact(
            "halted", "rollout \(halted.id), \(halted.canary.commit.short): nothing of it is taken back"),
          Announcement.Fact("to take it back", "plimsoll rollback \(names) --reason TEXT"), thaw,
        ]
      } else {
        [fix, thaw]
      }
    return Announcement(
      id: "\(service)/\(environment)/budget-\(frozen.since.milliseconds)", kind: "frozen", service: service,
      environment: environment,
      headline: halted.map { "\(place): rollout \($0.id) is halted, because an error budget is spent or burns fast" }
        ?? "\(place) takes no new version: an error budget is spent or burns fast",
      reason: frozen.freeze.reason, facts: facts,
      path: halted.map { "/rollouts/\(service)/\(environment)/\($0.id)" } ?? "/services/\(service)/\(environment)",
      at: frozen.since)
  }
}
