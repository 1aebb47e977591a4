import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// What the shim wrote about an instance that it started: enough to find the very process again.
struct InstanceRecord: Equatable {
  let attempt: Int
  /// The shim: leader of the instance's session.
  let pid: Int32
  let startTime: UInt64
  let port: Int
}

/// What `retire` must know of a deployment when no supervision of this process ever saw it.
struct DeploymentNote: Codable, Equatable {
  let stopLimitMs: Int64
}

/// One deployment's files: how its instances are found again by content.
///
/// ```
/// instances/<deployment>/note.json     DeploymentNote
///                        <n>.intent    the attempt that may run: a shim with another number ends at once
///                        <n>.record    attempt, pid, start time, port: written by the shim before it runs the command
///                        <n>.exit      attempt, status: written by the shim after the command ended
///                        <n>.scratch/  TMPDIR, HOME, PLIMSOLL_SCRATCH
/// ```
/// Every write is a rename, so a reader meets the old text or the new one.
struct InstanceFiles {
  let folder: String

  func base(_ instance: Int) -> String { "\(folder)/\(instance)" }
  func scratch(_ instance: Int) -> String { "\(folder)/\(instance).scratch" }
  /// Names the instance in its processes' environment; the scratch folder is unique over data folders too.
  func mark(_ instance: Int) -> String { "PLIMSOLL_SCRATCH=\(scratch(instance))" }

  /// The instances that left any file, sorted.
  func known() -> [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return Set(names.compactMap { Int($0.prefix { $0 != "." }) }).sorted()
  }

  func attempt(_ instance: Int) -> Int { numbers("\(base(instance)).intent").first.map { Int($0) } ?? 0 }

  func record(_ instance: Int) -> InstanceRecord? {
    let parts = numbers("\(base(instance)).record")
    guard parts.count == 4 else { return nil }
    return InstanceRecord(
      attempt: Int(parts[0]), pid: Int32(truncatingIfNeeded: parts[1]), startTime: UInt64(parts[2]),
      port: Int(parts[3]))
  }

  /// The recorded shim's pid, which is its session's too; nil when another process has that pid by now, say after the
  /// machine restarted.
  func leader(_ instance: Int) -> Int32? {
    guard let record = record(instance), !ProcessTable.isReused(record.pid, startTime: record.startTime) else {
      return nil
    }
    return record.pid
  }

  /// The status that `sh` reports for that attempt's command; nil while it runs or when the shim itself was killed.
  func status(_ instance: Int, attempt: Int) -> Int? {
    let parts = numbers("\(base(instance)).exit")
    guard parts.count == 2, Int(parts[0]) == attempt else { return nil }
    return Int(parts[1])
  }

  func note() -> DeploymentNote? {
    ProcessTable.contents("\(folder)/note.json").flatMap {
      try? JSONDecoder().decode(DeploymentNote.self, from: Data($0))
    }
  }

  func write(_ note: DeploymentNote) throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try JSONEncoder().encode(note).write(to: URL(fileURLWithPath: "\(folder)/note.json"), options: .atomic)
  }

  func intend(_ instance: Int, attempt: Int) throws {
    try FileManager.default.createDirectory(
      atPath: scratch(instance), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try Data("\(attempt)\n".utf8).write(to: URL(fileURLWithPath: "\(base(instance)).intent"), options: .atomic)
  }

  func forgetRun(_ instance: Int) {
    unlink("\(base(instance)).record")
    unlink("\(base(instance)).exit")
  }

  private func numbers(_ path: String) -> [Int64] {
    guard let bytes = ProcessTable.contents(path) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).compactMap { Int64($0) }
  }
}
