import Foundation
import GRDB
import Kernel

/// The work of one write transaction. Versions are checked before anything of an append is inserted, so a conflict
/// needs no savepoint.
struct AppendTransaction {
  private let db: Database
  private let insert: Statement
  private(set) var tail: LedgerTail
  /// The streams that this transaction appended to.
  private var moved: Set<StreamID> = []

  /// - Parameter tail: what the last transaction gave back; nil at the start and after a failure.
  init(_ db: Database, after tail: LedgerTail?) throws {
    self.db = db
    insert = try db.cachedStatement(sql: LedgerSchema.insertEvent)
    self.tail = try LedgerTail.current(db, remembered: tail)
  }

  mutating func add(_ append: PreparedAppend) throws -> Result<[Position], AppendFailure> {
    if let conflict = try conflict(in: append.events) { return .failure(conflict) }
    var positions: [Position] = []
    positions.reserveCapacity(append.events.count)
    for event in append.events { positions.append(try insert(event)) }
    if let routed = append.routedThrough {
      if append.events.isEmpty {
        // Whoever appends nothing wants to know whether the file takes writes, and SQLite writes no page for an update
        // that changes nothing: there and back is a change.
        for _ in 1...2 { try db.cachedStatement(sql: "UPDATE cursor SET routed = -1 - routed").execute() }
      }
      // Never backwards: a routing that is repeated after a crash changes nothing.
      try db.cachedStatement(sql: "UPDATE cursor SET routed = max(routed, ?)").execute(arguments: [routed])
    }
    return .success(positions)
  }

  /// Writes the heads that moved, and the checkpoint that the database should remember. Call it once, last.
  mutating func finish(checkpointed: Position?) throws {
    let upsert = try db.cachedStatement(
      sql: """
        INSERT INTO heads (stream, version, chain) VALUES (?, ?, ?)
        ON CONFLICT (stream) DO UPDATE SET version = excluded.version, chain = excluded.chain
        """)
    for stream in moved.sorted() {
      let head = try tail.head(of: stream, db)
      try upsert.execute(arguments: [stream.description, head.version, head.chain])
    }
    if let checkpointed {
      try db.cachedStatement(sql: "UPDATE cursor SET checkpointed = max(checkpointed, ?)")
        .execute(arguments: [checkpointed])
    }
    tail.forgetExcess()
  }

  private mutating func conflict(in events: [PreparedEvent]) throws -> AppendFailure? {
    var expected: [StreamID: Version] = [:]
    for event in events {
      let found = try expected[event.stream] ?? tail.head(of: event.stream, db).version
      guard event.version == found + 1 else {
        return .conflict(stream: event.stream, expected: event.version, found: found)
      }
      if events.count > 1 { expected[event.stream] = event.version }
    }
    return nil
  }

  private mutating func insert(_ event: PreparedEvent) throws -> Position {
    let position = tail.last + 1
    let chain = HashChain.link(
      after: try tail.head(of: event.stream, db).chain, event.covered, position: position)
    try insert.execute(arguments: [
      position, event.streamText, event.version, event.type, event.at, event.cause, event.actor, event.payload, chain,
    ])
    tail.advance(event.stream, to: LedgerTail.Head(version: event.version, chain: chain))
    moved.insert(event.stream)
    return position
  }
}
