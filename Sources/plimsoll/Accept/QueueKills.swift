import API
import Foundation
import Kernel
import Runtime

/// `kill -9` of a server again and again while its queue batches, searches and lands on real git: each round submits
/// changes, good and bad, and strikes at a moment drawn from the seed.
struct QueueKills {
  struct Plan: Sendable {
    /// At moments drawn by chance.
    var kills: Int
    /// More, at the moment at which the trunk moves: the push has happened and nobody has recorded it.
    var killsAtPush: Int
    /// At least 4: among them are two that do not merge with each other and two that fail only together.
    var changes: Int
    var seed: UInt64
    /// A round's longest wait before it strikes.
    var longestWaitMs: UInt64
  }

  struct Outcome: Codable, Equatable {
    var kills = 0
    /// While a run of CI was under way.
    var killsInCI = 0
    /// Within a moment of the trunk's move.
    var killsAtPush = 0
    var changes = 0
    var landed = 0
    var ejected = 0
    var runs = 0
    /// Changes that landed by each move of the trunk, sorted.
    var landedByPush: [Int] = []
    var seconds = 0.0
    var faults: [String] = []
  }

  let world: QueueWorld
  let plan: Plan
  let say: @Sendable (String) -> Void

  /// Everything has left the queue by then, on a machine that does much else.
  static let patience = Span.minutes(10)
  /// One of so many changes is bad by itself: batches have something to search for.
  private static let changesPerBad = 5
  private static let roundsPerClump = 5
  private static let longestOutageMs: UInt64 = 1500

  private struct Strike {
    var waitMs: UInt64
    var isAtPush: Bool
    var endsCommands: Bool
    var outageMs: UInt64
  }

  func run() async throws -> Outcome {
    let began = Instant.now
    var random = SplitMix64(state: plan.seed)
    let changes = try await push(&random)
    let strikes = strikes(&random)
    var outcome = Outcome(changes: changes.count)
    for (round, strike) in strikes.enumerated() {
      async let submitted: Void = submit(clump(of: changes, at: round, of: strikes.count))
      try await carryOut(strike, round: round, of: strikes.count, into: &outcome)
      try await submitted
    }
    let fates = try await untilEmpty()
    await world.stopServer()
    let moves = try await world.repository.movesOfTrunk()
    let heads = try await world.repository.mergedHeads()
    let checked = try world.checkedTrees()
    let audit = QueueAudit(changes: changes, fates: fates, moves: moves, mergedHeads: heads, checked: checked)
    outcome.faults = audit.faults
    if let fault = try await world.ledgerFault() { outcome.faults.append("the ledger: \(fault)") }
    outcome.landed = fates.count { $0.outcome == "landed" }
    outcome.ejected = fates.count { $0.outcome == "ejected" }
    outcome.runs = checked.count { $0.word == .began }
    outcome.landedByPush = try await landedByPush(moves)
    outcome.seconds = (Instant.now - began).seconds
    return outcome
  }

  // MARK: Changes

  /// Pushes every branch before anything is submitted. All stand on the beginning, as people branch before others land.
  private func push(_ random: inout SplitMix64) async throws -> [QueueAudit.Change] {
    say("\(plan.changes) branches are pushed")
    var kinds: [(kind: QueueAudit.Change.Kind, files: [String: String])] = [
      (.rival("conflict"), ["README": "one\n"]), (.rival("conflict"), ["README": "two\n"]),
      (.rival("pair"), ["pairs/first-one": "1\n"]), (.rival("pair"), ["pairs/first-two": "2\n"]),
    ]
    for number in kinds.count..<max(plan.changes, kinds.count) {
      let isBad = number % Self.changesPerBad == 0
      kinds.append((isBad ? .bad : .good, ["changes/\(number)": isBad ? "bad\n" : "good\n"]))
    }
    // Bad ones and rivals lie anywhere among the others (Fisher and Yates).
    for last in stride(from: kinds.count - 1, to: 0, by: -1) {
      kinds.swapAt(last, Int(random.next() % UInt64(last + 1)))
    }
    var changes: [QueueAudit.Change] = []
    for (number, (kind, files)) in kinds.enumerated() {
      let branch = "change-\(number + 1)"
      changes.append(
        QueueAudit.Change(branch: branch, head: try await world.repository.push(branch, files), kind: kind))
    }
    return changes
  }

  /// The first of every `roundsPerClump` rounds brings the changes of all of them, so that there is something to batch.
  private func clump(of changes: [QueueAudit.Change], at round: Int, of rounds: Int) -> [QueueAudit.Change] {
    guard round % Self.roundsPerClump == 0 else { return [] }
    let end = min(round + Self.roundsPerClump, rounds)
    return Array(changes[(changes.count * round / rounds)..<(changes.count * end / rounds)])
  }

  private func submit(_ changes: [QueueAudit.Change]) async throws {
    for change in changes { try await submit(change.branch) }
  }

  /// Submits until it is known to be taken: an answer that a kill swallowed may have been a yes.
  private func submit(_ branch: String) async throws {
    let deadline = Instant.now + Self.patience
    var isRepeated = false
    while Instant.now < deadline {
      do {
        if isRepeated, try await isKnown(branch) { return }
        _ = try await world.submit(branch)
        return
      } catch let failure as Failure where failure.kind != "unavailable" {
        throw failure
      } catch let refusal as Refusal {
        throw refusal
      } catch {
        // The server is dead, or dies with the request.
        isRepeated = true
        try await Task.sleep(for: QueueWorld.look)
      }
    }
    throw Outage("queue", "\(branch) could not be submitted within \(Int(Self.patience.seconds)) s")
  }

  private func isKnown(_ branch: String) async throws -> Bool {
    let queue = try await world.queue()
    return queue.entries.contains { $0.branch == branch } || queue.finished.contains { $0.branch == branch }
  }

  // MARK: Kills

  private func strikes(_ random: inout SplitMix64) -> [Strike] {
    let all = plan.kills + plan.killsAtPush
    return (0..<all).map { index in
      // Those at a push lie evenly among the others, the last one of them at the end.
      let isAtPush = (index + 1) * plan.killsAtPush / all > index * plan.killsAtPush / all
      return Strike(
        waitMs: random.next() % plan.longestWaitMs, isAtPush: isAtPush, endsCommands: random.next() % 2 == 0,
        outageMs: random.next() % Self.longestOutageMs)
    }
  }

  private func carryOut(_ strike: Strike, round: Int, of rounds: Int, into outcome: inout Outcome) async throws {
    var isAtPush = false
    if strike.isAtPush {
      isAtPush = try await trunkMoves(within: Span(milliseconds: Int64(2 * plan.longestWaitMs)))
    } else {
      try await Task.sleep(for: .milliseconds(Int64(strike.waitMs)))
    }
    await world.killServer()
    let isInCI = try Self.isRunning(world.checkedTrees())
    if strike.endsCommands { world.killCommands() }
    outcome.kills += 1
    outcome.killsAtPush += isAtPush ? 1 : 0
    outcome.killsInCI += isInCI ? 1 : 0
    let waited = strike.isAtPush ? 2 * plan.longestWaitMs : strike.waitMs
    let moment = isAtPush ? "as the trunk moved" : "after \(waited) ms"
    say(
      "kill \(round + 1) of \(rounds) \(moment), \(isInCI ? "CI under way" : "no CI"); "
        + "commands \(strike.endsCommands ? "die too" : "live on"); back after \(strike.outageMs) ms")
    try await Task.sleep(for: .milliseconds(Int64(strike.outageMs)))
    try await world.startServer()
  }

  /// Some run began and has not ended. A run that an earlier kill took along never ends in CI's book, so only those of
  /// the last moments count.
  private static func isRunning(_ checked: [QueueAudit.CheckedTree]) -> Bool {
    let now = Instant.now.milliseconds
    return checked.contains { began in
      began.word == .began && now - began.atMs < recentMs
        && !checked.contains { $0.word != .began && $0.tree == began.tree && $0.atMs >= began.atMs }
    }
  }
  private static let recentMs: Int64 = 4000

  /// False when it did not move in time. Looks as often as it can: the moment is short.
  private func trunkMoves(within limit: Span) async throws -> Bool {
    let before = world.repository.trunkNow
    let deadline = Instant.now + limit
    while Instant.now < deadline {
      if let now = world.repository.trunkNow, now != before { return true }
      try await Task.sleep(for: .milliseconds(1))
    }
    return false
  }

  // MARK: The end

  private func untilEmpty() async throws -> [QueueAudit.Fate] {
    let deadline = Instant.now + Self.patience
    while Instant.now < deadline {
      let queue = try await world.queue()
      if queue.entries.isEmpty {
        return queue.finished.map { QueueAudit.Fate(branch: $0.branch, outcome: $0.outcome) }
      }
      try await Task.sleep(for: QueueWorld.look)
    }
    let queue = try await world.queue()
    let waiting = queue.entries.map { "\($0.branch): \($0.reason)" }.joined(separator: "; ")
    throw Outage("queue", "not everything left the queue within \(Int(Self.patience.seconds)) s: \(waiting)")
  }

  private func landedByPush(_ moves: [QueueAudit.Move]) async throws -> [Int] {
    var counts: [Int] = []
    for move in moves { counts.append(try await world.repository.merges(from: move.from, to: move.to)) }
    return counts.sorted()
  }
}
