import ControlPlane
import Kernel

/// The work behind "µs per turn" of `make bench`: a recorded run's letters, decided again on a fresh engine whose
/// dispatcher does nothing, so that decide, evolve, append, reconcile and route are measured and no world is.
package struct TurnBenchmark {
  private let inputs: [(StreamID, StreamInput, Instant)]

  /// Simulates one seed without faults and keeps what the engine was told.
  package init(seed: UInt64 = 1) {
    let simulation = Simulation(seed: seed, faults: .none, plant: nil)
    var kept: [(StreamID, StreamInput, Instant)] = []
    simulation.onLetter = { letter, now in
      // Routed letters come again by themselves.
      if case .routed = letter.cause { return }
      kept.append((letter.stream, letter.input, now))
    }
    let operators = SimulatedOperators(simulation, until: .minutes(15))
    simulation.world.agenda.after(Span(milliseconds: 1)) { operators.begin() }
    simulation.run(active: .minutes(15))
    inputs = kept
  }

  /// Decides all letters once, one turn each, as when none has to wait for another.
  /// - Returns: how many turns it took, routed ones included.
  package func replay() -> Int {
    var chance = Chance(seed: 5)
    let engine = Engine(
      store: MemoryLedger().open(), dispatcher: IdleDispatcher(), checksInvariants: false, chance: { chance.next() })
    var turns = 0
    for (stream, input, now) in inputs {
      engine.post(.letter(Letter(to: stream, input, cause: .request(id: "bench"))))
      repeat {
        _ = engine.run(now: now)
        turns += 1
      } while engine.hasWork
    }
    return turns
  }
}

/// Takes note of nothing.
private final class IdleDispatcher: EffectDispatcher {
  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) {}
  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {}
}
