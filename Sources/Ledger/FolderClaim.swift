import Foundation
import Kernel

/// The right to be the one process that works in a data folder, until `release`, the end of this value or the end of
/// its process, whichever is first.
package final class FolderClaim: Sendable {
  private let file: Descriptor

  init(_ path: String, folder: String) throws {
    // Close-on-exec (see `Descriptor`) matters here: instances of services outlive plimsoll and would keep the lock.
    let file = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: Disk.secretMode)
    while flock(file.raw, LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK:
        throw Refusal(
          .notNow,
          "\(folder) is in use by \(Self.holder(try file.read())); stop that one, or name another data folder")
      default: throw Disk.outage("lock", path)
      }
    }
    try file.truncate(to: 0)
    try file.write(Array("\(getpid())\n".utf8), at: 0)
    self.file = file
  }

  /// Idempotent. Call it where the work ends: the compiler may end a value that is not used any more before its scope.
  package func release() { flock(file.raw, LOCK_UN) }

  /// The file may still name a dead holder in the instant between a new one's claim and its note.
  private static func holder(_ note: [UInt8]) -> String {
    let text = String(decoding: note, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard let pid = Int32(text), pid > 0, kill(pid, 0) == 0 || errno == EPERM else {
      return "another plimsoll that is just starting"
    }
    return "another plimsoll, process \(pid)"
  }
}
