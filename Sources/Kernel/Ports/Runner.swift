/// A command to run in a clean checkout of a commit.
package struct RunOrder: Equatable, Sendable {
  /// Names the run: a repeated call with a key under way or finished joins it instead of starting a second.
  package let key: String
  /// Run by `/bin/sh -c`, in its own process group, in an otherwise empty checkout.
  package let command: String
  package let repository: RepositoryName
  package let commit: CommitID
  package let timeLimit: Span
  /// Sorted by name; the process sees these and a minimal `PATH`, `HOME`, `TMPDIR`, nothing else of the server's.
  package let environment: [EnvironmentVariable]
  /// The folder, relative to the checkout, whose files are the result; nil when only the verdict counts.
  package let output: String?
  package init(
    key: String, command: String, repository: RepositoryName, commit: CommitID, timeLimit: Span,
    environment: [EnvironmentVariable] = [], output: String? = nil
  ) {
    self.key = key
    self.command = command
    self.repository = repository
    self.commit = commit
    self.timeLimit = timeLimit
    self.environment = environment
    self.output = output
  }
}

package struct EnvironmentVariable: Codable, Equatable, Sendable {
  package let name: String
  package let value: String
  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// How a command ended.
package enum RunEnd: Codable, Equatable, Sendable {
  case exited(code: Int)
  case signalled(number: Int)
  case timedOut
  case cancelled
}

package struct RunReport: Codable, Equatable, Sendable {
  package let end: RunEnd
  /// Standard output and error in one, as written; bounded, with a line that says how much was cut in the middle.
  package let log: Digest
  /// The last lines for people, at most 2 KB.
  package let logTail: String
  package let startedAt: Instant
  package let endedAt: Instant
  /// The absolute output folder, kept until `release` is called; nil when the order named none or the run failed.
  package let outputFolder: String?
  package init(
    end: RunEnd, log: Digest, logTail: String, startedAt: Instant, endedAt: Instant, outputFolder: String? = nil
  ) {
    self.end = end
    self.log = log
    self.logTail = logTail
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.outputFolder = outputFolder
  }
  package var passed: Bool { end == .exited(code: 0) }
}

/// Whether runs can start now: for a watchdog that has to tell a slow run from a runner that is gone.
package struct RunnerHealth: Codable, Equatable, Sendable {
  /// Runs under way.
  package let running: Int
  /// Runs at once; nil where the runner has no limit of its own, as the local one: the queue's slots are the limit.
  package let slots: Int?
  /// Runs that were accepted and wait for a slot; always 0 where there is no limit.
  package let queued: Int
  /// When the runner last gave a sign of life; for the local one, now.
  package let lastSeenAt: Instant
  /// Why no run can start, in words; nil when one can.
  package let problem: String?
  package init(running: Int, slots: Int?, queued: Int, lastSeenAt: Instant, problem: String?) {
    self.running = running
    self.slots = slots
    self.queued = queued
    self.lastSeenAt = lastSeenAt
    self.problem = problem
  }
}

/// Runs CI, builds and checks, here or on other machines. Kind: *by key*. Cancelling the calling task kills the whole
/// process group, or asks the peer to; a run that nobody waits for may be ended by whoever runs it.
///
/// A report is what the command did: a failure of the change's content. Everything else is an `Outage`: the command could
/// not be begun (disk full, checkout failed, no runner), or the runner was lost in the middle. The key is free again
/// after an outage and after a cancellation: the next call runs the command anew, from its start.
package protocol Runner: Sendable {
  /// - Throws: `Outage` when the command was not run to an end of its own, never for its failure.
  func run(_ order: RunOrder) async throws(Outage) -> RunReport
  /// Removes the run's folders, and ends it first when it is under way. Safe to repeat, and for a key never seen.
  func release(key: String) async
  /// By lookup. Never waits for a run. A runner that cannot be reached is a problem in the answer, not an error: its
  /// `lastSeenAt` says since when.
  func health() async -> RunnerHealth
}
