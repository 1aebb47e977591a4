import Kernel
import Statistics

/// What the known-good deployment did before the new one arrived: totals, counted with the same `slowerThan`.
package struct Baseline: Codable, Equatable, Sendable {
  package let requests: Int
  package let errors: Int
  package let slow: Int

  /// Counts below zero are read as zero, and more bad requests than requests as all of them.
  package init(requests: Int, errors: Int, slow: Int) {
    self.requests = max(requests, 0)
    self.errors = min(max(errors, 0), self.requests)
    self.slow = min(max(slow, 0), self.requests)
  }
  package init(_ counts: RequestCounts) {
    self.init(requests: counts.requests, errors: counts.errors, slow: counts.slow)
  }
  /// A first deployment: nothing is known.
  package static let none = Baseline(requests: 0, errors: 0, slow: 0)

  /// Share of errors, 0 to 1; 0 without requests.
  package var errorRate: Double { requests == 0 ? 0 : Double(errors) / Double(requests) }
  /// Share of slow requests, 0 to 1; 0 without requests.
  package var slowRate: Double { requests == 0 ? 0 : Double(slow) / Double(requests) }

  /// The confidence of the upper bounds shown and planned with. The judge's own test needs none: it weighs every
  /// baseline rate by how well the counts bear it out (`BaselineEvidence`).
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
