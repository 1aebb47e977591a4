import Kernel

/// How a cohort's events crowd together where units are not known: one unit's ten failures are not ten units'.
///
/// Counts of neighbouring windows of 10 s are compared, so that waves and slow rises are no crowding: the mean square
/// of their difference is their sum if each event comes for itself (von Neumann, Annals of Mathematical Statistics 12,
/// 1941), and as many times that as crowds are large.
struct Crowding: Codable, Equatable, Sendable {
  private var window: Int64?
  private var count = 0.0
  private var before: Double?
  private var squares = 0.0
  private var sums = 0.0
  private var pairs = 0

  static let windowSeconds: Int64 = 10
  /// Five minutes; fewer windows tell little of how large crowds are.
  static let leastPairs = 30
  /// Of events too: a single burst is an index of ten.
  static let leastEvents = 20.0
  /// An index of 30 pairs of a steady rate is off by a third one time in ten.
  static let noticeable = 1.35
  /// An index of n pairs is off by sqrt(2/n) and more; so many of these deviations are added.
  private static let doubt = 2.0
  /// The evidence of events that crowd counts with the power 1/(`caution`·index). Runs of geometric length with mean m
  /// have an index of 2m - 1 if they are shorter than a window, and two thirds of that if about as long; a power of
  /// 1/(4m - 2) keeps a likelihood ratio of 20x a supermartingale (E 20^(K/18) <= 1 + 19·E K/18 at m = 5).
  static let caution = 3.0
  /// Before enough is known: runs of five and more.
  static let unknown = 20.0

  mutating func add(_ events: Int, second: Int64) {
    let now = second / Crowding.windowSeconds
    guard let window else {
      window = now
      count = Double(events)
      return
    }
    if now > window {
      // A window after a gap has no neighbour.
      if let before {
        squares += (count - before) * (count - before)
        sums += count + before
        pairs += 1
      }
      before = now == window + 1 ? count : nil
      self.window = now
      count = 0
    }
    if now >= window { count += Double(events) }
  }

  /// 1 when each event comes for itself; nil when too few came.
  var index: Double? {
    guard pairs >= Crowding.leastPairs, sums >= Crowding.leastEvents else { return nil }
    return max(squares / sums, 1)
  }

  /// By what the counts of events are divided before they are evidence; at least 1.
  var divisor: Double {
    guard let index else { return Crowding.unknown }
    guard index > Crowding.noticeable else { return 1 }
    return Crowding.caution * index * (1 + Crowding.doubt * (2 / Double(pairs)).squareRoot())
  }

  /// Variance of the rate's factor from window to window (`RegressionTest.spread`).
  var spread: Double {
    guard let index, index > Crowding.noticeable, sums > 0 else { return 0 }
    return (index - 1) * Double(2 * pairs) / sums * Crowding.caution
  }
}
