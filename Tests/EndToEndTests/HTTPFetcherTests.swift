import Foundation
import Kernel
import Testing

@testable import plimsoll

/// A server that answers by the path that it is asked for, well or badly.
private let server = """
  import http.server, sys, time
  class Handler(http.server.BaseHTTPRequestHandler):
      protocol_version = 'HTTP/1.1'
      def do_GET(self): self.answer(b'')
      def do_POST(self): self.answer(self.rfile.read(int(self.headers['Content-Length'])))
      def answer(self, asked):
          def head(length, status=200):
              self.send_response(status)
              self.send_header('Content-Type', 'text/x-test')
              self.send_header('Content-Length', str(length))
              self.end_headers()
          if self.path == '/echo':
              body = asked + b' ' + self.headers['X-Test'].encode()
              head(len(body)); self.wfile.write(body)
          if self.path == '/refused': head(2, 503); self.wfile.write(b'no')
          if self.path == '/large': head(5000); self.wfile.write(b'x' * 5000)
          if self.path == '/half': head(100); self.wfile.write(b'x' * 50); self.close_connection = True
          if self.path == '/never': time.sleep(60)
          if self.path == '/slow':
              head(100)
              for _ in range(100): self.wfile.write(b'x'); self.wfile.flush(); time.sleep(0.5)
      def log_message(self, *a): pass
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  server.daemon_threads = True
  print(server.server_port, flush=True)
  server.serve_forever()
  """

@Suite("Asking over HTTP", .serialized) struct HTTPFetcherTests {
  private func withServer(_ body: (_ address: String) async throws -> Void) async throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", server]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    // Started from a task it has SIGTERM blocked, and waiting for it would block one.
    defer { kill(process.processIdentifier, SIGKILL) }
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
    try await body("http://127.0.0.1:\(port)")
  }

  private func fetch(_ url: String, _ method: HTTPFetch.Method = .get, seconds: Double = 10) async throws(Outage)
    -> HTTPAnswer
  {
    try await AsyncHTTPFetcher().fetch(
      HTTPFetch(
        method, url, headers: [.init("x-test", "head")], body: method == .post ? Array("body".utf8) : [],
        timeLimit: .seconds(seconds), answerLimit: 4096))
  }

  private func outage(_ url: String, seconds: Double = 10) async -> String? {
    do {
      _ = try await fetch(url, seconds: seconds)
      return nil
    } catch { return error.sentence }
  }

  @Test("whole answers come as they are; half, large, slow and no answers are outages in time")
  func contract() async throws {
    try await withServer { address in
      let answer = try await fetch("\(address)/echo", .post)
      #expect(answer == HTTPAnswer(status: 200, contentType: "text/x-test", body: Array("body head".utf8)))
      #expect(try await fetch("\(address)/echo").body == Array(" head".utf8))
      let refused = try await fetch("\(address)/refused")
      #expect(refused.status == 503 && refused.body == Array("no".utf8))
      #expect(await outage("\(address)/large")?.contains("more than 4096 bytes") == true)
      #expect(await outage("\(address)/half")?.contains("no whole answer") == true)
      let began = ContinuousClock.now
      #expect(await outage("\(address)/never", seconds: 0.3)?.contains("no whole answer within 0.3 s") == true)
      // Its head comes at once and a byte now and then, for 50 s.
      #expect(await outage("\(address)/slow", seconds: 0.3)?.contains("no whole answer within 0.3 s") == true)
      #expect(ContinuousClock.now - began < .seconds(10))
    }
    #expect(await outage("http://127.0.0.1:1/", seconds: 1)?.contains("no whole answer") == true)
  }

  @Test("a receiver that never ends its answer is an outage in time, and its address is not told")
  func transport() async throws {
    try await withServer { address in
      let answer = try await AsyncHTTPTransport().post(
        "\(address)/echo", headers: [("X-Test", "head")], body: Array("body".utf8), timeLimit: .seconds(10))
      #expect(answer.status == 200 && answer.body == Array("body head".utf8))
      let outage = await #expect(throws: Outage.self) {
        try await AsyncHTTPTransport().post(
          "\(address)/slow", headers: [], body: Array("body".utf8), timeLimit: .seconds(0.3))
      }
      #expect(outage?.description.contains("no whole answer within 0.3 s") == true)
      #expect(outage?.description.contains(address) == false)
    }
  }
}
