import Kernel

/// What one look at one instance found of the metrics that a mapping names: counters as they stand.
struct InstanceReading: Equatable, Sendable {
  /// What a counter counts.
  enum Role: Hashable, Sendable {
    case requests(areErrors: Bool)
    case errors
    /// Requests that took at most this many ms; infinity for all. `errorsLeftOut` when its labels tell errors apart,
    /// which are then not among them.
    case finished(withinMs: Double, errorsLeftOut: Bool)
  }
  struct Counter: Equatable, Sendable {
    let role: Role
    let value: Double
    let timestampMs: Int64?
  }

  /// Routes times statuses times buckets: a service with 200 routes, 5 statuses and 12 bounds has 12,000.
  static let mostSeries = 20_000

  /// By series: name and sorted labels.
  private(set) var counters: [String: Counter] = [:]
  /// Seconds since 1970 by the instance's clock; only ever compared with itself.
  private(set) var startedAt: Double?
  private(set) var residentBytes: Double?
  private(set) var processorSeconds: Double?
  /// Whether the page has samples of the requests and of the durations, those of probes included.
  private(set) var showsRequests = false
  private(set) var showsDurations = false
  /// The first reason why this look cannot be believed.
  private(set) var fault: String?

  mutating func take(_ sample: SampleLine, _ mapping: MetricsMapping) {
    let name = sample.name
    switch name {
    case ProcessMetrics.startTime: startedAt = sample.value
    case ProcessMetrics.residentMemory: residentBytes = sample.value
    case ProcessMetrics.processorTime: processorSeconds = sample.value
    default:
      if name == mapping.requests { showsRequests = true }
      if name == mapping.durations.map({ "\($0.histogram)_bucket" }) { showsDurations = true }
      let labels = sample.labels
      guard !mapping.isExcluded(labels) else { return }
      guard mapping.sampleNames.contains(name) else { return }
      let series = "\(name){\(labels.sorted().map(\.description).joined(separator: ","))}"
      guard let role = role(of: series, name, labels, mapping) else { return }
      add(Counter(role: role, value: sample.value, timestampMs: sample.timestampMs), series)
    }
  }

  private mutating func role(
    of series: String, _ name: String, _ labels: [MetricLabel], _ mapping: MetricsMapping
  ) -> Role? {
    let isError = mapping.isError(labels)
    if name == mapping.requests {
      // Without the label every request would look good.
      if isError == nil, let label = mapping.errorLabel {
        fault = fault ?? "\(series) has no label '\(label)', which tells errors"
      }
      return .requests(areErrors: isError ?? false)
    }
    if case .counter(name) = mapping.errors { return .errors }
    guard let durations = mapping.durations, name == "\(durations.histogram)_bucket", isError != true,
      let bound = labels.first(where: { $0.name == "le" }).flatMap({ Double($0.value) }), !bound.isNaN
    else { return nil }
    return .finished(withinMs: bound * durations.unit.milliseconds, errorsLeftOut: isError == false)
  }

  private mutating func add(_ counter: Counter, _ series: String) {
    guard counter.value.isFinite, counter.value >= 0 else {
      fault = fault ?? "\(series) is \(counter.value), which no counter can be"
      return
    }
    if let other = counters[series], other != counter {
      fault = fault ?? "\(series) stands there twice, with different values"
      return
    }
    guard counters.count < Self.mostSeries || counters[series] != nil else {
      fault = fault ?? "more than \(Self.mostSeries) series say how requests went; let routes have fewer names"
      return
    }
    counters[series] = counter
  }

  /// The newest time that the counters give, by the instance's clock; nil unless all give one.
  var newestTimestampMs: Int64? {
    let times = counters.values.compactMap(\.timestampMs)
    return times.count == counters.count ? times.max() : nil
  }
}
