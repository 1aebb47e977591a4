import RealModule

/// Probabilities and bounds of `events` among `trials` independent requests with one rate.
///
/// Counts outside 0...trials are read as the nearest end; rates outside 0...1 likewise.
package enum Binomial {
  /// ln P(X = events).
  package static func logProbability(events: Int, trials: Int, rate: Double) -> Double {
    if rate <= 0 { return events == 0 ? 0 : -.infinity }
    if rate >= 1 { return events == trials ? 0 : -.infinity }
    return logChoose(trials, events) + Double(events) * Double.log(rate)
      + Double(trials - events) * Double.log(onePlus: -rate)
  }

  /// P(X >= events), by the incomplete beta function; O(sqrt(trials)).
  package static func upperTail(events: Int, trials: Int, rate: Double) -> Double {
    if events <= 0 { return 1 }
    if events > trials { return 0 }
    return regularizedIncompleteBeta(rate, Double(events), Double(trials - events + 1))
  }

  /// P(X >= events) summed term by term: exact, O(trials). For few trials and as a check of `upperTail`.
  package static func exactUpperTail(events: Int, trials: Int, rate: Double) -> Double {
    if events <= 0 { return 1 }
    if events > trials { return 0 }
    // From the far end, smallest terms first, so that nothing is lost in rounding.
    var sum = 0.0
    for count in stride(from: trials, through: events, by: -1) {
      sum += Double.exp(logProbability(events: count, trials: trials, rate: rate))
    }
    return min(sum, 1)
  }

  /// The one-sided upper bound of Clopper and Pearson (Biometrika 26, 1934): the rate at which seeing so few events
  /// has probability `1 - confidence`. 1 without trials. Never below the true rate more often than stated.
  package static func upperBound(events: Int, trials: Int, confidence: Double) -> Double {
    guard trials > 0, events < trials else { return 1 }
    let events = max(events, 0)
    // P(X <= events | rate) = 1 - I_rate(events + 1, trials - events), which falls with the rate.
    return bisect(from: Double(events) / Double(trials), to: 1) { rate in
      regularizedIncompleteBeta(rate, Double(events) + 1, Double(trials - events)) < confidence
    }
  }

  /// The one-sided upper bound of Wilson (JASA 22, 1927) for `z` standard deviations; nearly exact on average, but may
  /// miss slightly more often than stated. 1 without trials.
  package static func wilsonUpperBound(events: Int, trials: Int, z: Double) -> Double {
    guard trials > 0 else { return 1 }
    let n = Double(trials)
    let rate = Double(min(max(events, 0), trials)) / n
    let square = z * z / n
    let centre = rate + square / 2
    let half = z * Double.sqrt(rate * (1 - rate) / n + square / (4 * n))
    return min(1, (centre + half) / (1 + square))
  }

  /// Kullback and Leibler's divergence of a Bernoulli stream of rate `q` from one of rate `p`, in nats a request:
  /// what one request is expected to say when the truth is `q` and the claim is `p`.
  package static func divergence(of q: Double, from p: Double) -> Double {
    func term(_ a: Double, _ b: Double) -> Double {
      if a <= 0 { return 0 }
      return b <= 0 ? .infinity : a * Double.log(a / b)
    }
    return max(0, term(q, p) + term(1 - q, 1 - p))
  }
}

/// Where `isBelow` turns false between `low`, where it is true, and `high`; to the last bits of a double.
func bisect(from low: Double, to high: Double, isBelow: (Double) -> Bool) -> Double {
  var low = low
  var high = high
  // 2^-60 of the interval: finer than a double's own steps.
  for _ in 0..<60 {
    let middle = (low + high) / 2
    if isBelow(middle) { low = middle } else { high = middle }
  }
  return high
}
