import Foundation
import Kernel
import Testing

@testable import Drivers

/// Names and pages that the tests of metrics share.
enum MetricsPages {
  static let shop = ServiceName(rawValue: "shop")!
  static let production = EnvironmentName(rawValue: "prod")!
  static let old = ServiceFixture.deployment("a").id
  static let new = ServiceFixture.deployment("b").id

  /// The mapping that most tests use: a counter with codes and routes, a histogram with the same labels.
  static let mapping = MetricsMapping(
    requests: "http_requests_total", errors: .serverErrors(label: "code"),
    durations: .init(histogram: "http_request_duration_seconds", unit: .seconds),
    routes: .init(label: "path", excluded: ["/ready", "/metrics"]))

  static func at(_ seconds: Double) -> Instant { Instant(milliseconds: 1_800_000_000_000) + .seconds(seconds) }

  static func target(_ deployment: DeploymentID, _ instance: Int = 0) -> MetricsTarget {
    MetricsTarget(deployment, instance: instance, url: "http://127.0.0.1:\(20_000 + instance)/metrics")
  }

  static func answer(_ lines: String, type: String = "text/plain; version=0.0.4") -> HTTPAnswer {
    HTTPAnswer(status: 200, contentType: type, body: Array("\(lines)\n".utf8))
  }

  static func reading(_ lines: String, _ mapping: MetricsMapping = mapping) throws -> InstanceReading {
    let page = try MetricsScrape.page(answer(lines), of: "page", mapping)
    guard case .reading(let reading) = page else { throw Refusal(.unknown, "no reading") }
    return reading
  }

  /// A page of one route: requests that went well, errors, and of those that went well how many took over 250 ms and
  /// over 1 s (which are over 250 ms too).
  static func page(_ good: Int, errors: Int = 0, over250: Int = 0, over1000: Int = 0, more: String = "") -> String {
    """
    http_requests_total{code="200",path="/"} \(good)
    http_requests_total{code="503",path="/"} \(errors)
    http_requests_total{code="200",path="/ready"} 100000
    http_request_duration_seconds_bucket{code="200",path="/",le="0.25"} \(good - max(over250, over1000))
    http_request_duration_seconds_bucket{code="200",path="/",le="1"} \(good - over1000)
    http_request_duration_seconds_bucket{code="200",path="/",le="+Inf"} \(good)
    http_request_duration_seconds_bucket{code="503",path="/",le="0.25"} 0
    http_request_duration_seconds_bucket{code="503",path="/",le="1"} 0
    http_request_duration_seconds_bucket{code="503",path="/",le="+Inf"} \(errors)
    other_total 1
    \(more)
    """
  }
}
