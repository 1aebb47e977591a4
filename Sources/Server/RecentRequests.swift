import ControlPlane
import Kernel

/// What came of the requests that their senders named: one that is repeated after a lost answer gets the events of the
/// first, and nothing is decided twice.
///
/// The ledger is the memory, for each event is written together with the request that caused it; here is a fold of its
/// newest part. So a request is known after a restart, and also when its append was reported lost and took place.
/// What was refused left no event and is decided anew.
actor RecentRequests {
  /// Requests remembered, named by their senders or by the server: at ten a minute, more than an hour and a half.
  static let limit = 1000
  /// Events read of the ledger's end after a start; a moving rollout writes one in 15 s, so that is a day of them.
  static let reach: Position = 10_000
  /// Events read at once.
  static let pageSize = 500

  typealias Events = [RecordedEvent<StreamEvent>]
  private struct Known {
    let stream: StreamID
    var events: Events
    /// Nil for a request that another process answered.
    var call: Int?
  }
  private struct UnderWay {
    let stream: StreamID
    let call: Int
    let events: Task<Events, any Error>
  }

  private let backend: any Backend
  private let limit: Int
  private let reach: Position
  private var known: [String: Known] = [:]
  /// The names in `known`, oldest first.
  private var names: [String] = []
  private var underWay: [String: UnderWay] = [:]
  /// The last position folded; nil before the first look.
  private var through: Position?

  init(backend: any Backend, limit: Int = RecentRequests.limit, reach: Position = RecentRequests.reach) {
    self.backend = backend
    self.limit = limit
    self.reach = reach
  }

  /// The events of the request with that name; decides it when there is none yet. A second call during the first waits
  /// for it.
  ///
  /// - Parameter call: a hash of all that the sender asked for.
  /// - Throws: what `decide` throws; `Refusal.malformed` when the name was given to another request, which a restart
  ///   of the server makes known by its stream only; `Outage` when the ledger cannot be read.
  func events(
    of name: String, to stream: StreamID, call: Int, decide: @escaping @Sendable () async throws -> Events
  ) async throws -> Events {
    if let running = underWay[name] {
      guard running.stream == stream, running.call == call else { throw Self.taken(name) }
      return try await running.events.value
    }
    // Not a part of the caller's task: a sender that hangs up must not leave its name half answered.
    let events = Task { try await settle(name, stream, call, decide) }
    underWay[name] = UnderWay(stream: stream, call: call, events: events)
    return try await events.value
  }

  private func settle(
    _ name: String, _ stream: StreamID, _ call: Int, _ decide: @Sendable () async throws -> Events
  ) async throws -> Events {
    defer { underWay[name] = nil }
    try await read()
    if let known = known[name] {
      guard known.stream == stream, known.call ?? call == call else { throw Self.taken(name) }
      return known.events
    }
    let events = try await decide()
    for event in events { keep(event) }
    known[name]?.call = call
    return events
  }

  private static func taken(_ name: String) -> Refusal {
    Refusal(
      .malformed, "The name '\(Lookup.shown(name))' was given to another request before: give each one its own.")
  }

  private func read() async throws(Outage) {
    if through == nil {
      let head = try await backend.head()
      through = through ?? max(0, head - reach)
    }
    while let after = through {
      let page = try await backend.events(after: after, limit: Self.pageSize)
      // Another call may have folded a part of the page meanwhile.
      for event in page where event.position > through ?? 0 {
        through = event.position
        keep(event)
      }
      if page.count < Self.pageSize { return }
    }
  }

  /// Idempotent: an event comes with its own answer, and again when the ledger is read.
  private func keep(_ event: RecordedEvent<StreamEvent>) {
    // What the file says at each start is no sender's request.
    guard case .request(let name) = event.cause, event.stream != .settings else { return }
    if let last = known[name]?.events.last {
      if last.position < event.position { known[name]?.events.append(event) }
      return
    }
    known[name] = Known(stream: event.stream, events: [event], call: nil)
    names.append(name)
    if names.count > limit { known[names.removeFirst()] = nil }
  }
}
