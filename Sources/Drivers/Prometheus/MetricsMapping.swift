import Kernel

/// Which of a service's metrics say how many requests it answered, how many failed and how long they took.
///
/// Only counters are read: what a rate or a quantile would say follows from them, and they lose nothing between looks.
package struct MetricsMapping: Codable, Equatable, Sendable {
  /// What counts as an error.
  package enum Errors: Codable, Equatable, Sendable {
    /// Samples of `requests` whose label is 500 to 599, or `5xx`.
    case serverErrors(label: String)
    /// Samples of `requests` whose label has one of these values.
    case values(label: String, values: [String])
    /// A counter of its own.
    case counter(String)
  }

  /// A classic histogram of how long requests took.
  package struct Durations: Codable, Equatable, Sendable {
    package enum Unit: String, Codable, CaseIterable, Sendable {
      case seconds, milliseconds
      var milliseconds: Double { self == .seconds ? 1000 : 1 }
    }
    /// Without `_bucket`.
    package let histogram: String
    package let unit: Unit
    package init(histogram: String, unit: Unit) {
      self.histogram = histogram
      self.unit = unit
    }
  }

  /// How requests that are no users' are told: readiness probes, and our own looks.
  package struct Routes: Codable, Equatable, Sendable {
    package let label: String
    /// Paths as the label has them, with or without a method before: `/healthz` also leaves out `GET /healthz`.
    package let excluded: [String]
    package init(label: String, excluded: [String]) {
      self.label = label
      self.excluded = excluded
    }
    func excludes(_ value: String) -> Bool {
      excluded.contains(value) || excluded.contains { value.hasSuffix(" \($0)") }
    }
  }

  /// The counter's sample name: `http_requests_total`, or a histogram's `…_count`.
  package var requests: String
  package var errors: Errors
  /// Nil when latency is not known.
  package var durations: Durations?
  /// Nil when routes are not told apart: probes then count as requests.
  package var routes: Routes?

  package init(requests: String, errors: Errors, durations: Durations?, routes: Routes?) {
    self.requests = requests
    self.errors = errors
    self.durations = durations
    self.routes = routes
  }

  /// Nil when the labels do not say.
  func isError(_ labels: [MetricLabel]) -> Bool? {
    func value(_ name: String) -> String? { labels.first { $0.name == name }?.value }
    switch errors {
    case .serverErrors(let label): return value(label).map(Self.isServerError)
    case .values(let label, let values): return value(label).map(values.contains)
    case .counter: return nil
    }
  }

  /// The label that tells errors; nil when a counter of their own does.
  var errorLabel: String? {
    switch errors {
    case .serverErrors(let label), .values(let label, _): label
    case .counter: nil
    }
  }

  /// The names of the samples that are read.
  var sampleNames: [String] {
    var names = [requests]
    if let durations { names.append("\(durations.histogram)_bucket") }
    if case .counter(let name) = errors { names.append(name) }
    return names
  }

  func isExcluded(_ labels: [MetricLabel]) -> Bool {
    guard let routes, let route = labels.first(where: { $0.name == routes.label })?.value else { return false }
    return routes.excludes(route)
  }

  static func isServerError(_ status: String) -> Bool {
    if let code = Int(status) { return (500...599).contains(code) }
    return status == "5xx" || status == "5XX"
  }
}

/// The metrics that every runtime's client library offers about its process
/// (https://prometheus.io/docs/instrumenting/writing_clientlibs, "Process metrics").
enum ProcessMetrics {
  static let startTime = "process_start_time_seconds"
  static let residentMemory = "process_resident_memory_bytes"
  static let processorTime = "process_cpu_seconds_total"
  static let all = [startTime, residentMemory, processorTime]
}
