import ControlPlane
import Kernel

/// The ledger in memory. It outlives the simulated process; each process writes through a session of its own, and only
/// the newest session may write: the others meet conflicts, as a node does whose lease expired.
package final class MemoryLedger {
  package typealias Recorded = RecordedEvent<StreamEvent>

  /// The event at position p is at index p - 1.
  package private(set) var events: [Recorded] = []
  private var byStream: [StreamID: [Int]] = [:]
  private var snapshots: [StreamID: Snapshot<StreamState>] = [:]
  private var cursor: Position = 0
  private var newestSession = 0
  /// While true nothing can be written: the disk is full.
  var refuses = false
  let plant: Plant?

  package init() { plant = nil }
  init(plant: Plant?) { self.plant = plant }

  /// Opens a session and with it takes the lease from every earlier one.
  package func open() -> LedgerSession {
    newestSession += 1
    return LedgerSession(ledger: self, number: newestSession)
  }

  /// The process died. What was appended stays.
  func crash() {
    switch plant {
    case .routingCursorLost: cursor = Position(events.count)
    case .ledgerLosesTail:
      if let lost = events.popLast() { byStream[lost.stream]?.removeLast() }
      cursor = min(cursor, Position(events.count))
    default: break
    }
  }

  fileprivate func append(
    _ new: [NewEvent<StreamEvent>], routedThrough: Position?, session: Int
  ) throws(AppendFailure) -> [Position] {
    if refuses { throw .outage(Outage("disk", "it is full; free some space", sources: ["ENOSPC"])) }
    // A write without events would meet no version to contradict it.
    if new.isEmpty, session != newestSession {
      throw .outage(Outage("lease", "another process has it; end this one"))
    }
    var versions: [StreamID: Version] = [:]
    for event in new {
      let found = versions[event.stream] ?? Version(byStream[event.stream]?.count ?? 0)
      guard event.version == found + 1, session == newestSession else {
        throw .conflict(stream: event.stream, expected: event.version, found: found)
      }
      if new.count > 1 { versions[event.stream] = event.version }
    }
    var positions: [Position] = []
    for event in new {
      let position = Position(events.count + 1)
      byStream[event.stream, default: []].append(events.count)
      events.append(Recorded(position: position, altered(event)))
      positions.append(position)
    }
    if let routedThrough { cursor = max(cursor, routedThrough) }
    return positions
  }

  private func altered(_ event: NewEvent<StreamEvent>) -> NewEvent<StreamEvent> {
    if plant == .freezeLost, case .delivery(.frozen(let freeze, let at)) = event.event {
      return NewEvent(
        stream: event.stream, version: event.version, at: event.at, cause: event.cause, actor: event.actor,
        event: .delivery(.thawed(actor: freeze.actor, reason: freeze.reason, at: at)))
    }
    guard plant == .ledgerAltersEvent, case .delivery(.completed(let id, let deployment, let at)) = event.event
    else {
      return event
    }
    return NewEvent(
      stream: event.stream, version: event.version, at: event.at, cause: event.cause, actor: event.actor,
      event: .delivery(.completed(id, deployment: deployment, at: at + .seconds(1))))
  }

  fileprivate func tail(of stream: StreamID, after version: Version, limit: Int) -> [Recorded] {
    (byStream[stream] ?? []).dropFirst(Int(version)).prefix(limit).map { events[$0] }
  }
  fileprivate func tail(after position: Position, limit: Int) -> [Recorded] {
    Array(events.dropFirst(Int(position)).prefix(limit))
  }
  package var streams: [(stream: StreamID, version: Version)] {
    byStream.map { ($0.key, Version($0.value.count)) }.filter { $0.1 > 0 }.sorted { $0.0 < $1.0 }
  }
  fileprivate func snapshot(of stream: StreamID) -> Snapshot<StreamState>? { snapshots[stream] }
  fileprivate func save(_ snapshot: Snapshot<StreamState>) { snapshots[snapshot.stream] = snapshot }
  fileprivate var routedThrough: Position { cursor }

  /// A stream's state folded from its first event, without any snapshot.
  func folded(_ stream: StreamID) -> StreamState? {
    var state = StreamState.initial(stream.kind)
    for index in byStream[stream] ?? [] {
      guard Turn.fold(&state, events[index].event) else { return nil }
    }
    return state
  }
}

/// One process's way to the ledger.
package final class LedgerSession: EventStore {
  package typealias Event = StreamEvent
  package typealias State = StreamState

  private let ledger: MemoryLedger
  private let number: Int
  /// Told before and after each append; the exhaustive mode kills the process there.
  var onBoundary: (Boundary) -> Void = { _ in }
  var isDead: () -> Bool = { false }

  fileprivate init(ledger: MemoryLedger, number: Int) {
    self.ledger = ledger
    self.number = number
  }

  package func append(
    _ events: [NewEvent<StreamEvent>], routedThrough: Position?
  ) throws(AppendFailure) -> [Position] {
    onBoundary(.beforeAppend)
    if isDead() { throw .outage(Outage("plimsoll", "it was killed before the append")) }
    let positions = try ledger.append(events, routedThrough: routedThrough, session: number)
    onBoundary(.afterAppend)
    return positions
  }
  package func events(of stream: StreamID, after version: Version, limit: Int) throws(Outage)
    -> [RecordedEvent<StreamEvent>]
  { ledger.tail(of: stream, after: version, limit: limit) }
  package func events(after position: Position, limit: Int) throws(Outage) -> [RecordedEvent<StreamEvent>] {
    ledger.tail(after: position, limit: limit)
  }
  package func streams() throws(Outage) -> [(stream: StreamID, version: Version)] { ledger.streams }
  package func snapshot(of stream: StreamID) throws(Outage) -> Snapshot<StreamState>? { ledger.snapshot(of: stream) }
  package func save(_ snapshot: Snapshot<StreamState>) throws(Outage) { ledger.save(snapshot) }
  package func routingCursor() throws(Outage) -> Position { ledger.routedThrough }
}

/// A moment at which a process can die and leave the world in a state of its own.
package enum Boundary: String, CaseIterable, Sendable {
  case beforeAppend
  case afterAppend
  /// The effect was started and nothing was sent.
  case notSent
  /// The peer did it, and nobody heard.
  case unacknowledged
  /// The answer is in the mailbox, and nothing was decided.
  case acknowledged
}
