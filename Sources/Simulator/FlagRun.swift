import Kernel

/// One seed's life of flags that are ramped beside rollouts: some minutes of people, clients and faults, then calm, in
/// which every ramp ends and every withdrawal is proved.
package struct FlagRun: Sendable {
  package let seed: UInt64
  package let plant: Plant?

  package init(seed: UInt64, plant: Plant? = nil) {
    self.seed = seed
    self.plant = plant
  }

  /// O(simulated turns); a fraction of a second.
  package func run() -> SimulationResult<FlagTally> {
    var chance = Chance(seed: seed ^ 0xf1a9)
    let faults = FaultPlan.draw(&chance)
    let active = chance.span(300, 600)
    let simulation = Simulation(
      seed: seed, faults: faults, plant: plant, flagFolders: [SimulatedNames.flagFolder])
    let rollouts = SimulatedOperators(simulation, until: active)
    let flags = FlagOperators(simulation, until: active)
    simulation.world.agenda.after(Span(milliseconds: 1)) {
      rollouts.begin()
      flags.begin()
    }
    simulation.run(active: active)
    var tally = simulation.world.checkers.flags.tally
    tally.rollouts = simulation.world.checkers.rollouts
    return SimulationResult(simulation, seed: seed, again: "plimsoll simulate --flags", tally)
  }
}

/// What one story met.
package struct FlagTally: Codable, Equatable, Sendable, CustomStringConvertible {
  package init() {}
  package var created = 0
  package var revised = 0
  /// Times at which the repository said what a flag is, or that it says so no more.
  package var declared = 0
  package var archived = 0
  package var ramps = 0
  package var stages = 0
  /// Of the stages: begun to be judged before all clients were known to have them.
  package var unsettled = 0
  package var verdicts = 0
  package var asked = 0
  package var held = 0
  package var rolledOut = 0
  /// By the judge.
  package var stopped = 0
  /// Of these: the variant harmed nobody.
  package var needless = 0
  package var stoppedByHand = 0
  package var kills = 0
  package var proved = 0
  /// Changes to come whose time came, and of these the refused.
  package var due = 0
  package var dueRefused = 0
  /// Flags, each in each environment, that a restart served anew.
  package var servedAgain = 0
  package var rollouts = 0

  package var description: String {
    "\(ramps) ramps of \(stages) stages (\(unsettled) not had by all clients), \(verdicts) verdicts, \(rolledOut) rolled "
      + "out, \(stopped) stopped by the judge (\(needless) needlessly) and \(stoppedByHand) by hand, \(asked) times a "
      + "person asked, \(held) times held, \(kills) kills, \(proved) withdrawals proved, \(due) planned changes due "
      + "(\(dueRefused) refused), \(created) flags made (\(archived) archived), \(revised) revisions, \(declared) "
      + "declarations, \(servedAgain) times served anew after a restart, \(rollouts) rollouts beside"
  }

  package static func + (left: Self, right: Self) -> Self {
    var sum = left
    for path in paths { sum[keyPath: path] += right[keyPath: path] }
    return sum
  }
  private static var paths: [WritableKeyPath<Self, Int>] {
    [
      \.created, \.revised, \.declared, \.archived, \.ramps, \.stages, \.unsettled, \.verdicts, \.asked, \.held,
      \.rolledOut, \.stopped, \.needless, \.stoppedByHand, \.kills, \.proved, \.due, \.dueRefused, \.servedAgain,
      \.rollouts,
    ]
  }
}
