import Foundation
import GRDB
import Kernel
import Testing

@testable import Ledger

@Suite struct SQLiteLedgerTests {
  @Test func keepsTheContract() throws {
    // The folders must outlive the ledgers in them.
    var folders: [TemporaryFolder] = []
    try eventStoreContract {
      let folder = try TemporaryFolder()
      folders.append(folder)
      return try folder.open()
    }
    #expect(folders.count > 1)
  }

  @Test func flushesEveryCommit() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append([toy("a", 1)], routedThrough: nil)
    let (synchronous, journal) = try ledger.pool.writeWithoutTransaction { db in
      (try Int.fetchOne(db, sql: "PRAGMA synchronous"), try String.fetchOne(db, sql: "PRAGMA journal_mode"))
    }
    #expect(synchronous == 2, "FULL")
    #expect(journal == "wal")
  }

  @Test func anAppendWithoutEventsIsAWriteAllTheSame() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append([toy("a", 1)], routedThrough: 1)
    func written() throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: ledger.files.database + "-wal")[.size] as? Int
    }
    let before = try #require(try written())
    #expect(try ledger.append([], routedThrough: 1) == [])
    #expect(try #require(try written()) > before)
    #expect(try ledger.routingCursor() == 1)
  }

  @Test func readsDoNotWaitForAWriter() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append([toy("a", 1)], routedThrough: nil)
    // Inside the write transaction the only writer is taken; a read on it would wait for ever.
    try ledger.pool.write { db in
      try db.execute(sql: "UPDATE cursor SET routed = 5")
      #expect(try ledger.events(after: 0, limit: 5).count == 1)
    }
    #expect(try ledger.routingCursor() == 5)
  }

  @Test func knowsItsLastPosition() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    #expect(try ledger.lastPosition() == 0)
    _ = try ledger.append(toys("a", 1...3), routedThrough: nil)
    #expect(try ledger.lastPosition() == 3)
    #expect(throws: AppendFailure.self) { try ledger.append([toy("a", 9)], routedThrough: nil) }
    #expect(try ledger.lastPosition() == 3)
  }

  @Test func aFailedTransactionLeavesNoTraceInWhatIsRemembered() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append(toys("a", 1...2), routedThrough: nil)
    try ledger.pool.write { db in
      try db.execute(
        sql: """
          CREATE TRIGGER refuse BEFORE INSERT ON events WHEN new.version = 4
          BEGIN SELECT raise(ABORT, 'refused'); END
          """)
    }
    #expect(throws: AppendFailure.self) { try ledger.append(toys("a", 3...4), routedThrough: nil) }
    try ledger.pool.write { try $0.execute(sql: "DROP TRIGGER refuse") }
    #expect(try ledger.append(toys("a", 3...4), routedThrough: nil) == [3, 4])
    try ledger.close()
    #expect(try LedgerVerifier(files: folder.ledger).verify().findings == [])
  }

  @Test func anotherConnectionsAppendIsAConflictAndNoOutage() throws {
    let folder = try TemporaryFolder()
    let ours = try folder.open()
    _ = try ours.append([toy("a", 1)], routedThrough: nil)
    let theirs = try ours.prepare([toy("a", 2), toy("b", 1)], routedThrough: nil)
    try DatabaseQueue(path: folder.ledger.database).write { db in
      var transaction = try AppendTransaction(db, after: nil)
      #expect(try transaction.add(theirs) == .success([2, 3]))
      try transaction.finish(checkpointed: nil)
    }
    #expect(throws: AppendFailure.conflict(stream: StreamID(.queue, "a"), expected: 2, found: 2)) {
      try ours.append([toy("a", 2)], routedThrough: nil)
    }
    #expect(try ours.append([toy("a", 3)], routedThrough: nil) == [4])
    try ours.close()
    #expect(try LedgerVerifier(files: folder.ledger).verify().findings == [])
  }

  @Test func isThereAfterReopening() throws {
    let folder = try TemporaryFolder()
    let first = try folder.open()
    _ = try first.append(toys("a", 1...3), routedThrough: 2)
    try first.close()
    let second = try folder.open()
    #expect(try second.events(after: 0, limit: 9).map(\.event) == toys("a", 1...3).map(\.event))
    #expect(try second.routingCursor() == 2)
    #expect(try second.append([toy("a", 4)], routedThrough: nil) == [4])
  }

  @Test func aSnapshotOfAnotherFormatIsNotUsed() throws {
    let folder = try TemporaryFolder()
    let old = try folder.open(format: "old")
    _ = try old.append([toy("a", 1)], routedThrough: nil)
    let stream = StreamID(.queue, "a")
    let at = Instant(milliseconds: 1_001)
    try old.save(Snapshot(stream: stream, version: 1, position: 1, at: at, state: ToyState(sum: 1)))
    try old.close()
    let new = try folder.open(format: "new")
    #expect(try new.snapshot(of: stream)?.version == nil)
    try new.save(Snapshot(stream: stream, version: 1, position: 1, at: at, state: ToyState(sum: 2)))
    #expect(try new.snapshot(of: stream)?.state == ToyState(sum: 2))
  }

  @Test func refusesTheFileOfANewerPlimsoll() throws {
    let folder = try TemporaryFolder()
    try folder.open().close()
    try DatabaseQueue(path: folder.ledger.database).write { try $0.execute(sql: "PRAGMA user_version = 99") }
    let failure = #expect(throws: Outage.self) { try folder.open() }
    #expect(failure?.sentence.contains("newer plimsoll") == true)
  }

  @Test func refusesADatabaseThatIsNoLedger() throws {
    let folder = try TemporaryFolder()
    try DatabaseQueue(path: folder.ledger.database).write { try $0.execute(sql: "CREATE TABLE shopping (item)") }
    let failure = #expect(throws: Outage.self) { try folder.open() }
    #expect(failure?.sentence.contains("no ledger") == true)
  }

  @Test func refusesToWriteOnOverACutTail() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append(toys("a", 1...3), routedThrough: nil)
    try ledger.close()
    try damage(folder, "DELETE FROM events WHERE position = 3", "UPDATE heads SET version = 2")
    let failure = #expect(throws: Outage.self) { try folder.open() }
    #expect(failure?.sentence.contains("ends at position 2") == true)
  }

  @Test(.enabled(if: TinyDisk.isAvailable, "needs the right to mount"))
  func aFullDiskRefusesAnAppendAndLaterOnesGoOn() throws {
    let disk = try #require(try TinyDisk(kibibytes: 1_024))
    let ledger = try ToyLedger(at: DataFolder(at: "\(disk.path)/data").ledger, snapshotFormat: toyFormat)
    _ = try ledger.append([toy("a", 1)], routedThrough: 1)
    disk.fill()
    var failure: AppendFailure?
    do throws(AppendFailure) {
      _ = try ledger.append([toy("a", 2, note: String(repeating: "x", count: 500_000))], routedThrough: 2)
    } catch { failure = error }
    guard case .outage(let outage) = failure else {
      Issue.record("expected an outage, got \(String(describing: failure))")
      return
    }
    #expect(outage.sentence.contains("nothing was"), "\(outage)")
    #expect(try ledger.events(after: 0, limit: 9).count == 1, "nothing of it was written")
    #expect(try ledger.routingCursor() == 1)
    #expect(throws: AppendFailure.self, "what the engine asks when nothing waits") {
      try ledger.append([], routedThrough: 1)
    }
    disk.relieve()
    #expect(try ledger.append([], routedThrough: 1) == [])
    #expect(try ledger.append([toy("a", 2)], routedThrough: 2) == [2])
    try ledger.close()
    #expect(try LedgerVerifier(files: ledger.files).verify().findings == [])
  }
}

/// Changes a closed ledger behind its back.
func damage(_ folder: TemporaryFolder, _ statements: String...) throws {
  try DatabaseQueue(path: folder.ledger.database).write { db in
    for statement in statements { try db.execute(sql: statement) }
  }
}
