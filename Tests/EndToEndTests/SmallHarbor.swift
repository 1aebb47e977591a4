import API
import Foundation
import Testing

/// A small real world for one test: a bare repository of a tiny web service, a `plimsoll.yaml`, and a `plimsoll serve`
/// that may be killed and started again. It delivers to production alone and by time, because evidence is tested
/// elsewhere; a rollout takes a few seconds.
final class SmallHarbor {
  let folder: URL
  /// Where production answers.
  let port: Int
  private(set) var server: Binary.Running?

  var data: String { folder.appending(path: "data").path }
  var repository: URL { folder.appending(path: "harbor.git") }
  private var work: URL { folder.appending(path: "work") }

  /// What the service is made of. Its name is what it answers.
  static let service = [
    "serve": """
    #!/usr/bin/env -S python3 -B
    import os
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    def text(name): return open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name)).read().strip()
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            ready = self.path != '/healthz' or text('ready') == 'yes'
            self.send_response(200 if ready else 503)
            self.end_headers()
            self.wfile.write(text('name').encode())
        def log_message(self, *words): pass
    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        def server_bind(self):
            # Without the host name's look-up, which may take seconds.
            self.socket.bind(self.server_address)
            self.server_name, self.server_port = self.server_address
    Server(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()

    """, "ci": "#!/bin/sh\ntest -s name\n", "build": "#!/bin/sh\nmkdir dist && cp serve name ready dist/\n",
    "ready": "yes\n", "name": "first\n",
  ]

  /// - Parameters:
  ///   - folder: short, because sockets lie in it.
  ///   - step: how long each step and the last watch last.
  ///   - startLimit: what a version may take until it is ready.
  ///   - more: of the configuration.
  init(in folder: URL, step: String = "600ms", startLimit: String = "20s", more: String = "") throws {
    self.folder = folder
    port = try #require(freePort())
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    try git("init", "--quiet", "--initial-branch", "main", ".")
    try commit(Self.service, as: "The first version")
    try git("branch", "beginning")
    try git("clone", "--quiet", "--bare", ".", repository.path)
    try git("remote", "add", "origin", repository.path)
    try (configuration(step: step, startLimit: startLimit) + "\n" + more)
      .write(to: folder.appending(path: "plimsoll.yaml"), atomically: true, encoding: .utf8)
  }

  private func configuration(step: String, startLimit: String) -> String {
    """
    services:
      harbor:
        repository: ./harbor.git
        test: ./ci
        build: ./build
        output: dist
        run: exec ./serve
        ready: /healthz
        stop-limit: 2s
        slo: { p99: 250ms }
        environments:
          production: { port: \(port) }
    environments:
      - name: production
        judged: false
        steps: [10, 50, 100]
        step-minimum: \(step)
        final-watch: \(step)
        start-limit: \(startLimit)
    queue: { slots: 2, time-limit: 5s }
    """
  }

  // MARK: The server

  /// Starts the server and waits until commands find it.
  /// - Parameter before: a command that ends by running what it is given, such as `unshare`.
  func start(before: [String] = []) async throws {
    let started = try Binary.start(
      ["serve", "--listen", "127.0.0.1:0", "--data", data], in: folder, before: before)
    server = started
    _ = try await wait("the server to answer") { () -> Bool? in
      guard started.process.isRunning else { throw Vain(try started.ended().errors) }
      return try address()?.pid == started.process.processIdentifier ? true : nil
    }
  }

  /// `kill -9`: no chance to say goodbye.
  func killServer() {
    guard let process = server?.process, process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    server = nil
  }

  func stopServer() {
    guard let process = server?.process, process.isRunning else { return }
    process.terminate()
    process.waitUntilExit()
    server = nil
  }

  /// Stops the server, and everything that it left serving.
  func end() {
    killServer()
    _ = try? run("down")
  }

  private struct Address: Decodable {
    let url: String
    let pid: Int32
  }

  private func address() throws -> Address? {
    guard let bytes = FileManager.default.contents(atPath: "\(data)/server.json") else { return nil }
    return try JSONDecoder().decode(Address.self, from: bytes)
  }

  // MARK: Asking

  func run(_ arguments: String...) throws -> Binary.Ended {
    try Binary.run(arguments + ["--data", data], in: folder)
  }

  /// Nil when nobody answers, or not with 200.
  func get<Answer: Decodable>(_ path: String, as: Answer.Type = Answer.self) throws -> Answer? {
    guard let url = try address()?.url, let port = URL(string: url)?.port, let answer = ask(port, path),
      answer.status == 200
    else { return nil }
    return try JSONDecoder().decode(Answer.self, from: Data(answer.body.utf8))
  }

  func production() throws -> EnvironmentView? { try get("/v1/services/harbor/production") }
  func rollouts() throws -> [RolloutView]? {
    try get("/v1/rollouts/harbor/production", as: RolloutsView.self)?.rollouts
  }
  func troubles() throws -> [String] { try get("/v1/overview", as: Overview.self)?.troubles ?? [] }

  func promotion(of commit: String) throws -> PromotionView? { try get("/v1/promotions/harbor/\(commit)") }

  /// The promotion once it is over, whatever came of it.
  func ended(_ commit: String) async throws -> PromotionView {
    try await wait("the promotion of \(commit.prefix(10)) to end") {
      try promotion(of: commit).flatMap { ["unbuilt", "halted", "completed"].contains($0.phase) ? $0 : nil }
    }
  }

  /// Waits until the trunk as found serves production.
  func firstVersionServes() async throws {
    _ = try await wait("the first version to serve") { try production()?.serving }
  }

  // MARK: Changes

  /// Pushes a branch: these files on the trunk of now, or on what was there first.
  func push(_ branch: String, _ files: [String: String], from base: String = "origin/main") throws {
    try git("fetch", "--quiet", "origin")
    try git("checkout", "--quiet", "--force", "-B", branch, base)
    try commit(files, as: "Make it \(branch)")
    try git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/\(branch)")
  }

  /// Submits a pushed branch and waits for its end.
  func submit(_ branch: String) throws -> FinishedView {
    let ended = try run("submit", branch, "--wait", "--json")
    guard let finished = try? JSONDecoder().decode(FinishedView.self, from: Data(ended.output.utf8)) else {
      throw Vain("submit \(branch): exit \(ended.code), \(ended.output)\(ended.errors)")
    }
    #expect(ended.code == (finished.outcome == "landed" ? 0 : 1))
    return finished
  }

  /// Pushes and lands a change. - Returns: the commit it landed as.
  func land(_ branch: String, _ files: [String: String]) throws -> String {
    try push(branch, files)
    let finished = try submit(branch)
    return try #require(finished.commit, "\(finished.sentence)")
  }

  private func commit(_ files: [String: String], as message: String) throws {
    for (name, text) in files {
      let file = work.appending(path: name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
      chmod(file.path, text.hasPrefix("#!") ? 0o755 : 0o644)
    }
    try git("add", "--all")
    try git("commit", "--quiet", "--message", message)
  }

  private func git(_ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/git")
    process.arguments = ["-c", "user.name=Ada", "-c", "user.email=ada@harbor.example"] + arguments
    process.currentDirectoryURL = work
    process.environment = ["GIT_CONFIG_NOSYSTEM": "1", "HOME": folder.path, "PATH": "/usr/bin:/bin"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "git \(arguments)")
  }

  // MARK: What really runs

  /// Living processes of this world, from /proc: what is true, whatever anybody believes.
  struct Living: Equatable {
    struct Slot: Hashable {
      let digest: String
      let instance: String
    }
    /// The processes of each instance.
    var pids: [Slot: Set<Int32>] = [:]
    /// The distinct ports of each instance; more than one means that it runs twice.
    var ports: [Slot: Set<String>] = [:]
    /// Of commands under way: CI, builds, checks.
    var commands: Set<Int32> = []
    /// Of production's HAProxy.
    var router: Set<Int32> = []
    var doubles: [Slot] { ports.filter { $0.value.count > 1 }.map(\.key) }
  }

  func living() -> Living {
    var living = Living()
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let pid = Int32(name), let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat"),
        !String(decoding: stat, as: UTF8.self).contains(") Z ")
      else { continue }
      let words = strings("/proc/\(pid)/cmdline")
      if words.contains("\(data)/run/haproxy/production/haproxy.cfg") { living.router.insert(pid) }
      let pairs = strings("/proc/\(pid)/environ").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
      let variables = Dictionary(pairs.compactMap { $0.count == 2 ? ($0[0], $0[1]) : nil }) { first, _ in first }
      if variables["PLIMSOLL_RUN"]?.hasPrefix("\(data)/runs/") == true { living.commands.insert(pid) }
      guard variables["PLIMSOLL_SCRATCH"]?.hasPrefix(data + "/") == true, let digest = variables["PLIMSOLL_DIGEST"],
        let instance = variables["PLIMSOLL_INSTANCE"], let port = variables["PORT"]
      else { continue }
      living.pids[Living.Slot(digest: digest, instance: instance), default: []].insert(pid)
      living.ports[Living.Slot(digest: digest, instance: instance), default: []].insert(port)
    }
    return living
  }

  private func strings(_ path: String) -> [String] {
    let bytes = FileManager.default.contents(atPath: path) ?? Data()
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// What a test waited for and never saw.
struct Vain: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Polls real peers until there is a value; the deadline only ends a test that fails.
func wait<Value>(
  _ what: String, within limit: Duration = .seconds(60), _ look: () throws -> Value?
) async throws -> Value {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if let value = try look() { return value }
    try await Task.sleep(for: .milliseconds(20))
  }
  throw Vain("waited \(limit) in vain for \(what)")
}

/// A world in a short folder of its own; everything that runs in it ends with it.
func withSmallHarbor(
  step: String = "600ms", startLimit: String = "20s", _ body: (SmallHarbor) async throws -> Void
) async throws {
  let folder = URL(filePath: "/tmp/plh-\(UInt32.random(in: 0...UInt32.max))")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { remove(folder) }
  let harbor = try SmallHarbor(in: folder, step: step, startLimit: startLimit)
  defer { harbor.end() }
  try await body(harbor)
}

/// Releases are read-only, also to whoever cleans up and is not root.
private func remove(_ folder: URL) {
  let all = FileManager.default.enumerator(atPath: folder.path)
  while let name = all?.nextObject() as? String { chmod(folder.appending(path: name).path, 0o700) }
  try? FileManager.default.removeItem(at: folder)
}
