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
  /// From submission, or approval where one is required, to landing or to leaving without.
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

/// One change's time in a queue.
private struct Stay {
  let position: Position
  /// Empty when they were not recorded.
  let waits: [WaitPart]
  let lanes: [String]
  let services: [String]
  let team: String?
}

extension WaitReport {
  fileprivate init(_ stays: [Stay], window: Range<Instant>) {
    from = window.lowerBound
    to = window.upperBound
    all = WaitGroup(name: "", stays)
    byLane = Self.groups(stays) { $0.lanes }
    byService = Self.groups(stays) { $0.services }
    byTeam = Self.groups(stays) { $0.team.map { [$0] } ?? [] }
  }

  private static func groups(_ stays: [Stay], _ names: (Stay) -> [String]) -> [WaitGroup] {
    var members: [String: [Stay]] = [:]
    for stay in stays {
      for name in names(stay) { members[name, default: []].append(stay) }
    }
    let largest = members.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }.prefix(groupLimit)
    return largest.map { WaitGroup(name: $0.key, $0.value) }
  }
}

extension WaitGroup {
  /// A landing without parts, from before they were recorded, is counted as unmeasured.
  fileprivate init(name: String, _ stays: [Stay]) {
    let measured = stays.filter { !$0.waits.isEmpty }
    let wholes = measured.map(\.waits.whole)
    let spread = Spread(wholes)
    self.name = name
    wait = Figure(
      value: spread, facts: measured.count, unmeasured: stays.count - measured.count,
      positions: measured.map(\.position), definition: Definition.wait,
      mark: spread.flatMap(Threshold.markQueueWait))
    let whole = wholes.reduce(Span.zero) { $0 + $1 }
    parts = WaitCause.allCases.compactMap { cause in
      let spans = measured.map { $0.waits[cause] }
      let total = spans.reduce(Span.zero) { $0 + $1 }
      guard total > .zero, let spread = Spread(spans) else { return nil }
      return WaitShare(
        cause: cause, total: total, share: total.seconds / whole.seconds, spread: spread)
    }
  }
}

extension Book {
  /// The waits of the changes that landed or left in `window` (its end not included), of one queue and service or of
  /// all. A change that left belongs to the services that live on its queue's branch. O(facts kept).
  package func waits(
    window: Range<Instant>, queue: StreamID? = nil, service: ServiceName? = nil
  ) -> WaitReport {
    let scope = Scope(book: self, service: service, environment: nil)
    let landed = landings.rows.filter {
      window.contains($0.row.landedAt) && (queue == nil || queue == $0.row.stream)
        && scope.includes(landing: $0.row)
    }.map {
      Stay(
        position: $0.position, waits: $0.row.waits, lanes: $0.row.lanes, services: scope.services(of: $0.row),
        team: $0.row.team)
    }
    var living: [StreamID: [String]] = [:]
    var left: [Stay] = []
    for leaving in leavings.rows
    where window.contains(leaving.row.leftAt) && (queue == nil || queue == leaving.row.stream) {
      let services = living[leaving.row.stream] ?? scope.services(on: leaving.row.stream, in: self)
      living[leaving.row.stream] = services
      if let service, !services.contains(service.rawValue) { continue }
      left.append(
        Stay(
          position: leaving.position, waits: leaving.row.waits, lanes: leaving.row.lanes, services: services,
          team: leaving.row.team))
    }
    return WaitReport((landed + left).sorted { $0.position < $1.position }, window: window)
  }
}
