import Foundation
import Kernel

/// Files that survive a power cut: written beside, flushed, then put in place, and the folder flushed too.
enum Disk {
  /// Readable and writable by the owner alone.
  static let secretMode: mode_t = 0o600
  /// A folder that only its owner may enter.
  static let privateFolderMode: mode_t = 0o700

  /// The outage that `errno` tells of, said for a person.
  static func outage(_ verb: String, _ path: String) -> Outage {
    let code = errno
    let source = String(cString: strerror(code))
    switch code {
    case ENOSPC, EDQUOT:
      return Outage(
        "disk", "no space is left to \(verb) \(path): nothing was stored; free some space and try again",
        sources: [source])
    case EACCES, EPERM, EROFS:
      return Outage(
        "disk", "may not \(verb) \(path): give the user that runs plimsoll access to it", sources: [source])
    case ENOENT:
      return Outage("disk", "cannot \(verb) \(path): it does not exist", sources: [source])
    default:
      return Outage("disk", "cannot \(verb) \(path): check the disk that holds it", sources: [source])
    }
  }

  static func read(_ path: String) throws(Outage) -> [UInt8] {
    try Descriptor(opening: path, O_RDONLY).read()
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Creates the folder when it is absent, with its parents; parents get the same mode.
  static func makeFolder(_ path: String, mode: mode_t = privateFolderMode) throws(Outage) {
    if mkdir(path, mode) == 0 { return }
    let code = errno
    if code == EEXIST {
      var status = stat()
      guard stat(path, &status) == 0 else { throw outage("inspect", path) }
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw Outage("disk", "cannot create the folder \(path): a file of that name is in the way; move it")
      }
      return
    }
    let parent = folder(of: path)
    guard code == ENOENT, parent != path else {
      errno = code
      throw outage("create", path)
    }
    try makeFolder(parent, mode: mode)
    guard mkdir(path, mode) == 0 || errno == EEXIST else { throw outage("create", path) }
  }

  static func syncFolder(_ path: String) throws(Outage) {
    try Descriptor(opening: path, O_RDONLY | O_DIRECTORY).sync()
  }

  /// Writes a whole new file and flushes it; a failure leaves nothing behind.
  static func writeNew(_ bytes: [UInt8], to path: String, mode: mode_t) throws(Outage) {
    do throws(Outage) {
      let file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
      try file.write(bytes, at: 0)
      try file.sync()
    } catch {
      unlink(path)
      throw error
    }
  }

  /// The content of a secret file; made by `make` at the first call, mode 0600.
  ///
  /// Idempotent, also between racing processes: a hard link never replaces a file, so the first one wins.
  /// - Throws: `Outage` when others may read the file: a leaked key must be noticed, not used on.
  static func secret(at path: String, make: () -> [UInt8]) throws(Outage) -> [UInt8] {
    if !exists(path) {
      let parent = folder(of: path)
      try makeFolder(parent)
      let temporary = "\(path).\(UUID().uuidString).new"
      try writeNew(make(), to: temporary, mode: secretMode)
      let linked = link(temporary, path) == 0 || errno == EEXIST
      let failure = linked ? nil : outage("create", path)
      unlink(temporary)
      if let failure { throw failure }
      try syncFolder(parent)
    }
    let file = try Descriptor(opening: path, O_RDONLY)
    let mode = try file.status().st_mode & 0o777
    guard mode & 0o077 == 0 else {
      throw Outage(
        "disk",
        "\(path) may be read by others (mode 0\(String(mode, radix: 8))): make a new one, or run chmod 600 on it")
    }
    return try file.read()
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
