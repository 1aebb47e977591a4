import Simulator
import Testing

/// All of them, in release, with how many states were explored: `plimsoll simulate --exhaustive`.
@Suite("Simulation: struck at every boundary") struct CrashTests {
  /// A prime, so that a sample meets each of the six ways of striking at each kind of boundary.
  static let sample = 43

  @Test("every story ends right wherever and however the process was struck", arguments: Plot.allCases)
  func everyPlot(plot: Plot) {
    let outcome = ExhaustiveCrashes(plot).run(offset: Plot.allCases.firstIndex(of: plot) ?? 0, stride: Self.sample)
    #expect(outcome.ok, "\(outcome.failures.joined(separator: "\n"))")
    #expect(outcome.counts.allSatisfy { $0.count > 20 }, "boundaries met: \(outcome.counts)")
    #expect(outcome.tellings > 50 && outcome.states > 30, "\(outcome.tellings) tellings, \(outcome.states) states")
    print("\(plot.rawValue): \(outcome.tellings) tellings, \(outcome.states) states of the delivery")
  }

  @Test("a flag's story ends right wherever and however the process was struck")
  func flags() {
    let outcome = FlagCrashes().run(offset: 5, stride: 13)
    #expect(outcome.ok, "\(outcome.failures.first ?? "")")
    #expect(outcome.boundaries > 100 && outcome.tellings > 50, "\(outcome.boundaries), \(outcome.tellings) tellings")
    print("flags: \(outcome.boundaries) boundaries, \(outcome.tellings) tellings")
  }

  @Test("a ledger that forgets what was unrouted is found out at some boundary")
  func unrouted() {
    let outcome = ExhaustiveCrashes(.canary).run(offset: 37, stride: 271, plant: .routingCursorLost)
    #expect(outcome.failures.contains { $0.contains(Promise.landedIsBuilt.rawValue) }, "\(outcome.failures.count)")
  }
}
