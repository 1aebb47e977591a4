/// `GET /v1/measures`
public struct MeasuresView: Codable, Equatable, Sendable {
  public var fromMs: Int64
  /// Not included.
  public var toMs: Int64
  /// Nil for all services.
  public var service: String?
  /// Nil for each service's last environment.
  public var environment: String?
  /// When the oldest fact still kept was recorded; nil without facts.
  public var knownSinceMs: Int64?
  /// In the order of reading.
  public var measures: [MeasureView]
  public init(
    fromMs: Int64, toMs: Int64, service: String?, environment: String?, knownSinceMs: Int64?, measures: [MeasureView]
  ) {
    self.fromMs = fromMs
    self.toMs = toMs
    self.service = service
    self.environment = environment
    self.knownSinceMs = knownSinceMs
    self.measures = measures
  }
}

/// One measure with what it stands on.
public struct MeasureView: Codable, Equatable, Sendable {
  /// `deploymentsPerDay`, `queueWait`, `rollbacks.logic`, `chain.firstBadToDetected` and so on; never renamed.
  public var key: String
  public var label: String
  /// `delivery`, `time`, `rollbacks`, `restore`.
  public var group: String
  /// The value for a person: `3.2 a day`, `41 s (median)`, `not measured`.
  public var text: String
  /// A count, a rate from 0 to 1, or a ratio; nil when nothing was measured, and for times, which have a spread.
  public var value: Double?
  public var spread: SpreadView?
  /// How many facts it stands on.
  public var facts: Int
  /// Facts that belong here and could not be measured.
  public var unmeasured: Int
  /// The newest ledger positions behind it, rising; at most 100.
  public var positions: [Int64]
  public var definition: String
  /// `elite`, `good`, `flagged`; nil without a threshold.
  public var mark: String?
  /// What to work on, when flagged.
  public var advice: String?
  public init(
    key: String, label: String, group: String, text: String, value: Double?, spread: SpreadView?, facts: Int,
    unmeasured: Int, positions: [Int64], definition: String, mark: String?, advice: String?
  ) {
    self.key = key
    self.label = label
    self.group = group
    self.text = text
    self.value = value
    self.spread = spread
    self.facts = facts
    self.unmeasured = unmeasured
    self.positions = positions
    self.definition = definition
    self.mark = mark
    self.advice = advice
  }
}

/// Times that were measured; percentiles by nearest rank.
public struct SpreadView: Codable, Equatable, Sendable {
  public var count: Int
  public var meanMs: Int64
  public var p50Ms: Int64
  public var p75Ms: Int64
  public var p90Ms: Int64
  public var p95Ms: Int64
  public var p99Ms: Int64
  public var longestMs: Int64
  public init(
    count: Int, meanMs: Int64, p50Ms: Int64, p75Ms: Int64, p90Ms: Int64, p95Ms: Int64, p99Ms: Int64, longestMs: Int64
  ) {
    self.count = count
    self.meanMs = meanMs
    self.p50Ms = p50Ms
    self.p75Ms = p75Ms
    self.p90Ms = p90Ms
    self.p95Ms = p95Ms
    self.p99Ms = p99Ms
    self.longestMs = longestMs
  }
}
