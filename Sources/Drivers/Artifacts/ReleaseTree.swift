import Foundation
import Kernel

/// A folder's files as a layer sees them: sorted, without times and owners, modes reduced to the executable bit.
struct ReleaseTree: Sendable {
  enum Kind: Equatable, Sendable {
    case folder
    case file(isExecutable: Bool, bytes: Int64)
    case link(target: String)
  }
  struct Entry: Equatable, Sendable {
    /// Relative to the folder, without a leading or trailing slash.
    let path: String
    let kind: Kind
  }

  let folder: String
  /// Sorted by the bytes of their paths, so that a folder comes before what it holds.
  let entries: [Entry]
  var files: Int { entries.count { $0.kind != .folder } }
  var bytes: Int64 {
    entries.reduce(0) { sum, entry in
      if case .file(_, let bytes) = entry.kind { return sum + bytes }
      return sum
    }
  }

  /// The largest file that a plain tar header can state: eleven octal digits (POSIX ustar).
  static let largestFile: Int64 = (1 << 33) - 1

  /// Lists `folder`.
  ///
  /// - Throws: `Refusal` for what an artifact cannot hold: sockets, devices, pipes, names that are no UTF-8, links that
  ///   lead out of the folder. `Outage` when the disk cannot be read.
  init(of folder: String) throws {
    self.folder = folder
    var found: [Entry] = []
    var pending = [""]
    while let relative = pending.popLast() {
      for name in try Self.names(in: relative.isEmpty ? folder : "\(folder)/\(relative)") {
        let path = relative.isEmpty ? name : "\(relative)/\(name)"
        let kind = try Self.kind(of: path, in: folder)
        if kind == .folder { pending.append(path) }
        found.append(Entry(path: path, kind: kind))
      }
    }
    entries = found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  private static func names(in folder: String) throws -> [String] {
    guard let stream = opendir(folder) else { throw unreadable(folder) }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(validatingCString: $0) }
      }
      guard let name else {
        throw Refusal(.malformed, "The folder \(folder) holds a file whose name is not UTF-8; rename it in the build.")
      }
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else { throw unreadable(folder) }
    return names
  }

  private static func kind(of path: String, in folder: String) throws -> Kind {
    let full = "\(folder)/\(path)"
    var facts = stat()
    guard lstat(full, &facts) == 0 else { throw unreadable(full) }
    switch facts.st_mode & S_IFMT {
    case S_IFDIR: return .folder
    case S_IFREG:
      guard Int64(facts.st_size) <= largestFile else {
        throw Refusal(.malformed, "The file \(path) is larger than 8 GiB, which an artifact cannot hold; split it.")
      }
      return .file(isExecutable: facts.st_mode & S_IXUSR != 0, bytes: Int64(facts.st_size))
    case S_IFLNK:
      guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: full) else {
        throw unreadable(full)
      }
      guard staysInside(target, from: path) else {
        throw Refusal(
          .malformed,
          "The symbolic link \(path) leads to '\(target)', outside of the built folder; copy the file "
            + "instead, or link to it by a relative path that begins with its '..'s.")
      }
      return .link(target: target)
    default:
      throw Refusal(
        .malformed, "\(path) is a socket, pipe or device, which an artifact cannot hold; remove it in the build.")
    }
  }

  /// True when a link at `path` cannot lead out of the tree: its `..`s come first and are no more than its depth. A
  /// `..` after a name is refused because that name may itself be a link.
  static func staysInside(_ target: String, from path: String) -> Bool {
    guard !target.isEmpty, !target.hasPrefix("/") else { return false }
    let parts = target.split(separator: "/").filter { $0 != "." }
    let ups = parts.prefix { $0 == ".." }.count
    let depth = path.split(separator: "/").count - 1
    return ups <= depth && !parts.dropFirst(ups).contains("..")
  }
}

func unreadable(_ path: String) -> Outage {
  Outage(
    "disk", "\(path) cannot be read; check that it exists and may be read", sources: [String(cString: strerror(errno))])
}

func unwritable(_ path: String) -> Outage {
  Outage("disk", "\(path) cannot be written; free space or permit it", sources: [String(cString: strerror(errno))])
}
