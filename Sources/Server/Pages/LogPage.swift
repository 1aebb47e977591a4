/// `/logs/{digest}`: what a command wrote.
struct LogPage: Sendable {
  let digest: String
  let raw: String
  let text: String
  let isEmpty: Bool
  /// What was left out, in words; nil when nothing was.
  let cut: String?

  /// Bytes shown; the end matters most, and a phone has to lay them out.
  static let shownLimit = 256 * 1024

  init(digest: String, bytes: [UInt8]) {
    self.digest = digest
    raw = "/v1/logs/\(digest)"
    text = String(decoding: bytes.suffix(Self.shownLimit), as: UTF8.self)
    isEmpty = bytes.isEmpty
    cut =
      bytes.count > Self.shownLimit
      ? "Only the last \(Words.bytes(Int64(Self.shownLimit))) of \(Words.bytes(Int64(bytes.count))) are shown." : nil
  }
}
