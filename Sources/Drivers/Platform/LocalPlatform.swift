import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// Runs deployments as processes of this machine. Kind: *by content*.
///
/// Instances outlive a killed Plimsoll: what is true of them lies in files (`InstanceFiles`) and in `/proc`, never in
/// this object, which holds only fences and what it last saw. Parts: `InstanceShim` starts and records,
/// `Supervision` keeps and reports, `ReleaseFolder` holds what runs, `ProcessTable` tells who lives.
///
/// Release folders are made read-only (modes); a service that runs as root can still write, so what would be written
/// there unasked is steered away (`PYTHONDONTWRITEBYTECODE`), and the artifact's files are watched as long as it runs.
///
/// The fence lives here: this object exists only under the stream's lease, so memory is enough. A lower fence than the
/// last one seen for the deployment is ignored; an equal or higher one takes over from a supervision under way.
package actor LocalPlatform: Platform {
  struct Seen {
    var fence: Fence
    /// Rises with every call that takes over; a supervision with an older one ends.
    var generation = 0
    /// Whoever measures, repairs or removes the release folder goes through it: an old supervision may still be at it
    /// when the next has begun.
    let releaseTurnstile = Turnstile()
  }

  let releases: String
  let instances: String
  let processes = RecentProcesses()
  let logs: String
  let artifacts: any ArtifactStore
  let releaseLook: Duration
  let freePort: @Sendable () -> Int?
  var seen: [DeploymentID: Seen] = [:]
  /// Shims that we killed: ours to reap when we started them.
  var killed: [Int32] = []
  /// Instances that a lower limit asked to end, by `InstanceFiles.mark`: their ends are nobody's fault.
  var leaving: Set<String> = []
  private let executor = QueueExecutor("plimsoll.platform")
  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// The time limit after SIGTERM when a deployment left no note.
  static let defaultStopLimit = Span.seconds(10)
  /// How long `retire` waits at most, before SIGTERM, for open connections to end. Requests that are longer are left to
  /// the service, which has `stopLimit` after SIGTERM to finish them.
  static let drainLimit = Span.seconds(2)
  /// How long processes may take to vanish after SIGKILL before `retire` calls it an outage.
  static let killLimit = Duration.seconds(5)
  /// How often processes are looked at: ends are told within twice this.
  static let tick = Duration.milliseconds(40)

  /// - Parameters:
  ///   - releases: folder for unpacked artifacts, one folder a deployment.
  ///   - instances: folder for process records and scratch space.
  ///   - logs: folder for the services' output.
  package init(releases: String, instances: String, logs: String, artifacts: any ArtifactStore) {
    self.init(
      releases: releases, instances: instances, logs: logs, artifacts: artifacts, releaseLook: Self.usualReleaseLook
    ) { LoopbackPort.free() }
  }

  /// `freePort` proposes ports; one that is taken is passed over.
  init(
    releases: String, instances: String, logs: String, artifacts: any ArtifactStore, releaseLook: Duration,
    freePort: @escaping @Sendable () -> Int?
  ) {
    self.releaseLook = releaseLook
    self.releases = releases
    self.instances = instances
    self.logs = logs
    self.artifacts = artifacts
    self.freePort = freePort
  }

  package func keepRunning(
    _ deployment: Deployment, _ specification: RunSpecification, limit: Int?, configuration: [EnvironmentVariable],
    fence: Fence, report: @escaping @Sendable (PlatformReport) async -> Void
  ) async throws(Outage) {
    guard let generation = takeOver(deployment.id, fence) else { return }
    guard let (watch, alteration) = try await watchRelease(of: deployment, generation),
      isCurrent(deployment.id, generation)
    else { return }
    if case .altered(let found, let sentence)? = alteration {
      // Where nothing runs, nobody ran the other bytes.
      await report(.altered(digest: anyAlive(files(deployment.id)) ? found : nil, sentence: sentence))
    }
    do {
      try files(deployment.id).write(DeploymentNote(stopLimitMs: specification.stopLimit.milliseconds))
      try FileManager.default.createDirectory(
        atPath: logs, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw Outage(
        "disk", "instance files of \(deployment.id) cannot be written; free space or fix rights",
        sources: ["\(error)"])
    }
    try await supervise(
      Supervision(
        deployment: deployment, specification: specification,
        instances: max(1, min(limit ?? .max, specification.instances)), configuration: configuration,
        generation: generation),
      release: watch, report: report)
  }

  package func retire(_ deployment: Deployment, fence: Fence) async throws(Outage) {
    guard let generation = takeOver(deployment.id, fence) else { return }
    let files = files(deployment.id)
    let limit = files.note().map { Span(milliseconds: $0.stopLimitMs) } ?? Self.defaultStopLimit
    // No shim of an attempt under way may still start its command: it would read another number.
    for instance in files.known() { try? files.intend(instance, attempt: files.attempt(instance) + 1) }
    // A router that has just taken the last share away may still have requests open here, and a service need not finish
    // them on SIGTERM. The router keeps no idle connection to a server (`http-server-close`), so an open one is a
    // request, and normally nothing is waited for.
    let ports = Set(files.known().compactMap { files.record($0)?.port })
    let drained = ContinuousClock.now + .milliseconds(min(limit, Self.drainLimit).milliseconds)
    while ContinuousClock.now < drained, OpenConnections.exist(ports), anyAlive(files) {
      try await pauseRetiring(deployment.id)
      guard isCurrent(deployment.id, generation) else { return }
    }
    signal(SIGTERM, files)
    let deadline = ContinuousClock.now + .milliseconds(limit.milliseconds)
    while ContinuousClock.now < deadline, anyAlive(files) {
      try await pauseRetiring(deployment.id)
      guard isCurrent(deployment.id, generation) else { return }
    }
    for instance in files.known() {
      InstanceProcesses(mark: files.mark(instance)).killAll(leader: files.leader(instance))
    }
    let killed = ContinuousClock.now + Self.killLimit
    while anyAlive(files) {
      guard ContinuousClock.now < killed else {
        throw Outage(
          "kernel", "processes of \(deployment.id) outlive SIGKILL; look for disk waits with `ps -eo pid,stat,cmd`")
      }
      await pause()
      guard isCurrent(deployment.id, generation) else { return }
    }
    let release = release(of: deployment)
    do {
      try await turnstile(deployment.id).pass {
        guard await self.isCurrent(deployment.id, generation) else { return }
        try release.remove()
      }
      guard isCurrent(deployment.id, generation) else { return }
      try removeTree(at: files.folder)
    } catch {
      throw Outage("disk", "files of \(deployment.id) cannot be removed; fix the rights", sources: ["\(error)"])
    }
    InstanceLog.prune(logs)
  }
}

extension LocalPlatform {
  func files(_ deployment: DeploymentID) -> InstanceFiles { InstanceFiles(folder: "\(instances)/\(deployment)") }
  func releaseFolder(_ deployment: DeploymentID) -> String { "\(releases)/\(deployment)" }
  func log(_ deployment: DeploymentID, _ instance: Int) -> InstanceLog {
    InstanceLog(path: "\(logs)/\(deployment)-\(instance).log")
  }

  /// Nil when a higher fence was seen.
  private func takeOver(_ deployment: DeploymentID, _ fence: Fence) -> Int? {
    var entry = seen[deployment] ?? Seen(fence: fence)
    guard fence >= entry.fence else { return nil }
    entry.fence = fence
    entry.generation += 1
    seen[deployment] = entry
    return entry.generation
  }

  /// Of one that was taken over at least once.
  func turnstile(_ deployment: DeploymentID) -> Turnstile { seen[deployment]?.releaseTurnstile ?? Turnstile() }

  func isCurrent(_ deployment: DeploymentID, _ generation: Int) -> Bool { seen[deployment]?.generation == generation }

  /// Only pids that we were given by a start: reaping any other child would take its status from whoever waits for it.
  func reapKilled() {
    var status: Int32 = 0
    killed.removeAll { waitpid($0, &status, WNOHANG) != 0 }
  }

  /// Cancellation ends the pause early and is seen by the caller's loop.
  func pause() async { try? await Task.sleep(for: Self.tick) }

  private func pauseRetiring(_ deployment: DeploymentID) async throws(Outage) {
    await pause()
    if Task.isCancelled {
      throw Outage("plimsoll", "was told to stop while it retired \(deployment); retire it again to end it")
    }
  }

  private func signal(_ number: Int32, _ files: InstanceFiles) {
    for instance in files.known() {
      InstanceProcesses(mark: files.mark(instance)).signal(number, leader: files.leader(instance))
    }
  }

  private func anyAlive(_ files: InstanceFiles) -> Bool {
    let known = files.known()
    for instance in known {
      if let record = files.record(instance), ProcessTable.isAlive(record.pid, startTime: record.startTime) {
        return true
      }
    }
    return known.contains { !InstanceProcesses(mark: files.mark($0)).all(leader: nil).isEmpty }
  }
}
