import Foundation
import Kernel

import struct Crypto.SHA256

/// A folder in the OCI image layout (image-spec v1.1, "Image Layout"): `oci-layout`, `index.json`,
/// `blobs/sha256/<hex>`. Every read is checked against its digest; every write is whole or absent after a crash.
struct OCILayout: Sendable {
  struct Descriptor: Codable, Equatable, Sendable {
    var mediaType: String
    var digest: String
    var size: Int64
    var artifactType: String?
    var annotations: [String: String]?
    var data: String?
  }
  struct Index: Codable, Equatable, Sendable {
    var schemaVersion = 2
    var mediaType: String? = "application/vnd.oci.image.index.v1+json"
    var manifests: [Descriptor] = []
  }
  struct Manifest: Codable, Equatable, Sendable {
    var schemaVersion: Int
    var mediaType: String?
    var artifactType: String?
    var config: Descriptor
    var layers: [Descriptor]
    var subject: Descriptor?
    var annotations: [String: String]?
  }

  static let manifestType = "application/vnd.oci.image.manifest.v1+json"
  static let configType = "application/vnd.oci.image.config.v1+json"
  static let layerType = "application/vnd.oci.image.layer.v1.tar"
  static let nameAnnotation = "org.opencontainers.image.ref.name"
  /// Largest blob read into memory: manifests, configurations, envelopes. Registries limit manifests to 4 MiB (OCI
  /// distribution-spec, "Pushing Manifests").
  static let largestDocument = 4 << 20

  let folder: String
  private var partials: String { folder + "/.partial" }
  private var blobs: String { folder + "/blobs/sha256" }

  /// Opens the layout, or makes it; what a killed process left half-written goes.
  init(folder: String) throws(Outage) {
    self.folder = folder
    do {
      try? FileManager.default.removeItem(atPath: folder + "/.partial")
      try FileManager.default.createDirectory(atPath: folder + "/blobs/sha256", withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: folder + "/.partial", withIntermediateDirectories: true)
    } catch {
      throw Outage("disk", "the artifact folder \(folder) cannot be made; make it writable", sources: ["\(error)"])
    }
    if access(folder + "/oci-layout", F_OK) != 0 {
      try replace("oci-layout", with: Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
    }
    if access(folder + "/index.json", F_OK) != 0 { try save(Index()) }
  }

  func index() throws(Outage) -> Index {
    do {
      return try JSONDecoder().decode(Index.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/index.json")))
    } catch {
      throw Outage(
        "artifacts", "\(folder)/index.json cannot be read; restore it from a backup, its blobs are whole",
        sources: ["\(error)"])
    }
  }

  func save(_ index: Index) throws(Outage) { try replace("index.json", with: try encoded(index)) }

  func encoded(_ value: some Encodable) throws(Outage) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return [UInt8](try encoder.encode(value))
    } catch {
      throw Outage("artifacts", "a document cannot be written as JSON", sources: ["\(error)"])
    }
  }

  func path(of digest: Digest) -> String { "\(blobs)/\(digest.hex)" }

  /// Stores bytes; the same bytes again replace a possibly damaged blob by a whole one.
  @discardableResult
  func put(_ bytes: [UInt8]) throws(Outage) -> Digest {
    let digest = sha256(bytes)
    try replace("blobs/sha256/\(digest.hex)", with: bytes)
    return digest
  }

  /// A file for a blob under way; `adopt` or `discard` it.
  func partial() -> String { "\(partials)/\(UUID().uuidString)" }

  func discard(_ partial: String) { unlink(partial) }

  /// Makes a written and synchronised partial file the blob of `digest`.
  func adopt(_ partial: String, as digest: Digest) throws(Outage) {
    guard rename(partial, path(of: digest)) == 0 else { throw unwritable(path(of: digest)) }
    try synchronise(blobs)
  }

  /// - Throws: `Outage` when the blob is absent, too large for a document, or damaged; it names the file.
  func document(_ digest: Digest) throws(Outage) -> [UInt8] {
    let path = path(of: digest)
    var facts = stat()
    guard stat(path, &facts) == 0, facts.st_size <= Self.largestDocument,
      let data = FileManager.default.contents(atPath: path)
    else { throw unavailable(path) }
    let bytes = [UInt8](data)
    guard sha256(bytes) == digest else { throw damaged(path) }
    return bytes
  }

  func manifest(_ digest: Digest) throws(Outage) -> Manifest {
    let bytes = try document(digest)
    do {
      return try JSONDecoder().decode(Manifest.self, from: Data(bytes))
    } catch {
      throw Outage("artifacts", "the manifest \(digest.short) is no OCI manifest", sources: ["\(error)"])
    }
  }

  /// Hashes a blob of any size as it lies on disk. - Throws: `Outage` that names the file when it is not its digest.
  func check(_ digest: Digest) throws(Outage) {
    let path = path(of: digest)
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw unavailable(path) }
    defer { close(file) }
    var hasher = SHA256()
    var buffer = [UInt8](repeating: 0, count: LayerWriter.chunkBytes)
    while true {
      let count = read(file, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw unreadable(path) }
      if count == 0 { break }
      buffer[..<count].withUnsafeBytes { hasher.update(bufferPointer: $0) }
    }
    guard "sha256:" + hex(hasher.finalize()) == digest.rawValue else { throw damaged(path) }
  }

  private func unavailable(_ path: String) -> Outage {
    guard errno == ENOENT else { return unreadable(path) }
    return Outage(
      "artifacts",
      "\(path) is gone from the store; put it back from a backup, or promote another version. What runs goes on")
  }

  private func damaged(_ path: String) -> Outage {
    Outage("artifacts", "\(path) does not hash to its name: it was changed or damaged; restore it or build it again")
  }

  /// Whole or not at all, also after a power cut: written aside, synchronised, renamed.
  private func replace(_ name: String, with bytes: [UInt8]) throws(Outage) {
    let aside = partial()
    let target = "\(folder)/\(name)"
    do throws(Outage) {
      let writer = try DurableFile(aside, mode: 0o644)
      try writer.write(bytes)
      try writer.finish()
      guard rename(aside, target) == 0 else { throw unwritable(target) }
      try synchronise((target as NSString).deletingLastPathComponent)
    } catch {
      unlink(aside)
      throw error
    }
  }
}

/// A new file that is on the disk when `finish` returns.
final class DurableFile {
  private let path: String
  private var file: Int32

  /// - Throws: `Outage` when the file exists or cannot be made.
  init(_ path: String, mode: mode_t) throws(Outage) {
    self.path = path
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    guard file >= 0 else { throw unwritable(path) }
  }
  deinit { if file >= 0 { close(file) } }

  func write(_ bytes: [UInt8]) throws(Outage) {
    try bytes.withUnsafeBytes { all in Result { () throws(Outage) in try write(all) } }.get()
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Outage) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(file, bytes.baseAddress?.advanced(by: done), bytes.count - done)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw unwritable(path) }
      done += count
    }
  }

  /// - Parameter mode: set last, past the umask; nil keeps what it was made with.
  func finish(mode: mode_t? = nil) throws(Outage) {
    if let mode, fchmod(file, mode) != 0 { throw unwritable(path) }
    guard fsync(file) == 0 else { throw unwritable(path) }
    let closed = close(file)
    file = -1
    guard closed == 0 else { throw unwritable(path) }
  }
}

/// Makes a folder's names durable.
func synchronise(_ folder: String) throws(Outage) {
  let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard handle >= 0 else { throw unreadable(folder) }
  defer { close(handle) }
  guard fsync(handle) == 0 else { throw unwritable(folder) }
}

func sha256(_ bytes: some DataProtocol) -> Digest { digest(SHA256.hash(data: bytes)) }

func digest(_ hash: SHA256.Digest) -> Digest {
  guard let digest = Digest(rawValue: "sha256:" + hex(hash)) else { preconditionFailure("SHA-256 has 32 bytes") }
  return digest
}
