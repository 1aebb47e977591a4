import Foundation
import GRDB
import Kernel

/// Where the next events go: the last position, and the heads of the streams that were written lately, kept from one
/// transaction to the next so that a usual append reads nothing.
///
/// Invariant: it is what the database holds. A transaction takes it, changes it and gives it back only after its
/// commit; a failure loses it, and the next transaction reads the database again.
struct LedgerTail {
  struct Head {
    var version: Version
    var chain: Data
  }

  private(set) var last: Position
  private var heads: [StreamID: Head] = [:]
  /// Changes when another connection commits (SQLite, "PRAGMA data_version").
  private let othersCommits: Int64

  /// The remembered tail, or a new one when there is none or another connection committed since. Call it inside a
  /// write transaction: then no one commits between this check and the use of its answer.
  static func current(_ db: Database, remembered: LedgerTail?) throws -> LedgerTail {
    let othersCommits = try Int64.fetchOne(db.cachedStatement(sql: "PRAGMA data_version")) ?? 0
    if let remembered, remembered.othersCommits == othersCommits { return remembered }
    // Positions are computed, never AUTOINCREMENT: a transaction that fails must not leave a gap.
    let last = try Int64.fetchOne(db, sql: "SELECT ifnull(max(position), 0) FROM events") ?? 0
    return LedgerTail(last: last, othersCommits: othersCommits)
  }

  private init(last: Position, othersCommits: Int64) {
    self.last = last
    self.othersCommits = othersCommits
  }

  mutating func head(of stream: StreamID, _ db: Database) throws -> Head {
    if let known = heads[stream] { return known }
    let find = try db.cachedStatement(sql: "SELECT version, chain FROM heads WHERE stream = ?")
    let row = try Row.fetchOne(find, arguments: [stream.description])
    var head = Head(version: 0, chain: HashChain.origin)
    if let row {
      guard let version = Int64.fromDatabaseValue(row[0]), let chain = Data.fromDatabaseValue(row[1]) else {
        throw Outage("ledger", "the head of \(stream) is damaged, so nothing was written; run `plimsoll ledger verify`")
      }
      head = Head(version: version, chain: chain)
    }
    heads[stream] = head
    return head
  }

  /// An event was inserted at the next position.
  mutating func advance(_ stream: StreamID, to head: Head) {
    heads[stream] = head
    last += 1
  }

  /// Streams come and go, one for each commit of each service: what is too much is read again when it is needed.
  mutating func forgetExcess() {
    if heads.count > mostHeadsRemembered { heads.removeAll(keepingCapacity: true) }
  }
}

/// Some 200 bytes each; a busy node has some hundreds of streams open at once.
private let mostHeadsRemembered = 4_096
