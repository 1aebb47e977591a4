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
    var phase = Phase.running
    /// Ends in a row without becoming unwanted, or without a stable run between.
    var failures = 0
    /// The same, but not begun anew when the budget is spent: how long people have been waiting.
    var inRow = 0
    /// What the last end said; nil when it ended well, or never.
    var outage: Outage?
    var startedAt: Instant

    mutating func start(_ effect: StreamEffect, fence: Fence, now: Instant) {
      self.effect = effect
      self.fence = fence
      phase = .running
      startedAt = now
    }
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

  /// The earliest instant at which something waits to be started; nil when nothing does. O(effects).
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
    if isUnchanged(by: wanted, now: now) { return [] }
    var isWanted = Array(repeating: false, count: entries.count)
    var starts: [Order] = []
    var next = 0
    for effect in wanted {
      // In step, an effect is found without its key.
      let isNext = next < entries.count && entries.values[next].effect == effect
      let key = isNext ? entries.keys[next] : effect.key
      if let known = isNext ? next : entries.index(forKey: key) {
        next = known + 1
        if known < isWanted.count { isWanted[known] = true }
        guard entries.values[known].phase.isDue(at: now) else { continue }
        entries.values[known].start(effect, fence: fence, now: now)
      } else {
        entries[key] = Entry(effect: effect, fence: fence, startedAt: now)
      }
      starts.append(.start(effect, fence))
    }
    var cancels: [Order] = []
    for index in isWanted.indices.reversed() where !isWanted[index] {
      let (key, entry) = entries.remove(at: index)
      if case .running = entry.phase { cancels.append(.cancel(key, entry.fence)) }
    }
    return cancels.reversed() + starts
  }

  /// Most turns leave most wants as they were. Comparing effects is cheap; a key is worded anew at each asking.
  private func isUnchanged(by wanted: [StreamEffect], now: Instant) -> Bool {
    guard wanted.count == entries.count else { return false }
    for index in wanted.indices {
      let entry = entries.values[index]
      guard entry.effect == wanted[index], !entry.phase.isDue(at: now) else { return false }
    }
    return true
  }

  enum End {
    /// It waits for its next attempt, if it is still wanted.
    case waiting
    /// The same, and its budget is used up: the caller tells the machine. It is tried again after the ceiling.
    case exhausted
  }

  /// Notes an end.
  /// - Returns: nil for an end of what does not run here, or no longer.
  mutating func ended(_ key: EffectKey, fence: Fence, failure: Outage?, now: Instant) -> End? {
    guard var entry = entries[key], entry.fence == fence, case .running = entry.phase else { return nil }
    let retry = entry.effect.retry
    // What never gives up forgets its failures after a run longer than its longest pause: a route lost once a week is
    // taken up again at once, also after a year.
    if retry.attempts == nil, now - entry.startedAt > retry.ceiling { (entry.failures, entry.inRow) = (0, 0) }
    entry.failures += 1
    entry.inRow += 1
    entry.outage = failure
    let isExhausted = retry.attempts.map { entry.failures >= $0 } ?? false
    entry.phase = .waiting(
      since: now, until: now + (isExhausted ? retry.ceiling : retry.pause(afterFailures: entry.failures)))
    if isExhausted { entry.failures = 0 }
    entries[key] = entry
    return isExhausted ? .exhausted : .waiting
  }
}
