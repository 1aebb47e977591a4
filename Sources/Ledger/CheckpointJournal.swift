import Foundation
import Kernel
import Synchronization

/// The file of signed checkpoints: one JSON object a line, only ever appended to, flushed at each line.
final class CheckpointJournal: Sendable {
  private struct End {
    var length: Int64
    var last: Checkpoint?
  }

  private let path: String
  private let key: LedgerKey
  private let end: Mutex<End>

  /// Opens the file or makes it. A last line without its end was torn by a crash and is removed: its checkpoint is
  /// written again.
  init(at path: String, key: LedgerKey) throws(Outage) {
    self.path = path
    self.key = key
    let isNew = !Disk.exists(path)
    let file = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: 0o644)
    if isNew { try Disk.syncFolder(Disk.folder(of: path)) }
    let lines = CheckpointLines(try file.read())
    if lines.wholeLength < lines.length { try file.truncate(to: Int64(lines.wholeLength)) }
    var last: Checkpoint?
    if let line = lines.whole.last {
      guard let checkpoint = CheckpointLines.decode(line) else {
        throw Outage(
          "ledger", "the last checkpoint in \(path) cannot be read; run `plimsoll ledger verify`, then restore the file"
        )
      }
      last = checkpoint
    }
    end = Mutex(End(length: Int64(lines.wholeLength), last: last))
  }

  var last: Checkpoint? { end.withLock { $0.last } }
  /// 0 before the first checkpoint.
  var lastPosition: Position { end.withLock { $0.last?.position ?? 0 } }

  func append(position: Position, at: Instant, moved: [Checkpoint.Head]) throws(Outage) -> Checkpoint {
    let path = path
    let key = key
    let result = end.withLock { end -> Result<Checkpoint, Outage> in
      do throws(Outage) {
        let checkpoint = try Checkpoint(
          position: position, at: at, moved: moved, previous: end.last?.digest ?? Checkpoint.origin, key: key)
        let line = try CheckpointLines.encode(checkpoint)
        let file = try Descriptor(opening: path, O_WRONLY | O_CREAT, mode: 0o644)
        // What an earlier failed attempt left behind the last whole line.
        try file.truncate(to: end.length)
        try file.write(line, at: end.length)
        try file.sync()
        end.length += Int64(line.count)
        end.last = checkpoint
        return .success(checkpoint)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}

/// The lines of a checkpoint file, whole ones apart from a torn last one.
struct CheckpointLines {
  let whole: [ArraySlice<UInt8>]
  let wholeLength: Int
  let length: Int

  init(_ bytes: [UInt8]) {
    let newline = UInt8(ascii: "\n")
    length = bytes.count
    wholeLength = bytes.lastIndex(of: newline).map { $0 + 1 } ?? 0
    whole = bytes.prefix(wholeLength).split(separator: newline)
  }

  static func decode(_ line: ArraySlice<UInt8>) -> Checkpoint? {
    try? JSONDecoder().decode(Checkpoint.self, from: Data(line))
  }

  static func encode(_ checkpoint: Checkpoint) throws(Outage) -> [UInt8] {
    do { return Array(try ledgerEncoder().encode(checkpoint)) + [UInt8(ascii: "\n")] } catch {
      throw Outage("ledger", "a checkpoint could not be written as JSON", sources: ["\(error)"])
    }
  }
}
