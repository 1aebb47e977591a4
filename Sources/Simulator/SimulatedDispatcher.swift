import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// One running effect's way back to its stream.
final class Errand {
  let stream: StreamID
  let effect: StreamEffect
  let key: EffectKey
  let fence: Fence
  private(set) var isOver = false
  unowned let dispatcher: SimulatedDispatcher

  init(_ effect: StreamEffect, _ stream: StreamID, _ fence: Fence, _ dispatcher: SimulatedDispatcher) {
    self.effect = effect
    self.stream = stream
    self.fence = fence
    self.dispatcher = dispatcher
    key = effect.key
  }

  /// Whether anyone still waits for what it does.
  var isWanted: Bool { !isOver && dispatcher.isAlive }
  func finish() { isOver = true }
}

/// The simulated twin of the runtime's performer: turns wanted effects into calls to the world and what the world
/// answers into letters, through whatever faults the seed drew. What was sent is carried out even when the process that
/// sent it has died.
final class SimulatedDispatcher: EffectDispatcher {
  struct Running: Hashable {
    let stream: StreamID
    let key: EffectKey
    let fence: Fence
  }

  let world: World
  /// Whether an earlier process was killed.
  let isRestart: Bool
  var isAlive = true
  var post: (Parcel) -> Void = { _ in }
  var onBoundary: (Boundary) -> Void = { _ in }
  var onEffect: (_ sign: String, EffectKey, StreamID) -> Void = { _, _, _ in }
  private var errands: [Running: Errand] = [:]
  /// The last observation of each effect, oldest first.
  private(set) var lastSeen: [Parcel] = []
  private var lastSeenKeys: [EffectKey] = []
  /// The first observation of each effect never arrives: who made it ended with it.
  var missesFirst = false
  private var missed: Set<EffectKey> = []

  init(_ world: World, isRestart: Bool) {
    self.world = world
    self.isRestart = isRestart
  }

  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) {
    guard isAlive else { return }
    let errand = Errand(effect, stream, fence, self)
    errands[Running(stream: stream, key: errand.key, fence: fence)] = errand
    onEffect("+", errand.key, stream)
    if isRestart, world.plant == .effectsDroppedAfterCrash { return }
    onBoundary(.notSent)
    guard isAlive else { return }
    switch effect {
    case .queue(let effect): perform(effect, errand)
    case .build(let effect): perform(effect, errand)
    case .delivery(let effect): perform(effect, errand)
    // No simulated world has an observed place.
    case .observation: break
    case .flag(let effect): perform(effect, errand)
    case .flagFolder(let effect): perform(effect, errand)
    case .schema(let effect): perform(effect, errand)
    }
  }

  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {
    guard isAlive else { return }
    onEffect("-", key, stream)
    guard let errand = errands.removeValue(forKey: Running(stream: stream, key: key, fence: fence)) else { return }
    errand.finish()
  }

  // MARK: Ways back

  /// Carries out one call. The peer is asked after a latency, also when the errand is no longer wanted by then; a nil
  /// answer is an outage.
  func call<Answer>(
    _ errand: Errand, within latency: ClosedRange<Double> = 0.02...0.4, at peer: @escaping () -> Answer?,
    then: @escaping (Answer) -> StreamInput?
  ) {
    let faults = world.faults
    if world.chance.happens(faults.refused) {
      return world.agenda.after(.seconds(0.1)) { [self] in fail(errand, "connection refused") }
    }
    var pause = world.chance.span(latency.lowerBound, latency.upperBound)
    if world.chance.happens(faults.stalled) { pause = pause + world.chance.span(1, isUrgent(errand) ? 2 : 25) }
    world.agenda.after(pause) { [self] in
      let answer = peer()
      onBoundary(.unacknowledged)
      guard let answer else { return fail(errand, "it answered with an error") }
      if world.chance.happens(world.faults.lostReplies) {
        return world.agenda.after(.seconds(2)) { [self] in fail(errand, "the reply was lost") }
      }
      guard let input = then(answer) else { return end(errand) }
      observe(errand, input)
      end(errand)
    }
  }

  /// What takes traffic away is called without long waits: its real peer is a local socket.
  private func isUrgent(_ errand: Errand) -> Bool { errand.effect.lane == .protect }

  /// Posts what was seen, at once or, as the seed wants it, late or twice.
  func observe(_ errand: Errand, _ input: StreamInput, isNear: Bool = false) {
    if missesFirst, missed.insert(errand.key).inserted { return fail(errand, "whoever looked ended before it told") }
    let letter = Parcel.letter(
      Letter(to: errand.stream, input, cause: .observed(effect: errand.key), lane: errand.effect.lane))
    remember(letter, of: errand.key)
    if !isNear, world.chance.happens(world.faults.delayed) {
      later(world.chance.span(1, FaultPlan.longestDelay), letter)
    } else {
      deliver(letter)
      onBoundary(.acknowledged)
    }
    if world.chance.happens(isNear ? world.faults.duplicated / 4 : world.faults.duplicated) {
      later(world.chance.span(0, FaultPlan.longestDelay), letter)
    }
  }

  private func remember(_ letter: Parcel, of key: EffectKey) {
    if let index = lastSeenKeys.firstIndex(of: key) {
      lastSeenKeys.remove(at: index)
      lastSeen.remove(at: index)
    }
    lastSeenKeys.append(key)
    lastSeen.append(letter)
    if lastSeen.count > Strike.staleObservations {
      lastSeenKeys.removeFirst()
      lastSeen.removeFirst()
    }
  }

  private func later(_ span: Span, _ parcel: Parcel) {
    world.agenda.after(span) { [self] in deliver(parcel) }
  }
  private func deliver(_ parcel: Parcel) {
    if isAlive { post(parcel) }
  }

  func end(_ errand: Errand, _ failure: Outage? = nil) {
    guard errand.isWanted else { return }
    errand.finish()
    errands[Running(stream: errand.stream, key: errand.key, fence: errand.fence)] = nil
    deliver(
      .ended(
        stream: errand.stream, key: errand.key, fence: errand.fence, lane: errand.effect.lane, failure: failure))
  }

  func fail(_ errand: Errand, _ why: String) { end(errand, Outage("simulated world", why)) }

  /// Wakes when this process's wall clock shows `instant`.
  func sleep(_ errand: Errand, until instant: Instant, _ then: @escaping () -> Void) {
    world.agenda.after(instant - world.wallClock) { [self] in
      guard errand.isWanted else { return }
      if world.wallClock < instant { sleep(errand, until: instant, then) } else { then() }
    }
  }

  // MARK: Queue and build

  private func perform(_ effect: MergeQueue.Effect, _ errand: Errand) {
    switch effect {
    case .watchTrunk: watchTrunk(errand)
    case .watchChanges(let order): watchChanges(order, errand)
    case .watchClock: tick(errand)
    case .watchRunner: watchRunner(errand)
    case .trace(let old, let new, _):
      call(
        errand,
        at: { [world] in (world.forge.move(from: old, to: new), world.forge.changedPaths(from: old, to: new)) }
      ) { how, paths in
        let complete = how == .advanced ? inFolders(paths) : ChangedPaths(paths: [], isComplete: false)
        return .queue(.traced(from: old, to: new, how: how, paths: complete))
      }
    case .comment(let note, _):
      let change = note.change(fence: errand.fence)
      call(errand, at: { [world] in world.plant == .notesUnwritten ? () : world.forge.comment(change) }) { _ in
        .queue(.commented(note: note.number))
      }
    case .plan(let order):
      call(errand, at: { [world] in Planner.plan(order.situation(at: world.wallClock)) }) { plan in
        .queue(.planned(plan, version: order.version))
      }
    case .survey(let entry, let base, let head, _):
      call(errand, at: { [world] in world.forge.changedPaths(from: base, to: head) }) { paths in
        .queue(.surveyed(entry: entry, paths: inFolders(paths)))
      }
    case .prepare(let order, let recipe):
      call(errand, at: { [world] in world.forge.prepare(order) }) { outcome in
        .queue(.prepared(entry: order.entry, base: order.base, outcome: outcome, recipe: recipe))
      }
    case .test(let build, let run, let commit, _, let timeLimit, _, let recipe):
      test(errand, build: build, run: run, commit, timeLimit, recipe)
    case .land(let build, let commit, _, _, let expecting):
      call(errand, at: { [world] in world.forge.land(commit, expecting: expecting) }) { outcome in
        switch outcome {
        case .landed: .queue(.landed(build: build, commit: commit))
        case .moved(let trunk): .queue(.landingRefused(build: build, commit: commit, trunk: trunk))
        }
      }
    }
  }

  /// Standing: tells the trunk's head at the start and whenever it moved, in order, as one task of one process does.
  private func watchTrunk(_ errand: Errand) {
    guard errand.isWanted else { return }
    if world.chance.happens(world.faults.refused) {
      return world.agenda.after(.seconds(0.1)) { [self] in fail(errand, "the forge is away") }
    }
    let head = world.forge.trunk
    world.agenda.after(world.chance.span(0.01, 0.3)) { [self] in
      guard errand.isWanted else { return }
      post(
        .letter(Letter(to: errand.stream, .queue(.trunkObserved(head)), cause: .observed(effect: errand.key))))
      let again = { [self] in
        world.agenda.after(world.chance.span(0.1, 1.5)) { [self] in watchTrunk(errand) }
      }
      if world.forge.trunk == head { world.forge.watch(again) } else { again() }
    }
  }

  /// Standing: what became of the branches in line.
  private func watchChanges(_ order: MergeQueue.ChangesOrder, _ errand: Errand) {
    world.agenda.after(world.chance.span(2, 6)) { [self] in
      guard errand.isWanted else { return }
      for facts in order.entries {
        let state = world.forge.state(of: facts.branch)
        if state.head == facts.head { continue }
        observe(errand, .queue(.changeObserved(entry: facts.id, state)), isNear: true)
      }
      watchChanges(order, errand)
    }
  }

  private func tick(_ errand: Errand) {
    world.agenda.after(.seconds(10)) { [self] in
      guard errand.isWanted else { return }
      post(.letter(Letter(to: errand.stream, .queue(.ticked), cause: .observed(effect: errand.key))))
      tick(errand)
    }
  }

  /// Standing: how the runner is. While it is away nothing is heard of it.
  private func watchRunner(_ errand: Errand) {
    let isWell = world.plant == .runnerSeemsWell
    let health = isWell ? SimulatedRunner().health(at: world.wallClock) : world.runner.health(at: world.wallClock)
    observe(errand, .queue(.runnerObserved(health)), isNear: true)
    world.agenda.after(.seconds(10)) { [self] in if errand.isWanted { watchRunner(errand) } }
  }

  private func test(
    _ errand: Errand, build: Int, run: Int, _ commit: CommitID, _ timeLimit: Span, _ recipe: Int
  ) {
    let startedAt = world.wallClock
    if world.chance.happens(world.faults.lostRuns) {
      return world.agenda.after(world.chance.span(1, 5)) { [self] in fail(errand, "the runner was lost") }
    }
    let isFlaky = world.chance.happens(world.faults.flakyTests)
    let hangs = world.chance.happens(world.faults.hangingTests)
    let duration = hangs ? timeLimit : world.chance.span(2, 8)
    world.agenda.after(duration) { [self] in
      guard errand.isWanted else { return }
      if world.runner.goneSince.map({ $0 < world.wallClock }) ?? false { return fail(errand, "the runner was lost") }
      let end: RunEnd
      if world.plant == .landingWithoutTest {
        end = .exited(code: 0)
      } else if hangs {
        end = .timedOut
      } else {
        end = .exited(code: world.runner.test(commit, in: world.forge) && !isFlaky ? 0 : 1)
      }
      let report = MergeQueue.TestReport(
        end: end, log: SimulatedNames.digest(1), summary: end == .exited(code: 0) ? "ok" : "1 test failed",
        startedAt: startedAt, endedAt: world.wallClock, recipe: recipe)
      onBoundary(.unacknowledged)
      observe(errand, .queue(.tested(build: build, run: run, commit: commit, report: report)))
      self.end(errand)
    }
  }

  private func perform(_ effect: Promotion.Effect, _ errand: Errand) {
    switch effect {
    case .build(let service, _, let commit, _): build(errand, SimulatedVersion(service: service, commit: commit))
    case .verifyProvenance(let environment, _, _, _):
      call(errand, at: { true }) { _ in
        .build(.provenanceFound(environment: environment, finding: .verified(builder: "plimsoll")))
      }
    case .check(let environment, let check, _, _, _, let commit):
      let startedAt = world.wallClock
      call(errand, within: 1...4, at: { [world] in world.forge.passesChecks(commit) }) { [world] passes in
        .build(
          .checked(
            environment: environment, name: check.name,
            report: Promotion.CheckReport(
              passed: passes, reason: passes ? "" : "exit code 1", log: SimulatedNames.digest(3),
              startedAt: startedAt, endedAt: world.wallClock)))
      }
    case .wake(let instant, let key):
      sleep(errand, until: instant) { [self] in
        observe(errand, .build(.woke(key: key)), isNear: true)
        end(errand)
      }
    }
  }

  private func build(_ errand: Errand, _ version: SimulatedVersion) {
    let commit = version.commit
    let startedAt = world.wallClock
    call(
      errand, within: 2...6,
      at: { [world] () -> Promotion.Input? in
        let log = SimulatedNames.digest(2)
        guard world.forge.builds(commit) else { return .buildFailed(reason: "exit code 2", log: log) }
        var number = commit.rawValue.utf8.reduce(7) { Chance.mix($0 &+ UInt64($1)) }
        if version.service != SimulatedNames.service { number = Chance.mix(number) }
        if world.runner.artifacts[version] != nil, world.chance.happens(world.faults.unreproducible) { number &+= 1 }
        guard let digest = world.runner.pack(version, SimulatedNames.digest(number)) else {
          return .buildFailed(reason: "the build is not reproducible", log: log)
        }
        let artifact = StoredArtifact(digest: digest, provenance: SimulatedNames.digest(4), files: 3, bytes: 4096)
        return .built(
          Promotion.BuildResult(artifact: artifact, log: log, startedAt: startedAt, endedAt: world.wallClock))
      }, then: { StreamInput.build($0) })
  }
}

/// Each file is a folder of its own, which lanes go by.
private func inFolders(_ paths: ChangedPaths) -> ChangedPaths {
  ChangedPaths(bounding: paths.paths.map { "\($0)/content" })
}
