import Kernel

/// Runs deployments as the real platform does: instances outlive whoever supervises them, are adopted by content, and
/// are restarted only while someone supervises. The highest fence is kept per deployment.
final class SimulatedPlatform {
  static let instances = 2

  final class Running {
    let deployment: Deployment
    let behaviour: Behaviour
    /// What the release folder hashes to.
    let bytes: Digest
    var ready = 0
    /// How many should run: the service's, or what a step limits it to.
    var wanted = SimulatedPlatform.instances
    /// Started sets of instances that have not ended: more than one is a defect.
    var sets = 1
    var inRow = 0
    /// Bumped at each start and end, so that what was scheduled for an earlier life is forgotten.
    var life = 0
    /// Usually one; beside its successor one whose lease expired looks on for a while.
    var supervisors: [Supervisor] = []
    var isSupervised: Bool {
      supervisors.removeAll { !$0.isWatching() }
      return !supervisors.isEmpty
    }
    func tell(_ report: PlatformReport) {
      guard isSupervised else { return }
      for supervisor in supervisors { supervisor.hear(report) }
    }
    init(_ deployment: Deployment, _ behaviour: Behaviour, bytes: Digest) {
      self.deployment = deployment
      self.behaviour = behaviour
      self.bytes = bytes
    }
  }

  /// Who is told of a deployment's instances, until it no longer wants to be.
  struct Supervisor {
    let isWatching: () -> Bool
    let hear: (PlatformReport) -> Void
  }

  unowned let world: World
  private(set) var running: [DeploymentID: Running] = [:]
  private var fences: [DeploymentID: Fence] = [:]
  /// Whose stop was called for, and that nobody has taken up since: their endpoints are forgotten, as by the performer.
  private var leaving: Set<DeploymentID> = []

  init(_ world: World) { self.world = world }

  /// As a router may know them.
  func readyInstances(of deployment: DeploymentID) -> Int {
    leaving.contains(deployment) ? 0 : running[deployment]?.ready ?? 0
  }

  /// Its stop is on its way.
  func leaves(_ deployment: DeploymentID) { leaving.insert(deployment) }

  /// Starts or adopts. False when the fence is stale.
  func keepRunning(
    _ deployment: Deployment, limit: Int?, fence: Fence, isRestart: Bool, for supervisor: Supervisor
  ) -> Bool {
    let id = deployment.id
    if let highest = fences[id], fence < highest { return false }
    fences[id] = fence
    leaving.remove(id)
    world.checkers.carriedOut("platform \(id)", fence)
    if let known = running[id] {
      known.supervisors.append(supervisor)
      if isRestart, world.plant == .instancesStartedTwice { known.sets += 1 }
      world.checkers.started(deployment, bytes: known.bytes, sets: known.sets)
      known.wanted = min(limit ?? Self.instances, Self.instances)
      known.ready = min(known.ready, known.wanted)
      if known.ready == known.wanted {
        supervisor.hear(.ready(endpoints: endpoints(known), digest: known.bytes))
      } else {
        restart(known)
      }
      return true
    }
    var bytes = deployment.digest
    if world.plant == .rebuildPerEnvironment {
      bytes = SimulatedNames.digest(UInt64(deployment.environment.rawValue.utf8.count) &+ world.salt)
    }
    world.checkers.fetched(deployment, bytes)
    if world.plant == .rebuildPerEnvironment { bytes = deployment.digest }
    if world.chance.happens(world.faults.alteredFolders) { bytes = SimulatedNames.digest(world.chance.next()) }
    let new = Running(deployment, world.forge.behaviour(of: deployment.commit), bytes: bytes)
    new.supervisors = [supervisor]
    new.wanted = min(limit ?? Self.instances, Self.instances)
    running[id] = new
    world.checkers.started(deployment, bytes: bytes, sets: 1)
    start(new)
    return true
  }

  private func start(_ running: Running) {
    running.life += 1
    let life = running.life
    switch running.behaviour {
    case .crashing:
      later(world.chance.span(0.3, 1), running, life) { [self] in ended(running, .signalled(number: 11)) }
    case .neverReady:
      later(.seconds(6), running, life) { [self] in ended(running, .neverReady(afterMs: 6000)) }
    case .good, .failing, .slow, .hanging, .outOfMemory:
      later(world.chance.span(0.5, 3), running, life) { [self] in
        running.ready = running.wanted
        running.tell(.ready(endpoints: endpoints(running), digest: running.bytes))
        if running.behaviour == .outOfMemory {
          later(world.chance.span(1, 6), running, life) { [self] in ended(running, .outOfMemory) }
        }
      }
    }
  }

  /// All instances of a bad version end alike.
  private func ended(_ running: Running, _ end: InstanceEnd) {
    running.ready = 0
    running.inRow += 1
    running.life += 1
    world.checkers.lost(running.deployment)
    tell(running, end)
  }

  private func tell(_ running: Running, _ end: InstanceEnd) {
    let report = PlatformReport.ended(
      instance: 0, end: end, inRow: running.inRow, logTail: "", at: world.wallClock)
    guard running.isSupervised else { return }
    running.tell(report)
    let life = running.life
    later(.seconds(min(8, Double(running.inRow))), running, life) { [self] in restart(running) }
  }

  private func restart(_ running: Running) {
    if running.isSupervised { start(running) }
  }

  private func later(_ span: Span, _ running: Running, _ life: Int, _ action: @escaping () -> Void) {
    let id = running.deployment.id
    world.agenda.after(span) { [self] in
      if self.running[id] === running, running.life == life { action() }
    }
  }

  private func endpoints(_ running: Running) -> [Endpoint] {
    (0..<running.ready).map { Endpoint(instance: $0, port: 20_000 + $0) }
  }

  /// One of two instances of something healthy is killed by the machine it runs on.
  func killOne() {
    let candidates = running.values.filter { $0.ready == Self.instances && $0.behaviour == .good }
      .sorted { $0.deployment.id < $1.deployment.id }
    guard let victim = world.chance.pick(candidates) else { return }
    victim.ready = 1
    victim.inRow = 1
    victim.life += 1
    tell(victim, .signalled(number: 9))
  }

  /// The supervisor died with its process; only a plant takes the instances with it.
  func supervisorsDied() {
    for running in running.values.sorted(by: { $0.deployment.id < $1.deployment.id }) {
      if world.plant == .instancesDieWithProcess, running.ready > 0 {
        running.ready = 0
        running.life += 1
        world.checkers.lost(running.deployment)
      }
    }
  }

  /// False when the fence is stale.
  func retire(_ deployment: Deployment, fence: Fence) -> Bool {
    if let highest = fences[deployment.id], fence < highest { return false }
    fences[deployment.id] = fence
    world.checkers.carriedOut("platform \(deployment.id)", fence)
    world.checkers.retires(deployment)
    if world.plant == .stoppingAcknowledgedOnly { return true }
    if let gone = running.removeValue(forKey: deployment.id) {
      gone.life += 1
      gone.ready = 0
      world.checkers.lost(deployment)
    }
    return true
  }
}
