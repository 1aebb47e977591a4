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
  private let servers: TemporaryServers
  var primary: String { servers.url(1) }
  var replica: String { servers.url(2) }

  static func start() async throws -> ReplicatedServer {
    let pair = ReplicatedServer(servers: try TemporaryServers())
    let servers = pair.servers
    do {
      try await servers.make(1)
      try await servers.start(1)
      try await servers.tool.run(
        "pg_basebackup",
        [
          "-D", servers.data(2), "-h", servers.folder, "-p", "1", "-U", "postgres", "-R", "-X", "stream", "-c", "fast",
        ])
      try await servers.start(2)
      return pair
    } catch {
      await pair.stop()
      throw error
    }
  }

  func stop() async { await servers.stop(1, 2) }
}
