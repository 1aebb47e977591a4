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

  /// Of `SmallDisk.bytes`: what is full, and what is ample.
  private static let (floor, ample): (Int64, Int64) = (256 << 10, 1 << 20)

  private func runner(on disk: SmallDisk, _ sandbox: GitSandbox) async throws -> CommandRunner {
    try await CommandRunner(
      folder: disk.path + "/runs", forge: sandbox.forge, blobs: LostBlobs(), diskFloorBytes: Self.floor,
      diskAmpleBytes: Self.ample, now: { Instant(milliseconds: 0) })
  }

  @Test("a command that fills an ample disk by itself has failed, once that happened three times")
  func filling() async throws {
    try await withGitSandbox { sandbox in
      let disk = try #require(SmallDisk())
      let runner = try await runner(on: disk, sandbox)
      func order(_ key: Int, _ command: String) async throws -> RunOrder {
        RunOrder(
          key: "test-\(key)", command: command, repository: GitSandbox.harbor, commit: try await sandbox.head(),
          timeLimit: .seconds(60))
      }
      let large = SmallDisk.bytes * 2
      // Gone before the command says that it failed: what it had taken is known from before.
      let greedy = """
        head -c \(large) /dev/zero > "$TMPDIR/large" || { sleep 0.1; rm "$TMPDIR/large"; exit 7; }
        """
      for attempt in 1..<CommandRunner.diskFillLimit {
        let outage = await #expect(throws: Outage.self) { try await runner.run(try await order(attempt, greedy)) }
        #expect(outage?.subject == "disk")
      }
      let report = try await runner.run(try await order(CommandRunner.diskFillLimit, greedy))
      #expect(report.end == .exited(code: 7))
      #expect(report.logTail.contains("the command filled the disk: of 2 MiB that were free"), "\(report.logTail)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path + "/runs").isEmpty)
      // Another command begins anew.
      await #expect(throws: Outage.self) { try await runner.run(try await order(9, greedy + " ")) }
    }
  }

  @Test("a command on a disk that others fill, or that was nearly full before, never has")
  func filledByOthers() async throws {
    try await withGitSandbox { sandbox in
      let disk = try #require(SmallDisk())
      let runner = try await runner(on: disk, sandbox)
      let neighbour = disk.path + "/neighbour"
      let commit = try await sandbox.head()
      func isOutage(_ key: String, _ command: String) async -> Bool {
        do {
          _ = try await runner.run(
            RunOrder(
              key: key, command: command, repository: GitSandbox.harbor, commit: commit, timeLimit: .seconds(60)))
          return false
        } catch { return error.subject == "disk" }
      }
      for attempt in 0...CommandRunner.diskFillLimit {
        unlink(neighbour)
        #expect(
          await isOutage("others-\(attempt)", "head -c \(SmallDisk.bytes * 2) /dev/zero > \(neighbour); exit 1"))
      }
      unlink(neighbour)
      try Data(count: SmallDisk.bytes - 768 << 10).write(to: URL(fileURLWithPath: neighbour))
      for attempt in 0...CommandRunner.diskFillLimit {
        #expect(await isOutage("full-\(attempt)", "head -c \(SmallDisk.bytes) /dev/zero > large || exit 1"))
      }
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
