import Foundation
import Kernel
import Logging
import Synchronization
import Testing

@testable import Server

#if canImport(Glibc)
  import Glibc
#endif

/// An answer as it came over a real socket.
struct Received: Sendable {
  let status: Int
  let headers: [String: String]
  let body: String

  init(_ text: String) {
    let parts = text.components(separatedBy: "\r\n\r\n")
    let lines = parts[0].components(separatedBy: "\r\n")
    status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    self.headers = headers
    body = parts.dropFirst().joined(separator: "\r\n\r\n")
  }

  func json() throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: Data(body.utf8))
    return try #require(object as? [String: Any])
  }
}

/// One connection to a server under test.
struct Wire: Sendable {
  let port: Int

  /// Nothing in these tests takes a tenth of it.
  static let patience: TimeInterval = 20

  /// - Parameter isEnough: whether to hang up before the server does, by what came so far.
  func send(
    _ method: String, _ path: String, headers: [(String, String)] = [], body: String? = nil,
    until isEnough: @escaping @Sendable (String) -> Bool = { _ in false }
  ) async throws -> Received {
    var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    let request = text + "\r\n" + (body ?? "")
    return try await withCheckedThrowingContinuation { continuation in
      // A thread of its own, because it blocks.
      Thread.detachNewThread { [port] in
        continuation.resume(with: Result { try Self.exchange(request, port: port, until: isEnough) })
      }
    }
  }

  /// Sends what a sender that dies gets out of the door: the head, and a body shorter than its head says.
  ///
  /// - Throws: `Broken` always, for nobody waits for the answer.
  func sendHalf(_ path: String, headers: [(String, String)], body: String) async throws {
    var text = "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    let request = text + "\r\n" + body
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread { [port] in
        continuation.resume(
          with: Result { _ = try Self.exchange(request, port: port, hangsUp: true, until: { _ in false }) })
      }
    }
  }

  struct Broken: Error { let what: String }

  private static func exchange(
    _ request: String, port: Int, hangsUp: Bool = false, until isEnough: (String) -> Bool
  ) throws -> Received {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw Broken(what: "socket") }
    defer { close(socket) }
    var patience = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Broken(what: "connect") }
    let bytes = Array(request.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      // A server that refuses a long body may hang up before it has read it all; its answer is still there.
      guard count > 0 else { break }
      sent += count
    }
    if hangsUp { throw Broken(what: "hung up") }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let deadline = Date().addingTimeInterval(patienceLimit)
    while Date() < deadline {
      let count = recv(socket, &buffer, buffer.count, 0)
      if count > 0 {
        received += buffer[..<count]
        if isEnough(String(decoding: received, as: UTF8.self)) { break }
      } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
        break
      }
    }
    guard !received.isEmpty else { throw Broken(what: "no answer") }
    return Received(String(decoding: received, as: UTF8.self))
  }

  private static var patienceLimit: TimeInterval { patience }
}

/// A server over a scripted Plimsoll, for the time of one test.
func withServer(
  _ harbor: Harbor? = nil, token: String = "secret-token", heartbeat: Duration = .seconds(15),
  _ body: @Sendable (Wire, ScriptedBackend) async throws -> Void
) async throws {
  let story = try harbor ?? Harbor.rich()
  let backend = ScriptedBackend(story)
  let now = story.now + .seconds(5)
  var logger = Logger(label: "test")
  logger.logLevel = .critical
  let server = try makeApplication(
    backend: backend, token: token, host: "127.0.0.1", port: 0, logger: logger, heartbeat: heartbeat, now: { now })
  let running = Task { try await server.run() }
  do {
    try await body(Wire(port: try await server.port()), backend)
  } catch {
    await server.stop()
    throw error
  }
  await server.stop()
  try await running.value
}

let authorized = [("Authorization", "Bearer secret-token"), ("Content-Type", "application/json")]

/// Looks again and again until it is so; a real peer is involved.
func eventually(_ isSo: @Sendable () async -> Bool) async throws {
  let clock = ContinuousClock()
  let deadline = clock.now + Duration.seconds(Wire.patience)
  while clock.now < deadline {
    if await isSo() { return }
    try await Task.sleep(for: .milliseconds(5))
  }
  Issue.record("it never became so")
}

/// Carries a task out of a closure.
final class Mailslot: Sendable {
  private let slot = Mutex<Task<Received, any Error>?>(nil)
  func put(_ task: Task<Received, any Error>) { slot.withLock { $0 = task } }
  func take() -> Task<Received, any Error>? { slot.withLock { $0 } }
}
