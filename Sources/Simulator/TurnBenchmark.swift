import ControlPlane
import Kernel

/// The work behind "microseconds a turn" of `make bench`: what the engine was told in recorded runs, decided again on a
/// fresh engine whose dispatcher does nothing, so that decide, check, append, reconcile and route are measured and no
/// world is. As in the product, a turn includes the machines' invariants.
package struct TurnBenchmark {
  /// Simulated lives of a quarter of an hour each, without faults: together several thousand turns.
  package static let usualSeeds: ClosedRange<UInt64> = 1...12
  static let length = Span.minutes(15)

  /// What a round did.
  package struct Work: Equatable, Sendable {
    /// Runs of the engine, those for routed letters included.
    package var turns = 0
    package var events = 0
  }

  private struct Recording {
    var letters: [(letter: Letter, now: Instant)] = []
    /// In the ledger at the end.
    var events = 0
  }
  private let recordings: [Recording]

  /// Simulates the seeds and keeps what the engine was told.
  package init(seeds: ClosedRange<UInt64> = usualSeeds) { recordings = seeds.map(Self.record) }

  /// Events that the recorded runs appended: a replay that did other work would measure something else.
  package var recordedEvents: Int { recordings.reduce(0) { $0 + $1.events } }

  private static func record(_ seed: UInt64) -> Recording {
    let simulation = Simulation(seed: seed, faults: .none, plant: nil)
    var recording = Recording()
    simulation.onLetter = { letter, now in
      recording.letters.append((Letter(to: letter.stream, letter.input, cause: letter.cause, lane: letter.lane), now))
    }
    let operators = SimulatedOperators(simulation, until: length)
    simulation.world.agenda.after(Span(milliseconds: 1)) { operators.begin() }
    simulation.run(active: length)
    recording.events = simulation.ledger.events.count
    return recording
  }

  /// One round: decides all letters once, one turn each, as when none has to wait for another. O(letters).
  package func replay() -> Work {
    var work = Work()
    for recording in recordings {
      var chance = Chance(seed: 5)
      let ledger = MemoryLedger()
      let engine = Engine(
        store: ledger.open(), dispatcher: IdleDispatcher(), checksInvariants: true, chance: { chance.next() })
      for (letter, now) in recording.letters {
        engine.post(.letter(letter))
        repeat {
          _ = engine.run(now: now)
          work.turns += 1
        } while engine.hasWork
      }
      work.events += ledger.events.count
    }
    return work
  }
}

/// Takes note of nothing.
private final class IdleDispatcher: EffectDispatcher {
  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) {}
  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {}
}
