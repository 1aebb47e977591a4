#if canImport(Glibc)
  import Glibc
#endif

/// Ports on 127.0.0.1.
enum LoopbackPort {
  /// Below Linux's default ephemeral range (32768 to 60999, `ip_local_port_range`), so that no outgoing connection can
  /// take a port between the moment it was found free and the moment its service binds it.
  static let range = 20_000...31_999
  /// Random tries before giving up; with half of the range taken, 64 tries all miss once in 2^64.
  private static let tries = 64

  /// A port that nobody listened on a moment ago; nil when none was found.
  static func free() -> Int? {
    for _ in 0..<tries {
      let port = Int.random(in: range)
      if isFree(port) { return port }
    }
    return nil
  }

  /// Whether a server could bind the port now.
  static func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = address(port)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  static func address(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    return address
  }
}
