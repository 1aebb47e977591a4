import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct FileBlobStoreTests {
  @Test func bytesComeBackByTheirHash() throws {
    let folder = try TemporaryFolder()
    let blobs = try FileBlobStore(folder: folder.data.blobs)
    let digest = try blobs.put(Array("abc".utf8))
    // FIPS 180-2, appendix B.1.
    #expect(digest.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(try blobs.put(Array("abc".utf8)) == digest)
    #expect(try blobs.get(digest) == Array("abc".utf8))
    #expect(blobs.contains(digest))
    #expect(try names(in: "\(folder.data.blobs)/ba") == [String(digest.hex.dropFirst(2))])
    let empty = try blobs.put([])
    #expect(try blobs.get(empty) == [])
  }

  @Test func aDamagedBlobIsNeverGivenOutAndIsHealedByStoringAgain() throws {
    let folder = try TemporaryFolder()
    let blobs = try FileBlobStore(folder: folder.data.blobs)
    let digest = try blobs.put(Array("abc".utf8))
    let file = "\(folder.data.blobs)/ba/\(digest.hex.dropFirst(2))"
    try Data("abd".utf8).write(to: URL(fileURLWithPath: file))
    let failure = #expect(throws: Outage.self) { try blobs.get(digest) }
    #expect(failure?.sentence.contains(file) == true)
    #expect(try blobs.put(Array("abc".utf8)) == digest)
    #expect(try blobs.get(digest) == Array("abc".utf8))
  }

  @Test func anAbsentBlobIsAnOutage() throws {
    let folder = try TemporaryFolder()
    let blobs = try FileBlobStore(folder: folder.data.blobs)
    let digest = try #require(Digest(rawValue: "sha256:" + String(repeating: "0", count: 64)))
    #expect(!blobs.contains(digest))
    #expect(throws: Outage.self) { try blobs.get(digest) }
  }

  @Test func whatACrashLeftHalfWrittenIsRemovedAtOpening() throws {
    let folder = try TemporaryFolder()
    let digest = try FileBlobStore(folder: folder.data.blobs).put([1, 2, 3])
    try Data([1, 2]).write(to: URL(fileURLWithPath: "\(folder.data.blobs)/unfinished/half"))
    let blobs = try FileBlobStore(folder: folder.data.blobs)
    #expect(try names(in: "\(folder.data.blobs)/unfinished") == [])
    #expect(try blobs.get(digest) == [1, 2, 3])
  }

  @Test(.enabled(if: TinyDisk.isAvailable, "needs the right to mount"))
  func aFullDiskStoresNothingAndLaterOnesGoOn() throws {
    let disk = try #require(try TinyDisk(kibibytes: 256))
    let blobs = try FileBlobStore(folder: "\(disk.path)/blobs")
    disk.fill()
    let big = [UInt8](repeating: 9, count: 100_000)
    let failure = #expect(throws: Outage.self) { try blobs.put(big) }
    #expect(failure?.sentence.contains("no space is left") == true)
    #expect(try names(in: "\(disk.path)/blobs/unfinished") == [])
    disk.relieve()
    #expect(try blobs.get(try blobs.put(big)) == big)
  }
}
