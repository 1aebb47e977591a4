import Kernel

/// One instance's counters from look to look: what was served in between.
///
/// Times are ours, when the answer had come; the instance's clock is only compared with itself. Looks may be late or
/// repeated, counters may begin anew or go backwards.
struct InstanceTrack: Sendable {
  enum Outcome: Equatable {
    /// The first look, or the first after too long a silence: there is nothing to compare with.
    case begun
    /// Served since the look at `since`.
    case served(ServedCounts, since: Instant)
    /// Older than what is known, or the same page again: says nothing.
    case repeated
    /// The look cannot be believed: one sentence.
    case unbelievable(String)
  }

  /// After this long without a look what was served is no evidence of this minute any more.
  static let longestGap = Span.minutes(1)
  /// A page whose own times stand still for so long is a copy of an old one. Prometheus' scrape interval is a minute by
  /// default, so a relay may be as slow as that.
  static let staleAfter = Span.seconds(90)
  /// Without `process_start_time_seconds` a counter that fell to at most this share of itself began anew, and one that
  /// fell less went backwards. `rate()` takes every fall for a restart, which turns 1000 → 999 into 999 requests.
  static let restartShare = 0.5
  /// A process' start is told by one unchanging number; some libraries compute it anew and miss by fractions.
  static let startTolerance = 1.0

  private var known: [String: InstanceReading.Counter] = [:]
  private var startedAt: Double?
  private(set) var lookedAt: Instant?
  private var newestTimestampMs: Int64?
  private var progressedAt: Instant?

  /// - Parameter at: when the answer had come.
  mutating func look(_ reading: InstanceReading, at: Instant) -> Outcome {
    if let lookedAt, at <= lookedAt { return .repeated }
    if let fault = reading.fault { return .unbelievable(fault) }
    guard let since = lookedAt, at - since <= Self.longestGap else {
      begin(reading, at: at)
      return .begun
    }
    if let stale = stale(reading, at: at) { return stale }
    let fallen = reading.counters.filter { series, counter in
      known[series].map { counter.value < $0.value && !isLate(counter, after: $0) } ?? false
    }
    let restarted = restarted(reading, fallen)
    if !fallen.isEmpty, !restarted {
      let sentence = Self.wentBack(fallen, known)
      begin(reading, at: at)
      return .unbelievable(sentence)
    }
    var served = ServedCounts.zero
    // Sorted, so that sums of fractions do not depend on the order.
    for (series, counter) in reading.counters.sorted(by: { $0.key < $1.key }) {
      let before = known[series]
      if let before, isLate(counter, after: before) {
        served.add(before.role, 0)
        continue
      }
      // A series that was not there counted nothing yet. All begin at zero with a new process; without its start time
      // only those that fell are known to have.
      let anew = restarted && (startChanged(reading) || fallen[series] != nil)
      served.add(counter.role, anew ? counter.value : counter.value - (before?.value ?? 0))
      known[series] = counter
    }
    // Series that are gone may come back with what they had, but not after a restart, and not for ever.
    if restarted || known.count > 2 * InstanceReading.mostSeries { known = reading.counters }
    startedAt = reading.startedAt ?? startedAt
    lookedAt = at
    return .served(served, since: since)
  }

  private mutating func begin(_ reading: InstanceReading, at: Instant) {
    known = reading.counters
    startedAt = reading.startedAt
    lookedAt = at
    newestTimestampMs = reading.newestTimestampMs
    progressedAt = at
  }

  /// By its own clock the sample is not newer than the one known.
  private func isLate(_ counter: InstanceReading.Counter, after known: InstanceReading.Counter) -> Bool {
    guard let time = counter.timestampMs, let before = known.timestampMs else { return false }
    return time <= before
  }

  private mutating func stale(_ reading: InstanceReading, at: Instant) -> Outcome? {
    guard let newest = reading.newestTimestampMs else { return nil }
    if newest > newestTimestampMs ?? .min {
      newestTimestampMs = newest
      progressedAt = at
      return nil
    }
    let still = at - (progressedAt ?? at)
    guard still > Self.staleAfter else { return nil }
    // It was looked at: this is no silence after which counting would begin anew.
    lookedAt = at
    return .unbelievable("its own times stand still since \(Int(still.seconds)) s, so the page is an old copy")
  }

  private func startChanged(_ reading: InstanceReading) -> Bool {
    guard let now = reading.startedAt, let before = startedAt else { return false }
    return abs(now - before) > Self.startTolerance
  }

  private func restarted(_ reading: InstanceReading, _ fallen: [String: InstanceReading.Counter]) -> Bool {
    if reading.startedAt != nil, startedAt != nil { return startChanged(reading) }
    return fallen.contains { series, counter in counter.value <= (known[series]?.value ?? 0) * Self.restartShare }
  }

  private static func wentBack(
    _ fallen: [String: InstanceReading.Counter], _ known: [String: InstanceReading.Counter]
  ) -> String {
    let first = fallen.sorted { $0.key < $1.key }.first
    let before = first.flatMap { known[$0.key]?.value } ?? 0
    return "\(first?.key ?? "a counter") went back from \(before) to \(first?.value.value ?? 0) without a restart"
  }
}
