import Foundation

/// A client's end of a connection, by hand: what is sent and read is exactly what a test says.
final class Connection {
  /// Seconds that a read waits; a loaded machine needs some.
  static let patience = 30
  private let descriptor: CInt
  private var pending: [UInt8] = []

  /// Nil when nobody listens.
  init?(port: Int, receiveBuffer: CInt? = nil) {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    if var size = receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    }
    var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 { return nil }
  }

  deinit { close(descriptor) }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
  }

  func post(_ path: String, _ body: String, headers: String = "") {
    send("POST \(path) HTTP/1.1\r\nhost: t\r\n\(headers)content-length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  func get(_ path: String, headers: String = "") { send("GET \(path) HTTP/1.1\r\nhost: t\r\n\(headers)\r\n") }

  /// Everything up to and with a text; what came so far when the connection ends or nothing comes for too long.
  func read(through text: String) -> String {
    let wanted = Array(text.utf8)
    while true {
      if let end = pending.firstRange(of: wanted)?.upperBound {
        defer { pending.removeFirst(end) }
        return String(decoding: pending[..<end], as: UTF8.self)
      }
      guard fill() else {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
      }
    }
  }

  /// One answer with a body of a stated length; nil when none came whole.
  func answer() -> (status: Int, head: String, body: String)? {
    let head = read(through: "\r\n\r\n")
    guard head.hasSuffix("\r\n\r\n"), let status = head.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return nil }
    let length =
      head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }
      .flatMap { Int($0.dropFirst("content-length: ".count)) } ?? 0
    while pending.count < length { guard fill() else { return nil } }
    defer { pending.removeFirst(length) }
    return (status, head, String(decoding: pending[..<length], as: UTF8.self))
  }

  /// All up to the connection's end.
  func rest() -> String {
    while fill() {}
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  private func fill() -> Bool {
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &piece, piece.count, 0)
    guard count > 0 else { return false }
    pending.append(contentsOf: piece[..<count])
    return true
  }
}

/// Waits until something that happens elsewhere has happened.
///
/// - Returns: false when it did not within `Connection.patience` seconds.
func eventually(_ holds: () -> Bool) async -> Bool {
  let clock = ContinuousClock()
  let deadline = clock.now + .seconds(Connection.patience)
  while clock.now < deadline {
    if holds() { return true }
    await Task.yield()
    try? await Task.sleep(for: .milliseconds(5))
  }
  return holds()
}
