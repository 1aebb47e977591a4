import Glibc
import Kernel
import Synchronization

/// A socket that listens, as a descriptor: made here or handed over by the process before. Closed with its last owner.
package final class ListeningSocket: Sendable {
  private let descriptor: CInt
  private let isClosed = Atomic<Bool>(false)
  package let port: Int

  /// Binds and listens.
  ///
  /// - Parameters:
  ///   - host: an IP address.
  ///   - port: 0 for any free one.
  /// - Throws: `Refusal` for what is no IP address; `Outage` when the port is taken.
  package convenience init(host: String, port: Int) throws {
    let isSix = host.contains(":")
    let descriptor = socket(isSix ? AF_INET6 : AF_INET, Self.stream, 0)
    guard descriptor >= 0 else { throw Self.outage("cannot make a socket", host, port) }
    var isTaken = true
    defer { if isTaken { systemClose(descriptor) } }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var one: CInt = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
    var result: CInt = -1
    if isSix {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
      guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { throw Self.noAddress(host) }
      result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
        }
      }
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
      guard inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &address.sin_addr) == 1 else {
        throw Self.noAddress(host)
      }
      result = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    guard result == 0, listen(descriptor, FlagListener.backlog) == 0 else {
      throw Self.outage("cannot listen", host, port)
    }
    isTaken = false
    self.init(owning: descriptor)
  }

  /// From a descriptor that listens already; it belongs to this value from now on.
  init(owning descriptor: CInt) {
    self.descriptor = descriptor
    port = Self.port(of: descriptor)
  }

  deinit { close() }

  /// Closes this process's end; a successor's goes on listening. A second call does nothing.
  package func close() {
    if !isClosed.exchange(true, ordering: .acquiringAndReleasing) { systemClose(descriptor) }
  }

  /// Another descriptor of the same socket, which belongs to the caller.
  func takeDescriptor() -> CInt { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }

  /// The descriptor, for as long as this value lives.
  func withDescriptor<Result>(_ body: (CInt) throws -> Result) rethrows -> Result { try body(descriptor) }

  /// Lets so many connections wait; who takes a socket over may have made its queue shorter.
  func lengthenQueue() { _ = listen(descriptor, FlagListener.backlog) }

  private static func port(of descriptor: CInt) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { return 0 }
    // Port and family lie at the same place in both families' addresses.
    return withUnsafeBytes(of: &storage) { bytes in
      Int(UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self)))
    }
  }

  private static var stream: CInt {
    #if canImport(Glibc)
      CInt(SOCK_STREAM.rawValue)
    #else
      SOCK_STREAM
    #endif
  }

  private static func noAddress(_ host: String) -> Refusal {
    Refusal(.malformed, "'\(host)' is no IP address: name one such as 127.0.0.1, or 0.0.0.0 for all.")
  }

  private static func outage(_ what: String, _ host: String, _ port: Int) -> Outage {
    Outage(
      "flag server", "\(what) on \(host):\(port): is the port taken? Choose another.",
      sources: [String(cString: strerror(errno))])
  }
}
