/// A query whose number must stay on one side of a threshold.
package struct QueryCheck: Codable, Equatable, Sendable {
  package enum Comparison: String, Codable, CaseIterable, Sendable {
    case below, atMost, above, atLeast
  }
  package enum Outcome: Equatable, Sendable {
    case holds(Double)
    case violated(Double)
    /// No evidence, or a number that its server doubts: one sentence. Never a reason to roll back.
    case unknown(String)
  }
  package let query: String
  /// What the number must be to hold.
  package let mustBe: Comparison
  package let threshold: Double
  /// How old a sample may be; nil for a query whose series all have a range of their own.
  package let lookback: Span?
  package init(query: String, mustBe: Comparison, threshold: Double, lookback: Span?) {
    self.query = query
    self.mustBe = mustBe
    self.threshold = threshold
    self.lookback = lookback
  }

  package func isMet(by value: Double) -> Bool {
    switch mustBe {
    case .below: value < threshold
    case .atMost: value <= threshold
    case .above: value > threshold
    case .atLeast: value >= threshold
    }
  }
}

/// Where numbers for checks come from. Kind: *by lookup*.
package protocol QuerySource: Sendable {
  /// A query's fault and a server's fault are *unknown*, both of them.
  func outcome(of check: QueryCheck) async -> QueryCheck.Outcome
}

/// No server is named: every query is unknown.
package struct NoQuerySource: QuerySource {
  package init() {}
  package func outcome(of check: QueryCheck) async -> QueryCheck.Outcome {
    .unknown("no Prometheus server is named; add 'prometheus:' to plimsoll.yaml")
  }
}
