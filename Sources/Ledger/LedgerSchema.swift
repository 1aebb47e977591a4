import Foundation
import GRDB
import Kernel

/// The tables of the ledger's file and the version of their layout.
enum LedgerSchema {
  /// Held in `PRAGMA user_version`. A file with a higher one was written by a newer plimsoll and is refused.
  static let version = 1

  static let tables = """
    CREATE TABLE events (
      position INTEGER PRIMARY KEY,
      stream TEXT NOT NULL,
      version INTEGER NOT NULL,
      type TEXT NOT NULL,
      at INTEGER NOT NULL,
      cause TEXT NOT NULL,
      actor TEXT NOT NULL,
      payload BLOB NOT NULL,
      chain BLOB NOT NULL,
      UNIQUE (stream, version)
    ) STRICT;
    CREATE TABLE heads (
      stream TEXT PRIMARY KEY,
      version INTEGER NOT NULL,
      chain BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE snapshots (
      stream TEXT PRIMARY KEY,
      version INTEGER NOT NULL,
      position INTEGER NOT NULL,
      at INTEGER NOT NULL,
      format TEXT NOT NULL,
      state BLOB NOT NULL
    ) STRICT;
    CREATE TABLE cursor (
      only INTEGER PRIMARY KEY CHECK (only = 1),
      routed INTEGER NOT NULL,
      checkpointed INTEGER NOT NULL
    ) STRICT;
    INSERT INTO cursor (only, routed, checkpointed) VALUES (1, 0, 0);
    """

  static let insertEvent = """
    INSERT INTO events (position, stream, version, type, at, cause, actor, payload, chain)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    """

  /// Creates the tables in an empty file; leaves a file of this version as it is.
  /// - Throws: `Outage` for a file of a newer plimsoll and for one that is no ledger.
  static func prepare(_ db: Database, file: String) throws {
    let found = try readVersion(db)
    if found > version { throw newer(found, file: file) }
    if found == version { return }
    guard try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0 else {
      throw Outage("ledger", "\(file) is a database, but no ledger; move it away or choose another data folder")
    }
    try db.execute(sql: tables)
    try db.execute(sql: "PRAGMA user_version = \(version)")
  }

  static func readVersion(_ db: Database) throws -> Int {
    try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
  }

  static func newer(_ found: Int, file: String) -> Outage {
    Outage(
      "ledger",
      "\(file) has layout \(found), made by a newer plimsoll than this one, which knows \(version); "
        + "start the newer plimsoll")
  }
}

/// What a failure of the database means for a person, and what to do next.
func ledgerOutage(_ error: any Error, file: String) -> Outage {
  if let outage = error as? Outage { return outage }
  guard let failure = error as? DatabaseError else {
    return Outage("ledger", "\(file) could not be used", sources: ["\(error)"])
  }
  let source = "SQLite \(failure.extendedResultCode.rawValue): \(failure.message ?? "no message")"
  let sentence =
    switch failure.resultCode {
    case .SQLITE_FULL:
      "the disk that holds \(file) is full, so nothing was written; free some space and it goes on"
    case .SQLITE_IOERR:
      "\(file) could not be read or written, so nothing was stored; check the disk that holds it and its free space"
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      "\(file) is damaged; run `plimsoll ledger verify`, then restore it from a copy"
    case .SQLITE_CONSTRAINT:
      "\(file) contradicts itself, so nothing was written; run `plimsoll ledger verify`"
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      "another program holds a lock on \(file), so nothing was written; end that program"
    case .SQLITE_CANTOPEN:
      "\(file) cannot be opened; check that it exists and that the user that runs plimsoll may read and write it"
    case .SQLITE_READONLY, .SQLITE_PERM:
      "\(file) may not be written; give the user that runs plimsoll access to it and to its folder"
    default:
      "\(file) could not be used"
    }
  return Outage("ledger", sentence, sources: [source])
}
