import Foundation
import Kernel

/// Runs CI, builds and checks as local processes: `/bin/sh -c`, an own session, a minimal environment, a time limit,
/// a bounded log.
///
/// Each run has the folder `<folder>/<hash of the key>` with `work` (the checkout, where the command starts), `home`
/// and `tmp`. It goes when the run ends, except where the order names an output: then with `release`. Folders and
/// processes that a killed server left are removed when the next runner is made.
///
/// - `CommandRunner.swift`: keys: joining, remembering, releasing, cancelling
/// - `CommandRun.swift`: one run from checkout to report
/// - `ProcessFamily.swift`, `OutputDrain.swift`, `BoundedLog.swift`: its parts
package actor CommandRunner: Runner {
  /// How many ended runs are remembered; with 1,000 landings a day and ten runs each it is about ten hours.
  package static let rememberedRuns = 4096

  private enum Slot {
    case underway(Underway)
    case ended(RunReport)
  }
  /// A run that callers wait for. It is killed when the last of them is cancelled.
  private struct Underway {
    let task: Task<Result<RunReport, Outage>, Never>
    let stop: StopSwitch
    var waiters: Int
  }

  private let workshop: CommandWorkshop
  private var slots: [String: Slot] = [:]
  /// Keys of ended runs, oldest first.
  private var ended: [String] = []

  /// - Parameters:
  ///   - folder: for the runs' folders; made when absent, **emptied** of what an earlier process left. Short, because
  ///     commands make sockets under `TMPDIR` and a socket's path is at most 107 bytes.
  ///   - forge: makes the checkouts.
  ///   - blobs: keeps the logs.
  ///   - searchPath: the commands' `PATH`.
  ///   - diskFloorBytes: a command that fails after its disk had less free is an `Outage`, not a verdict on the change;
  ///   - diskAmpleBytes: unless it had this much free when the command began, and the command's own files took most of
  ///     it, `diskFillLimit` times.
  ///   - now: the clock of `startedAt` and `endedAt`.
  /// - Throws: `Outage` when the folder cannot be made or emptied.
  package init(
    folder: String, forge: any Forge, blobs: any BlobStore & Sendable, searchPath: String = standardSearchPath,
    diskFloorBytes: Int64 = CommandRunner.diskFloorBytes, diskAmpleBytes: Int64 = CommandRunner.diskAmpleBytes,
    now: @escaping @Sendable () -> Instant
  ) async throws(Outage) {
    let folder = absolutePath(folder)
    await ProcessFamily(session: nil, markPrefix: folder + "/").kill()
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        try removeTree(at: "\(folder)/\(name)")
      }
    } catch {
      throw Outage("disk", "the folder \(folder) for runs cannot be emptied; make it writable", sources: ["\(error)"])
    }
    workshop = CommandWorkshop(
      folder: folder, forge: forge, blobs: blobs, searchPath: searchPath, diskFloorBytes: diskFloorBytes,
      diskAmpleBytes: diskAmpleBytes, now: now)
  }

  /// 16 MiB: what a compiler needs to say why it failed, and far below what any build leaves free.
  package static let diskFloorBytes: Int64 = 16 << 20

  /// 1 GiB: more than most tests write, and no disk that people would call nearly full.
  package static let diskAmpleBytes: Int64 = 1 << 30

  /// A command that fills an ample disk by itself is tried so often: once may be a neighbour's doing, and for ever would
  /// hold its change, and everybody behind it, up for ever.
  package static let diskFillLimit = 3

  /// A command whose folder is gone at its end is tried so often: a cleaner of old files takes it once, and a command that
  /// removes it itself takes it every time.
  package static let vanishedLimit = 3

  package func run(_ order: RunOrder) async throws(Outage) -> RunReport {
    try await join(order)
  }

  package func release(key: String) async {
    while case .underway(let run) = slots[key] {
      run.stop.flip()
      _ = await run.task.value
      settle(key, run.stop, with: nil)
    }
    if case .ended(let report) = slots[key], report.outputFolder != nil {
      slots[key] = nil
      ended.removeAll { $0 == key }
    }
    workshop.remove(key)
  }

  package func health() async -> RunnerHealth {
    let running = slots.values.count { if case .underway = $0 { true } else { false } }
    return RunnerHealth(
      running: running, slots: nil, queued: 0, lastSeenAt: workshop.now(), problem: workshop.problem)
  }

  private func join(_ order: RunOrder) async throws(Outage) -> RunReport {
    let key = order.key
    // A run that is being killed is waited for, then run anew: its end says nothing about the command.
    while case .underway(let run) = slots[key], run.waiters == 0 {
      _ = await run.task.value
      settle(key, run.stop, with: nil)
    }
    switch slots[key] {
    case .ended(let report): return report
    case .underway(var run):
      run.waiters += 1
      slots[key] = .underway(run)
      return try await wait(for: key, run)
    case nil:
      let stop = StopSwitch()
      let workshop = workshop
      // Not a child of the caller: the run belongs to all who wait for it, and must be killed in order, not torn off.
      let task = Task { await workshop.carryOut(order, stop: stop) }
      let run = Underway(task: task, stop: stop, waiters: 1)
      slots[key] = .underway(run)
      return try await wait(for: key, run)
    }
  }

  private func wait(for key: String, _ run: Underway) async throws(Outage) -> RunReport {
    let result = await withTaskCancellationHandler {
      await run.task.value
    } onCancel: {
      Task { await self.abandon(key, run.stop) }
    }
    settle(key, run.stop, with: result)
    return try result.get()
  }

  private func abandon(_ key: String, _ stop: StopSwitch) {
    guard case .underway(var run) = slots[key], run.stop === stop else { return }
    run.waiters -= 1
    slots[key] = .underway(run)
    if run.waiters == 0 { stop.flip() }
  }

  /// Frees the slot of an ended run and remembers its report, unless it was killed or could not be run at all.
  ///
  /// Of several waiters the first to resume does it; by then a later run may hold the slot, so the switch is compared.
  private func settle(_ key: String, _ stop: StopSwitch, with result: Result<RunReport, Outage>?) {
    guard case .underway(let run) = slots[key], run.stop === stop else { return }
    slots[key] = nil
    guard case .success(let report) = result, report.end != .cancelled else { return }
    slots[key] = .ended(report)
    ended.append(key)
    if ended.count > Self.rememberedRuns { slots[ended.removeFirst()] = nil }
  }
}
