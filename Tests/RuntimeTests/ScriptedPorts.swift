import Kernel
import Synchronization

@testable import Runtime

// Each port as scripts, one per question that these tests ask; other questions are outages.

private func unscripted(_ question: String) -> Outage { Outage("script", "nobody scripted \(question)") }

struct ScriptedForge: Forge {
  let head = Script<BranchName, CommitID>(.untilCancelled(then: Facts.commit("a")))
  func resolve(_ branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch {
    throw unscripted("resolve")
  }
  func head(of branch: BranchName, in repository: RepositoryName) async throws(Outage) -> CommitID {
    try await head.answer(branch)
  }
  func prepare(_ order: CandidateOrder) async throws(Outage) -> CandidateOutcome { throw unscripted("prepare") }
  func land(
    _ commit: CommitID, on branch: BranchName, in repository: RepositoryName, expecting: CommitID
  ) async throws(Outage) -> LandOutcome { throw unscripted("land") }
  func commits(
    from old: CommitID?, to new: CommitID, in repository: RepositoryName, limit: Int
  ) async throws(Outage) -> [CommitFacts] { throw unscripted("commits") }
  func checkOut(_ commit: CommitID, of repository: RepositoryName, into folder: String) async throws(Outage) {
    try trees.write(commit, into: folder)
  }
  let trees: PaperTrees
  let move = Script<[CommitID], HeadMove>()
  let changedPaths = Script<[CommitID], ChangedPaths>()
  let comment = Script<ChangeNote, Void>()
  func move(from old: CommitID, to new: CommitID, in repository: RepositoryName) async throws(Outage) -> HeadMove {
    try await move.answer([old, new])
  }
  func states(of branches: [BranchName], in repository: RepositoryName) async throws(Outage) -> [ChangeState] {
    throw unscripted("states")
  }
  func changedPaths(
    from base: CommitID, to head: CommitID, in repository: RepositoryName
  ) async throws(Outage) -> ChangedPaths { try await changedPaths.answer([base, head]) }
  func comment(_ note: ChangeNote, in repository: RepositoryName) async throws(Outage) {
    try await comment.answer(note)
  }
}

struct ScriptedRunner: Runner {
  let run = Script<RunOrder, RunReport>()
  let release = Script<String, Void>(.gives(()))
  func run(_ order: RunOrder) async throws(Outage) -> RunReport { try await run.answer(order) }
  func release(key: String) async { _ = try? await release.ask(key) }
  let health = Script<Int, RunnerHealth>(
    .gives(RunnerHealth(running: 0, slots: nil, queued: 0, lastSeenAt: Facts.start, problem: nil)))
  func health() async -> RunnerHealth {
    (try? await health.ask(0))
      ?? RunnerHealth(running: 0, slots: nil, queued: 0, lastSeenAt: Facts.start, problem: "nobody scripted it")
  }
}

struct ScriptedArtifactStore: ArtifactStore {
  struct Packing: Equatable, Sendable {
    let folder: String
    let facts: BuildFacts
  }
  let pack = Script<Packing, StoredArtifact>()
  func pack(folder: String, facts: BuildFacts) async throws -> StoredArtifact {
    try await pack.ask(Packing(folder: folder, facts: facts))
  }
  func verify(
    _ digest: Digest, service: ServiceName, commit: CommitID
  ) async throws(Outage) -> ProvenanceFinding { throw unscripted("verify") }
  let trees: PaperTrees
  func unpack(_ digest: Digest, into folder: String) async throws(Outage) { try trees.write(digest, into: folder) }
  func digest(ofReleaseFolder folder: String) async throws(Outage) -> Digest { throw unscripted("digest") }
}

/// Runs nothing; the test says what it reports.
final class ScriptedPlatform: Platform {
  typealias Report = @Sendable (PlatformReport) async -> Void
  struct Order: Equatable, Sendable {
    let deployment: DeploymentID
    let specification: RunSpecification
    let limit: Int?
    let configuration: [EnvironmentVariable]
    let fence: Fence
  }
  private let reports = Mutex<[DeploymentID: Report]>([:])
  private let supervised = Mutex<[Order]>([])
  var orders: [Order] { supervised.withLock { $0 } }
  func supervises(_ deployment: Deployment) -> Bool { reports.withLock { $0[deployment.id] != nil } }
  func say(_ report: PlatformReport, of deployment: Deployment) async {
    await reports.withLock { $0[deployment.id] }?(report)
  }
  func keepRunning(
    _ deployment: Deployment, _ specification: RunSpecification, limit: Int?, configuration: [EnvironmentVariable],
    fence: Fence, report: @escaping Report
  ) async throws(Outage) {
    supervised.withLock {
      $0.append(
        Order(
          deployment: deployment.id, specification: specification, limit: limit, configuration: configuration,
          fence: fence))
    }
    reports.withLock { $0[deployment.id] = report }
    await Gate().wait()
  }
  func retire(_ deployment: Deployment, fence: Fence) async throws(Outage) {}
  let usage = Script<[DeploymentID], [InstanceUsage]>(.gives([]))
  func usage(of deployments: [DeploymentID]) async -> [InstanceUsage] { (try? await usage.ask(deployments)) ?? [] }
}

struct ScriptedQueries: QuerySource {
  let outcome = Script<QueryCheck, QueryCheck.Outcome>(.gives(.unknown("nobody scripted an answer")))
  func outcome(of check: QueryCheck) async -> QueryCheck.Outcome {
    (try? await outcome.ask(check)) ?? .unknown("the script failed")
  }
}

struct ScriptedHistory: HistorySource {
  let counts = Script<[Span], WindowAnswer>(.gives(.unknown("nobody scripted counts")))
  let baseline = Script<Span, HistoryAnswer?>(.gives(nil))
  func counts(of indicator: Objective.Indicator, over windows: [Span]) async -> WindowAnswer {
    (try? await counts.ask(windows)) ?? .unknown("the script failed")
  }
  func baseline(
    of service: ServiceName, in environment: EnvironmentName, slowerThan: Span
  ) async -> HistoryAnswer? { (try? await baseline.ask(slowerThan)) ?? nil }
}

struct ScriptedRouter: Router {
  struct Applying: Equatable, Sendable {
    let routes: [RoutedDeployment]
    var preview: PreviewRoute?
    let fence: Fence
  }
  static let appliedAt = Facts.start + .seconds(9)
  let apply = Script<Applying, RouteOutcome>(.gives(.applied(at: appliedAt)))
  let close = Script<Fence, Void>(.gives(()))
  let loss = Script<ServiceName, RouteLoss>(.untilCancelled(then: .gone))
  let port = Script<ServiceName, Int?>(.gives(8080))
  func apply(
    _ routes: [RoutedDeployment], preview: PreviewRoute?, service: ServiceName, environment: EnvironmentName,
    fence: Fence
  ) async throws(Outage) -> RouteOutcome {
    try await apply.answer(Applying(routes: routes, preview: preview, fence: fence))
  }
  func close(service: ServiceName, environment: EnvironmentName, fence: Fence) async throws(Outage) {
    try await close.answer(fence)
  }
  func port(of service: ServiceName, in environment: EnvironmentName) async -> Int? {
    (try? await port.ask(service)) ?? nil
  }
  func waitForLoss(service: ServiceName, environment: EnvironmentName) async throws(Outage) -> RouteLoss {
    try await loss.answer(service)
  }
}

struct ScriptedTelemetry: Telemetry {
  let bins = Script<Span, AsyncStream<EvidenceBin>>()
  func bins(
    service: ServiceName, environment: EnvironmentName, slowerThan: Span, width: Span
  ) async throws(Outage) -> AsyncStream<EvidenceBin> { try await bins.answer(slowerThan) }
  func history(
    of deployment: DeploymentID, slowerThan: Span, window: Span
  ) async throws(Outage) -> RequestCounts { .zero }
  let harm = Script<Instant, Harm>(
    .gives(Harm(counts: .zero, firstBadAt: nil, lastBadAt: nil, clientMinutes: 0)))
  func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async throws(Outage) -> Harm {
    try await harm.answer(since)
  }
}

struct ScriptedAnnouncer: Announcer {
  func announce(_ announcement: Announcement, to target: Int) async throws(Outage) {}
}

/// Remembers what was put, under one digest; gives what a test laid into it.
final class ScriptedBlobStore: BlobStore {
  private let blobs = Mutex<[[UInt8]]>([])
  private let laid = Mutex<[Digest: [UInt8]]>([:])
  var put: [[UInt8]] { blobs.withLock { $0 } }
  func lay(_ bytes: [UInt8], at digest: Digest) { laid.withLock { $0[digest] = bytes } }
  func put(_ bytes: [UInt8]) throws(Outage) -> Digest {
    blobs.withLock { $0.append(bytes) }
    return Facts.digest("e")
  }
  func get(_ digest: Digest) throws(Outage) -> [UInt8] {
    guard let bytes = laid.withLock({ $0[digest] }) else { throw unscripted("get") }
    return bytes
  }
  func contains(_ digest: Digest) -> Bool { false }
}

/// Opens what was sealed last; before that, what the catalog says.
final class ScriptedSealer: Sealer {
  private let sealed = Mutex(
    SealedConfiguration.entries(ScriptedCatalog.variables, ScriptedCatalog.specification))
  func seal(_ variables: [EnvironmentVariable]) throws(Outage) -> (hash: Digest, sealed: Digest) {
    sealed.withLock { $0 = variables }
    return (Facts.digest("0"), Facts.digest("1"))
  }
  func open(_ digest: Digest) throws(Outage) -> [EnvironmentVariable] { sealed.withLock { $0 } }
  func lose() { sealed.withLock { $0 = [] } }
}

struct ScriptedCatalog: Catalog {
  static let variables = [EnvironmentVariable(name: "GREETING", value: "ahoy")]
  static let specification = RunSpecification(
    command: "./serve", readinessPath: "/ready", readinessLimit: .seconds(5), instances: 2, stopLimit: .seconds(7),
    portVariable: "LISTEN", memoryLimitBytes: 1 << 40)
  func specification(of service: ServiceName, in environment: EnvironmentName) throws(Outage) -> RunSpecification {
    Self.specification
  }
  func repository(of service: ServiceName) throws(Outage) -> RepositoryName { Facts.repository }
  func variables(
    of service: ServiceName, in environment: EnvironmentName
  ) throws(Outage) -> [EnvironmentVariable] { Self.variables }
}
