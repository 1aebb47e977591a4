import API
import ControlPlane
import Kernel

/// `/ledger`: everything that happened, newest first.
struct LedgerPage: Sendable {
  let stream: String
  let rows: [Row]
  let isEmpty: Bool
  /// Whether nothing newer is left out.
  let isNewest: Bool
  let isFiltered: Bool
  let older: String?
  let newest: String
  /// Streams offered in the filter: queues and places, not every build.
  let streams: [String]

  struct Row: Sendable {
    let position: Int64
    let stream: String
    let streamAddress: String
    let type: String
    let actor: String
    let sentence: String
    let payload: String
    let at: Moment
  }

  static let pageSize: Int64 = 50

  /// The page on which an event stands first.
  static func address(of position: Int64) -> String { "/ledger?before=\(position + 1)#p\(position)" }

  /// - Parameter before: a position, or a version when a stream is given; beyond the last means from the newest on.
  static func read(_ reader: Reader, stream text: String?, before: Int64) async throws -> LedgerPage {
    let backend = reader.backend
    var events: [RecordedEvent<StreamEvent>]
    let head: Int64
    let upper: Int64
    if let text {
      let stream = try await reader.stream(text)
      head = try await backend.head(of: stream)
      upper = min(before, head + 1)
      let after = max(0, upper - 1 - pageSize)
      events = try await backend.events(of: stream, after: after, limit: Int(upper - 1 - after))
    } else {
      head = try await backend.head()
      upper = min(before, head + 1)
      let after = max(0, upper - 1 - pageSize)
      events = try await backend.events(after: after, limit: Int(upper - 1 - after))
    }
    events.reverse()
    let filter = text.map { "stream=\(Short.part($0))&" } ?? ""
    let oldest = upper - Int64(events.count)
    let now = reader.now()
    var streams: [String] = []
    for kind in [StreamKind.queue, .delivery, .schema, .settings] {
      streams += await backend.states(kind).map(\.stream.description)
    }
    return LedgerPage(
      stream: text ?? "", rows: events.map { row($0, now: now) }, isEmpty: events.isEmpty, isNewest: upper == head + 1,
      isFiltered: text != nil, older: oldest > 1 ? "/ledger?\(filter)before=\(oldest)" : nil,
      newest: "/ledger\(text == nil ? "" : "?\(filter.dropLast())")", streams: streams)
  }

  private static func row(_ event: RecordedEvent<StreamEvent>, now: Instant) -> Row {
    let view = Views.event(event)
    return Row(
      position: view.position, stream: view.stream, streamAddress: "/ledger?stream=\(Short.part(view.stream))",
      type: view.type, actor: view.actor, sentence: view.sentence, payload: view.payload,
      at: Moment(view.atMs, now: now))
  }
}
