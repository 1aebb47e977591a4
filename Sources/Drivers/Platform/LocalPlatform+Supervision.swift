import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// What one call of `keepRunning` was asked to keep.
struct Supervision {
  let deployment: Deployment
  let specification: RunSpecification
  /// How many run: those with the lowest numbers.
  let instances: Int
  let configuration: [EnvironmentVariable]
  let generation: Int
}

/// One instance as its supervision sees it.
private struct Instance {
  enum Phase {
    /// Leaves to: `running` when the pause is over.
    case pausing(until: ContinuousClock.Instant)
    /// Leaves to: `pausing` when it ended, was never ready, or took too much memory.
    case running(Run)
  }
  struct Run {
    let attempt: Int
    /// The shim; its record may follow later.
    let pid: Int32
    let startTime: UInt64
    let port: Int
    let since: ContinuousClock.Instant
    var ready = false
    /// Found, not started, and not yet asked whether it is ready: until then nobody is told that it is not.
    var isUnasked = false
    /// When it was last ready, or started: `readinessLimit` counts from here.
    var lastReady: ContinuousClock.Instant
    var probe: ReadinessProbe?
    var nextProbe: ContinuousClock.Instant
    var misses = 0
  }
  let number: Int
  var phase: Phase
  /// Ends without a stable run between.
  var inRow = 0
  var readyEndpoint: Endpoint? {
    if case .running(let run) = phase, run.ready { return Endpoint(instance: number, port: run.port) }
    return nil
  }
  var isUnasked: Bool {
    if case .running(let run) = phase { return run.isUnasked }
    return false
  }
  /// Whether a start is due.
  var isDue: Bool {
    if case .pausing(let until) = phase { return ContinuousClock.now >= until }
    return false
  }
}

extension [Instance] {
  /// When all are ready and none is being asked: nothing happens before `next` but the end of one of `pids`.
  fileprivate func calm(until slowLook: ContinuousClock.Instant) -> (next: ContinuousClock.Instant, pids: Set<Int32>)? {
    var next = slowLook
    var pids: Set<Int32> = []
    for instance in self {
      guard case .running(let run) = instance.phase, run.ready, run.probe == nil, run.misses == 0 else { return nil }
      next = Swift.min(next, run.nextProbe)
      pids.insert(run.pid)
    }
    return (next, pids)
  }
}

/// The kernel's count of memory kills: one tick old, so that a kill is still news when its victim is found dead.
private struct MemoryKills {
  private var before = ProcessTable.outOfMemoryKills()
  private var last = ProcessTable.outOfMemoryKills()
  mutating func turn() {
    before = last
    last = ProcessTable.outOfMemoryKills()
  }
  /// Whether a kill is unclaimed; claims it. One of our instances killed by hand within the same second as a stranger
  /// killed for memory is taken for the latter: both are deaths, only the word differs.
  mutating func claim() -> Bool {
    guard ProcessTable.outOfMemoryKills() > before else { return false }
    before += 1
    return true
  }
}

extension LocalPlatform {
  /// The pause after the k-th end in a row: 0.2 s doubling to 10 s, as the design's persistent effects start.
  static let restarts = RetryBudget(attempts: nil, first: .seconds(0.2), ceiling: .seconds(10))
  /// A run this long is stable: the next end counts as the first in a row (Docker's `restart` rule).
  static let stableAfter = Duration.seconds(10)
  /// Kubernetes' usual `periodSeconds` is 10; one second keeps users from a hung instance without loading it.
  static let recheck = Duration.seconds(1)
  /// One slow answer under load is no reason to leave traffic; two in a row are.
  static let missesAllowed = 1
  /// How long a shim may take to write its record when it was found by its mark alone.
  static let recordLimit = Duration.seconds(1)

  /// The loop: finds or starts each instance, then looks at all of them every `tick`, or when something can have
  /// happened, until cancelled or taken over.
  func supervise(
    _ order: Supervision, release: ReleaseWatch, report: @escaping @Sendable (PlatformReport) async -> Void
  ) async throws(Outage) {
    let id = order.deployment.id
    let files = files(id)
    var release = release
    var instances: [Instance] = []
    for number in 0..<order.instances {
      let phase = try await adopted(number, files) ?? .pausing(until: .now)
      guard isCurrent(id, order.generation), !Task.isCancelled else { return }
      instances.append(Instance(number: number, phase: phase))
    }
    var surplus = Surplus(files.known().filter { $0 >= order.instances }, limit: order.specification.stopLimit)

    var kills = MemoryKills()
    var saidReady = false
    var told: [Endpoint] = []
    var nextSlowLook = ContinuousClock.now
    let processEnds = ProcessEnds()
    while isCurrent(id, order.generation), !Task.isCancelled {
      let slowLook = ContinuousClock.now >= nextSlowLook
      if slowLook {
        nextSlowLook = .now + .seconds(1)
        kills.turn()
        reapKilled()
      }
      // Before anything is started from it, and now and then.
      if .now >= release.nextLook || instances.contains(where: \.isDue) {
        let (looked, change) = await look(at: release, id, order.generation)
        release = looked
        if let change {
          await report(change)
          // Who was told of a change is told when the folder is right again.
          saidReady = false
        }
      }
      guard isCurrent(id, order.generation), !Task.isCancelled else { return }
      var ends: [PlatformReport] = []
      for index in instances.indices {
        if let end = try look(at: &instances[index], order, files, release, slowLook: slowLook, &kills) {
          ends.append(end)
        }
      }
      let ready = instances.compactMap(\.readyEndpoint)
      for end in ends { await report(end) }
      // Also when all were ready before the folder was put right: nobody has been told yet that they are.
      let isNewlyReady = !saidReady && ready.count == instances.count && release.fault == nil
      if isNewlyReady || ready != told, !instances.contains(where: \.isUnasked), isCurrent(id, order.generation),
        !Task.isCancelled
      {
        told = ready
        if isNewlyReady {
          saidReady = true
          await report(.ready(endpoints: ready, digest: order.deployment.digest))
        } else {
          await report(.endpoints(ready))
        }
        surplus.told()
      }
      end(&surplus, files, slowLook: slowLook)
      if surplus.numbers.isEmpty, let calm = instances.calm(until: nextSlowLook), processEnds.follow(calm.pids) {
        await processEnds.wait(atMost: calm.next - .now)
      } else {
        await pause()
      }
    }
  }

  /// A running instance of an earlier supervision, of this process or of a killed one; nil when there is none.
  private func adopted(_ number: Int, _ files: InstanceFiles) async throws(Outage) -> Instance.Phase? {
    if leaving.remove(files.mark(number)) != nil {
      InstanceProcesses(mark: files.mark(number)).killAll(leader: files.leader(number))
      files.forgetRun(number)
      return nil
    }
    if let record = files.record(number) {
      // Dead or alive, a record without a handled end is a run: the loop finds out which, and tells.
      return .running(run(record))
    }
    let processes = InstanceProcesses(mark: files.mark(number))
    guard files.attempt(number) > 0 else { return nil }
    do { try files.intend(number, attempt: files.attempt(number) + 1) } catch { throw diskOutage(error) }
    guard processes.unrecordedLeader() != nil else { return nil }
    let deadline = ContinuousClock.now + Self.recordLimit
    while ContinuousClock.now < deadline {
      if let record = files.record(number) { return .running(run(record)) }
      await pause()
    }
    processes.killAll(leader: nil)
    return nil
  }

  private func run(_ record: InstanceRecord) -> Instance.Run {
    Instance.Run(
      attempt: record.attempt, pid: record.pid, startTime: record.startTime, port: record.port, since: .now,
      isUnasked: true, lastReady: .now, nextProbe: .now)
  }

  /// One look: start what is due, find ends, advance the probe. Returns the end, if there was one.
  private func look(
    at instance: inout Instance, _ order: Supervision, _ files: InstanceFiles, _ release: ReleaseWatch,
    slowLook: Bool, _ kills: inout MemoryKills
  ) throws(Outage) -> PlatformReport? {
    switch instance.phase {
    case .pausing(let until):
      guard ContinuousClock.now >= until else { return nil }
      if let fault = release.fault {
        return ended(&instance, .failedToStart(reason: fault), order, files, ranFor: .zero)
      }
      do {
        instance.phase = .running(try start(instance.number, order, files))
        return nil
      } catch {
        return ended(&instance, .failedToStart(reason: error.sentence), order, files, ranFor: .zero)
      }
    case .running(var run):
      let ranFor = ContinuousClock.now - run.since
      guard ProcessTable.isAlive(run.pid, startTime: run.startTime) else {
        let end = causeOfDeath(instance.number, run, files, &kills)
        return ended(&instance, end, order, files, ranFor: ranFor)
      }
      if slowLook {
        log(order.deployment.id, instance.number).bound()
        if let limit = order.specification.memoryLimitBytes,
          InstanceProcesses.residentBytes(session: run.pid) > limit
        {
          return ended(&instance, .outOfMemory, order, files, ranFor: ranFor)
        }
      }
      advanceProbe(&run, order.specification)
      let limit = Duration.milliseconds(order.specification.readinessLimit.milliseconds)
      if !run.ready, ContinuousClock.now - run.lastReady > limit {
        let end = InstanceEnd.neverReady(afterMs: order.specification.readinessLimit.milliseconds)
        return ended(&instance, end, order, files, ranFor: .zero)
      }
      instance.phase = .running(run)
      return nil
    }
  }

  private func advanceProbe(_ run: inout Instance.Run, _ specification: RunSpecification) {
    let now = ContinuousClock.now
    if run.probe == nil, now >= run.nextProbe {
      run.probe = ReadinessProbe(port: run.port, path: specification.readinessPath)
    }
    guard let probe = run.probe else { return }
    let answer = probe.advance()
    if answer != .pending { run.isUnasked = false }
    switch answer {
    case .pending: return
    case .ready:
      run.ready = true
      run.misses = 0
      run.lastReady = now
    case .notReady:
      run.misses += 1
      if run.misses > Self.missesAllowed { run.ready = false }
    }
    run.probe = nil
    run.nextProbe = run.ready ? now + Self.recheck : now
  }

  private func start(_ number: Int, _ order: Supervision, _ files: InstanceFiles) throws(Outage) -> Instance.Run {
    let id = order.deployment.id
    // Whatever of an earlier run is left would hold memory and locks beside the new one.
    InstanceProcesses(mark: files.mark(number)).killAll(leader: nil)
    guard let port = proposedPort() else {
      throw Outage("loopback", "no free port was found for \(id); stop what listens in \(LoopbackPort.range)")
    }
    let attempt = files.attempt(number) + 1
    do { try files.intend(number, attempt: attempt) } catch { throw diskOutage(error) }
    files.forgetRun(number)
    let pid = try InstanceShim.start(
      command: order.specification.command, attempt: attempt, instance: number, port: port, files: files,
      environment: environment(number, port, order, files), folder: releaseFolder(id), log: log(id, number).path)
    guard let entry = ProcessTable.entry(pid) else {
      throw Outage("sh", "the process of \(id) instance \(number) vanished while it was started; look into its log")
    }
    return Instance.Run(
      attempt: attempt, pid: pid, startTime: entry.startTime, port: port, since: .now, lastReady: .now, nextProbe: .now)
  }

  /// A proposal that is taken is passed over, a bounded number of times.
  private func proposedPort() -> Int? {
    for _ in 0..<16 {
      guard let port = freePort() else { return nil }
      if LoopbackPort.isFree(port) { return port }
    }
    return nil
  }

  /// Later wins: the configuration may set any variable except those that say who the instance is.
  private func environment(_ number: Int, _ port: Int, _ order: Supervision, _ files: InstanceFiles) -> [String] {
    let scratch = files.scratch(number)
    var variables = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
      // A service that runs as root would otherwise write into its release folder.
      "PYTHONDONTWRITEBYTECODE": "1",
    ]
    for variable in order.configuration { variables[variable.name] = variable.value }
    for (name, value) in [
      (order.specification.portVariable, "\(port)"), ("HOME", scratch), ("TMPDIR", scratch),
      ("PLIMSOLL_SCRATCH", scratch), ("PLIMSOLL_SERVICE", "\(order.deployment.service)"),
      ("PLIMSOLL_ENVIRONMENT", "\(order.deployment.environment)"),
      ("PLIMSOLL_DEPLOYMENT", "\(order.deployment.id)"), ("PLIMSOLL_DIGEST", "\(order.deployment.digest)"),
      ("PLIMSOLL_COMMIT", "\(order.deployment.commit)"), ("PLIMSOLL_INSTANCE", "\(number)"),
    ] { variables[name] = value }
    return variables.map { "\($0.key)=\($0.value)" }.sorted()
  }

  private func causeOfDeath(_ number: Int, _ run: Instance.Run, _ files: InstanceFiles, _ kills: inout MemoryKills)
    -> InstanceEnd
  {
    if let status = files.status(number, attempt: run.attempt) {
      let end = InstanceShim.end(ofStatus: status, killedForMemory: false)
      guard end == .signalled(number: Int(SIGKILL)), kills.claim() else { return end }
      return .outOfMemory
    }
    guard files.record(number)?.attempt == run.attempt else {
      return .failedToStart(reason: "the instance could not record itself in \(files.folder); look for a full disk")
    }
    // The shim itself was killed: nothing else ends it before it wrote a status.
    return kills.claim() ? .outOfMemory : .signalled(number: Int(SIGKILL))
  }

  /// Clears away what is left and schedules the next start.
  private func ended(
    _ instance: inout Instance, _ end: InstanceEnd, _ order: Supervision, _ files: InstanceFiles, ranFor: Duration
  ) -> PlatformReport {
    var leader: Int32?
    if case .running(let run) = instance.phase, !ProcessTable.isReused(run.pid, startTime: run.startTime) {
      leader = run.pid
    }
    InstanceProcesses(mark: files.mark(instance.number)).killAll(leader: leader)
    if let leader { killed.append(leader) }
    files.forgetRun(instance.number)
    instance.inRow = ranFor >= Self.stableAfter ? 1 : instance.inRow + 1
    let pause = Self.restarts.pause(afterFailures: instance.inRow)
    instance.phase = .pausing(until: .now + .milliseconds(pause.milliseconds))
    return .ended(
      instance: instance.number, end: end, inRow: instance.inRow,
      logTail: log(order.deployment.id, instance.number).tail(), at: .now)
  }

  private func diskOutage(_ error: any Error) -> Outage {
    Outage("disk", "instance files cannot be written; free space or fix rights", sources: ["\(error)"])
  }
}

extension Instant {
  /// The wall clock, for reports; deadlines use the continuous clock.
  static var now: Instant { Instant(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))) }
}
