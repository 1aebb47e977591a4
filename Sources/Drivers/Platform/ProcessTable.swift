import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// What `/proc` says of processes (proc(5)). A process is named by pid *and* start time, because pids are used again.
enum ProcessTable {
  struct Entry: Equatable {
    let pid: Int32
    let state: Character
    let session: Int32
    /// Field 20.
    let threads: Int
    /// Field 22: clock ticks since boot at which the process started.
    let startTime: UInt64
    let residentBytes: Int64
    /// A zombie keeps its entry until its parent asks; it runs no code and holds no port. But the state is its first
    /// thread's: while others are still ending, the ports are taken.
    var isDead: Bool { (state == "Z" || state == "X") && threads <= 1 }
  }

  static func entry(_ pid: Int32) -> Entry? {
    guard let bytes = contents("/proc/\(pid)/stat"), let close = bytes.lastIndex(of: UInt8(ascii: ")")) else {
      return nil
    }
    // After the command's name, which may itself hold spaces and brackets: fields 3 and following.
    let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    guard fields.count > 21, let state = fields[0].first, let session = Int32(fields[3]),
      let threads = Int(fields[17]), let startTime = UInt64(fields[19]), let pages = Int64(fields[21])
    else { return nil }
    return Entry(
      pid: pid, state: state, session: session, threads: threads, startTime: startTime,
      residentBytes: pages * Int64(getpagesize()))
  }

  /// Whether that very process still runs. Reaps it when it was our child and has ended.
  static func isAlive(_ pid: Int32, startTime: UInt64) -> Bool {
    guard let entry = entry(pid), entry.startTime == startTime else { return false }
    guard entry.isDead else { return true }
    var status: Int32 = 0
    waitpid(pid, &status, WNOHANG)
    return false
  }

  /// Whether another process has that pid now.
  static func isReused(_ pid: Int32, startTime: UInt64) -> Bool {
    entry(pid).map { $0.startTime != startTime } ?? false
  }

  /// All processes that run, in no particular order. O(processes).
  static func all() -> [Entry] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var entries: [Entry] = []
    while let item = readdir(folder) {
      let name = withUnsafePointer(to: &item.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let pid = Int32(name), let entry = entry(pid), !entry.isDead else { continue }
      entries.append(entry)
    }
    return entries
  }

  /// Whether the process was started with `NAME=value` exactly; false when its environment is not ours to read.
  static func hasVariable(_ variable: String, pid: Int32) -> Bool {
    guard let bytes = contents("/proc/\(pid)/environ") else { return false }
    return bytes.split(separator: 0).contains { $0.elementsEqual(variable.utf8) }
  }

  /// How many processes the kernel killed for memory since boot (`oom_kill` in /proc/vmstat, cgroup kills included).
  static func outOfMemoryKills() -> Int64 {
    guard let bytes = contents("/proc/vmstat") else { return 0 }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("oom_kill ") {
      return Int64(line.dropFirst("oom_kill ".count)) ?? 0
    }
    return 0
  }

  /// A small file whole; nil when it cannot be read. `/proc` files have no size, so it reads until the end.
  static func contents(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var result: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
      let count = read(file, &part, part.count)
      if count == 0 { return result }
      guard count > 0 else { return errno == EINTR ? nil : (result.isEmpty ? nil : result) }
      result += part[0..<count]
    }
  }
}
