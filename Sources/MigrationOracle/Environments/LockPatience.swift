import Foundation
import Kernel

/// How long a migration waits for locks. Whoever waits for a table in earnest holds up everyone behind: it asks for a
/// moment, gives way, and asks again (GoCardless's API stood for 15 s because a foreign key waited behind one SELECT;
/// research migrations.md §5).
package struct LockPatience: Equatable, Sendable {
  /// `lock_timeout` of each statement: the longest that others stand behind it. What pgroll and GitLab use.
  package var timeout = OracleQuestion.usualLockTimeout
  /// From the first time that a lock was not to be had until it is given up.
  package var total = Span.seconds(60)
  /// `CONCURRENTLY` waits for old transactions and holds up nobody meanwhile; to give up leaves an invalid index.
  package var concurrent = Span.minutes(30)
  /// Grows from a fifth of the timeout, so that a lock that is free for a moment is met.
  package var pauses = RetryBudget(attempts: nil, first: .seconds(0.1), ceiling: .seconds(5))

  package init() {}
}

/// One migration's waiting.
struct LockWait {
  let patience: LockPatience
  private var began: ContinuousClock.Instant?
  private(set) var failures = 0

  init(_ patience: LockPatience) { self.patience = patience }

  static func isLock(_ error: PostgresError) -> Bool { error.sqlState == "55P03" || error.sqlState == "40P01" }

  /// Sleeps before the next try, on the caller's own thread.
  /// - Returns: false when the time is over.
  mutating func pause() -> Bool {
    let start = began ?? .now
    began = start
    failures += 1
    guard ContinuousClock.now - start < .milliseconds(patience.total.milliseconds) else { return false }
    Thread.sleep(forTimeInterval: patience.pauses.pause(afterFailures: failures).seconds)
    return true
  }
}
