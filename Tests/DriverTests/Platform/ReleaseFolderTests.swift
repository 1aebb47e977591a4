import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// Release folders edited by hand under us, and artifacts that are gone from the store.
@Suite("Release folders")
struct ReleaseFolderTests {
  private let folder = ServiceFolder()
  private let reports = Reports<PlatformReport>()
  private let deployment: Deployment
  private let platform: LocalPlatform
  private let artifacts: SlowArtifacts

  init() async throws {
    let source = "\(folder.path)/build"
    try FileManager.default.createDirectory(atPath: "\(source)/lib", withIntermediateDirectories: true)
    try ServiceFixture.program.write(toFile: "\(source)/server.py", atomically: true, encoding: .utf8)
    try "1\n".write(toFile: "\(source)/lib/one", atomically: true, encoding: .utf8)
    let store = try OCIArtifactStore(folder: "\(folder.path)/store", keys: "\(folder.path)/keys")
    let fixture = ServiceFixture.deployment("a")
    let stored = try await store.pack(
      folder: source,
      facts: BuildFacts(
        service: fixture.service, repository: try #require(RepositoryName(rawValue: "shop")), commit: fixture.commit,
        command: "make", startedAt: Instant(milliseconds: 0), endedAt: Instant(milliseconds: 1)))
    deployment = Deployment(
      service: fixture.service, environment: fixture.environment, digest: stored.digest, commit: fixture.commit,
      configuration: fixture.configuration, sealedConfiguration: fixture.sealedConfiguration)
    artifacts = SlowArtifacts(store: store)
    platform = LocalPlatform(
      releases: "\(folder.path)/releases", instances: "\(folder.path)/instances", logs: "\(folder.path)/logs",
      artifacts: artifacts, releaseLook: .milliseconds(200)
    ) { LoopbackPort.free() }
  }

  private var release: String { "\(folder.path)/releases/\(deployment.id)" }
  private var starts: Int {
    let file = "\(folder.path)/instances/\(deployment.id)/0.scratch/starts"
    return (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n").count ?? 0
  }

  private func keep(fence: Int64 = 1) -> Task<Void, any Error> {
    Task { [deployment, reports, platform] in
      try await platform.keepRunning(
        deployment,
        RunSpecification(
          command: "exec python3 server.py", readinessPath: "/ready", readinessLimit: .seconds(10), instances: 1,
          stopLimit: .seconds(2)),
        limit: nil, configuration: [], fence: Fence(fence), report: { await reports.add($0) })
    }
  }

  private func readies() async -> [Endpoint] {
    var found: [Endpoint] = []
    for case .ready(let endpoints, let digest) in await reports.all {
      #expect(digest == deployment.digest)
      found += endpoints
    }
    return found
  }

  private func altered() async -> [(digest: Digest?, sentence: String)] {
    await reports.all.compactMap { if case .altered(let digest, let sentence) = $0 { (digest, sentence) } else { nil } }
  }

  private func edit(_ name: String, _ text: String) throws {
    for path in [release, "\(release)/lib"] { chmod(path, 0o755) }
    try text.write(toFile: "\(release)/\(name)", atomically: true, encoding: .utf8)
  }

  private func write(_ name: String, _ text: String) throws {
    for path in [release, "\(release)/lib"] { chmod(path, 0o755) }
    try text.write(toFile: "\(release)/\(name)", atomically: false, encoding: .utf8)
  }

  private func text(_ name: String) -> String? { try? String(contentsOfFile: "\(release)\(name)", encoding: .utf8) }

  private func retire(_ task: Task<Void, any Error>) async throws {
    task.cancel()
    _ = await task.result
    try await platform.retire(deployment, fence: Fence(9))
    let left = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/releases")
    #expect(left.isEmpty)
  }

  @Test("files changed under a running instance are named, put right and kept aside; the instance runs on")
  func edited() async throws {
    let task = keep()
    await eventually("ready") { await !readies().isEmpty }
    try edit("server.py", "import sys; sys.exit(1)\n")
    try? FileManager.default.removeItem(atPath: "\(release)/lib/one")
    await eventually("told") { await altered().contains { $0.sentence.contains("server.py") } }
    await eventually("put right") { (try? String(contentsOfFile: "\(release)/lib/one", encoding: .utf8)) == "1\n" }
    await eventually("told that it is right again") { await readies().count > 1 }
    // The edits may have met two looks.
    let told = await altered()
    #expect(told.allSatisfy { $0.digest != deployment.digest && $0.sentence.contains(release) })
    let sentences = told.map(\.sentence).joined(separator: "\n")
    for what in ["server.py differs", "lib/one is missing", "someone else changed"] {
      #expect(sentences.contains(what), "\(what) in \(sentences)")
    }
    #expect(try String(contentsOfFile: "\(release)/server.py", encoding: .utf8) == ServiceFixture.program)
    #expect(text(".changed/server.py") == "import sys; sys.exit(1)\n")
    #expect(starts == 1)
    // What was put right is what the next start runs.
    let port = try #require(await readies().first?.port)
    _ = ServiceFixture.get(port, "/exit", timeout: 1)
    await eventually("started again") { starts == 2 }
    try await retire(task)
  }

  @Test("what the service writes beside its artifact's files is its own: not told, not moved, not made read-only")
  func ownWriting() async throws {
    let task = keep()
    await eventually("ready") { await !readies().isEmpty }
    let written = ["/orders.db": "order 1\n", "/lib/app.log": "line 1\n"]
    for (name, content) in written { try write(name, content) }
    #expect(mkfifo("\(release)/wake", 0o600) == 0)
    // What is told of a later change names that alone.
    try edit("lib/one", "other\n")
    await eventually("told") { await !altered().isEmpty }
    await eventually("put right") { text("/lib/one") == "1\n" }
    let told = await altered()
    #expect(told.count == 1 && told[0].sentence.contains("changed the release folder \(release): lib/one differs. It"))
    for (name, content) in written {
      #expect(text(name) == content)
      #expect(FileManager.default.isWritableFile(atPath: release + name))
      #expect((try FileManager.default.attributesOfItem(atPath: release + name)[.posixPermissions] as? Int) == 0o644)
    }
    await eventually("told that it is right again") { await readies().count == 2 }
    // Nor when the next one to look knows nothing of the folder.
    task.cancel()
    try await task.value
    let before = await readies()
    let second = keep()
    await eventually("ready again") { await readies() == before + before.prefix(1) }
    #expect(await altered().count == 1)
    #expect(text("/orders.db") == "order 1\n" && starts == 1)
    try await retire(second)
  }

  @Test("what was in the way is never written over; after the fifth time nothing is put right any more")
  func keptAside() async throws {
    let task = keep()
    await eventually("ready") { await !readies().isEmpty }
    let asides = [".changed", ".changed-2", ".changed-3", ".changed-4", ".changed-5"]
    for (index, aside) in asides.enumerated() {
      try edit("lib/one", "other \(index)\n")
      await eventually("told") { await altered().count == index + 1 }
      #expect(text("/lib/one") == "1\n")
      #expect(text("\(aside)/lib/one") == "other \(index)\n")
    }
    try edit("lib/one", "once more\n")
    await eventually("told that it stays") { await altered().last?.sentence.contains("was put right 5 times") == true }
    #expect(text("/lib/one") == "once more\n")
    for (index, aside) in asides.enumerated() { #expect(text("\(aside)/lib/one") == "other \(index)\n") }
    try FileManager.default.removeItem(atPath: release + asides[0])
    await eventually("put right again") { text("/lib/one") == "1\n" }
    await eventually("told again") { await altered().count == 7 }
    #expect(text("\(asides[0])/lib/one") == "once more\n")
    try await retire(task)
  }

  @Test("the quick look sees the artifact's files only")
  func quickLook() async throws {
    let folder = ReleaseFolder(path: "\(folder.path)/release", digest: deployment.digest, artifacts: artifacts)
    let own = try await folder.unpack()
    #expect(own == ["lib", "lib/one", "server.py"])
    let first = try #require(await folder.fingerprint(of: own))
    chmod(folder.path, 0o755)
    try "order\n".write(toFile: "\(folder.path)/orders.db", atomically: true, encoding: .utf8)
    #expect(await folder.fingerprint(of: own) == first)
    guard case .intact(let found) = await folder.measure(own: nil) else { return _ = Issue.record("it is changed") }
    #expect(found == own)
    chmod("\(folder.path)/server.py", 0o644)
    #expect(await folder.fingerprint(of: own) != first)
    try FileManager.default.removeItem(atPath: "\(folder.path)/server.py")
    #expect(await folder.fingerprint(of: own) == nil)
    guard case .changed(let other?) = await folder.measure(own: own) else { return _ = Issue.record("not changed") }
    #expect(other != deployment.digest)
    try folder.remove()
    #expect(!FileManager.default.fileExists(atPath: folder.path))
  }

  @Test("ready is told when the folder is right at last, though the instances were ready before")
  func readyAfterFault() async throws {
    let first = keep()
    await eventually("ready") { await !readies().isEmpty }
    first.cancel()
    try await first.value
    let before = await readies()
    let blobs = "\(folder.path)/store/blobs"
    try FileManager.default.moveItem(atPath: blobs, toPath: blobs + ".away")
    try edit("lib/one", "other\n")
    let second = keep()
    await eventually("told to be up") { await reports.all.last == .endpoints(before) }
    let told = await altered()
    #expect(told.count == 1 && told[0].digest == nil && told[0].sentence.contains("cannot be told"), "\(told)")
    #expect(await readies() == before)
    try FileManager.default.moveItem(atPath: blobs + ".away", toPath: blobs)
    await eventually("ready") { await readies() == before + before }
    #expect(text("/lib/one") == "1\n" && starts == 1)
    try await retire(second)
  }

  @Test("an old and a new supervision of one deployment are never at its folder at once")
  func oneAtATime() async throws {
    let first = keep()
    await eventually("ready") { await !readies().isEmpty }
    try edit("lib/one", "other\n")
    let later = (2...5).map { keep(fence: $0) }
    await eventually("put right") { text("/lib/one") == "1\n" }
    for task in [first] + later.dropLast() { try await task.value }
    await eventually("ready again") { await readies().count > 1 }
    #expect(artifacts.most == 1)
    #expect(text(".changed/lib/one") == "other\n" && text(".changed-2/lib/one") == nil)
    try await retire(later[3])
  }

  @Test("a folder that was replaced by something else altogether is put right too")
  func replaced() async throws {
    let task = keep()
    await eventually("ready") { await !readies().isEmpty }
    let elsewhere = "\(folder.path)/elsewhere"
    try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: release, toPath: "\(folder.path)/moved")
    try FileManager.default.createSymbolicLink(atPath: release, withDestinationPath: elsewhere)
    await eventually("put right") {
      (try? String(contentsOfFile: "\(release)/server.py", encoding: .utf8)) == ServiceFixture.program
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere).isEmpty, "nothing was written through it")
    await eventually("told") { await altered().count == 1 }
    try await retire(task)
  }

  @Test("a folder changed while nobody looked is put right at adoption, before anything is told to be ready")
  func adopted() async throws {
    let first = keep()
    await eventually("ready") { await !readies().isEmpty }
    first.cancel()
    try await first.value
    try edit("lib/one", "other\n")
    let before = await readies()
    let second = keep()
    await eventually("ready again") { await readies() == before + before }
    let told = await altered()
    #expect(told.count == 1 && told[0].digest != nil && told[0].sentence.contains("lib/one differs"))
    #expect(starts == 1)
    try await retire(second)
  }

  @Test("of a folder that nothing runs from, only words are told: nobody ran the other bytes")
  func unused() async throws {
    try FileManager.default.createDirectory(atPath: "\(release)/lib", withIntermediateDirectories: true)
    try edit("lib/one", "other\n")
    let task = keep()
    await eventually("ready") { await !readies().isEmpty }
    let told = await altered()
    #expect(told.count == 1 && told[0].digest == nil)
    try await retire(task)
  }

  @Test("an artifact that is gone from the store is named, and a version that never ran is not started")
  func gone() async throws {
    try FileManager.default.removeItem(atPath: "\(folder.path)/store/blobs")
    do {
      try await keep().value
      Issue.record("it was run")
    } catch let outage as Outage {
      #expect(outage.sentence.contains("gone from the store") && outage.sentence.contains("sha256"), "\(outage)")
    }
    #expect(starts == 0)
  }

  @Test("what runs goes on when its folder is changed and its artifact gone; it is started again when it is back")
  func changedAndGone() async throws {
    let task = keep()
    await eventually("ready") { await !readies().isEmpty }
    let blobs = "\(folder.path)/store/blobs"
    try FileManager.default.moveItem(atPath: blobs, toPath: blobs + ".away")
    try edit("lib/one", "other\n")
    await eventually("told") { await altered().count == 1 }
    let told = await altered()
    #expect(told[0].sentence.contains("cannot be put right") && told[0].sentence.contains("gone from the store"))
    let port = try #require(await readies().first?.port)
    #expect(ServiceFixture.get(port, "/ready")?.status == 200)
    _ = ServiceFixture.get(port, "/exit", timeout: 1)
    await eventually("not started from other bytes") {
      await reports.all.contains {
        guard case .ended(_, .failedToStart(let reason), _, _, _) = $0 else { return false }
        return reason.contains("cannot be put right")
      }
    }
    #expect(starts == 1)
    try FileManager.default.moveItem(atPath: blobs + ".away", toPath: blobs)
    await eventually("started again", within: 30) {
      guard case .ready(let endpoints, _)? = await reports.all.last else { return false }
      return endpoints.count == 1
    }
    #expect(await altered().count == 2, "that it was put right is told too")
    #expect(starts == 2)
    try await retire(task)
  }
}

/// A store as slow as a large artifact makes it, which counts how many are at it at once.
private final class SlowArtifacts: ArtifactStore, @unchecked Sendable {
  private let store: OCIArtifactStore
  private let lock = NSLock()
  private var present = 0
  private var highest = 0
  var most: Int { lock.withLock { highest } }
  init(store: OCIArtifactStore) { self.store = store }

  private func slowly<Value: Sendable>(_ body: () async throws(Outage) -> Value) async throws(Outage) -> Value {
    lock.withLock {
      present += 1
      highest = max(highest, present)
    }
    defer { lock.withLock { present -= 1 } }
    try? await Task.sleep(for: .milliseconds(30))
    return try await body()
  }

  func pack(folder: String, facts: BuildFacts) async throws -> StoredArtifact {
    try await store.pack(folder: folder, facts: facts)
  }
  func verify(_ digest: Digest, service: ServiceName, commit: CommitID) async throws(Outage) -> ProvenanceFinding {
    try await store.verify(digest, service: service, commit: commit)
  }
  func unpack(_ digest: Digest, into folder: String) async throws(Outage) {
    try await slowly { () async throws(Outage) in try await store.unpack(digest, into: folder) }
  }
  func digest(ofReleaseFolder folder: String) async throws(Outage) -> Digest {
    try await slowly { () async throws(Outage) in try await store.digest(ofReleaseFolder: folder) }
  }
}
