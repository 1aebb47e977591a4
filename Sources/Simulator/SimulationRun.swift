import Kernel

/// One seed's life: between ten and twenty minutes of people and faults, then calm until all is at rest.
package struct SimulationRun: Sendable {
  package let seed: UInt64
  package let plant: Plant?

  package init(seed: UInt64, plant: Plant? = nil) {
    self.seed = seed
    self.plant = plant
  }

  /// O(simulated turns); a fraction of a second.
  package func run() -> SimulationResult<SimulationTally> {
    var chance = Chance(seed: seed ^ 0xfa17)
    let faults = FaultPlan.draw(&chance)
    let active = chance.span(600, 1200)
    let simulation = Simulation(seed: seed, faults: faults, plant: plant)
    let operators = SimulatedOperators(simulation, until: active)
    simulation.world.agenda.after(Span(milliseconds: 1)) { operators.begin() }
    simulation.run(active: active)
    return SimulationResult(simulation, seed: seed, again: "plimsoll simulate", SimulationTally(simulation))
  }
}

/// What came of one seed's story, and what it met.
@dynamicMemberLookup package struct SimulationResult<Tally: Sendable>: Sendable {
  package let seed: UInt64
  package let violations: [Violation]
  /// Runs of the engine.
  package let turns: Int
  /// Events in the ledger.
  package let events: Int
  package let tally: Tally
  package let simulated: Span
  /// Equal for equal seeds.
  package let transcriptHash: UInt64
  /// The last turns in fixed columns; empty when every promise held.
  package let transcript: String
  /// The command that tells it again, without the seed.
  private let again: String
  package var ok: Bool { violations.isEmpty }
  package subscript<Value>(dynamicMember path: KeyPath<Tally, Value>) -> Value { tally[keyPath: path] }

  init(_ simulation: Simulation, seed: UInt64, again: String, _ tally: Tally) {
    self.seed = seed
    self.tally = tally
    self.again = again
    violations = simulation.world.checkers.violations
    turns = simulation.turns
    events = simulation.ledger.events.count
    simulated = simulation.elapsed
    transcriptHash = simulation.transcript.hash
    transcript = violations.isEmpty ? "" : simulation.transcript.text
  }

  /// What to print of a failure.
  package var report: String {
    """
    seed \(seed) broke \(violations.count) promise(s):
    \(violations.map { "  \($0)" }.joined(separator: "\n"))
    again: \(again) --seed \(seed)
    \(transcript)
    """
  }
}

/// What one story of the whole product met.
package struct SimulationTally: Sendable {
  package let rollouts: Int
  package let rollbacks: Int
  /// Places that left plimsoll.yaml.
  package let retirements: Int
  /// Commits that went through the environments a second time.
  package let renewals: Int
  /// Healthy versions that traffic convicted while there was no incident.
  package let falseConvictions: Int
  /// Watches that no verdict ended, so that a person had to.
  package let decidedByHand: Int

  init(_ simulation: Simulation) {
    let checkers = simulation.world.checkers
    rollouts = checkers.rollouts
    rollbacks = checkers.rollbacks
    retirements = checkers.retirements
    renewals = checkers.renewals
    falseConvictions = checkers.falseConvictions
    decidedByHand = simulation.decidedByHand
  }
}
