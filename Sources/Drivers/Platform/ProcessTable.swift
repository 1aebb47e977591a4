import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// What `/proc` says of processes (proc(5)). A process is named by pid *and* start time, because pids are used again.
enum ProcessTable {
  struct Entry: Equatable, Sendable {
    let pid: Int32
    let state: Character
    let session: Int32
    /// Field 20.
    let threads: Int
    /// Field 22: clock ticks since boot at which the process started.
    let startTime: UInt64
    let residentBytes: Int64
    /// Fields 14 to 17: its own clock ticks, and those of its children that ended and were waited for.
    let processorTicks: Int64
    /// A zombie keeps its entry until its parent asks; it runs no code and holds no port. But the state is its first
    /// thread's: while others are still ending, the ports are taken.
    var isDead: Bool { (state == "Z" || state == "X") && threads <= 1 }
  }

  /// Asked for every instance many times a second, so it reads in place: no array of texts.
  static func entry(_ pid: Int32) -> Entry? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: statBytes + 1) { line -> Entry? in
      let file = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
      guard file >= 0, let start = line.baseAddress else { return nil }
      defer { close(file) }
      let count = read(file, start, statBytes)
      guard count > 0 else { return nil }
      start[count] = 0
      // After the command's name, which may itself hold spaces and brackets: the state is field 3, numbers follow.
      guard let bracket = strrchr(start, Int32(UInt8(ascii: ")"))), bracket[1] != 0, bracket[2] != 0 else { return nil }
      let state = Character(UnicodeScalar(UInt8(bitPattern: bracket[2])))
      var numbers = [UInt64](repeating: 0, count: lastField + 1)
      var cursor = bracket + 3
      for field in 4...lastField {
        var end: UnsafeMutablePointer<CChar>?
        // What is below zero wraps; no field that is used is.
        numbers[field] = UInt64(strtoull(cursor, &end, 10))
        guard let end, end != cursor else { return nil }
        cursor = end
      }
      return Entry(
        pid: pid, state: state, session: Int32(truncatingIfNeeded: numbers[6]),
        threads: Int(truncatingIfNeeded: numbers[20]), startTime: numbers[22],
        residentBytes: Int64(truncatingIfNeeded: numbers[24]) * Int64(getpagesize()),
        processorTicks: Int64(truncatingIfNeeded: numbers[14] &+ numbers[15] &+ numbers[16] &+ numbers[17]))
    }
  }
  /// Fields 1 to 24 are some 200 bytes: a name of 64, and numbers.
  private static let statBytes = 1023
  private static let lastField = 24

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
    return (bytes + [0]).withUnsafeBytes { text in
      guard let start = text.baseAddress?.assumingMemoryBound(to: CChar.self), let found = strstr(start, "\noom_kill ")
      else { return 0 }
      return Int64(strtoll(found + "\noom_kill ".utf8.count, nil, 10))
    }
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
