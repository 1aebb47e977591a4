import RealModule

/// Bounds of the ratio of two cohorts' rates that hold at all times at once: a confidence sequence.
///
/// The likelihood of a ratio is that of `CohortTest`; the mean likelihood over a prior, divided by the likelihood at
/// the true ratio, is a martingale with mean 1, so the ratios at which it stays below 1/α hold the true one for ever
/// with probability 1 - α (Robbins, Annals of Mathematical Statistics 41, 1970). The prior is flat over the logarithm,
/// from 1/32 to 32 in sixty steps of 12 %.
package struct RatioBounds: Codable, Equatable, Sendable {
  private var events = 0.0
  /// For each ratio of the grid: the sum of all·ln(1 + (ratio - 1)·share).
  private var logs: [Double] = []
  package init() {}

  package static let widest = 32.0
  private static let steps = 60
  private static let logWidest = Double.log(widest)
  private static let step = 2 * logWidest / Double(steps)
  private static let grid = (0...steps).map { -logWidest + Double($0) * step }
  private static let excess = grid.map { Double.exp($0) - 1 }

  /// As for `CohortTest.absorb`.
  package mutating func absorb(events: Double, all: Double, share: Double) {
    guard all > 0, share > 0, share < 1 else { return }
    if logs.isEmpty { logs = Array(repeating: 0, count: RatioBounds.grid.count) }
    self.events += events
    let excess = RatioBounds.excess
    for index in logs.indices { logs[index] += all * Double.log(onePlus: excess[index] * share) }
  }

  /// The ratios that are not refuted; nil at an end where none within the grid is.
  ///
  /// - Parameter confidence: above 0 and below 1.
  package func bounds(confidence: Double) -> (lower: Double?, upper: Double?) {
    guard !logs.isEmpty else { return (nil, nil) }
    let grid = RatioBounds.grid
    let likelihoods = grid.indices.map { events * grid[$0] - logs[$0] }
    let mean = logSumExp(likelihoods) - Double.log(Double(grid.count))
    let least = mean + Double.log(1 - confidence)
    guard let first = likelihoods.firstIndex(where: { $0 >= least }),
      let last = likelihoods.lastIndex(where: { $0 >= least })
    else { return (nil, nil) }
    let lower = first == 0 ? nil : edge(likelihoods, least, inside: first, outside: first - 1)
    let upper = last == grid.count - 1 ? nil : edge(likelihoods, least, inside: last, outside: last + 1)
    return (lower, upper)
  }

  /// The likelihood's logarithm is concave in that of the ratio, so the line through the two last points inside runs
  /// above it: where that line leaves, the likelihood has left.
  private func edge(_ values: [Double], _ least: Double, inside: Int, outside: Int) -> Double {
    let grid = RatioBounds.grid
    let before = inside + (inside - outside)
    guard values.indices.contains(before) else { return Double.exp(grid[outside]) }
    let fall = values[before] - values[inside]
    guard fall > 0 else { return Double.exp(grid[outside]) }
    let part = min((values[inside] - least) / fall, 1)
    return Double.exp(grid[inside] + part * (grid[outside] - grid[inside]))
  }

  /// The ratio at which the likelihood is highest, to a step of the grid; nil before any event.
  package var likeliest: Double? {
    guard !logs.isEmpty else { return nil }
    let grid = RatioBounds.grid
    return grid.indices.max { events * grid[$0] - logs[$0] < events * grid[$1] - logs[$1] }.map { Double.exp(grid[$0]) }
  }
}
