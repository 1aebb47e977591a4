import Kernel

extension Watch {
  /// What people are told when a rollout of Plimsoll's would have gone back: in time to act on it.
  func announcement(_ conviction: Conviction) -> Announcement {
    let (service, environment) = (policy.service, policy.environment)
    return Announcement(
      id: "\(service)/\(environment)/observed/\(id)", kind: "would-have-rolled-back", service: service,
      environment: environment,
      headline: "\(service) in \(environment): Plimsoll would roll back \(deployed.version) now",
      reason: conviction.sentence,
      facts: [
        Announcement.Fact("deployed", deployed.version.rawValue),
        Announcement.Fact("before it", deployed.previous.rawValue),
        Announcement.Fact("deployed to decision", max(conviction.decidedAt - deployed.at, .zero).words),
        Announcement.Fact("requests hurt", "\(conviction.observed.hurt)"),
        Announcement.Fact("what Plimsoll does", "nothing: this place is only observed"),
      ], path: "/observations/\(service)/\(environment)/\(id)", at: conviction.decidedAt)
  }
}
