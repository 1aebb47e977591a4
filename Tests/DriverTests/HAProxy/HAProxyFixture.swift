import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// A real HAProxy in front of a real server that answers with the deployment's letter, one port an instance.
final class Site: Sendable {
  static let shop = ServiceFixture.deployment("a").service
  static let production = ServiceFixture.deployment("a").environment
  static let old = ServiceFixture.deployment("a").id
  static let new = ServiceFixture.deployment("b").id

  let folder = ServiceFolder()
  let router: HAProxyRouter
  let ports: [Int]
  private let server: Int32

  /// Instances 0 and 1 of `old` are `ports[0]` and `ports[1]`, instance 0 of `new` is `ports[2]`.
  init() async throws {
    router = HAProxyRouter(
      folder: folder.path, program: "haproxy", services: [PublicService(Self.shop, Self.production, port: nil)])
    try ServiceFixture.program.write(toFile: "\(folder.path)/server.py", atomically: true, encoding: .utf8)
    var started: (pid: Int32, ports: [Int])?
    // A free port is only free until somebody else takes it: the server then ends at once.
    for _ in 0..<3 where started == nil {
      let found = (0..<3).compactMap { _ in LoopbackPort.free() }
      let pid = try DetachedProcess.start(
        ["/usr/bin/env", "python3", "server.py"] + zip(["a", "a", "b"], found).map { "\($0):\($1)" },
        environment: ["PATH=/usr/local/bin:/usr/bin:/bin"], folder: folder.path, output: "\(folder.path)/server.out")
      let deadline = ContinuousClock.now + .seconds(15)
      while started == nil, waitpid(pid, nil, WNOHANG) == 0, ContinuousClock.now < deadline {
        if found.allSatisfy({ ServiceFixture.get($0, "/ready")?.status == 200 }) { started = (pid, found) }
        try? await Task.sleep(for: .milliseconds(10))
      }
      if started == nil { kill(pid, SIGKILL) }
    }
    (server, ports) = try #require(started, "the servers did not answer, three times")
  }

  deinit {
    kill(server, SIGKILL)
    if let process = HAProxyProcess.answering(haproxyFolder) { kill(process.pid, SIGKILL) }
  }

  var haproxyFolder: HAProxyFolder { HAProxyFolder(root: folder.path, environment: Self.production) }

  func routes(_ oldPercent: Int, _ newPercent: Int) -> [RoutedDeployment] {
    [
      RoutedDeployment(
        Self.old, percent: oldPercent,
        endpoints: [Endpoint(instance: 0, port: ports[0]), Endpoint(instance: 1, port: ports[1])]),
      RoutedDeployment(Self.new, percent: newPercent, endpoints: [Endpoint(instance: 0, port: ports[2])]),
    ]
  }

  @discardableResult
  func apply(_ oldPercent: Int, _ newPercent: Int, preview: PreviewMatch? = nil, fence: Int64) async throws
    -> RouteOutcome
  {
    try await router.apply(
      routes(oldPercent, newPercent), preview: preview.map { PreviewRoute($0, to: Self.new) }, service: Self.shop,
      environment: Self.production, fence: Fence(fence))
  }

  func port() async throws -> Int { try #require(await router.port(of: Self.shop, in: Self.production)) }
}

/// Steady traffic from threads of its own, so that a busy test cannot hold it up.
final class Traffic: @unchecked Sendable {
  // Unchecked: everything that changes is guarded by `lock`.
  struct Answer {
    let at: Instant
    let status: Int
    let body: String
  }
  private let lock = NSLock()
  private var answers: [Answer] = []
  private var failures = 0
  private var running = 0
  private var stopped = false

  /// Two clients, each `perSecond` / 2 requests a second; one keeps its connection, the other opens one a request.
  init(port: Int, perSecond: Int, path: String = "/") {
    for keeps in [true, false] {
      running += 1
      let thread = Thread { [self] in run(port, perSecond / 2, path, keeps) }
      thread.start()
    }
  }

  var count: Int { lock.withLock { answers.count + failures } }

  /// Ends the traffic and tells what came back.
  func stop() async -> (answers: [Answer], failures: Int) {
    lock.withLock { stopped = true }
    await eventually("traffic ended") { lock.withLock { running == 0 } }
    return lock.withLock { (answers, failures) }
  }

  private func run(_ port: Int, _ perSecond: Int, _ path: String, _ keeps: Bool) {
    var kept: KeptConnection?
    var next = ContinuousClock.now
    while !lock.withLock({ stopped }) {
      if keeps, kept == nil { kept = KeptConnection(port: port) }
      let answer = keeps ? kept?.get(path) : ServiceFixture.get(port, path)
      lock.withLock {
        if let answer, answer.status < 500 {
          answers.append(Answer(at: .now, status: answer.status, body: answer.body))
        } else {
          failures += 1
        }
      }
      if answer == nil || kept?.goesOn == false { kept = nil }
      next = next + .microseconds(1_000_000 / perSecond)
      let rest = next - .now
      if rest > .zero { usleep(UInt32(rest.components.attoseconds / 1_000_000_000_000)) } else { next = .now }
    }
    lock.withLock { running -= 1 }
  }
}
