import ControlPlane
import Kernel
import Ramps

/// Everything outside of the simulated process: it goes on while the process is down.
final class World {
  let agenda = Agenda()
  let salt: UInt64
  let plant: Plant?
  var chance: Chance
  var faults: FaultPlan
  private(set) lazy var checkers = Checkers(self)
  let forge: SimulatedForge
  private(set) lazy var platform = SimulatedPlatform(self)
  private(set) lazy var router = SimulatedRouter(self)
  private(set) lazy var traffic = SimulatedTraffic(self, rate: rate)
  private(set) lazy var schemas = SimulatedSchemas(self)
  /// Every place of every service, sorted by service.
  let deliveries: [StreamID]
  /// Every environment that they are in, sorted.
  private(set) lazy var environments = Set(deliveries.compactMap { Wiring.place(of: $0)?.1 }).sorted()
  /// The databases of a story of schemas, sorted.
  private(set) lazy var databases = environments.map(SimulatedNames.orders)
  private(set) lazy var flags = SimulatedFlags(self)
  /// What plimsoll.yaml names; empty but in a story of flags.
  let flagFolders: [FlagFolder.Policy]
  let runner = SimulatedRunner()
  let announcer = SimulatedAnnouncer()
  private let rate: Int
  /// What the wall clock is ahead of the agenda; steps at a restart.
  var skew = Span.zero

  init(
    seed: UInt64, faults: FaultPlan, plant: Plant?, deliveries: [StreamID] = SimulatedNames.deliveries,
    flagFolders: [FlagFolder.Policy] = []
  ) {
    self.deliveries = deliveries
    self.flagFolders = flagFolders
    salt = Chance.mix(seed &+ 17)
    chance = Chance(seed: seed)
    self.faults = faults
    self.plant = plant
    rate = 60 + chance.below(200)
    forge = SimulatedForge(salt: salt)
    forge.onMove = { [unowned self] commit, byQueue in checkers.trunkMoved(to: commit, byQueue: byQueue) }
  }

  private var lossWatchers: [() -> Void] = []

  /// Calls back once, when the router has lost its state.
  func onRouterLoss(_ watcher: @escaping () -> Void) { lossWatchers.append(watcher) }

  func loseRouter() {
    router.lose()
    let told = lossWatchers
    lossWatchers = []
    for watcher in told { agenda.after(chance.span(0.1, 1), watcher) }
  }

  /// The runner's machine is away for `span`.
  func loseRunner(for span: Span) {
    guard runner.goneSince == nil else { return }
    runner.goneSince = wallClock
    checkers.runnerLost(at: now)
    agenda.after(span) { [self] in
      runner.goneSince = nil
      checkers.runnerReturned()
    }
  }

  var now: Instant { agenda.now }
  var wallClock: Instant { agenda.now + skew }
}

/// What CI ran, and the artifacts of builds: a commit's first digest is its tag, for each service.
final class SimulatedRunner {
  /// Trees whose test was really run, and passed.
  private(set) var tested: Set<TreeID> = []
  private(set) var artifacts: [SimulatedVersion: Digest] = [:]

  /// When nothing was heard of it any more; nil while it is there.
  var goneSince: Instant?

  func health(at now: Instant) -> RunnerHealth {
    RunnerHealth(
      running: 0, slots: nil, queued: 0, lastSeenAt: goneSince ?? now,
      problem: goneSince == nil ? nil : "the machine does not answer")
  }

  func test(_ commit: CommitID, in forge: SimulatedForge) -> Bool {
    let passes = forge.isGreen(commit)
    if passes, let tree = forge.tree(of: commit) { tested.insert(tree) }
    return passes
  }

  /// - Returns: nil when the commit is tagged with another digest: not reproducible.
  func pack(_ version: SimulatedVersion, _ digest: Digest) -> Digest? {
    if let tagged = artifacts[version] { return tagged == digest ? tagged : nil }
    artifacts[version] = digest
    return digest
  }
}

/// Receivers deduplicate by id; this one counts.
final class SimulatedAnnouncer {
  private(set) var delivered: Set<String> = []
  static let failing = 30.0
  static func name(_ id: String, _ target: Int) -> String { "\(id)#\(target)" }
  func deliver(_ id: String, to target: Int) { delivered.insert(Self.name(id, target)) }
}
