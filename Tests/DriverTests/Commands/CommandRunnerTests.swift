import Drivers
import Foundation
import Kernel
import Synchronization
import Testing

@Suite("Command runner")
struct CommandRunnerTests {
  @Test("exit code, both streams in order, and the checkout are the command's")
  func exits() async throws {
    try await withRunner { runner, blobs, _ in
      let report = try await runner.run(order("out", "cat file.txt; echo two >&2; echo three; exit 3"))
      #expect(report.end == .exited(code: 3))
      #expect(!report.passed)
      #expect(String(decoding: try blobs.get(report.log), as: UTF8.self) == "checked out\ntwo\nthree\n")
      #expect(report.logTail == "checked out\ntwo\nthree\n")
    }
  }

  @Test("a signal is told apart from an exit code")
  func signalled() async throws {
    try await withRunner { runner, _, _ in
      let report = try await runner.run(order("sig", "kill -9 $$"))
      #expect(report.end == .signalled(number: 9))
    }
  }

  @Test("the environment is the order's and nothing of the server's")
  func environment() async throws {
    try await withRunner { runner, blobs, folder in
      let report = try await runner.run(
        order(
          "env", "env | cut -d= -f1 | sort; cat; ls -A $HOME $TMPDIR | wc -l",
          environment: [.init(name: "LAMP", value: "on")]))
      let names = Set(
        String(decoding: try blobs.get(report.log), as: UTF8.self).split(separator: "\n").map(String.init))
      #expect(
        names.isSubset(of: ["PATH", "HOME", "TMPDIR", "PLIMSOLL_RUN", "LAMP", "PWD", "OLDPWD", "SHLVL", "_", "3"]))
      #expect(names.isSuperset(of: ["PATH", "HOME", "TMPDIR", "LAMP"]))
      #expect(report.end == .exited(code: 0))
    }
  }

  @Test("a command that hangs is killed at its limit, with all that it started")
  func hangs() async throws {
    try await withRunner { runner, _, folder in
      let started = ContinuousClock.now
      let report = try await runner.run(order("hang", "echo on it; sleep 300 & sleep 300", timeLimit: .seconds(0.3)))
      #expect(report.end == .timedOut)
      #expect(report.logTail.contains("on it"))
      #expect(report.logTail.contains("time limit of 0.3 s"))
      #expect(ContinuousClock.now - started < .seconds(20))
      #expect(marked(by: folder).isEmpty)
    }
  }

  @Test("grandchildren that ignore SIGTERM and leave the group or the session are killed")
  func grandchildren() async throws {
    try await withRunner { runner, _, folder in
      let report = try await runner.run(
        order(
          "fork",
          """
          (trap '' TERM; sleep 301) &
          setsid sh -c 'trap "" TERM; sleep 302' &
          (setsid sh -c 'sleep 303 & sleep 304' &) &
          trap '' TERM
          sleep 305
          """, timeLimit: .seconds(0.5)))
      #expect(report.end == .timedOut)
      #expect(marked(by: folder).isEmpty)
    }
  }

  @Test("what a passing command leaves running is killed, and does not hold up its report")
  func leftBehind() async throws {
    try await withRunner { runner, _, folder in
      let report = try await runner.run(order("left", "sleep 306 & setsid sleep 307 & echo done"))
      #expect(report.end == .exited(code: 0))
      #expect(marked(by: folder).isEmpty)
    }
  }

  @Test("a flood is kept at both ends, and the cut is stated")
  func floods() async throws {
    try await withRunner { runner, blobs, _ in
      let report = try await runner.run(order("flood", "echo first; yes | head -c 200000000; echo last"))
      #expect(report.end == .exited(code: 0))
      let log = try blobs.get(report.log)
      #expect(log.count < (2 << 20) + 200)
      #expect(log.starts(with: Array("first\n".utf8)))
      #expect(report.logTail.hasSuffix("last\n"))
      #expect(report.logTail.utf8.count <= 2048)
      let cut = 200_000_011 - 2 * (1 << 20)
      #expect(String(decoding: log, as: UTF8.self).contains("[plimsoll: \(cut) bytes are cut here"))
    }
  }

  @Test("bytes that are no text give a tail that is")
  func binary() async throws {
    try await withRunner { runner, _, _ in
      let report = try await runner.run(order("bin", "head -c 100000 /dev/urandom"))
      #expect(report.logTail.utf8.count <= 2048)
    }
  }

  @Test("cancelling kills the command, and the next call runs it anew")
  func cancelled() async throws {
    try await withRunner { runner, _, folder in
      let slow = order("stop", "echo begun > $TMPDIR/../begun; sleep 308")
      let calling = Task { try await runner.run(slow) }
      try await until("the command runs") { !marked(by: folder).isEmpty }
      calling.cancel()
      #expect(try await calling.value.end == .cancelled)
      #expect(marked(by: folder).isEmpty)
      #expect(try await runner.run(order("stop", "echo again")).end == .exited(code: 0))
    }
  }

  @Test("callers with one key join one run; a finished key is not run again")
  func joins() async throws {
    try await withRunner { runner, _, folder in
      let counting = order("once", "echo x >> \(folder)-count; sleep 0.3; wc -l < \(folder)-count")
      defer { try? FileManager.default.removeItem(atPath: folder + "-count") }
      async let first = runner.run(counting)
      async let second = runner.run(counting)
      let reports = try await [first, second, runner.run(counting)]
      #expect(Set(reports.map(\.logTail)) == ["1\n"])
      #expect(Set(reports.map(\.startedAt)).count == 1)
    }
  }

  @Test("one of two callers leaving does not kill the other's run")
  func oneLeaves() async throws {
    try await withRunner { runner, _, folder in
      let shared = order("shared", "while ! test -e \(folder)-go; do sleep 0.02; done; echo went")
      defer { try? FileManager.default.removeItem(atPath: folder + "-go") }
      let leaving = Task { try await runner.run(shared) }
      let staying = Task { try await runner.run(shared) }
      try await until("the command runs") { !marked(by: folder).isEmpty }
      leaving.cancel()
      try "".write(toFile: folder + "-go", atomically: true, encoding: .utf8)
      #expect(try await staying.value.end == .exited(code: 0))
    }
  }

  @Test("the output folder stays until it is released, twice without harm")
  func output() async throws {
    try await withRunner { runner, _, _ in
      let report = try await runner.run(order("build", "mkdir -p out && echo made > out/x", output: "out"))
      let folder = try #require(report.outputFolder)
      #expect(try String(contentsOfFile: folder + "/x", encoding: .utf8) == "made\n")
      await runner.release(key: "build")
      await runner.release(key: "build")
      #expect(!FileManager.default.fileExists(atPath: folder))
      #expect(try await runner.run(order("build", "mkdir out; touch out/y", output: "out")).outputFolder != nil)
    }
  }

  @Test(
    "an output that is absent, empty or outside is none, though the command passed",
    arguments: ["true", "mkdir out", "ln -s /etc out", "ln -s .. out"])
  func noOutput(_ command: String) async throws {
    try await withRunner { runner, _, _ in
      let report = try await runner.run(order("none", command, output: "out"))
      #expect(report.end == .exited(code: 0))
      #expect(report.outputFolder == nil)
      #expect(report.logTail.contains("wrote nothing into 'out'"))
    }
  }

  @Test("a full disk while a command runs is an outage, not its failure")
  func fullDisk() async throws {
    let blobs = RunnerBlobs()
    let folder = shortFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let runner = try await CommandRunner(
      folder: folder, forge: OneFileForge(), blobs: blobs, diskFloorBytes: .max, now: wallClock)
    let outage = await #expect(throws: Outage.self) { try await runner.run(order("full", "exit 1")) }
    #expect(outage?.subject == "disk")
    #expect(try await runner.run(order("fine", "exit 0")).passed)
  }

  @Test("a checkout that fails is an outage and is tried again")
  func checkoutFails() async throws {
    let folder = shortFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let runner = try await CommandRunner(
      folder: folder, forge: OneFileForge(failures: 1), blobs: RunnerBlobs(), now: wallClock)
    await #expect(throws: Outage.self) { try await runner.run(order("c", "true")) }
    #expect(try await runner.run(order("c", "true")).passed)
  }

  @Test("a command that removes its own folder has failed the third time")
  func removesItself() async throws {
    try await withRunner { runner, blobs, _ in
      func run() async throws -> RunReport { try await runner.run(order("rm", "rm -rf \"$PLIMSOLL_RUN\"; exit 3")) }
      for _ in 1..<CommandRunner.vanishedLimit {
        let outage = await #expect(throws: Outage.self) { try await run() }
        #expect(outage?.subject == "runner")
      }
      let report = try await run()
      #expect(report.end == .exited(code: 3))
      #expect(report.logTail.contains("that is its failure"))
    }
  }

  @Test("a new runner removes what a killed one left: folders and processes")
  func leftovers() async throws {
    try await withRunner { _, blobs, folder in
      let orphan = Process()
      orphan.executableURL = URL(fileURLWithPath: "/bin/sleep")
      orphan.arguments = ["309"]
      orphan.environment = ["PLIMSOLL_RUN": folder + "/0123456789abcdef/"]
      try orphan.run()
      defer { if orphan.isRunning { kill(orphan.processIdentifier, SIGKILL) } }
      // Between fork and exec it does not show its mark yet.
      let deadline = ContinuousClock.now + .seconds(30)
      while marked(by: folder).isEmpty, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
      #expect(!marked(by: folder).isEmpty)
      try FileManager.default.createDirectory(
        atPath: folder + "/0123456789abcdef/work", withIntermediateDirectories: true)
      _ = try await CommandRunner(folder: folder, forge: OneFileForge(), blobs: blobs, now: wallClock)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      #expect(marked(by: folder).isEmpty)
      orphan.waitUntilExit()
      #expect(orphan.terminationReason == .uncaughtSignal)
    }
  }

  @Test("a new runner of a plain user removes read-only folders that a killed one left")
  func readOnlyLeftovers() async throws {
    let folder = shortFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    chmod(folder, 0o777)
    // To root no folder is read-only, so it is tried in a process that is not root any more.
    await #expect(processExitsWith: .success) { [folder = folder as String] in
      if getuid() == 0 { try #require(setuid(65_534) == 0, "nobody") }
      let cache = folder + "/runs/0123456789abcdef/home/cache"
      try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
      try "x".write(toFile: cache + "/module", atomically: false, encoding: .utf8)
      for readOnly in [cache, folder + "/runs/0123456789abcdef/home"] { try #require(chmod(readOnly, 0o555) == 0) }
      #expect(throws: (any Error).self) { try FileManager.default.removeItem(atPath: folder + "/runs") }
      _ = try await CommandRunner(
        folder: folder + "/runs", forge: OneFileForge(), blobs: RunnerBlobs(), now: wallClock)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/runs").isEmpty)
    }
  }

  @Test(
    "a flood from a process that escaped holds up neither the report nor the time limit, and ends",
    .timeLimit(.minutes(2)), arguments: [("exit 0", RunEnd.exited(code: 0)), ("sleep 310", .timedOut)])
  func escapes(_ rest: String, _ end: RunEnd) async throws {
    try await withRunner { runner, _, folder in
      let file = folder + "-escaped"
      defer { try? FileManager.default.removeItem(atPath: file) }
      // The command goes on only when the other has left its session, else it would be killed with it.
      let command = """
        env -i setsid sh -c 'echo $$ > \(file); while :; do echo x; done' & \
        until test -s \(file); do sleep 0.01; done; \(rest)
        """
      let limit = end == .timedOut ? Span.seconds(1) : .seconds(60)
      let report = try await runner.run(order("escape", command, timeLimit: limit))
      #expect(report.end == end)
      let text = try String(contentsOfFile: file, encoding: .utf8)
      let escaped = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
      defer { if isAlive(escaped) { kill(escaped, SIGKILL) } }
      try await until("the escaped process is gone") { !isAlive(escaped) }
    }
  }

  // MARK: Scenery

  private func order(
    _ key: String, _ command: String, timeLimit: Span = .seconds(120), environment: [EnvironmentVariable] = [],
    output: String? = nil
  ) -> RunOrder {
    RunOrder(
      key: key, command: command, repository: RepositoryName(rawValue: "harbor")!,
      commit: CommitID(rawValue: String(repeating: "a", count: 40))!, timeLimit: timeLimit, environment: environment,
      output: output)
  }

  private func withRunner(_ body: (CommandRunner, RunnerBlobs, String) async throws -> Void) async throws {
    let blobs = RunnerBlobs()
    let folder = shortFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let runner = try await CommandRunner(folder: folder, forge: OneFileForge(), blobs: blobs, now: wallClock)
    try await body(runner, blobs, folder)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count <= 1)
  }
}

func shortFolder() -> String { NSTemporaryDirectory() + "plr-\(UUID().uuidString.prefix(8))" }

let wallClock: @Sendable () -> Instant = {
  Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
}

/// Living processes of runs under `folder`.
func marked(by folder: String) -> [Int] {
  let listed = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
  return listed.compactMap { Int($0) }.filter { pid in
    guard let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"), !environment.isEmpty,
      let state = FileManager.default.contents(atPath: "/proc/\(pid)/stat")
    else { return false }
    return String(decoding: environment, as: UTF8.self).contains("PLIMSOLL_RUN=\(folder)/")
      && !String(decoding: state, as: UTF8.self).contains(") Z ")
  }
}

private func isAlive(_ pid: pid_t) -> Bool {
  guard let state = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return false }
  return !String(decoding: state, as: UTF8.self).contains(") Z ")
}

private func until(_ what: String, _ holds: () -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(30)
  while !holds() {
    guard ContinuousClock.now < deadline else { throw Outage("test", "waited 30 s in vain: \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}

final class RunnerBlobs: BlobStore {
  private let blobs = Mutex<[Digest: [UInt8]]>([:])
  func put(_ bytes: [UInt8]) throws(Outage) -> Digest {
    var hash: UInt64 = 14_695_981_039_346_656_037
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
    let hex = String(hash, radix: 16)
    let digest = Digest(rawValue: "sha256:" + String(repeating: "0", count: 64 - hex.count) + hex)!
    blobs.withLock { $0[digest] = bytes }
    return digest
  }
  func get(_ digest: Digest) throws(Outage) -> [UInt8] {
    guard let found = blobs.withLock({ $0[digest] }) else { throw Outage("test", "no blob") }
    return found
  }
  func contains(_ digest: Digest) -> Bool { blobs.withLock { $0[digest] != nil } }
}

/// A forge whose every commit is one file, and whose first checkouts may fail.
final class OneFileForge: Forge {
  private let failures: Mutex<Int>
  init(failures: Int = 0) { self.failures = Mutex(failures) }
  private let none = Outage("test", "not part of this test")
  func resolve(_ branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch { throw none }
  func head(of branch: BranchName, in repository: RepositoryName) async throws(Outage) -> CommitID { throw none }
  func prepare(_ order: CandidateOrder) async throws(Outage) -> CandidateOutcome { throw none }
  func land(_ commit: CommitID, on branch: BranchName, in repository: RepositoryName, expecting: CommitID)
    async throws(Outage) -> LandOutcome
  { throw none }
  func commits(from old: CommitID?, to new: CommitID, in repository: RepositoryName, limit: Int)
    async throws(Outage) -> [CommitFacts]
  { throw none }
  func move(from old: CommitID, to new: CommitID, in repository: RepositoryName) async throws(Outage) -> HeadMove {
    throw none
  }
  func states(of branches: [BranchName], in repository: RepositoryName) async throws(Outage) -> [ChangeState] {
    throw none
  }
  func changedPaths(
    from base: CommitID, to head: CommitID, in repository: RepositoryName
  ) async throws(Outage) -> ChangedPaths { throw none }
  func comment(_ note: ChangeNote, in repository: RepositoryName) async throws(Outage) { throw none }
  func checkOut(_ commit: CommitID, of repository: RepositoryName, into folder: String) async throws(Outage) {
    let fails = failures.withLock { left in
      left -= 1
      return left >= 0
    }
    if fails { throw Outage("git", "no checkout today") }
    do {
      try "checked out\n".write(toFile: folder + "/file.txt", atomically: false, encoding: .utf8)
    } catch { throw Outage("disk", "\(error)") }
  }
}
