import ControlPlane
import Kernel
import Rollouts

/// One scripted story without any other fault, told again with the process struck at every single boundary: before and
/// after each append, and for each effect when nothing was sent, when the peer did it and nobody heard, and when the
/// answer was not yet decided. At each boundary it is struck in every way (`Strike`): killed, or replaced while it goes
/// on; and what comes after it sees the world fresh, stale, or misses the first look. Every telling must end the same.
package struct ExhaustiveCrashes: Sendable {
  package struct Outcome: Sendable {
    package let plot: Plot
    /// How many boundaries the story has.
    package let boundaries: Int
    /// Of each kind, in the order of `Boundary.allCases`.
    package let counts: [(boundary: Boundary, count: Int)]
    /// (boundary, strike) pairs told.
    package let tellings: Int
    /// Distinct states of production's delivery met in all tellings, told apart by phase, wants and what the router
    /// confirmed; instants do not count.
    package let states: Int
    /// Runs of the engine, of all tellings.
    package let turns: Int
    /// Boundary number, kind, strike and what was broken; empty when all end right.
    package let failures: [String]
    package var ok: Bool { failures.isEmpty }
  }

  /// Every story has the same chances.
  static let seed: UInt64 = 7
  /// A killed process is back after this.
  static let restartPause = Span.seconds(2)
  static let storyLimit = Span.minutes(15)
  /// Of failures only so many have their last turns printed.
  private static let mostTranscripts = 5

  package let plot: Plot
  package init(_ plot: Plot) { self.plot = plot }

  /// O(tellings · turns of a story).
  /// - Parameters:
  ///   - step: 1 tries every (boundary, strike); n every n-th, starting with `offset`.
  ///   - progress: told of each telling: how many there were and how many there will be.
  package func run(
    offset: Int = 0, stride step: Int = 1, plant: Plant? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) -> Outcome {
    var states: Set<String> = []
    var failures: [String] = []
    let (whole, met) = tell(nil, plant: nil, &states)
    for wrong in wrongs(whole) { failures.append("untouched: \(wrong)\n\(whole.transcript.text)") }
    var turns = whole.turns
    let all = met.count * Strike.all.count
    let chosen = Swift.stride(from: offset, to: failures.isEmpty ? all : 0, by: max(step, 1))
    var told = 0
    for choice in chosen {
      let (number, strike) = (choice / Strike.all.count, Strike.all[choice % Strike.all.count])
      let (simulation, _) = tell((number, strike), plant: plant, &states)
      turns += simulation.turns
      told += 1
      progress(told, (all - offset + step - 1) / max(step, 1))
      let wrongs = wrongs(simulation)
      guard !wrongs.isEmpty else { continue }
      let place = "\(plot.rawValue): boundary \(number) (\(met[number].rawValue)), \(strike.ending), \(strike.seen)"
      let transcript = failures.count < Self.mostTranscripts ? "\n\(simulation.transcript.text)" : ""
      failures.append("\(place): \(wrongs.joined(separator: "; "))\(transcript)")
    }
    let counts = Boundary.allCases.map { kind in (kind, met.filter { $0 == kind }.count) }
    return Outcome(
      plot: plot, boundaries: met.count, counts: counts, tellings: told, states: states.count, turns: turns,
      failures: failures)
  }

  private func tell(_ struck: (number: Int, strike: Strike)?, plant: Plant?, _ states: inout Set<String>)
    -> (Simulation, met: [Boundary])
  {
    let simulation = Simulation(seed: Self.seed, faults: .none, plant: plant)
    simulation.restartPause = Self.restartPause
    var met: [Boundary] = []
    simulation.strikesAt = { boundary in
      met.append(boundary)
      return met.count - 1 == struck?.number ? struck?.strike : nil
    }
    var seen: Set<String> = []
    simulation.onDelivery = { seen.insert(Self.signature($0)) }
    let story = ScriptedStory(plot, simulation)
    simulation.world.agenda.after(Span(milliseconds: 1)) { story.goOn() }
    simulation.run(active: .seconds(1)) { story.isTold || simulation.elapsed > Self.storyLimit }
    states.formUnion(seen)
    return (simulation, met)
  }

  /// Everything but instants: what is wanted says the phase and whom it is about.
  private static func signature(_ state: Rollout.State) -> String {
    let wants = Rollout.effects(of: state).map(\.key.text).sorted().joined(separator: " ")
    return "\(state.phaseName) \(state.routed == nil ? "unrouted" : "routed") \(state.pending?.ordinal ?? 0) \(wants)"
  }

  private func wrongs(_ simulation: Simulation) -> [String] {
    var wrongs = simulation.world.checkers.violations.map(\.description)
    let forge = simulation.world.forge
    let shares = simulation.world.router.shares(of: SimulatedNames.productionDelivery)
    guard case .delivery(let state)? = simulation.ledger.folded(SimulatedNames.productionDelivery) else {
      return wrongs + ["nothing was delivered"]
    }
    if let serving = state.knownGood.first?.deployment {
      if forge.content(of: serving.commit) != plot.servesAtTheEnd {
        wrongs.append("\(serving.commit.short) serves with \(forge.content(of: serving.commit))")
      }
      if shares.first(where: { $0.deployment == serving.id })?.percent != 100 {
        wrongs.append("it has not all traffic")
      }
    } else {
      wrongs.append("nothing serves")
    }
    let tip = SimulatedVersion(service: SimulatedNames.service, commit: forge.trunk)
    let isCondemned = state.condemned.contains { simulation.world.runner.artifacts[tip] == $0.digest }
    if !isCondemned { wrongs.append("the bad version is not condemned") }
    if forge.content(of: forge.trunk) != plot.trunkAtTheEnd {
      wrongs.append("the trunk holds \(forge.content(of: forge.trunk))")
    }
    return wrongs
  }
}

extension Rollout.State {
  fileprivate var phaseName: String {
    switch phase {
    case .idle: "idle"
    case .sealing: "sealing"
    case .placing: "placing"
    case .drilling: "drilling"
    case .stepping(_, let index): "stepping \(index)"
    case .scaling(_, let index): "scaling \(index)"
    case .watching(_, let index, since: _): "watching \(index)"
    case .gated(_, let index, _, since: _): "gated \(index)"
    case .finalWatch: "finalWatch"
    case .finishing: "finishing"
    case .restoring: "restoring"
    case .reporting: "reporting"
    case .closing: "closing"
    case .closed: "closed"
    }
  }
}
