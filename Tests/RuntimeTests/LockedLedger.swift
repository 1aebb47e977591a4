import ControlPlane
import Foundation
import Kernel
import Simulator

/// A ledger in memory that the engine's thread writes while the test looks on; it is full, or slow, on command.
///
/// Unchecked: the session is not `Sendable`, and every use of it holds the lock.
final class LockedLedger: EventStore, @unchecked Sendable {
  typealias Event = StreamEvent
  typealias State = StreamState

  static let full = Outage("disk", "it is full; free some space")

  private let lock = NSCondition()
  private let ledger = MemoryLedger()
  private var session: LedgerSession
  private var appends = 0
  private var isFull = false
  private var isHeld = false

  init() { session = ledger.open() }

  /// Appends asked for, whatever became of them.
  var attempts: Int { locked { appends } }
  var types: [String] { locked { ledger.events.map(\.event.type) } }
  func fill() { locked { isFull = true } }
  func free() { locked { isFull = false } }
  /// Appends wait, as they do for a slow disk, until they are let go.
  func hold() { locked { isHeld = true } }
  func letGo() {
    locked {
      isHeld = false
      lock.broadcast()
    }
  }
  /// The process that wrote is gone; another comes.
  func reopen() { locked { session = ledger.open() } }

  func append(
    _ events: [NewEvent<StreamEvent>], routedThrough: Position?
  ) throws(AppendFailure) -> [Position] {
    lock.lock()
    defer { lock.unlock() }
    appends += 1
    while isHeld { lock.wait() }
    if isFull { throw .outage(Self.full) }
    return try session.append(events, routedThrough: routedThrough)
  }
  func events(
    of stream: StreamID, after version: Version, limit: Int
  ) throws(Outage) -> [RecordedEvent<StreamEvent>] {
    lock.lock()
    defer { lock.unlock() }
    return try session.events(of: stream, after: version, limit: limit)
  }
  func events(after position: Position, limit: Int) throws(Outage) -> [RecordedEvent<StreamEvent>] {
    lock.lock()
    defer { lock.unlock() }
    return try session.events(after: position, limit: limit)
  }
  func streams() throws(Outage) -> [(stream: StreamID, version: Version)] {
    lock.lock()
    defer { lock.unlock() }
    return try session.streams()
  }
  func snapshot(of stream: StreamID) throws(Outage) -> Snapshot<StreamState>? {
    lock.lock()
    defer { lock.unlock() }
    return try session.snapshot(of: stream)
  }
  func save(_ snapshot: Snapshot<StreamState>) throws(Outage) {
    lock.lock()
    defer { lock.unlock() }
    try session.save(snapshot)
  }
  func routingCursor() throws(Outage) -> Position {
    lock.lock()
    defer { lock.unlock() }
    return try session.routingCursor()
  }

  private func locked<Answer>(_ body: () -> Answer) -> Answer {
    lock.lock()
    defer { lock.unlock() }
    return body()
  }
}
