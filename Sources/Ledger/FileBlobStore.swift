import Foundation
import Kernel

// Crypto has a `Digest` too.
import struct Crypto.SHA256

/// Blobs as files named by their SHA-256: `ab/cdef…` below its folder.
///
/// A blob appears at its name only when it is whole and flushed. Every read is hashed.
package struct FileBlobStore: BlobStore {
  private let folder: String
  private var unfinished: String { "\(folder)/unfinished" }

  /// Makes the folder, and removes what a crash left half-written.
  /// - Precondition: one process at a time writes to it, see `DataFolder.lock()`.
  package init(folder: String) throws(Outage) {
    self.folder = folder
    try Disk.makeFolder("\(folder)/unfinished")
    let left: [String]
    do { left = try FileManager.default.contentsOfDirectory(atPath: unfinished) } catch {
      throw Outage("disk", "cannot list \(folder)/unfinished: check the disk that holds it", sources: ["\(error)"])
    }
    for name in left { unlink("\(unfinished)/\(name)") }
  }

  package func put(_ bytes: [UInt8]) throws(Outage) -> Digest {
    let digest = try digest(SHA256.hash(data: bytes))
    let place = path(of: digest)
    let shard = Disk.folder(of: place)
    // A file there whose bytes differ was damaged; the good bytes replace it.
    let isStored = Disk.exists(place) && (try? Disk.read(place)) == bytes
    if !isStored {
      try Disk.makeFolder(shard)
      let temporary = "\(unfinished)/\(UUID().uuidString)"
      try Disk.writeNew(bytes, to: temporary, mode: Disk.secretMode)
      guard rename(temporary, place) == 0 else {
        let failure = Disk.outage("store", place)
        unlink(temporary)
        throw failure
      }
      try Disk.syncFolder(folder)
    }
    // Also when it was there: whoever put it may not have flushed its name yet, and our caller relies on it.
    try Disk.syncFolder(shard)
    return digest
  }

  package func get(_ digest: Digest) throws(Outage) -> [UInt8] {
    let place = path(of: digest)
    guard Disk.exists(place) else {
      throw Outage("blobs", "\(digest.rawValue) is not stored: \(place) does not exist; restore it from a copy")
    }
    let bytes = try Disk.read(place)
    guard hexadecimal(SHA256.hash(data: bytes)) == digest.hex else {
      throw Outage("blobs", "\(place) was damaged: its bytes do not hash to its name; restore it from a copy")
    }
    return bytes
  }

  package func contains(_ digest: Digest) -> Bool { Disk.exists(path(of: digest)) }

  private func path(of digest: Digest) -> String {
    "\(folder)/\(digest.hex.prefix(2))/\(digest.hex.dropFirst(2))"
  }
}
