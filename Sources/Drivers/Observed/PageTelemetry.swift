import Kernel

/// The metrics pages of a service that something else deploys.
package struct ObservedPages: Equatable, Sendable {
  package let service: ServiceName
  package let environment: EnvironmentName
  package let source: VersionSource
  /// One for each instance, or one for them all.
  package let urls: [String]
  /// Nil to find the usual conventions.
  package let mapping: MetricsMapping?
  /// Routes of readiness probes and of the pages themselves.
  package let excludedRoutes: [String]
  package init(
    _ service: ServiceName, _ environment: EnvironmentName, source: VersionSource, urls: [String],
    mapping: MetricsMapping?, excludedRoutes: [String]
  ) {
    self.service = service
    self.environment = environment
    self.source = source
    self.urls = urls
    self.mapping = mapping
    self.excludedRoutes = excludedRoutes
  }
}

/// What observed places show on their metrics pages, asked once a second and taken apart by version.
///
/// Map: `VersionedScrape` asks one page, `VersionedFeed` puts a place's pages together and says which versions serve,
/// `VersionFollower` asks again and again. Parsing, conventions and counters are those of `ScrapedTelemetry`.
package final class PageTelemetry: ObservedTelemetry {
  private let followers: [String: VersionFollower]
  private let following: [Task<Void, Never>]

  /// Begins to look at once, so that there is a baseline when a version comes.
  package init(_ places: [ObservedPages], fetcher: any HTTPFetcher, interval: Span = MetricsFollower.interval) {
    followers = Dictionary(
      places.map { place in
        (Self.name(place.service, place.environment), VersionFollower(place, fetcher: fetcher, interval: interval))
      }, uniquingKeysWith: { first, _ in first })
    following = followers.values.map { follower in Task { await follower.follow() } }
  }
  deinit { for task in following { task.cancel() } }

  package func sightings(_ service: ServiceName, _ environment: EnvironmentName) async throws(Outage)
    -> AsyncStream<VersionSighting>
  {
    try await follower(service, environment).sightings()
  }

  package func bins(_ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span, since: Instant)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  {
    try await follower(service, environment).bins(slowerThan: slowerThan, since: since)
  }

  package func windows(
    of arm: DeploymentID, _ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span, from: Instant,
    until: Instant, width: Span
  ) async throws(Outage) -> [RequestCounts] {
    try await follower(service, environment)
      .windows(of: arm, slowerThan: slowerThan, from: from, until: until, width: width)
  }

  private func follower(_ service: ServiceName, _ environment: EnvironmentName) throws(Outage) -> VersionFollower {
    guard let follower = followers[Self.name(service, environment)] else {
      throw Outage(
        "metrics", "no pages of \(service) in \(environment) are read; restart with today's plimsoll.yaml")
    }
    return follower
  }

  private static func name(_ service: ServiceName, _ environment: EnvironmentName) -> String {
    "\(service)/\(environment)"
  }
}
