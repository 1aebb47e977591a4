import Foundation
import Kernel

/// All processes that a command started, however they detached: its session by `/proc/<pid>/stat`, and whoever left
/// that by a mark in the environment they inherited (as Jenkins' ProcessTreeKiller does).
///
/// Only a process that both makes a session of its own and clears its environment escapes; it loses its output then
/// (`OutputDrain`).
struct ProcessFamily: Sendable {
  /// The variable that marks every process of a run; its value is the run's folder.
  static let mark = "PLIMSOLL_RUN"
  /// The session made for the command; nil when only the mark is known (a run of an earlier process).
  let session: pid_t?
  /// Processes whose mark starts with this belong.
  let markPrefix: String

  /// How long processes may take to obey SIGTERM before SIGKILL.
  static let terminationGrace = Span.seconds(2)
  /// How long SIGKILL is repeated against a family that keeps forking or sits in an uninterruptible wait.
  static let killingLimit = Span.seconds(5)
  /// The pause between two looks at the processes.
  static let look = Duration.milliseconds(10)

  /// Asks all to end, then kills the rest. Returns when none is left or `killingLimit` has passed.
  func end() async {
    await signal(SIGTERM, until: Self.terminationGrace)
    await kill()
  }

  /// Kills all at once. Returns when none is left or `killingLimit` has passed.
  func kill() async { await signal(SIGKILL, until: Self.killingLimit) }

  private func signal(_ number: Int32, until limit: Span) async {
    let deadline = ContinuousClock.now + .milliseconds(limit.milliseconds)
    var asked: Set<pid_t> = []
    while true {
      let alive = members()
      if alive.isEmpty || ContinuousClock.now >= deadline { return }
      for pid in alive where number == SIGKILL || !asked.contains(pid) { _ = Glibc.kill(pid, number) }
      asked.formUnion(alive)
      try? await Task.sleep(for: Self.look)
      if Task.isCancelled { return }
    }
  }

  /// Living members; zombies wait only for their parent and do not count.
  func members() -> [pid_t] {
    let own = getpid()
    let listed = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return listed.compactMap { pid_t($0) }.filter { pid in
      guard pid != own, let stat = Self.stat(of: pid), stat.state != "Z", stat.state != "X" else { return false }
      return (session != nil && stat.session == session) || isMarked(pid)
    }
  }

  private func isMarked(_ pid: pid_t) -> Bool {
    guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { return false }
    let wanted = Array("\(Self.mark)=\(markPrefix)".utf8)
    return environment.split(separator: 0).contains { $0.starts(with: wanted) }
  }

  /// Fields of `/proc/<pid>/stat` (proc(5)); the name in parentheses may itself hold spaces and parentheses.
  private static func stat(of pid: pid_t) -> (state: String, session: pid_t)? {
    guard let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/stat"),
      let close = bytes.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    // After the name: state, parent, group, session.
    let fields = String(decoding: bytes[(close + 1)...], as: UTF8.self).split(separator: " ")
    guard fields.count > 3, let session = pid_t(fields[3]) else { return nil }
    return (String(fields[0]), session)
  }
}
