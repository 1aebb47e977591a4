import Kernel

extension Observation {
  /// What plimsoll.yaml says of an observed place. Addresses of pages are not in it: they may hold secrets.
  package struct Policy: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let environment: EnvironmentName
    package let versions: VersionSource
    package let judge: JudgePolicy
    /// How long a new version is judged. What the team does later is still counted.
    package let bake: Span
    /// How many targets announcements go to.
    package let announceTargets: Int

    /// Longer than a rollout's final watch, because nobody is held up.
    package static let defaultBake = Span.minutes(30)
    /// A day: a watch is for the deployment, not for all that happens to a service.
    package static let bakes = Span.minutes(1)...Span.minutes(24 * 60)

    package init(
      service: ServiceName, environment: EnvironmentName, versions: VersionSource, judge: JudgePolicy,
      bake: Span = defaultBake, announceTargets: Int
    ) {
      self.service = service
      self.environment = environment
      self.versions = versions
      self.judge = judge
      self.bake = bake
      self.announceTargets = announceTargets
    }

    package func arm(of version: ObservedVersion) -> DeploymentID { versions.arm(of: version, service, environment) }

    /// What is wrong with it, in one sentence; nil when nothing is.
    package var fault: String? {
      guard bake > .zero else { return "\(service) in \(environment) is observed for no time: give a bake above 0." }
      guard announceTargets >= 0 else {
        return "\(service) in \(environment) has \(announceTargets) announce targets: give 0 or more."
      }
      return nil
    }
  }
}
