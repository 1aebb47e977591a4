import Foundation
import GRDB
import Kernel
import Synchronization

/// The ledger of one node: an SQLite database in WAL mode, flushed at every commit, with a hash chain per stream and
/// signed checkpoints beside it (design §7).
///
/// Writes are serial; reads never wait for a write. one `append` is one transaction, so whoever gathers the events of
/// many streams into a call, as the engine does, pays one flush. Owned by one process at a time: see
/// `DataFolder.lock()`.
package final class SQLiteLedger<Event: LedgerEvent, State: Codable & Equatable & Sendable>: EventStore, Sendable {
  package let files: LedgerFiles
  let pool: DatabasePool
  /// Names the shape of `State`; snapshots of another format are not used.
  let snapshotFormat: String
  let journal: CheckpointJournal
  /// Signs after commits, apart from the callers of `append`, one checkpoint at a time.
  let signer = DispatchQueue(label: "plimsoll.ledger.checkpoints")
  let signing: Mutex<Signing>
  /// Taken and given back only by the one writer, inside its turn; nil while it is taken.
  private let tail = Mutex<LedgerTail?>(nil)
  private let encoder = ledgerEncoder()

  struct Signing {
    /// A checkpoint is due and not written yet.
    var isScheduled = false
    /// The checkpoint position that the database itself remembers, so that a cut checkpoint file is noticed.
    var remembered: Position
    var failure: Outage?
  }

  /// Opens the ledger, or makes it with its key at first start.
  ///
  /// - Parameter snapshotFormat: changes whenever `State` or its folding does; older snapshots are then refolded.
  /// - Throws: `Outage` for a full or unreadable disk, a damaged file, a file of a newer plimsoll, or a ledger whose
  ///   events end before the last signed checkpoint.
  package init(at files: LedgerFiles, snapshotFormat: String) throws(Outage) {
    self.files = files
    self.snapshotFormat = snapshotFormat
    do {
      try Disk.makeFolder(Disk.folder(of: files.database))
      journal = try CheckpointJournal(at: files.checkpoints, key: LedgerKey(at: files))
      pool = try openLedgerForWriting(files.database)
      let remembered = try pool.write { db in
        try LedgerSchema.prepare(db, file: files.database)
        return try Int64.fetchOne(db, sql: "SELECT checkpointed FROM cursor") ?? 0
      }
      signing = Mutex(Signing(remembered: remembered))
      try refuseCutTail()
    } catch {
      throw ledgerOutage(error, file: files.database)
    }
    // After a kill the last events have no checkpoint yet.
    try checkpoint()
  }

  package func append(_ events: [NewEvent<Event>], routedThrough: Position?) throws(AppendFailure) -> [Position] {
    try commit(prepare(events, routedThrough: routedThrough)).get()
  }

  /// Encodes outside the one writer, so that many callers encode at once.
  func prepare(_ events: [NewEvent<Event>], routedThrough: Position?) throws(AppendFailure) -> PreparedAppend {
    do {
      return PreparedAppend(
        events: try events.map { try PreparedEvent($0, encoder) }, routedThrough: routedThrough)
    } catch {
      throw .outage(Outage("ledger", "an event could not be written as JSON, so nothing was", sources: ["\(error)"]))
    }
  }

  /// One durable transaction; of a conflict nothing is written.
  private func commit(_ append: PreparedAppend) throws(AppendFailure) -> Result<[Position], AppendFailure> {
    let signed = journal.lastPosition
    let isNews = signing.withLock { $0.remembered < signed }
    do {
      let (result, last) = try pool.writeWithoutTransaction { db in
        // Given back within this turn of the writer: after it, the next one may have gone further.
        var transaction: AppendTransaction?
        var result: Result<[Position], AppendFailure> = .success([])
        let remembered = tail.withLock { $0.take() }
        try db.inTransaction(.immediate) {
          var work = try AppendTransaction(db, after: remembered)
          result = try work.add(append)
          try work.finish(checkpointed: isNews ? signed : nil)
          transaction = work
          return .commit
        }
        let now = transaction?.tail
        tail.withLock { $0 = now }
        return (result, now?.last ?? signed)
      }
      if isNews { signing.withLock { $0.remembered = max($0.remembered, signed) } }
      if last - signed >= checkpointInterval { scheduleCheckpoint() }
      return result
    } catch {
      throw .outage(ledgerOutage(error, file: files.database))
    }
  }

  /// Signs what is not signed yet and closes the files. Later calls throw.
  package func close() throws(Outage) {
    try checkpoint()
    do {
      // The pool's readers close last and may not do it: without this, the events stay in the log beside the file.
      try pool.writeWithoutTransaction { db in _ = try db.checkpoint(.truncate) }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      // Someone still reads; the next opening finds the log and uses it.
    } catch {
      throw ledgerOutage(error, file: files.database)
    }
    do { try pool.close() } catch { throw ledgerOutage(error, file: files.database) }
  }
}

/// The pool of the one writer, with readers that never wait for it; flushed at every commit.
func openLedgerForWriting(_ path: String) throws -> DatabasePool {
  var configuration = Configuration()
  configuration.label = "ledger"
  configuration.busyMode = .timeout(lockPatienceSeconds)
  let pool = try DatabasePool(path: path, configuration: configuration)
  // DatabasePool sets `synchronous` back to NORMAL while it sets up WAL, after every hook of its configuration, so
  // this must follow its opening; and SQLite ignores the pragma inside a transaction.
  try pool.writeWithoutTransaction { db in
    try db.execute(sql: "PRAGMA synchronous = FULL")
    try db.execute(sql: "PRAGMA wal_autocheckpoint = \(pagesBetweenTransfers)")
  }
  return pool
}

/// The write-ahead log goes back into the file after so many pages of 4 KiB, 32 MiB. SQLite's own 1,000 are some 30
/// group commits of 32 streams, each of which touches an index page.
let pagesBetweenTransfers = 8_192

/// How long a statement waits for another process, such as a backup, to let go of the file.
let lockPatienceSeconds = 5.0

/// Sorted keys: the same event is always the same bytes.
func ledgerEncoder() -> JSONEncoder {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return encoder
}
