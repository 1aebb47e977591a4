import Foundation
import Kernel
import Testing

@testable import MigrationOracle

#if canImport(Glibc)
  import Glibc
#endif

/// A file system in memory that is soon full, for a tablespace; needs the right to mount.
final class TinyDisk: Sendable {
  let path: String
  private static let enough = 256 << 20

  /// nil without the right.
  init?(megabytes: Int) async throws {
    path = "/tmp/plimsoll-disk-\(UUID().uuidString.prefix(8))"
    guard mkdir(path, 0o700) == 0 else { return nil }
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes << 20)") == 0 else {
      rmdir(path)
      return nil
    }
    if let user = try ServerTool(binaries: .find()).user { chown(path, user.id, user.group) }
  }

  /// There is room.
  func grow() throws {
    try #require(mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(Self.enough)") == 0)
  }

  func unmount() {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }

  static let isAvailable: Bool = {
    let path = "/tmp/plimsoll-disk-\(getpid())"
    guard mkdir(path, 0o700) == 0 else { return false }
    defer { rmdir(path) }
    guard mount("tmpfs", path, "tmpfs", 0, "size=4096") == 0 else { return false }
    umount2(path, Int32(MNT_DETACH))
    return true
  }()
}

/// A primary and its streaming replica, made by `pg_basebackup`.
struct ReplicatedServer {
  let primary: String
  let replica: String
  private let folder: String
  private let tool: ServerTool

  static func start() async throws -> ReplicatedServer {
    let tool = try ServerTool(binaries: .find())
    var template = Array("/tmp/plimsoll-pair-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if let user = tool.user { chown(folder, user.id, user.group) }
    func words(_ port: Int) -> String { "host='\(folder)' port=\(port) user=postgres dbname=postgres" }
    let pair = ReplicatedServer(primary: words(1), replica: words(2), folder: folder, tool: tool)
    do {
      try await tool.run(
        "initdb", ["-D", "\(folder)/1", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres"])
      try await pair.start(1)
      try await tool.run(
        "pg_basebackup",
        ["-D", "\(folder)/2", "-h", folder, "-p", "1", "-U", "postgres", "-R", "-X", "stream", "-c", "fast"])
      try await pair.start(2)
      return pair
    } catch {
      await pair.stop()
      throw error
    }
  }

  private func start(_ number: Int) async throws {
    try await tool.run(
      "pg_ctl",
      [
        "-D", "\(folder)/\(number)", "-w", "-t", "60", "-l", "\(folder)/log\(number)", "-o",
        "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -p \(number) -k '\(folder)'", "start",
      ])
  }

  func stop() async {
    for number in [2, 1] {
      _ = try? await tool.run("pg_ctl", ["-D", "\(folder)/\(number)", "-m", "immediate", "-w", "-t", "10", "stop"])
    }
    try? FileManager.default.removeItem(atPath: folder)
  }
}
