import Kernel

/// A command's output with bounded memory: its first and its last bytes; what lies between is counted and dropped.
struct BoundedLog: Sendable {
  /// Bytes kept of each end. A CI log of 2 MiB is about 20,000 lines: more than anyone reads, little to store.
  static let keptBytes = 1 << 20

  private let kept: Int
  private var head: [UInt8] = []
  /// Newest last; together at least `kept` bytes as soon as that many came.
  private var tail: [[UInt8]] = []
  private var tailBytes = 0
  private(set) var totalBytes = 0

  init(keeping kept: Int = BoundedLog.keptBytes) { self.kept = kept }

  /// O(chunk), amortised: nothing kept is ever copied again.
  mutating func append(_ chunk: ArraySlice<UInt8>) {
    totalBytes += chunk.count
    let room = kept - head.count
    head += chunk.prefix(room)
    guard chunk.count > room else { return }
    let rest = Array(chunk.dropFirst(max(room, 0)))
    tail.append(rest)
    tailBytes += rest.count
    var stale = 0
    while stale < tail.count, tailBytes - tail[stale].count >= kept {
      tailBytes -= tail[stale].count
      stale += 1
    }
    if stale > 0 { tail.removeFirst(stale) }
  }

  /// The log as stored; when something was dropped, a line in its middle says how much.
  var bytes: [UInt8] {
    let last = Array(tail.joined().suffix(kept))
    let dropped = totalBytes - head.count - last.count
    guard dropped > 0 else { return head + last }
    return head + Array("\n[plimsoll: \(dropped) bytes are cut here; the first and the last \(kept) are kept]\n".utf8)
      + last
  }
}

/// The longest `RunReport.logTail`, in bytes (port contract).
let logTailBytes = 2000

/// The last whole lines of a log, valid UTF-8, at most `limit` bytes; a last line longer than that is cut at its start.
func lastLines(of log: [UInt8], limit: Int = logTailBytes) -> String {
  var text = String(decoding: log.suffix(limit), as: UTF8.self)
  // Bytes that are no UTF-8 become a replacement character of three bytes each, so the text may have grown.
  while text.utf8.count > limit { text.removeFirst(max(1, (text.utf8.count - limit) / 4)) }
  if log.count > limit, let newline = text.firstIndex(where: \.isNewline), text.index(after: newline) < text.endIndex {
    text = String(text[text.index(after: newline)...])
  }
  return text
}
