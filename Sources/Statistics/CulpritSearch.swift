import RealModule

/// A search for the change that broke a line of changes, among runs that sometimes lie.
///
/// Hypotheses: the first bad change is the first, the second, …, the last, or there is none and the alarm was false.
/// A run tests all changes up to one; it is red when the culprit is among them, but for false reds and false greens.
/// Each result moves the posterior by Bayes' rule, and the next run is the one expected to tell most, in bits. That is
/// noisy binary search (Burnashev and Zigangirov 1974; Google's flake-aware culprit finding, ICST 2023).
package struct CulpritSearch: Equatable, Sendable {
  /// How often runs lie, each 0 or more and below 0.5.
  package struct ErrorRates: Equatable, Sendable {
    /// Of runs without the culprit: red for no cause.
    package let falseRed: Double
    /// Of runs with the culprit: green by luck.
    package let falseGreen: Double
    package init(falseRed: Double, falseGreen: Double = 0) {
      self.falseRed = min(max(falseRed, 0), ErrorRates.mostUseful)
      self.falseGreen = min(max(falseGreen, 0), ErrorRates.mostUseful)
    }
    /// A run that lies half of the time says nothing, and no number of them would end the search.
    private static let mostUseful = 0.45

    /// What to assume where flakes have been measured at `measured`: never less than `leastAssumed`.
    package static func assuming(measured: Double) -> ErrorRates {
      ErrorRates(falseRed: max(measured, leastAssumed))
    }
    /// Assuming too few false reds blames the innocent (true 0.1, assumed 0.01: 99.7 % right), assuming too many only
    /// costs about one more run (true 0.01, assumed 0.1: 100 %, 7.7 runs); research/promotion-metrics.md §3.2.
    package static let leastAssumed = 0.1
  }

  package enum Verdict: Equatable, Sendable {
    /// 0 for the first change.
    case culprit(Int, probability: Double)
    case noCulprit(probability: Double)
  }

  package let rates: ErrorRates
  /// One per change, then that of no culprit; they sum to 1.
  package private(set) var posterior: [Double]
  package private(set) var runs = 0

  /// - Parameters:
  ///   - weights: How likely each change is to be the culprit, relative to the others, 0 or more; never empty.
  ///   - noCulprit: The probability that there is none, 0 to below 1.
  package init(weights: [Double], noCulprit: Double, rates: ErrorRates) {
    precondition(!weights.isEmpty, "a search for a culprit needs changes to search")
    self.rates = rates
    let total = weights.reduce(0, +)
    let share = (1 - noCulprit) / (total > 0 ? total : Double(weights.count))
    posterior = weights.map { total > 0 ? $0 * share : share } + [noCulprit]
  }

  package init(changes: Int, noCulprit: Double, rates: ErrorRates) {
    self.init(weights: Array(repeating: 1, count: changes), noCulprit: noCulprit, rates: rates)
  }

  package var changes: Int { posterior.count - 1 }

  /// Takes the result of a run over the first `prefix` changes, 1 to all.
  package mutating func record(prefix: Int, isRed: Bool) {
    let withCulprit = isRed ? 1 - rates.falseGreen : rates.falseGreen
    let without = isRed ? rates.falseRed : 1 - rates.falseRed
    var updated = posterior
    for index in updated.indices { updated[index] *= index < prefix ? withCulprit : without }
    let sum = updated.reduce(0, +)
    runs += 1
    // Impossible under these rates (a green that contradicts a certainty): the run says nothing that can be believed.
    guard sum > 0 else { return }
    posterior = updated.map { $0 / sum }
  }

  /// The likeliest hypothesis, once its probability has reached `confidence`, 0.5 to below 1.
  package func verdict(confidence: Double) -> Verdict? {
    guard let best = posterior.indices.max(by: { posterior[$0] < posterior[$1] }), posterior[best] >= confidence
    else { return nil }
    return best < changes
      ? .culprit(best, probability: posterior[best]) : .noCulprit(probability: posterior[best])
  }
}
