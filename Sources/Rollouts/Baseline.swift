import Kernel
import Statistics

/// What the known-good deployment did before the new one arrived: totals, counted with the same `slowerThan`. One
/// client's retries count once where the source tells them.
package struct Baseline: Codable, Equatable, Sendable {
  package let requests: Int
  package let errors: Int
  package let slow: Int
  /// How the bad requests crowd together over time; nil when only totals are known, which are read as steady.
  package let dispersion: Dispersion?
  /// Where it was counted, if not by the source that judges, or why that is where; one sentence.
  package var origin: String?

  /// Variance against mean of the bad requests in windows of `Judge.window`: 1 when every request fails for itself.
  package struct Dispersion: Codable, Equatable, Sendable {
    package let windows: Int
    /// At least 1.
    package let errors: Double
    package let slow: Double
    package init(windows: Int, errors: Double, slow: Double) {
      self.windows = windows
      self.errors = max(errors, 1)
      self.slow = max(slow, 1)
    }
  }

  /// Counts below zero are read as zero, and more bad requests than requests as all of them.
  package init(requests: Int, errors: Int, slow: Int, dispersion: Dispersion? = nil) {
    self.requests = max(requests, 0)
    self.errors = min(max(errors, 0), self.requests)
    self.slow = min(max(slow, 0), self.requests)
    self.dispersion = dispersion
  }
  package init(_ counts: RequestCounts) {
    self.init(
      requests: counts.requests - counts.repeats, errors: counts.errors - counts.repeats, slow: counts.slow)
  }

  /// - Parameter windows: of `Judge.window` each, in order.
  package init(windows: [RequestCounts]) {
    let total = Baseline(windows.reduce(.zero, +))
    let told = windows.count { $0.requests > $0.repeats }
    let dispersion =
      told < Baseline.leastWindows
      ? nil
      : Dispersion(
        windows: told,
        errors: Baseline.index(windows.map { ($0.errors - $0.repeats, $0.requests - $0.repeats) }, total.errorRate),
        slow: Baseline.index(windows.map { ($0.slow, $0.requests - $0.repeats) }, total.slowRate))
    self.init(requests: total.requests, errors: total.errors, slow: total.slow, dispersion: dispersion)
  }
  /// What a metrics server remembers. Its windows are wider than the judge's, and a fluctuation that is shorter than that
  /// averages out in them: its variance is smaller by up to the ratio of the widths, so what is beyond chance is taken to
  /// be that much more.
  ///
  /// Nil when too few windows tell: totals alone would be read as steady.
  package init?(_ history: RecordedHistory) {
    guard let told = Baseline(windows: history.windows).dispersion else { return nil }
    let scale = max(history.width.seconds / Judge.window.seconds, 1)
    func scaled(_ index: Double) -> Double {
      index > 1 + UsualRate.chance(windows: told.windows) ? 1 + (index - 1) * scale : index
    }
    let total = Baseline(history.totals)
    self.init(
      requests: total.requests, errors: total.errors, slow: total.slow,
      dispersion: Dispersion(
        windows: told.windows, errors: scaled(told.errors), slow: scaled(told.slow)))
    origin = "It is of \(history.words)"
  }

  package func saying(_ origin: String) -> Baseline {
    var result = self
    result.origin = origin
    return result
  }

  /// A first deployment: nothing is known.
  package static let none = Baseline(requests: 0, errors: 0, slow: 0)

  /// Fewer windows do not tell crowding from chance.
  package static let leastWindows = 12

  /// Pearson's chi-square over its degrees of freedom: the usual estimate of overdispersion (McCullagh and Nelder,
  /// Generalized Linear Models, 1989, 4.5).
  private static func index(_ windows: [(events: Int, requests: Int)], _ rate: Double) -> Double {
    guard rate > 0 else { return 1 }
    var sum = 0.0
    var degrees = -1.0
    for window in windows where window.requests > 0 {
      let expected = rate * Double(window.requests)
      let off = Double(window.events) - expected
      sum += off * off / expected
      degrees += 1
    }
    return degrees > 0 ? sum / degrees : 1
  }

  /// Share of errors, 0 to 1; 0 without requests.
  package var errorRate: Double { requests == 0 ? 0 : Double(errors) / Double(requests) }
  /// Share of slow requests, 0 to 1; 0 without requests.
  package var slowRate: Double { requests == 0 ? 0 : Double(slow) / Double(requests) }

  /// The confidence of the upper bounds shown. The judge's own test needs none: it weighs every rate by how well the
  /// counts bear it out (`RegressionTest`).
  package static let confidence = 0.95
  /// Clopper-Pearson, one-sided; 1 without requests.
  package var errorRateUpperBound: Double {
    Binomial.upperBound(events: errors, trials: requests, confidence: Baseline.confidence)
  }
  /// Clopper-Pearson, one-sided; 1 without requests.
  package var slowRateUpperBound: Double {
    Binomial.upperBound(events: slow, trials: requests, confidence: Baseline.confidence)
  }
}

/// What a baseline says of one kind of bad request, with fluctuation taken into account.
struct UsualRate: Equatable {
  /// As many independent bad requests, and requests, as the history is worth.
  let events: Double
  let requests: Double
  /// Variance of the rate's factor between windows (`RegressionTest.spread`).
  let spread: Double

  /// An estimate of a variance from w windows of an exponentially fluctuating rate is off by a factor of
  /// 1 ± sqrt(8 / w); so many of these deviations are added.
  private static let caution = 2.0

  /// An index of w windows of a steady rate is off by sqrt(2 / w); up to so many of these deviations it is read as 1.
  private static let doubt = 2.0
  /// Of fewer bad requests no index tells anything: one of them, in a window with less traffic than others, is an index
  /// of 2 and more, and would make a service with one error a fluctuating one.
  private static let leastEvents = 5

  /// What an index of a steady rate may be beyond 1.
  static func chance(windows: Int) -> Double {
    windows > 0 ? doubt * (2 / Double(windows)).squareRoot() : 0
  }

  init(events: Int, requests: Int, index: Double?, windows: Int) {
    guard let index, index > 1 + UsualRate.chance(windows: windows), events >= UsualRate.leastEvents else {
      self.events = Double(events)
      self.requests = Double(requests)
      spread = 0
      return
    }
    self.events = Double(events) / index
    self.requests = Double(requests) / index
    let mean = Double(events) / Double(windows)
    spread = (index - 1) / mean * (1 + UsualRate.caution * (8 / Double(windows)).squareRoot())
  }
}

extension Baseline {
  var usualErrors: UsualRate {
    UsualRate(events: errors, requests: requests, index: dispersion?.errors, windows: dispersion?.windows ?? 0)
  }
  var usualSlowness: UsualRate {
    UsualRate(events: slow, requests: requests, index: dispersion?.slow, windows: dispersion?.windows ?? 0)
  }
}
