import Crypto
import Foundation
import GRDB
import Kernel

/// An event as its row holds it, before any domain's type is known; what the hash chain covers.
struct StoredEvent {
  let position: Position
  /// `kind:name`; kept as text, because a damaged row may name no stream at all.
  let stream: String
  let version: Version
  let type: String
  /// Milliseconds since 1970-01-01T00:00:00Z.
  let at: Int64
  /// `Cause` as JSON.
  let cause: String
  let actor: String
  /// The event as JSON with sorted keys; these exact bytes are hashed.
  let payload: Data
  let chain: Data

  static let columns = "position, stream, version, type, at, cause, actor, payload, chain"

  /// Nil when a column holds another type than the ledger writes: the row was damaged. Reading such a column as the
  /// type that it should have would trap.
  init?(_ row: Row) {
    guard let position = Int64.fromDatabaseValue(row[0]), let stream = String.fromDatabaseValue(row[1]),
      let version = Int64.fromDatabaseValue(row[2]), let type = String.fromDatabaseValue(row[3]),
      let at = Int64.fromDatabaseValue(row[4]), let cause = String.fromDatabaseValue(row[5]),
      let actor = String.fromDatabaseValue(row[6]), let payload = Data.fromDatabaseValue(row[7]),
      let chain = Data.fromDatabaseValue(row[8])
    else { return nil }
    self.position = position
    self.stream = stream
    self.version = version
    self.type = type
    self.at = at
    self.cause = cause
    self.actor = actor
    self.payload = payload
    self.chain = chain
  }

  /// The link that this event must carry, given the link of the event before it in its stream.
  func link(after previous: Data) -> Data {
    let covered = HashChain.covered(
      stream: stream, version: version, type: type, at: at, cause: cause, actor: actor, payload: payload)
    return HashChain.link(after: previous, covered, position: position)
  }

  /// - Throws: `Outage` when the row cannot be understood by this version of the program.
  func recorded<Event: LedgerEvent>(as: Event.Type, _ decoder: JSONDecoder) throws -> RecordedEvent<Event> {
    guard let id = StreamID(stream) else {
      throw Outage("ledger", "the event at position \(position) names no stream; run `plimsoll ledger verify`")
    }
    do {
      let event = try decoder.decode(Event.self, from: payload)
      let cause = try decoder.decode(Cause.self, from: Data(cause.utf8))
      return RecordedEvent(
        position: position,
        NewEvent(
          stream: id, version: version, at: Instant(milliseconds: at), cause: cause, actor: actor, event: event))
    } catch {
      throw Outage(
        "ledger",
        "the event at position \(position) (\(type), \(stream) version \(version)) cannot be read; "
          + "run `plimsoll ledger verify`, or start the plimsoll that wrote it",
        sources: ["\(error)"])
    }
  }
}

/// The chain that ties each event of a stream to all events before it: a changed, removed or moved event breaks it.
enum HashChain {
  /// What the first event of a stream is linked to.
  static let origin = Data(repeating: 0, count: SHA256.byteCount)

  /// The canonical bytes of an event without its place: what a caller can prepare before the writer's turn.
  static func covered(
    stream: String, version: Version, type: String, at: Int64, cause: String, actor: String, payload: Data
  ) -> [UInt8] {
    // 128: seven numbers and lengths of eight bytes, and a usual type and actor.
    var canonical = CanonicalBytes(capacity: payload.count + cause.utf8.count + stream.utf8.count + 128)
    canonical.add(stream)
    canonical.add(version)
    canonical.add(type)
    canonical.add(at)
    canonical.add(cause)
    canonical.add(actor)
    canonical.add(bytes: payload)
    return canonical.bytes
  }

  /// SHA-256 over the previous link with its length, `covered` and the position. The position is covered too, so that
  /// the order between streams cannot be changed either.
  static func link(after previous: Data, _ covered: [UInt8], position: Position) -> Data {
    var canonical = CanonicalBytes(capacity: covered.count + 2 * MemoryLayout<Int64>.size + previous.count)
    canonical.add(bytes: previous)
    canonical.add(written: covered)
    canonical.add(position)
    return Data(SHA256.hash(data: canonical.bytes))
  }
}
