import Kernel
import OrderedCollections

/// Carries out effects, asynchronously; `start` and `cancel` only note what to do and return at once.
///
/// Whoever implements it posts observations as letters and, when the work is over, exactly one `Parcel.ended` with the
/// same key and fence. Cancelling a standing effect stops the watching, not the thing watched.
package protocol EffectDispatcher {
  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence)
  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence)
}

/// What runs, and what waits to be started again, for one stream: the difference between wanted and running is the
/// whole of effect handling (design §2). After a crash nothing runs, so everything wanted is started.
struct EffectTable {
  private struct Entry {
    var effect: StreamEffect
    var fence: Fence
    var phase: Phase
    /// Ends in a row without becoming unwanted, or without a stable run between.
    var failures: Int
    /// The same, but not begun anew when the budget is spent: how long people have been waiting.
    var inRow: Int
    /// What the last end said; nil when it ended well, or never.
    var outage: Outage?
    var startedAt: Instant
  }
  private enum Phase {
    /// Leaves to: waiting, when it ended and is still wanted; gone, when it is no longer wanted.
    case running
    /// Leaves to: running, when `until` has come; gone, when it is no longer wanted.
    case waiting(since: Instant, until: Instant)

    // A clock that was set back ends the wait: it would otherwise last as long as the step.
    func isDue(at now: Instant) -> Bool {
      switch self {
      case .running: false
      case .waiting(let since, let until): now >= until || now < since
      }
    }
  }

  enum Order {
    case start(StreamEffect, Fence)
    case cancel(EffectKey, Fence)
  }

  private var entries: OrderedDictionary<EffectKey, Entry> = [:]

  /// The earliest instant at which something waits to be started; nil when nothing does.
  var nextDue: Instant? {
    var earliest: Instant?
    for entry in entries.values {
      if case .waiting(_, let until) = entry.phase, earliest.map({ until < $0 }) ?? true { earliest = until }
    }
    return earliest
  }

  func isDue(at now: Instant) -> Bool { entries.values.contains { $0.phase.isDue(at: now) } }

  var isEmpty: Bool { entries.isEmpty }

  /// One failure may be chance; this many in a row are something that people must hear of.
  private static let tellingFailures = 2

  /// What fails again and again, and why. A standing effect that has run longer than its longest pause is well again.
  func failing(at now: Instant) -> [(key: EffectKey, outage: Outage)] {
    entries.compactMap { key, entry in
      guard let outage = entry.outage, entry.inRow >= Self.tellingFailures else { return nil }
      if case .running = entry.phase, now - entry.startedAt > entry.effect.retry.ceiling { return nil }
      return (key, outage)
    }
  }

  /// Starts what is wanted and not running, cancels what runs and is no longer wanted, restarts what is due.
  /// An effect whose payload changed under the same key is left alone: equal keys are the same work.
  mutating func reconcile(wanted: [StreamEffect], fence: Fence, now: Instant) -> [Order] {
    var orders: [Order] = []
    // Keys are worded anew at each asking, so each is asked for once.
    let keys = wanted.map(\.key)
    if keys.reduce(0, { $0 + (entries[$1] == nil ? 0 : 1) }) < entries.count {
      let isWanted = Set(keys)
      for (key, entry) in entries where !isWanted.contains(key) {
        if case .running = entry.phase { orders.append(.cancel(key, entry.fence)) }
      }
      entries.removeAll { !isWanted.contains($0.key) }
    }
    for (effect, key) in zip(wanted, keys) {
      let known = entries[key]
      if let known, !known.phase.isDue(at: now) { continue }
      entries[key] = Entry(
        effect: effect, fence: fence, phase: .running, failures: known?.failures ?? 0, inRow: known?.inRow ?? 0,
        outage: known?.outage, startedAt: now)
      orders.append(.start(effect, fence))
    }
    return orders
  }

  /// Notes an end. Returns true when the budget of an effect that is still wanted is used up: the caller tells the
  /// machine, and the effect is tried again after the ceiling.
  mutating func ended(_ key: EffectKey, fence: Fence, failure: Outage?, now: Instant) -> Bool {
    guard var entry = entries[key], entry.fence == fence, case .running = entry.phase else { return false }
    let retry = entry.effect.retry
    // What never gives up forgets its failures after a run longer than its longest pause: a route lost once a week is
    // taken up again at once, also after a year.
    if retry.attempts == nil, now - entry.startedAt > retry.ceiling { (entry.failures, entry.inRow) = (0, 0) }
    entry.failures += 1
    entry.inRow += 1
    entry.outage = failure
    let exhausted = retry.attempts.map { entry.failures >= $0 } ?? false
    entry.phase = .waiting(
      since: now, until: now + (exhausted ? retry.ceiling : retry.pause(afterFailures: entry.failures)))
    if exhausted { entry.failures = 0 }
    entries[key] = entry
    return exhausted
  }
}
