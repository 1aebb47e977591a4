import Kernel
import Ramps

/// One running ramp: its book, and who reads what it tells.
struct WatchedRamp {
  let id: Int
  let source: RampSource
  var book: ExposureBook
  var readers: [Int: AsyncStream<[RampTelling]>.Continuation] = [:]
  /// When nobody read it any more.
  var leftAt: Instant?
  /// Batches that a reader was too slow for.
  var unread = 0

  /// Ten minutes of batches wait for a reader that is held up.
  static let mostBatches = 600
  /// A judge that restarts finds its book again within this time; then it is thrown away.
  static let kept = Span.minutes(15)
  /// A share that was known to clients for longer than this has been counted by a book that is gone.
  private static let fresh = Span.seconds(10)

  init(id: Int, source: RampSource) {
    self.id = id
    self.source = source
    book = ExposureBook(
      source.policy.guardrails.map { guardrail in
        // A conversion is what bears the guardrail's name; every request may fail or be slow.
        switch guardrail.measure {
        case .conversion: GuardedMeasure(guardrail, event: guardrail.name)
        case .errors, .latency: GuardedMeasure(guardrail)
        }
      })
  }

  mutating func allocated(_ allocation: RampAllocation, now: Instant) {
    let isResumed = allocation.settled.map { now - $0 > WatchedRamp.fresh } ?? false
    book.begin(epoch: allocation.epoch, version: allocation.version, at: allocation.began, isResumed: isResumed)
    if let settled = allocation.settled { book.settle(epoch: allocation.epoch, at: settled) }
  }

  mutating func absorb(_ item: EvidenceItem, now: Instant) {
    switch item {
    case .exposure(let named, let reason, let key, let version, let at):
      guard named.flag == source.flag.rawValue, !EvidenceItem.isByTargeting(reason) else { return }
      book.came(
        Exposure(cohort: cohort(of: named.variant), unit: key.unit, trace: key.trace, version: version, at: at),
        now: now)
    case .outcome(let variants, let key, let result, let at):
      guard isOurs(result.service) else { return }
      let variant = variants.first { $0.flag == source.flag.rawValue }?.variant
      book.came(
        Outcome(
          unit: key.unit, trace: key.trace, cohort: variant.map { cohort(of: $0) }, event: result.event,
          isFailure: result.isFailure, duration: result.duration, at: at), now: now)
    case .conversion(let event, let key, let at):
      book.came(Conversion(unit: key.unit, trace: key.trace, event: event, at: at), now: now)
    case .counted(let named, let event, let result, let at):
      guard named.flag == source.flag.rawValue else { return }
      book.came(
        CountedOutcomes(
          cohort: cohort(of: named.variant), event: event,
          kind: result.slowerThan.map { .slower(than: $0) } ?? .failed, trials: result.trials, events: result.events,
          at: at), now: now)
    }
  }

  private func isOurs(_ service: String?) -> Bool {
    guard let mine = source.service, let service else { return true }
    return mine.rawValue == service
  }

  func cohort(of variant: String) -> Cohort { variant == source.variant ? .treatment : .control }

  /// Tells readers what became whole.
  mutating func tell(now: Instant) {
    let whole = book.close(now: now)
    let batch =
      whole.units.map { RampTelling.units($0.units, epoch: $0.epoch, second: $0.second) }
      + whole.told.map { RampTelling.second($0.counts, guardrail: $0.guardrail) }
    for reader in readers.values {
      if case .dropped = reader.yield(batch) { unread += 1 }
    }
  }
}
