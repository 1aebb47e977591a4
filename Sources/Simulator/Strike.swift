import Kernel

/// What happens to the process at a boundary, and what the one that comes after it sees of the world at first.
package struct Strike: Hashable, Sendable {
  package enum Ending: String, CaseIterable, Sendable {
    /// `kill -9`: it is down for a while.
    case killed
    /// Its lease has expired: a second one starts at once and drives on, while the first goes on for some seconds
    /// without knowing. Every peer hears both.
    case replaced
  }

  /// The three patterns by which Sieve breaks controllers (research rollout.md §7): the state in the middle of a turn
  /// is each boundary itself, and what is seen afterwards is one of these.
  package enum Seen: String, CaseIterable, Sendable {
    /// The world as it is.
    case fresh
    /// First what was seen before the boundary, once more and again some seconds later, as from a cache.
    case stale
    /// The first observation of every effect never arrives, because whoever looked ended before it told.
    case missed
  }

  package let ending: Ending
  package let seen: Seen
  package init(_ ending: Ending, _ seen: Seen) {
    self.ending = ending
    self.seen = seen
  }

  package static let all = Ending.allCases.flatMap { ending in Seen.allCases.map { Strike(ending, $0) } }

  /// How many of the last observations come again: more than one rollout has effects at once.
  static let staleObservations = 12
  /// At once, and when the successor has already acted on what is true.
  static let stalePauses = [Span.zero, .seconds(3)]
}
