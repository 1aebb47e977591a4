#if canImport(Glibc)
  import Glibc
#endif

/// The processes of one instance: its session, and whatever left the session but still carries the instance's mark.
struct InstanceProcesses {
  let mark: String

  /// O(processes), reading every environment that is ours to read.
  func all(leader: Int32?) -> [ProcessTable.Entry] {
    ProcessTable.all().filter { $0.session == leader || ProcessTable.hasVariable(mark, pid: $0.pid) }
  }

  /// A shim that runs without a record: the leader of its own session with our mark.
  func unrecordedLeader() -> ProcessTable.Entry? {
    ProcessTable.all().first { $0.session == $0.pid && ProcessTable.hasVariable(mark, pid: $0.pid) }
  }

  /// Signals everything but the leader, which must live to write the command's status.
  func signal(_ number: Int32, leader: Int32?) {
    for process in all(leader: leader) where process.pid != leader { kill(process.pid, number) }
  }

  func killAll(leader: Int32?) {
    for process in all(leader: leader) { kill(process.pid, SIGKILL) }
  }

  static func residentBytes(session: Int32) -> Int64 {
    ProcessTable.all().reduce(0) { $0 + ($1.session == session ? $1.residentBytes : 0) }
  }
}
