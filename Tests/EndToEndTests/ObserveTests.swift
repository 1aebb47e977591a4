import API
import Foundation
import Kernel
import Testing

@testable import plimsoll

/// A service that something else deploys: one metrics page with a version label, whose counters move by themselves.
/// `/now?v1=400,0.002` says who serves: requests a second and the share of them that fails. `/down` takes the page away.
let shop = """
  import http.server, threading, time, urllib.parse
  state = {'serving': {}, 'down': False, 'at': time.time()}
  counts = {}
  lock = threading.Lock()
  def move():
      now = time.time()
      for version, (rate, errors) in state['serving'].items():
          good, bad = counts.get(version, (0.0, 0.0))
          n = rate * (now - state['at'])
          counts[version] = (good + n * (1 - errors), bad + n * errors)
      state['at'] = now
  class Handler(http.server.BaseHTTPRequestHandler):
      def do_GET(self):
          with lock:
              move()
              path = urllib.parse.urlparse(self.path)
              text, status = '', 200
              if path.path == '/now':
                  state['serving'] = {k: tuple(float(x) for x in v.split(',')) for k, v in urllib.parse.parse_qsl(path.query)}
                  state['down'] = False
              if path.path == '/down': state['down'] = True
              if path.path == '/metrics':
                  status = 503 if state['down'] else 200
                  for version, (good, bad) in sorted(counts.items()):
                      text += 'http_requests_total{version="%s",code="200"} %d\\n' % (version, good)
                      text += 'http_requests_total{version="%s",code="500"} %d\\n' % (version, bad)
          body = text.encode()
          self.send_response(status)
          self.send_header('Content-Type', 'text/plain; version=0.0.4')
          self.send_header('Content-Length', str(len(body)))
          self.end_headers()
          self.wfile.write(body)
      def log_message(self, *a): pass
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  server.daemon_threads = True
  print(server.server_port, flush=True)
  server.serve_forever()
  """

@Suite("Observing only", .serialized) struct ObserveTests {
  @Test("a bad version that something else deployed is seen in seconds, and the score says what the team did")
  func observes() async throws {
    try await withFolder { folder in
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["python3", "-c", shop]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      // Started from a task it has SIGTERM blocked, and waiting for it would block one.
      defer { kill(process.processIdentifier, SIGKILL) }
      let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
      let port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
      // The whole file: no repository, no build, no router.
      let configuration = """
        observe:
          shop:
            metrics: http://127.0.0.1:\(port)/metrics
            slo: { p99: 300ms, availability: 99.9% }
        """
      try configuration.write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
      let checked = try Binary.run(["check"], in: folder)
      #expect(checked.code == 0, "\(checked.errors)")
      #expect(checked.output.contains("only observed"), "\(checked.output)")

      let world = World(folder: folder, pages: "http://127.0.0.1:\(port)")
      try await world.serve("now?v1=400,0.002")
      let server = try Binary.start(["serve", "--listen", "127.0.0.1:0", "--data", "data"], in: folder)
      defer {
        server.process.terminate()
        server.process.waitUntilExit()
      }
      try await world.until("v1 serves", within: 40) { $0.serving == "v1" }
      // Some history, so that there is a baseline to be worse than.
      let known = Date()
      try await world.until("ten seconds of history", within: 30) { _ in Date().timeIntervalSince(known) > 10 }

      try await world.serve("now?v1=200,0.002&v2=200,0.3")
      let convicted = try await world.until("v2 is convicted", within: 30) {
        $0.deployments.first?.judgement == "wouldHaveRolledBack"
      }
      let bad = try #require(convicted.deployments.first)
      #expect(bad.version == "v2" && bad.previous == "v1" && bad.source == "label")
      let seconds = Double(try #require(bad.wouldHaveRolledBackAtMs) - bad.deployedAtMs) / 1000
      #expect(seconds <= 10, "it took \(seconds) s")

      try await world.serve("now?v1=400,0.002")
      let settled = try await world.until("the team went back", within: 30) {
        $0.deployments.first?.comparison == "bothWentBack"
      }
      #expect(settled.score.bothWentBack == 1 && settled.score.savedMs > 0)
      #expect(settled.serving == "v1")

      // The telemetry dies while a third version is judged: nothing is known, and nothing bad is said.
      try await world.serve("now?v1=200,0.002&v3=200,0.002")
      try await world.until("v3 is watched", within: 30) { $0.deployments.first?.version == "v3" }
      try await world.serve("down")
      try await world.until("the source is broken", within: 30) { $0.sentence.contains("broken") }
      let told = try Binary.run(["observe", "deployed", "shop", "--version", "v1", "--data", "data"], in: folder)
      #expect(told.code == 0, "\(told.errors)")
      let unknown = try await world.until("an outcome", within: 10) { $0.phase == "serving" }
      #expect(unknown.deployments.first?.judgement == "couldNotTell")
      #expect(unknown.deployments.first?.comparison == "untold")
      #expect(unknown.score.needless == 0 && unknown.score.deployments == 2)

      // A person knows better what the team did, and the words say it all.
      let corrected = try Binary.run(
        ["observe", "kept", "shop", "--deployment", "1", "--reason", "it was a rehearsal", "--data", "data"], in: folder
      )
      #expect(corrected.code == 0, "\(corrected.errors)")
      let shown = try Binary.run(["observe", "--data", "data"], in: folder)
      #expect(shown.output.contains("1 needless according to the team"), "\(shown.output)")
      let base = try #require(world.address)
      for path in ["/observations", "/observations/shop/production/1"] {
        let page = try await World.get(base + path)
        #expect(page.status == 200, "\(path)")
        #expect(String(decoding: page.body, as: UTF8.self).contains("would have rolled it back"), "\(path)")
      }
      let verified = try Binary.run(["ledger", "verify", "--data", "data"], in: folder)
      #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
    }
  }
}

/// The test's view of the shop and of the server that observes it.
private struct World {
  let folder: URL
  let pages: String

  var address: String? {
    guard let data = try? Data(contentsOf: folder.appending(path: "data/server.json")),
      let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { return nil }
    return json["url"] as? String
  }

  func serve(_ order: String) async throws {
    _ = try await World.get("\(pages)/\(order)")
  }

  static func get(_ url: String) async throws(Outage) -> HTTPAnswer {
    try await AsyncHTTPFetcher().fetch(HTTPFetch(.get, url, timeLimit: .seconds(10), answerLimit: 1_048_576))
  }

  @discardableResult func until(
    _ what: String, within seconds: Double, _ holds: (ObservedPlaceView) -> Bool
  ) async throws -> ObservedPlaceView {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var last = "no answer"
    while ContinuousClock.now < deadline {
      if let address, let answer = try? await World.get("\(address)/v1/observations/shop/production") {
        last = String(decoding: answer.body, as: UTF8.self)
        if let view = try? JSONDecoder().decode(ObservedPlaceView.self, from: Data(answer.body)), holds(view) {
          return view
        }
      }
      try await Task.sleep(for: .milliseconds(200))
    }
    struct TooLate: Error, CustomStringConvertible { let description: String }
    throw TooLate(description: "\(what): not within \(seconds) s; \(last)")
  }
}
