import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Someone who asks a service for its name all the time, one question after the other, and remembers every answer.
final class Visitor: Sendable {
  struct Answer: Sendable {
    /// Nil when there was no answer at all.
    let status: Int?
    let body: String
  }
  private struct Book {
    var answers: [Answer] = []
    var isLeaving = false
    var hasLeft = false
  }
  private let book = Mutex(Book())
  private static let pauseMicroseconds: UInt32 = 10_000

  init(port: Int) {
    let thread = Thread { [self] in
      while !book.withLock({ $0.isLeaving }) {
        let answer = ask(port, "/")
        book.withLock { $0.answers.append(Answer(status: answer?.status, body: answer?.body ?? "")) }
        usleep(Self.pauseMicroseconds)
      }
      book.withLock { $0.hasLeft = true }
    }
    thread.start()
  }

  var count: Int { book.withLock { $0.answers.count } }

  /// The status of everything that was not 200, after so many answers.
  func failures(after first: Int = 0) -> [String] {
    let answers = book.withLock { $0.answers.dropFirst(first) }
    return answers.filter { $0.status != 200 }.map { $0.status.map(String.init) ?? "no answer" }
  }

  /// The distinct names that served, after so many answers.
  func names(after first: Int = 0) -> Set<String> {
    book.withLock { Set($0.answers.dropFirst(first).filter { $0.status == 200 }.map(\.body)) }
  }

  /// Returns when the last question has its answer.
  func leave() async throws {
    book.withLock { $0.isLeaving = true }
    _ = try await wait("the visitor to leave") { book.withLock { $0.hasLeft } ? true : nil }
  }
}

/// One GET, or a POST of a body, on a fresh connection; nil when it was refused, broke off, or took too long.
func ask(_ port: Int, _ path: String, sending body: String? = nil) -> (status: Int, body: String)? {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  defer { close(descriptor) }
  var limit = timeval(tv_sec: 10, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  guard loopback(port, { connect(descriptor, $0, $1) }) == 0 else { return nil }
  let length = body.map { "Content-Type: application/json\r\nContent-Length: \($0.utf8.count)\r\n" } ?? ""
  let head = "\(body == nil ? "GET" : "POST") \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\(length)\r\n"
  let text = head + (body ?? "")
  guard send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else { return nil }
  var all: [UInt8] = []
  var part = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = recv(descriptor, &part, part.count, 0)
    guard count >= 0 else { return nil }
    if count == 0 { break }
    all += part[..<count]
  }
  let answer = String(decoding: all, as: UTF8.self)
  guard let end = answer.range(of: "\r\n\r\n"), let status = Int(answer.split(separator: " ").dropFirst().first ?? "")
  else { return nil }
  return (status, String(answer[end.upperBound...]))
}

/// A loopback port that nobody has at this moment.
func freePort() -> Int? {
  guard let taker = PortTaker(0) else { return nil }
  return taker.port
}

/// Another program that listens on a loopback port until it is let go; 0 takes any.
final class PortTaker {
  private let descriptor: Int32
  let port: Int

  /// Nil when the port is taken already.
  init?(_ wanted: Int) {
    let opened = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isTaken = loopback(wanted) { bind(opened, $0, $1) } == 0 && listen(opened, 1) == 0
    let isNamed = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(opened, $0, &length) == 0 }
    }
    guard isTaken, isNamed else {
      close(opened)
      return nil
    }
    descriptor = opened
    port = Int(in_port_t(bigEndian: address.sin_port))
  }
  deinit { close(descriptor) }
}

private func loopback(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
  }
}
