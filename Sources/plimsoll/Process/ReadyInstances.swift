import Drivers
import Kernel
import PlimsollFile
import Runtime
import Server
import Synchronization

/// Which instances' metrics pages to ask now: those that are ready, as the performer knows, which is made after the
/// sources that ask them.
final class ReadyInstances: Sendable {
  private struct Held {
    weak var performer: Performer?
  }
  private let held = Mutex(Held())
  private let paths: [String: String]

  init(_ runs: [PlimsollFile.Run]) {
    paths = Dictionary(
      runs.compactMap { run in run.metrics.map { ("\(run.service).\(run.environment)", $0.path) } },
      uniquingKeysWith: { first, _ in first })
  }

  func follow(_ performer: Performer) { held.withLock { $0.performer = performer } }

  func targets(_ service: ServiceName, _ environment: EnvironmentName) async -> [MetricsTarget] {
    guard let performer = held.withLock({ $0.performer }), let path = paths["\(service).\(environment)"] else {
      return []
    }
    return await performer.ready(of: service, in: environment).map {
      MetricsTarget($0.deployment, instance: $0.endpoint.instance, url: "http://127.0.0.1:\($0.endpoint.port)\(path)")
    }
  }

  /// What evidence is counted by; the pages themselves, too, which can say what they do not tell.
  struct Sources {
    let telemetry: any Telemetry
    let pages: ScrapedTelemetry?
    let scraped: [ScrapedService]

    func origin(
      _ service: ServiceName, _ environment: EnvironmentName, slowerThan: Span
    ) async -> EvidenceOrigin {
      guard let pages, scraped.contains(where: { $0.service == service && $0.environment == environment }) else {
        return .log
      }
      let caveats = try? await pages.caveats(service: service, environment: environment, slowerThan: slowerThan)
      return EvidenceOrigin("requests on its instances' metrics pages", caveats: caveats ?? [])
    }
  }

  /// The source of each place: its metrics pages where the file says so, else the router's log.
  static func sources(
    _ runs: [PlimsollFile.Run], log: any Telemetry, ready: ReadyInstances
  ) -> Sources {
    let scraped = runs.compactMap { run in
      run.metrics.map { page in
        ScrapedService(
          run.service, run.environment,
          mapping: page.mapping.map { MetricsMapping($0, excluding: page.excludedRoutes(of: run)) },
          excludedRoutes: page.excludedRoutes(of: run))
      }
    }
    guard !scraped.isEmpty else { return Sources(telemetry: log, pages: nil, scraped: []) }
    let metrics = ScrapedTelemetry(scraped, fetcher: AsyncHTTPFetcher()) { await ready.targets($0, $1) }
    return Sources(
      telemetry: EvidenceSources(log: log, metrics: metrics, scraped: scraped.map { ($0.service, $0.environment) }),
      pages: metrics, scraped: scraped)
  }
}

extension PlimsollFile.MetricsPage {
  /// Nobody's requests: probes, and our own looks.
  fileprivate func excludedRoutes(of run: PlimsollFile.Run) -> [String] {
    [run.specification.readinessPath, path] + ignoredRoutes
  }
}

extension RecordedPlace {
  /// Nil where the file asks for no history.
  init?(_ run: PlimsollFile.Run) {
    guard let history = run.baseline else { return nil }
    let excluded = [run.specification.readinessPath] + history.ignoredRoutes + (run.metrics.map { [$0.path] } ?? [])
    let mapping = history.mapping ?? run.metrics?.mapping
    self.init(
      run.service, run.environment, selector: history.selector.map { MetricLabel($0.name, $0.value) },
      mapping: mapping.map { MetricsMapping($0, excluding: excluded) }, excludedRoutes: excluded,
      window: history.window)
  }
}

extension MetricsMapping {
  /// - Parameter routes: that no user asks for.
  init(_ mapping: PlimsollFile.MetricsPage.Mapping, excluding routes: [String]) {
    let errors: Errors =
      switch mapping.errors {
      case .serverErrors(let label): .serverErrors(label: label)
      case .values(let label, let values): .values(label: label, values: values)
      case .counter(let name): .counter(name)
      }
    self.init(
      requests: mapping.requests, errors: errors,
      durations: mapping.durations.map { name in
        Durations(histogram: name, unit: mapping.areMilliseconds ? .milliseconds : .seconds)
      },
      routes: mapping.route.map { Routes(label: $0, excluded: routes) })
  }
}
