import Kernel

/// Evidence of each place from the source that was chosen for it: its own metrics pages, or else the router's log.
package struct EvidenceSources: Telemetry {
  private let log: any Telemetry
  private let metrics: any Telemetry
  /// "service.environment", as deployments' ids begin.
  private let scraped: Set<String>

  /// - Parameter scraped: the places that `metrics` knows.
  package init(log: any Telemetry, metrics: any Telemetry, scraped: [(ServiceName, EnvironmentName)]) {
    self.log = log
    self.metrics = metrics
    self.scraped = Set(scraped.map { "\($0.0).\($0.1)" })
  }

  package func bins(service: ServiceName, environment: EnvironmentName, slowerThan: Span, width: Span)
    async throws(Outage) -> AsyncStream<EvidenceBin>
  {
    try await source("\(service).\(environment)")
      .bins(service: service, environment: environment, slowerThan: slowerThan, width: width)
  }

  package func history(of deployment: DeploymentID, slowerThan: Span, window: Span) async throws(Outage)
    -> RequestCounts
  {
    try await source(of: deployment).history(of: deployment, slowerThan: slowerThan, window: window)
  }

  package func historyWindows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span)
    async throws(Outage) -> [RequestCounts]
  {
    try await source(of: deployment)
      .historyWindows(of: deployment, slowerThan: slowerThan, window: window, width: width)
  }

  package func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async throws(Outage) -> Harm {
    try await source(of: deployment).harm(by: deployment, slowerThan: slowerThan, since: since)
  }

  private func source(of deployment: DeploymentID) -> any Telemetry {
    source(deployment.rawValue.split(separator: ".").prefix(2).joined(separator: "."))
  }
  private func source(_ place: String) -> any Telemetry { scraped.contains(place) ? metrics : log }
}
