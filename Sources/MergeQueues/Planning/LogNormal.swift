import RealModule

/// A duration whose logarithm is normal, as build times nearly are (research/merge-queue.md §2.4).
struct LogNormal {
  /// Seconds, above 0.
  let median: Double
  /// Standard deviation of the logarithm, 0 or more.
  let deviation: Double

  /// Certain durations would make every comparison certain.
  static let leastDeviation = 0.02

  init(median: Double, deviation: Double) {
    self.median = max(median, 1)
    self.deviation = max(deviation, LogNormal.leastDeviation)
  }

  var mean: Double { median * Double.exp(deviation * deviation / 2) }

  /// Seconds still to come on average when it has taken `elapsed` and is not over: E[T | T > t] - t, where
  /// E[T | T > t] = mean Φ(σ - z) / Φ(-z) and z = ln(t / median) / σ. Far beyond any plan, as long again as a tenth.
  func remaining(after elapsed: Double) -> Double {
    if elapsed <= 0 { return mean }
    let z = Double.log(elapsed / median) / deviation
    if z > LogNormal.farTail { return elapsed * LogNormal.overdueShare }
    return max(mean * upper(z - deviation) / upper(z) - elapsed, 1)
  }

  /// Beyond it the quotient of two vanishing probabilities says nothing.
  private static let farTail = 5.0
  private static let overdueShare = 0.1

  private func upper(_ z: Double) -> Double { Normal.upper(z) }
}

/// The standard normal distribution.
enum Normal {
  /// The probability of more than `z`.
  static func upper(_ z: Double) -> Double { 0.5 * Double.erfc(z / 2.0.squareRoot()) }
  static func density(_ z: Double) -> Double { Double.exp(-z * z / 2) / (2 * Double.pi).squareRoot() }

  /// The mean of max(0, X) of a normal X: what is gained where a loss can be declined.
  static func gain(mean: Double, deviation: Double) -> Double {
    if deviation <= 0 { return max(0, mean) }
    let z = mean / deviation
    return mean * upper(-z) + deviation * density(z)
  }
}
