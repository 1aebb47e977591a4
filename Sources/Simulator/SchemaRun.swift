import Kernel

/// One seed's life of two services on one schema: some minutes of people and faults, then calm, in which whatever breaks
/// nobody must pass.
package struct SchemaRun: Sendable {
  package let seed: UInt64
  package let plant: Plant?

  package init(seed: UInt64, plant: Plant? = nil) {
    self.seed = seed
    self.plant = plant
  }

  /// O(simulated turns); a fraction of a second.
  package func run() -> SimulationResult<SchemaTally> {
    var chance = Chance(seed: seed ^ 0x5c4e)
    var faults = FaultPlan.draw(&chance)
    // What has nothing to do with schemas is left to the other seeds.
    faults.externalPushes = 0
    faults.forcedBack = 0
    faults.absences = 0
    faults.runnerLosses = 0
    faults.alteredFolders = 0
    let active = chance.span(400, 700)
    let simulation = Simulation(seed: seed, faults: faults, plant: plant, deliveries: SimulatedNames.sharedDeliveries)
    simulation.world.schemas.hasSidecars = true
    let operators = SchemaOperators(simulation, until: active)
    simulation.world.agenda.after(Span(milliseconds: 1)) { operators.begin() }
    simulation.run(active: active, isDone: { operators.probe() })
    return SimulationResult(
      simulation, seed: seed, again: "plimsoll simulate --schemas", simulation.world.checkers.schemas.tally)
  }
}

/// One seed's interleaving of deployments, canaries, rollbacks and contracts: two services on one schema in production,
/// and a handful of versions of each. In half of the seeds nothing fails but what people do.
package struct InterleavingRun: Sendable {
  package let seed: UInt64
  package let plant: Plant?
  /// Beside the first: with four versions kept and running, each of them meets each.
  static let changes = 6
  /// Where all of them live.
  package static var place: SchemaPlace { SimulatedNames.orders(SimulatedNames.production) }

  package init(seed: UInt64, plant: Plant? = nil) {
    self.seed = seed
    self.plant = plant
  }

  /// - Parameter peer: databases that are really there; nil plays the models alone.
  package func run(on peer: (any SchemaPeer)? = nil) -> SimulationResult<SchemaTally> {
    var chance = Chance(seed: seed ^ 0x17e4)
    var faults = seed.isMultiple(of: 2) ? FaultPlan.none : FaultPlan.draw(&chance)
    faults.externalPushes = 0
    faults.forcedBack = 0
    faults.absences = 0
    faults.runnerLosses = 0
    faults.alteredFolders = 0
    let active = chance.span(180, 240)
    let simulation = Simulation(
      seed: seed, faults: faults, plant: plant, deliveries: SimulatedNames.sharedProduction)
    if let peer { simulation.world.schemas.attach(peer) }
    let operators = SchemaOperators(simulation, until: active, habits: .orderly(changes: Self.changes))
    simulation.world.agenda.after(Span(milliseconds: 1)) { operators.begin() }
    simulation.run(active: active, isDone: { operators.probe() })
    return SimulationResult(
      simulation, seed: seed, again: "plimsoll accept --only interleavings --interleavings 1",
      simulation.world.checkers.schemas.tally)
  }
}

/// What one story met.
package struct SchemaTally: Codable, Equatable, Sendable, CustomStringConvertible {
  package init() {}
  package var asked = 0
  package var granted = 0
  package var refused = 0
  package var turnedAway = 0
  package var reviews = 0
  package var reviewsRefused = 0
  package var applied = 0
  /// Of the applied: dropped or required a column.
  package var contracts = 0
  package var failed = 0
  package var rollouts = 0
  package var rollbacks = 0
  package var condemned = 0
  package var floors = 0
  package var drifts = 0
  package var driftsSeen = 0
  package var adoptions = 0
  package var overrides = 0
  /// Of the overrides: those under which something was applied.
  package var overridesUsed = 0
  package var bars = 0
  /// What sidecars told that was new, and how often that let something be asked anew, or had to wait.
  package var uploads = 0
  package var reconsidered = 0
  package var postponed = 0
  /// Versions that sent all they have to a real database, each time it or they changed.
  package var sendings = 0
  /// Rollback targets that were tried on one.
  package var targetsTried = 0
  /// Refusals that were tried on one.
  package var refusalsTried = 0

  package var description: String {
    "\(asked) times a version asked for its schema (\(granted) granted, \(refused) refused, \(turnedAway) turned away), "
      + "\(reviews) reviews (\(reviewsRefused) refused), \(applied) migrations applied (\(contracts) contracts), "
      + "\(failed) failed, \(rollouts) rollouts, \(rollbacks) rollbacks by hand, \(condemned) condemned, "
      + "\(bars) times versions barred, \(floors) floors raised, \(drifts) alterations by hand (\(driftsSeen) drifts "
      + "seen), \(adoptions) adoptions, \(overrides) overrides (\(overridesUsed) used), "
      + "\(uploads) recordings sent (\(reconsidered) times something was asked anew, \(postponed) times they waited)"
  }

  package static func + (left: Self, right: Self) -> Self {
    var sum = left
    for path in paths { sum[keyPath: path] += right[keyPath: path] }
    return sum
  }
  private static var paths: [WritableKeyPath<Self, Int>] {
    [
      \.asked, \.granted, \.refused, \.turnedAway, \.reviews, \.reviewsRefused, \.applied, \.contracts, \.failed,
      \.rollouts, \.rollbacks, \.condemned, \.floors, \.drifts, \.driftsSeen, \.adoptions, \.overrides,
      \.overridesUsed, \.uploads, \.reconsidered, \.postponed, \.bars, \.sendings, \.targetsTried, \.refusalsTried,
    ]
  }
}
