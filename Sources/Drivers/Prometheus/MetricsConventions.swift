import Kernel

/// Which metrics a page has, and with which labels: what a mapping is chosen from.
struct MetricsSurvey: Equatable, Sendable {
  /// A page with more names of interest is no service's.
  static let mostNames = 2_000
  private(set) var labels: [String: Set<String>] = [:]

  /// Only what could be a service's requests or durations is kept.
  mutating func take(_ sample: SampleLine) { take(sample.name, sample.labels.map(\.name)) }

  mutating func take(_ name: String, _ labels: [String]) {
    guard MetricsConventions.couldMatter(name), self.labels[name] != nil || self.labels.count < Self.mostNames else {
      return
    }
    self.labels[name, default: []].formUnion(labels)
  }

  static func + (left: MetricsSurvey, right: MetricsSurvey) -> MetricsSurvey {
    var sum = left
    sum.labels.merge(right.labels) { $0.union($1) }
    return sum
  }
}

/// The names under which services usually say how they answer.
package enum MetricsConventions {
  /// OpenTelemetry's HTTP semantic conventions as a Prometheus exporter writes them, then what client libraries'
  /// middleware and Micrometer write, then an older OpenTelemetry name.
  static let histograms = [
    "http_server_request_duration_seconds", "http_request_duration_seconds", "http_server_requests_seconds",
    "http_server_duration_milliseconds",
  ]
  static let counters = ["http_requests_total", "http_server_requests_total"]
  static let statusLabels = ["http_response_status_code", "code", "status", "status_code", "http_status_code"]
  static let routeLabels = ["http_route", "route", "handler", "path", "uri", "endpoint"]
  /// Any other histogram that ends so and has a status label, if it is the only one.
  static let anyHistogram = "_duration_seconds"
  /// What a service asks of others, and what its metrics library says of itself, is not how it answers.
  static let foreign = ["client", "promhttp", "grpc_"]

  /// What a Prometheus server is asked to see the same that a page shows: names, and which of the labels they have.
  static func surveyQuery(of selector: [MetricLabel]) -> String {
    let names = counters + histograms.flatMap { ["\($0)_bucket", "\($0)_count"] }
    let pattern = (names + [".*\(anyHistogram)_(bucket|count)"]).joined(separator: "|")
    let matchers = ["__name__=~\"\(pattern)\""] + selector.map(\.description)
    let labels = (["__name__"] + statusLabels + routeLabels).joined(separator: ",")
    return "count by (\(labels)) ({\(matchers.joined(separator: ","))})"
  }

  static func couldMatter(_ name: String) -> Bool {
    if counters.contains(name) { return true }
    for suffix in ["_bucket", "_count"] where name.hasSuffix(suffix) {
      let base = String(name.dropLast(suffix.count))
      return histograms.contains(base) || base.hasSuffix(anyHistogram)
    }
    return false
  }

  /// The mapping that a page's names suggest; nil while none is recognised, which may be because no request came yet.
  ///
  /// - Parameter excluded: the paths of probes and of the metrics page.
  /// - Throws: `Refusal` when several metrics fit equally, naming them.
  static func mapping(of survey: MetricsSurvey, excluded: [String]) throws(Refusal) -> MetricsMapping? {
    func status(_ name: String) -> String? { statusLabels.first { survey.labels[name]?.contains($0) == true } }
    func mapping(requests: String, histogram: String?) -> MetricsMapping? {
      guard let status = status(requests) else { return nil }
      let durations = histogram.flatMap { name in
        survey.labels["\(name)_bucket"] == nil
          ? nil
          : MetricsMapping.Durations(
            histogram: name, unit: name.hasSuffix("_milliseconds") ? .milliseconds : .seconds)
      }
      // A route must be told for requests and durations alike, or probes would be in one of them only.
      let names = [requests] + (durations.map { ["\($0.histogram)_bucket"] } ?? [])
      let route = routeLabels.first { label in names.allSatisfy { survey.labels[$0]?.contains(label) == true } }
      return MetricsMapping(
        requests: requests, errors: .serverErrors(label: status), durations: durations,
        routes: route.map { MetricsMapping.Routes(label: $0, excluded: excluded) })
    }

    let known = histograms.first { status("\($0)_count") != nil }
    if let known { return mapping(requests: "\(known)_count", histogram: known) }
    if let counter = counters.first(where: { status($0) != nil }) {
      return mapping(requests: counter, histogram: histograms.first { survey.labels["\($0)_bucket"] != nil })
    }
    let others = survey.labels.keys.sorted().filter { name in
      name.hasSuffix("_count") && status(name) != nil && !foreign.contains { name.contains($0) }
    }.map { String($0.dropLast("_count".count)) }
    guard others.count < 2 else {
      throw Refusal(
        .malformed,
        "the metrics \(others.joined(separator: ", ")) could all count requests; name the right one in a mapping")
    }
    return others.first.flatMap { mapping(requests: "\($0)_count", histogram: $0) }
  }
}
