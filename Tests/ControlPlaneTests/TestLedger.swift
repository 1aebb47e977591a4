import ControlPlane
import Kernel

/// A ledger in memory that refuses, lies and loses to other writers on command. It outlives engines.
final class TestLedger: EventStore {
  typealias Event = StreamEvent
  typealias State = StreamState
  typealias Recorded = RecordedEvent<StreamEvent>

  private(set) var all: [Recorded] = []
  private(set) var cursor: Position = 0
  private(set) var snapshots: [StreamID: Snapshot<StreamState>] = [:]
  /// Sizes of the appends that succeeded.
  private(set) var appends: [Int] = []
  private(set) var attempts = 0

  var isFull = false
  /// The next append succeeds and is reported lost.
  var losesNextReply = false
  var unreadable: Set<StreamID> = []
  /// Appended by someone else just before the next append.
  var intruder: [NewEvent<StreamEvent>] = []

  static let full = Outage("disk", "it is full; free some space")

  func append(_ events: [NewEvent<StreamEvent>], routedThrough: Position?) throws(AppendFailure) -> [Position] {
    attempts += 1
    if isFull { throw .outage(Self.full) }
    let others = intruder
    intruder = []
    for event in others { keep(event) }
    var versions: [StreamID: Version] = [:]
    for event in events {
      let found = versions[event.stream] ?? version(of: event.stream)
      guard event.version == found + 1 else {
        throw .conflict(stream: event.stream, expected: event.version, found: found)
      }
      versions[event.stream] = event.version
    }
    let positions = events.map { keep($0) }
    if let routedThrough { cursor = max(cursor, routedThrough) }
    if losesNextReply {
      losesNextReply = false
      throw .outage(Outage("disk", "the reply was lost"))
    }
    appends.append(events.count)
    return positions
  }

  @discardableResult private func keep(_ event: NewEvent<StreamEvent>) -> Position {
    let position = Position(all.count + 1)
    all.append(Recorded(position: position, event))
    return position
  }

  func version(of stream: StreamID) -> Version { Version(all.count { $0.stream == stream }) }
  func types(_ stream: StreamID) -> [String] { all.filter { $0.stream == stream }.map(\.event.type) }

  func events(of stream: StreamID, after version: Version, limit: Int) throws(Outage) -> [Recorded] {
    if unreadable.contains(stream) { throw Outage("disk", "\(stream) cannot be read") }
    return Array(all.filter { $0.stream == stream && $0.version > version }.prefix(limit))
  }
  func events(after position: Position, limit: Int) throws(Outage) -> [Recorded] {
    Array(all.dropFirst(Int(position)).prefix(limit))
  }
  func streams() throws(Outage) -> [(stream: StreamID, version: Version)] {
    Set(all.map(\.stream)).sorted().map { ($0, version(of: $0)) }
  }
  func snapshot(of stream: StreamID) throws(Outage) -> Snapshot<StreamState>? { snapshots[stream] }
  func save(_ snapshot: Snapshot<StreamState>) throws(Outage) { snapshots[snapshot.stream] = snapshot }
  func routingCursor() throws(Outage) -> Position { cursor }
}

/// Notes what it is told, and does nothing.
final class Recorder: EffectDispatcher {
  struct Start: Equatable {
    let key: String
    let stream: StreamID
    let fence: Fence
  }
  private(set) var starts: [Start] = []
  private(set) var cancels: [Start] = []
  private(set) var effects: [StreamEffect] = []
  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) {
    starts.append(Start(key: effect.key.text, stream: stream, fence: fence))
    effects.append(effect)
  }
  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {
    cancels.append(Start(key: key.text, stream: stream, fence: fence))
  }
  func starts(of key: String) -> [Start] { starts.filter { $0.key == key } }
}
