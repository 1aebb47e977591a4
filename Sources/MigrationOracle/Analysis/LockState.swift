import Migrations

/// The transaction that a migration is in, as far as its text shows it.
struct LockState {
  var transaction: MigrationFile.Transaction
  /// BEGIN was said and not answered yet.
  var isOpen = false
  var hasTimeout = false
  /// Tables under ACCESS EXCLUSIVE since an earlier statement of the transaction.
  private(set) var held: [QualifiedName] = []
  private var taken: [QualifiedName] = []
  /// Tables that an earlier ALTER TABLE read or wrote whole.
  var worked: Set<String> = []
  var warned: Set<String> = []

  init(transaction: MigrationFile.Transaction = .one) {
    self.transaction = transaction
  }

  var inTransaction: Bool { isOpen || transaction == .one }

  mutating func take(_ lock: TableLock) {
    if lock.mode == .accessExclusive { taken.append(lock.table) }
  }

  mutating func endStatement() {
    if inTransaction { held += taken } else { held = [] }
    taken = []
  }

  mutating func endTransaction() {
    isOpen = false
    held = []
    taken = []
  }
}

extension Examination {
  /// Notes a lock on a table that was there before, and what follows from it beside the other locks.
  mutating func take(_ lock: TableLock, near name: String? = nil) {
    guard !isFresh(lock.table) else { return }
    let weight = weight(of: lock.table)
    if lock.work != .instant, weight != .none, let first = locks.held.first {
      let held = first == lock.table ? "it" : first.said
      reportOnce(
        .workUnderExclusiveLock, of: lock.table,
        "\(lock.table.said)\(weight.said) is \(lock.work == .scan ? "read" : "written") whole while \(held) is under "
          + "ACCESS EXCLUSIVE by an earlier statement of this transaction: nobody can use \(held) until it is done.",
        near: name, instead: "Put this statement into a migration of its own.")
    }
    if lock.mode.stopsWriters, !locks.hasTimeout {
      let busy = if case .rows(let rows) = weight { rows >= Self.busyTable } else { false }
      if busy || (lock.work != .instant && weight != .none) {
        reportOnce(
          .noLockTimeout, of: lock.table,
          "\(lock.mode.rawValue) on \(lock.table.said)\(weight.said) is awaited without a lock_timeout: while it waits "
            + "behind one long reader, everybody else waits behind it.",
          near: name, instead: "SET LOCAL lock_timeout = '500ms';  -- and try again when it fails")
      }
    }
    locks.take(lock)
  }

  /// An ALTER TABLE that reads or writes the whole table, after another that did.
  mutating func noteAlter(of table: QualifiedName, working: Bool) {
    guard working, weight(of: table) != .none else { return }
    if locks.worked.contains(table.name) {
      reportOnce(
        .combineAlters, of: table,
        "\(table.said)\(weight(of: table).said) is read or written whole by more than one ALTER TABLE: one with all "
          + "sub-commands does it once.",
        instead: "ALTER TABLE \(table.sql) …, …;")
    }
    locks.worked.insert(table.name)
  }

  private mutating func reportOnce(
    _ rule: MigrationRule, of table: QualifiedName, _ message: String, near name: String? = nil, instead: String
  ) {
    guard locks.warned.insert("\(rule.rawValue) \(table.name)").inserted else { return }
    report(rule, message, near: name, instead: instead)
  }

  // MARK: Transactions

  mutating func examineTransaction(_ tree: SQLNode) {
    if tree.opensTransaction {
      if locks.inTransaction {
        report(
          .nestedTransaction,
          "BEGIN inside a transaction is only a warning to the server; the COMMIT that belongs to it ends the "
            + "outer one.",
          instead: "Leave the transaction to the tool, or mark the file as one without.")
      }
      locks.isOpen = true
    } else if tree.closesTransaction {
      locks.endTransaction()
    } else if tree.refusesTransaction, locks.inTransaction {
      report(
        .concurrentlyInTransaction,
        "This statement cannot run inside a transaction, and the migration is in one: it fails with 25001.",
        instead: "Put it into a file of its own that is marked as running without a transaction.")
    }
  }

  mutating func examineEnd(of file: MigrationFile) {
    guard locks.isOpen else { return }
    report(
      .uncommittedTransaction,
      "\(file.path) says BEGIN and never COMMIT: its work is undone when the connection closes.", instead: "COMMIT;")
  }
}
