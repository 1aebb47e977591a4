import Crypto
import Foundation
import Kernel

/// The layout of a machine's data folder, entered by its owner alone (mode 0700).
package struct DataFolder: Equatable, Sendable {
  /// Absolute.
  package let path: String

  /// Names the folder without touching the disk; a relative path starts at the working folder.
  package init(at path: String) {
    self.path = URL(fileURLWithPath: path).standardizedFileURL.path
  }

  package var ledger: LedgerFiles {
    LedgerFiles(
      database: "\(path)/ledger.sqlite", checkpoints: "\(path)/checkpoints.jsonl", key: "\(keys)/ledger.ed25519")
  }
  package var blobs: String { "\(path)/blobs" }
  package var keys: String { "\(path)/keys" }
  /// The key of `ConfigurationSealer`.
  package var configurationKey: String { "\(keys)/configuration.key" }
  package var artifacts: String { "\(path)/artifacts" }
  package var mirrors: String { "\(path)/mirrors" }
  package var releases: String { "\(path)/releases" }
  /// Sockets, and what only has a meaning while something runs.
  package var run: String { "\(path)/run" }
  package var logs: String { "\(path)/logs" }
  package var tokenFile: String { "\(path)/token" }
  package var lockFile: String { "\(path)/lock" }

  /// True when a `serve` has made it: clients use it to tell a wrong folder from a stopped server.
  package var exists: Bool { Disk.exists(ledger.database) }

  /// Makes the folder and its parts where they are absent; idempotent.
  package func create() throws(Outage) {
    try Disk.makeFolder(path)
    guard chmod(path, Disk.privateFolderMode) == 0 else { throw Disk.outage("make private", path) }
    for part in [blobs, keys, artifacts, mirrors, releases, run, logs] { try Disk.makeFolder(part) }
  }

  /// Claims the folder for this process for as long as the claim lives; the kernel ends it with the process, however
  /// that dies.
  /// - Throws: `Refusal.notNow` that names the holder's process id when another process holds it.
  package func lock() throws -> FolderClaim { try FolderClaim(lockFile, folder: path) }

  /// The API's token: 32 random bytes in hexadecimal digits, made at first start with mode 0600.
  package func token() throws(Outage) -> String {
    let text = try Disk.secret(at: tokenFile) {
      SymmetricKey(size: .bits256).withUnsafeBytes { Array((hexadecimal($0) + "\n").utf8) }
    }
    guard let bytes = keyBytes(text) else {
      throw Outage(
        "token", "\(tokenFile) holds no 64 hexadecimal digits; remove it, and the next start makes a new one")
    }
    return hexadecimal(bytes)
  }

  /// Where the unix socket `name` lies: in `run`, or, when that path is too long for a socket, in a folder below
  /// `/tmp` that is named by a hash of this folder's path. The same answer at every start.
  /// - Throws: `Outage` when the folder below `/tmp` belongs to someone else, or `name` itself is too long.
  package func socketPath(_ name: String) throws(Outage) -> String {
    let usual = "\(run)/\(name)"
    if usual.utf8.count < longestSocketPath { return usual }
    // Not TMPDIR: it may differ between two starts, and a running peer would not be found again.
    let hash = hexadecimal(SHA256.hash(data: Array(path.utf8)).prefix(6))
    let folder = "/tmp/plimsoll-\(getuid())-\(hash)"
    let short = "\(folder)/\(name)"
    guard short.utf8.count < longestSocketPath else {
      throw Outage("socket", "the socket name \(name) is too long for any folder; shorten the service's name")
    }
    try Disk.makeFolder(folder)
    // Anyone may make folders in /tmp: one that is not ours, or a link, must not receive our sockets.
    var status = stat()
    guard lstat(folder, &status) == 0 else { throw Disk.outage("inspect", folder) }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(), status.st_mode & 0o077 == 0 else {
      throw Outage("socket", "\(folder) is not a private folder of this user; remove it, or use a shorter data folder")
    }
    return short
  }
}

/// `sun_path` holds 108 bytes with its end on Linux and 104 on macOS (unix(7)); HAProxy adds a suffix of its own while
/// it replaces a socket.
package let longestSocketPath = 100
