import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// HAProxy's runtime API on its unix socket (management manual §9.3). Calls block, at most `limitSeconds` a read.
struct HAProxyAdmin {
  /// HAProxy answers in under a millisecond; one that needs this long does not serve either.
  static let limitSeconds = 2
  private static let largestAnswer = 16 * 1024 * 1024

  let path: String

  /// Sends commands on one connection, which HAProxy carries out one after the other, and returns all answers in one.
  /// - Throws: `Outage` when nobody listens, or no whole answer came in time.
  func ask(_ commands: [String]) throws(Outage) -> String {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure("opening a socket") }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: Self.limitSeconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard UnixAddress.with(path, { connect(descriptor, $0, $1) }) == 0 else { throw failure("connecting") }
    var bytes = Array((commands.joined(separator: ";") + "\n").utf8)
    while !bytes.isEmpty {
      let count = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      guard count > 0 else { throw failure("sending") }
      bytes.removeFirst(count)
    }
    var answer: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = recv(descriptor, &part, part.count, 0)
      if count == 0 { return String(decoding: answer, as: UTF8.self) }
      guard count > 0, answer.count < Self.largestAnswer else { throw failure("reading") }
      answer += part[0..<count]
    }
  }

  /// The rows of a `show stat`, by column name.
  static func table(_ csv: Substring) -> [[Substring: Substring]] {
    var rows = csv.split(separator: "\n").filter { !$0.isEmpty }
    guard let head = rows.firstIndex(where: { $0.hasPrefix("# pxname") }) else { return [] }
    let columns = rows[head].dropFirst(2).split(separator: ",", omittingEmptySubsequences: false)
    rows = Array(rows[(head + 1)...])
    return rows.compactMap { row in
      let cells = row.split(separator: ",", omittingEmptySubsequences: false)
      guard cells.count + 1 >= columns.count else { return nil }
      return Dictionary(zip(columns, cells), uniquingKeysWith: { first, _ in first })
    }
  }

  /// `Name: value` of a `show info`.
  static func value(_ name: String, in info: Substring) -> Int64? {
    for line in info.split(separator: "\n") where line.hasPrefix(name + ": ") {
      return Int64(line.dropFirst(name.utf8.count + 2))
    }
    return nil
  }

  private func failure(_ doing: String) -> Outage {
    Outage(
      "haproxy",
      "does not answer on \(path) (\(doing): \(String(cString: strerror(errno)))); a route applied again starts it")
  }
}

/// A path as the C library's socket address.
enum UnixAddress {
  /// Calls `body` with the address, or returns -1 with `ENAMETOOLONG`.
  static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      errno = ENAMETOOLONG
      return -1
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}
