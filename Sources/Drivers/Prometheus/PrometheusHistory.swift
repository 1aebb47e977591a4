import Kernel

/// What a Prometheus server remembers of a service: a baseline for the judge.
package enum HistoryFinding: Equatable, Sendable {
  /// - `doubts`: what the server warned of; with any of them the counts are degraded evidence.
  case counts(RequestCounts, doubts: [String])
  case noEvidence(reason: String)
}

extension PrometheusServer {
  /// Requests, errors and slow ones over the `window` before the server's now.
  ///
  /// Counted by `increase()`, which extrapolates to the window's ends, so that counts are estimates, and which does not
  /// see the first value of a series that is born in the window. Requests are rounded down, errors and slow ones up: a
  /// baseline that looks worse by one request can delay a verdict and never condemns a healthy version.
  ///
  /// - Parameter selector: which series are the service's: `job="shop"`, `environment="production"`.
  /// - Throws: `Refusal` when the mapping makes a query that is none, `Outage` when the server is at fault.
  package func history(
    _ mapping: MetricsMapping, of selector: [MetricLabel], slowerThan: Span, window: Span
  ) async throws -> HistoryFinding {
    let queries = HistoryQueries(mapping: mapping, selector: selector, window: window)
    let at = try await time()
    var doubts: [String] = []
    func number(_ query: String) async throws -> Double? {
      switch try await finding(query, at: at, lookback: nil) {
      case .value(let value): return value
      case .degraded(let value, let warnings):
        doubts += warnings.filter { !doubts.contains($0) }
        return value
      case .noEvidence: return nil
      }
    }
    guard let requests = try await number(queries.requests), requests > 0 else {
      return .noEvidence(
        reason: "Prometheus at \(address) knows no request of \(mapping.requests) in the last \(Int(window.seconds)) s")
    }
    // A series that does not exist counted nothing: there are requests, so the absence is told.
    let errors = try await number(queries.errors) ?? 0
    var slow = 0.0
    if let bound = try await bound(for: slowerThan, queries, at: at), let query = queries.slow(above: bound) {
      slow = try await number(query) ?? 0
      // Any of the slow ones may be an error that is already counted.
      if try await !tellsErrors(queries, at: at) { slow -= errors }
    }
    func whole(_ number: Double, _ rule: FloatingPointRoundingRule) -> Int {
      Int(min(max(number, 0), 1e15).rounded(rule))
    }
    let total = whole(requests, .down)
    let bad = min(whole(errors, .up), total)
    return .counts(
      RequestCounts(requests: total, errors: bad, slow: min(whole(slow, .up), total - bad)), doubts: doubts)
  }

  /// All queries of a history look from one instant of the server's own clock, so that its skew from ours does not
  /// matter.
  func time() async throws -> Instant {
    guard case .scalar(let now) = try await query("time()").value, abs(now) < 1e12 else {
      throw Outage("prometheus", "\(address) does not tell its time; the query is asked again")
    }
    return Instant(milliseconds: Int64(now * 1000))
  }

  /// Whether the durations leave errors out.
  func tellsErrors(_ queries: HistoryQueries, at: Instant) async throws -> Bool {
    guard let query = queries.durationsThatTellErrors else { return false }
    if case .noEvidence = try await finding(query, at: at, lookback: nil) { return false }
    return true
  }

  /// The text of the `le` that stands for a threshold: its own bound, else the next lower one.
  func bound(for threshold: Span, _ queries: HistoryQueries, at: Instant) async throws -> String? {
    guard let query = queries.bounds, let unit = queries.mapping.durations?.unit,
      case .vector(let series) = try await self.query(query, at: at).value
    else { return nil }
    let bounds = series.compactMap { series in
      series.labels.first { $0.name == "le" }.flatMap { le in
        Double(le.value).map { (milliseconds: $0 * unit.milliseconds, text: le.value) }
      }
    }
    return bounds.filter { $0.milliseconds <= Double(threshold.milliseconds) * (1 + 1e-9) }
      .max { $0.milliseconds < $1.milliseconds }?.text
  }
}

/// The questions that a mapping makes of a Prometheus server.
struct HistoryQueries: Equatable {
  let mapping: MetricsMapping
  let selector: [MetricLabel]
  let window: Span

  var requests: String { increase(mapping.requests, base) }

  var errors: String {
    switch mapping.errors {
    case .serverErrors(let label): increase(mapping.requests, base + ["\(label)=~\"\(Self.serverErrors)\""])
    case .values(let label, let values):
      increase(mapping.requests, base + [Self.matcher(label, "=~", values)])
    case .counter(let name): increase(name, base)
    }
  }

  /// Which `le` there are.
  var bounds: String? {
    mapping.durations.map { "count by (le) (\($0.histogram)_bucket{\(withoutErrors.joined(separator: ","))})" }
  }

  /// How many duration series say whether they are of errors; nil when none can.
  var durationsThatTellErrors: String? {
    guard let durations = mapping.durations, let label = mapping.errorLabel else { return nil }
    return "count(\(durations.histogram)_bucket{\((base + ["\(label)!=\"\""]).joined(separator: ","))})"
  }

  /// Requests above a bound that are no errors, as far as labels tell.
  func slow(above bound: String) -> String? {
    guard let name = mapping.durations.map({ "\($0.histogram)_bucket" }) else { return nil }
    func within(_ bound: String) -> String {
      increase(name, withoutErrors + [MetricLabel("le", bound).description])
    }
    return "\(within("+Inf")) - \(within(bound))"
  }

  private static let serverErrors = "5..|5xx|5XX"

  private var base: [String] {
    var matchers = selector.map(\.description)
    if let routes = mapping.routes, !routes.excluded.isEmpty {
      let paths = routes.excluded.map(Self.escaped).joined(separator: "|")
      matchers.append(Self.matcher(routes.label, "!~", pattern: "(.* )?(\(paths))"))
    }
    return matchers
  }

  private var withoutErrors: [String] {
    switch mapping.errors {
    case .serverErrors(let label): base + ["\(label)!~\"\(Self.serverErrors)\""]
    case .values(let label, let values): base + [Self.matcher(label, "!~", values)]
    case .counter: base
    }
  }

  private static func matcher(_ label: String, _ kind: String, _ values: [String]) -> String {
    matcher(label, kind, pattern: values.map(escaped).joined(separator: "|"))
  }

  private static func matcher(_ label: String, _ kind: String, pattern: String) -> String {
    MetricLabel(label, pattern).description.replacing("=\"", with: "\(kind)\"", maxReplacements: 1)
  }

  /// RE2's own characters, taken as they are.
  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      if "\\.+*?()|[]{}^$".contains(character) { result.append("\\") }
      result.append(character)
    }
  }

  private func increase(_ name: String, _ matchers: [String]) -> String {
    "sum(increase(\(name){\(matchers.joined(separator: ","))}[\(PrometheusServer.duration(window))]))"
  }
}
