/// A service-level objective: which share of what must be good over a window of time.
package struct Objective: Codable, Equatable, Sendable {
  /// How it is measured.
  package enum Indicator: Codable, Equatable, Sendable {
    /// Bad ones among all: two queries.
    case bad(query: String, total: String, areCounters: Bool)
    /// Good ones among all: two queries.
    case good(query: String, total: String, areCounters: Bool)
    /// Moments at which a query's number is as it must be, among all moments.
    case threshold(query: String, mustBe: Comparison, value: Double)
  }
  /// OpenSLO's `op`.
  package enum Comparison: String, Codable, CaseIterable, Sendable {
    case lte, gte, lt, gt
  }
  /// Unique within a file: the SLO's name, and the objective's place where there are several.
  package let name: String
  /// What a person calls it.
  package let title: String
  /// As the file names it; it need not be one of ours.
  package let service: String
  /// Above 0 and below 1: 0.999.
  package let target: Double
  /// Rolling.
  package let window: Span
  package let indicator: Indicator

  package init(name: String, title: String, service: String, target: Double, window: Span, indicator: Indicator) {
    self.name = name
    self.title = title
    self.service = service
    self.target = target
    self.window = window
    self.indicator = indicator
  }
}
