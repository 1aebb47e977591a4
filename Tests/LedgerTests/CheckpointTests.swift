import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct CheckpointTests {
  @Test func oneIsWrittenAfterSoManyEventsWithoutBeingAsked() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    _ = try ledger.append(toys("a", 1...checkpointInterval), routedThrough: nil)
    // The same queue writes both, so this one comes after the one that the append asked for.
    ledger.signer.sync {}
    #expect(ledger.journal.lastPosition == checkpointInterval)
    #expect(ledger.checkpointFailure == nil)
  }

  @Test func aFileThatCannotBeWrittenIsToldUntilItCan() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    let path = folder.ledger.checkpoints
    let aside = path + ".aside"
    try FileManager.default.moveItem(atPath: path, toPath: aside)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    _ = try ledger.append(toys("a", 1...checkpointInterval), routedThrough: nil)
    // The append succeeded; signing comes after it, on a queue of its own.
    ledger.signer.sync {}
    let failure = try #require(ledger.checkpointFailure)
    #expect(failure.description.contains(path))
    #expect(throws: Outage.self) { try ledger.checkpoint() }
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.moveItem(atPath: aside, toPath: path)
    #expect(try ledger.checkpoint()?.position == checkpointInterval)
    #expect(ledger.checkpointFailure == nil)
  }

  @Test func nothingNewIsNotSignedAgain() throws {
    let folder = try TemporaryFolder()
    let ledger = try folder.open()
    #expect(try ledger.checkpoint() == nil)
    _ = try ledger.append(toys("a", 1...2) + toys("b", 1...1), routedThrough: nil)
    let first = try #require(try ledger.checkpoint())
    #expect(first.position == 3 && first.moved.map(\.stream) == ["queue:a", "queue:b"])
    #expect(first.moved.map(\.version) == [2, 1])
    #expect(try ledger.checkpoint() == nil)
    _ = try ledger.append([toy("b", 2)], routedThrough: nil)
    let second = try #require(try ledger.checkpoint())
    #expect(second.moved.map(\.stream) == ["queue:b"] && second.previous == first.digest)
  }

  @Test func whatAKillLeftUnsignedIsSignedAtTheNextStart() throws {
    let folder = try TemporaryFolder()
    let killed = try folder.open()
    _ = try killed.append(toys("a", 1...3), routedThrough: nil)
    #expect(killed.journal.lastPosition == 0)
    try killed.pool.close()
    #expect(try folder.open().journal.lastPosition == 3)
  }

  @Test func theKeyIsPrivateAndStays() throws {
    let folder = try TemporaryFolder()
    try folder.open().close()
    let key = try String(contentsOfFile: folder.ledger.key, encoding: .utf8)
    let mode = try FileManager.default.attributesOfItem(atPath: folder.ledger.key)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    try folder.open().close()
    #expect(try String(contentsOfFile: folder.ledger.key, encoding: .utf8) == key)
    #expect(try names(in: folder.data.keys) == ["ledger.ed25519", "ledger.ed25519.pub"])
  }

  @Test func aKeyThatOthersMayReadIsNotUsed() throws {
    let folder = try TemporaryFolder()
    try folder.open().close()
    chmod(folder.ledger.key, 0o644)
    let failure = #expect(throws: Outage.self) { try folder.open() }
    #expect(failure?.sentence.contains("may be read by others") == true)
  }
}
