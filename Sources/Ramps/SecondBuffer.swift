import Kernel

/// Gathers what several sources tell of a second, and gives it out once it may be taken for whole.
///
/// A cohort whose source is slower than the other's would look well, or ill, for as long as it is behind; so a second
/// waits for `settle` after its end. What comes later is lost and counted. Bounded by `mostOpen` seconds.
package struct SecondBuffer: Codable, Equatable, Sendable {
  private struct Key: Codable, Comparable, Equatable, Sendable {
    let second: Int64
    let epoch: Int
    static func < (left: Key, right: Key) -> Bool { (left.second, left.epoch) < (right.second, right.epoch) }
  }
  private struct Open: Codable, Equatable, Sendable {
    let key: Key
    var trials = Cohorts.zero
    var events = Cohorts.zero
  }

  /// Sorted.
  private var open: [Open] = []
  private var closedThrough: Int64?
  /// How long a second waits.
  package let settle: Span
  /// Counts that came too late or from too far ahead.
  package private(set) var lost = 0

  /// What OTLP exporters that send every second need to arrive.
  package static let defaultSettle = Span.seconds(2)
  package static let mostOpen = 64

  package init(settle: Span = defaultSettle) { self.settle = settle }

  /// Adds counts to a second.
  package mutating func add(second: Instant, epoch: Int, trials: Cohorts, events: Cohorts, now: Instant) {
    let key = Key(second: second.wholeSeconds, epoch: epoch)
    // A clock that was set back closes nothing anew.
    if let through = closedThrough, through > now.wholeSeconds { closedThrough = now.wholeSeconds }
    guard key.second > closedThrough ?? .min, key.second <= now.wholeSeconds + SeenSeconds.ahead else {
      lost += 1
      return
    }
    let at = open.firstIndex { $0.key >= key } ?? open.count
    if at == open.count || open[at].key != key {
      guard open.count < SecondBuffer.mostOpen else {
        lost += 1
        return
      }
      open.insert(Open(key: key), at: at)
    }
    open[at].trials = open[at].trials + trials
    open[at].events = open[at].events + events
  }

  /// The seconds that are whole by now, oldest first, each once.
  package mutating func close(now: Instant) -> [CohortSecond] {
    let through = (now - settle).wholeSeconds - 1
    let count = open.prefix { $0.key.second <= through }.count
    let closed = open.prefix(count).map {
      CohortSecond(
        second: Instant(milliseconds: $0.key.second * 1000), epoch: $0.key.epoch, trials: $0.trials, events: $0.events)
    }
    open.removeFirst(count)
    closedThrough = max(closedThrough ?? through, through)
    return closed
  }
}
