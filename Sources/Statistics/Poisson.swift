import RealModule

/// Counts of rare events.
package enum Poisson {
  /// ln of the likelihood ratio of two means after `events`; both above 0. What the counts have in common cancels.
  package static func logRatio(events: Int, mean: Double, to other: Double) -> Double {
    Double(events) * Double.log(mean / other) - (mean - other)
  }
}
