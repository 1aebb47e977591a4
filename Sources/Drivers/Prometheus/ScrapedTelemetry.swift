import Kernel

/// A service whose instances show metrics in one environment.
package struct ScrapedService: Equatable, Sendable {
  package let service: ServiceName
  package let environment: EnvironmentName
  /// Nil to find the usual conventions.
  package let mapping: MetricsMapping?
  /// Paths of readiness probes and of the metrics page.
  package let excludedRoutes: [String]
  package init(
    _ service: ServiceName, _ environment: EnvironmentName, mapping: MetricsMapping?, excludedRoutes: [String]
  ) {
    self.service = service
    self.environment = environment
    self.mapping = mapping
    self.excludedRoutes = excludedRoutes
  }
}

/// What instances say of themselves on their metrics pages, asked once a second.
///
/// Map: `MetricsScrape` asks one instance, `ExpositionParser` reads its page, `MetricsMapping` says which metrics count
/// and `MetricsConventions` finds them, `InstanceTrack` makes differences of counters, `MetricsFeed` puts a service's
/// instances together, `MetricsFollower` asks again and again and remembers 15 minutes. Looks end when this object goes.
package final class ScrapedTelemetry: Telemetry {
  private let followers: [DeploymentPlace: MetricsFollower]
  private let following: [Task<Void, Never>]

  /// Begins to look at once, so that a baseline is there when it is wanted.
  ///
  /// - Parameter targets: the instances to ask now; called before each look.
  package init(
    _ services: [ScrapedService], fetcher: any HTTPFetcher, interval: Span = MetricsFollower.interval,
    targets: @escaping @Sendable (ServiceName, EnvironmentName) async -> [MetricsTarget]
  ) {
    followers = Dictionary(
      services.map { service in
        let follower = MetricsFollower(service, scrape: MetricsScrape(fetcher: fetcher), interval: interval) {
          await targets(service.service, service.environment)
        }
        return (DeploymentPlace(service: service.service.rawValue, environment: service.environment.rawValue), follower)
      }, uniquingKeysWith: { first, _ in first })
    following = followers.values.map { follower in Task { await follower.follow() } }
  }
  deinit { for task in following { task.cancel() } }

  /// At most one bin a look, however short `width` is.
  package func bins(service: ServiceName, environment: EnvironmentName, slowerThan: Span, width: Span)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  {
    try await follower(service.rawValue, environment.rawValue).bins(slowerThan: slowerThan, width: width)
  }

  /// At most `MetricsFollower.keptSeconds` back, whole looks; requests still open are not among them.
  package func history(of deployment: DeploymentID, slowerThan: Span, window: Span) async throws(Outage)
    -> RequestCounts
  {
    try await follower(of: deployment).counts(of: deployment, slowerThan: slowerThan, since: .now - window).counts
  }

  /// Metrics know no clients, so nobody's repeats: how errors crowd together shows here alone.
  package func historyWindows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span)
    async throws(Outage) -> [RequestCounts]
  {
    try await follower(of: deployment)
      .windows(of: deployment, slowerThan: slowerThan, since: .now - window, width: width)
  }

  /// Metrics know no clients: `clientMinutes` is 0.
  package func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async throws(Outage) -> Harm {
    try await follower(of: deployment).counts(of: deployment, slowerThan: slowerThan, since: since)
  }

  /// Memory and processor time of each instance that is asked, sorted by instance.
  package func resources(of deployment: DeploymentID) async throws(Outage) -> [InstanceResources] {
    try await follower(of: deployment).resources(of: deployment)
  }

  /// What the metrics of a service cannot tell, in sentences for a person.
  package func caveats(service: ServiceName, environment: EnvironmentName, slowerThan: Span) async throws(Outage)
    -> [String]
  {
    try await follower(service.rawValue, environment.rawValue).caveats(slowerThan: slowerThan)
  }

  /// The first two parts of a deployment's id are its service and environment.
  private func follower(of deployment: DeploymentID) throws(Outage) -> MetricsFollower {
    let parts = deployment.rawValue.split(separator: ".")
    return try follower(String(parts[0]), String(parts[1]))
  }

  private func follower(_ service: String, _ environment: String) throws(Outage) -> MetricsFollower {
    guard let follower = followers[DeploymentPlace(service: service, environment: environment)] else {
      throw Outage(
        "metrics", "no metrics of \(service) in \(environment) are read; add them to plimsoll.yaml and restart")
    }
    return follower
  }
}

private struct DeploymentPlace: Hashable {
  let service: String
  let environment: String
}
