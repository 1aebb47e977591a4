import Foundation
import Kernel

import struct Crypto.SHA256

/// Release folders: read-only trees unpacked from a digest, and hashed as they lie to prove that they still are it.
extension OCIArtifactStore {
  /// The layer is checked before a byte of it is used, and the folder is hashed before it gets its name, so that a
  /// folder of that name was complete once.
  func unpackNow(_ digest: Digest, into folder: String) throws {
    let target = (folder as NSString).standardizingPath
    let files = FileManager.default
    if let present = try? files.contentsOfDirectory(atPath: target), !present.isEmpty {
      guard try digestNow(of: target) == digest else {
        throw Outage(
          "artifacts",
          "the folder \(target) no longer is \(digest.short): its files were changed; remove it to have it "
            + "unpacked again")
      }
      return
    }
    let manifest = try layout.manifest(digest)
    guard manifest.layers.count == 1, manifest.layers[0].mediaType == OCILayout.layerType,
      let layer = Digest(rawValue: manifest.layers[0].digest)
    else { throw Outage("artifacts", "manifest \(digest.short) is none of Plimsoll's: it has not one plain tar layer") }
    try layout.check(layer)
    let partial = target + ".partial"
    do {
      try removeTree(at: partial)
      try files.createDirectory(atPath: partial, withIntermediateDirectories: true)
      try extract(layout.path(of: layer), into: partial)
      guard try digestNow(of: partial) == digest else {
        throw Outage("artifacts", "manifest \(digest.short) was not made by Plimsoll: its files give another digest")
      }
      guard rename(partial, target) == 0 else { throw unwritable(target) }
      try synchronise((target as NSString).deletingLastPathComponent)
    } catch {
      try? removeTree(at: partial)
      throw error is Outage || error is Refusal
        ? error : Outage("disk", "\(partial) cannot be made", sources: ["\(error)"])
    }
  }

  private func extract(_ layer: String, into folder: String) throws {
    var folders = [folder]
    var links: [(path: String, target: String)] = []
    try LayerReader.read(layer) { entry, content in
      let path = "\(folder)/\(entry.path)"
      switch entry.kind {
      case .folder:
        guard mkdir(path, 0o755) == 0 else { throw unwritable(path) }
        folders.append(path)
      case .file(let isExecutable, _):
        let file = try DurableFile(path, mode: 0o600)
        try content { try file.write($0) }
        try file.finish(mode: isExecutable ? 0o555 : 0o444)
      case .link(let target):
        links.append((path, target))
      }
    }
    // Links last, so that no file is ever written through one.
    for (path, target) in links where symlink(target, path) != 0 { throw unwritable(path) }
    for path in folders.reversed() {
      guard chmod(path, 0o555) == 0 else { throw unwritable(path) }
      try synchronise(path)
    }
  }

  /// The digest that packing the folder would give: O(bytes), nothing is written.
  func digestNow(of folder: String) throws -> Digest {
    var hasher = SHA256()
    var bytes: Int64 = 0
    try LayerWriter.write(try ReleaseTree(of: folder)) { piece in
      hasher.update(bufferPointer: piece)
      bytes += Int64(piece.count)
    }
    return sha256(ArtifactDocuments(layer: Drivers.digest(hasher.finalize()), bytes: bytes).manifest)
  }
}
