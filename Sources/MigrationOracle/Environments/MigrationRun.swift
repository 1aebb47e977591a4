import Foundation
import Kernel

/// Applies migrations to a database that others use, each with its row in the book, so that a kill at any point leaves a
/// state from which the same call goes on.
///
/// In a transaction: the row and the work are committed together, and when a lock is not to be had all of it is rolled
/// back and tried again. Without one: the row says *begun*, then how many statements are done, and at last *applied*.
final class MigrationRun {
  struct Failure: Error, Equatable {
    var statement: MigrationStatement
    var error: PostgresError
    /// One sentence.
    var why: String
  }

  let connection: PostgresConnection
  let book: MigrationBook
  let fence: Fence
  let patience: LockPatience
  /// Said at the beginning of each migration: what one sets must not reach the next.
  let prelude: [String]
  /// On a copy in the shadow: statements about the whole server are left out, and roles may be there already.
  let isRehearsal: Bool

  init(
    _ connection: PostgresConnection, fence: Fence, patience: LockPatience, prelude: [String] = [],
    isRehearsal: Bool = false
  ) {
    self.connection = connection
    book = MigrationBook(connection: connection)
    self.fence = fence
    self.patience = patience
    self.prelude = prelude
    self.isRehearsal = isRehearsal
  }

  /// - Parameter done: statements that an earlier call has done, of a migration that it began.
  /// - Returns: nil when it is applied.
  func apply(_ script: MigrationScript, resumingAt done: Int? = nil) throws -> Failure? {
    if let command = script.statements.first(where: { $0.metaCommand == .decisive }) {
      let error = PostgresError(sqlState: "42601", message: command.syntaxError?.message ?? "a command of psql")
      return Failure(statement: command, error: error, why: "\(Self.title(command)): \(error.message)")
    }
    try enter()
    do {
      if script.isTransactional { try applyWhole(script) } else { try applyInSteps(script, from: done) }
    } catch let failure as Failure {
      try leaveTransaction()
      return failure
    }
    try enter()
    return nil
  }

  // MARK: The session

  private func enter() throws {
    try leaveTransaction()
    try connection.query((["RESET ALL", "RESET ROLE", "DEALLOCATE ALL"] + prelude).joined(separator: "; "))
    try setLockTimeout(patience.timeout)
    // So that a killed Plimsoll's statement does not go on for hours and hold the lock that its successor needs.
    if connection.version >= 140_000 { try connection.query("SET client_connection_check_interval = '10s'") }
  }

  private func setLockTimeout(_ span: Span) throws {
    try connection.query("SET lock_timeout = '\(span.milliseconds)ms'")
  }

  private func leaveTransaction() throws {
    if connection.inTransaction { try connection.query("ROLLBACK") }
  }

  // MARK: In a transaction

  private func applyWhole(_ script: MigrationScript) throws {
    var wait = LockWait(patience)
    while true {
      do {
        try connection.query("BEGIN")
        try book.raise(to: fence)
        try book.note(script.mark, isApplied: true, fence: fence)
        try runAll(script.statements)
        try commit(after: script.statements.last)
        return
      } catch {
        try leaveTransaction()
        try giveWay(error, &wait)
        try enter()
      }
    }
  }

  private func runAll(_ statements: [MigrationStatement]) throws {
    var next = 0
    while next < statements.count {
      let rest = statements[next...]
      let bulk = rest.prefix { $0.isBulk && $0.data == nil }
      if bulk.isEmpty {
        try run(statements[next])
        guard connection.inTransaction else {
          throw failed(statements[next], "it ends the transaction that it runs in, so the migration is half done")
        }
        next += 1
      } else {
        // Hundreds of thousands of INSERTs: without waiting for each one's answer.
        let replies = try connection.pipeline(bulk.map { [.run($0.text)] })
        for (statement, reply) in zip(bulk, replies) { if let error = reply.error { throw failed(statement, error) } }
        next += bulk.count
      }
    }
  }

  private func commit(after last: MigrationStatement?) throws {
    do {
      try connection.query("COMMIT")
    } catch let error as PostgresError {
      guard let last else { throw error }
      throw failed(last, error)
    }
  }

  /// Returns when the work may be tried again.
  private func giveWay(_ error: any Error, _ wait: inout LockWait) throws {
    let refused = (error as? Failure)?.error ?? (error as? PostgresError)
    guard let refused, LockWait.isLock(refused) else { throw error }
    if wait.pause() { return }
    guard var failure = error as? Failure else { throw error }
    failure.why =
      "\(Self.title(failure.statement)) did not get its lock in \(wait.failures) tries of"
      + " \(patience.timeout.seconds) s over \(Int(patience.total.seconds)) s\(try oldestTransaction())"
    throw failure
  }

  private func oldestTransaction() throws -> String {
    let found = try connection.query(
      """
      SELECT usename, pid, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity
      WHERE pid <> pg_backend_pid() AND datname = current_database() AND xact_start IS NOT NULL
        AND backend_type = 'client backend' ORDER BY xact_start LIMIT 1
      """
    ).rows.first
    guard let row = found, let pid = row[1] else { return "" }
    return ": the oldest open transaction is of \(row[0] ?? "somebody") (process \(pid), \(row[2] ?? "?") s old)"
  }

  // MARK: One statement after the other

  private func applyInSteps(_ script: MigrationScript, from begun: Int?) throws {
    let statements = script.statements
    if begun == nil {
      try noting { try self.book.note(script.mark, isApplied: false, fence: self.fence) }
    }
    var done = min(begun ?? 0, statements.count)
    var isResumed = begun != nil
    // What those that are done have set for the session.
    for statement in statements[..<done] where statement.tree?.kind == "VariableSetStmt" { try run(statement) }
    while done < statements.count {
      let end = Self.stepEnd(statements, from: done)
      do {
        try step(Array(statements[done..<end]), script.mark.name, end: end, isResumed: isResumed)
      } catch var failure as Failure {
        try leaveTransaction()
        if done == 0 {
          try noting { try self.book.strike(script.mark.name) }
        } else {
          // What is to be done goes first: whoever clips the sentence cuts its end.
          failure.why =
            "\(done) of its \(statements.count) statements are done and stay, so finish or undo it by hand and run plimsoll"
            + " migrate adopt: \(failure.why)"
        }
        throw failure
      }
      done = end
      isResumed = false
    }
    try noting { try self.book.noteApplied(script.mark.name) }
  }

  /// Behind the statement, or behind the COMMIT of the transaction that it opens.
  private static func stepEnd(_ statements: [MigrationStatement], from start: Int) -> Int {
    guard statements[start].tree?.opensTransaction == true else { return start + 1 }
    let closing = statements[start...].firstIndex { $0.tree?.closesTransaction ?? false }
    return closing.map { $0 + 1 } ?? statements.count
  }

  private func step(_ statements: [MigrationStatement], _ name: String, end: Int, isResumed: Bool) throws {
    guard let first = statements.first, let last = statements.last else { return }
    var wait = LockWait(patience)
    while true {
      do {
        if first.tree?.opensTransaction == true {
          guard last.tree?.closesTransaction == true else {
            throw failed(last, "it opens a transaction and does not commit it")
          }
          for statement in statements.dropLast() { try run(statement) }
          try book.raise(to: fence)
          try book.noteDone(end, of: name)
          try run(last)
        } else if Self.standsAlone(first) {
          try book.raise(to: fence)
          try runAlone(first, isResumed: isResumed)
          try book.noteDone(end, of: name)
        } else {
          try connection.query("BEGIN")
          try book.raise(to: fence)
          try run(first)
          try book.noteDone(end, of: name)
          try commit(after: first)
        }
        return
      } catch {
        try leaveTransaction()
        try giveWay(error, &wait)
      }
    }
  }

  /// Whether a transaction around it is refused, or may be.
  private static func standsAlone(_ statement: MigrationStatement) -> Bool {
    guard let tree = statement.tree else { return !statement.isBulk }
    return tree.refusesTransaction || ["CallStmt", "DoStmt", "TransactionStmt"].contains(tree.kind)
  }

  /// A note in the book, in a transaction with the fence.
  private func noting(_ work: () throws -> Void) throws {
    try connection.query("BEGIN")
    try book.raise(to: fence)
    try work()
    try connection.query("COMMIT")
  }

  // MARK: One statement

  private func runAlone(_ statement: MigrationStatement, isResumed: Bool) throws {
    let isPatient = ConcurrentChange.isPatient(statement)
    if isPatient { try setLockTimeout(patience.concurrent) }
    defer {
      // A connection that is lost says so at the next statement.
      if isPatient { try? setLockTimeout(patience.timeout) }
    }
    if let index = ConcurrentIndex(statement) {
      try build(index, by: statement, isResumed: isResumed)
    } else if isResumed, !ConcurrentChange.isRepeatable(statement) {
      throw failed(statement, "an earlier try was stopped in the middle of it, and whether it ran cannot be told")
    } else {
      do {
        try run(statement)
      } catch let failure as Failure where isResumed && failure.error.sqlState == "42704" {
        // DROP INDEX CONCURRENTLY of an earlier try came to its end.
      }
    }
  }

  /// An index that is not there is built; one that an earlier try left half built is built anew, and one that fails
  /// leaves nothing behind.
  private func build(_ index: ConcurrentIndex, by statement: MigrationStatement, isResumed: Bool) throws {
    var before = try index.state(connection)
    if isResumed {
      if before == .valid { return }
      if before == .invalid { try index.drop(connection) }
      before = .absent
    }
    do {
      try run(statement)
    } catch var failure as Failure {
      if before == .absent, try index.state(connection) == .invalid { try index.drop(connection) }
      if before == .invalid { failure.why += "; \(index.invalidWords)" }
      throw failure
    }
    guard try index.state(connection) == .invalid else { return }
    throw failed(statement, index.invalidWords)
  }

  private func run(_ statement: MigrationStatement) throws {
    if statement.metaCommand == .harmless { return }
    if isRehearsal, MigrationApplier.leftOut(statement.tree) != nil { return }
    let isOfRoles = isRehearsal && ["CreateRoleStmt", "DropRoleStmt"].contains(statement.tree?.kind)
    let isGuarded = isOfRoles && connection.inTransaction
    if isGuarded { try connection.query("SAVEPOINT plimsoll_role") }
    do {
      if let data = statement.data {
        try connection.copy(statement.text, data: data)
      } else {
        try connection.query(statement.text)
      }
    } catch let error as PostgresError {
      // Roles belong to the server: an earlier rehearsal, or another database of it, has them.
      guard isOfRoles, ["42710", "23505", "2BP01", "42704"].contains(error.sqlState) else {
        throw failed(statement, error)
      }
      if isGuarded { try connection.query("ROLLBACK TO plimsoll_role") }
    }
  }

  private func failed(_ statement: MigrationStatement, _ error: PostgresError) -> Failure {
    Failure(statement: statement, error: error, why: "\(Self.title(statement)) failed: \(error)")
  }

  private func failed(_ statement: MigrationStatement, _ words: String) -> Failure {
    Failure(
      statement: statement, error: PostgresError(sqlState: "", message: words),
      why: "\(Self.title(statement)): \(words)")
  }

  /// Characters of a statement that are shown in a sentence.
  private static let shownText = 60

  static func title(_ statement: MigrationStatement) -> String {
    let line = statement.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let text = line.count > shownText ? "\(line.prefix(shownText))…" : line
    return "“\(text)” (\(statement.spot.file):\(statement.spot.line))"
  }
}
