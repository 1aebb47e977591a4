import Foundation
import Kernel

import struct Crypto.SHA256

/// Reads layers that `LayerWriter` wrote; anything else in a tar is refused as damage.
struct LayerReader {
  /// Calls `visit` for each entry in order; for files, `content` sends the bytes piece by piece and must be called at
  /// most once.
  ///
  /// - Throws: `Outage` for a damaged layer; whatever `visit` throws.
  static func read(
    _ path: String,
    visit: (ReleaseTree.Entry, _ content: (_ sink: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws ->
      Void
  ) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw unreadable(path) }
    defer { close(file) }
    var offset: Int64 = 0
    var records: [String: String] = [:]
    while true {
      let header = try bytes(of: file, at: offset, count: LayerWriter.blockBytes, path)
      offset += Int64(LayerWriter.blockBytes)
      if header.allSatisfy({ $0 == 0 }) { return }
      let type = Character(UnicodeScalar(header[156]))
      let size = try number(header[124..<135], path)
      let body = offset
      offset += (size + 511) / 512 * 512
      if type == "x" {
        guard size <= longestRecords else { throw damaged(path) }
        records = try parse(try bytes(of: file, at: body, count: Int(size), path), path)
        continue
      }
      let name = records["path"] ?? text(header[0..<100])
      let link = records["linkpath"] ?? text(header[157..<257])
      records = [:]
      let kind: ReleaseTree.Kind
      switch type {
      case "5": kind = .folder
      case "0": kind = .file(isExecutable: try number(header[100..<107], path) & 0o100 != 0, bytes: size)
      case "2": kind = .link(target: link)
      default: throw damaged(path)
      }
      let clean = name.hasSuffix("/") ? String(name.dropLast()) : name
      let parts = clean.split(separator: "/", omittingEmptySubsequences: false)
      guard !clean.isEmpty, !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
        throw damaged(path)
      }
      if case .link(let target) = kind, !ReleaseTree.staysInside(target, from: clean) { throw damaged(path) }
      try visit(ReleaseTree.Entry(path: clean, kind: kind)) { sink in
        var done: Int64 = 0
        while done < size {
          let count = Int(min(Int64(LayerWriter.chunkBytes), size - done))
          try bytes(of: file, at: body + done, count: count, path).withUnsafeBytes { try sink($0) }
          done += Int64(count)
        }
      }
    }
  }

  /// Each entry with the hash of its content, for telling two layers apart.
  static func contents(_ path: String) throws -> [(entry: ReleaseTree.Entry, hash: String)] {
    var listed: [(entry: ReleaseTree.Entry, hash: String)] = []
    try read(path) { entry, content in
      var hasher = SHA256()
      try content { hasher.update(bufferPointer: $0) }
      listed.append((entry, hex(hasher.finalize())))
    }
    return listed
  }

  /// Two names of at most 4,096 bytes (PATH_MAX) and their keys.
  private static let longestRecords: Int64 = 16 << 10

  private static func bytes(of file: Int32, at offset: Int64, count: Int, _ path: String) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = buffer.withUnsafeMutableBytes { space in
        pread(file, space.baseAddress?.advanced(by: done), count - done, off_t(offset) + off_t(done))
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw unreadable(path) }
      guard got > 0 else { throw damaged(path) }
      done += got
    }
    return buffer
  }

  private static func number(_ digits: ArraySlice<UInt8>, _ path: String) throws -> Int64 {
    guard let number = Int64(String(decoding: digits, as: UTF8.self), radix: 8), number >= 0 else {
      throw damaged(path)
    }
    return number
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String {
    String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func parse(_ bytes: [UInt8], _ path: String) throws -> [String: String] {
    var records: [String: String] = [:]
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let space = rest.firstIndex(of: UInt8(ascii: " ")),
        let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > space - rest.startIndex + 1,
        length <= rest.count, let equals = rest.firstIndex(of: UInt8(ascii: "=")),
        equals > space, equals < rest.startIndex + length - 1
      else { throw damaged(path) }
      let end = rest.startIndex + length
      records[String(decoding: rest[(space + 1)..<equals], as: UTF8.self)] =
        String(decoding: rest[(equals + 1)..<(end - 1)], as: UTF8.self)
      rest = rest[end...]
    }
    return records
  }

  private static func damaged(_ path: String) -> Outage {
    Outage("artifacts", "the layer \(path) is damaged; remove the artifact and build the commit again")
  }
}
