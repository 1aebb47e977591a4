import Foundation
import Kernel

/// An event encoded for its row; only the position and the chain are missing.
struct PreparedEvent: Sendable {
  let stream: StreamID
  let streamText: String
  let version: Version
  let type: String
  let at: Int64
  let cause: String
  let actor: String
  let payload: Data
  /// What the hash chain covers of it, ready to be hashed by the writer.
  let covered: [UInt8]

  init<Event: LedgerEvent>(_ new: NewEvent<Event>, _ encoder: JSONEncoder) throws {
    stream = new.stream
    streamText = new.stream.description
    version = new.version
    type = new.event.type
    at = new.at.milliseconds
    cause = new.cause.json
    actor = new.actor
    payload = try encoder.encode(new.event)
    covered = HashChain.covered(
      stream: streamText, version: version, type: type, at: at, cause: cause, actor: actor, payload: payload)
  }
}

/// What one caller wants appended: all of it or nothing.
struct PreparedAppend: Sendable {
  let events: [PreparedEvent]
  let routedThrough: Position?
}
