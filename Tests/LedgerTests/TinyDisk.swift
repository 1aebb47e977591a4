import Foundation

/// A file system of a few hundred KiB in memory, unmounted when the value ends; only root may have one.
final class TinyDisk {
  let path: String
  private let folder: TemporaryFolder

  /// For `.enabled(if:)`: where mounting is not allowed its tests are reported as skipped, not as passed.
  static let isAvailable = (try? TinyDisk(kibibytes: 64)) ?? nil != nil

  /// Nil where mounting is not allowed.
  init?(kibibytes: Int) throws {
    folder = try TemporaryFolder()
    path = folder.path
    guard getuid() == 0 else { return nil }
    let status = try TinyDisk.call("/bin/mount", ["-t", "tmpfs", "-o", "size=\(kibibytes)k", "tmpfs", path])
    guard status == 0 else { return nil }
  }

  deinit { _ = try? TinyDisk.call("/bin/umount", ["-l", path]) }

  /// Takes what space is left, in ever smaller pieces.
  func fill() {
    let file = open("\(path)/filler", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    defer { close(file) }
    for size in [65_536, 4_096, 512, 1] {
      let bytes = [UInt8](repeating: 1, count: size)
      while write(file, bytes, size) == size {}
    }
  }

  func relieve() { unlink("\(path)/filler") }

  private static func call(_ program: String, _ arguments: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
