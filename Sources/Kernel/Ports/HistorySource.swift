/// Good and bad over one window before now, not rounded.
package struct WindowRatio: Codable, Equatable, Sendable {
  package let window: Span
  package let requests: Double
  package let errors: Double
  package init(window: Span, requests: Double, errors: Double) {
    self.window = window
    self.requests = requests
    self.errors = errors
  }
}

/// What windows of an objective hold.
package enum WindowAnswer: Codable, Equatable, Sendable {
  /// One for each window asked, in the same order.
  case counts([WindowRatio])
  /// Nothing, no number, or a number that its server doubts: one sentence. Neither good nor bad.
  case unknown(String)
}

/// What a metrics server remembers of a place before a deploy.
package struct RecordedHistory: Equatable, Sendable {
  package let totals: RequestCounts
  /// Windows of `width`, oldest first; those without a sample are left out.
  package let windows: [RequestCounts]
  package let width: Span
  /// What was asked, for a person: `the last 60 min in Prometheus`.
  package let words: String
  package init(totals: RequestCounts, windows: [RequestCounts], width: Span, words: String) {
    self.totals = totals
    self.windows = windows
    self.width = width
    self.words = words
  }
}

package enum HistoryAnswer: Equatable, Sendable {
  case counts(RecordedHistory)
  /// No history, an old one, or one that its server doubts: one sentence. A reason to look elsewhere, never *bad*.
  case unknown(String)
}

/// A metrics server's memory: for error budgets, and for what was usual before a deploy. Kind: *by lookup*.
package protocol HistorySource: Sendable {
  /// Good and bad over each window before the server's now. A query's fault and a server's fault are *unknown*.
  func counts(of indicator: Objective.Indicator, over windows: [Span]) async -> WindowAnswer
  /// Nil where the place does not ask for it.
  func baseline(of service: ServiceName, in environment: EnvironmentName, slowerThan: Span) async -> HistoryAnswer?
}

/// No server is named: every objective is unknown, and no place asks for a baseline.
package struct NoHistorySource: HistorySource {
  package init() {}
  package func counts(of indicator: Objective.Indicator, over windows: [Span]) async -> WindowAnswer {
    .unknown("no Prometheus server is named; add 'prometheus:' to plimsoll.yaml")
  }
  package func baseline(
    of service: ServiceName, in environment: EnvironmentName, slowerThan: Span
  ) async -> HistoryAnswer? { nil }
}
