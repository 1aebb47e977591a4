import FlagServing
import Flags
import GRPCCore
import SwiftProtobuf
import Synchronization

/// What one event stream of the evaluation service is told: `provider_ready`, then `configuration_change` with the keys
/// of flags that changed, so that the client forgets what it kept of them, and `keep_alive` in between.
struct FlagEventStream: Sendable {
  struct Event: Sendable {
    let type: String
    let data: Google_Protobuf_Struct?
  }

  /// flagd's own interval.
  static let silence = Duration.seconds(20)

  private let stream: VersionStream
  private let changes: FlagChanges

  init(_ evaluator: FlagdEvaluator, _ changes: FlagChanges, _ call: Call) throws {
    stream = try VersionStream(evaluator, call)
    self.changes = changes
  }

  func run(_ send: @escaping @Sendable (Event) async throws -> Void) async throws {
    try await stream.follow(silence: Self.silence) { [changes] last, served in
      if let last, last.version == served.version { return try await send(Event(type: "keep_alive", data: nil)) }
      if last == nil { try await send(Event(type: "provider_ready", data: nil)) }
      // A client that comes back may have slept through changes and holds static values from before: so the first
      // change names every flag. A change that alters no flag is still news of a version.
      try await send(Event(type: "configuration_change", data: changes.data(from: last, to: served)))
    }
  }
}

/// Which flags differ between two versions, as clients are told; computed once for all streams.
final class FlagChanges: Sendable {
  private struct Known {
    var environment = ""
    var from: Int?
    var to = -1
    var data = Google_Protobuf_Struct()
  }

  private let known = Mutex(Known())

  /// `{"flags": {key: {"type": "write" | "delete"}}}`.
  func data(from last: ServedFlags?, to served: ServedFlags) -> Google_Protobuf_Struct {
    known.withLock { known in
      if known.environment == served.environment, known.from == last?.version, known.to == served.version {
        return known.data
      }
      var flags = Google_Protobuf_Struct()
      for key in served.changedKeys(since: last) {
        var kind = Google_Protobuf_Struct()
        kind.fields["type"] = Google_Protobuf_Value(
          stringValue: served.flags.position(of: key) == nil ? "delete" : "write")
        flags.fields[key] = Google_Protobuf_Value(structValue: kind)
      }
      var data = Google_Protobuf_Struct()
      data.fields["flags"] = Google_Protobuf_Value(structValue: flags)
      known = Known(environment: served.environment, from: last?.version, to: served.version, data: data)
      return data
    }
  }
}
