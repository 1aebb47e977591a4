import RealModule

/// One e-value from two views of a stream: all of it, and its recent past.
///
/// A test that began before a change is slowed by all the calm it saw; a test that restarts for ever forgets small
/// worsenings. Shares of one unit of evidence avoid both: nine tenths stay in the test of the whole, the last tenth is
/// dealt out in equal parts to `mostRecentWindows` windows of recent time, begun one after the other. A sum
/// of e-processes with shares that add up to 1 is an e-process, so Ville's bound holds for the whole watch.
package enum MixtureWindows {
  package static let wholeShare = 0.9
  /// With windows of half a minute: an hour of watching; the last window then never ends.
  package static let mostRecentWindows = 120
  private static let recentShare = (1 - wholeShare) / Double(mostRecentWindows)
  /// Nats that the share of the whole costs.
  package static let wholeCost = -Double.log(wholeShare)

  /// ln of the joint e-value of the two views' ln evidences.
  package static func combined(whole: Double, recent: Double) -> Double {
    logSumExp([Double.log(wholeShare) + whole, Double.log(recentShare) + recent])
  }
  /// True when the recent view carries more of the joint e-value than the whole.
  package static func recentDominates(whole: Double, recent: Double) -> Bool {
    Double.log(recentShare) + recent > Double.log(wholeShare) + whole
  }
  /// The ln evidence that a test with false-alarm share `budget` (0 to 1) must reach: ln(1 / budget).
  package static func threshold(budget: Double) -> Double { -Double.log(max(budget, .leastNormalMagnitude)) }
}
