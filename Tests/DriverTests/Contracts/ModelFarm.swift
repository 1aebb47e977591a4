import Kernel
import Synchronization

@testable import Drivers

/// An in-memory model of CI machines that others run and that know jobs by key: a test double, not a driver.
///
/// A job waits for a slot, runs, and ends or is lost with its machine. It is asked about, never waited for, so the runner
/// looks again and again; replies may be lost without harm.
final class ModelFarm: Sendable {
  enum Phase: Equatable {
    case queued, running
    case ended(RunEnd)
    case lost
  }
  private struct Job {
    let command: String
    var phase = Phase.queued
    /// Looks that a running job may still see before its time is up; in the model each takes a microsecond.
    var looksLeft: Int
    var waiters = 0
  }
  private struct State {
    var jobs: [String: Job] = [:]
    /// Keys that wait, in order.
    var line: [String] = []
    var starts: [String: Int] = [:]
    var finished: Set<String> = []
    var isAway = false
    var clock: Int64 = 1_700_000_000_000
    var running: Int { jobs.values.count { $0.phase == .running } }

    mutating func forget(_ key: String) {
      jobs[key] = nil
      line.removeAll { $0 == key }
    }

    /// Machines take up what waits, and what runs goes on.
    mutating func step() {
      clock += 1
      while running < ModelFarm.slots, !line.isEmpty {
        let key = line.removeFirst()
        starts[key, default: 0] += 1
        jobs[key]?.phase = .running
      }
      for key in jobs.keys where jobs[key]?.phase == .running {
        guard var job = jobs[key] else { continue }
        job.looksLeft -= 1
        let words = job.command.split(separator: " ")
        switch words.first {
        case "exit": job.phase = .ended(.exited(code: Int(words[1]) ?? 0))
        case "kill": job.phase = .ended(.signalled(number: Int(words[1]) ?? 0))
        default:
          if finished.contains(key) {
            job.phase = .ended(.exited(code: 0))
          } else if job.looksLeft <= 0 {
            job.phase = .ended(.timedOut)
          }
        }
        jobs[key] = job
      }
    }
  }
  static let slots = 2
  private let state = Mutex(State())

  /// By key. - Returns: false when nobody is there to take it.
  func submit(_ order: RunOrder) -> Bool {
    state.withLock { state in
      guard !state.isAway else { return false }
      if state.jobs[order.key] == nil {
        state.jobs[order.key] = Job(command: order.command, looksLeft: Int(order.timeLimit.milliseconds) * 1000)
        state.line.append(order.key)
      }
      state.jobs[order.key]?.waiters += 1
      return true
    }
  }

  func look(_ key: String) -> Phase? {
    state.withLock { state in
      state.step()
      return state.jobs[key]?.phase
    }
  }

  /// A waiter goes; with the last one goes the job, unless it has ended well or badly.
  func leave(_ key: String) {
    state.withLock { state in
      guard var job = state.jobs[key] else { return }
      job.waiters -= 1
      state.jobs[key] = job
      if case .ended = job.phase { return }
      if job.waiters <= 0 || job.phase == .lost { state.forget(key) }
    }
  }

  func cancel(_ key: String) { state.withLock { $0.forget(key) } }
  func lose(_ key: String) { state.withLock { $0.jobs[key]?.phase = .lost } }
  func finish(_ key: String) { state.withLock { _ = $0.finished.insert(key) } }
  func set(away: Bool) { state.withLock { $0.isAway = away } }
  func starts(of key: String) -> Int { state.withLock { $0.starts[key] ?? 0 } }
  func isRunning(_ key: String) -> Bool { state.withLock { $0.jobs[key]?.phase == .running } }
  var health: RunnerHealth {
    state.withLock { state in
      RunnerHealth(
        running: state.running, slots: Self.slots, queued: state.line.count,
        lastSeenAt: Instant(milliseconds: state.clock), problem: state.isAway ? "no machine has called in" : nil)
    }
  }
}

/// The farm behind the port, as a driver of a remote CI would be: it submits by key, then asks until there is an answer.
struct ModelRunner: Runner {
  let farm: ModelFarm
  let blobs: RunnerBlobs

  func run(_ order: RunOrder) async throws(Outage) -> RunReport {
    guard farm.submit(order) else { throw Outage("runner", "no machine took the run; start one") }
    defer { farm.leave(order.key) }
    while true {
      switch farm.look(order.key) {
      case .queued, .running:
        if Task.isCancelled { return try report(.cancelled) }
        await Task.yield()
      case .ended(let end): return try report(end)
      case .lost: throw Outage("runner", "the machine was lost while it ran the command; it is run anew elsewhere")
      case nil: return try report(.cancelled)
      }
    }
  }

  private func report(_ end: RunEnd) throws(Outage) -> RunReport {
    let said = "begun\n"
    return RunReport(
      end: end, log: try blobs.put(Array(said.utf8)), logTail: said, startedAt: Instant(milliseconds: 1),
      endedAt: Instant(milliseconds: 2))
  }

  func release(key: String) async {
    if let phase = farm.look(key), phase == .queued || phase == .running { farm.cancel(key) }
  }

  func health() async -> RunnerHealth { farm.health }
}
