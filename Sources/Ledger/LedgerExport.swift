import Foundation
import GRDB
import Kernel

/// Which events to show; what is nil does not narrow.
package struct LedgerFilter: Equatable, Sendable {
  package var stream: StreamID?
  package var kind: StreamKind?
  /// The first position wanted.
  package var from: Position
  package var limit: Int?
  package init(stream: StreamID? = nil, kind: StreamKind? = nil, from: Position = 1, limit: Int? = nil) {
    self.stream = stream
    self.kind = kind
    self.from = from
    self.limit = limit
  }
}

/// One event for people and other programs. The payload is the event's JSON as it was written.
package struct LedgerLine: Sendable {
  package let position: Position
  package let stream: String
  package let version: Version
  package let type: String
  package let at: Instant
  /// JSON of the cause.
  package let cause: String
  package let actor: String
  /// JSON of the event; nil when the bytes in the file are no JSON any more.
  package let payload: String?

  init(_ event: StoredEvent) {
    position = event.position
    stream = event.stream
    version = event.version
    type = event.type
    at = Instant(milliseconds: event.at)
    cause = event.cause
    actor = event.actor
    let isJSON = (try? JSONSerialization.jsonObject(with: event.payload, options: .fragmentsAllowed)) != nil
    payload = isJSON ? String(decoding: event.payload, as: UTF8.self) : nil
  }

  /// One JSON object without an end of line; `payload` is null when it was damaged.
  package var json: String {
    """
    {"position":\(position),"stream":\(quoted(stream)),"version":\(version),"type":\(quoted(type)),\
    "at":\(at.milliseconds),"cause":\(cause),"actor":\(quoted(actor)),"payload":\(payload ?? "null")}
    """
  }
}

/// Reads a ledger's events as lines, also while it is in use and without knowing any domain.
package struct LedgerExport: Sendable {
  private let database: DatabaseQueue
  private let path: String

  /// - Throws: `Outage` when there is no readable ledger of a known layout at `files`.
  package init(files: LedgerFiles) throws(Outage) {
    let path = files.database
    guard Disk.exists(path) else {
      throw Outage("ledger", "there is no ledger at \(path); name the right data folder")
    }
    do {
      database = try openLedgerForReading(path)
      let version = try database.read { db in try LedgerSchema.readVersion(db) }
      if version > LedgerSchema.version { throw LedgerSchema.newer(version, file: path) }
      if version == 0 { throw Outage("ledger", "\(path) holds no ledger; name the right data folder") }
    } catch {
      throw ledgerOutage(error, file: path)
    }
    self.path = path
  }

  /// Gives each event in the order of positions, one at a time, from one consistent view of the ledger.
  /// - Throws: `Refusal.unknown` with the nearest match for a stream without events, `Outage` for the ledger; what
  ///   `body` throws ends the reading and is thrown on.
  package func forEach(_ filter: LedgerFilter, _ body: (LedgerLine) throws -> Void) throws {
    var conditions = ["position >= ?"]
    var arguments: StatementArguments = [filter.from]
    if let stream = filter.stream {
      conditions.append("stream = ?")
      arguments += [stream.description]
    }
    if let kind = filter.kind {
      conditions.append("stream GLOB ?")
      arguments += ["\(kind.rawValue):*"]
    }
    // SQLite reads a negative limit as none.
    arguments += [filter.limit.map { max(0, $0) } ?? -1]
    let sql =
      "SELECT \(StoredEvent.columns) FROM events WHERE \(conditions.joined(separator: " AND ")) "
      + "ORDER BY position LIMIT ?"
    do {
      try database.read { db in
        if let stream = filter.stream { try Self.check(stream, in: db) }
        let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
        while let row = try rows.next() {
          guard let event = StoredEvent(row) else {
            throw Outage("ledger", "an event in \(path) is damaged; run `plimsoll ledger verify`")
          }
          try body(LedgerLine(event))
        }
      }
    } catch let error as DatabaseError {
      throw ledgerOutage(error, file: path)
    }
  }

  /// Nothing printed would read as "nothing happened", where it is the name that is wrong.
  private static func check(_ stream: StreamID, in db: Database) throws {
    let text = stream.description
    let isKnown = try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM events WHERE stream = ?)", arguments: [text])
    if isKnown == true { return }
    let known = try String.fetchAll(db, sql: "SELECT stream FROM heads ORDER BY stream")
    let next = nearestMatch(to: text, among: known).map { "did you mean \($0)?" }
    throw Refusal(
      .unknown, "The ledger holds no stream '\(text)': \(next ?? "leave it out to see all \(known.count) streams.")")
  }
}
