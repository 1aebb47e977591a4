import Kernel

/// Real responses as HAProxy saw them: its per-request log, reconciled with its own counters.
///
/// Map: `LogSockets` reads lines, `RequestLine` understands one, `ServerTrack` and `HangingRequests` keep counters
/// beside them, `SourceWatch` says whether they agree, `EvidenceReader` makes bins for one consumer, `LatencyHistory`
/// remembers 15 minutes, `EvidenceFeed` is where they meet. Readiness probes go to instances directly and never show
/// here. Streams end when this object goes: its owner keeps it as long as anybody reads.
package final class HAProxyTelemetry: Telemetry {
  private let feeds: [EnvironmentName: EvidenceFeed]

  /// Listens at once, so that nothing is missed once HAProxy starts.
  ///
  /// - Parameters:
  ///   - folder: the same as the `HAProxyRouter`'s.
  ///   - flagged: who wants to know what services say of flags.
  package init(folder: String, environments: [EnvironmentName], flagged: (any FlaggedRequests)? = nil) {
    feeds = Dictionary(
      environments.map { ($0, EvidenceFeed(root: folder, environment: $0, flagged: flagged)) },
      uniquingKeysWith: { first, _ in first })
    for feed in feeds.values { feed.start() }
  }
  deinit { for feed in feeds.values { feed.stop() } }

  package func bins(service: ServiceName, environment: EnvironmentName, slowerThan: Span, width: Span)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  {
    guard let feed = feeds[environment] else { throw Self.unknown("\(environment)") }
    return feed.bins(service: service, slowerThan: slowerThan, width: width)
  }

  /// At most `LatencyHistory.keptSeconds` back; requests still open are not among them.
  package func history(of deployment: DeploymentID, slowerThan: Span, window: Span) async throws(Outage)
    -> RequestCounts
  {
    try await feed(of: deployment).totals(of: deployment, slowerThan: slowerThan, window: window)
  }

  package func historyWindows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span)
    async throws(Outage) -> [RequestCounts]
  {
    try await feed(of: deployment).windows(of: deployment, slowerThan: slowerThan, window: window, width: width)
  }

  package func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async throws(Outage) -> Harm {
    try await feed(of: deployment).harm(by: deployment, slowerThan: slowerThan, since: since)
  }

  /// The second part of a deployment's id is its environment.
  private func feed(of deployment: DeploymentID) throws(Outage) -> EvidenceFeed {
    let name = String(deployment.rawValue.split(separator: ".")[1])
    guard let environment = EnvironmentName(rawValue: name), let feed = feeds[environment] else {
      throw Self.unknown(name)
    }
    return feed
  }

  private static func unknown(_ environment: String) -> Outage {
    Outage("telemetry", "watches no environment \(environment); add it to plimsoll.yaml and restart")
  }
}
