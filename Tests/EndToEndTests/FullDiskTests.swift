import API
import Foundation
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A file system in memory at a folder, for a whole data folder; needs the right to mount.
private final class SmallDisk {
  static let bytes = 48 << 20
  let path: String
  private var filler: String { "\(path)/filler" }

  init?(at path: String) {
    self.path = path
    guard mkdir(path, 0o700) == 0, mount("tmpfs", path, "tmpfs", 0, "size=\(Self.bytes)") == 0 else { return nil }
  }

  /// Takes all space but this much.
  func fill(leaving bytes: Int) {
    var facts = statvfs()
    statvfs(path, &facts)
    let file = open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer { close(file) }
    let chunk = [UInt8](repeating: 1, count: 65_536)
    var left = Int(facts.f_bavail) * Int(facts.f_frsize) - bytes
    // The last pieces smaller and smaller, because a full disk may still take a few bytes.
    for size in [65_536, 4096, 512, 1] {
      while left >= size, write(file, chunk, size) == size { left -= size }
    }
  }

  func relieve() { unlink(filler) }
  func unmount() { umount2(path, Int32(MNT_DETACH)) }

  static let isAvailable: Bool = {
    let path = "/tmp/plh-disk-\(getpid())"
    let disk = SmallDisk(at: path)
    disk?.unmount()
    rmdir(path)
    return disk != nil
  }()
}

/// The whole data folder on a disk that is too small: everything waits and says so, nothing half-done is recorded, and
/// with room everything goes on.
@Suite("A full disk under the whole server", .timeLimit(.minutes(5)))
struct FullDiskTests {
  @Test(
    "while building and while appending: said, nothing recorded, and it goes on when there is room",
    .enabled(if: SmallDisk.isAvailable, "needs the right to mount"))
  func fullDisk() async throws {
    try await withSmallHarbor { harbor in
      let disk = try #require(SmallDisk(at: harbor.data))
      // Everything in it first, else `end` would find an empty folder and leave its instances running.
      defer {
        harbor.end()
        disk.unmount()
      }
      try await harbor.start()
      try await harbor.firstVersionServes()
      try await whileBuilding(in: harbor, on: disk)
      try await whileAppending(in: harbor, on: disk)
      let verified = try harbor.run("ledger", "verify")
      #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
    }
  }

  private func whileBuilding(in harbor: SmallHarbor, on disk: SmallDisk) async throws {
    let first = try #require(try harbor.production()?.serving)
    // More than the 16 MiB that must be free before a command is run at all, less than the build wants.
    disk.fill(leaving: 20 << 20)
    let build = try #require(SmallHarbor.service["build"])
    let commit = try harbor.land(
      "second", ["name": "second\n", "build": "\(build)head -c 24000000 /dev/zero > \"$TMPDIR/object\" || exit 1\n"])
    // While the build's file is there, the ledger may find the disk full too and say so first; it goes on by itself.
    _ = try await wait("the build's trouble to be told") {
      try harbor.troubles().first { $0.contains("disk") && $0.contains("keeps trying") }
    }

    let promotion = try await harbor.ended(commit)
    #expect(promotion.phase == "halted")
    for words in ["the build could not be run: disk:", "was full", "free space", "promote to try again"] {
      #expect(promotion.sentence.contains(words), "\(promotion.sentence)")
    }
    #expect(promotion.digest == nil)
    #expect(try harbor.get("/v1/artifacts", as: ArtifactsView.self)?.artifacts.map(\.digest) == [first.digest])
    let events = try harbor.get("/v1/events?stream=build:harbor/\(commit)", as: EventsView.self)?.events
    #expect(events?.map(\.type) == ["build.begun", "build.halted"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(harbor.data)/runs").isEmpty)
    #expect(ask(harbor.port, "/")?.body == "first")

    disk.relieve()
    let again = try harbor.run("promote", "harbor", commit, "--reason", "there is room again")
    #expect(again.code == 0, "\(again.errors)")
    #expect(try await harbor.ended(commit).phase == "completed")
    #expect(ask(harbor.port, "/")?.body == "second")
    #expect(try harbor.troubles() == [])
  }

  private func whileAppending(in harbor: SmallHarbor, on disk: SmallDisk) async throws {
    // What is retired gives its space back; only then is the disk to be full.
    _ = try await wait("the version before to be retired") { () -> Bool? in
      let events = try harbor.get("/v1/events?stream=delivery:harbor/production", as: EventsView.self)?.events
      return events?.contains { $0.type == "delivery.retired" } == true ? true : nil
    }
    // A server just started has an empty write-ahead log, which must grow with its first append.
    harbor.stopServer()
    try await harbor.start()
    let position = try #require(try harbor.get("/v1/health", as: HealthView.self)?.head)
    disk.fill(leaving: 0)
    let refused = try harbor.run("rollback", "harbor", "production", "--reason", "a look back")
    #expect(refused.code == 3, "\(refused.output)\(refused.errors)")
    #expect(refused.errors.contains("is full") && refused.errors.contains("free some space"), "\(refused.errors)")
    let troubles = try harbor.troubles()
    #expect(troubles.contains { $0.contains("The ledger cannot be written") }, "\(troubles)")
    #expect(try harbor.get("/v1/events?after=\(position)", as: EventsView.self)?.events.isEmpty == true)
    #expect(ask(harbor.port, "/")?.body == "second", "what serves goes on serving")

    disk.relieve()
    let again = try harbor.run("rollback", "harbor", "production", "--reason", "a look back")
    #expect(again.code == 0, "\(again.errors)")
    _ = try await wait("the version before to serve") { ask(harbor.port, "/")?.body == "first" ? true : nil }
    _ = try await wait("the trouble to be over") { try harbor.troubles().isEmpty ? true : nil }
  }
}
