import Foundation
import Kernel
import Runtime

/// The promises about the merge queue, held against real git and a real server.
struct AcceptQueue {
  let folder: String
  let seed: UInt64
  private let terminal = Terminal.standard

  init(folder: String, seed: UInt64) {
    self.folder = folder
    self.seed = seed
  }

  private var say: @Sendable (String) -> Void {
    { [terminal] text in
      terminal.clearProgress()
      terminal.line(text)
    }
  }

  // MARK: Landings

  func landings(_ count: Int, ciSeconds: Double, into report: inout AcceptReport) async throws {
    let trial = QueueLandings(folder: folder, say: say)
    var outcome = QueueLandings.Outcome()
    outcome.loadAverages.append(LoadAverage.now)
    defer { report.landings = outcome }
    try await trial.testedElsewhere(count, into: &outcome)
    try await trial.lowLoad(count, ciSeconds: ciSeconds, seed: seed, into: &outcome)
    outcome.loadAverages.append(LoadAverage.now)
    promise("that CI tested elsewhere on exactly this trunk", outcome.testedElsewhereMs, into: &report)
    promise("whose tree it had tested before", outcome.testedHereMs, into: &report)
    report.promise(
      "none of those is tested a second time", outcome.needlessRuns == 0, "\(outcome.needlessRuns) runs of CI began")
    report.promise(
      "at low load the median wait is at most \(QueueLandings.timesOfCILimit) times CI",
      outcome.timesOfCI.map { $0 <= QueueLandings.timesOfCILimit } ?? false, words(outcome))
  }

  private func words(_ outcome: QueueLandings.Outcome) -> String {
    guard let times = outcome.timesOfCI, let wait = QueueLandings.Outcome.median(outcome.waitMs),
      let ci = QueueLandings.Outcome.median(outcome.ciMs)
    else { return "nothing was measured" }
    let waits = outcome.waitMs.sorted().map { Span(milliseconds: $0).tenths }.joined(separator: ", ")
    let loads = outcome.loadAverages.map { String(format: "%.1f", $0) }.joined(separator: " and ")
    return String(format: "%.3f times, which is %.0f ms more than CI's %.0f ms", times, wait - ci, ci)
      + ", of \(outcome.waitMs.count): \(waits); load average \(loads)"
  }

  private func promise(_ what: String, _ ms: [Int64], into report: inout AcceptReport) {
    let seconds = Int(QueueLandings.testedLimitMs / 1000)
    report.promise(
      "an idle queue lands a change \(what) within \(seconds) s", (ms.max() ?? .max) <= QueueLandings.testedLimitMs,
      "median \(Int(QueueLandings.Outcome.median(ms) ?? 0)) ms, all \(ms.sorted())")
  }

  // MARK: Kills

  /// Long enough to be killed in, short enough that some runs end between two kills.
  static let ciSeconds = 2.0
  static let longestWaitMs: UInt64 = 5000
  /// Of five kills, one more strikes as the trunk moves.
  static let killsPerKillAtPush = 5
  /// The server tells of the last 50 that left, which must be all.
  static let mostChanges = 48

  func kills(_ count: Int, into report: inout AcceptReport) async throws {
    say("kill -9 of a server with a queue; the seed is \(seed)")
    let world = try await QueueWorld(
      folder: "\(folder)/kills", options: QueueWorld.Options(ciSeconds: Self.ciSeconds, slots: 2))
    let plan = QueueKills.Plan(
      kills: count, killsAtPush: count / Self.killsPerKillAtPush, changes: min(2 * count, Self.mostChanges), seed: seed,
      longestWaitMs: Self.longestWaitMs)
    let outcome: QueueKills.Outcome
    do {
      outcome = try await QueueKills(world: world, plan: plan, say: say).run()
    } catch {
      await world.stopServer()
      throw error
    }
    report.queueKills = outcome
    report.promise(
      "kill -9 of a queue at \(count) random moments: no entry is lost, none lands twice, the trunk is only ever at a "
        + "tree that CI passed exactly so, bad changes alone are ejected", outcome.faults.isEmpty,
      outcome.faults.isEmpty ? Self.words(outcome) : outcome.faults.joined(separator: "; "))
    if outcome.faults.isEmpty { world.remove() } else { say("the folder is kept: \(world.folder)") }
  }

  private static func words(_ outcome: QueueKills.Outcome) -> String {
    "\(outcome.kills) kills, \(outcome.killsInCI) while CI ran, \(outcome.killsAtPush) as the trunk moved; of "
      + "\(outcome.changes) changes \(outcome.landed) landed in \(outcome.landedByPush.count) pushes of up to "
      + "\(outcome.landedByPush.last ?? 0), \(outcome.ejected) were ejected; \(outcome.runs) runs of CI; "
      + "\(Int(outcome.seconds)) s"
  }
}
