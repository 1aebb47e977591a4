import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// The folder that a deployment's instances run in: is it still what was ordered, and how it is made that again.
///
/// Its modes are read-only, but root and whoever owns the data folder can write all the same, and an instance reads files
/// for as long as it runs. So the folder is never trusted for having been right once.
///
/// Only the artifact's own files count: those of the tree that was ordered. The folder is where the service runs, so a
/// file there that the artifact does not have is the service's own writing: it is neither measured, moved nor made
/// read-only.
struct ReleaseFolder: Sendable {
  /// So many changes are kept aside; who changes a release a sixth time is not stopped by putting it right.
  static let asideLimit = 5
  /// So many changed files are named; someone may have touched them all.
  private static let namedFiles = 3

  let path: String
  /// Where what was in the way is kept until the version is retired: a new folder for each repair.
  var asides: [String] { (1...Self.asideLimit).map { path + ($0 == 1 ? ".changed" : ".changed-\($0)") } }
  private var fresh: String { path + ".fresh" }
  /// The artifact's own files alone, while they are hashed.
  private var alone: String { path + ".alone" }
  /// What it must hash to.
  let digest: Digest
  let artifacts: any ArtifactStore

  enum Finding {
    /// `own` are the artifact's own paths, each folder before what it holds.
    case intact(own: [String])
    /// There was none, or an empty one.
    case absent
    /// The artifact's own files hold other bytes; nil when what they hold has no digest.
    case changed(Digest?)
    /// It holds more than the artifact, or something else, and which of them cannot be told.
    case unknown(Outage)
  }

  struct Repair {
    let own: [String]
    /// What differed, in words.
    fileprivate(set) var differing: [String] = []
    /// Where what was in the way is; nil when nothing was.
    fileprivate(set) var aside: String?
    /// Nil when nothing differed.
    var words: String? {
      let rest = differing.count - ReleaseFolder.namedFiles
      let named = differing.prefix(ReleaseFolder.namedFiles).joined(separator: ", ")
      return differing.isEmpty ? nil : named + (rest > 0 ? " and \(rest) more" : "")
    }
  }

  /// Hashes the artifact's own files: O(bytes).
  /// - Parameter known: the artifact's own paths; nil when they have to be found out, from the store if the folder holds
  ///   anything else.
  func measure(own known: [String]?) async -> Finding {
    guard let kind = kind(path) else { return .absent }
    guard kind == S_IFDIR else { return .changed(nil) }
    if let present = try? FileManager.default.contentsOfDirectory(atPath: path), present.isEmpty { return .absent }
    // Listed before it is hashed: what comes between is in the digest. A socket of the service's cannot be listed.
    let listed = try? ReleaseTree(of: path).entries.map(\.path)
    if let listed, known == nil || known == listed {
      let found = try? await artifacts.digest(ofReleaseFolder: path)
      if found == digest { return .intact(own: listed) }
      if known != nil { return .changed(found) }
    }
    do throws(Outage) {
      let own = if let known { known } else { try await ownFiles() }
      let found = try await digest(of: own)
      return found == digest ? .intact(own: own) : .changed(found)
    } catch {
      return .unknown(error)
    }
  }

  /// Unpacks where nothing is.
  /// - Returns: the artifact's own paths.
  /// - Throws: `Outage` when the store has it no more or gives something else.
  func unpack() async throws(Outage) -> [String] {
    let folder = (path as NSString).deletingLastPathComponent
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    } catch {
      throw Outage("disk", "folder \(folder) cannot be made; fix its rights", sources: ["\(error)"])
    }
    let own = try await unpack(into: path)
    makeReadOnly(own)
    return own
  }

  /// Puts each of the artifact's files back where it was, so that instances that run, whose folder this is, read the
  /// right ones from now on. Safe to repeat: what a crash left half done is measured as changed again.
  /// - Throws: `Outage` also when `asideLimit` changes are kept aside: then nothing is touched.
  func restore() async throws(Outage) -> Repair {
    do {
      guard asides.contains(where: { kind($0) == nil }) else {
        throw Outage(
          "release \(path)",
          "was put right \(Self.asideLimit) times, and is not again; find out who writes there, then remove "
            + "\(asides[0]) and those numbered after it")
      }
      try removeTree(at: fresh)
      defer { try? removeTree(at: fresh) }
      var repair = Repair(own: try await unpack(into: fresh))
      try replaceContents(&repair)
      makeReadOnly(repair.own)
      guard case .intact = await measure(own: repair.own) else {
        throw Outage("release \(path)", "is changed again while it is put right; find out who writes there")
      }
      return repair
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("disk", "\(path) cannot be put right; free space or fix rights", sources: ["\(error)"])
    }
  }

  func remove() throws {
    for folder in [path, fresh, alone] + asides { try removeTree(at: folder) }
  }

  /// A number that changes when the content, place, mode or time of one of the artifact's own files does; nil when one
  /// is missing. In this process only. O(files), no byte is read: a full hash catches what hides from it.
  @concurrent
  func fingerprint(of own: [String]) async -> Int? {
    var hasher = Hasher()
    for name in [""] + own {
      var facts = stat()
      guard lstat(name.isEmpty ? path : "\(path)/\(name)", &facts) == 0 else { return nil }
      hasher.combine(name)
      hasher.combine(facts.st_ino)
      hasher.combine(facts.st_mode & S_IFMT)
      // The times of a folder change with every file that the service writes there.
      if facts.st_mode & S_IFMT == S_IFDIR { continue }
      hasher.combine(facts.st_mode)
      hasher.combine(facts.st_size)
      // The change time: nobody can set it back.
      for time in [facts.st_mtim, facts.st_ctim] {
        hasher.combine(time.tv_sec)
        hasher.combine(time.tv_nsec)
      }
    }
    return hasher.finalize()
  }
}

extension ReleaseFolder {
  private func unpack(into folder: String) async throws(Outage) -> [String] {
    try await artifacts.unpack(digest, into: folder)
    let own: [String]
    do {
      own = try ReleaseTree(of: folder).entries.map(\.path)
    } catch {
      throw Outage("disk", "\(folder) cannot be listed; fix its rights", sources: ["\(error)"])
    }
    let measured = try await artifacts.digest(ofReleaseFolder: folder)
    guard measured == digest else {
      throw Outage("release \(folder)", "hashes to \(measured) but \(digest) was ordered; restore the artifact store")
    }
    return own
  }

  /// The artifact's own paths, from the store.
  private func ownFiles() async throws(Outage) -> [String] {
    defer { try? removeTree(at: fresh) }
    do { try removeTree(at: fresh) } catch {
      throw Outage("disk", "\(fresh) cannot be removed; fix its rights", sources: ["\(error)"])
    }
    return try await unpack(into: fresh)
  }

  /// What those files hash to as they lie; nil when they have no digest. They are linked, not copied, into a folder of
  /// their own, where the disk can do that.
  private func digest(of own: [String]) async throws(Outage) -> Digest? {
    defer { try? removeTree(at: alone) }
    do {
      try removeTree(at: alone)
      guard mkdir(alone, 0o755) == 0 else { throw unwritable(alone) }
      var folders: Set<String> = [""]
      for name in own {
        let (source, target) = ("\(path)/\(name)", "\(alone)/\(name)")
        // Never through a link that took a folder's place.
        guard folders.contains((name as NSString).deletingLastPathComponent), let found = kind(source) else { continue }
        if found == S_IFDIR {
          guard mkdir(target, 0o755) == 0 else { throw unwritable(target) }
          folders.insert(name)
        } else if link(source, target) != 0, errno != ENOENT {
          try FileManager.default.copyItem(atPath: source, toPath: target)
        }
      }
    } catch {
      throw Outage("disk", "the files of \(path) cannot be hashed; free space or fix rights", sources: ["\(error)"])
    }
    return try? await artifacts.digest(ofReleaseFolder: alone)
  }

  /// Only write bits go; the bits that say "executable" belong to the content.
  private func makeReadOnly(_ own: [String]) {
    for name in [""] + own {
      let file = name.isEmpty ? path : "\(path)/\(name)"
      var facts = stat()
      guard lstat(file, &facts) == 0, facts.st_mode & S_IFMT != S_IFLNK else { continue }
      let mode = facts.st_mode & 0o7777
      // Setting the mode that it has would change its change time.
      if mode & 0o222 != 0 { chmod(file, mode & ~0o222) }
    }
  }

  /// Moves what differs from `fresh` into place, one rename a file; what is in the way goes aside.
  private func replaceContents(_ repair: inout Repair) throws {
    // Through a link the right files would be written somewhere else.
    if kind(path) != S_IFDIR {
      try setAside("", &repair)
      guard mkdir(path, 0o755) == 0 else { throw unwritable(path) }
    }
    for folder in [path, fresh] { chmod(folder, 0o755) }
    for entry in try ReleaseTree(of: fresh).entries {
      let (source, target) = ("\(fresh)/\(entry.path)", "\(path)/\(entry.path)")
      let found = kind(target)
      if entry.kind == .folder {
        chmod(source, 0o755)
        if found != S_IFDIR {
          repair.differing.append("\(entry.path)/ \(found == nil ? "is missing" : "is no folder")")
          try setAside(entry.path, &repair)
          guard mkdir(target, 0o755) == 0 else { throw unwritable(target) }
        }
        chmod(target, 0o755)
      } else if found != kind(source) || !Self.isSameFile(source, target) {
        repair.differing.append("\(entry.path) \(found == nil ? "is missing" : "differs")")
        try setAside(entry.path, &repair)
        guard rename(source, target) == 0 else { throw unwritable(target) }
      }
    }
  }

  /// Nil when there is nothing.
  private func kind(_ path: String) -> mode_t? {
    var facts = stat()
    return lstat(path, &facts) == 0 ? facts.st_mode & S_IFMT : nil
  }

  /// Keeps what lies at `name` in the folder, so that nobody loses what they wrote; the folder itself for no name.
  private func setAside(_ name: String, _ repair: inout Repair) throws {
    let source = name.isEmpty ? path : "\(path)/\(name)"
    guard let found = kind(source) else { return }
    // What is aside already is never written over.
    guard let aside = repair.aside ?? asides.first(where: { kind($0) == nil }) else { throw unwritable(source) }
    repair.aside = aside
    let target = "\(aside)/\(name.isEmpty ? "release" : name)"
    try FileManager.default.createDirectory(
      atPath: (target as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    if found == S_IFDIR { chmod(source, 0o755) }
    guard rename(source, target) == 0 else { throw unwritable(target) }
  }

  private static func isSameFile(_ left: String, _ right: String) -> Bool {
    var (one, other) = (stat(), stat())
    guard lstat(left, &one) == 0, lstat(right, &other) == 0, one.st_mode & 0o111 == other.st_mode & 0o111 else {
      return false
    }
    return FileManager.default.contentsEqual(atPath: left, andPath: right)
  }
}
