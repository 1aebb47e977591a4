import API
import ControlPlane
import Foundation
import Hummingbird
import Kernel

/// Why a live connection wakes up.
enum Wake: Sendable {
  case event(RecordedEvent<StreamEvent>)
  case heartbeat
}

/// `GET /v1/events/live`: server-sent events (WHATWG HTML, "Server-sent events") whose ids are ledger positions.
///
/// Listens first and replays from the ledger then, so nothing falls between; an event at or below the last position
/// sent is passed over, so nothing comes twice; and a jump in positions (a slow reader's buffer ran over) is read from
/// the ledger, so nothing is lost.
struct EventFeed: Sendable {
  let backend: any Backend
  let traffic: Traffic
  let heartbeat: Duration

  /// Proxies commonly cut a connection that is silent for 30 to 60 s.
  static let usualHeartbeat = Duration.seconds(15)
  /// Events waiting for a slow reader.
  static let bufferLimit = 256
  static let pageSize = 200

  /// - Parameter after: the last position that the reader has; nil for from now on.
  func response(after: Position?) async throws -> Response {
    let head = try await backend.head()
    let start = min(after ?? head, head)
    let (wakes, continuation) = AsyncStream.makeStream(
      of: Wake.self, bufferingPolicy: .bufferingNewest(Self.bufferLimit))
    guard let id = traffic.join(continuation) else {
      throw Refused(
        status: .serviceUnavailable, kind: "unavailable",
        sentence: "There are \(Traffic.liveLimit) live connections already: close a page, or ask /v1/events instead.")
    }
    let live = await backend.live()
    let listening = Task {
      for await event in live { continuation.yield(.event(event)) }
      continuation.finish()
    }
    let beating = Task { [heartbeat] in
      while !Task.isCancelled {
        do { try await Task.sleep(for: heartbeat) } catch { return }
        continuation.yield(.heartbeat)
      }
    }
    let end = { @Sendable [traffic] in
      listening.cancel()
      beating.cancel()
      traffic.part(id)
    }
    var headers = HTTPFields()
    headers[.contentType] = "text/event-stream"
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { writer in
        defer { end() }
        try await write(wakes, after: start, to: &writer)
        try await writer.finish(nil)
      })
  }

  private func write(_ wakes: AsyncStream<Wake>, after start: Position, to writer: inout any ResponseBodyWriter)
    async throws
  {
    // A reader that was cut off comes back after a second, not after the browser's own guess.
    try await writer.write(ByteBuffer(string: "retry: 1000\n\n"))
    var last = try await replay(after: start, to: &writer)
    for await wake in wakes {
      switch wake {
      case .heartbeat: try await writer.write(ByteBuffer(string: ": still here\n\n"))
      case .event(let event) where event.position <= last: continue
      case .event(let event) where event.position == last + 1:
        try await writer.write(Self.message(event))
        last = event.position
      case .event: last = try await replay(after: last, to: &writer)
      }
    }
  }

  private func replay(after start: Position, to writer: inout any ResponseBodyWriter) async throws -> Position {
    var last = start
    while true {
      let page = try await backend.events(after: last, limit: Self.pageSize)
      for event in page { try await writer.write(Self.message(event)) }
      last = page.last?.position ?? last
      if page.count < Self.pageSize { return last }
    }
  }

  /// JSON has no line breaks of its own, so one `data` line carries it.
  private static func message(_ event: RecordedEvent<StreamEvent>) throws -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let json = String(decoding: try encoder.encode(Views.event(event)), as: UTF8.self)
    return ByteBuffer(string: "id: \(event.position)\ndata: \(json)\n\n")
  }
}
