import Drivers
import Foundation
import Kernel
import Testing

/// A file system of 3 MiB in memory; needs the right to mount, which CI containers and `sudo make test` have.
private final class SmallDisk {
  static let bytes = 3 << 20
  let path: String
  init?() {
    path = NSTemporaryDirectory() + "pls-\(UUID().uuidString.prefix(8))"
    guard mkdir(path, 0o755) == 0, mount("tmpfs", path, "tmpfs", 0, "size=\(Self.bytes)") == 0 else {
      rmdir(path)
      return nil
    }
  }
  deinit {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }
  static let isAvailable = SmallDisk() != nil
}

@Suite("A full disk", .enabled(if: SmallDisk.isAvailable, "needs the right to mount"))
struct FullDiskTests {
  @Test("stops packing with nothing half-written, and the next build goes well")
  func packing() async throws {
    let disk = try #require(SmallDisk())
    let build = disk.path + "-build"
    defer { try? FileManager.default.removeItem(atPath: build) }
    try FileManager.default.createDirectory(atPath: build, withIntermediateDirectories: true)
    let store = try OCIArtifactStore(folder: disk.path + "/store", keys: disk.path + "/keys")
    let facts = BuildFacts(
      service: ServiceName(rawValue: "harbor")!, repository: GitSandbox.harbor,
      commit: CommitID(rawValue: String(repeating: "a", count: 40))!, command: "make",
      startedAt: .init(milliseconds: 0),
      endedAt: .init(milliseconds: 1))

    try Data(count: 2 * SmallDisk.bytes).write(to: URL(fileURLWithPath: build + "/large"))
    let outage = await #expect(throws: Outage.self) { try await store.pack(folder: build, facts: facts) }
    #expect(outage?.subject == "disk")
    #expect(outage?.sources == ["No space left on device"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path + "/store/.partial").isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path + "/store/blobs/sha256").isEmpty)

    try Data(count: 1000).write(to: URL(fileURLWithPath: build + "/large"))
    let stored = try await store.pack(folder: build, facts: facts)
    let finding = try await store.verify(stored.digest, service: facts.service, commit: facts.commit)
    #expect(finding == .verified(builder: "plimsoll:builder/local"))
    #expect(stored.bytes == 1000)
  }

  @Test("stops a build, also one that tidies up after itself, with nothing kept; with room it goes well")
  func building() async throws {
    try await withGitSandbox { sandbox in
      let disk = try #require(SmallDisk())
      let store = try OCIArtifactStore(folder: disk.path + "/store", keys: disk.path + "/keys")
      let runner = try await CommandRunner(
        folder: disk.path + "/runs", forge: sandbox.forge, blobs: LostBlobs(), diskFloorBytes: 256 << 10,
        now: { Instant(milliseconds: 0) })
      // As a compiler does it: the half-written file is gone before the command says that it failed.
      let command = """
        head -c 1000000 /dev/zero > object || { sleep 0.1; rm object; exit 1; }
        mkdir out && mv object out/
        """
      let order = RunOrder(
        key: "build", command: command, repository: GitSandbox.harbor, commit: try await sandbox.head(),
        timeLimit: .seconds(60), output: "out")

      let filler = disk.path + "/filler"
      try Data(count: SmallDisk.bytes - 640 << 10).write(to: URL(fileURLWithPath: filler))
      let outage = await #expect(throws: Outage.self) { try await runner.run(order) }
      #expect(outage?.subject == "disk")
      #expect(outage?.sentence.contains("free space") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path + "/runs").isEmpty)

      unlink(filler)
      let folder = try #require(try await runner.run(order).outputFolder)
      let stored = try await store.pack(
        folder: folder,
        facts: BuildFacts(
          service: ServiceName(rawValue: "harbor")!, repository: GitSandbox.harbor, commit: order.commit,
          command: command, startedAt: .init(milliseconds: 0), endedAt: .init(milliseconds: 1)))
      #expect(stored.bytes == 1_000_000)
    }
  }

  @Test("stops a checkout with git's words and no half folder")
  func checkingOut() async throws {
    try await withGitSandbox { sandbox in
      let disk = try #require(SmallDisk())
      // Compresses to almost nothing in the mirror, and does not fit on the disk as a file.
      let zeros = String(repeating: "0", count: 2 * SmallDisk.bytes)
      let commit = try await sandbox.branch("main", from: sandbox.head(), "Large", files: ["large": zeros])
      let outage = await #expect(throws: Outage.self) {
        try await sandbox.forge.checkOut(commit, of: GitSandbox.harbor, into: disk.path + "/out")
      }
      #expect(outage?.description.contains("unable to write file large") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
    }
  }
}

/// Logs are not looked at here.
private struct LostBlobs: BlobStore {
  func put(_ bytes: [UInt8]) throws(Outage) -> Digest { ServiceFixture.digest("0") }
  func get(_ digest: Digest) throws(Outage) -> [UInt8] { throw Outage("test", "keeps no blob") }
  func contains(_ digest: Digest) -> Bool { false }
}
