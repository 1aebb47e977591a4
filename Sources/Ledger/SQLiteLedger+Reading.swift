import Foundation
import GRDB
import Kernel

/// Reads run on connections of their own and see the last commit; none waits for the writer.
extension SQLiteLedger {
  package func events(
    of stream: StreamID, after version: Version, limit: Int
  ) throws(Outage) -> [RecordedEvent<Event>] {
    try recorded(
      "WHERE stream = ? AND version > ? ORDER BY version LIMIT ?", [stream.description, version, max(0, limit)])
  }

  package func events(after position: Position, limit: Int) throws(Outage) -> [RecordedEvent<Event>] {
    try recorded("WHERE position > ? ORDER BY position LIMIT ?", [position, max(0, limit)])
  }

  package func streams() throws(Outage) -> [(stream: StreamID, version: Version)] {
    let file = files.database
    let streams = try read { db in
      try Row.fetchAll(db, sql: "SELECT stream, version FROM heads").map { row in
        guard let text = String.fromDatabaseValue(row[0]), let stream = StreamID(text),
          let version = Int64.fromDatabaseValue(row[1])
        else { throw Outage("ledger", "a head in \(file) names no stream; run `plimsoll ledger verify`") }
        return (stream: stream, version: version)
      }
    }
    // Sorted here: SQLite orders texts by bytes, `StreamID` by kind and then name.
    return streams.sorted { $0.stream < $1.stream }
  }

  /// A snapshot that cannot be decoded is only a lost shortcut: it is refolded from the events.
  package func snapshot(of stream: StreamID) throws(Outage) -> Snapshot<State>? {
    let format = snapshotFormat
    let stored = try read { db -> StoredSnapshot? in
      try Row.fetchOne(
        db, sql: "SELECT \(StoredSnapshot.columns) FROM snapshots WHERE stream = ? AND format = ?",
        arguments: [stream.description, format]
      ).flatMap { StoredSnapshot($0) }
    }
    return stored?.decoded(as: State.self)
  }

  /// An older snapshot than the stored one is ignored, unless the stored one has another format.
  package func save(_ snapshot: Snapshot<State>) throws(Outage) {
    do {
      let state = try ledgerEncoder().encode(snapshot.state)
      try pool.write { db in
        try db.cachedStatement(
          sql: """
            INSERT INTO snapshots (stream, version, position, at, format, state) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (stream) DO UPDATE SET version = excluded.version, position = excluded.position,
              at = excluded.at, format = excluded.format, state = excluded.state
            WHERE excluded.version >= snapshots.version OR excluded.format <> snapshots.format
            """
        ).execute(arguments: [
          snapshot.stream.description, snapshot.version, snapshot.position, snapshot.at.milliseconds, snapshotFormat,
          state,
        ])
      }
    } catch {
      throw ledgerOutage(error, file: files.database)
    }
  }

  package func routingCursor() throws(Outage) -> Position {
    try read { db in try Int64.fetchOne(db, sql: "SELECT routed FROM cursor") ?? 0 }
  }

  /// The position of the last committed event; 0 in an empty ledger. O(log n): the end of the table's own tree.
  package func lastPosition() throws(Outage) -> Position {
    try read { db in
      try Int64.fetchOne(db.cachedStatement(sql: "SELECT ifnull(max(position), 0) FROM events")) ?? 0
    }
  }

  func read<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) throws(Outage) -> Value {
    do { return try pool.read(body) } catch { throw ledgerOutage(error, file: files.database) }
  }

  private func recorded(
    _ condition: String, _ arguments: StatementArguments
  ) throws(Outage) -> [RecordedEvent<Event>] {
    let file = files.database
    return try read { db in
      let decoder = JSONDecoder()
      let statement = try db.cachedStatement(sql: "SELECT \(StoredEvent.columns) FROM events \(condition)")
      let rows = try Row.fetchCursor(statement, arguments: arguments)
      var events: [RecordedEvent<Event>] = []
      while let row = try rows.next() {
        guard let stored = StoredEvent(row) else {
          throw Outage("ledger", "an event in \(file) is damaged; run `plimsoll ledger verify`")
        }
        events.append(try stored.recorded(as: Event.self, decoder))
      }
      return events
    }
  }
}

/// A snapshot as its row holds it.
struct StoredSnapshot {
  let stream: String
  let version: Version
  let position: Position
  let at: Int64
  let format: String
  let state: Data

  static let columns = "stream, version, position, at, format, state"

  /// Nil when a column holds another type than the ledger writes.
  init?(_ row: Row) {
    guard let stream = String.fromDatabaseValue(row[0]), let version = Int64.fromDatabaseValue(row[1]),
      let position = Int64.fromDatabaseValue(row[2]), let at = Int64.fromDatabaseValue(row[3]),
      let format = String.fromDatabaseValue(row[4]), let state = Data.fromDatabaseValue(row[5])
    else { return nil }
    self.stream = stream
    self.version = version
    self.position = position
    self.at = at
    self.format = format
    self.state = state
  }

  func decoded<State: Decodable & Sendable>(as: State.Type) -> Snapshot<State>? {
    guard let id = StreamID(stream), let value = try? JSONDecoder().decode(State.self, from: state) else { return nil }
    return Snapshot(
      stream: id, version: version, position: position, at: Instant(milliseconds: at), state: value)
  }
}
