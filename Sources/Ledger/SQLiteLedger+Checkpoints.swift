import Foundation
import GRDB
import Kernel

/// Checkpoints are written after the commits that they cover, by a queue of their own: a caller of `append` never
/// waits for a signature or for the second file.
extension SQLiteLedger {
  /// Signs the heads as they are now; returns nil when nothing happened since the last checkpoint. The runtime calls
  /// it on its pulse, so that the unsigned tail of a quiet ledger is short too.
  @discardableResult
  package func checkpoint() throws(Outage) -> Checkpoint? {
    let result = signer.sync { Result<Checkpoint?, Outage> { () throws(Outage) in try self.writeCheckpoint() } }
    return try result.get()
  }

  /// Why the last checkpoint could not be written; nil when it was. Events are safe meanwhile, and every later commit
  /// tries again.
  package var checkpointFailure: Outage? { signing.withLock { $0.failure } }

  func scheduleCheckpoint() {
    let isFirst = signing.withLock { signing in
      defer { signing.isScheduled = true }
      return !signing.isScheduled
    }
    guard isFirst else { return }
    signer.async {
      self.signing.withLock { $0.isScheduled = false }
      // The failure is kept in `signing` by the call itself.
      _ = try? self.writeCheckpoint()
    }
  }

  private func writeCheckpoint() throws(Outage) -> Checkpoint? {
    do throws(Outage) {
      let checkpoint = try signMovedHeads()
      signing.withLock { $0.failure = nil }
      return checkpoint
    } catch {
      signing.withLock { $0.failure = error }
      throw error
    }
  }

  private func signMovedHeads() throws(Outage) -> Checkpoint? {
    let from = journal.lastPosition
    let moved = try read { db -> (position: Position, at: Int64, heads: [Checkpoint.Head])? in
      guard
        let end = try Row.fetchOne(db, sql: "SELECT position, at FROM events ORDER BY position DESC LIMIT 1"),
        let position = Int64.fromDatabaseValue(end[0]), position > from, let at = Int64.fromDatabaseValue(end[1])
      else { return nil }
      // In the order of positions, never grouped by stream: for that, SQLite reads the whole index of streams, and
      // each checkpoint would cost as much as the ledger is long.
      let rows = try Row.fetchCursor(
        db, sql: "SELECT stream, version, chain FROM events WHERE position > ? ORDER BY position", arguments: [from])
      var heads: [String: (version: Version, chain: Data)] = [:]
      while let row = try rows.next() {
        guard let stream = String.fromDatabaseValue(row[0]), let version = Int64.fromDatabaseValue(row[1]),
          let chain = Data.fromDatabaseValue(row[2])
        else { throw Outage("ledger", "an event after position \(from) is damaged; run `plimsoll ledger verify`") }
        heads[stream] = (version, chain)
      }
      let moved = heads.map { stream, head in
        Checkpoint.Head(stream: stream, version: head.version, chain: hexadecimal(head.chain))
      }
      return (position, at, moved)
    }
    guard let moved else { return nil }
    return try journal.append(
      position: moved.position, at: Instant(milliseconds: moved.at), moved: moved.heads)
  }

  /// Writing on over a cut history would bury the find: the last checkpoint's heads must still be there.
  func refuseCutTail() throws {
    guard let checkpoint = journal.last else { return }
    let file = files.database
    let checkpoints = files.checkpoints
    try pool.read { db in
      let last = try Int64.fetchOne(db, sql: "SELECT max(position) FROM events") ?? 0
      let advice =
        "run `plimsoll ledger verify`, then restore \(file) from a copy, or move \(checkpoints) away to accept the loss"
      guard last >= checkpoint.position else {
        throw Outage(
          "ledger",
          "\(file) ends at position \(last), but a signed checkpoint knows position \(checkpoint.position); \(advice)")
      }
      for head in checkpoint.moved {
        let chain = try Data.fetchOne(
          db, sql: "SELECT chain FROM events WHERE stream = ? AND version = ?",
          arguments: [head.stream, head.version])
        guard chain.map({ hexadecimal($0) }) == head.chain else {
          throw Outage(
            "ledger",
            "\(file) no longer holds \(head.stream) version \(head.version) as a signed checkpoint knows it; \(advice)")
        }
      }
    }
  }
}
