import RealModule

extension CohortTest {
  /// How sure it is to be decided by then.
  package enum Chance: Sendable {
    /// Half of all ramps.
    case median
    /// 19 of 20.
    case p95

    /// Standard deviations below the mean that so many are above of.
    fileprivate var deviations: Double {
      switch self {
      case .median: 0
      case .p95: 1.645
      }
    }
    /// Of a Poisson count's quantile to its normal one: 1/3 at the median (Choi, Proceedings of the American
    /// Mathematical Society 121, 1994), (z² - 1)/6 elsewhere (Cornish and Fisher).
    fileprivate var shift: Double {
      switch self {
      case .median: 1.0 / 3
      case .p95: (1.645 * 1.645 - 1) / 6
      }
    }
  }

  /// What is known of a stretch of time in which a fault may have gone on.
  package struct Stretch: Equatable, Sendable {
    /// Events that the first cohort had if both are alike.
    package let usual: Double
    /// Of the other cohort.
    package let other: Double
    package init(usual: Double, other: Double) {
      self.usual = usual
      self.other = other
    }
    fileprivate func times(_ fold: Double) -> Stretch { Stretch(usual: usual * fold, other: other * fold) }
  }

  /// ln of the evidence that so many ramps have at least after a stretch, if the harm is `ratio` from its begin on.
  ///
  /// - Parameter ratio: at least 1, the harm: events in times of the other cohort's, or the other way round.
  package func logEvidence(of ratio: Double, after stretch: Stretch, for chance: Chance, start: Double) -> Double {
    guard stretch.usual > 0, stretch.other > 0 else { return -.infinity }
    let share = stretch.usual / (stretch.usual + stretch.other)
    let truth = direction == .more ? ratio : 1 / ratio
    let mean = truth * stretch.usual
    let perOther = Double.log(onePlus: (truth - 1) * share)
    let perEvent = Double.log(truth) - perOther
    guard perEvent != 0 else { return -.infinity }
    let deviation = (mean + stretch.other * perOther * perOther / (perEvent * perEvent)).squareRoot()
    let off = chance.deviations * deviation - chance.shift
    let events = max(direction == .more ? mean - off : mean + off, 0)
    let all = events + stretch.other
    let terms = ratios.indices.map { logWeights[$0] + term($0, events, all, share) }
    return logSumExp(terms) + Double.log(start)
  }

  /// How many times `stretch` must last until so many ramps reach ln evidence `threshold`; nil when it would take more
  /// than `most`.
  package func folds(
    of stretch: Stretch, toSee ratio: Double, for chance: Chance, start: Double = StartWeights.first, threshold: Double,
    most: Double = 1e8
  ) -> Double? {
    guard ratio > limit, stretch.usual > 0, stretch.other > 0 else { return nil }
    func isSeen(_ fold: Double) -> Bool {
      logEvidence(of: ratio, after: stretch.times(fold), for: chance, start: start) >= threshold
    }
    var high = 1e-6
    while !isSeen(high) {
      high *= 2
      if high > most { return nil }
    }
    return bisect(from: high / 2, to: high) { !isSeen($0) }
  }
}
