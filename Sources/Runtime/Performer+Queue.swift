import ControlPlane
import Kernel
import MergeQueues

extension Performer {
  /// The trunk is looked at this often; `git ls-remote` on a local path takes a few milliseconds.
  static let trunkInterval = Span.seconds(1)

  /// An unchanged head is told again this often, so that no single observation is essential.
  static let trunkReminder = Span.seconds(30)

  func perform(_ effect: MergeQueue.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .watchTrunk(let repository, let branch):
      var last: CommitID?
      var toldAt = Instant(milliseconds: 0)
      while !Task.isCancelled {
        let head = try await ports.forge.head(of: branch, in: repository)
        let now = Instant.now
        if head != last || now - toldAt >= Self.trunkReminder {
          await errand.observe(.queue(.trunkObserved(head)))
          toldAt = now
        }
        last = head
        await sleep(until: .now + Self.trunkInterval)
      }
    case .prepare(let order, let recipe):
      let outcome = try await ports.forge.prepare(order)
      await errand.observe(.queue(.prepared(entry: order.entry, base: order.base, outcome: outcome, recipe: recipe)))
    case .test(let entry, let commit, let command, let timeLimit, let repository, let recipe):
      let report = try await ports.runner.run(
        RunOrder(
          key: errand.runKey, command: command, repository: repository, commit: commit, timeLimit: timeLimit))
      await ports.runner.release(key: errand.runKey)
      if report.end == .cancelled { return }
      await errand.observe(
        .queue(
          .tested(
            entry: entry, commit: commit,
            report: MergeQueue.TestReport(
              end: report.end, log: report.log, summary: report.lastLine, startedAt: report.startedAt,
              endedAt: report.endedAt, recipe: recipe))))
    case .land(let entry, let commit, let branch, let repository, let expecting):
      switch try await ports.forge.land(commit, on: branch, in: repository, expecting: expecting) {
      case .landed: await errand.observe(.queue(.landed(entry: entry, commit: commit)))
      case .moved(let trunk):
        await errand.observe(.queue(.landingRefused(entry: entry, commit: commit, trunk: trunk)))
      }
    }
  }
}

/// The longest one-line reason that enters an event; the whole text is in the log blob.
let longestReason = 300

extension RunReport {
  /// The log's last line that says something, at most `longestReason` characters.
  var lastLine: String {
    let line = logTail.split(whereSeparator: \.isNewline).last { line in line.contains { !$0.isWhitespace } }
    return String((line ?? "").prefix(longestReason))
  }

  /// How it ended, in words, with its last line.
  func reason(timeLimit: Span) -> String {
    let said = lastLine.isEmpty ? "" : ": \(lastLine)"
    switch end {
    case .exited(let code): return String("exit code \(code)\(said)".prefix(longestReason))
    case .signalled(let number): return String("killed by signal \(number)\(said)".prefix(longestReason))
    case .timedOut: return String("not finished after \(timeLimit.seconds) s\(said)".prefix(longestReason))
    case .cancelled: return "cancelled"
    }
  }
}
