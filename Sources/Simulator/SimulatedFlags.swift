import ControlPlane
import Kernel
import Ramps

/// The serving of flags and those who are served: `FlagAudience` and `RampEvidence` of a simulated world.
///
/// What it knows of its clients ends with the process; what they have does not. Left out is what no server can know: a
/// client that was sent something and neither took it nor says what it evaluates.
final class SimulatedFlags {
  unowned let world: World
  let clients: [SimulatedFlagClient]
  private let environments = [SimulatedNames.production, SimulatedNames.staging]

  private struct Record {
    /// The newest version that it is known to have.
    var version: Int64 = -1
    /// When its stream was seen to end; nil while it lives.
    var leftAt: Instant?
  }
  private var isUp = false
  private var life = 0
  private var began = Agenda.beginning
  /// Until when, by the wall clock, clients of the life before may not have come back.
  private var returning: Instant?
  private var served: [FlagPlace: SimulatedCopy] = [:]
  /// The first version that gives out an epoch, oldest first.
  private var epochs: [FlagPlace: [(epoch: Int, version: Int64)]] = [:]
  private var versions: [EnvironmentName: Int64] = [:]
  private var registry: [String: Record] = [:]
  /// Of every flag, where a story says so; nil where the seed does.
  var harmfulRamps: Set<Int>?
  /// What each flag was served first: of a plant.
  private var firstServed: [FlagPlace: SimulatedCopy] = [:]

  /// Requests a second of an environment, and how many of them fail.
  private static let requests = 600.0
  private static let failing = 0.02
  /// Times as many of those with a variant that harms.
  private static let harm = 10.0
  private static let incident = 3.0
  /// Percent of the ramps whose variant harms.
  private static let harmful: UInt64 = 35
  /// As `ClientRegistry.absence`.
  private static let absence = Span.seconds(60)

  init(_ world: World) {
    self.world = world
    clients = environments.flatMap { environment in
      [
        SimulatedFlagClient("\(environment)-stream-1", in: environment, pollSeconds: nil),
        SimulatedFlagClient("\(environment)-stream-2", in: environment, pollSeconds: nil),
        SimulatedFlagClient("\(environment)-poll-5", in: environment, pollSeconds: 5),
        SimulatedFlagClient("\(environment)-poll-20", in: environment, pollSeconds: 20),
      ]
    }
  }

  // MARK: Serving

  /// A process serves from what it has recovered, and nothing else.
  func begin(_ flags: [(key: FlagKey, state: FeatureFlag.State, position: Int64)]) {
    life += 1
    began = world.now
    isUp = true
    // The first one has no clients to come back.
    returning = life > 1 ? world.wallClock + RampPlan.defaultSettleLimit : nil
    registry = [:]
    epochs = [:]
    let before = served
    served = [:]
    for (key, state, position) in flags {
      for environment in environments {
        let place = FlagPlace(key, environment)
        note(state, place, position)
        if world.plant == .servedFromMemory, before[place] != nil { served[place] = firstServed[place] }
      }
    }
    for environment in environments { versions[environment] = flags.map(\.position).max() ?? versions[environment] }
    for (place, copy) in served.sorted(by: { $0.key < $1.key }) {
      epochs[place] = [(copy.epoch, versions[place.environment] ?? 0)]
    }
    for (key, state, position) in flags {
      for environment in environments {
        let place = FlagPlace(key, environment)
        world.checkers.flags.servedAgain(
          place, served[place]?.text, folded: state.served(in: environment), at: position)
      }
    }
    for client in clients where client.life != 0 || life == 1 { reconnect(client) }
  }

  /// The process has died: streams end.
  func end() { isUp = false }

  /// - Parameters:
  ///   - position: of the flag's last event.
  ///   - version: rises with each turn.
  func publish(_ key: FlagKey, _ state: FeatureFlag.State, at position: Int64, version: Int64) {
    for environment in environments {
      let place = FlagPlace(key, environment)
      let old = served[place]
      note(state, place, position)
      let isNew = served[place]?.text != old?.text
      if isNew { versions[environment] = version }
      if let copy = served[place], epochs[place]?.last.map({ $0.epoch < copy.epoch }) ?? true {
        epochs[place, default: []].append((copy.epoch, versions[environment] ?? 0))
      }
      world.checkers.flags.served(place, served[place], at: position)
      guard isNew else { continue }
      for client in clients where client.environment == environment && client.pollSeconds == nil { send(to: client) }
    }
  }

  private func note(_ state: FeatureFlag.State, _ place: FlagPlace, _ position: Int64) {
    guard var text = state.served(in: place.environment) else {
      served[place] = nil
      return
    }
    // A later stage's buckets are others.
    if world.plant == .bucketsMoved, state.placement(in: place.environment)?.course?.stage ?? 0 > 0 {
      text = text.split(separator: #""from":0,"#).joined(separator: #""from":7000,"#)
    }
    let epoch = state.placement(in: place.environment)?.epoch ?? 0
    let copy = SimulatedCopy(text, epoch: epoch)
    if firstServed[place] == nil { firstServed[place] = copy }
    served[place] = copy
  }

  private func snapshot(of environment: EnvironmentName) -> SimulatedSnapshot {
    var copies: [FlagKey: SimulatedCopy] = [:]
    for (place, copy) in served where place.environment == environment { copies[place.key] = copy }
    return SimulatedSnapshot(version: versions[environment] ?? 0, copies: copies)
  }

  // MARK: Clients

  private func reconnect(_ client: SimulatedFlagClient) {
    client.life = -1
    world.agenda.after(world.chance.span(0.1, 2)) { [self] in
      guard client.life == -1, client.isReachable else { return }
      guard isUp else { return reconnect(client) }
      client.life = life
      registry[client.name] = Record()
      if client.pollSeconds == nil { send(to: client) } else { ask(client, in: life) }
    }
  }

  /// On its stream: late, twice, or not at all.
  private func send(to client: SimulatedFlagClient) {
    guard client.life == life else { return }
    let snapshot = snapshot(of: client.environment)
    let times = world.chance.happens(world.faults.duplicated) ? 2 : 1
    for _ in 0..<times {
      let isLate = world.chance.happens(world.faults.delayed)
      world.agenda.after(isLate ? world.chance.span(1, 8) : world.chance.span(0.01, 0.3)) { [self, life] in
        guard client.life == life, self.life == life, isUp, !client.isDeaf else { return }
        arrive(snapshot, at: client)
      }
    }
  }

  /// Asks now and again; a question or its answer may be lost.
  private func ask(_ client: SimulatedFlagClient, in life: Int) {
    guard client.life == life, client.isReachable else { return }
    guard self.life == life, isUp else { return reconnect(client) }
    let snapshot = snapshot(of: client.environment)
    let isLost = world.chance.happens(world.faults.lostReplies)
    world.agenda.after(world.chance.span(0.01, 0.3)) { [self] in
      if !isLost, client.life == life, self.life == life, isUp { arrive(snapshot, at: client) }
    }
    let seconds = client.pollSeconds ?? 0
    world.agenda.after(world.chance.span(seconds * 0.9, seconds * 1.1)) { [self] in ask(client, in: life) }
  }

  /// It is on the client's machine, which is known from now on; it evaluates it a moment later.
  private func arrive(_ snapshot: SimulatedSnapshot, at client: SimulatedFlagClient) {
    guard client.isReachable else { return }
    let known = registry[client.name]?.version ?? -1
    registry[client.name]?.version = max(known, snapshot.version)
    guard snapshot.version > client.reached else { return }
    client.reached = snapshot.version
    let isSlow = world.chance.happens(20)
    world.agenda.after(isSlow ? world.chance.span(0.5, 3) : world.chance.span(0.001, 0.1)) { [world] in
      client.take(snapshot, at: world.now)
    }
  }

  // MARK: What befalls clients

  /// Nothing goes to it or comes from it for a while. The server sees that its stream has ended some time later.
  func cut(_ client: SimulatedFlagClient, for span: Span) {
    guard isRested(client) else { return }
    client.cut(at: world.now)
    client.restedSince = world.now + span
    loses(client)
    world.agenda.after(span) { [self] in
      client.mend(at: world.now)
      if !client.isGone { reconnect(client) }
    }
  }

  /// Its stream lives and says nothing, until it is made anew.
  func deafen(_ client: SimulatedFlagClient, for span: Span) {
    guard isRested(client), client.pollSeconds == nil else { return }
    client.isDeaf = true
    world.agenda.after(span) { [self] in heal(client) }
  }

  func heal(_ client: SimulatedFlagClient) {
    guard client.isDeaf else { return }
    client.isDeaf = false
    if client.isReachable { reconnect(client) }
  }

  func restart(_ client: SimulatedFlagClient, after span: Span) {
    guard isRested(client) else { return }
    client.end(at: world.now)
    client.restedSince = world.now + span
    loses(client)
    world.agenda.after(span) { [self] in
      client.begin()
      if client.isReachable { reconnect(client) }
    }
  }

  private func loses(_ client: SimulatedFlagClient) {
    let connected = client.life
    client.life = 0
    world.agenda.after(world.chance.span(1, 10)) { [self, life] in
      guard connected == life, self.life == life, client.life == 0 else { return }
      registry[client.name]?.leftAt = world.now
    }
  }

  /// A minute between two absences, so that nobody is away for longer than a server waits after a restart.
  private func isRested(_ client: SimulatedFlagClient) -> Bool {
    client.isReachable && !client.isDeaf && world.now >= client.restedSince + .minutes(1)
  }

  func healAll() { for client in clients { heal(client) } }

  // MARK: The audience

  /// Nil when nobody can tell.
  func standing(of place: FlagPlace, epoch: Int) -> FlagStanding? {
    guard isUp, returning.map({ world.wallClock >= $0 }) ?? true else { return nil }
    let version = epochs[place]?.first { $0.epoch >= epoch }?.version ?? .max
    var (delivered, refetched) = (0, 0)
    var lacking: [FlagStanding.Lacking] = []
    for client in clients where client.environment == place.environment {
      guard let record = registry[client.name] else { continue }
      if let left = record.leftAt, world.now - left > Self.absence { continue }
      if record.version >= version || world.plant == .audienceBelieves {
        if record.leftAt == nil { if client.pollSeconds == nil { delivered += 1 } else { refetched += 1 } }
      } else {
        lacking.append(FlagStanding.Lacking(client: client.name, seenAt: record.leftAt ?? world.wallClock))
      }
    }
    return FlagStanding(delivered: delivered, refetched: refetched, lackingCount: lacking.count, lacking: lacking)
  }

  // MARK: The evidence

  /// Whether the variant harms those who get it by this ramp.
  func harms(_ place: FlagPlace, ramp: Int) -> Bool {
    if let harmfulRamps { return harmfulRamps.contains(ramp) }
    let number = FlagSettings.number(of: place.key) ^ world.salt
    return Chance.mix(number &+ UInt64(ramp) &+ UInt64(place.environment.rawValue.utf8.count)) % 100 < Self.harmful
  }

  /// When anybody was last seen with it; nil when nobody was since then. What was told to a life before is forgotten.
  func shown(_ place: FlagPlace, variant: String?, since: Instant) -> Instant? {
    let told = clients.filter { $0.environment == place.environment }.compactMap {
      $0.told(variant, of: place.key, by: world.now)
    }
    guard let last = told.filter({ $0 >= began }).max() else { return nil }
    let seen = last + world.skew
    return seen >= since ? seen : nil
  }

  func usual(of source: RampSource) -> [UsualTraffic?] {
    source.policy.guardrails.map { _ in
      world.chance.happens(25) ? nil : UsualTraffic(trialsPerSecond: Self.requests, rate: Self.failing)
    }
  }

  /// The second that has just ended, of those who have the epoch.
  func second(of source: RampSource, epoch: Int) -> CohortSecond {
    let place = FlagPlace(source.flag, source.environment)
    let all = clients.filter { $0.environment == place.environment }
    let copies = all.compactMap { $0.has.copies[place.key] }.filter { $0.epoch == epoch && $0.isOn }
    let share = copies.reduce(0.0) { $0 + Double($1.size(of: source.variant)) / Double(FlagAllocation.buckets) }
    let requests = world.traffic.flows ? Self.requests / Double(all.count) : 0
    let trials = Cohorts(
      treatment: Int(requests * share), control: Int(requests * (Double(copies.count) - share)))
    let rate = Self.failing * (world.traffic.hasIncident ? Self.incident : 1)
    let harm = harms(place, ramp: source.ramp) ? Self.harm : 1
    var events = Cohorts(
      treatment: world.chance.count(of: trials.treatment, rate: min(rate * harm, 0.9)),
      control: world.chance.count(of: trials.control, rate: rate))
    if world.plant == .cohortsMixed {
      events.treatment = world.chance.count(of: trials.treatment, rate: rate)
    }
    return CohortSecond(second: world.wallClock - .seconds(1), epoch: epoch, trials: trials, events: events)
  }
}
