import RealModule

/// An anytime-valid test that a stream's rate is at most `tolerance` times a usual rate, which is either known or
/// counted in an earlier stream.
///
/// Each alternative says "`ratio` times the usual". Its likelihood ratio to "`tolerance` times the usual" multiplies
/// from request to request, and the weighted mean over the alternatives (`Alternatives`) is the e-value: it reaches
/// 1/α under the null with probability at most α, however often one looks (Ville's inequality; Lindon, Sanden,
/// Shirikian, KDD 2022, arXiv 2205.14762). Events are counted as a Poisson stream over requests, which grows more
/// slowly than the binomial under either claim.
///
/// **A counted usual rate** is a nuisance parameter that both claims share. With a events in b earlier requests it has
/// the density of Gamma(a, b), which is what the scale-invariant prior 1/p makes of them, and integrating it out of
/// both sides gives, for x events in n requests,
///
///     (ratio/tolerance)^x · ((b + tolerance·n) / (b + ratio·n))^(a + x):
///
/// the likelihood ratio of the conditional test of two rates (Przyborowski and Wilenski, Biometrika 31, 1940) with the
/// history as the control (group-invariant e-values: Pérez-Ortiz, Lardy, de Heide, Grünwald, Annals of Statistics 52,
/// 2024). One event more than was counted is read, as if the history had gone on to its next event: a spotless history
/// is not a rate of zero.
///
/// **A rate that fluctuates** by itself, as a struggling dependency's does, is no regression. `spread` is the variance
/// of its factor, whose mean is 1, from one window of time to the next, learnt from the history. Windows are then
/// negative binomial instead of Poisson, and events crowded into one window say little more than that it was a bad
/// one: `Course` keeps the windows apart. Each closed window makes the usual rate more certain in turn, by no more than
/// such a window can tell: x events of it are worth x/(1 + spread·x), as a history's are divided by their index
/// (McCullagh and Nelder, Generalized Linear Models, 1989, 6.2). Taken for x, what fails would soon be what is usual.
///
/// Rejected: the least product over all earlier rates of two e-values, one against each stream ("universal
/// inference"): the mixture over earlier rates costs 3 to 4 nats, which is one to two bad requests more at each
/// decision. Rejected: the power 1/dispersion of a Poisson likelihood ratio: for the alternatives from 5x on it is no
/// supermartingale, because a fluctuating rate's tail falls like e^-x, not like x^-x.
package struct RegressionTest: Equatable, Sendable {
  package let tolerance: Double
  /// The usual rate, or the best guess of it.
  package let usualRate: Double
  /// Variance of the rate's factor between windows; 0 for a steady one.
  package let spread: Double
  package let alternatives: Alternatives
  package var nullRate: Double { tolerance * usualRate }

  /// Infinite for a known rate.
  private let earlierEvents: Double
  private let earlierTrials: Double
  private let logRatios: [Double]

  /// Against a rate that is known, such as a ceiling.
  ///
  /// - Parameter rate: in (0, 1).
  package init(knownRate rate: Double, spread: Double = 0, alternatives: Alternatives) {
    self.init(rate: rate, events: .infinity, trials: .infinity, tolerance: 1, spread: spread, alternatives)
  }

  /// Against a rate known by its counts.
  ///
  /// - Parameters:
  ///   - events: 0...trials; what fluctuation makes of them is taken off (`Baseline.certainty`).
  ///   - trials: above 0.
  ///   - tolerance: at least 1.
  package init(
    earlierEvents events: Double, earlierTrials trials: Double, tolerance: Double, spread: Double = 0,
    alternatives: Alternatives
  ) {
    self.init(
      rate: (events + 1) / trials, events: events + 1, trials: trials, tolerance: tolerance, spread: spread,
      alternatives)
  }

  private init(
    rate: Double, events: Double, trials: Double, tolerance: Double, spread: Double, _ alternatives: Alternatives
  ) {
    usualRate = rate
    earlierEvents = events
    earlierTrials = trials
    self.tolerance = tolerance
    self.spread = max(spread, 0)
    self.alternatives = alternatives
    logRatios = alternatives.ratios.map { Double.log($0 / tolerance) }
  }

  /// The same without fluctuation: what can be planned with, before it is known how many windows there will be.
  package var asIfSteady: RegressionTest {
    RegressionTest(
      rate: usualRate, events: earlierEvents, trials: earlierTrials, tolerance: tolerance, spread: 0, alternatives)
  }

  /// The same as if the usual rate were exactly known and steady.
  package var asIfKnown: RegressionTest {
    RegressionTest(
      rate: usualRate, events: .infinity, trials: .infinity, tolerance: tolerance, spread: 0, alternatives)
  }

  /// The windows that are over, as they weigh for each alternative.
  package struct Course: Codable, Equatable, Sendable {
    fileprivate var events = 0
    fileprivate var trials = 0
    /// ln of the likelihood ratios, one an alternative; empty before the first window is over.
    fileprivate var logs: [Double] = []
    /// What they have told of the usual rate. Nil before the first is over, and in courses of before it was kept,
    /// where all events and trials had.
    fileprivate var told: Told?
    package init() {}

    fileprivate struct Told: Codable, Equatable, Sendable {
      var events = 0.0
      var trials = 0.0
    }
    fileprivate var known: Told { told ?? Told(events: Double(events), trials: Double(trials)) }
  }

  /// ln of the e-value of `events` in `trials` that are one window: with a spread of 0 there is no more to know.
  /// Rises with `events`, falls with `trials`. O(alternatives).
  package func logEvidence(events: Int, trials: Int) -> Double {
    logEvidence(after: Course(), events: events, trials: trials)
  }

  /// - Parameters:
  ///   - course: the windows that are over.
  ///   - events: of all time, those in `course` included; likewise `trials`.
  package func logEvidence(after course: Course, events: Int, trials: Int) -> Double {
    let x = Double(events - course.events)
    let n = Double(trials - course.trials)
    let known = course.known
    if course.logs.isEmpty { return alternatives.mixture { term($0, x, n, after: known) } }
    return alternatives.mixture { course.logs[$0] + term($0, x, n, after: known) }
  }

  /// The window with all of `events` and `trials` that are not in `course` is over.
  package func close(_ course: inout Course, events: Int, trials: Int) {
    let x = Double(events - course.events)
    let n = Double(trials - course.trials)
    if course.logs.isEmpty { course.logs = Array(repeating: 0, count: logRatios.count) }
    var known = course.known
    for index in logRatios.indices { course.logs[index] += term(index, x, n, after: known) }
    let worth = 1 / (1 + spread * max(x, n * rate(tolerance, after: known)))
    known.events += x * worth
    known.trials += n * worth
    course.told = known
    course.events = events
    course.trials = trials
  }

  /// ln of one alternative's likelihood ratio for a window with x events in n requests: both claims' negative binomial
  /// predictions, with the usual rate as each of them has come to see it.
  @inline(__always)
  private func term(_ index: Int, _ x: Double, _ n: Double, after known: Course.Told) -> Double {
    let ratio = alternatives.ratios[index]
    guard earlierEvents < .infinity else {
      guard spread > 0 else { return x * logRatios[index] - n * usualRate * (ratio - tolerance) }
      let shape = 1 / spread
      let expected = n * usualRate
      return x * logRatios[index]
        - (x + shape) * Double.log((shape + ratio * expected) / (shape + tolerance * expected))
    }
    let shape = 1 / (spread + 1 / (earlierEvents + known.events))
    let worse = rate(ratio, after: known)
    let usual = rate(tolerance, after: known)
    let logRatio = known.trials == 0 ? logRatios[index] : Double.log(worse / usual)
    return x * logRatio - (x + shape) * Double.log((shape + n * worse) / (shape + n * usual))
  }

  /// The usual rate in times of `factor`, as a claim of that factor has come to see it.
  @inline(__always)
  private func rate(_ factor: Double, after known: Course.Told) -> Double {
    guard earlierEvents < .infinity else { return factor * usualRate }
    return factor * (earlierEvents + known.events) / (earlierTrials + factor * known.trials)
  }
}
