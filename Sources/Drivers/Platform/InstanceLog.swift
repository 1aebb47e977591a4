import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// An instance's output: one file, appended to by the service, bounded by us.
struct InstanceLog {
  /// Beyond it the file is cut. Two files of this size per instance are all that an instance can ever take.
  static let limit: Int64 = 8 * 1024 * 1024
  /// `PlatformReport.ended` carries at most this much.
  static let tailBytes = 2048
  /// Logs of retired deployments are kept for the post-mortem; this many files at most.
  static let kept = 100

  let path: String

  /// Copies to `<path>.1` and truncates when too long. The service appends (`O_APPEND`), so it goes on at the new end;
  /// what it writes between copy and cut is lost, which a rename could avoid only with the service's cooperation.
  func bound() {
    var status = stat()
    guard stat(path, &status) == 0, Int64(status.st_size) > Self.limit else { return }
    unlink("\(path).1")
    try? FileManager.default.copyItem(atPath: path, toPath: "\(path).1")
    truncate(path, 0)
  }

  /// The last whole lines, at most `tailBytes`, as text.
  func tail() -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    let size = lseek(file, 0, SEEK_END)
    let from = max(0, size - off_t(Self.tailBytes))
    var bytes = [UInt8](repeating: 0, count: Self.tailBytes)
    let count = pread(file, &bytes, bytes.count, from)
    guard count > 0 else { return "" }
    var text = bytes[0..<count]
    if from > 0, let line = text.firstIndex(of: UInt8(ascii: "\n")) { text = text[(line + 1)...] }
    // Repairing broken UTF-8 can lengthen the text: a byte becomes the three of U+FFFD.
    var result = String(decoding: text, as: UTF8.self)
    while result.utf8.count > Self.tailBytes { result.removeFirst() }
    return result
  }

  /// Removes the oldest files of a log folder above `kept`.
  static func prune(_ folder: String) {
    let files = FileManager.default
    let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
    guard names.count > kept else { return }
    let dated = names.map { name -> (Int, String) in
      var status = stat()
      stat("\(folder)/\(name)", &status)
      return (status.st_mtim.tv_sec, name)
    }
    for (_, name) in dated.sorted(by: <).dropLast(kept) { unlink("\(folder)/\(name)") }
  }
}
