import Foundation
import Kernel

@testable import Drivers

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif
#if canImport(Glibc)
  import Glibc
#endif

/// A TCP server that answers each HTTP request with what its script says: also with half of it, late, or never.
final class ScriptedServer: @unchecked Sendable {
  // Unchecked: what changes is guarded by `lock`.
  enum Reply {
    case answer(Int, String, type: String = "application/json")
    /// These bytes, then the connection ends.
    case bytes(String)
    /// These bytes, and then nothing until the other side goes.
    case hang(after: String)
  }

  let port: Int
  private let listener: Int32
  private let lock = NSLock()
  private var script: @Sendable (String) -> Reply
  private var asked: [String] = []
  private var open: Set<Int32> = []
  private var stopped = false

  /// - Parameter script: what a request, whole as it came, gets.
  init(_ script: @escaping @Sendable (String) -> Reply) {
    self.script = script
    var found: (port: Int, descriptor: Int32)?
    while found == nil {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      var yes: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
      let port = LoopbackPort.free() ?? 0
      var address = LoopbackPort.address(port)
      let bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
      }
      if bound, listen(descriptor, 64) == 0 { found = (port, descriptor) } else { close(descriptor) }
    }
    (port, listener) = found ?? (0, -1)
    Thread { [weak self, listener] in
      // Closed here alone: elsewhere its number could already be another server's when `accept` is called again.
      defer { close(listener) }
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        guard let self else {
          close(connection)
          return
        }
        Thread { self.serve(connection) }.start()
      }
    }.start()
  }
  deinit { stop() }

  var address: String { "http://127.0.0.1:\(port)" }
  var requests: [String] { lock.withLock { asked } }

  func answer(with script: @escaping @Sendable (String) -> Reply) { lock.withLock { self.script = script } }

  /// Refuses connections from now on.
  func stop() {
    lock.withLock {
      guard !stopped else { return }
      stopped = true
      shutdown(listener, Int32(SHUT_RDWR))
      for connection in open { shutdown(connection, Int32(SHUT_RDWR)) }
    }
  }

  private func serve(_ connection: Int32) {
    lock.withLock { _ = open.insert(connection) }
    defer {
      lock.withLock { _ = open.remove(connection) }
      close(connection)
    }
    guard let request = Self.read(connection) else { return }
    let script = lock.withLock {
      asked.append(request)
      return self.script
    }
    switch script(request) {
    case .answer(let status, let body, let type):
      Self.send(
        "HTTP/1.1 \(status) X\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)",
        connection)
    case .bytes(let bytes): Self.send(bytes, connection)
    case .hang(let bytes):
      Self.send(bytes, connection)
      var byte: UInt8 = 0
      while recv(connection, &byte, 1, 0) > 0 {}
    }
  }

  /// Head and body; nil when the other side goes before.
  private static func read(_ connection: Int32) -> String? {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let length = text[..<end.lowerBound].split(separator: "\r\n").compactMap { line -> Int? in
          let pair = line.split(separator: ":", maxSplits: 1)
          guard pair.count == 2, pair[0].lowercased() == "content-length" else { return nil }
          return Int(pair[1].trimmingCharacters(in: .whitespaces))
        }.first
        if text[end.upperBound...].utf8.count >= length ?? 0 { return text }
      }
      let count = recv(connection, &part, part.count, 0)
      guard count > 0 else { return nil }
      bytes += part[0..<count]
    }
  }

  private static func send(_ text: String, _ connection: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}

/// `HTTPFetcher` on Foundation's client, for tests of what asks over HTTP. The executable's own is tested end to end.
struct FoundationFetcher: HTTPFetcher {
  func fetch(_ request: HTTPFetch) async throws(Outage) -> HTTPAnswer {
    guard let url = URL(string: request.url) else { throw Outage("http", "'\(request.url)' is no address") }
    let settings = URLSessionConfiguration.ephemeral
    settings.timeoutIntervalForRequest = request.timeLimit.seconds
    settings.timeoutIntervalForResource = request.timeLimit.seconds
    let session = URLSession(configuration: settings)
    // Not `invalidateAndCancel`: it walks the tasks while the last one takes itself out, and traps now and then. Each ends
    // by its time limit.
    defer { session.finishTasksAndInvalidate() }
    var asked = URLRequest(url: url)
    asked.httpMethod = request.method.rawValue
    for header in request.headers { asked.setValue(header.value, forHTTPHeaderField: header.name) }
    if request.method == .post { asked.httpBody = Data(request.body) }
    do {
      let (data, answer) = try await session.data(for: asked)
      guard let answer = answer as? HTTPURLResponse else { throw Outage("http", "no HTTP answer") }
      guard data.count <= request.answerLimit else {
        throw Outage("http", "\(request.url) answers more than \(request.answerLimit) bytes")
      }
      return HTTPAnswer(
        status: answer.statusCode, contentType: answer.value(forHTTPHeaderField: "content-type"), body: Array(data))
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("http", "\(request.url) gives no whole answer", sources: ["\(error)"])
    }
  }
}
