import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// One running HAProxy, named so that a used-again pid is not mistaken for it.
struct HAProxyProcess: Equatable, Sendable {
  /// How long a start may take; it takes some 20 ms.
  private static let startLimit = Duration.seconds(5)
  private static let look = 10_000

  let pid: Int32
  let startTime: UInt64
  var isAlive: Bool { ProcessTable.isAlive(pid, startTime: startTime) }

  /// The HAProxy that answers on the folder's admin socket; nil when none does. It says its pid itself, so nothing that
  /// was written before a crash is trusted.
  static func answering(_ folder: HAProxyFolder) -> HAProxyProcess? {
    guard let info = try? HAProxyAdmin(path: folder.admin).ask(["show info"]),
      let pid = HAProxyAdmin.value("Pid", in: info[...]), let entry = ProcessTable.entry(Int32(pid)), !entry.isDead
    else { return nil }
    return HAProxyProcess(pid: entry.pid, startTime: entry.startTime)
  }

  /// The installed program, looked for in `PATH` and where Debian puts it.
  static func program(_ name: String) throws(Outage) -> String {
    let search = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let candidates = name.contains("/") ? [name] : (search + ["/usr/sbin", "/usr/local/sbin"]).map { "\($0)/\(name)" }
    guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else {
      throw Outage("haproxy", "is not installed (no program '\(name)'); run scripts/setup, or apt-get install haproxy")
    }
    return found
  }

  /// Starts HAProxy on the written configuration and waits until it answers itself. With `replacing`, the old one hands
  /// its listening sockets over and ends when its last request has: no connection is refused meanwhile.
  static func start(_ folder: HAProxyFolder, program: String, replacing old: HAProxyProcess?) throws(Outage)
    -> HAProxyProcess
  {
    unlink(folder.output)
    var arguments = [program, "-db", "-f", folder.configuration]
    if let old { arguments += ["-x", folder.admin, "-sf", "\(old.pid)"] }
    let pid = try DetachedProcess.start(
      arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], folder: "/", output: folder.output)
    let deadline = ContinuousClock.now + startLimit
    while ContinuousClock.now < deadline {
      if let entry = ProcessTable.entry(pid), ProcessTable.isAlive(pid, startTime: entry.startTime) {
        if let process = answering(folder), process.pid == pid {
          // For people; adoption asks the socket instead.
          try? Data("\(pid) \(process.startTime)\n".utf8).write(to: URL(fileURLWithPath: folder.process))
          return process
        }
      } else {
        break
      }
      usleep(UInt32(look))
    }
    kill(pid, SIGKILL)
    let said = String(decoding: ProcessTable.contents(folder.output) ?? [], as: UTF8.self)
    let reason = said.split(separator: "\n").filter { $0.contains("ALERT") }.prefix(3).joined(separator: "; ")
    throw Outage(
      "haproxy", "did not start on \(folder.configuration); read \(folder.output)",
      sources: reason.isEmpty ? [] : [reason])
  }

  /// Ends a HAProxy of this folder that lives but does not answer, so that its ports come free.
  static func clearAway(_ folder: HAProxyFolder) {
    let parts = String(decoding: ProcessTable.contents(folder.process) ?? [], as: UTF8.self)
      .split(whereSeparator: \.isWhitespace)
    guard parts.count == 2, let pid = Int32(parts[0]), let startTime = UInt64(parts[1]) else { return }
    let old = HAProxyProcess(pid: pid, startTime: startTime)
    guard old.isAlive else { return }
    kill(pid, SIGKILL)
    let deadline = ContinuousClock.now + startLimit
    while old.isAlive, ContinuousClock.now < deadline { usleep(UInt32(look)) }
  }
}
