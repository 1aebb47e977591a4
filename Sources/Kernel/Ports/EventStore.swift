/// An event on its way into the ledger.
package struct NewEvent<Event: Sendable>: Sendable {
  package let stream: StreamID
  /// The stream's version that this event makes: one more than the last.
  package let version: Version
  package let at: Instant
  package let cause: Cause
  /// Who: a person's name, or `plimsoll`.
  package let actor: String
  package let event: Event
  package init(stream: StreamID, version: Version, at: Instant, cause: Cause, actor: String, event: Event) {
    self.stream = stream
    self.version = version
    self.at = at
    self.cause = cause
    self.actor = actor
    self.event = event
  }
}

/// An event as the ledger holds it.
package struct RecordedEvent<Event: Sendable>: Sendable {
  package let position: Position
  package let stream: StreamID
  package let version: Version
  package let at: Instant
  package let cause: Cause
  package let actor: String
  package let event: Event
  package init(position: Position, _ new: NewEvent<Event>) {
    self.position = position
    stream = new.stream
    version = new.version
    at = new.at
    cause = new.cause
    actor = new.actor
    event = new.event
  }
}

/// A stream's folded state at a version.
package struct Snapshot<State: Sendable>: Sendable {
  package let stream: StreamID
  package let version: Version
  /// The ledger position of the event that made `version`.
  package let position: Position
  /// The instant of that event; the stream's clock never goes back behind it.
  package let at: Instant
  package let state: State
  package init(stream: StreamID, version: Version, position: Position, at: Instant, state: State) {
    self.stream = stream
    self.version = version
    self.position = position
    self.at = at
    self.state = state
  }
}

package enum AppendFailure: Error, Equatable, Sendable {
  /// Someone else appended first: fold the tail and decide again.
  case conflict(stream: StreamID, expected: Version, found: Version)
  /// Nothing was written (disk full, file gone).
  case outage(Outage)
}

/// What an event type tells the ledger without the ledger knowing any domain.
package protocol LedgerEvent: Codable, Equatable, Sendable {
  /// `kind.case`, for example `queue.landed`.
  var type: String { get }
}

/// The one ledger. Synchronous: callers that must not block own a thread for it.
package protocol EventStore<Event, State>: AnyObject {
  associatedtype Event: LedgerEvent
  associatedtype State: Codable & Equatable & Sendable

  /// Appends all events, and moves the routing cursor when given, in one durable transaction, or does nothing.
  /// - Returns: the position of each event, in order.
  func append(_ events: [NewEvent<Event>], routedThrough: Position?) throws(AppendFailure) -> [Position]
  /// Events of one stream with a higher version, oldest first.
  func events(of stream: StreamID, after version: Version, limit: Int) throws(Outage) -> [RecordedEvent<Event>]
  /// Events of all streams with a higher position, oldest first.
  func events(after position: Position, limit: Int) throws(Outage) -> [RecordedEvent<Event>]
  /// All streams, sorted, with their last version.
  func streams() throws(Outage) -> [(stream: StreamID, version: Version)]
  /// The newest usable snapshot; nil when there is none or its format is of another time.
  func snapshot(of stream: StreamID) throws(Outage) -> Snapshot<State>?
  func save(_ snapshot: Snapshot<State>) throws(Outage)
  /// The position up to which events have been routed.
  func routingCursor() throws(Outage) -> Position
}

/// A snapshot is at most this many events behind (design §7).
package let snapshotInterval: Version = 256
