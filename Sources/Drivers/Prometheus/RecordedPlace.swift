import Kernel

/// A place whose baseline comes from a Prometheus server.
package struct RecordedPlace: Equatable, Sendable {
  package let service: ServiceName
  package let environment: EnvironmentName
  /// Which series are the service's there; at least one.
  package let selector: [MetricLabel]
  /// Nil to find the usual names.
  package let mapping: MetricsMapping?
  /// Paths of readiness probes and of the metrics page.
  package let excludedRoutes: [String]
  /// How far back to look.
  package let window: Span
  package init(
    _ service: ServiceName, _ environment: EnvironmentName, selector: [MetricLabel], mapping: MetricsMapping?,
    excludedRoutes: [String], window: Span
  ) {
    self.service = service
    self.environment = environment
    self.selector = selector
    self.mapping = mapping
    self.excludedRoutes = excludedRoutes
    self.window = window
  }
}

/// A Prometheus server's memory of places and objectives.
package struct PrometheusMemory: HistorySource {
  /// Two looks at Prometheus' default scrape interval of a minute: `increase()` needs two.
  package static let step = Span.minutes(2)

  private let server: PrometheusServer
  private let places: [RecordedPlace]
  private let step: Span

  package init(_ server: PrometheusServer, places: [RecordedPlace], step: Span = step) {
    self.server = server
    self.places = places
    self.step = step
  }

  package func counts(of indicator: Objective.Indicator, over windows: [Span]) async -> WindowAnswer {
    do {
      switch try await server.ratios(RatioQueries(indicator), over: windows) {
      case .counts(let ratios, let doubts):
        return doubts.isEmpty
          ? .counts(ratios) : .unknown("Prometheus doubts its numbers: \(doubts.joined(separator: "; "))")
      case .noEvidence(let reason): return .unknown(reason)
      }
    } catch {
      return .unknown(Self.words(error))
    }
  }

  package func baseline(
    of service: ServiceName, in environment: EnvironmentName, slowerThan: Span
  ) async -> HistoryAnswer? {
    guard let place = places.first(where: { $0.service == service && $0.environment == environment }) else {
      return nil
    }
    do {
      return try await server.recorded(place, slowerThan: slowerThan, step: step)
    } catch {
      return .unknown(Self.words(error))
    }
  }

  private static func words(_ error: any Error) -> String {
    switch error {
    case let refusal as Refusal: refusal.sentence
    case let outage as Outage: "\(outage.subject): \(outage.sentence)"
    default: "\(error)"
    }
  }
}

extension RatioQueries {
  init(_ indicator: Objective.Indicator) {
    switch indicator {
    case .bad(let query, let total, let areCounters): self.init(.bad, query, of: total, areCounters: areCounters)
    case .good(let query, let total, let areCounters): self.init(.good, query, of: total, areCounters: areCounters)
    case .threshold(let query, let comparison, let value):
      let mustBe: QueryCheck.Comparison =
        switch comparison {
        case .lte: .atMost
        case .gte: .atLeast
        case .lt: .below
        case .gt: .above
        }
      self.init(query, mustBe: mustBe, value)
    }
  }
}

extension PrometheusServer {
  /// Totals over the place's window and what each `step` of it held.
  ///
  /// An answer that its server doubts, and one that does not reach until now, are *unknown*: a baseline of yesterday's
  /// samples is not what is usual today.
  /// - Throws: `Refusal` when a query is at fault, `Outage` when the server is.
  func recorded(_ place: RecordedPlace, slowerThan: Span, step: Span) async throws -> HistoryAnswer {
    guard let mapping = try await mapping(of: place) else {
      let selector = place.selector.map(\.description).joined(separator: ",")
      return .unknown("Prometheus at \(address) has no metric of {\(selector)} that is known to count requests")
    }
    let queries = HistoryQueries(mapping: mapping, selector: place.selector, window: step)
    let now = try await time()
    let (total, doubts): (RequestCounts, [String])
    switch try await history(mapping, of: place.selector, slowerThan: slowerThan, window: place.window) {
    case .noEvidence(let reason): return .unknown(reason)
    case .counts(let counts, let found): (total, doubts) = (counts, found)
    }
    guard doubts.isEmpty else {
      return .unknown("Prometheus at \(address) doubts its numbers: \(doubts.joined(separator: "; "))")
    }
    let requests = try await steps(queries.requests, place.window, step, until: now)
    guard requests[now] != nil else {
      return .unknown(
        "Prometheus at \(address) has no sample of \(mapping.requests) in the last \(Int(step.seconds)) s, so what it "
          + "remembers is old")
    }
    let errors = try await steps(queries.errors, place.window, step, until: now)
    var slow: [Instant: Double] = [:]
    if let bound = try await bound(for: slowerThan, queries, at: now), let query = queries.slow(above: bound) {
      slow = try await steps(query, place.window, step, until: now)
      // Any of the slow ones may be an error that is already counted, as in `history`.
      if try await !tellsErrors(queries, at: now) { slow.merge(errors) { max($0 - $1, 0) } }
    }
    let windows = requests.keys.sorted().compactMap { at -> RequestCounts? in
      let all = Self.nearest(requests[at])
      guard all > 0 else { return nil }
      let bad = min(Self.nearest(errors[at]), all)
      return RequestCounts(requests: all, errors: bad, slow: min(Self.nearest(slow[at]), all - bad))
    }
    return .counts(
      RecordedHistory(
        totals: total, windows: windows, width: step,
        words: "the last \(Int((place.window.seconds / 60).rounded())) min in Prometheus"))
  }

  /// How much a query counted in each `step` before an instant, by the step's end; those without a number are absent.
  private func steps(_ query: String, _ window: Span, _ step: Span, until now: Instant) async throws
    -> [Instant: Double]
  {
    let answer = try await range(query, from: now - window + step, to: now, step: step)
    guard case .matrix(let tracks) = answer.value else {
      throw Refusal(.malformed, "the query '\(query)' gives no values over time; correct its metrics")
    }
    guard tracks.count < 2 else {
      throw Refusal(.malformed, "the query '\(query)' gives \(tracks.count) series where one is expected")
    }
    let points = tracks.first?.points.filter { $0.value.isFinite } ?? []
    return Dictionary(points.map { ($0.at, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  /// Not rounded up as in `history`: thirty windows would each gain an error.
  private static func nearest(_ number: Double?) -> Int { Int(min(max(number ?? 0, 0), 1e15).rounded()) }

  /// The place's own, or what its series' names suggest; nil while none is recognised.
  /// - Throws: `Refusal` when several fit equally.
  private func mapping(of place: RecordedPlace) async throws -> MetricsMapping? {
    if let mapping = place.mapping { return mapping }
    let query = MetricsConventions.surveyQuery(of: place.selector)
    guard case .vector(let series) = try await self.query(query).value else { return nil }
    var survey = MetricsSurvey()
    for one in series {
      guard let name = one.labels.first(where: { $0.name == "__name__" })?.value else { continue }
      // A label that a series lacks is given as an empty one by some servers.
      survey.take(name, one.labels.filter { $0.name != "__name__" && !$0.value.isEmpty }.map(\.name))
    }
    return try MetricsConventions.mapping(of: survey, excluded: place.excludedRoutes)
  }
}
