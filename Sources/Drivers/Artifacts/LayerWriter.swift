import Foundation
import Kernel

/// A release tree as the bytes of one uncompressed tar layer: POSIX ustar, with pax records for long and non-ASCII
/// names.
///
/// Written here and not by the system's `tar`: these bytes' hash is the artifact's identity on every machine for years,
/// and GNU tar's pax headers have changed between versions (their names held a process id before 1.33).
struct LayerWriter {
  static let blockBytes = 512
  static let chunkBytes = 1 << 20

  /// Sends the layer of `tree` to `sink` piece by piece; the pieces' borders mean nothing.
  ///
  /// - Throws: `Outage` when a file cannot be read or changes its size meanwhile; whatever `sink` throws.
  static func write(_ tree: ReleaseTree, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    for entry in tree.entries {
      try header(of: entry).withUnsafeBytes { try sink($0) }
      if case .file(_, let bytes) = entry.kind {
        try copy("\(tree.folder)/\(entry.path)", bytes: bytes, to: sink)
      }
    }
    try [UInt8](repeating: 0, count: 2 * blockBytes).withUnsafeBytes { try sink($0) }
  }

  private static func copy(_ path: String, bytes: Int64, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    let file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard file >= 0 else { throw unreadable(path) }
    defer { close(file) }
    var left = bytes
    var buffer = [UInt8](repeating: 0, count: chunkBytes)
    while true {
      let count = read(file, &buffer, chunkBytes)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw unreadable(path) }
      left -= Int64(count)
      guard left >= 0, count > 0 || left == 0 else {
        throw Outage("disk", "\(path) changed its size while it was being packed; try again when nothing writes to it")
      }
      if count == 0 { break }
      try buffer[..<count].withUnsafeBytes { try sink($0) }
    }
    let padding = (blockBytes - Int(bytes % Int64(blockBytes))) % blockBytes
    if padding > 0 { try [UInt8](repeating: 0, count: padding).withUnsafeBytes { try sink($0) } }
  }

  private static func header(of entry: ReleaseTree.Entry) -> [UInt8] {
    var name = entry.path
    var link = ""
    let type: Character
    let mode: Int
    var size: Int64 = 0
    switch entry.kind {
    case .folder: (type, mode, name) = ("5", 0o755, name + "/")
    case .file(let isExecutable, let bytes): (type, mode, size) = ("0", isExecutable ? 0o755 : 0o644, bytes)
    case .link(let target): (type, mode, link) = ("2", 0o777, target)
    }
    var records: [UInt8] = []
    if needsRecord(name) { records += record("path", name) }
    if needsRecord(link) { records += record("linkpath", link) }
    var bytes: [UInt8] = []
    if !records.isEmpty {
      bytes += block(name: "PaxHeader", link: "", type: "x", mode: 0o644, size: Int64(records.count)) + records
      bytes += [UInt8](repeating: 0, count: (blockBytes - records.count % blockBytes) % blockBytes)
    }
    return bytes + block(name: name, link: link, type: type, mode: mode, size: size)
  }

  /// The ustar name fields hold 100 bytes, by POSIX of ASCII.
  private static func needsRecord(_ text: String) -> Bool {
    text.utf8.count > 100 || !text.utf8.allSatisfy { $0 < 0x80 }
  }

  /// `<length> <key>=<value>\n`, where the length counts its own digits (pax, "Extended Header").
  private static func record(_ key: String, _ value: String) -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var length = rest.utf8.count
    while "\(length)".utf8.count + rest.utf8.count != length { length = "\(length)".utf8.count + rest.utf8.count }
    return Array("\(length)\(rest)".utf8)
  }

  private static func block(name: String, link: String, type: Character, mode: Int, size: Int64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: blockBytes)
    func put(_ text: some Sequence<UInt8>, at offset: Int) {
      for (index, byte) in text.enumerated() { bytes[offset + index] = byte }
    }
    func octal(_ number: Int64, digits: Int) -> [UInt8] {
      let text = String(number, radix: 8)
      return [UInt8](repeating: UInt8(ascii: "0"), count: digits - text.utf8.count) + Array(text.utf8)
    }
    // Offsets of the POSIX ustar header; uid, gid and mtime are zero, user and group names empty.
    put(name.utf8.prefix(100), at: 0)
    put(octal(Int64(mode), digits: 7), at: 100)
    put(octal(0, digits: 7), at: 108)
    put(octal(0, digits: 7), at: 116)
    put(octal(size, digits: 11), at: 124)
    put(octal(0, digits: 11), at: 136)
    put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148)
    put(String(type).utf8, at: 156)
    put(link.utf8.prefix(100), at: 157)
    put("ustar".utf8, at: 257)
    put("00".utf8, at: 263)
    put(octal(0, digits: 7), at: 329)
    put(octal(0, digits: 7), at: 337)
    put(octal(bytes.reduce(0) { $0 + Int64($1) }, digits: 6) + [0, UInt8(ascii: " ")], at: 148)
    return bytes
  }
}
