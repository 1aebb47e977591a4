import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// One `GET` of a readiness path over loopback that never blocks: the supervisor advances it at every tick.
final class ReadinessProbe {
  enum Answer { case pending, ready, notReady }
  /// How long a server may take to answer its readiness path (Kubernetes' default `timeoutSeconds`).
  static let limit = Duration.seconds(1)

  private let descriptor: Int32
  private let deadline: ContinuousClock.Instant
  private var unsent: [UInt8]
  private var received: [UInt8] = []

  init(port: Int, path: String) {
    descriptor = socket(
      AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    deadline = .now + Self.limit
    unsent = Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8)
    var address = LoopbackPort.address(port)
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
  deinit { if descriptor >= 0 { close(descriptor) } }

  func advance() -> Answer {
    guard descriptor >= 0 else { return .notReady }
    while !unsent.isEmpty {
      let count = send(descriptor, unsent, unsent.count, Int32(MSG_NOSIGNAL))
      guard count > 0 else { return later() }
      unsent.removeFirst(count)
    }
    // "HTTP/1.1 200": twelve bytes decide.
    var part = [UInt8](repeating: 0, count: 512)
    while received.count < 12 {
      let count = recv(descriptor, &part, part.count, 0)
      guard count > 0 else { return count == 0 ? .notReady : later() }
      received += part[0..<count]
    }
    return received.starts(with: Array("HTTP/1.".utf8)) && received[8..<12].elementsEqual(" 200".utf8)
      ? .ready : .notReady
  }

  private func later() -> Answer {
    let waits = errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN || errno == EINTR
    return waits && ContinuousClock.now < deadline ? .pending : .notReady
  }
}
