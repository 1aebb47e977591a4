import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// A process that we started, that outlives us, and that is never mistaken for another with the same pid.
package struct OwnedProcess: Equatable, Sendable {
  package let pid: Int32
  private let startTime: UInt64

  /// Starts `arguments[0]` (a path) in a session of its own, with exactly `environment` (`NAME=value`), its output
  /// appended to a file.
  /// - Throws: `Outage` when it cannot be started, or ended at once.
  package static func start(_ arguments: [String], environment: [String], folder: String, output: String)
    throws(Outage) -> OwnedProcess
  {
    let pid = try DetachedProcess.start(arguments, environment: environment, folder: folder, output: output)
    guard let entry = ProcessTable.entry(pid) else {
      throw Outage("process", "\(arguments.first ?? "") ended at once; read \(output)")
    }
    return OwnedProcess(pid: pid, startTime: entry.startTime)
  }

  package var isAlive: Bool { ProcessTable.isAlive(pid, startTime: startTime) }

  /// Does nothing when the process has ended.
  package func signal(_ number: Int32) { if isAlive { kill(pid, number) } }
}

/// A port on 127.0.0.1 that nobody listened on a moment ago; nil when none was found.
package func freeLoopbackPort() -> Int? { LoopbackPort.free() }
