import Foundation
import Kernel

/// An open file or folder that closes itself; every call names the path and the next step when it fails.
struct Descriptor: ~Copyable {
  let raw: Int32
  let path: String

  /// Always close-on-exec: a service instance that outlives its parent must not inherit the ledger's files or lock.
  init(opening path: String, _ flags: Int32, mode: mode_t = 0) throws(Outage) {
    let raw = open(path, flags | O_CLOEXEC, mode)
    guard raw >= 0 else { throw Disk.outage("open", path) }
    self.raw = raw
    self.path = path
  }

  deinit { close(raw) }

  func write(_ bytes: [UInt8], at offset: Int64) throws(Outage) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        pwrite(raw, buffer.baseAddress?.advanced(by: written), buffer.count - written, off_t(offset) + off_t(written))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Disk.outage("write", path)
      }
      written += count
    }
  }

  func read() throws(Outage) -> [UInt8] {
    let length = try status().st_size
    var bytes = [UInt8](repeating: 0, count: Int(length))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { buffer in
        pread(raw, buffer.baseAddress?.advanced(by: filled), buffer.count - filled, off_t(filled))
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Disk.outage("read", path)
      }
      if count == 0 { break }
      filled += count
    }
    return Array(bytes.prefix(filled))
  }

  func truncate(to length: Int64) throws(Outage) {
    guard ftruncate(raw, off_t(length)) == 0 else { throw Disk.outage("shorten", path) }
  }

  func sync() throws(Outage) {
    guard fsync(raw) == 0 else { throw Disk.outage("flush", path) }
  }

  func status() throws(Outage) -> stat {
    var status = stat()
    guard fstat(raw, &status) == 0 else { throw Disk.outage("inspect", path) }
    return status
  }
}
