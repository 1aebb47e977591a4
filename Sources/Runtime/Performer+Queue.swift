import ControlPlane
import Kernel
import MergeQueues

extension Performer {
  /// The trunk is looked at this often; `git ls-remote` on a local path takes a few milliseconds.
  static let trunkInterval = Span.seconds(1)

  /// An unchanged head is told again this often, so that no single observation is essential.
  static let trunkReminder = Span.seconds(30)

  /// Branches in line are looked at this often; one call to the forge, however many they are.
  static let changesInterval = Span.seconds(10)

  /// Freezes begin and longest waits end so late at most.
  static let clockInterval = Span.seconds(10)

  /// A runner is asked this often how it is: a third of what the watchdog waits for (`Watchdog.silence`).
  static let runnerInterval = Span.seconds(10)

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
    case .watchChanges(let order): try await watchChanges(order, errand)
    case .watchClock:
      while !Task.isCancelled {
        await sleep(until: .now + Self.clockInterval)
        if !Task.isCancelled { await errand.observe(.queue(.ticked)) }
      }
    case .watchRunner:
      while !Task.isCancelled {
        let health = await ports.runner.health()
        if !Task.isCancelled { await errand.observe(.queue(.runnerObserved(health))) }
        await sleep(until: .now + Self.runnerInterval)
      }
    case .trace(let old, let new, let repository):
      let how = try await ports.forge.move(from: old, to: new, in: repository)
      // Where nothing of the old is left, there is nothing to compare with.
      let paths =
        how == .advanced
        ? try await ports.forge.changedPaths(from: old, to: new, in: repository)
        : ChangedPaths(paths: [], isComplete: false)
      await errand.observe(.queue(.traced(from: old, to: new, how: how, paths: paths)))
    case .comment(let note, let repository):
      try await ports.forge.comment(note.change(fence: errand.fence), in: repository)
      await errand.observe(.queue(.commented(note: note.number)))
    case .plan(let order):
      let plan = Planner.plan(order.situation(at: .now))
      if !Task.isCancelled { await errand.observe(.queue(.planned(plan, version: order.version))) }
    case .survey(let entry, let base, let head, let repository):
      let paths = try await ports.forge.changedPaths(from: base, to: head, in: repository)
      await errand.observe(.queue(.surveyed(entry: entry, paths: paths)))
    case .prepare(let order, let recipe):
      let outcome = try await ports.forge.prepare(order)
      await errand.observe(.queue(.prepared(entry: order.entry, base: order.base, outcome: outcome, recipe: recipe)))
    case .test(let build, let run, let commit, let command, let timeLimit, let repository, let recipe):
      let report = try await ports.runner.run(
        RunOrder(
          key: errand.runKey, command: command, repository: repository, commit: commit, timeLimit: timeLimit))
      await ports.runner.release(key: errand.runKey)
      if report.end == .cancelled { return }
      await errand.observe(
        .queue(
          .tested(
            build: build, run: run, commit: commit,
            report: MergeQueue.TestReport(
              end: report.end, log: report.log, summary: report.lastLine, startedAt: report.startedAt,
              endedAt: report.endedAt, recipe: recipe))))
    case .land(let build, let commit, let branch, let repository, let expecting):
      switch try await ports.forge.land(commit, on: branch, in: repository, expecting: expecting) {
      case .landed: await errand.observe(.queue(.landed(build: build, commit: commit)))
      case .moved(let trunk):
        await errand.observe(.queue(.landingRefused(build: build, commit: commit, trunk: trunk)))
      }
    }
  }
}

extension Performer {
  /// Rounds begin at whole multiples of the interval by the wall clock: the effect starts anew whenever the line changes,
  /// and a busy line would otherwise never be looked at.
  private func watchChanges(_ order: MergeQueue.ChangesOrder, _ errand: Errand) async throws(Outage) {
    let entries = order.entries
    var told: [Int: ChangeState] = [:]
    let interval = Self.changesInterval.milliseconds
    while !Task.isCancelled {
      await sleep(until: Instant(milliseconds: (Instant.now.milliseconds / interval + 1) * interval))
      if Task.isCancelled { return }
      let states = try await ports.forge.states(of: entries.map(\.branch), in: order.repository)
      for (facts, state) in zip(entries, states) where told[facts.id] != state {
        told[facts.id] = state
        // As it was submitted, on a forge that knows nothing more of it.
        if state == ChangeState(branch: facts.branch, head: facts.head) { continue }
        await errand.observe(.queue(.changeObserved(entry: facts.id, state)))
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
