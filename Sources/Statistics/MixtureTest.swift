import RealModule

/// An anytime-valid test that a Bernoulli stream's rate is at most `nullRate`, against a mixture of worse rates.
///
/// With x events in n requests the e-value is the average over the alternatives q of
/// (q/p)^x · ((1-q)/(1-p))^(n-x). Under any rate up to p it is a non-negative supermartingale that begins at 1, so it
/// ever reaches 1/α with probability at most α, however often one looks (Ville's inequality; Lindon, Sanden,
/// Shirikian, KDD 2022, arXiv 2205.14762). Two integers are the whole state.
package struct MixtureTest: Equatable, Sendable {
  /// Ratios to the null rate from hardly worse to hopeless; few enough that ln 9 is all the mixture costs.
  package static let standardRatios: [Double] = [1.5, 2, 3, 5, 10, 20, 50, 100, 300]
  /// Alternatives stop short of 1, where one good request would refute them for ever.
  package static let highestRate = 0.95

  /// A null rate of 0 would make the first event infinite evidence.
  package static let lowestRate = 1e-9

  package let nullRate: Double
  private let perEvent: [Double]
  private let perOther: [Double]

  /// - Parameters:
  ///   - nullRate: in (0, 1); at least `lowestRate` is read. From `highestRate` on nothing is worse and the evidence
  ///     stays 0.
  ///   - ratios: above 1, of equal weight; a ratio of 1 is a share that stays out, which keeps the evidence above
  ///     -ln(ratios.count).
  package init(nullRate: Double, ratios: [Double] = standardRatios) {
    let nullRate = min(max(nullRate, MixtureTest.lowestRate), MixtureTest.highestRate)
    self.nullRate = nullRate
    let rates = ratios.map { $0 <= 1 ? nullRate : max(nullRate, min($0 * nullRate, MixtureTest.highestRate)) }
    perEvent = rates.map { Double.log($0 / nullRate) }
    perOther = rates.map { Double.log(onePlus: -$0) - Double.log(onePlus: -nullRate) }
  }

  /// ln of the e-value after `events` in `trials`; 0 before the first request. O(ratios).
  package func logEvidence(events: Int, trials: Int) -> Double {
    let x = Double(events)
    let others = Double(max(trials - events, 0))
    var largest = -Double.infinity
    for index in perEvent.indices { largest = max(largest, x * perEvent[index] + others * perOther[index]) }
    guard largest > -.infinity else { return 0 }
    var sum = 0.0
    for index in perEvent.indices {
      sum += Double.exp(x * perEvent[index] + others * perOther[index] - largest)
    }
    return largest + Double.log(sum / Double(perEvent.count))
  }
}

/// A `MixtureTest` fed request by request, with the highest evidence that it ever showed.
package struct EvidenceProcess: Equatable, Sendable {
  package let test: MixtureTest
  package private(set) var events = 0
  package private(set) var trials = 0
  package private(set) var logEvidence = 0.0
  /// Never falls.
  package private(set) var peak = 0.0

  package init(_ test: MixtureTest) { self.test = test }

  package mutating func absorb(events: Int, trials: Int) {
    self.events += events
    self.trials += trials
    logEvidence = test.logEvidence(events: self.events, trials: self.trials)
    peak = max(peak, logEvidence)
  }
}
