/// Which versions of a service serve now.
package struct VersionSighting: Codable, Equatable, Sendable {
  /// A version that served and does not any more.
  package struct Departure: Codable, Equatable, Sendable {
    package let version: ObservedVersion
    package let lastSeenAt: Instant
    package init(_ version: ObservedVersion, lastSeenAt: Instant) {
      self.version = version
      self.lastSeenAt = lastSeenAt
    }
  }
  /// The one on most pages first, then the one with most requests.
  package let versions: [ObservedVersion]
  /// Those known that are not among `versions`, sorted by version.
  package let gone: [Departure]
  package let at: Instant
  package init(_ versions: [ObservedVersion], gone: [Departure] = [], at: Instant) {
    self.versions = versions
    self.gone = gone
    self.at = at
  }
}

/// What services that something else deploys show of themselves. Kind: *by lookup*; nothing changes in any peer.
package protocol ObservedTelemetry: Sendable {
  /// One sighting at once, when there is any, then one at every change and again now and then, until the consumer ends.
  func sightings(_ service: ServiceName, _ environment: EnvironmentName) async throws(Outage)
    -> AsyncStream<VersionSighting>
  /// Bins from `since` on, as far back as is remembered, then live, until the consumer ends. Arms are named by
  /// `VersionSource.arm`.
  func bins(_ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span, since: Instant)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  /// Windows of `width` of one arm within [from, until), oldest first, as far back as is remembered.
  func windows(
    of arm: DeploymentID, _ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span, from: Instant,
    until: Instant, width: Span
  ) async throws(Outage) -> [RequestCounts]
}
