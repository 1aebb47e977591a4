import Foundation
import GRDB
import Kernel

/// How events make a state, so that snapshots can be checked against them.
package struct LedgerFold<Event: LedgerEvent, State: Codable & Equatable & Sendable>: Sendable {
  package let snapshotFormat: String
  package let initial: @Sendable (StreamID) -> State
  package let evolve: @Sendable (inout State, RecordedEvent<Event>) -> Void
  package init(
    snapshotFormat: String, initial: @escaping @Sendable (StreamID) -> State,
    evolve: @escaping @Sendable (inout State, RecordedEvent<Event>) -> Void
  ) {
    self.snapshotFormat = snapshotFormat
    self.initial = initial
    self.evolve = evolve
  }
}

/// Checks that a ledger is what was written: chains, positions, signed checkpoints, heads and, given a fold, snapshots.
///
/// Opens the file for reading only, beside a running plimsoll too. A damaged file is a finding, never a crash.
package struct LedgerVerifier: Sendable {
  package let files: LedgerFiles
  package init(files: LedgerFiles) { self.files = files }

  /// - Throws: `Outage` when the ledger cannot be read at all: absent, not permitted, of a newer plimsoll.
  package func verify() throws(Outage) -> LedgerReport {
    try inspect { _, _ in }
  }

  /// Also folds every stream that has a snapshot of the fold's format and compares.
  package func verify<Event, State>(folding fold: LedgerFold<Event, State>) throws(Outage) -> LedgerReport {
    try inspect { db, report in try SnapshotCheck(fold: fold).run(db, &report) }
  }

  private func inspect(_ more: (Database, inout LedgerReport) throws -> Void) throws(Outage) -> LedgerReport {
    var report = LedgerReport()
    do {
      guard Disk.exists(files.database) else {
        throw Outage("ledger", "there is no ledger at \(files.database); name the right data folder")
      }
      // Before the database, never after: a checkpoint is written after the events that it covers, so every one that
      // is read here has its events in the snapshot that is read below.
      let checkpoints = CheckpointCheck.read(files, &report)
      try openLedgerForReading(files.database).read { db in
        try inspect(db, checkpoints, &report, more)
      }
    } catch let error as DatabaseError where isDamage(error) {
      report.add(
        LedgerFinding(
          "the file \(files.database) is damaged (\(error.message ?? "SQLite \(error.resultCode)")); "
            + "restore it from a copy"))
    } catch {
      throw ledgerOutage(error, file: files.database)
    }
    return report
  }

  private func inspect(
    _ db: Database, _ checkpoints: [Checkpoint], _ report: inout LedgerReport,
    _ more: (Database, inout LedgerReport) throws -> Void
  ) throws {
    let version = try LedgerSchema.readVersion(db)
    if version > LedgerSchema.version { throw LedgerSchema.newer(version, file: files.database) }
    guard try db.tableExists("events"), try db.tableExists("heads"), try db.tableExists("cursor") else {
      report.add(LedgerFinding("the file \(files.database) holds no ledger tables; restore it from a copy"))
      return
    }
    try inspectPages(db, &report)
    var chains = ChainCheck(checkpoints: checkpoints)
    try chains.run(db, &report)
    try CheckpointCheck.compareRemembered(db, files, checkpoints, &report)
    try more(db, &report)
  }

  /// SQLite's own check of its pages and indices.
  private func inspectPages(_ db: Database, _ report: inout LedgerReport) throws {
    for complaint in try String.fetchAll(db, sql: "PRAGMA quick_check(10)") where complaint != "ok" {
      report.add(LedgerFinding("the file is damaged: \(complaint)"))
    }
  }
}

/// A connection that cannot write; in WAL mode it neither waits for the writer nor holds it up.
func openLedgerForReading(_ path: String) throws -> DatabaseQueue {
  var configuration = Configuration()
  configuration.readonly = true
  configuration.label = "ledger reader"
  configuration.busyMode = .timeout(lockPatienceSeconds)
  return try DatabaseQueue(path: path, configuration: configuration)
}

/// The bytes are wrong, in contrast to a file that may not be read.
func isDamage(_ error: DatabaseError) -> Bool {
  switch error.resultCode {
  case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT: true
  // A page that the header promises and the file does not have.
  case .SQLITE_IOERR: error.extendedResultCode == .SQLITE_IOERR_SHORT_READ
  default: false
  }
}
