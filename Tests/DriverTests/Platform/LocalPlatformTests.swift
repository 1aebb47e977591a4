import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Local processes")
struct LocalPlatformTests {
  let folder = ServiceFolder()
  let good = ServiceFixture.deployment("a")
  let reports = Reports<PlatformReport>()

  func platform(freePort: @escaping @Sendable () -> Int? = { LoopbackPort.free() }) -> LocalPlatform {
    LocalPlatform(
      releases: "\(folder.path)/releases", instances: "\(folder.path)/instances", logs: "\(folder.path)/logs",
      artifacts: ServiceArtifacts(), releaseLook: LocalPlatform.usualReleaseLook, freePort: freePort)
  }

  func specification(
    _ instances: Int = 1, readinessLimit: Span = .seconds(10), memory: Int64? = nil, stopLimit: Span = .seconds(2),
    command: String = "exec python3 server.py"
  ) -> RunSpecification {
    RunSpecification(
      command: command, readinessPath: "/ready", readinessLimit: readinessLimit,
      instances: instances, stopLimit: stopLimit, memoryLimitBytes: memory)
  }

  func keep(
    _ platform: LocalPlatform, _ specification: RunSpecification, limit: Int? = nil,
    configuration: [EnvironmentVariable] = [], fence: Int64 = 1
  ) -> Task<Void, any Error> {
    Task { [good, reports] in
      try await platform.keepRunning(
        good, specification, limit: limit, configuration: configuration, fence: Fence(fence),
        report: { await reports.add($0) })
    }
  }

  func ready() async -> [Endpoint] {
    var found: [Endpoint] = []
    await eventually("all instances ready") {
      for case .ready(let endpoints, let digest) in await reports.all {
        #expect(digest == good.digest)
        found = endpoints
      }
      return !found.isEmpty
    }
    return found
  }

  func retire(_ platform: LocalPlatform) async throws { try await platform.retire(good, fence: Fence(1_000)) }

  /// Whether any process carries the mark of one of the first two instances, whatever their files say.
  var runs: Bool {
    let files = InstanceFiles(folder: "\(folder.path)/instances/\(good.id)")
    return (0...1).contains { !InstanceProcesses(mark: files.mark($0)).all(leader: nil).isEmpty }
  }

  @Test("a service gets its configuration, its own scratch folder, and a release that it cannot write")
  func serves() async throws {
    let platform = platform()
    let task = keep(platform, specification(2), configuration: [EnvironmentVariable(name: "COLOUR", value: "a b'c")])
    let endpoints = await ready()
    #expect(endpoints.map(\.instance) == [0, 1])
    let port = try #require(endpoints.first?.port)
    #expect(ServiceFixture.get(port, "/variable/COLOUR")?.body == "a b'c")
    #expect(ServiceFixture.get(port, "/variable/PLIMSOLL_DIGEST")?.body == good.digest.rawValue)
    #expect(ServiceFixture.get(port, "/variable/TMPDIR")?.body == "\(folder.path)/instances/\(good.id)/0.scratch")
    let attributes = try FileManager.default.attributesOfItem(
      atPath: "\(folder.path)/releases/\(good.id)/server.py")
    #expect((attributes[.posixPermissions] as? Int ?? -1) & 0o222 == 0)
    #expect(runs)
    task.cancel()
    try await retire(platform)
    try await retire(platform)
    #expect(ServiceFixture.get(port, "/ready") == nil)
    #expect(!runs)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/releases/\(good.id)"))
  }

  @Test("instances outlive their supervision and are adopted, not started again")
  func adoption() async throws {
    let first = keep(platform(), specification())
    let before = await ready()
    first.cancel()
    try await first.value
    let successor = platform()
    let second = Reports<PlatformReport>()
    let task = Task { [good] in
      try await successor.keepRunning(
        good, specification(), limit: nil, configuration: [], fence: Fence(1), report: { await second.add($0) })
    }
    await eventually("adopted") { await second.all == [.ready(endpoints: before, digest: good.digest)] }
    let starts = try String(contentsOfFile: "\(folder.path)/instances/\(good.id)/0.scratch/starts", encoding: .utf8)
    #expect(starts == "start\n")
    task.cancel()
    try await retire(successor)
  }

  @Test("a start that a crash left without a record is found by its mark, never doubled")
  func lostRecord() async throws {
    let first = keep(platform(), specification())
    _ = await ready()
    first.cancel()
    try await first.value
    let files = InstanceFiles(folder: "\(folder.path)/instances/\(good.id)")
    let old = try #require(files.record(0))
    unlink("\(files.base(0)).record")
    let successor = platform()
    let task = keep(successor, specification())
    await eventually("another run recorded") { files.record(0).map { $0.pid != old.pid } ?? false }
    #expect(!ProcessTable.isAlive(old.pid, startTime: old.startTime))
    let leaders = InstanceProcesses(mark: files.mark(0)).all(leader: nil).filter { $0.pid == $0.session }
    #expect(leaders.count == 1)
    task.cancel()
    try await retire(successor)
  }

  @Test(
    "the cause of an end is known",
    arguments: [
      ("/exit", InstanceEnd.exited(code: 3)), ("/fault", .signalled(number: 11)), ("/eat", .outOfMemory),
    ])
  func causes(path: String, expected: InstanceEnd) async throws {
    let platform = platform()
    let task = keep(platform, specification(memory: 100 << 20))
    let port = try #require(await ready().first?.port)
    // Another process may have taken the port of an earlier start.
    let before = await reports.all.count
    _ = ServiceFixture.get(port, path, timeout: 1)
    await eventually("the end is told and the instance runs again") {
      let all = await reports.all.dropFirst(before)
      guard case .ended(0, let end, _, let tail, _)? = all.first(where: { if case .ended = $0 { true } else { false } })
      else { return false }
      #expect(end == expected)
      #expect(tail.contains("hello from the service"))
      guard case .endpoints(let last)? = all.last else { return false }
      return !last.isEmpty
    }
    task.cancel()
    try await retire(platform)
  }

  @Test("a kill is told soon after, with its signal")
  func quick() async throws {
    let platform = platform()
    let task = keep(platform, specification())
    _ = await ready()
    let record = try #require(InstanceFiles(folder: "\(folder.path)/instances/\(good.id)").record(0))
    let killed = Instant.now
    InstanceProcesses(mark: "").signal(SIGKILL, leader: record.pid)
    var at: Instant?
    await eventually("told") {
      for case .ended(_, let end, _, _, let time) in await reports.all {
        #expect(end == .signalled(number: 9))
        at = time
      }
      return at != nil
    }
    // Generous, because other tests share the cores.
    #expect((try #require(at) - killed).milliseconds < 2_000)
    task.cancel()
    try await retire(platform)
  }

  @Test("a service that never becomes ready is ended, told and started again")
  func neverReady() async throws {
    let platform = platform()
    let task = keep(
      platform, specification(readinessLimit: .seconds(0.3)),
      configuration: [EnvironmentVariable(name: "MODE", value: "never")])
    await eventually("told twice, counting up") {
      let ends = await reports.all.compactMap { report -> Int? in
        guard case .ended(0, .neverReady(afterMs: 300), let inRow, _, _) = report else { return nil }
        return inRow
      }
      return ends.prefix(2) == [1, 2]
    }
    task.cancel()
    try await retire(platform)
  }

  @Test("a proposed port that is taken is passed over")
  func portTaken() async throws {
    let taken = try #require(LoopbackPort.free())
    let free = try #require(LoopbackPort.free())
    let taker = PortTaker(taken)
    let proposals = Proposals([taken, free])
    let platform = platform { proposals.next() }
    let task = keep(platform, specification())
    #expect(await ready() == [Endpoint(instance: 0, port: free)])
    withExtendedLifetime(taker) {}
    task.cancel()
    try await retire(platform)
  }

  @Test("a release folder that is not what was ordered is refused, naming both digests")
  func tampered() async throws {
    let platform = platform()
    let release = "\(folder.path)/releases/\(good.id)"
    try FileManager.default.createDirectory(atPath: release, withIntermediateDirectories: true)
    do {
      try await platform.keepRunning(good, specification(), limit: nil, configuration: [], fence: Fence(1)) { _ in }
      Issue.record("a tampered release was run")
    } catch {
      #expect(error.sentence.contains(good.digest.rawValue))
      #expect(error.sentence.contains(TestDigest.tampered.rawValue))
    }
  }

  @Test("what carries a lower fence is ignored")
  func fences() async throws {
    let platform = platform()
    let task = keep(platform, specification(), fence: 7)
    let port = try #require(await ready().first?.port)
    try await platform.retire(good, fence: Fence(6))
    #expect(ServiceFixture.get(port, "/ready")?.status == 200)
    try await platform.retire(good, fence: Fence(8))
    try await task.value
    // Late: returns at once, starts nothing.
    try await platform.keepRunning(good, specification(), limit: nil, configuration: [], fence: Fence(7)) { _ in }
    #expect(!runs)
  }

  @Test("calling again takes over from the call before, without a second start")
  func callAgain() async throws {
    let platform = platform()
    let first = keep(platform, specification())
    let endpoints = await ready()
    let second = keep(platform, specification())
    try await first.value
    await eventually("told again") {
      await reports.all.filter { $0 == .ready(endpoints: endpoints, digest: good.digest) }.count == 2
    }
    let starts = try String(contentsOfFile: "\(folder.path)/instances/\(good.id)/0.scratch/starts", encoding: .utf8)
    #expect(starts == "start\n")
    second.cancel()
    try await retire(platform)
  }

  @Test("a request that is under way when its deployment is retired gets its answer")
  func draining() async throws {
    let platform = platform()
    let task = keep(platform, specification())
    let port = try #require(await ready().first?.port)
    let client = try #require(KeptConnection(port: port))
    // The service ends at once on SIGTERM, without finishing anything.
    client.send("/sleep/0.8", close: true)
    try await retire(platform)
    #expect(client.receive()?.status == 200)
    #expect(ServiceFixture.get(port, "/ready") == nil)
    task.cancel()
  }

  @Test("an idle connection holds a retirement up no longer than the stop limit")
  func drainingIsBounded() async throws {
    let platform = platform()
    let task = keep(platform, specification(stopLimit: .seconds(0.3)))
    let port = try #require(await ready().first?.port)
    let client = try #require(KeptConnection(port: port))
    #expect(client.get("/")?.status == 200)
    try await retire(platform)
    #expect(client.get("/") == nil)
    task.cancel()
  }

  @Test("with fewer instances the surplus ends, also one that ignores SIGTERM")
  func surplus() async throws {
    let platform = platform()
    let stubborn = "trap '' TERM; exec python3 server.py"
    let first = keep(platform, specification(2, stopLimit: .seconds(0.3), command: stubborn))
    let endpoints = await ready()
    let files = InstanceFiles(folder: "\(folder.path)/instances/\(good.id)")
    let second = keep(platform, specification(1, stopLimit: .seconds(0.3), command: stubborn))
    try await first.value
    await eventually("the surplus is gone") {
      files.record(1) == nil && InstanceProcesses(mark: files.mark(1)).all(leader: nil).isEmpty
    }
    let kept = try #require(endpoints.first?.port)
    #expect(ServiceFixture.get(kept, "/ready")?.status == 200)
    second.cancel()
    try await retire(platform)
    #expect(!runs)
  }

  @Test("an instance that lost its record and cannot be taken over is an outage, and is retired all the same")
  func failedSupervision() async throws {
    let platform = platform()
    let task = keep(platform, specification())
    _ = await ready()
    task.cancel()
    try await task.value
    // Its attempt cannot be raised: its scratch folder is a file.
    let files = InstanceFiles(folder: "\(folder.path)/instances/\(good.id)")
    unlink("\(files.base(0)).record")
    try FileManager.default.removeItem(atPath: files.scratch(0))
    try "in the way".write(toFile: files.scratch(0), atomically: true, encoding: .utf8)
    await #expect(throws: Outage.self) {
      try await platform.keepRunning(good, specification(), limit: nil, configuration: [], fence: Fence(1)) { _ in }
    }
    #expect(runs)
    try await retire(platform)
    #expect(!runs)
  }

  @Test("a pid that another process has by now leads no instance")
  func reusedPid() throws {
    let files = InstanceFiles(folder: "\(folder.path)/instances/\(good.id)")
    try files.intend(0, attempt: 1)
    let own = try #require(ProcessTable.entry(getpid()))
    func leader(startTime: UInt64) throws -> Int32? {
      try "1 \(own.pid) \(startTime) 20000\n".write(
        toFile: "\(files.base(0)).record", atomically: true, encoding: .utf8)
      return files.leader(0)
    }
    #expect(try leader(startTime: own.startTime) == own.pid)
    #expect(try leader(startTime: own.startTime + 1) == nil)
  }

  @Test("an instance's output is bounded and its tail is whole lines")
  func output() throws {
    let log = InstanceLog(path: "\(folder.path)/flood.log")
    let line = String(repeating: "x", count: 1023) + "\n"
    try (String(repeating: line, count: 8 * 1024 + 1) + "last words\n").write(
      toFile: log.path, atomically: true, encoding: .utf8)
    #expect(log.tail().hasSuffix("last words\n"))
    #expect(log.tail().utf8.count <= InstanceLog.tailBytes)
    log.bound()
    #expect(log.tail().isEmpty)
    #expect(InstanceLog(path: "\(log.path).1").tail().hasSuffix("last words\n"))
  }
}

@Suite("Open connections")
struct OpenConnectionsTests {
  private func check(_ what: Comment, _ lines: [String], _ ports: Set<Int>, expecting: Bool) {
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    let rest = "00000000:00000000 00:00000000 00000000     0        0 28318 1 0000000000000000 20 4 30 10 -1"
    let table = ([head] + lines.map { "\($0) \(rest)" }).joined(separator: "\n") + "\n"
    #expect(OpenConnections.exist(ports, in: table) == expecting, what)
  }

  @Test func lines() {
    let service = "   1: 0100007F:4E20 0100007F:9C40 01"
    let client = "   2: 0100007F:9C40 0100007F:4E20 01"
    check("the service's end", [service], [20_000], expecting: true)
    check("the router's end", [client], [20_000], expecting: true)
    check("another port", [service, client], [20_001], expecting: false)
    check("only listening", ["   0: 0100007F:4E20 00000000:0000 0A"], [20_000], expecting: false)
    check("already closed by one side", ["   0: 0100007F:9C40 0100007F:4E20 08"], [20_000], expecting: false)
    check("nothing", [], [20_000], expecting: false)
  }
}

/// Proposes the given ports in turn.
private final class Proposals: @unchecked Sendable {
  private let lock = NSLock()
  private var ports: [Int]
  init(_ ports: [Int]) { self.ports = ports }
  func next() -> Int? { lock.withLock { ports.isEmpty ? nil : ports.removeFirst() } }
}
