import Kernel
import MergeQueues

/// How long changes waited in the queues in a window, for what, and whose.
package struct WaitReport: Codable, Equatable, Sendable {
  package let from: Instant
  /// Not included.
  package let to: Instant
  package let all: WaitGroup
  /// Largest first, at most `groupLimit` of each; a change in several lanes counts in each of them.
  package let byLane: [WaitGroup]
  package let byService: [WaitGroup]
  /// Changes whose author's team is not known have none and are only in `all`.
  package let byTeam: [WaitGroup]

  /// Enough for a page; a longer list has too few changes a row to say anything.
  package static let groupLimit = 50
}

/// The waits of some of the changes.
package struct WaitGroup: Codable, Equatable, Sendable {
  /// The lane, service or team; empty for all.
  package let name: String
  /// From submission, or approval where one is required, to landing.
  package let wait: Figure<Spread>
  /// By cause, in the order of a change's life; only causes that took time. They sum to the whole of what was measured.
  package let parts: [WaitShare]
}

/// What one cause took of a group's waits.
package struct WaitShare: Codable, Equatable, Sendable {
  package let cause: WaitCause
  package let total: Span
  /// Of all time waited by the group, 0 to 1.
  package let share: Double
  /// Over all its changes, those that it cost nothing included.
  package let spread: Spread
}

extension WaitReport {
  init(
    _ landings: [Shelved<LandingRow>], services: (LandingRow) -> [String], window: Range<Instant>
  ) {
    from = window.lowerBound
    to = window.upperBound
    all = WaitGroup(name: "", landings)
    byLane = Self.groups(landings) { $0.lanes }
    byService = Self.groups(landings, services)
    byTeam = Self.groups(landings) { $0.team.map { [$0] } ?? [] }
  }

  private static func groups(
    _ landings: [Shelved<LandingRow>], _ names: (LandingRow) -> [String]
  ) -> [WaitGroup] {
    var members: [String: [Shelved<LandingRow>]] = [:]
    for landing in landings {
      for name in names(landing.row) { members[name, default: []].append(landing) }
    }
    let largest = members.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(
      groupLimit)
    return largest.map { WaitGroup(name: $0.key, $0.value) }
  }
}

extension WaitGroup {
  /// A landing without parts, from before they were recorded, is counted as unmeasured.
  fileprivate init(name: String, _ landings: [Shelved<LandingRow>]) {
    let measured = landings.filter { !$0.row.waits.isEmpty }
    let wholes = measured.map { $0.row.waits.whole }
    let spread = Spread(wholes)
    self.name = name
    wait = Figure(
      value: spread, facts: measured.count, unmeasured: landings.count - measured.count,
      positions: measured.map(\.position), definition: Definition.wait,
      mark: spread.flatMap(Threshold.markQueueWait))
    let whole = wholes.reduce(Span.zero) { $0 + $1 }
    parts = WaitCause.allCases.compactMap { cause in
      let spans = measured.map { $0.row.waits[cause] }
      let total = spans.reduce(Span.zero) { $0 + $1 }
      guard total > .zero, let spread = Spread(spans) else { return nil }
      return WaitShare(
        cause: cause, total: total, share: total.seconds / whole.seconds, spread: spread)
    }
  }
}

extension Book {
  /// The waits of the landings in `window` (its end not included), of one queue and service or of all. O(facts kept).
  package func waits(
    window: Range<Instant>, queue: StreamID? = nil, service: ServiceName? = nil
  ) -> WaitReport {
    let scope = Scope(book: self, service: service, environment: nil)
    let landed = landings.rows.filter {
      window.contains($0.row.landedAt) && (queue == nil || queue == $0.row.stream)
        && scope.includes(landing: $0.row)
    }
    return WaitReport(Array(landed), services: scope.services(of:), window: window)
  }
}
