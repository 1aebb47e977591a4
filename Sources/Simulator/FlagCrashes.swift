import ControlPlane
import Kernel
import Ramps

/// One flag's story without any other fault, told again with the process struck at every single boundary in every way
/// (`Strike`), as `ExhaustiveCrashes` does it with rollouts: a variant that harms nobody is ramped until everybody has
/// it, one that harms is taken back, and a person switches the flag off. Every telling must end the same.
package struct FlagCrashes: Sendable {
  package struct Outcome: Sendable {
    package let boundaries: Int
    /// (boundary, strike) pairs told.
    package let tellings: Int
    /// Runs of the engine, of all tellings.
    package let turns: Int
    /// Ramps of the harmless variant that the judge stopped; a person starts them again. The judge's own budget is one
    /// in a hundred.
    package let needless: Int
    /// Boundary number, kind, strike and what was broken; empty when all end right.
    package let failures: [String]
    package var ok: Bool { failures.isEmpty }
  }

  package init() {}

  /// O(tellings · turns of a story).
  /// - Parameters:
  ///   - step: 1 tries every (boundary, strike); n every n-th, starting with `offset`.
  ///   - progress: told of each telling: how many there were and how many there will be.
  package func run(
    offset: Int = 0, stride step: Int = 1, plant: Plant? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) -> Outcome {
    let (whole, met) = tell(nil, plant: nil)
    var failures = wrongs(whole).map { "untouched: \($0)\n\(whole.transcript.text)" }
    var turns = whole.turns
    var needless = 0
    let all = failures.isEmpty ? met.count * Strike.all.count : 0
    var told = 0
    for choice in Swift.stride(from: offset, to: all, by: max(step, 1)) {
      let (number, strike) = (choice / Strike.all.count, Strike.all[choice % Strike.all.count])
      let (simulation, _) = tell((number, strike), plant: plant)
      turns += simulation.turns
      needless += simulation.world.checkers.flags.tally.needless
      told += 1
      progress(told, (all - offset + step - 1) / max(step, 1))
      let wrongs = wrongs(simulation)
      guard !wrongs.isEmpty else { continue }
      let place = "boundary \(number) (\(met[number].rawValue)), \(strike.ending), \(strike.seen)"
      failures.append("\(place): \(wrongs.joined(separator: "; "))\n\(simulation.transcript.text)")
    }
    return Outcome(boundaries: met.count, tellings: told, turns: turns, needless: needless, failures: failures)
  }

  private func tell(_ struck: (number: Int, strike: Strike)?, plant: Plant?) -> (Simulation, met: [Boundary]) {
    let simulation = Simulation(
      seed: ExhaustiveCrashes.seed, faults: .none, plant: plant, flagFolders: [SimulatedNames.flagFolder])
    simulation.restartPause = ExhaustiveCrashes.restartPause
    var met: [Boundary] = []
    simulation.strikesAt = { boundary in
      met.append(boundary)
      return met.count - 1 == struck?.number ? struck?.strike : nil
    }
    let story = FlagStory(simulation)
    simulation.world.agenda.after(Span(milliseconds: 1)) { story.goOn() }
    simulation.run(active: .seconds(1)) {
      story.isTold || simulation.elapsed > ExhaustiveCrashes.storyLimit
    }
    return (simulation, met)
  }

  private func wrongs(_ simulation: Simulation) -> [String] {
    var wrongs = simulation.world.checkers.violations.map(\.description)
    guard case .flag(let state)? = simulation.ledger.folded(.flag(FlagStory.key)),
      let placement = state.placement(in: FlagStory.place)
    else { return wrongs + ["there is no flag"] }
    if placement.isOn { wrongs.append("it is on") }
    if placement.proof != nil { wrongs.append("nobody knows whether it is off everywhere") }
    if placement.allocation.size(of: "on") != FlagAllocation.buckets { wrongs.append("not everybody had 'on'") }
    if placement.allocation.size(of: "blue") != 0 { wrongs.append("'blue' has a share") }
    let wanted = 2 + simulation.world.checkers.flags.tally.needless
    if state.nextRamp - 1 != wanted {
      wrongs.append("there were \(state.nextRamp - 1) ramps, and \(wanted) were wanted")
    }
    return wrongs
  }
}

/// Asks again until the ledger shows that what was asked is done, as a person would.
private final class FlagStory {
  static let key = SimulatedNames.basket
  static let place = SimulatedNames.production

  private enum Act: CaseIterable {
    case create, rampToEverybody, rampAndTakeBack, kill
  }
  private let simulation: Simulation
  private var acts = Act.allCases[...]

  init(_ simulation: Simulation) {
    self.simulation = simulation
    simulation.world.flags.harmfulRamps = []
  }

  var isTold: Bool { acts.isEmpty }

  func goOn() {
    while let act = acts.first, isDone(act) { acts.removeFirst() }
    guard let act = acts.first else { return }
    ask(act)
    simulation.attend()
    simulation.world.agenda.after(.seconds(1)) { [self] in goOn() }
  }

  private var state: FeatureFlag.State? {
    guard case .flag(let state)? = simulation.ledger.folded(.flag(Self.key)) else { return nil }
    return state
  }

  private func isDone(_ act: Act) -> Bool {
    guard let state, let placement = state.placement(in: Self.place) else { return false }
    switch act {
    case .create: return true
    case .rampToEverybody: if case .rolledOut = placement.phase { return true } else { return false }
    case .rampAndTakeBack: if case .stopped = placement.phase { return true } else { return false }
    case .kill: return !placement.isOn && placement.proof == nil
    }
  }

  private func ask(_ act: Act) {
    func by(_ reason: String) -> FeatureFlag.Signature {
      simulation.world.checkers.flags.asks(reason)
      return FeatureFlag.Signature(actor: "ada", reason: reason)
    }
    switch act {
    case .create:
      let creation = FeatureFlag.Creation(
        key: Self.key, definition: FlagSettings.definition(of: Self.key, text: 0),
        environments: [FeatureFlag.Switch(environment: Self.place, isOn: true)], by: by("a new flag"))
      send(.create(creation))
    case .rampToEverybody:
      switch state?.placement(in: Self.place)?.phase {
      case .still, .stopped: ramp("on", by("try it"))
      case .sighting, .placing, .watching, .asking, .holding, .stopping, .rolledOut, nil: break
      }
    case .rampAndTakeBack:
      guard let state, case .rolledOut = state.placement(in: Self.place)?.phase else { return }
      simulation.world.flags.harmfulRamps = [state.nextRamp]
      ramp("blue", by("try the other"))
    case .kill:
      let request = FeatureFlag.KillRequest(
        environment: Self.place, announceTargets: SimulatedSettings.announceTargets, by: by("it fails"))
      send(.kill(request), lane: .protect)
    }
  }

  private func ramp(_ variant: String, _ by: FeatureFlag.Signature) {
    send(.startRamp(FlagSettings.plan(variant, in: Self.place, isGuarded: true), by))
  }

  private func send(_ input: FeatureFlag.Input, lane: Lane = .progress) {
    _ = simulation.request(.flag(input), to: .flag(Self.key), lane: lane)
  }
}
