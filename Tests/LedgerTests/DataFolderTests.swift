import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct DataFolderTests {
  @Test func itIsPrivateAndMadeTwiceIsTheSame() throws {
    let home = try TemporaryFolder()
    let folder = DataFolder(at: "\(home.path)/deep/data/")
    try folder.create()
    try folder.create()
    let parts = ["artifacts", "blobs", "keys", "logs", "mirrors", "releases", "run"]
    #expect(try names(in: folder.path) == parts)
    #expect(mode(folder.path) == 0o700 && mode(folder.keys) == 0o700)
    #expect(!folder.exists)
  }

  @Test func theTokenIsMadeOnceAndPrivate() throws {
    let folder = try TemporaryFolder().data
    let token = try folder.token()
    #expect(token.utf8.count == 64)
    #expect(try folder.token() == token)
    #expect(mode(folder.tokenFile) == 0o600)
    try Data("short\n".utf8).write(to: URL(fileURLWithPath: folder.tokenFile))
    #expect(throws: Outage.self) { try folder.token() }
    try FileManager.default.removeItem(atPath: folder.path)
  }

  @Test func aSecondClaimIsRefusedAndNamesTheHolder() throws {
    let home = try TemporaryFolder()
    let claim = try home.data.lock()
    let refusal = #expect(throws: Refusal.self) { try home.data.lock() }
    #expect(refusal?.kind == .notNow)
    #expect(refusal?.sentence.contains("process \(getpid())") == true)
    claim.release()
    try home.data.lock().release()
  }

  @Test func aKilledHolderLosesItsClaim() throws {
    let home = try TemporaryFolder()
    let folder = home.data
    let holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
    holder.arguments = ["--no-fork", folder.lockFile, "sleep", "60"]
    try holder.run()
    try "\(holder.processIdentifier)\n".write(toFile: folder.lockFile, atomically: false, encoding: .utf8)
    let refusal = try #require(try pollUntilRefused(folder))
    #expect(refusal.sentence.contains("process \(holder.processIdentifier)"))
    kill(holder.processIdentifier, SIGKILL)
    holder.waitUntilExit()
    try folder.lock().release()
  }

  /// The other process needs a moment to take the lock.
  private func pollUntilRefused(_ folder: DataFolder) throws -> Refusal? {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(20)
    while clock.now < deadline {
      let probe = open(folder.lockFile, O_RDWR)
      defer { close(probe) }
      if flock(probe, LOCK_EX | LOCK_NB) == 0 {
        usleep(2_000)
        continue
      }
      do { _ = try folder.lock() } catch let refusal as Refusal { return refusal }
    }
    return nil
  }

  @Test func aSocketPathIsShortEvenInADeepFolder() throws {
    let home = try TemporaryFolder()
    #expect(try home.data.socketPath("api.sock") == "\(home.data.run)/api.sock")
    let deep = DataFolder(at: home.path + "/" + String(repeating: "d", count: 120))
    let short = try deep.socketPath("api.sock")
    defer { try? FileManager.default.removeItem(atPath: Disk.folder(of: short)) }
    #expect(short.utf8.count < longestSocketPath && short.hasPrefix("/tmp/plimsoll-"))
    #expect(try deep.socketPath("api.sock") == short, "the same at the next start")
    #expect(mode(Disk.folder(of: short)) == 0o700)
    chmod(Disk.folder(of: short), 0o755)
    #expect(throws: Outage.self) { try deep.socketPath("api.sock") }
  }

  private func mode(_ path: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
  }
}
