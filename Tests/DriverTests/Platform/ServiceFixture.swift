import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// A folder of its own for one test, short because sockets lie in it; gone when the test ends.
final class ServiceFolder: Sendable {
  let path: String
  init() {
    path = "/tmp/plim-\(UInt32.random(in: 0...UInt32.max))"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit {
    // Release folders are read-only.
    let all = FileManager.default.enumerator(atPath: path)
    while let name = all?.nextObject() as? String {
      try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: "\(path)/\(name)")
    }
    try? FileManager.default.removeItem(atPath: path)
  }
}

/// A small HTTP service. `server.py NAME:PORT…` listens on each port, or on `PORT` as one named by its environment.
private let serviceProgram = """
  import os, signal, sys, threading, time
  from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
  scratch = os.environ.get('PLIMSOLL_SCRATCH')
  if scratch: open(scratch + '/starts', 'a').write('start\\n')
  memory = []
  class Handler(BaseHTTPRequestHandler):
      protocol_version = 'HTTP/1.1'
      def do_GET(self):
          path = self.path.split('?')[0]
          body = self.server.name
          if path == '/ready' and os.environ.get('MODE') == 'never': return self.answer(503, 'no')
          if path == '/bad': return self.answer(500, body)
          if path.startswith('/sleep/'): time.sleep(float(path[7:]))
          if path == '/exit': os._exit(3)
          if path == '/fault': os.kill(os.getpid(), signal.SIGSEGV)
          if path == '/eat': memory.append(b'x' * (150 << 20))
          if path.startswith('/variable/'): body = os.environ.get(path[10:], '')
          if path.startswith('/flags/'):
              flags, unit = path[7:].split('/')
              more = 'plimsoll-flags: %s\\r\\nPlimsoll-Unit: %s\\r\\n' % (flags, unit)
              return self.answer(500 if unit == 'ill' else 200, body, more)
          self.answer(200, body)
      def answer(self, status, body, more=''):
          body = body.encode()
          head = 'HTTP/1.1 %d X\\r\\n%sContent-Length: %d\\r\\n\\r\\n' % (status, more, len(body))
          self.wfile.write(head.encode() + body)
      def log_message(self, *a): pass
  class Server(ThreadingHTTPServer):
      request_queue_size = 256
      daemon_threads = True
      def server_bind(self):
          self.socket.bind(self.server_address)
          self.server_name, self.server_port = self.server_address
      allow_reuse_address = True
  def serve(name, port):
      server = Server(('127.0.0.1', port), Handler)
      server.name = name
      server.serve_forever()
  print('hello from the service', flush=True)
  pairs = [a.split(':') for a in sys.argv[1:]] or [('service', os.environ['PORT'])]
  for name, port in pairs[1:]: threading.Thread(target=serve, args=(name, int(port)), daemon=True).start()
  serve(pairs[0][0], int(pairs[0][1]))
  """

/// Names and answers that the tests of platform, router and telemetry share.
enum ServiceFixture {
  static let program = serviceProgram

  static func digest(_ digit: Character) -> Digest {
    Digest(rawValue: "sha256:" + String(repeating: digit, count: 64))!
  }

  static func deployment(_ digit: Character, service: String = "shop", environment: String = "prod") -> Deployment {
    Deployment(
      service: ServiceName(rawValue: service)!, environment: EnvironmentName(rawValue: environment)!,
      digest: digest(digit), commit: CommitID(rawValue: String(repeating: digit, count: 40))!,
      configuration: digest("0"), sealedConfiguration: digest("0"))
  }

  /// One GET on a fresh connection: status and body; nil when the connection failed or broke off.
  static func get(_ port: Int, _ path: String, headers: [String] = [], timeout: Int = 5)
    -> (status: Int, body: String)?
  {
    guard let connection = KeptConnection(port: port, timeout: timeout) else { return nil }
    connection.send(path, headers: headers, close: true)
    return connection.receive()
  }
}

/// Unpacks the service program and measures by comparing with it.
struct ServiceArtifacts: ArtifactStore {
  func pack(folder: String, facts: BuildFacts) async throws -> StoredArtifact { throw Outage("test", "packs nothing") }
  func verify(_ digest: Digest, service: ServiceName, commit: CommitID) async throws(Outage) -> ProvenanceFinding {
    .verified(builder: "test")
  }
  func unpack(_ digest: Digest, into folder: String) async throws(Outage) {
    guard !FileManager.default.fileExists(atPath: folder) else { return }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try serviceProgram.write(toFile: "\(folder)/server.py", atomically: true, encoding: .utf8)
      try digest.rawValue.write(toFile: "\(folder)/digest", atomically: true, encoding: .utf8)
    } catch { throw Outage("disk", "\(error)") }
  }
  func digest(ofReleaseFolder folder: String) async throws(Outage) -> Digest {
    let text = try? String(contentsOfFile: "\(folder)/digest", encoding: .utf8)
    return text.flatMap { Digest(rawValue: $0) } ?? TestDigest.tampered
  }
}
enum TestDigest { static let tampered = ServiceFixture.digest("f") }

/// A client connection that may carry many requests, blocking.
final class KeptConnection {
  private let descriptor: Int32
  /// False once an answer said that the connection ends with it.
  private(set) var goesOn = true
  /// Of the last answer, in small letters.
  private(set) var head = ""
  init?(port: Int, timeout: Int = 5) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var limit = timeval(tv_sec: timeout, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = LoopbackPort.address(port)
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { return nil }
  }
  deinit { close(descriptor) }

  func send(_ path: String, headers: [String] = [], close: Bool = false) {
    let lines = headers + ["Host: test"] + (close ? ["Connection: close"] : [])
    let text = "GET \(path) HTTP/1.1\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
    _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }
  func get(_ path: String, close: Bool = false) -> (status: Int, body: String)? {
    send(path, close: close)
    return receive()
  }
  func receive() -> (status: Int, body: String)? {
    var all: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while true {
      let text = String(decoding: all, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let head = text[..<end.lowerBound].lowercased()
        let length =
          head.components(separatedBy: "content-length: ").dropFirst().first.flatMap {
            Int($0.prefix { $0.isNumber })
          } ?? Int.max
        let body = text[end.upperBound...]
        if body.utf8.count >= length {
          self.head = head
          goesOn = !head.contains("connection: close")
          return (Int(head.split(separator: " ")[1]) ?? 0, String(body))
        }
      }
      let count = recv(descriptor, &part, part.count, 0)
      guard count > 0 else { return nil }
      all += part[0..<count]
    }
  }
}

/// Another program that listens on a port until it is let go.
final class PortTaker {
  private let descriptor: Int32
  init(_ port: Int) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = LoopbackPort.address(port)
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    listen(descriptor, 1)
  }
  deinit { close(descriptor) }
}

/// Polls a real peer until something holds; the deadline only ends a test that fails.
func eventually(_ what: String, within seconds: Double = 15, _ holds: () async throws -> Bool) async rethrows {
  let deadline = ContinuousClock.now + .milliseconds(Int64(seconds * 1000))
  while ContinuousClock.now < deadline {
    if try await holds() { return }
    try? await Task.sleep(for: .milliseconds(10))
  }
  Issue.record("never happened: \(what)")
}

/// What a driver reported so far.
actor Reports<Report: Sendable> {
  private(set) var all: [Report] = []
  func add(_ report: Report) { all.append(report) }
}
